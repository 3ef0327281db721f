"""Requirements, in the manifest and in the files that people already have: what is taken, and why something is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest.paths import Refusal
from reconciler.manifest.requirements import (
    Include,
    PackageRequirement,
    RequirementLine,
    Switch,
    join_folder,
    parse_requirement,
    read_requirement_lines,
    why_not_a_constraint,
)

if TYPE_CHECKING:
    from tests.unit.manifest.folder import Folder

A, B = "a" * 64, "b" * 64
BACKSLASH = "\\"

TAKEN = {
    "numpy": PackageRequirement("numpy", "numpy"),
    "  NumPy  ": PackageRequirement("numpy", "numpy"),
    "zope.Interface == 5.0": PackageRequirement("zope-interface==5.0", "zope-interface"),
    "a_b<2,>=1": PackageRequirement("a-b<2,>=1", "a-b"),
    "a (>=1)": PackageRequirement("a>=1", "a"),
    "requests [socks, security] >= 2": PackageRequirement(
        "requests[security,socks]>=2", "requests", None, ("security", "socks")
    ),
    "a; python_version<'3.8'": PackageRequirement('a; python_version < "3.8"', "a"),
    f"a==1 --hash=sha256:{A.upper()} --hash sha256:{B}": PackageRequirement("a==1", "a", hashes=(A, B)),
    f"a==1 --hash=md5:1234 --hash=sha256:{A}": PackageRequirement("a==1", "a", hashes=(A,)),
    "./dist/a-1-py3-none-any.whl": PackageRequirement("./dist/a-1-py3-none-any.whl", None, "dist/a-1-py3-none-any.whl"),
    f"./a.whl --hash=sha256:{A}": PackageRequirement("./a.whl", None, "a.whl", hashes=(A,)),
    "./project/": PackageRequirement("./project", None, "project"),
    ".//x/./y": PackageRequirement("./x/y", None, "x/y"),
    "./x[b, a,b]": PackageRequirement("./x[a,b]", None, "x", ("a", "b")),
    "../x": PackageRequirement("./../x", None, "../x"),
    ".": PackageRequirement(".", None, "."),
    ".[dev]": PackageRequirement(".[dev]", None, ".", ("dev",)),
}  # fmt: skip


@pytest.mark.parametrize(("text", "read"), TAKEN.items(), ids=TAKEN)
def test_a_requirement_has_one_spelling(text: str, read: PackageRequirement) -> None:
    assert parse_requirement(text) == read


REFUSED = {
    "": ("E470", "'' is not a requirement"),
    "num py": ("E470", "'num py' is not a requirement"),
    "numpy=1": ("E470", "'numpy=1' is not a requirement"),
    "numpy>=": ("E470", "'numpy>=' is not a requirement"),
    "a; nonsense == '1'": ("E470", "'a; nonsense == '1'' is not a requirement"),
    "dist/a.whl": ("E470", "'dist/a.whl' is not a requirement"),
    "a" * 4_001: ("E470", f"'{'a' * 80}…' is longer than any requirement"),
    "a; " + "(" * 3_000: ("E470", f"'a; {'(' * 77}…' is not a requirement"),
    "a\u202e": ("E470", r"'a\u202e' holds a character that nobody sees"),
    "./a\x1b[2J": ("E470", r"'./a\x1b[2J' holds a character that nobody sees"),
    "a @ https://host.test/a.whl": ("E471", "the requirement of 'a' names an address, and a lock names none"),
    "https://me:hunter2@host.test/a.whl": ("E471", "a requirement names an address, and a lock names none"),
    "git+ssh://git@host.test/a.git@main": ("E471", "a requirement names an address, and a lock names none"),
    "file:///a.whl": ("E471", "a requirement names an address, and a lock names none"),
    "--pre": ("E472", "'--pre' is an option, not a requirement"),
    "a --config-settings=x=y": ("E472", "the option '--config-settings' is not allowed here"),
    "a --hash=sha256:12": ("E472", "'12' is no sha256"),
    "a --hash=sha256:": ("E472", "'' is no sha256"),
    "a --hash=sha512:12": ("E472", "'a' has no hash that is a sha256"),
    "./a[b][c]": ("E470", "'./a[b][c]' has brackets in its path"),
    "/a.whl": ("E304", "'/a.whl' is an absolute path"),
    "~/a.whl": ("E304", "'~/a.whl' begins with ~, which is not expanded"),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.items(), ids=[text[:20] for text in REFUSED])
def test_what_is_not_taken_is_told(text: str, expected: tuple[str, str]) -> None:
    read = parse_requirement(text)
    assert isinstance(read, Refusal)
    assert (read.code, read.message) == expected
    assert "hunter2" not in repr(read)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("dist/a.whl", "a path begins with './'"),
        ("a-1.tar.gz", "a path begins with './'"),
        ("a=1", "write a==1"),
        ("a 1.2", "write a==1.2"),
        ("a[x] ^2.1", "write a[x]>=2.1,<3"),
        ("-e .", "write '.', the project's folder"),
        ("-r more.txt", "write requirements_file: more.txt beside requirements:"),
        ("--constraint=more.txt", "write constraints_file: more.txt beside requirements:"),
        ("--pre", "write pre_release: true beside requirements:"),
        ("-i https://host.test/simple", "indexes are a matter of the machine (pip's settings), or of `extra_index:`"),
        ("a b", "as in 'numpy==1.21.6': Expected semicolon (after name with no version specifier) or end"),
        ("a; " + "(" * 3_000, "as in 'numpy==1.21.6': too many parentheses"),
        ("a --no-binary=a", "which file is taken is decided for the runtime: wheels first, then what can be built"),
    ],
)
def test_the_hint_says_what_to_write(text: str, hint: str) -> None:
    read = parse_requirement(text)
    assert isinstance(read, Refusal)
    assert read.hint == hint


NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,9}[A-Za-z0-9])?", fullmatch=True)
VERSIONS = st.from_regex(r"(>=|<|==|!=|~=)[0-9]\.[0-9]{1,2}", fullmatch=True)
MARKERS = st.sampled_from(
    ("", ";python_version<'3.8'", "; sys_platform == 'linux' and (os_name=='nt' or extra == \"x\")")
)


@given(NAMES, st.lists(NAMES, max_size=3), st.lists(VERSIONS, max_size=3), MARKERS)
def test_the_spelling_is_a_fixpoint(name: str, extras: list[str], versions: list[str], marker: str) -> None:
    read = parse_requirement(f"{name}[{','.join(extras)}]{' , '.join(versions)}{marker}")
    assert isinstance(read, PackageRequirement)
    assert parse_requirement(read.text) == read


@given(st.text(alphabet="./~ab[],- ", max_size=20).map(lambda text: f"./{text}"))
def test_a_paths_spelling_is_a_fixpoint(text: str) -> None:
    read = parse_requirement(text)
    assert not isinstance(read, PackageRequirement) or parse_requirement(read.text) == read


@given(st.text(max_size=60) | st.text(alphabet="ab-rce./~ #\\\n=<>[];'\"(${}@:1", max_size=60))
def test_any_file_is_read_or_refused_line_by_line(text: str) -> None:
    for line in read_requirement_lines(text):
        assert 1 <= line.number <= len(text.splitlines())
        if isinstance(line.what, Refusal):
            assert line.what.message.isprintable()


FILE = rf"""
# what the team needs
numpy   # not the newest
scipy \
   >=1.0 \
   --hash=sha256:{A} \
   --hash=sha256:{B}
-r base.txt
-rmore.txt
-r 'with blanks.txt'
--requirement=../up.txt
-c limits.txt
--constraint limits.txt
-e ./project
-e .[dev]
--editable=other[x]
./dist/a.whl
--pre
--prefer-binary
pan\
das
half \
# a comment ends it
last {BACKSLASH}"""


def test_a_requirements_file_is_read_as_pip_reads_it() -> None:
    assert list(read_requirement_lines(FILE)) == [
        RequirementLine(3, PackageRequirement("numpy", "numpy")),
        RequirementLine(4, PackageRequirement("scipy>=1.0", "scipy", hashes=(A, B))),
        RequirementLine(8, Include("base.txt", constrains=False)),
        RequirementLine(9, Include("more.txt", constrains=False)),
        RequirementLine(10, Include("with blanks.txt", constrains=False)),
        RequirementLine(11, Include("../up.txt", constrains=False)),
        RequirementLine(12, Include("limits.txt", constrains=True)),
        RequirementLine(13, Include("limits.txt", constrains=True)),
        RequirementLine(14, PackageRequirement("./project", None, "project")),
        RequirementLine(15, PackageRequirement(".[dev]", None, ".", ("dev",))),
        RequirementLine(16, PackageRequirement("./other[x]", None, "other", ("x",))),
        RequirementLine(17, PackageRequirement("./dist/a.whl", None, "dist/a.whl")),
        RequirementLine(18, Switch("--pre")),
        RequirementLine(19, Switch("--prefer-binary")),
        RequirementLine(20, PackageRequirement("pandas", "pandas")),
        RequirementLine(22, PackageRequirement("half", "half")),
        RequirementLine(24, PackageRequirement("last", "last")),
    ]


INDEXES = "indexes are a matter of the machine (pip's settings), or of `extra_index:`"
ONE_PATH = "takes one path, and stands on a line of its own"
LINES = {
    "-i https://me:hunter2@host.test/simple": ("E472", "the option '-i' is not allowed here", INDEXES),
    "--index-url=https://me:hunter2@host.test": ("E472", "the option '--index-url' is not allowed here", INDEXES),
    "--no-index": ("E472", "the option '--no-index' is not allowed here", INDEXES),
    "-fhttps://host.test": (
        "E472", "the option '-f' is not allowed here", "name the folder under the package's `find_links:`"
    ),
    "--only-binary :all:": (
        "E472", "the option '--only-binary' is not allowed here",
        "`prefer_binary: true` rather takes an older version that has a wheel",
    ),
    "--require-hashes": (
        "E472", "the option '--require-hashes' is not allowed here",
        "leave it out: every file of the lock is held to its hash anyway",
    ),
    "--use-feature=x": ("E472", "the option '--use-feature' is not allowed here", None),
    "--pre --no-index": ("E472", "'--pre' stands on a line of its own", None),
    "-r": ("E472", f"the option '-r' {ONE_PATH}", None),
    "-r a.txt -c b.txt": ("E472", f"the option '-r' {ONE_PATH}", None),
    "-r 'a.txt": ("E472", f"the option '-r' {ONE_PATH}", None),
    "-r /etc/passwd": ("E304", "'/etc/passwd' is an absolute path", "write it relative to the manifest"),
    "-c ~/a.txt": ("E304", "'~/a.txt' begins with ~, which is not expanded", "write it relative to the manifest"),
    "-r https://host.test/a.txt": (
        "E471", "the option '-r' names an address, and a lock names none",
        "download it into the manifest's folder and name its path: './dist/name-1.0-py3-none-any.whl'",
    ),
    "-e git+https://host.test/a.git": (
        "E471", "the option '-e' names an address, and a lock names none",
        "download it into the manifest's folder and name its path: './dist/name-1.0-py3-none-any.whl'",
    ),
    "-e /srv/a": ("E304", "'/srv/a' is an absolute path", "write it relative to the manifest"),
    "a==${VERSION}": (
        "E472", "a variable is not allowed here",
        "requirements files are read without the environment, so that the same commit means the same packages",
    ),
    "---": ("E472", "'---' is an option, not a requirement", None),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), LINES.items(), ids=LINES)
def test_lines_that_say_where_or_how_are_refused_with_what_to_do(text: str, expected: tuple[str, str, str]) -> None:
    [line] = read_requirement_lines(text)
    assert line.what == Refusal(*expected)
    assert "hunter2" not in repr(line)


@pytest.mark.parametrize(
    ("folder", "path", "expected"),
    [
        ("", "a.txt", "a.txt"),
        ("sub", "./a.txt", "sub/a.txt"),
        ("sub", "../a.txt", "a.txt"),
        ("sub/deep", "../../..//a.txt", "../a.txt"),
        ("sub", "..", "."),
        ("", "../../a", "../../a"),
    ],
)
def test_a_path_of_a_file_is_named_from_the_manifests_folder(folder: str, path: str, expected: str) -> None:
    assert join_folder(folder, path) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("./a.whl", "'./a.whl' constrains nothing"),
        ("a[b]<1", "'a[b]<1' has extras, and a constraint asks for nothing"),
        ("a<1", None),
    ],
)
def test_a_constraint_says_something_about_versions(text: str, message: str | None) -> None:
    read = parse_requirement(text)
    assert isinstance(read, PackageRequirement)
    refused = why_not_a_constraint(read)
    assert (refused.message if refused else None) == message


# --- In the manifest ------------------------------------------------------------------------------------------------------


@pytest.fixture
def project(folder: Folder) -> Folder:
    return folder.files("f.py", "requirements.txt", "limits.txt", "dist/a-1-py3-none-any.whl", "project/pyproject.toml")


def manifest(package: str) -> str:
    return f"stack: s\npackages: {{p: {{{package}}}}}\nfunctions: {{f: {{source: f.py, class: F, packages: [p]}}}}\n"


@pytest.mark.parametrize(
    "package",
    [
        "requirements: [numpy, 'scipy>=1; python_version < \"3.8\"', ./dist/a-1-py3-none-any.whl, './project[x]', .]",
        "requirements_file: requirements.txt, constraints_file: limits.txt, without: [NumPy], find_links: [dist, .]",
        "requirements: [a], constraints: ['b<2'], extra_index: [INDEX, OTHER], prefer_binary: true, no_deps: yes",
        "requirements: [a, 'a<2'], wheels: [dist/a-1-py3-none-any.whl], pre_release: false",
    ],
)
def test_what_a_package_may_ask_for(project: Folder, package: str) -> None:
    assert project.says(manifest(package.replace("yes", "true"))) == []


WRONG = {
    "slim: true": ["2:12 E201 the package 'p' names nothing to ship"],
    "requirements: []": ["2:12 E201 the package 'p' names nothing to ship"],
    "requirements: [a b, numpy, NumPy, ../x, ./x, ./dist]": [
        "2:31 E470 'a b' is not a requirement",
        "2:43 E313 'NumPy' is listed twice",
        "2:50 E304 '../x' holds '..'",
        "2:56 E305 there is no file 'x'",
    ],
    "requirements: [a], constraints: [./dist, 'a[b]', 'a<', a<2, A <2]": [
        "2:49 E470 './dist' constrains nothing",
        "2:57 E470 'a[b]' has extras, and a constraint asks for nothing",
        "2:65 E470 'a<' is not a requirement",
        "2:76 E313 'A <2' is listed twice",
    ],
    "requirements: [a], without: [b<1, ./dist, b c, b, B]": [
        "2:45 E470 'b<1' is not the name of a distribution",
        "2:50 E470 './dist' is not the name of a distribution",
        "2:58 E470 'b c' is not the name of a distribution",
        "2:66 E313 'B' is listed twice",
    ],
    "requirements_file: none.txt, constraints_file: dist": [
        "2:35 E305 there is no file 'none.txt'",
        "2:63 E305 'dist' is a directory, not a file",
    ],
    "requirements: [a], find_links: [dist, dist, none, limits.txt], extra_index: [X, X]": [
        "2:54 E313 'dist' is listed twice",
        "2:60 E305 there is no folder 'none'",
        "2:66 E305 'limits.txt' is a file, not a folder",
        "2:96 E313 'X' is listed twice",
    ],
    "wheels: [dist/a-1-py3-none-any.whl], exclude: ['*.c', '*.c', '!']": [
        "2:70 E313 '*.c' is listed twice",
        "2:77 E203 '!' is not a pattern for files",
    ],
    "requirements: [a], libraries: [limits.txt], build: {libraries: [none.so, none.so], headers: [dist, dist, f.py]}": [
        "2:68 E204 'build.libraries' and 'libraries' exclude each other",
        "2:80 E305 there is no file 'none.so'",
        "2:89 E305 there is no file 'none.so'",
        "2:89 E313 'none.so' is listed twice",
        "2:115 E313 'dist' is listed twice",
        "2:121 E305 'f.py' is a file, not a folder",
    ],
    "requirements: [a], build: {requires: [setuptools<60, Setuptools<60, ./project, --pre]}": [
        "2:69 E313 'Setuptools<60' is listed twice",
        "2:84 E470 './project' is a path",
        "2:95 E472 '--pre' is an option, not a requirement",
    ],
    "libraries: [limits.txt], pre_release: true, constraints: ['a<1'], find_links: [dist]": [
        "2:41 E204 'pre_release' goes with `requirements:` or `requirements_file:` only",
        "2:60 E204 'constraints' goes with `requirements:` or `requirements_file:` only",
        "2:82 E204 'find_links' goes with `requirements:` or `requirements_file:` only",
    ],
}


@pytest.mark.parametrize(("package", "expected"), WRONG.items(), ids=WRONG)
def test_what_it_may_not(project: Folder, package: str, expected: list[str]) -> None:
    assert project.says(manifest(package)) == expected


def test_one_archive_for_all_wheels_is_an_upload_like_any_other(project: Folder) -> None:
    package = "requirements: [a], wheels: [dist/a-1-py3-none-any.whl], bundle: single"
    assert project.says(manifest(package)) == []
    reserved = manifest(package).replace("{p:", "{udfs.p:").replace("[p]", "[udfs.p]")
    assert project.says(reserved) == ["2:12 E302 the package cannot be uploaded as 'udfs.p.zip'"]
    clash = "resources: {p.zip: {file: limits.txt}}\n"
    assert project.says(manifest(package) + clash) == [], "the digest in its name keeps it apart"
    package = package.replace("single", "p.zip")
    assert project.says(manifest(package) + clash) == ["2:12 E309 two different files would be uploaded as 'p.zip'"]


def test_a_folder_that_leads_out_is_no_place_for_wheels(project: Folder) -> None:
    (project.path / "out").symlink_to(project.path.parent)
    assert project.says(manifest("requirements: [a], find_links: [out]")) == [
        "2:48 E304 'out' leads out of the manifest's checkout"
    ]
