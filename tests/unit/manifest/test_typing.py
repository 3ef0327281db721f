"""The shape of a manifest: every mismatch in our words, at its place, with what is taken as a hint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import InvalidManifest
from reconciler.base.hints import spell
from reconciler.manifest.load import load_manifest
from reconciler.manifest.reader import Document
from reconciler.manifest.section import Mismatch
from reconciler.manifest.typing import _finding
from reconciler.targets.credentials.choice import NEVER_HERE
from reconciler.targets.dialects import DIALECTS
from reconciler.targets.maxcompute.manifest import Manifest
from tests.unit.manifest.folder import underlined

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.manifest.folder import Folder

S = "stack: s\n"
F = "functions: {}\n"
PIN = "a" * 64

SHAPES = {
    "nothing that is needed": ("python: cp37\n", [
        "1:1 E201 the manifest needs the key 'stack'",
        "1:1 E201 the manifest needs the key 'functions'",
    ]),
    "a misspelt key": (S + F + "pakages: {}\n", ["3:1 E214 unknown key 'pakages'"]),
    "an unknown key": (S + F + "zzz: {}\n", ["3:1 E214 unknown key 'zzz'"]),
    "a misspelt key that is needed": (S + "function: {}\n", [
        "2:1 E214 unknown key 'function'",
    ]),
    "keys of each section": (S + "targets: {t: {proj: p}}\npackages: {p: {wheel: [x]}}\n"
        "resources: {r: {files: x}}\nfunctions: {f: {class: A, test: [{arg: []}]}, g: {class: A, tests: [{arg: []}]}}\n", [
        "2:15 E214 unknown key 'proj'",
        "3:16 E214 unknown key 'wheel'",
        "4:17 E214 unknown key 'files'",
        "5:27 E214 unknown key 'test'",
        "5:70 E214 unknown key 'arg'",
    ]),
    "a function of nothing": (S + "functions:\n  f:\n", ["3:3 E202 the function 'f' takes a mapping"]),
    "a text for a mapping": (S + "functions: f\n", ["2:12 E202 'functions' takes a mapping"]),
    "a list for a mapping": (S + "functions: [f]\n", ["2:1 E202 'functions' takes a mapping"]),
    "a text for a list": (S + "functions: {f: {class: A, packages: p}}\n", ["2:37 E202 'packages' takes a list"]),
    "a mapping for a text": (S + "functions: {f: {class: {}}}\n", ["2:17 E202 'class' takes a text"]),
    "a list in a list of texts": (S + "functions: {f: {class: A, packages: [[p]]}}\n", [
        "2:38 E202 item 1 of 'packages' takes a text",
    ]),
    "an empty text": (S + "functions: {f: {class: }}\n", ["2:17 E203 'class' is empty"]),
    "nothing, where a text belongs": (S + F + "packages: {p: {requirements: [null, ~, 'null']}}\n", [
        "3:31 E203 item 1 of 'requirements' is empty",
        "3:37 E203 item 2 of 'requirements' is empty",
    ]),
    "an empty list of wheels": (S + F + "packages: {p: {wheels: []}}\n", ["3:16 E203 'wheels' is empty"]),
    "wheels of nothing": (S + F + "packages: {p: {wheels: }}\n", ["3:16 E202 'wheels' takes a list"]),
    "a runtime that is none": (S + F + "python: cp39\n", ["3:9 E203 'cp39' is not allowed for 'python'"]),
    "a word for a switch": (S + F + "packages: {p: {requirements: [a], pre_release: yes}}\n", [
        "3:48 E202 'pre_release' takes true or false",
    ]),
    "a runtime's settings that are none": (S + F + "runtimes: {cp38: {}, cp37: {platfrm: rhel5, python: 3.7}}\n", [
        "3:12 E214 unknown key 'cp38'",
        "3:29 E214 unknown key 'platfrm'",
        "3:53 E203 'python' does not have the form it needs",
    ]),
    "a list for a runtime": (S + F + "python: [cp37]\n", ["3:1 E203 a list or mapping is not allowed for 'python'"]),
    "a type that is none": (S + F + "resources: {r: {table: x, type: zip}}\n", ["3:33 E203 'zip' is not allowed for 'type'"]),
    "a stack in capitals": ("stack: Risk\n" + F, ["1:8 E203 'stack' does not have the form it needs"]),
    "a comment in Chinese": (S + F + "resources: {r: {table: x, comment: 表}}\n", [
        "3:36 E203 'comment' does not have the form it needs",
    ]),
    "a long comment": (S + F + f"resources: {{r: {{table: x, comment: {'x' * 600}}}}}\n", [
        "3:36 E203 'comment' is longer than 512 characters",
    ]),
    "a target's name": (S + F + "targets: {'a b': {project: p}}\n", [
        "3:11 E203 'a b' is not a name that 'targets' takes",
    ]),
    "a package's name": (S + F + "packages: {'': {wheels: [x]}}\n", ["3:12 E203 '' is not a name that 'packages' takes"]),
    "a variable's name": (S + F + "variables: {a-b: x}\n", ["3:13 E203 'a-b' is not a name that 'variables' takes"]),
    "a target's variable's name": (S + F + "targets: {t: {project: p, variables: {a-b: x}}}\n", [
        "3:39 E203 'a-b' is not a name that 'variables' takes",
    ]),
    "a wheel without its sum": (S + F + "packages: {p: {wheels: [{requirement: numpy==1}]}}\n", [
        "3:25 E201 item 1 of 'wheels' needs the key 'sha256'",
    ]),
    "a wheel with another key": (S + F + f"packages: {{p: {{wheels: [{{requirement: a==1, sha256: {PIN}, url: x}}]}}}}\n", [
        "3:119 E214 unknown key 'url'",
    ]),
    "a wheel with a short sum": (S + F + "packages: {p: {wheels: [{requirement: a==1, sha256: abc}]}}\n", [
        "3:53 E203 'sha256' does not have the form it needs",
    ]),
    "a wheel that is a list": (S + F + "packages: {p: {wheels: [[]]}}\n", ["3:25 E202 item 1 of 'wheels' takes a mapping"]),
    "a wheel that is empty": (S + F + "packages: {p: {wheels: ['']}}\n", ["3:25 E203 item 1 of 'wheels' is empty"]),
    "a test that is a list": (S + "functions: {f: {class: A, tests: [[1]]}}\n", ["2:35 E202 item 1 of 'tests' takes a mapping"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SHAPES.values(), ids=SHAPES)
def test_a_shape_that_does_not_fit(folder: Folder, text: str, expected: list[str]) -> None:
    assert folder.says(text, target="t" if "{t:" in text else None) == expected


def test_every_mismatch_is_reported_at_once(folder: Folder) -> None:
    text = """\
        stak: s
        python: cp38
        functions:
          f: {clas: A, packages: p}
          g:
        zzz: 1
    """
    assert [line.split()[1] for line in folder.says(text)] == ["E214", "E203", "E214", "E202", "E202", "E214"]


def test_duplicate_keys_do_not_hide_what_else_is_wrong(folder: Folder) -> None:
    assert folder.says("stack: s\nstack: T\nfunctions: {}\n") == [
        "2:1 E110 the key 'stack' is there twice",
        "2:8 E203 'stack' does not have the form it needs",
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (S, "functions: SQL name → function."),
        (
            S + F + "zzz: 1\n",
            "keys allowed here: stack, functions, target, line_ends, grace, variables, targets, promote, ignore, policy, include, after, moved, python, rollout, packages, resources, runtimes, tables",
        ),
        ("stack: My Shop 2\n" + F, "write stack: my-shop-2"),
        (S + F + "python: cp39\n", "one of cp27, cp37 or cp311"),
        ("stack: 1\n" + F, "a stack's name: lower-case letters, digits and -, beginning with a letter, 40 at most"),
        (
            S + "functions: {f: x}\n",
            "write f: {source: x, class: …}",
        ),
        (S + "functions: {f: {class: A, tests: x}}\n", "write one item a line, each after `- `"),
        (
            S + "functions: {f: {class: A, tests: [{args: {a: 1}, returns: 1}]}}\n",
            "write one item a line, each after `- `",
        ),
        (S + "functions: {f: {class: A, tests: [{args: [], expected: 1}]}}\n", "write returns:"),
        (
            S + F + "requirements: [numpy]\n",
            "they are a package's: packages: {NAME: {requirements: […]}}, and in functions: packages: [NAME]",
        ),
        (S + "functions: []\n", "write each under its name: NAME: {source: …, class: …}"),
        (
            S + F + "packages: {p: {wheels: [[]]}}\n",
            "a wheel is a path, or {requirement: name==version, sha256: …}",
        ),
        (
            S + F + "targets: {local: {project: p, access_id: x}}\n",
            f"{NEVER_HERE}; set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        ),
    ],
)
def test_the_hint_says_what_is_taken(folder: Folder, text: str, hint: str | None) -> None:
    assert folder.problems(text)[0].hint == hint


def test_a_secret_in_the_manifest_is_not_repeated(folder: Folder) -> None:
    (problem,) = folder.problems(S + F + "targets: {local: {project: p, access_key_secret: hunter2}}\n")
    assert underlined(problem) == "access_key_secret"
    assert "hunter2" not in repr(problem)


def test_pydantic_is_never_quoted(folder: Folder) -> None:
    for text, _ in SHAPES.values():
        for problem in folder.problems(text):
            assert "Input should" not in repr(problem)
            assert "constrained" not in repr(problem)


def test_a_mismatch_of_a_new_kind_has_words_too() -> None:
    assert _finding(Mismatch("new kind", ("functions",)), Document("udfs.yaml"), Manifest).message == (
        "'functions' is not a value that can be used"
    )


def test_empty_sections_and_lists_are_empty(folder: Folder) -> None:
    loaded = folder.files("a.py").load("""\
        stack: s
        variables:
        targets: ~
        packages: null
        resources:
        functions:
          f:
            source: a.py
            class: A
            packages:
              # - science
            resources:
            tests:
              - args:
                returns:
              - rows:
                raises: ValueError
    """)
    function = loaded.manifest.functions["f"]
    assert (loaded.manifest.packages, function.packages, function.tests[0].input) == ({}, [], [[]])
    assert [test.input for test in function.tests] == [[[]], []]


def test_test_values_are_typed_as_yaml_1_2_says(folder: Folder) -> None:
    text = """\
        stack: s
        functions:
          f:
            source: a.py
            class: A
            tests:
              - args: [1, -2, 0x1F, 0o17, 1.5, .5, 1e3, .inf, -.INF, true, False, null, ~, ]
                returns: {no: no, "1": "1", d: 2026-01-01, t: 1:30, u: 1_000, v: 0b1, w: [yes]}
              - {args: [.nan], returns: .nan}
    """
    first, second = folder.files("a.py").load(text).manifest.functions["f"].tests
    inf = float("inf")
    assert first.input[0] == [1, -2, 31, 15, 1.5, 0.5, 1000.0, inf, -inf, True, False, None, None]
    assert [type(one) for one in first.input[0][:7]] == [int, int, int, int, float, float, float]
    assert first.returns == {
        "no": "no", "1": "1", "d": "2026-01-01", "t": "1:30", "u": "1_000", "v": "0b1", "w": ["yes"],
    }  # fmt: skip
    assert second.input[0][0] != second.input[0][0]


LINES = {
    "resources: {c.csv: data/c.csv}": "write c.csv: {file: data/c.csv}",
    "packages: {p: [numpy, 'scipy<2']}": "write p: {requirements: [numpy, scipy<2]}",
    "packages: {p: numpy}": "write p: {requirements: [numpy]}",
    "packages: {p: {requirements: numpy}}": "write requirements: [numpy]",
    "functions: {f: f.py}": "write f: {source: f.py, class: …}",
    "functions: [f]": "write each under its name: NAME: {source: …, class: …}",
    "python: 3.7": "write python: cp37",
    "python: '2.7'": "write python: cp27",
    "functions: {f: {class: F, source: f.py, requirements: [numpy]}}": "it is a package's: packages: {NAME: {requirements: […]}}, "
    "and here packages: [NAME]",
    "functions: {f: {class: F, source: f.py, tests: [{args: [01234567], returns: 1}]}}": "write '01234567' in quotes, or 1234567",
    "functions: {f: {class: F, source: f.py, tests: [{args: [1], returns: -007}]}}": "write '-007' in quotes, or -7",
}


@pytest.mark.parametrize("line", LINES)
def test_the_help_is_the_line_to_write(tmp_path: Path, line: str) -> None:
    (tmp_path / "udfs.yaml").write_text(f"stack: s\n{line}\n")
    with pytest.raises(InvalidManifest) as raised:
        load_manifest(tmp_path / "udfs.yaml", DIALECTS, env={})
    assert LINES[line] in [spell(problem.hint) for problem in raised.value.problems]
