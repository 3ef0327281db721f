"""Hostile text: each is refused with its place, quickly, and never with a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.manifest.folder import brief

if TYPE_CHECKING:
    from tests.unit.manifest.folder import Folder

GOOD = "stack: s\nfunctions: {}\n"
LAUGHS = "a: &a [x,x,x]\nb: &b [*a,*a,*a]\nstack: s\nfunctions: {}\n"

HOSTILE = {
    "200,000 open brackets": ("[" * 200_000, ["1:65 E105 nested more than 64 deep"]),
    "200,000 dashes": ("- " * 200_000, ["1:129 E105 nested more than 64 deep"]),
    "200,000 nested keys": ("? " * 200_000, ["1:129 E105 nested more than 64 deep"]),
    "a mapping 65 deep": ("\n".join(" " * i + "a:" for i in range(70)), ["65:65 E105 nested more than 64 deep"]),
    "aliases": (LAUGHS, ["1:4 E106 the anchor '&a' is not allowed", "2:8 E106 the alias '*a' is not allowed"]),
    "an alias to itself": ("a: &a [*a]\n", ["1:4 E106 the anchor '&a' is not allowed"]),
    "a duplicate key": (GOOD + "stack: t\n", ["3:1 E110 the key 'stack' is there twice"]),
    "a tag that builds objects": (
        "a: !!python/object/apply:os.system [id]\n",
        ["1:4 E107 the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not allowed"],
    ),
    "a local tag": ("a: !x y\n", ["1:4 E107 the tag '!x' is not allowed"]),
    "a merge key": ("a: {<<: {b: c}}\n", ["1:5 E108 merge keys are not allowed"]),
    "a second document": (GOOD + "---\nstack: t\n", ["3:1 E109 a second document begins here"]),
    "a directive": ("%TAG ! tag:x,2000:\n---\n" + GOOD, ["1:1 E113 directives are not allowed"]),
    "a list for a key": ("[a, b]: c\n", ["1:1 E114 a key is a text, not a list or mapping"]),
    "latin-1": ("stack: café\n".encode("latin-1"), ["1:11 E102 the byte 0xe9 is not UTF-8"]),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD.encode(), ["1:1 E102 the file begins with a byte order mark"]),
    "utf-16": (GOOD.encode("utf-16"), ["1:1 E102 the file is UTF-16, not UTF-8"]),
    "utf-16 without a mark": (GOOD.encode("utf-16-le"), ["1:2 E103 the character U+0000 is not allowed"]),
    "a cut character": ("stack: é".encode()[:-1], ["1:8 E102 the byte 0xc3 is not UTF-8"]),
    "an encoded surrogate": (b"a: \xed\xa0\x80\n", ["1:4 E102 the byte 0xed is not UTF-8"]),
    "NUL": ("stack: a\x00b\n", ["1:9 E103 the character U+0000 is not allowed"]),
    "ESC": ("# \x1b[31m\n" + GOOD, ["1:3 E103 the character U+001B is not allowed"]),
    "a reordering mark in a comment": ("# \u202e\n" + GOOD, ["1:3 E103 the character U+202E is not allowed"]),
    "an isolate in a name": (
        "stack: s\nfunctions: {\u2066f: {class: A}}\n",
        ["2:13 E103 the character U+2066 is not allowed"],
    ),
    "a line end that editors do not show": (
        "# harmless\u2028stack: s\n" + GOOD,
        ["1:11 E103 the character U+2028 is not allowed"],
    ),
    "a carriage return alone": ("# harmless\rstack: s\n", ["1:11 E103 the character U+000D is not allowed"]),
    "more than 8 MB": ("#" * 8_000_001, ["1:1 E104 more than 8 MB"]),
    "nothing": ("", ["1:1 E112 the manifest is empty"]),
    "spaces": (" \n" * 100, ["1:1 E112 the manifest is empty"]),
    "a list": ("- a\n", ["1:1 E202 the manifest takes a mapping"]),
    "a text": ("hello", ["1:1 E202 the manifest takes a mapping"]),
    "an open quote": ("a: 'b\n", ["1:6 E111 not YAML: found unexpected end of stream"]),
    "half of a character": ('stack: s\nfunctions: {f: {class: "\\ud800"}}\n', ["2:27 E111 not YAML:"]),
    "an escape in an escape's place": (
        'stack: s\nfunctions: {f: {class: "A\\u202e"}}\n',
        ["2:24 E103 'class' holds a control or bidirectional character"],
    ),
    "a number as large as the file": (
        "stack: s\nfunctions: {f: {class: A, tests: [{args: [" + "1" * 5_000 + "]}]}}\n",
        ["2:43 E203 item 1 of 'args' is too large a number"],
    ),
    "python: 3.10": (GOOD + "python: 3.10\n", ["3:9 E203 '3.10' is not allowed for 'python'"]),
}


@pytest.mark.parametrize(("text", "expected"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_refused_with_its_place(folder: Folder, text: str | bytes, expected: list[str]) -> None:
    said = [brief(problem) for problem in folder.problems(text)]
    for line in expected:
        assert any(one.startswith(line) for one in said), said


def test_escapes_are_data_in_the_arguments_of_a_test(folder: Folder) -> None:
    folder.files("a.py")
    text = 'stack: s\nfunctions: {f: {source: a.py, class: A, tests: [{args: ["a\\u0001b"], returns: "\\u202e"}]}}\n'
    (test,) = folder.load(text).manifest.functions["f"].tests
    assert (test.input, test.returns) == ([["a\x01b"]], "\u202e")


def test_carriage_returns_at_the_ends_of_lines_are_taken(folder: Folder) -> None:
    assert folder.load(b"stack: s\r\nfunctions: {}\r\n").manifest.stack == "s"
