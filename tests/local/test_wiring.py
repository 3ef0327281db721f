"""What is added behind a source, in the real CPythons: whatever the source is like, it finds its packages, and stays as it was."""

from __future__ import annotations

import base64
import platform
import shutil
import subprocess
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from reconciler.local.runner import FunctionNotLoadable, FunctionRaised, Job, ResourceFile, call, locate
from reconciler.local.runner.unpacked import may_see_links
from reconciler.packages.stub import make_stub
from reconciler.packages.wiring import Wires, append_tail, make_tail
from reconciler.targets.maxcompute.runtimes import SERVICE
from tests import natives
from tests.local.conftest import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.local.conftest import Runner

F = Wires(("a.zip",))
EVALUATE = """
    def evaluate(self):
        from alpha import NAME
        return NAME
"""


def archive(runner: Runner, name: str, **modules: str) -> ResourceFile:
    path = runner.directory / name
    with ZipFile(path, "w") as out:
        for module, text in modules.items():
            out.writestr(f"{module}.py", text)
    return ResourceFile(name, "archive", path)


def job(
    runner: Runner,
    source: bytes | str,
    classes: Mapping[str, Wires] | None = None,
    *more: ResourceFile,
    name: str = "F",
) -> Job:
    """Return a job for a source with what is added to it; archive a.zip holds the module alpha."""
    content = source if isinstance(source, bytes) else textwrap.dedent(source).encode()
    path = runner.directory / "m.py"
    path.write_bytes(append_tail(content, make_tail(classes if classes is not None else {"F": F}, SERVICE)))
    alpha = archive(runner, "a.zip", alpha="NAME = 'a'\n")
    return Job(f"m.{name}", (ResourceFile("m.py", "py", path), alpha, *more), runner.runtime)


def results(runner: Runner, made: Job) -> list[Any]:
    with call(runner.interpreter, made, [(), ()]) as running:
        return list(running)


CLASSES = {
    "a plain class": "class F(object):" + EVALUATE,
    "a class of the old style, where there is one": "class F:" + EVALUATE,
    "the old style with a constructor": """
class F:
    def __init__(self):
        from alpha import NAME
        self.name = NAME
    def evaluate(self):
        return self.name
""",
    "imports in the constructor": """
class F(object):
    def __init__(self):
        super(F, self).__init__()
        import alpha
        self.name = alpha.NAME
    def evaluate(self):
        return self.name
""",
    "imports in __new__": """
class F(object):
    def __new__(cls, *args):
        import alpha
        made = object.__new__(cls)
        made.name = alpha.NAME
        return made
    def __init__(self):
        assert self.name == "a"
    def evaluate(self):
        return self.name
""",
    "an inherited __new__": """
class Base(object):
    def __new__(cls):
        import alpha
        made = super(Base, cls).__new__(cls)
        made.name = alpha.NAME
        return made
class F(Base):
    def evaluate(self):
        return self.name
""",
    "an inherited constructor": """
class Base(object):
    def __init__(self):
        import alpha
        self.name = alpha.NAME
class F(Base):
    def evaluate(self):
        return self.name
""",
    "a constructor inherited in the old style": """
class Base:
    def __init__(self):
        import alpha
        self.name = alpha.NAME
class F(Base):
    def evaluate(self):
        return self.name
""",
    "two bases with constructors": """
class Left(object):
    def __init__(self):
        super(Left, self).__init__()
        self.left = 1
class Right(object):
    def __init__(self):
        super(Right, self).__init__()
        import alpha
        self.name = alpha.NAME
class F(Left, Right):
    def evaluate(self):
        return self.name * self.left
""",
    "a class that is rebound": "class F(object):\n    pass\nclass F(object):" + EVALUATE,
    "a class under another name": "class G(object):" + EVALUATE + "F = G\n",
    "a class that is made": "def evaluate(self):\n    from alpha import NAME\n    return NAME\n"
    "F = type('Made', (object,), {'evaluate': evaluate})\n",
    "a metaclass": """
class Meta(type):
    def __call__(cls, *args):
        made = super(Meta, cls).__call__(*args)
        assert made.ready
        return made
F = Meta('F', (object,), {
    '__init__': lambda self: setattr(self, 'ready', __import__('alpha')),
    'evaluate': lambda self: self.ready.NAME,
})
""",
    "slots": "class F(object):\n    __slots__ = ('name',)" + EVALUATE,
    "a base from Python itself": "class F(dict):" + EVALUATE,
    "names of builtins used for something else": """
open = str = type = object = isinstance = list = len = map = None
class F:
    def evaluate(self):
        from alpha import NAME
        return NAME
""",
    "a module that replaces itself": "import sys\nclass F(object):" + EVALUATE + "sys.kept = sys.modules[__name__]\n",
}


@pytest.mark.parametrize("sentence", CLASSES)
def test_every_kind_of_class_finds_its_packages(runner: Runner, sentence: str) -> None:
    source = "from odps.udf import annotate\n" + CLASSES[sentence] + "\nannotate('->string')(F)\n"
    assert results(runner, job(runner, source)) == ["a", "a"]


HEAD = b"from odps.udf import annotate\n@annotate('->string')\nclass F(object):\n    def evaluate(self):\n        "
IMPORT = b"from alpha import NAME; return NAME"
FORMS = {
    "no end of the last line": HEAD + IMPORT,
    "a comment without an end": HEAD + IMPORT + b"\n# the end",
    "lines as on Windows": (HEAD + IMPORT + b"\n").replace(b"\n", b"\r\n"),
    "lines as on Windows, the last without an end": (HEAD + IMPORT).replace(b"\n", b"\r\n"),
    "a byte order mark": b"\xef\xbb\xbf" + HEAD + IMPORT + b"\n",
    "a coding line": b"# coding: latin-1\n" + HEAD + IMPORT + b" # caf\xe9\n",
    "a coding line of Asia": b"# coding: gbk\n" + HEAD + IMPORT + b" # \xd6\xd0\xce\xc4\n",
    "a coding line of Asia in which a backslash is none": b"# coding: shift_jis\n" + HEAD + IMPORT + b" # \x95\x5c\n",
    "imports from the future": b"from __future__ import absolute_import, division, print_function, unicode_literals\n"
    + HEAD.replace(b"'->string'", b"str('->string')")
    + IMPORT
    + b"\n",
    "a docstring, and a form feed at the end": b'"""A module."""\n' + HEAD + IMPORT + b"\n\x0c\n",
    "blanks at the end": HEAD + IMPORT + b"\n    \n\t",
    "an empty continuation": HEAD + IMPORT + b"\nX = 1 + \\\n    1\n",
}


@pytest.mark.parametrize("sentence", FORMS)
def test_every_form_of_a_file_takes_the_tail(runner: Runner, sentence: str) -> None:
    assert results(runner, job(runner, FORMS[sentence])) == ["a", "a"]


@pytest.mark.parametrize("end", [b'X = """', b"X = (1,", b"X = '", b"def f():", b"if True: x = (\\"])
def test_what_is_no_python_stays_none(runner: Runner, end: bytes) -> None:
    with pytest.raises(FunctionNotLoadable):
        results(runner, job(runner, HEAD + IMPORT + b"\n" + end))


def test_importing_the_module_touches_nothing(runner: Runner) -> None:
    """Where MaxCompute first looks at a module there is no archive, no library, and perhaps no rights."""
    made = job(
        runner,
        """
        import sys
        from odps.udf import annotate
        before = list(sys.path), set(sys.modules)
        @annotate('->boolean')
        class F(object):
            def __init__(self):
                assert 'work/a.zip' in sys.path
            def evaluate(self):
                import late
                return late.same
        """,
        {"F": F},
        ResourceFile("late.py", "py", _write(runner, "late.py", "import m\nsame = True\n")),
    )
    source = (runner.directory / "m.py").read_bytes()
    # At the very end of the module, behind the tail, the path and the modules are as the source left them.
    (runner.directory / "m.py").write_bytes(source + b"assert (list(sys.path), set(sys.modules)) == before\n")
    assert results(runner, made) == [True, True]


def test_a_class_is_as_it_was_once_it_has_an_object(runner: Runner) -> None:
    made = job(
        runner,
        """
        from odps.udf import annotate
        class Plain(object):
            pass
        class Made(object):
            def __init__(self, number=1): pass
        class New(object):
            def __new__(cls, number=1): return object.__new__(cls)
        was = [dict(cls.__dict__) for cls in (Plain, Made, New)]
        @annotate('->bigint')
        class F(object):
            def evaluate(self):
                for cls, before in zip((Plain, Made, New), was):
                    cls()
                    assert {k: v for k, v in cls.__dict__.items() if k[:6] != '__weak'} == {
                        k: v for k, v in before.items() if k[:6] != '__weak'}, cls
                Made(2), New(2)
                try:
                    Plain(2)
                except TypeError:
                    return 1
        """,
        dict.fromkeys(("Plain", "Made", "New", "F"), F),
    )
    assert results(runner, made) == [1, 1]


def test_a_class_that_inherits_from_another_functions_class_gets_its_own_packages(runner: Runner) -> None:
    source = """
        from odps.udf import annotate
        class Mixin(object):
            def __init__(self):
                super(Mixin, self).__init__()
                self.mixed = True
        @annotate('->string')
        class Base(object):
            def evaluate(self):
                from alpha import NAME
                return NAME
        @annotate('->string')
        class F(Base, Mixin):
            def evaluate(self):
                import sys
                from beta import NAME
                assert self.mixed and [path for path in sys.path if path.startswith('work/')] == ['work/b.zip']
                return NAME
        """
    beta = archive(runner, "b.zip", beta="NAME = 'b'\n")
    classes = {"Base": Wires(("a.zip",), ("libabsent.so.1",)), "F": Wires(("b.zip",))}
    assert results(runner, job(runner, source, classes, beta)) == ["b", "b"]
    classes = {"Base": F, "F": Wires(("b.zip",), ("libabsent.so.1",))}
    assert results(runner, job(runner, source, classes, name="Base")) == ["a", "a"]


def test_a_traceback_has_the_lines_of_the_source(runner: Runner) -> None:
    source = "from odps.udf import annotate\n@annotate('->string')\nclass F(object):\n    def evaluate(self):\n        1 / 0\n"
    with pytest.raises(FunctionRaised) as caught:
        results(runner, job(runner, source))
    assert caught.value.traceback.splitlines()[1:2] == ['  File "m.py", line 5, in evaluate']
    constructor = source.replace("evaluate", "__init__") + "    evaluate = None\n    def evaluate(self): pass\n"
    with pytest.raises(FunctionNotLoadable) as unmade:
        results(runner, job(runner, constructor))
    # The hook is on the way to a constructor, once; the source's own lines are where they were.
    assert '  File "m.py", line 5, in __init__' in unmade.value.traceback.splitlines()


def test_the_first_package_of_a_list_is_found_first(runner: Runner) -> None:
    source = HEAD + IMPORT + b"\n"
    other = archive(runner, "b.zip", alpha="NAME = 'b'\n")
    assert results(runner, job(runner, source, {"F": Wires(("b.zip", "a.zip"))}, other)) == ["b", "b"]
    assert results(runner, job(runner, source, {"F": Wires(("a.zip", "b.zip"))}, other)) == ["a", "a"]


def test_a_module_without_the_class_fails_as_it_did(runner: Runner) -> None:
    with pytest.raises(FunctionNotLoadable, match="no class F"):
        results(runner, job(runner, "G = 1\n"))


# --- Libraries ------------------------------------------------------------------------------------------------------------

NUMBERS = {
    "one": "int one(void) { return 1; }",
    "two": "int one(void); int two(void) { return one() + 1; }",
}


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Two libraries, of which the second needs the first; a file's name is not its SONAME."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler is on this machine")
    folder = tmp_path_factory.mktemp("libraries")
    made = {}
    for name, text in NUMBERS.items():
        (folder / f"{name}.c").write_text(text)
        made[f"lib{name}.so.1"] = folder / f"build-{name}"
        options = ["-shared", "-fPIC", f"-Wl,-soname,lib{name}.so.1", "-o", f"build-{name}", f"{name}.c"]
        needed = ["build-one"] if name == "two" else []
        subprocess.run([compiler, *options, *needed], check=True, cwd=folder)
    return made


def _natives(libraries: Mapping[str, Path]) -> list[ResourceFile]:
    return [ResourceFile(name, "file", path) for name, path in libraries.items()]


@pytest.fixture
def native(request: pytest.FixtureRequest, runner: Runner) -> Runner:
    """Each runtime in turn; of 2.7 the one with narrow Unicode, since no other is given native code."""
    if runner.runtime != "cp27":
        return runner
    environment = {**ENVIRONMENT, "UDFS_PYTHON_CP27": str(request.getfixturevalue("cp27m"))}
    return replace(runner, interpreter=locate("cp27", environment))


NATIVE = Wires((), ("libone.so.1", "libtwo.so.1"))
TWO = "import ctypes\n        return ctypes.CDLL(None).two()\n"


def test_libraries_are_loaded_for_everybody_each_behind_what_it_needs(
    native: Runner, libraries: Mapping[str, Path]
) -> None:
    source = HEAD.replace(b"->string", b"->bigint") + TWO.encode()
    assert results(native, job(native, source, {"F": NATIVE}, *_natives(libraries))) == [2, 2]


@pytest.mark.parametrize("flags", [(), ("-Wl,-soname,libthree.so.3",)], ids=["without a SONAME", "with another"])
def test_a_library_answers_to_the_name_of_its_file(native: Runner, tmp_path: Path, flags: tuple[str, ...]) -> None:
    path = natives.compiled(tmp_path / "build", "libthree.so", "long three(void) { return 3; }", *flags)
    resource = flags[0].rpartition(",")[2] if flags else "libthree.so"
    stub = base64.b64encode(make_stub("libthree.so", platform.machine())).decode()
    source = HEAD.replace(b"->string", b"->bigint")
    source += (
        b"import ctypes\n        return ctypes.CDLL('libthree.so').three() + ctypes.CDLL('%s').three()\n"
        % resource.encode()
    )
    wires = Wires((), (resource,), ((resource, "libthree.so", stub),))
    assert results(native, job(native, source, {"F": wires}, ResourceFile(resource, "file", path))) == [6, 6]


def test_a_library_that_the_function_does_not_list_is_told_by_name(
    native: Runner, libraries: Mapping[str, Path]
) -> None:
    source = HEAD.replace(b"->string", b"->bigint") + TWO.encode()
    with pytest.raises(FunctionNotLoadable, match=r"libtwo\.so\.1"):
        results(native, job(native, source, {"F": NATIVE}, *_natives(libraries)[:1]))


# --- The vendor's patterns ------------------------------------------------------------------------------------------------

VENDOR = """
# coding: utf-8
import ctypes
import os
import sys

from odps.udf import annotate
from odps.distcache import get_cache_archive, get_cache_file

def include_package_path(res_name):
    folders = [os.path.dirname(os.path.normpath(one.name)) for one in get_cache_archive(res_name)]
    sys.path.append(min(folders, key=len))

def include_file(file_name):
    with open(get_cache_file(file_name, 'b').name, 'rb') as resource:
        content = resource.read()
    with open(file_name, 'wb') as library:
        library.write(content)
    ctypes.CDLL(os.path.abspath(file_name), ctypes.RTLD_GLOBAL)

@annotate("->string")
class F(object):
    def __init__(self):
        include_file('libone.so.1')
        include_file('libtwo.so.1')
        include_package_path('b.zip')
        sys.path.insert(0, 'work/a.zip')
        with get_cache_file('word.txt') as lines:
            self.word = lines.read().strip()

    def evaluate(self):
        import alpha, beta
        return "%s %s %s %d" % (alpha.NAME, beta.NAME, self.word, ctypes.CDLL(None).two())
"""


@pytest.mark.parametrize("is_wired", [True, False], ids=["with the tail", "byte for byte"])
def test_the_patterns_of_the_documentation_work(native: Runner, libraries: Mapping[str, Path], is_wired: bool) -> None:
    beta = archive(native, "b.zip", beta="NAME = 'b'\n")
    word = native.file("word.txt", "w\n")
    classes = {"F": Wires(("a.zip", "b.zip"), NATIVE.libraries)}
    made = job(native, VENDOR, classes, beta, word, *_natives(libraries))
    if not is_wired:
        (native.directory / "m.py").write_text(VENDOR)
    # With the tail the libraries are written a second time under their names, over nothing that is loaded.
    assert results(native, made) == ["a b w 2", "a b w 2"]


def _write(runner: Runner, name: str, text: str) -> Path:
    path = runner.directory / f"source of {name}"
    path.write_text(text)
    return path


def test_what_is_added_is_not_taken_for_a_function_that_goes_through_folders() -> None:
    tail = make_tail({"F": Wires(("a.zip",), ("libx.so",))}, SERVICE).encode()
    assert not may_see_links([tail])
    assert may_see_links([tail, b"import glob"])
