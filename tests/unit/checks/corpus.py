"""Small sources, good and bad, each with what is found: the code and the text that is underlined."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Any

from reconciler.checks import Use
from reconciler.targets.maxcompute.runtimes import modules as installed

HEAD = "from odps.udf import annotate, BaseUDTF, BaseUDAF\n"
_BY_HAND: dict[str, Any] = {"modules": ("numpy",), "resources": (("a.zip", "archive"),), "wired": False}
UDAF = """
    @annotate("bigint->bigint")
    class F(BaseUDAF):
        def new_buffer(self):
            {}
        def iterate(self, buffer, number): pass
        def merge(self, buffer, other): pass
        def terminate(self, buffer): return 1
"""


@dataclass(frozen=True)
class Case:
    """One source."""

    sentence: str
    source: str
    found: tuple[tuple[str, str], ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def uses(self) -> list[Use]:
        return [use(**self.settings)]

    @property
    def raw(self) -> bytes:
        return self.source.encode()


def use(
    runtime: str = "cp37",
    class_name: str | None = "F",
    resources: tuple[tuple[str, str | None], ...] = (),
    **given: Any,
) -> Use:
    """Make a use of a module `f`."""
    given = {"installed": installed(runtime, given.get("image")), "peers": ("f",), **given}
    return Use(runtime, class_name, (("f.py", "py"), *resources), **given)


def _text(source: str) -> str:
    return textwrap.dedent(source).lstrip("\n")


def udf(body: str, signature: str = "*->string", head: str = "") -> str:
    """Write a good UDF around some statements."""
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return f'{head}{HEAD}@annotate("{signature}")\nclass F(object):\n    def evaluate(self, *args):\n{lines}'


def _case(sentence: str, source: str, *found: tuple[str, str], head: bool = True, **settings: Any) -> Case:
    return Case(sentence, (HEAD if head else "") + _text(source), found, settings)


def _module(sentence: str, source: str, *found: tuple[str, str], **settings: Any) -> Case:
    """A module that others import: no class is asked for."""
    return Case(sentence, _text(source), found, {"class_name": None, **settings})


def _body(sentence: str, body: str, *found: tuple[str, str], **settings: Any) -> Case:
    return Case(sentence, udf(body), found, settings)


def _signature(sentence: str, signature: str, *found: tuple[str, str], takes: str = "self, *args") -> Case:
    source = f"{HEAD}@annotate({signature!r})\nclass F(object):\n    def evaluate({takes}): pass\n"
    return Case(sentence, source, found)


CASES = [
    _case(
        "a method that some interpreters get and others not",
        """
        import sys
        @annotate("bigint->bigint")
        class F(object):
            if sys.version_info[0] == 2:
                def evaluate(self, number): return number
            else:
                def evaluate(self, number): return number
        """,
    ),
    _case(
        "another decorator may give the signature",
        "import f\n@f.signed\nclass F(object):\n    def evaluate(self): pass\n",
    ),
    _case(
        "a signature that is worked out",
        "import f\n@annotate(f.SIGNATURE)\nclass F(object):\n    def evaluate(self): pass\n",
    ),
    _case(
        "a UDAF whose buffer is made elsewhere",
        UDAF.format("pass").replace("def new_buffer(self):\n            pass", "new_buffer = list"),
    ),
    _case("new_buffer may raise", UDAF.format("raise NotImplementedError")),
    _case(
        "forward with what cannot be counted",
        "@annotate('->bigint,string')\nclass F(BaseUDTF):\n    def process(self, *row):\n        self.forward(*row)\n",
    ),
    # --- images ---------------------------------------------------------------------------------------------------------
    Case(
        "what an image has is there when MaxCompute looks at the module",
        "import pandas, sklearn\n" + udf("return 1"),
        settings={"image": "sklearn"},
    ),
    Case(
        "what is not published of an image may be in it",
        "import pytz\n" + udf("import torch"),
        (("E816", "import pytz"), ("E816", "import torch")),
        {"image": "my-own"},
    ),
    Case(
        "an import at module level takes what the image has, not what the function brings",
        "import numpy\n" + udf("import pandas"),
        (("E821", "import numpy"),),
        {"image": "common", "modules": ("numpy", "pandas")},
    ),
    Case(
        "2.7 has a NumPy of its own",
        "import numpy\n" + udf("import numpy"),
        (("E821", "import numpy"),),
        {"runtime": "cp27", "modules": ("numpy",)},
    ),
    Case(
        "a module of one's own that is called like one of the library may be either",
        "import json\n" + udf("import decimal"),
        (("E821", "import json"),),
        {"peers": ("f", "json")},
    ),
    # --- good ---------------------------------------------------------------------------------------------------------
    _body("a plain UDF", "return 1"),
    _case(
        "a UDTF without a signature gives strings",
        """
        class F(BaseUDTF):
            def process(self, *row):
                self.forward(*row)
        """,
    ),
    _case("a whole UDAF", UDAF.format("return [0]")),
    _case(
        "methods of a base in the same module",
        """
        class Base(object):
            def evaluate(self, text): return text
        @annotate("string->string")
        class F(Base): pass
        """,
    ),
    _case("a base from another module may bring anything", "import f\n@annotate('->bigint')\nclass F(f.Base): pass\n"),
    _case("a class from another module is not looked for", "from f import F\n"),
    _case("a star import may bring the class", "from f import *\n"),
    _case("a class that is made by a call is not judged", "import f\nF = f.make()\n"),
    _case(
        "a method may be assigned",
        "def run(self, text): return text\n@annotate('string->string')\nclass F(object):\n    evaluate = run\n",
    ),
    _case(
        "a signature may have a name",
        "S = 'bigint->bigint'\n@annotate(S)\nclass F(object):\n    def evaluate(self, number): return number\n",
    ),
    _case(
        "odps.udf may be imported under another name",
        "import odps.udf as u\n@u.annotate('->bigint')\nclass F(object):\n    def evaluate(self): return 1\n",
        head=False,
    ),
    _case(
        "defaults count as Python counts them",
        "@annotate('bigint->bigint')\nclass F(object):\n    def evaluate(self, a, b=1, *, c=2): return a\n",
    ),
    _case(
        "a static method takes what its decorator says",
        "@annotate('bigint->bigint')\nclass F(object):\n    @staticmethod\n    def evaluate(a): return a\n",
    ),
    _case(
        "a UDTF may hand forward on",
        "class F(BaseUDTF):\n    def process(self, row):\n        list(map(self.forward, row))\n",
    ),
    _case(
        "a UDTF may hand itself on",
        "import f\nclass F(BaseUDTF):\n    def process(self, row):\n        f.emit(self, row)\n",
    ),
    _body(
        "an import that may fail is left alone",
        "try:\n    import simplejson as json\nexcept ImportError:\n    import json",
    ),
    _body("a bare except waits for imports too", "try:\n    import simplejson\nexcept:\n    pass"),
    _body("a package is imported in time", "import numpy\nfrom numpy import linalg", modules=("numpy",)),
    _body("a module may import itself", "import f"),
    _module("numpy is installed for Python 2.7", "import numpy\n", runtime="cp27"),
    _module("the future comes first", '"""Text."""\nfrom __future__ import division, print_function\n'),
    _module(
        "an import for another interpreter",
        "import sys\nif sys.version_info[0] == 2:\n    import urlparse\nelse:\n    import json\n",
    ),
    _module(
        "an import for people who check types",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas\n",
    ),
    _module(
        "an import under suppress", "import contextlib\nwith contextlib.suppress(ImportError):\n    import pandas\n"
    ),
    _body("the archive is listed", "open('work/a.zip/x')", resources=(("a.zip", "archive"),)),
    _body("a path that is being put together", "return 'work/' + args[0] + f'work/{args[0]}.zip'"),
    _body("a folder of the function's own", "return 'work/scratch'"),
    _body(
        "another project's resource has no known type",
        "from odps.distcache import get_cache_file\nget_cache_file('x')",
        resources=(("x", None),),
    ),
    _body(
        "names of resources know no case",
        "from odps.distcache import get_cache_file\nget_cache_file('A.CSV')",
        resources=(("a.csv", "file"),),
    ),
    _body("reading a file", "open('x').read()\nopen('x', 'rb')"),
    _body("compiled code is isolated anyway", "import subprocess\nopen('x', 'w')", isolated=True),
    _case("marshal writes sets", UDAF.format("return [set(), {'a': 1.5}, None]")),
    _case("what a call returns is not known", UDAF.format("return list(range(3))")),
    _case("a buffer may have a name", UDAF.format("buffer = [0]; return buffer")),
    _module(
        "Python 2.7 in all its forms",
        """
        # -*- coding: utf-8 -*-
        import sys, urllib2, cPickle
        print
        print "é", 0777, 10L, 0xFFL, 7L .real, 08.5
        print >>sys.stderr, "x",
        print("a"), "b"
        if 1: print `1`, u"\\N{EM DASH}", b'é' 'x', ur'\\u0041', "\\N\\u"
        exec "x = 1" in {}
        exec("x = 1")
        def f(a, (b, c)=(1, 2), *d): return a <> b
        key = lambda (k, v): k
        class C: async, await = 1, 2
        try:
        \traise ValueError, "no"
        except (ValueError, TypeError), error:
                print error
        x = C.async.True[1:2, ...]
        """,
        ("E818", "import sys, urllib2, cPickle"),
        runtime="cp27",
    ),
    _module(
        "print as a function of 2.7", "from __future__ import print_function\nprint('a', file=None)\n", runtime="cp27"
    ),
    _module("the module is Latin-1 and says so", "# coding: latin-1\n", runtime="cp27"),
    # --- E801 and E802 ------------------------------------------------------------------------------------------------
    _module("not Python", "def f(:\n    pass\n", ("E801", ":")),
    _module("Python 2 for Python 3", "print 'x'\n", ("E801", "print 'x'")),
    _module("Python 2.7 has its limits too", "print 'x'\ndef f(:\n    pass\n", ("E801", ":"), runtime="cp27"),
    _module("a NUL", "x = 1\ny = '\0'\n", ("E801", "\0")),
    _module("a return at module level", "return 1\n", ("E801", "return 1")),
    _module("a break outside a loop", "if 1:\n    break\n", ("E801", "break")),
    _module("a continue in a class of a loop", "for x in 'a':\n    class C:\n        continue\n", ("E801", "continue")),
    _module("a parameter twice", "def f(a, *, a): pass\n", ("E801", "a")),
    _module(
        "a future that comes late",
        "import re\nfrom __future__ import division\n",
        ("E801", "from __future__ import division"),
    ),
    _module("a future that does not exist", "from __future__ import teleport\n", ("E801", "teleport")),
    _module("nonlocal at module level", "nonlocal x\n", ("E801", "nonlocal x")),
    _module("walrus", "if (x := 1): pass\n", ("E802", "x := 1")),
    _module("positional-only", "def f(a, /): pass\n", ("E802", "a")),
    _module("match", "match 1:\n    case 1: pass\n", ("E802", "match 1:")),
    _module("a star in return", "def f(a):\n    return 1, *a\n", ("E802", "1, *a")),
    _module("a star behind in", "for x in 1, *'ab': pass\n", ("E802", "1, *'ab'")),
    _module("a star in an index", "x = {}\nx[1, *'ab'] = 2\n", ("E802", "1, *'ab'")),
    _module(
        "an f-string that shows its name",
        "x = 1\ny = f'a={x} {x = !r}'\nz = f'{{x=}}{x}'\n",
        ("E802", "f'a={x} {x = !r}'"),
    ),
    _module("a decorator that is an expression", "@[print][0]\ndef f(): pass\n", ("E802", "[print][0]")),
    _module("continue in finally", "for x in 'a':\n    try: pass\n    finally: continue\n", ("E802", "continue")),
    _module(
        "with in parentheses", "with (open('a') as a,\n      open('b')):\n    pass\n", ("E802", "with (open('a') as a,")
    ),
    _module("a with that only begins with a parenthesis", "with (open)('a') as a, open('b'): pass\n"),
    _module("an f-string in 2.7", "x = f'{1}'\n", ("E802", "f'{1}'"), runtime="cp27"),
    _module(
        "an annotation in 2.7", "def f(a: int) -> int: pass\n", ("E802", "a: int"), ("E802", "int"), runtime="cp27"
    ),
    _module("an annotated name in 2.7", "x: int = 1\n", ("E802", "x: int = 1"), runtime="cp27"),
    _module(
        "keyword-only in 2.7", "def f(*, a): pass\ng = lambda *, b: b\n", ("E802", "a"), ("E802", "b"), runtime="cp27"
    ),
    _module(
        "async in 2.7",
        "async def f():\n    await f()\n    async with f(): pass\n",
        ("E802", "async def f():"),
        ("E802", "await f()"),
        ("E802", "async with f(): pass"),
        runtime="cp27",
    ),
    _module("yield from in 2.7", "def f(): yield from f()\n", ("E802", "yield from f()"), runtime="cp27"),
    _module("raise from in 2.7", "raise ValueError() from None\n", ("E802", "None"), runtime="cp27"),
    _module(
        "nonlocal in 2.7",
        "def f():\n    x = 1\n    def g():\n        nonlocal x\n",
        ("E802", "nonlocal x"),
        runtime="cp27",
    ),
    _module(
        "stars in 2.7",
        "a, *b = 1, 2\nc = {**a}\nf(*a, 1)\nf(**a, b=1)\n",
        ("E802", "a, *b"),
        ("E802", "{**a}"),
        ("E802", "*a"),
        ("E802", "a"),
        runtime="cp27",
    ),
    _module(
        "print is a statement in 2.7",
        "print('a', file=1)\nx = print\n",
        ("E802", "1"),
        ("E802", "print"),
        runtime="cp27",
    ),
    _module(
        "other words of 3 in 2.7",
        "x = 1_000\ny = rb'a'\nz = ...\nw = a @ b\n",
        ("E802", "1_000"),
        ("E802", "rb'a'"),
        ("E802", "..."),
        ("E802", "a @ b"),
        runtime="cp27",
    ),
    _module("a name that was a keyword", "x.print()\n", ("E802", "x.print"), runtime="cp27"),
    _module("a metaclass in 2.7", "class C(metaclass=type): pass\n", ("E802", "type"), runtime="cp27"),
    _module("a name outside ASCII in 2.7", "# coding: utf-8\né = 1\n", ("E802", "é"), runtime="cp27"),
    _module(
        "a feature that 2.7 does not have",
        "from __future__ import annotations\n",
        ("E802", "annotations"),
        runtime="cp27",
    ),
    # --- E803 ---------------------------------------------------------------------------------------------------------
    _module("no coding line", "x = 1\n# ça\n", ("E803", "ç"), runtime="cp27"),
    _module("a coding line that names nothing", "# coding: utf-ate\n", ("E803", "# coding: utf-ate")),
    # --- E804 to E807 -------------------------------------------------------------------------------------------------
    _case("a class in other capitals", "class f(object): pass\n", ("E804", "f")),
    _case("no class at all", "", ("E804", "f")),
    _case("a function where a class is wanted", "def F(x): pass\n", ("E804", "F")),
    _case("a class without evaluate", "class F(object): pass\n", ("E805", "F")),
    _case("evaluate in other letters", "class F(object):\n    def evalute(self): pass\n", ("E805", "F")),
    _case(
        "evaluate in the class beside", "class F(object): pass\nclass G:\n    def evaluate(self): pass\n", ("E805", "F")
    ),
    _case("process without the base", "class F(object):\n    def process(self, a): pass\n", ("E806", "F")),
    _case("iterate without the base", "class F(object):\n    def iterate(self, a, b): pass\n", ("E806", "F")),
    _case(
        "a UDAF without merge",
        "class F(BaseUDAF):\n    def new_buffer(self): return []\n    def iterate(self, b): pass\n    def terminate(self, b): pass\n",
        ("E806", "F"),
    ),
    _case("a UDTF without process", "class F(BaseUDTF): pass\n", ("E806", "F")),
    _case("no signature", "class F(object):\n    def evaluate(self): pass\n", ("E807", "F")),
    _case(
        "annotate is not imported",
        "@annotate('->bigint')\nclass F(object):\n    def evaluate(self): return 1\n",
        ("E807", "annotate"),
        head=False,
    ),
    # --- E808 to E811 -------------------------------------------------------------------------------------------------
    _signature("no arrow", "bigint", ("E808", "'")),
    _signature("an unknown type", "bigint,strng->string", ("E808", "strng")),
    _signature("a type of Python", "int64->str", ("E808", "int64")),
    _signature("nothing behind the arrow", "bigint->", ("E808", "'")),
    _signature("something behind the end", "->bigint bigint", ("E808", "bigint")),
    _signature("an array of nothing", "array<>->bigint", ("E808", ">")),
    _signature("a map of one type", "map<bigint>->bigint", ("E808", ">")),
    _signature("a struct without names", "->struct<bigint>", ("E808", ">")),
    _signature("a struct with a name twice", "->struct<a:bigint,A:string>", ("E808", "struct<a:bigint,A:string>")),
    _signature("a decimal of words", "decimal(a,b)->bigint", ("E808", "a")),
    _signature("a decimal with one number", "decimal(3)->bigint", ("E808", ")")),
    _case(
        "a signature that is a number",
        "@annotate(3)\nclass F(object):\n    def evaluate(self): pass\n",
        ("E808", "annotate(3)"),
    ),
    _case(
        "no signature in annotate",
        "@annotate()\nclass F(object):\n    def evaluate(self): pass\n",
        ("E808", "annotate()"),
    ),
    _case(
        "a signature in pieces",
        "@annotate('big' 'unt->string')\nclass F(object):\n    def evaluate(self, a): pass\n",
        ("E808", "'big' 'unt->string'"),
    ),
    _case(
        "a signature in three quotes",
        "@annotate('''\n  bigant->string''')\nclass F(object):\n    def evaluate(self, a): pass\n",
        ("E808", "'''"),
    ),
    _signature("too few parameters", "bigint,bigint->bigint", ("E809", "evaluate"), takes="self, a"),
    _signature("too many parameters", "->bigint", ("E809", "evaluate"), takes="self, a"),
    _signature("no self", "->bigint", ("E809", "evaluate"), takes=""),
    _signature("more than any number", "->bigint", ("E809", "evaluate"), takes="self, a, *b"),
    _signature("a keyword that nobody gives", "->bigint", ("E809", "evaluate"), takes="self, *, a"),
    _signature("any arguments, and no self", "*->bigint", ("E809", "evaluate"), takes=""),
    _case(
        "a coroutine",
        "@annotate('->bigint')\nclass F(object):\n    async def evaluate(self): pass\n",
        ("E809", "evaluate"),
    ),
    _case("merge with one buffer", UDAF.format("return []").replace("buffer, other", "buffer"), ("E809", "merge")),
    _case(
        "iterate without the buffer", UDAF.format("return []").replace("buffer, number", "number"), ("E809", "iterate")
    ),
    _case(
        "iterate without a signature",
        "class F(BaseUDAF):\n    def new_buffer(self): return []\n    def iterate(self): pass\n    def merge(self, a, b): pass\n    def terminate(self, b): pass\n",
        ("E807", "F"),
        ("E809", "iterate"),
    ),
    _signature("two results of a UDF", "->bigint,string", ("E810", "string")),
    _case(
        "forward with too few",
        "@annotate('->bigint,string')\nclass F(BaseUDTF):\n    def process(self):\n        self.forward(1)\n",
        ("E810", "self.forward(1)"),
    ),
    _case("a UDTF that gives no row", "class F(BaseUDTF):\n    def process(self, a): return a\n", ("E810", "process")),
    _signature("JSON", "json->string", ("E811", "json")),
    _signature("JSON inside", "array<map<string,json>>->string", ("E811", "json")),
    _signature("a type that the list does not have", "timestamp->int", ("E811", "timestamp"), ("E811", "int")),
    _signature("more digits behind the point than digits", "decimal(2,3)->string", ("E811", "decimal")),
    # --- E812 to E814 -------------------------------------------------------------------------------------------------
    _body(
        "an archive that is not listed",
        "import sys\nsys.path.insert(0, 'work/scipy.zip')",
        ("E812", "'work/scipy.zip'"),
    ),
    _body(
        "an archive in other capitals",
        "return 'work/A.zip/x'",
        ("E812", "'work/A.zip/x'"),
        resources=(("a.zip", "archive"),),
    ),
    _body(
        "a wheel is uploaded as .zip",
        "return './work/a-1-py3-none-any.whl'",
        ("E812", "'./work/a-1-py3-none-any.whl'"),
        resources=(("a-1-py3-none-any.zip", "archive"),),
    ),
    _body("a file is not unpacked", "return 'work/a.zip'", ("E812", "'work/a.zip'"), resources=(("a.zip", "file"),)),
    _body(
        "one of several archives",
        "return 'work/zzz.zip'",
        ("E812", "'work/zzz.zip'"),
        resources=(("a.tar.gz", "archive"),),
    ),
    _body("in bytes too", "return b'work/a.zip'", ("E812", "b'work/a.zip'")),
    _body(
        "a file that is not listed",
        "from odps.distcache import get_cache_file\nget_cache_file('a.csv')",
        ("E813", "'a.csv'"),
    ),
    _body(
        "a table that is nearly listed",
        "from odps import distcache\ndistcache.get_cache_table('rate')",
        ("E813", "'rate'"),
        resources=(("rates", "table"),),
    ),
    _case(
        "a name by a constant",
        "from odps.distcache import get_cache_file\nNAME = 'a.csv'\n@annotate('->string')\nclass F(object):\n    def evaluate(self):\n        get_cache_file(NAME)\n",
        ("E813", "NAME"),
    ),
    _case(
        "a name through a function of the vendor's pattern",
        "from odps.distcache import get_cache_archive\ndef include_package_path(res_name):\n    get_cache_archive(res_name)\n@annotate('->string')\nclass F(object):\n    def __init__(self):\n        include_package_path('b.zip')\n    def evaluate(self): pass\n",
        ("E813", "'b.zip'"),
    ),
    _body(
        "FILE and ARCHIVE",
        "from odps.distcache import get_cache_file as read\nread('a.zip')",
        ("E814", "'a.zip'"),
        resources=(("a.zip", "archive"),),
    ),
    _body(
        "a library of the function is loaded by its whole name",
        "import ctypes\nctypes.CDLL('libx.so'), ctypes.CDLL('libx.so.1'), ctypes.cdll.LoadLibrary('liby.so'), ctypes.CDLL('libm.so.6')",
        ("E813", "'libx.so'"),
        resources=(("libx.so.1", "file"),),
    ),
    _body("a PY is no FILE", "from odps.distcache import get_cache_file\nget_cache_file('f.py')", ("E814", "'f.py'")),
    _body(
        "a JAR is no FILE",
        "from odps.distcache import get_cache_file\nget_cache_file('a.jar')",
        ("E814", "'a.jar'"),
        resources=(("a.jar", "jar"),),
    ),
    # --- E815 to E817 -------------------------------------------------------------------------------------------------
    _module("a package too early", "import numpy.linalg\n", ("E815", "import numpy.linalg"), modules=("numpy",)),
    _module(
        "a package too early in a class",
        "class C:\n    from numpy import linalg\n",
        ("E815", "from numpy import linalg"),
        modules=("numpy",),
    ),
    _module(
        "a package perhaps too early", "import numpy\n", ("E815", "import numpy"), modules=("numpy",), runtime="cp311"
    ),
    _module("numpy is not there in 3.7", "import numpy\n", ("E816", "import numpy")),
    _module("nothing provides it", "def f():\n    import pandas, pandas.io\n", ("E816", "import pandas, pandas.io")),
    _module(
        "a module of 2.7",
        "import cPickle, md5, mimetools\n",
        ("E816", "import cPickle, md5, mimetools"),
        ("E816", "import cPickle, md5, mimetools"),
        ("E816", "import cPickle, md5, mimetools"),
    ),
    _module("a module of 3.11", "import tomllib\n", ("E816", "import tomllib")),
    _module("a slip of the finger", "import colections\n", ("E816", "import colections")),
    _module("it may be in the archive", "import gdal\n", ("E816", "import gdal"), unseen=("a.zip",)),
    _module(
        "relative imports",
        "from . import x\nfrom .y import z\n",
        ("E817", "from . import x"),
        ("E817", "from .y import z"),
    ),
    # --- E822 ---------------------------------------------------------------------------------------------------------
    _body("nothing puts the package on sys.path", "import numpy.linalg", ("E822", "import numpy.linalg"), **_BY_HAND),
    _body("sys.path is seen to", "import sys\nsys.path.insert(0, 'work/a.zip')\nimport numpy", **_BY_HAND),
    _body("so it is under another name", "from sys import path as p\np.append('work/a.zip')\nimport numpy", **_BY_HAND),
    _body("a helper may have seen to it", "import f\nimport numpy", **_BY_HAND),
    # --- E818 to E820 -------------------------------------------------------------------------------------------------
    _body(
        "processes, threads and files",
        "import subprocess, threading, os\nos.system('ls')\nopen('x', mode='w')",
        ("E818", "import subprocess, threading, os"),
        ("E818", "import subprocess, threading, os"),
        ("E818", "os.system('ls')"),
        ("E818", "open('x', mode='w')"),
    ),
    _module(
        "the sandbox of 2.7 has few C extensions",
        "import csv\nfrom xml.parsers import expat\nimport json, math, re\ntry:\n    import zlib\nexcept ImportError:\n    zlib = None\n",
        ("E818", "import csv"),
        ("E818", "from xml.parsers import expat"),
        runtime="cp27",
    ),
    _body("2.7 may open no file at all", "open('x')", ("E818", "open('x')"), runtime="cp27"),
    _body("3 may read its own", "open('x')"),
    _module("C extensions are not held against Python 3", "import csv, zlib, ctypes\n"),
    _module("nor where there is no sandbox", "import csv, zlib, ctypes\n", runtime="cp27", isolated=True),
    _body(
        "the network is closed to isolated functions too",
        "from urllib.request import urlopen\nimport concurrent.futures",
        ("E818", "from urllib.request import urlopen"),
        isolated=True,
    ),
    _case("a buffer that is an object", UDAF.format("return object()"), ("E819", "object()")),
    _case(
        "a Counter is no dict to marshal",
        "import collections\n" + _text(UDAF.format("return [0, {1: collections.Counter()}]")),
        ("E819", "collections.Counter()"),
    ),
    _case(
        "a class of the module's own",
        "class State: pass\n" + _text(UDAF.format("state = State(); return state")),
        ("E819", "State()"),
    ),
    _case("a function in a buffer", UDAF.format("return [lambda: 1, (x for x in [])]"), ("E819", "lambda: 1")),
    _case("a generator in a buffer", UDAF.format("return [(x for x in [])]"), ("E819", "(x for x in [])")),
    _case("a number cannot be changed in place", UDAF.format("return 0"), ("E819", "0")),
    _case("nothing is no buffer", UDAF.format("return"), ("E819", "return")),
    _case("new_buffer returns nothing", UDAF.format("pass"), ("E819", "new_buffer")),
    _body("an ignore", "import subprocess  # udfs: ignore[E818]"),
    _body("an ignore of two", "import subprocess, nowhere  # udfs: ignore[E818, E816]"),
    _body("an ignore of nothing", "return 1  # udfs: ignore[E818]", ("E820", "E818")),
    _body("an ignore without codes", "return 1  # udfs: ignore", ("E820", "# udfs: ignore")),
    _body("an ignore of another kind of code", "return 1  # udfs: ignore[E101,no]", ("E820", "E101"), ("E820", "no")),
]
