"""What a package group wants, from all the files that say it; a lock is stale when that changes, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.base.errors import InvalidManifest
from reconciler.packages.lock.inputs import LockRequest, read_request
from tests.unit.manifest.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MANIFEST = """\
stack: s
packages:
  p: {{{}}}
functions:
  f: {{source: f.py, class: F, packages: [p]}}
"""


class Wishes:
    """A manifest with one package, and the files around it."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.folder = Folder(path).files("f.py")
        self.path = path

    def write(self, **files: str) -> Wishes:
        """Write text files; ``__`` in a name is a slash, and the ending .txt."""
        for name, text in files.items():
            place = self.path / f"{name.replace('__', '/')}.txt"
            place.parent.mkdir(exist_ok=True)
            place.write_text(text)
        return self

    def read(self, package: str) -> LockRequest:
        loaded = self.folder.load(MANIFEST.format(package))
        return read_request(loaded, "p", loaded.runtimes["cp37"])

    def refused(self, package: str) -> list[str]:
        """Return the problems as ``file:line:column: code message``."""
        with pytest.raises(InvalidManifest) as error:
            self.read(package)
        return [f"{one.at}: {one.code} {one.message}" for one in error.value.problems]


@pytest.fixture
def wishes(tmp_path: Path) -> Wishes:
    return Wishes(tmp_path / "repository")


def test_everything_that_says_something_is_read_and_keeps_its_place(wishes: Wishes) -> None:
    wishes.write(
        all="# ours\nb>=1\n-r more/deep.txt\n-c limits.txt\n--pre\n",
        more__deep="\n\nC_c ; python_version < '3.8'\n-r ../last.txt\n--constraint=here.txt\n",
        more__here="d<4\n",
        last="e \\\n  >=1\nb>=1\n",
        limits="-r others.txt\n",
        others="f!=2\n",
    )
    found = wishes.read(
        "requirements: [a], requirements_file: all.txt, constraints: [g<1], constraints_file: limits.txt"
    )
    assert found.inputs.requirements == ["a", "b>=1", 'c-c; python_version < "3.8"', "e>=1"]
    assert found.inputs.constraints == ["d<4", "f!=2", "g<1"]
    assert found.inputs.pre_release
    assert {text: str(place) for text, place in found.places.items()} == {
        "a": "udfs.yaml:3:22",
        "b>=1": "all.txt:2:1",
        'c-c; python_version < "3.8"': "more/deep.txt:3:1",
        "e>=1": "last.txt:1:1",
        "d<4": "more/here.txt:1:1",
        "f!=2": "others.txt:1:1",
        "g<1": "udfs.yaml:3:68",
    }


def test_files_that_include_each_other_are_read_once(wishes: Wishes) -> None:
    wishes.write(a="-r b.txt\n-c a.txt\nx\n", b="-r ./sub/../a.txt\ny\n")
    (wishes.path / "sub").mkdir()
    found = wishes.read("requirements_file: a.txt")
    assert found.inputs.requirements == ["x", "y"]
    assert found.inputs.constraints == ["x", "y"]


def test_a_chain_of_files_ends(wishes: Wishes) -> None:
    wishes.write(**{f"r{number}": f"-r r{number + 1}.txt\na{number}\n" for number in range(150)}, r150="")
    assert wishes.refused("requirements_file: r0.txt") == [
        "r99.txt:1:1: E472 more than 100 requirements files include each other"
    ]


def test_all_that_is_not_taken_is_told_at_once_each_in_its_file(wishes: Wishes, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("hunter2\n")
    (wishes.path / "link.txt").symlink_to(tmp_path / "outside.txt")
    (wishes.path / "bytes.txt").write_bytes(b"a\xff\n")
    (wishes.path / "large.txt").write_bytes(b"#" * (1 << 20) + b"\na\n")
    wishes.write(
        all="num py\n-r ../outside.txt\n-r link.txt\n-r none.txt\n-r bytes.txt\n-r large.txt\n-i https://me:hunter2@host.test\n"
        "./gone.whl\n../outside\n-c more/limits.txt\n",
        more__limits="\n./a.whl\nb[c]\n",
    )
    found = wishes.refused("requirements: [a], requirements_file: all.txt")
    assert not [line for line in found if "hunter2" in line]
    assert found == [
        "all.txt:1:1: E470 'num py' is not a requirement",
        "all.txt:2:1: E304 '../outside.txt' holds '..'",
        "all.txt:3:1: E304 'link.txt' leads out of the manifest's checkout",
        "all.txt:4:1: E305 there is no file 'none.txt'",
        "all.txt:5:1: E305 'bytes.txt' cannot be read: it is not UTF-8",
        "all.txt:6:1: E472 'large.txt' is too large for a requirements file",
        "all.txt:7:1: E472 the option '-i' is not allowed here",
        "all.txt:8:1: E305 there is no file 'gone.whl'",
        "all.txt:9:1: E304 '../outside' holds '..'",
        "more/limits.txt:2:1: E470 './a.whl' constrains nothing",
        "more/limits.txt:3:1: E470 'b[c]' has extras, and a constraint asks for nothing",
    ]


PACKAGE = "requirements_file: all.txt, constraints: [a<9], without: [z], find_links: [dist], no_deps: true"


def _write(name: str, text: str) -> Callable[[Path], Any]:
    def write(folder: Path) -> None:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    return write


def _touch(folder: Path) -> None:
    for path in (folder / "project").rglob("*"):
        path.touch()


MEANS_THE_SAME = {
    "a comment": (_write("all.txt", "# why\nA >=1 # because\n-e ./project\n"), PACKAGE),
    "another order": (_write("all.txt", "./project\na>=1\n"), PACKAGE),
    "another file for it": (_write("all.txt", "-r part.txt\n./project\n"), PACKAGE),
    "said in the manifest too": (lambda folder: None, f"requirements: ['a>= 1', ./project/], {PACKAGE}"),
    "times": (_touch, PACKAGE),
    "what earlier builds left": (_write("project/build/lib/x.py", "old"), PACKAGE),
    "caches": (_write("project/x/__pycache__/x.cpython-37.pyc", "old"), PACKAGE),
    "version control": (_write("project/.git/HEAD", "ref: other"), PACKAGE),
    "an environment": (_write("project/env/pyvenv.cfg", ""), PACKAGE),
    "another package of the manifest": (_write("other/x.py", ""), PACKAGE),
}


@pytest.mark.parametrize(("change", "package"), MEANS_THE_SAME.values(), ids=MEANS_THE_SAME)
def test_what_means_the_same_leaves_the_lock_fresh(wishes: Wishes, change: Callable[[Path], Any], package: str) -> None:
    before = started(wishes)
    change(wishes.path)
    assert list(before.differences(wishes.read(package).inputs)) == []


def started(wishes: Wishes) -> Any:
    """Return the inputs from which things change."""
    (wishes.path / "dist").mkdir()
    wishes.write(all="a>=1\n./project\n", part="a>=1\n")
    for name, text in (("setup.py", "pass\n"), ("x/__init__.py", ""), ("x/build/__init__.py", "")):
        _write(f"project/{name}", text)(wishes.path)
    return wishes.read(PACKAGE).inputs


OTHERWISE = {
    "a version": (_write("all.txt", "a>=2\n./project\n"), PACKAGE, ["requirements: 'a>=2' was added", "requirements: 'a>=1' is gone"]),
    "a constraint": (_write("all.txt", "a>=1\n./project\n-c part.txt\n"), PACKAGE, ["constraints: 'a>=1' was added"]),
    "a file's content": (_write("project/x/__init__.py", "1\n"), PACKAGE, ["local: 'project' has changed"]),
    "a new file": (_write("project/x/new.py", ""), PACKAGE, ["local: 'project' has changed"]),
    "a package called build": (_write("project/x/build/__init__.py", "1"), PACKAGE, ["local: 'project' has changed"]),
    "a mode": (lambda folder: (folder / "project/setup.py").chmod(0o755), PACKAGE, ["local: 'project' has changed"]),
    "an option of the file": (_write("all.txt", "--pre\na>=1\n./project\n"), PACKAGE, ["pre_release was false and is true"]),
    "an option of the package": (lambda folder: None, PACKAGE.replace("true", "false"), ["no_deps was true and is false"]),
    "what is left out": (lambda folder: None, PACKAGE.replace("[z]", "[z, y]"), ["without: 'y' was added"]),
    "an index": (lambda folder: None, f"{PACKAGE}, extra_index: [TEAM]", ["extra_index: 'TEAM' was added"]),
    "how it is built": (lambda folder: None, f"{PACKAGE}, build: {{environment: {{A: b}}}}", ["build: 'environment A' was added"]),
}  # fmt: skip


@pytest.mark.parametrize(("change", "package", "told"), OTHERWISE.values(), ids=OTHERWISE)
def test_what_means_something_else_is_told_in_a_sentence(
    wishes: Wishes, change: Callable[[Path], Any], package: str, told: list[str]
) -> None:
    before = started(wishes)
    change(wishes.path)
    assert list(before.differences(wishes.read(package).inputs)) == told


def test_another_list_of_hashes_is_another_wish(wishes: Wishes) -> None:
    wishes.write(all=f"a==1 --hash=sha256:{'1' * 64} --hash=sha256:{'2' * 64}\n")
    before = wishes.read("requirements_file: all.txt").inputs
    wishes.write(all=f"a==1 \\\n --hash=sha256:{'2' * 64} \\\n --hash=sha256:{'1' * 64}\n")
    assert wishes.read("requirements_file: all.txt").inputs == before
    wishes.write(all=f"a==1 --hash=sha256:{'1' * 64}\n")
    added, gone = before.differences(wishes.read("requirements_file: all.txt").inputs)
    assert added.startswith("requirements: 'a==1 (hashes ")
    assert gone.endswith("is gone")


def test_what_the_image_has_is_left_out_at_the_version_that_it_has(wishes: Wishes) -> None:
    """Unless a function without the image uses the package too, or the package asks for it by name."""
    text = MANIFEST.format("requirements: [scikit-learn, pandas]").replace("[p]}", "[p], image: scipy}")
    loaded = wishes.folder.load(text)
    asked = read_request(loaded, "p", loaded.runtimes["cp37"])
    assert asked.inputs.without == ["cloudpickle", "numpy", "requests", "scipy", "setuptools"]
    assert {"numpy==1.21.6", "scipy==1.7.3"} < set(asked.inputs.constraints)
    assert not any(one.startswith("pandas") for one in asked.inputs.constraints)
    both = wishes.folder.load(text + "  g: {source: f.py, class: F, packages: [p]}\n")
    assert read_request(both, "p", both.runtimes["cp37"]).inputs.without == []
