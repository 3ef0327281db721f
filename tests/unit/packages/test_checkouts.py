"""What is shipped is what Git stores, whatever a checkout made of the line ends."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.base.checkout import Checkout
from reconciler.base.line_ends import LineEnds
from reconciler.packages.build.sources import tree_digest
from reconciler.packages.collect import collect
from reconciler.packages.fetch.cache import Cache
from reconciler.targets.maxcompute import desired
from tests.builders import unchecked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.core.state import DesiredState

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="Git makes the checkouts")


def git(*arguments: str, folder: Path) -> bytes:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    settings = ["-c", "user.name=ann", "-c", "user.email=ann@example.com", "-c", "protocol.file.allow=always"]
    return subprocess.run(
        ["git", *settings, *arguments], check=True, capture_output=True, cwd=folder, env=environment
    ).stdout


def commit(folder: Path, files: Mapping[str, bytes], *options: str) -> Path:
    folder.mkdir()
    git("init", "--quiet", "--initial-branch", "main", *options, folder=folder)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    # Git compares with the index what it stored a moment ago, and a conversion must not depend on that.
    git("add", "--all", folder=folder)
    git("commit", "--quiet", "--message", "all", folder=folder)
    return folder


def check_out(source: Path, folder: Path, *settings: str) -> Path:
    options = [part for setting in settings for part in ("--config", setting)]
    git("clone", "--quiet", *options, str(source), str(folder), folder=source)
    return folder


def state(folder: Path, cache: Path, **keys: str) -> tuple[DesiredState, dict[str, str]]:
    """Return what the manifest of a checkout asks for, and the sha256 of each file of `data` and of the module."""
    names = sorted(path.name for path in (folder / "data").iterdir())
    manifest = {
        "resources": {**{name: {"file": f"data/{name}"} for name in names}, "all.zip": {"file": "data"}},
        "functions": {"f": {"source": "f.py", "class": "F", "modules": ["common"], "resources": ["all.zip"]}},
        **keys,
    }
    loaded = unchecked(folder, manifest)
    artifacts = collect(loaded, cache=Cache(cache), env={}, on_step=lambda text: None)
    shipped = {name: content.sha256 for name, content in artifacts.files.items()}
    (package,) = artifacts.packages.values()
    shipped |= {name: content.sha256 for name, content in package.sources.items()}
    objects = {key: want._replace(origin=None) for key, want in desired.state(loaded, artifacts).items()}  # type: ignore[arg-type]
    return objects, shipped


def stored(folder: Path) -> dict[str, str]:
    """Return the sha256 of what Git stores under each name."""
    names = git("ls-files", "-z", folder=folder).decode().split("\0")[:-1]
    show = partial(git, folder=folder)
    return {name: hashlib.sha256(show("cat-file", "blob", f":{name}")).hexdigest() for name in names}


SOURCE = b"class F(object):\r\n    def evaluate(self):\r\n        return 1\r\n"
PIECES = st.sampled_from([b"a", b"\n", b"\r\n", b"\r", b"\0", b"\x1a", b"\x07", b"x" * 200, "é".encode(), b"\x7f"])
CONTENTS = st.lists(PIECES, max_size=12).map(b"".join)
NAMES = st.sampled_from(["a.csv", "b.csv", "c.txt", "d.TXT", "e e.bin", "f[1].csv"])
PATTERNS = st.sampled_from(
    [
        *(
            "*",
            "*.csv",
            "data/*.txt",
            "/data/*",
            "data/**",
            "**/b.csv",
            "**/data/c.*",
            "[a-c].*",
            "data/[!ab].csv",
            "data/",
            "d.*",
        ),
        *(
            '"e e.bin"',
            r"f\[1\].csv",
            "data",
            "?.csv",
            "data/**/a.csv",
            "[[:alpha:]].csv",
            "common/*",
            "*.py",
            "f[[]1].csv",
        ),
    ]
)
ATTRIBUTES = st.sampled_from(
    [
        *(
            "text",
            "-text",
            "!text",
            "text=auto",
            "eol=lf",
            "eol=crlf",
            "binary",
            "-binary",
            "crlf",
            "-crlf",
            "crlf=input",
        ),
        *("text=odd", "diff", "plain", "!plain"),
    ]
)
LINES = st.tuples(PATTERNS, st.lists(ATTRIBUTES, min_size=1, max_size=3)).map(
    lambda line: f"{line[0]} {' '.join(line[1])}"
)
RULES = st.lists(LINES, max_size=4).map("\n".join)


@settings(max_examples=5, deadline=None)
@given(files=st.dictionaries(NAMES, CONTENTS, min_size=1, max_size=4), top=RULES, below=RULES, autocrlf=st.booleans())
def test_every_checkout_of_a_commit_ships_the_bytes_that_git_stores(
    files: dict[str, bytes], top: str, below: str, autocrlf: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        everything = {
            **{f"data/{name}": content for name, content in files.items()},
            "f.py": SOURCE,
            "common/__init__.py": b"A = 1\r\n",
            ".gitattributes": f"[attr]plain -text\n{top}\n".encode(),
            "data/.gitattributes": f"{below}\n".encode(),
        }
        source = commit(root / "source", everything)
        if autocrlf:  # what was stored by somebody whose Git takes every CRLF for its own
            git("config", "core.autocrlf", "true", folder=source)
        plain = check_out(source, root / "plain", "core.autocrlf=false")
        windows = check_out(source, root / "windows", "core.autocrlf=true")
        odd = check_out(source, root / "odd", "core.eol=crlf")
        expected = stored(plain)
        states = [state(folder, root / "cache") for folder in (plain, windows, odd)]
        for objects, shipped in states:
            assert objects == states[0][0]
            assert shipped == {name: expected[name] for name in shipped}
        assert len({tree_digest(folder) for folder in (plain, windows, odd)}) == 1


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    names = ["a.py", "b/c.csv", "b/c.csv.gz", "b/é.txt", f"{'long/' * 60}name.py", "zz"]
    return commit(tmp_path / "repository", {name: name.encode() for name in names})


def _listed(folder: Path) -> dict[str, tuple[str, bool]]:
    entries = (entry.split("\t", 1) for entry in git("ls-files", "-s", "-z", folder=folder).decode().split("\0")[:-1])
    return {name: (facts.split()[1], facts.startswith("100755")) for facts, name in entries}


def _fourth(folder: Path) -> Path:
    git("update-index", "--index-version", "4", folder=folder)
    return folder


def _extended(folder: Path) -> Path:
    (folder / "new").write_bytes(b"new")
    git("add", "--intent-to-add", "new", folder=folder)
    return folder


def _unhashed(folder: Path) -> Path:
    git("-c", "index.skipHash=true", "add", "--all", "--renormalize", folder=folder)
    return folder


def _executable(folder: Path) -> Path:
    git("update-index", "--chmod=+x", "b/c.csv", folder=folder)
    return folder


def _worktree(folder: Path) -> Path:
    git("worktree", "add", "--quiet", "--detach", "../beside", folder=folder)
    return folder.parent / "beside"


def _of_sha256(folder: Path) -> Path:
    return commit(folder.parent / "sha256", {"a.py": b"1", "b/c.csv": b"2"}, "--object-format=sha256")


@pytest.mark.parametrize("form", [_fourth, _extended, _unhashed, _executable, _worktree, _of_sha256])
def test_the_index_is_read_in_every_form_that_git_writes(repository: Path, form: Callable[[Path], Path]) -> None:
    folder = form(repository)
    index = Checkout(folder).index
    assert {name: (tracked.blob, tracked.is_executable) for name, tracked in index.items()} == _listed(folder)


@pytest.mark.parametrize(
    "content", [b"", b"DIRC", b"DIRC\0\0\0\x02\0\0\0\x09", b"DIRC\0\0\0\x04\xff\xff\xff\xff" + b"\xff" * 99]
)
def test_an_index_that_cannot_be_read_says_nothing(repository: Path, content: bytes) -> None:
    (repository / ".git/index").write_bytes(content)
    assert Checkout(repository).index == {}
    assert LineEnds().is_executable(repository / "a.py") is False


@settings(max_examples=25, deadline=None)
@given(top=RULES, middle=RULES, below=RULES)
def test_attributes_are_those_that_git_tells(top: str, middle: str, below: str) -> None:
    names = [
        "a.csv",
        "data/a.csv",
        "data/b.csv",
        "data/c.txt",
        "data/e e.bin",
        "data/f[1].csv",
        "data/x/a.csv",
        "x/data/d.x",
    ]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        for folder, text in {"": f"[attr]plain -text\r\n{top}", "data": middle, "data/x": below}.items():
            (root / folder).mkdir(exist_ok=True)
            (root / folder / ".gitattributes").write_text(f"# of a test\r\n{text}\r\n", newline="")
        git("init", "--quiet", folder=root)
        said = git("check-attr", "-z", "text", "crlf", "eol", "binary", "--", *names, folder=root).decode().split("\0")
        words = {True: "set", False: "unset", None: "unspecified"}
        checkout = Checkout(root)
        for path, attribute, value in zip(said[::3], said[1::3], said[2::3], strict=False):
            own = checkout.attributes(path).get(attribute)
            assert (words[own] if own is None or isinstance(own, bool) else own) == value, (path, attribute)


def test_a_file_keeps_the_line_ends_that_it_was_committed_with_and_a_new_one_gets_line_feeds(tmp_path: Path) -> None:
    folder = commit(tmp_path / "repository", {"stored.csv": b"1\r\n", "changed.csv": b"1\n", "no.bin": b"\0\r\n"})
    (folder / "changed.csv").write_bytes(b"2\r\n")
    (folder / "new.csv").write_bytes(b"1\r\n")
    changed = {path.name: LineEnds().are_changed(path) for path in sorted(folder.glob("*.*")) if path.is_file()}
    assert changed == {"changed.csv": True, "new.csv": True, "no.bin": False, "stored.csv": False}


def test_what_is_in_no_repository_has_the_attributes_of_the_manifests_folder(tmp_path: Path) -> None:
    files = {"a.csv": b"1\r\n", "data/b.csv": b"1\r\n", "data/c.txt": b"1\r\n"}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / ".gitattributes").write_text("*.csv -text\n")
    line_ends = LineEnds(tmp_path.resolve())
    assert [line_ends.are_changed(tmp_path / name) for name in files] == [False, False, True]
    assert [line_ends.are_changed(tmp_path / name, "lf") for name in files] == [True, True, True]
    assert [line_ends.are_changed(tmp_path / name, "keep") for name in files] == [False, False, False]


def test_a_file_that_every_disk_calls_executable_is_what_git_says(tmp_path: Path) -> None:
    folder = commit(tmp_path / "repository", {"data/a.csv": b"1\n"})
    before = tree_digest(folder / "data")
    (folder / "data/a.csv").chmod(0o777)
    assert tree_digest(folder / "data") == before
