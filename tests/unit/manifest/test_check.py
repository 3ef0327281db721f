"""The manifest as a whole: names, references, types, what is uploaded under which name, and what follows for each function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.manifest.checks.packages import is_pinned
from reconciler.manifest.dialect import Code
from reconciler.manifest.section import read_section
from reconciler.targets.maxcompute.manifest import Resource, manifest_of, resource_type, target_of
from reconciler.targets.maxcompute.names import wheel_archive
from reconciler.targets.maxcompute.runtimes import RUNTIMES

if TYPE_CHECKING:
    from tests.unit.manifest.folder import Folder

PIN = "a" * 64
S = "stack: s\n"


@pytest.fixture
def project(folder: Folder) -> Folder:
    """A folder with a little of everything."""
    return folder.files(
        "a.py", "b.py", "udfs/a.py", "udfs/A.py", "udfs/1a.py", "udfs/class.py", "udfs/a-b.py", "udfs/notes.txt", "x.csv",
        "lib.zip", "lib.jar", "dist/p-1-py3-none-any.whl", "other/p-1-py3-none-any.whl", "dist/p-1!2-py3-none-any.whl",
        "udfs/é.py", "udfs/" + "m" * 250 + ".py",
    )  # fmt: skip


def function(body: str) -> str:
    return f"{S}functions: {{f: {{{body}}}}}\n"


def resources(body: str) -> str:
    return f"{S}resources: {{{body}}}\nfunctions: {{}}\n"


WRONG = {
    # names
    "a function's name": (S + "functions: {'a b': {source: a.py, class: A}}\n", [
        "2:13 E302 'a b' cannot be the name of a function",
    ]),
    "a hostile function's name": (S + 'functions: {"a\\e[2J": {source: a.py, class: A}}\n', [
        r"2:13 E302 'a\x1b[2J' cannot be the name of a function",
    ]),
    "a long function's name": (S + f"functions: {{{'f' * 256}: {{source: a.py, class: A}}}}\n", [
        f"2:13 E302 '{'f' * 80}…' cannot be the name of a function",
    ]),
    "resources' names": (resources("a/b: {file: x.csv}, udfs.s.1.json: {file: x.csv}, a.part.tmp.1: {file: x.csv}"), [
        "2:13 E302 'a/b' cannot be the name of a resource",
        "2:33 E302 'udfs.s.1.json' cannot be the name of a resource",
        "2:63 E302 'a.part.tmp.1' cannot be the name of a resource",
    ]),
    "twins": (S + "resources: {x: {file: x.csv}, X: {table: t}}\nfunctions: {f: {source: a.py, class: A}, F: {source: a.py, class: A}}\n", [
        "2:31 E303 the resources 'x' and 'X' differ only in case",
        "3:42 E303 the functions 'f' and 'F' differ only in case",
    ]),
    # moved
    "old and new names": (S + "moved: [{from: a, to: F}, {from: f, to: f}, {from: A, to: g}]\nfunctions: {f: {source: a.py, class: A}}\n", [
        "2:34 E530 'f' is still in the manifest",
        "2:52 E530 'A' has another new name already",
        "2:59 E530 there is no 'g' that anything could be called now",
    ]),
    # promotion
    "targets that are not declared": (S + "targets: {local: {project: a}, prod: {project: b}}\npromote: {prdo: {after: local}, prod: {after: locla}}\nfunctions: {}\n", [
        "3:11 E580 there is no target 'prdo' under `targets:`",
        "3:47 E580 there is no target 'locla' under `targets:`",
    ]),
    "a target where none is declared": (S + "promote: {prod: {after: local}}\nfunctions: {}\n", [
        "2:11 E580 there is no target 'prod' under `targets:`",
    ]),
    "targets that wait for each other": (
        S + "targets: {a: {project: a}, b: {project: b}, c: {project: c}, local: {project: d}}\n"
        "promote: {local: {after: b}, a: {after: c}, b: {after: a}, c: {after: b}}\nfunctions: {}\n", [
            "3:71 E581 'b' waits for 'a' waits for 'c' waits for 'b': nothing could ever be applied to them",
        ],
    ),
    "a target that waits for itself": (S + "promote: {local: {after: local}}\nfunctions: {}\n", [
        "2:26 E581 'local' waits for 'local': nothing could ever be applied to them",
    ]),
    # tests
    "a test that says too much, or nothing": (
        function("source: a.py, class: A, tests: [{args: [], rows: [], returns: 1, raises: x}, {args: [1]}, {returns: ~}]"), [
            "2:60 E204 'args' and 'rows' exclude each other",
            "2:82 E204 'returns' and 'raises' exclude each other",
            "2:94 E201 item 2 of 'tests' needs the key 'returns' or 'raises'",
        ],
    ),
    # runtimes
    "a version of another Python": (S + "runtimes: {cp37: {python: 3.8.1}, cp311: {python: 3.1.14}}\nfunctions: {}\n", [
        "2:27 E460 cp37 is CPython 3.7, and '3.8.1' is not",
        "2:51 E460 cp311 is CPython 3.11, and '3.1.14' is not",
    ]),
    # tables
    "tables": (
        S + "tables: {a-b: {columns: {c: strin}, rows: []}, t: {columns: {c: 'bigint,bigint'}}, u: {columns: {c: string, d: date}, "
        "file: x.csv, rows: [[1], [1, 2]]}, v: {columns: {c: string}, file: lib.zip}}\nfunctions: {}\n", [
            "2:10 E203 'a-b' is not a table's name",
            "2:29 E203 'strin' cannot be the type of a column",
            "2:48 E201 the table 't' needs the key 'file' or 'rows'",
            "2:65 E203 'bigint,bigint' cannot be the type of a column",
            "2:132 E204 'file' and 'rows' exclude each other",
            "2:139 E203 a row of 1 where there are 2 columns",
            "2:145 E203 the column 'c' is string: 1 is no STRING",
            "2:148 E203 the column 'd' is date: 2 is no DATE",
            "2:186 E203 'lib.zip' cannot be read as rows",
        ],
    ),
    # references
    "an undeclared package": (function("source: a.py, class: A, packages: [q]"), [
        "2:52 E301 the package 'q' is not declared under `packages:`",
    ]),
    "an undeclared resource": (function("source: a.py, class: A, resources: [q.csv]"), [
        "2:53 E301 the resource 'q.csv' is not declared under `resources:`",
    ]),
    "an undeclared resource, which might hold the class": (function("class: m.A, resources: [m.py]"), [
        "2:41 E301 the resource 'm.py' is not declared under `resources:`",
    ]),
    "half of a reference": (function("source: a.py, class: A, resources: [p/x.csv]"), [
        "2:53 E301 the resource 'p/x.csv' is not declared under `resources:`",
    ]),
    "names listed twice": (S + f"packages: {{p: {{wheels: [{{requirement: a==1, sha256: {PIN}}}]}}}}\nresources: {{x.csv: {{file: x.csv}}}}\n"
        "functions: {f: {source: a.py, class: A, packages: [p, p], resources: [x.csv, demo/resources/X.csv, o/resources/a, O/resources/A]}}\n", [
        "4:55 E313 'p' is listed twice",
        "4:78 E313 'demo/resources/X.csv' is listed twice",
        "4:115 E313 'O/resources/A' is listed twice",
    ]),
    # resources
    "a resource of nothing": (resources("r: {comment: x}"), ["2:13 E201 the resource 'r' needs the key 'file' or 'table'"]),
    "a file and a table": (resources("r: {file: x.csv, table: t}"), ["2:30 E204 'file' and 'table' exclude each other"]),
    "a partition of a file": (resources("r: {file: x.csv, partition: pt=1}"), ["2:30 E204 'partition' goes with 'table' only"]),
    "a table's name": (resources("r: {table: a.b.c.d}"), ["2:24 E203 'table' is not a table's name"]),
    "a partition": (resources("r: {table: t, partition: 'pt='}"), ["2:38 E203 'partition' is not a partition"]),
    "a wheel among the resources": (resources("p-1-py3-none-any.whl: {file: dist/p-1-py3-none-any.whl}"), [
        "2:13 E311 'p-1-py3-none-any.whl' is a wheel, which MaxCompute does not unpack",
    ]),
    "a module that cannot be imported": (resources("a-b.py: {file: a.py}, class.py: {file: a.py}"), [
        "2:13 E311 'a-b.py' cannot be imported by Python",
        "2:35 E311 'class.py' cannot be imported by Python",
    ]),
    "types that do not fit": (resources(
        "a: {file: x.csv, type: py}, b: {file: x.csv, type: archive}, c: {file: x.csv, type: jar}, "
        "d: {file: x.csv, type: table}, e: {table: t, type: file}"), [
        "2:36 E311 'a' cannot be imported by Python",
        "2:64 E311 MaxCompute would not unpack 'b'",
        "2:97 E311 'c' is not the name of a jar",
        "2:126 E311 the type table does not fit the resource 'd'",
        "2:154 E311 the type file does not fit the resource 'e'",
    ]),
    "a folder that nobody would unpack": (resources("r: {file: udfs}, r.zip: {file: udfs, exclude: ['*.txt']}"), [
        "2:13 E311 'udfs' is a folder, and would be packed for the resource 'r'",
    ]),
    "what is left out of a file": (resources("r.zip: {file: lib.zip, exclude: ['*.txt']}"), [
        "2:36 E204 'exclude' goes with a folder only",
    ]),
    # wheels
    "what is no wheel": (S + "packages: {p: {wheels: [lib.zip]}}\nfunctions: {f: {source: a.py, class: A, packages: [p]}}\n", [
        "2:25 E406 'lib.zip' is not a wheel",
    ]),
    "a wheel that cannot be uploaded": (
        S + "packages: {p: {wheels: [dist/p-1!2-py3-none-any.whl]}}\nfunctions: {f: {source: a.py, class: A, packages: [p]}}\n", [
        "2:25 E302 the wheel cannot be uploaded as 'p-1!2-py3-none-any.zip'",
    ]),
    "wheels listed twice": (S + "packages: {p: {wheels: [dist/p-1-py3-none-any.whl, dist/p-1-py3-none-any.whl]}}\n"
        "functions: {f: {source: a.py, class: A, packages: [p]}}\n", [
        "2:52 E313 'dist/p-1-py3-none-any.whl' is listed twice",
    ]),
    "not pinned": (S + f"packages: {{p: {{wheels: [{{requirement: numpy>=1, sha256: {PIN}}}]}}}}\n"
        "functions: {f: {source: a.py, class: A, packages: [p]}}\n", [
        "2:39 E404 'numpy>=1' does not name one version",
    ]),
    # code
    "a source that is no module": (function("source: udfs/notes.txt, class: A"), [
        "2:25 E310 'notes.txt' is not the name of a Python module",
    ]),
    "a source that begins with a digit": (function("source: udfs/1a.py, class: A"), [
        "2:25 E310 '1a.py' is not the name of a Python module",
    ]),
    "a source that is a keyword": (function("source: udfs/class.py, class: A"), [
        "2:25 E310 'class.py' is not the name of a Python module",
    ]),
    "a source that is not ASCII": (function("source: udfs/é.py, class: A"), ["2:25 E310 'é.py' is not the name of a Python module"]),
    "the class of another module": (function("source: a.py, class: b.A"), ["2:38 E310 the class 'b.A' does not fit the source 'a.py'"]),
    "a class in a class": (function("source: a.py, class: a.A.B"), ["2:38 E310 the class 'a.A.B' does not fit the source 'a.py'"]),
    "a class that is none": (function("source: a.py, class: A-B"), ["2:38 E310 the class 'A-B' does not fit the source 'a.py'"]),
    "no source and no module": (function("class: A"), ["2:24 E310 'A' is not module.Class"]),
    "a module that is no name": (function("class: a-b.A"), ["2:24 E310 'a-b.A' is not module.Class"]),
    "no resource with the module": (function("class: m.A"), ["2:24 E310 no resource of the function holds the module 'm'"]),
    "a module that is none to the service": (
        S + "resources: {m.py: {file: a.py, type: file}}\nfunctions: {f: {class: m.A, resources: [m.py]}}\n", [
        "3:24 E310 'm.py' holds the module 'm', and is a resource of type file",
    ]),
    "nothing of ours": (function("class: m.A, resources: [other/resources/m.py]"), [
        "2:13 E308 the function 'f' has no resource that this manifest manages",
    ]),
    # uploads
    "two sources of one name": (
        S + "functions: {f: {source: a.py, class: A}, g: {source: udfs/a.py, class: A}, h: {source: udfs/A.py, class: A}}\n", [
        "2:54 E309 two different files would be uploaded as 'a.py'",
        "2:88 E309 two different files would be uploaded as 'A.py'",
    ]),
    "a source and a resource": (S + "resources: {a.py: {file: udfs/a.py}}\nfunctions: {f: {source: a.py, class: A}}\n", [
        "3:25 E309 two different files would be uploaded as 'a.py'",
    ]),
    "a source and a resource of another type": (
        S + "resources: {a.py: {file: a.py, type: file}}\nfunctions: {f: {source: a.py, class: A}}\n", [
        "3:25 E309 two different files would be uploaded as 'a.py'",
    ]),
    "two wheels of one name": (
        S + "packages: {p: {wheels: [dist/p-1-py3-none-any.whl]}, q: {wheels: [other/p-1-py3-none-any.whl]}}\n"
        "functions: {f: {source: a.py, class: A, packages: [p, q]}}\n", [
        "2:67 E309 two different files would be uploaded as 'p-1-py3-none-any.zip'",
    ]),
    "a wheel and a resource": (
        S + "packages: {p: {wheels: [dist/p-1-py3-none-any.whl]}}\nresources: {p-1-py3-none-any.zip: {file: lib.zip}}\n"
        "functions: {f: {source: a.py, class: A, packages: [p]}}\n", [
        "2:25 E309 two different files would be uploaded as 'p-1-py3-none-any.zip'",
    ]),
    # targets
    "a project's name": (S + "targets: {local: {project: a/b, schema: 'x y'}}\nfunctions: {}\n", [
        "2:28 E203 the project of the target 'local' cannot be used",
        "2:41 E203 the schema of the target 'local' cannot be used",
    ]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_together(project: Folder, text: str, expected: list[str]) -> None:
    assert project.says(text) == expected


def test_a_source_whose_name_is_too_long_for_a_resource(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.targets.maxcompute.names._MAX_LENGTH", 10)
    folder.files("a_long_name.py")
    assert folder.says(function("source: a_long_name.py, class: A")) == [
        "2:25 E302 the source cannot be uploaded as 'a_long_name.py'"
    ]


@pytest.mark.parametrize(
    "endpoint",
    [
        "ftp://host/api",
        "service.test/api",
        "https://",
        "https:///api",
        "http://host:0/api",
        "http://host:99999/api",
        "http://host:x/api",
        "http://[::1/api",
        "http://host/api?x=1",
        "http://host/api#x",
        "http://ho st/api",
        "http://me:hunter2@host/api",
        "http://hunter2@host/api",
        "http://me:hunter2@/api",
        "LOCAL",
    ],
)
def test_an_endpoint_that_cannot_be_used_is_refused_and_not_repeated(folder: Folder, endpoint: str) -> None:
    text = f"{S}targets: {{local: {{project: p, endpoint: '{endpoint}'}}}}\nfunctions: {{}}\n"
    (problem,) = folder.problems(text)
    assert (problem.code, problem.message) == ("E203", "the endpoint of the target 'local' cannot be used")
    assert "hunter2" not in repr(problem)
    (problem,) = folder.problems(text.replace(endpoint, "${env:E}"), env={"E": endpoint})
    assert endpoint == "https://" or endpoint not in repr(problem)


@pytest.mark.parametrize("endpoint", ["local", "http://127.0.0.1:8080/api", "https://service.cn.maxcompute.test/api"])
def test_an_endpoint_is_local_or_an_address(folder: Folder, endpoint: str) -> None:
    text = f"{S}targets: {{local: {{project: p, endpoint: '{endpoint}'}}}}\nfunctions: {{}}\n"
    assert target_of(folder.load(text)).endpoint == endpoint


def test_the_other_targets_are_judged_as_far_as_they_are_known(folder: Folder) -> None:
    text = S + "targets: {local: {project: p}, prod: {project: '${env:P}', endpoint: nonsense}}\nfunctions: {}\n"
    assert folder.says(text) == ["2:70 E203 the endpoint of the target 'prod' cannot be used"]


def test_all_that_does_not_fit_is_reported_at_once(project: Folder) -> None:
    assert [line.split()[1] for line in project.says("""\
        stack: s
        targets: {local: {project: p, endpoint: nonsense}}
        packages: {p: {wheels: [lib.zip]}}
        resources: {r: {}, R: {table: t}}
        functions:
          f: {source: missing.py, class: A, packages: [q], resources: [x]}
          g: {class: m.C}
          -: {source: a.py, class: A}
    """)] == ["E203", "E312", "E406", "E201", "E303", "E305", "E301", "E301", "E310", "E302"]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ("source: a.py, class: A, resources: [Iris.csv]", "did you mean 'iris.csv'?"),
        ("source: a.py, class: A, resources: [p/zzz]", "another project's is named project/resources/name"),
        ("source: udfs/1a.py, class: A", "_1a.py would be one: MaxCompute imports the module by this name"),
        ("source: udfs/class.py, class: A", "class_.py would be one: MaxCompute imports the module by this name"),
        ("source: udfs/notes.txt, class: A", "notes.py would be one: MaxCompute imports the module by this name"),
        ("source: a.py, class: A, resources: [zzz]", "write resources: {zzz: {file: zzz}} beside functions:"),
        ("source: a.py, class: b.A", "write the class alone, or a.Class"),
        ("class: m.A", "add `source:`, or m.py to the function's resources"),
    ],
)
def test_the_hint_says_what_to_do(project: Folder, body: str, hint: str) -> None:
    text = f"{S}resources: {{iris.csv: {{file: x.csv}}}}\nfunctions: {{f: {{{body}}}}}\n"
    assert [problem.hint for problem in project.problems(text)] == [hint]


def test_both_places_of_twins_and_of_one_name_for_two_files_are_named(project: Folder) -> None:
    twins = project.problems(S + "resources:\n  a: {file: x.csv}\n  A: {file: x.csv}\nfunctions: {}\n")
    assert [problem.hint for problem in twins] == ["'a' is at line 3, column 3; to MaxCompute they are one"]
    files = project.problems(S + "functions:\n  f: {source: a.py, class: A}\n  g: {source: udfs/a.py, class: A}\n")
    assert [problem.hint for problem in files] == ["the other is at line 3, column 15; rename one of the files"]


def test_only_so_many_mistakes_get_a_guess(project: Folder) -> None:
    names = ", ".join(f"name{index}" for index in range(120))
    problems = project.problems(
        f"{S}resources: {{name: {{file: x.csv}}}}\nfunctions: {{f: {{source: a.py, class: A, resources: [{names}]}}}}\n"
    )
    guessed = [problem.hint == "did you mean 'name'?" for problem in problems]
    assert guessed == [True] * 100 + [False] * 20


@pytest.mark.parametrize(("name", "whose"), [("json", "CPython 3.7"), ("odps", "MaxCompute")])
def test_a_source_that_keeps_the_name_of_a_module_of_the_runtime_is_a_warning(
    project: Folder, name: str, whose: str
) -> None:
    text = f"{S}rollout: in_place\npython: cp37\nfunctions: {{f: {{source: {name}.py, class: A}}}}\n"
    (warning,) = project.files(f"{name}.py").load(text).warnings
    assert (warning.code, warning.message) == (
        "E821",
        f"'{name}' is a module of {whose}, too, and a worker may have imported that already",
    )
    assert not project.load(text.replace("in_place", "versioned")).warnings


def test_a_package_that_nothing_uses_is_a_warning(project: Folder) -> None:
    loaded = project.load(f"{S}packages:\n  p: {{wheels: [{{requirement: a==1, sha256: {PIN}}}]}}\nfunctions: {{}}\n")
    (warning,) = loaded.warnings
    assert (str(warning.at), warning.code, warning.severity) == ("udfs.yaml:3:3", "E312", "warning")


def test_warnings_come_with_the_errors(project: Folder) -> None:
    text = f"{S}packages:\n  p: {{wheels: [{{requirement: a, sha256: {PIN}}}]}}\nfunctions: {{}}\n"
    assert [(problem.code, problem.severity) for problem in project.problems(text)] == [
        ("E312", "warning"),
        ("E404", "error"),
    ]


CODE = {
    "a class of the source": (
        "{source: udfs/a.py, class: A}",
        Code("a.A", "a.py", RUNTIMES["cp37"], "a.py", versioned=True),
    ),
    "with its module": (
        "{source: a.py, class: a.A, python: cp27}",
        Code("a.A", "a.py", RUNTIMES["cp27"], "a.py", versioned=True),
    ),
    "a module among the resources": (
        "{class: b.B, resources: [x.csv, b.py]}",
        Code("b.B", "b.py", RUNTIMES["cp37"], "b.py"),
    ),
    "another project's module": (
        "{class: m.M, resources: [other/resources/m.py, x.csv]}",
        Code("m.M", "m.py", RUNTIMES["cp37"], "x.csv"),
    ),
    "the own project, in full": (
        "{class: b.B, resources: [demo/resources/b.py]}",
        Code("b.B", "b.py", RUNTIMES["cp37"], "b.py"),
    ),
    "the own project, not managed": (
        "{class: m.M, resources: [demo/resources/m.py, x.csv]}",
        Code("m.M", "m.py", RUNTIMES["cp37"], "x.csv"),
    ),
    "a jar": (
        "{class: com.test.Lower, resources: [lib.jar]}",
        Code("com.test.Lower", None, RUNTIMES["cp37"], "lib.jar"),
    ),
}


@pytest.mark.parametrize(("body", "code"), CODE.values(), ids=CODE)
def test_where_a_functions_class_comes_from(project: Folder, body: str, code: Code) -> None:
    loaded = project.load(
        S + "resources: {x.csv: {file: x.csv}, b.py: {file: b.py}, lib.jar: {file: lib.jar}}\n"
        f"functions: {{f: {body}}}\n"
    )
    assert loaded.code == {"f": code}


def test_one_file_may_serve_many_functions_and_be_a_resource_as_well(project: Folder) -> None:
    loaded = project.load("""\
        stack: s
        packages:
          p: {wheels: [dist/p-1-py3-none-any.whl]}
          q: {wheels: [./dist/p-1-py3-none-any.whl]}
        resources: {a.py: {file: ./a.py, comment: shared}}
        functions:
          f: {source: a.py, class: A, packages: [p]}
          g: {source: a.py, class: B, packages: [q], resources: [a.py]}
    """)
    assert [code.entry for code in loaded.code.values()] == ["a.py", "a.py"]


def test_a_table_may_have_a_partition(project: Folder) -> None:
    text = resources("r: {table: p.s.t, partition: \"pt='2026-01-01', region=cn/hour=3\"}, q: {table: t}")
    assert manifest_of(project.load(text)).resources["q"].table == "t"


@pytest.mark.parametrize(
    ("name", "resource", "expected"),
    [
        ("a.py", {"file": "x"}, "py"),
        ("A.PY", {"file": "x"}, "py"),
        ("a.jar", {"file": "x"}, "jar"),
        ("a.tar.gz", {"file": "x"}, "archive"),
        ("a.tgz", {"file": "x"}, "archive"),
        ("a.csv", {"file": "x"}, "file"),
        ("a", {"file": "x"}, "file"),
        ("a.py", {"table": "x"}, "table"),
        ("a.zip", {"file": "x", "type": "file"}, "file"),
        ("a.jar", {"file": "x", "type": "archive"}, "archive"),
    ],
)
def test_the_type_follows_from_the_name_unless_it_is_given(name: str, resource: dict[str, str], expected: str) -> None:
    assert resource_type(name, read_section(Resource, resource)) == expected


def test_a_wheel_is_uploaded_as_a_zip() -> None:
    assert wheel_archive("dist/x-1-py3-none-any.whl") == "x-1-py3-none-any.zip"


@pytest.mark.parametrize("requirement", ["numpy==1.19.2", "numpy == 1.19.2", "a.b-c==1!2.0rc1+local"])
def test_a_pinned_requirement_names_one_version(requirement: str) -> None:
    assert is_pinned(requirement)


@pytest.mark.parametrize(
    "requirement",
    [
        "numpy", "numpy>=1", "numpy==1.*", "numpy==1,==2", "numpy===1", "numpy~=1.0", "numpy[x]==1", "==1", "",
        "numpy==1; python_version > '3'", "numpy @ https://host.test/numpy.whl", "numpy==", "../numpy==1",
    ],
)  # fmt: skip
def test_anything_else_does_not(requirement: str) -> None:
    assert not is_pinned(requirement)


@pytest.mark.parametrize(
    ("runtime", "platform", "warned"),
    [
        ("cp27", "rhel5", False),
        ("cp37", "aarch64", False),
        ("cp311", "rhel7", False),
        ("cp27", "aarch64", True),
        ("cp311", "rhel5", True),
    ],
)
def test_a_platform_about_which_nothing_is_published_is_a_warning(
    project: Folder, runtime: str, platform: str, warned: bool
) -> None:
    found = project.load(f"{S}runtimes: {{{runtime}: {{platform: {platform}}}}}\nfunctions: {{}}\n").warnings
    told = [f"E461 nothing is published about {runtime} on {platform} clusters"] if warned else []
    assert [f"{one.code} {one.message}" for one in found] == told
