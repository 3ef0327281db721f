"""What is Python and what is not, with real CPythons as judges, and any text at all."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.checks import Use
from reconciler.checks.python.check import check_module
from reconciler.checks.python.python27 import modern
from reconciler.checks.python.pythons import library_history, python_version, standard_modules
from reconciler.checks.python.rules import RuleSet
from reconciler.manifest.runtimes import Service
from reconciler.targets.maxcompute.runtimes import RUNTIMES
from reconciler.targets.maxcompute.source_rules import SOURCE_RULES
from tests.unit.checks.corpus import CASES, HEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Ask = Callable[[str, str, Sequence[str]], list[object]]

RUNTIME_TAGS = sorted([*RUNTIMES, "cp39", "cp310", "cp312"])
COMPILE = """
import json, sys
def fits(text):
    try:
        compile(text.encode("utf-8"), "m.py", "exec", 0, 1)
    except (SyntaxError, ValueError, TypeError):
        return False
    return True
print(json.dumps([fits(text) for text in json.loads(sys.stdin.read())]))
"""
PIECES = (
    *(case.source for case in CASES),
    "print >>f\nprint\n",
    "print not x\nprint -1, +2, ~3\nprint {}, []\nprint lambda: 1\n",
    "if 1: print 1; print 2\n",
    "raise E, (1, 2), tb\n",
    "try: pass\nexcept (A, B), (c, d): pass\n",
    "def f(a, (b, (c, d)), e=(1)): pass\n",
    "def f((a,\n       b)): pass\n",
    "f = lambda (a, b), c=(1, 2): {1: (a)}\n",
    "x = `1, 2`\n",
    "exec 'x' in a, b\n",
    "class C:\n\tdef f(self):\n\t\treturn 1\n        def g(self):\n\t\treturn 2\n",
    "if 1:\n\tx = '''\n\t'''\n\ty = (1,\n\t2)\n",
    "x = 0777 + 0o17 + 0b11 + 0L + 1e5 + 1j + 0.5 + .5 + 0xfL\n",
    "x = ur'{a}' u'{' br'}'\n",
    "x = 'a' \\\n    'b'\n",
    "def f(): return\n\n\nprint 'é'\n",
    "from __future__ import (print_function,\n  unicode_literals)\nprint(u'a', file=f)\nx = '\\u00e9'\n",
    "assert 1, 2\ndel a, b\n",
    "with a as b, c as d: pass\n",
    "x = {1, 2} | {a: b for a in c}\n",
    "print ('a'), 'b'\nprint ('a') % 1\n",
    "print\nx = [a for a, b in 1, (2, 3) if c for d in 4, 5], (a for a in b), {a for a in b}\n",
    "print 1\nx = [f(a for a in b) for c in d, e]\n",
    "print 1\nx = (a for a in b, c)\n",
    "async = 1\nawait = async\n",
    "def f(a, a): pass\n",
    "x = (yield)\n",
    "x = lambda: (yield)\n",
    "def f():\n    from a import *\n",
    "f(*a, b=1, **c)\n",
    "print 'a' if b else 'c', d\n",
    "@a.b(c)\nclass C: pass\n",
    "x[...] = x[1:2, ...]\n",
    "a <> b <> c\n",
    "{**a}\n",
    "x: int\n",
    "f'{x!r:>{y}}'\n",
    "print(f'{x = }')\n",
    "lambda *, a: 1\n",
    "def f(*, a):\n    def g(): nonlocal a\n",
    "for x in *a, b: pass\n",
    "for x in (*a, b): pass\nfor x in 1, 2 * 3: pass\n",
    "def f(): return (*a, b)\ndef g(): return 1, 2 * 3\n",
    "x[(*a, b)]\nx[1, 2 * 3]\n",
    "def f():\n    class C: pass\n",
    "try: pass\nexcept: pass\nelse: pass\nfinally: pass\n",
    "print",
    "print 1\nraise E",
    "print 1\n[x for x in 1, 2",
    "x = a.exec\n",
    "with (a): pass\n",
    "async def f():\n    async for x in y: pass\n    async with (a as b, c): pass\n",
    "x = a if (b := c) else d\n",
    "return\n",
    "class C:\n    return\n",
    "while 1:\n    def f(): break\n",
    "for x in y:\n    pass\nelse:\n    break\n",
    "try:\n    pass\nexcept* E:\n    pass\n",
)


@pytest.mark.parametrize("runtime", ["cp27", "cp37", "cp311"])
def test_what_is_refused_is_what_the_real_one_refuses(runtime: str, ask: Ask) -> None:
    texts = [text for text in PIECES if text.isascii() or runtime != "cp27"]  # compile() does not ask for a coding line
    answers = ask(runtime, COMPILE, texts)
    for text, fits in zip(texts, answers, strict=True):
        refused = [
            one
            for one in check_module(text.encode(), [Use(runtime, None, ())], SOURCE_RULES)
            if one.code in {"E801", "E802", "E803"}
        ]
        if "with (open" in text and runtime == "cp37":
            continue  # to 3.7 that is a tuple, which it reads and cannot enter
        assert bool(refused) == (not fits), (text, refused)


@pytest.mark.parametrize("text", PIECES)
def test_second_reading_changes_no_width(text: str) -> None:
    read, shifts = modern(text)
    before, after = text.split("\n"), read.split("\n")
    assert len(before) == len(after)
    for number, (old, new) in enumerate(zip(before, after, strict=True), 1):
        assert len(new) == len(old) + shifts.get(number, 0)


TOKENS = st.sampled_from(
    [
        *re.findall(r"\w+|\W", HEAD + "print exec raise except lambda def class (a, b) <> ` 0777 10L ur'' \t async"),
        "\n",
        "\n    ",
        "'",
        '"""',
        "é",
        "\\",
        "#",
        "\0",
        "f'{",
        "}'",
        "# udfs: ignore[E801]",
        "@annotate('",
        "work/a.zip",
        "\r",
        "\x0c",
        "\ufeff",
    ]
)


@settings(deadline=None, max_examples=150)
@given(st.lists(TOKENS, max_size=40).map("".join) | st.text(max_size=60), st.sampled_from(RUNTIME_TAGS))
@example("(" * 300, "cp37")
@example("-" * 5000 + "1", "cp37")
@example("x = " + "9" * 5000, "cp37")
@example("print '" + "(" * 300, "cp27")
@example("x = 1\n\ufeff", "cp37")
@example("x = 1" + " + 1" * 20_000, "cp37")
@example("print x" + ".a" * 20_000, "cp27")
@example("if a: pass\n" + "elif a: import b\n" * 2_000, "cp37")
@example("if (x := 1): pass\ndef f(:", "cp37")
@example("print x\nif (x := 1): pass\n", "cp27")
@example("print '\\N{no}'; u'\\N{no}'", "cp27")
def test_any_text_gives_problems_or_none_and_every_place_is_in_it(text: str, runtime: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    lines = re.split("\r\n|\r|\n", text.removeprefix("\ufeff"))
    for one in check_module(raw, [Use(runtime, "F", (("a.zip", "archive"),)), Use(runtime, None, ())], SOURCE_RULES):
        if one.code != "E803":
            assert 1 <= one.line <= len(lines)
            assert one.source == lines[one.line - 1]
        assert 1 <= one.column <= len(one.source) + 1
        assert 1 <= one.width <= max(1, len(one.source) + 1 - one.column)


@settings(deadline=None, max_examples=100)
@given(
    st.binary(max_size=60)
    | st.sampled_from(["rot13", "hex", "utf-16", "utf-7", "idna", "é"]).map(
        lambda c: f"# coding: {c}\nx = 'é'\n".encode()
    ),
    st.sampled_from(RUNTIME_TAGS),
)
def test_any_bytes_give_problems_or_none(raw: bytes, runtime: str) -> None:
    check_module(raw, [Use(runtime, "F", ())], SOURCE_RULES)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 400), st.sampled_from(RUNTIME_TAGS))
def test_depth_is_no_danger(depth: int, runtime: str) -> None:
    check_module(("[" * depth + "]" * depth).encode(), [Use(runtime, None, ())], SOURCE_RULES)
    check_module(
        b"if 1:\n" + b"".join(b" " * (n + 1) + b"if 1:\n" for n in range(min(depth, 120))),
        [Use(runtime, None, ())],
        SOURCE_RULES,
    )


def test_encodings_are_python_s() -> None:
    latin = "# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1")
    assert check_module(latin, [Use("cp27", None, ()), Use("cp37", None, ())], SOURCE_RULES) == ()
    assert check_module(b"\xef\xbb\xbfx = '\xc3\xa9'\n", [Use("cp27", None, ())], SOURCE_RULES) == ()
    (found,) = check_module("x = 1\ny = 'é'\n".encode("latin-1"), [Use("cp37", None, ())], SOURCE_RULES)
    assert (found.code, found.line, found.column) == ("E803", 2, 6)
    assert (
        check_module(b"#!/bin/sh\n# vim: set fileencoding=utf-8 :\n# \xc3\xa9\n", [Use("cp27", None, ())], SOURCE_RULES)
        == ()
    )
    (late,) = check_module(b"x = 1\n# coding: utf-8\n# \xc3\xa9\n", [Use("cp27", None, ())], SOURCE_RULES)
    assert (late.code, late.line) == ("E803", 3)


def test_an_older_python_of_the_tool_says_so_and_refuses_nothing() -> None:
    (found,) = check_module(b"x = = 1\n", [Use("cp399", None, ())], SOURCE_RULES)
    assert (found.code, found.severity) == ("E801", "warning")


@pytest.mark.parametrize(
    ("runtime", "codes"), [("cp39", ["E802", "E816"]), ("cp310", ["E816"]), ("cp312", []), ("cp313", [])]
)
def test_a_python_that_maxcompute_has_not_is_judged_by_its_own_syntax_and_library(
    runtime: str, codes: list[str]
) -> None:
    source = b"import tomllib\n\n\ndef f(x):\n    match x:\n        case 1:\n            return 1\n"
    findings = check_module(source, [Use(runtime, None, ())], RuleSet(Service("a service")))
    assert sorted(finding.code for finding in findings) == codes


def test_of_a_python_that_nobody_looked_at_only_what_is_certain_is_an_error() -> None:
    (found,) = check_module(b"import json\nimport telepathy\n", [Use("cp399", None, ())], RuleSet(Service("a service")))
    assert (found.line, found.code, found.severity) == (2, "E816", "warning")
    assert "CPython 3.99" in found.message


def test_columns_count_characters_behind_accents_and_tabs() -> None:
    (found,) = check_module("x = 'éé'; import nowhere\n".encode(), [Use("cp37", None, ())], SOURCE_RULES)
    assert (found.column, found.width) == (11, 14)
    (tabbed,) = check_module(b"if 1:\n\tprint 1; import nowhere\n", [Use("cp27", None, ())], SOURCE_RULES)
    assert (tabbed.line, tabbed.column, tabbed.width) == (2, 11, 14)


def test_tags_are_read_as_the_versions_of_their_runtimes_and_each_library_was_looked_at() -> None:
    versions = {tag: runtime.python_version for tag, runtime in RUNTIMES.items()}
    assert {tag: python_version(tag) for tag in RUNTIMES} == versions
    assert set(versions.values()) <= set(library_history())


@pytest.mark.skipif(sys.version_info[:2] not in library_history(), reason="nobody looked at this Python's modules")
def test_this_python_lists_the_modules_of_the_table() -> None:
    listed = {name for name in sys.stdlib_module_names if not name.startswith(("_test", "_xx"))}
    absent = listed - standard_modules(sys.version_info[:2])
    # What is for Windows and macOS, and jokes.
    assert absent <= {
        *("_msi", "_overlapped", "_scproxy", "_winapi", "_wmi", "antigravity", "idlelib", "msilib", "msvcrt", "nt"),
        *("nturl2path", "turtledemo", "winreg", "winsound"),
    }
    assert standard_modules(sys.version_info[:2]) <= listed


IMPORTABLE = """
import json, sys
try:
    from importlib.util import find_spec as find
except ImportError:
    from imp import find_module as find
def there(name):
    try:
        return name in sys.builtin_module_names or find(name) is not None
    except (ImportError, ValueError):
        return name in sys.modules
print(json.dumps([there(name) for name in json.loads(sys.stdin.read())]))
"""


@pytest.mark.parametrize("runtime", ["cp27", "cp37", "cp311"])
def test_standard_library_is_the_real_one_s(runtime: str, ask: Ask) -> None:
    names = sorted(standard_modules(python_version(runtime)))
    answers = ask(runtime, IMPORTABLE, names)
    absent = {name for name, there in zip(names, answers, strict=True) if not there}
    # Builds differ in what C libraries they found; a table or two of that kind may be missing.
    assert len(absent) < 25
    assert not absent & {"json", "re", "os", "sys", "datetime", "decimal", "collections", "hashlib", "math", "struct"}


def test_nothing_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    check_module(b"print('run')\nraise SystemExit\n", [Use("cp37", None, ())], SOURCE_RULES)
    assert capsys.readouterr().out == ""
