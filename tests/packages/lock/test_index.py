"""An index on loopback that fails in every way: it is told, nothing is left half-written, and no password is repeated."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest

from reconciler.base.errors import PackageError, UdfsError
from reconciler.packages.fetch import downloads as remote
from reconciler.packages.fetch.indexes import Indexes, Remote
from reconciler.packages.fetch.pip import PipIndex
from tests.builders import sha256, wheel
from tests.canary import PASSWORD
from tests.packages.lock.index import serving
from tests.packages.lock.project import Project, files, names, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.packages.lock.index import Index


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    wheel(tmp_path / "served", "base", tag="py2.py3-none-any")
    wheel(tmp_path / "served", "tool", tag="py2.py3-none-any", requires=("base",))
    with serving(tmp_path / "served", password=PASSWORD) as found:
        yield found


@pytest.fixture
def asking(project: Project, index: Index) -> Project:
    """A project that asks the index, by pip's setting, and gives up soon."""
    del project.env["PIP_NO_INDEX"]
    quick = {"PIP_RETRIES": "0", "PIP_TIMEOUT": "2", "UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "2"}
    project.env |= {"PIP_INDEX_URL": index.url, **quick}
    return project


def kept(project: Project) -> list[str]:
    """Return the wheels in the cache."""
    return sorted(path.name for path in project.cache.root.rglob("*.whl"))


def test_what_fetched_is_closed(asking: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = asking.load("requirements: [tool]", "cp37", links=False)
    asking.make(loaded)
    fetched, closed = set[int](), set[int]()
    fetch, close = remote.Downloads.fetch, remote.Downloads.close

    def fetching(self: remote.Downloads, file: Remote, folder: Path) -> Path:
        fetched.add(id(self.session))
        return fetch(self, file, folder)

    def closing(self: remote.Downloads) -> None:
        closed.add(id(self.session))
        close(self)

    monkeypatch.setattr(remote.Downloads, "fetch", fetching)
    monkeypatch.setattr(remote.Downloads, "close", closing)
    asking.plan(loaded)
    assert fetched
    assert fetched == closed


@pytest.mark.parametrize("lists_hashes", [True, False])
def test_a_lock_holds_for_any_mirror_and_none(
    asking: Project, index: Index, monkeypatch: pytest.MonkeyPatch, lists_hashes: bool
) -> None:
    loaded = asking.load("requirements: [tool]", "cp37", links=False)
    lock = asking.make(loaded)
    assert names(lock) == ["base 1.0", "tool 1.0"]
    assert [(one.sha256, one.size) for one in files(lock)] == [
        (sha256(path), path.stat().st_size) for path in sorted(index.folder.iterdir())
    ]
    text = (asking.folder / "udfs.lock").read_text()
    assert "127.0.0.1" not in text
    assert PASSWORD not in text

    runs: list[list[str]] = []
    run = PipIndex._run

    def counted(self: PipIndex, command: list[str], *rest: Any) -> Any:
        runs.append(command)
        return run(self, command, *rest)

    monkeypatch.setattr(PipIndex, "_run", counted)
    with serving(index.folder) as mirror:
        mirror.lists_hashes = lists_hashes
        asking.env["PIP_INDEX_URL"] = mirror.url
        asking.plan(loaded)
    assert len(runs) == (0 if lists_hashes else 1), "what has no hash comes in one run of pip, the rest without"
    runs.clear()
    assert kept(asking) == ["base-1.0-py2.py3-none-any.whl", "tool-1.0-py2.py3-none-any.whl"]

    asking.plan(loaded)  # the mirror is gone, and nobody asks for it
    assert not runs
    [damaged] = asking.cache.root.rglob("base-*.whl")
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(PackageError, match="does not answer"):
        asking.plan(loaded)
    asking.env["PIP_INDEX_URL"] = index.url
    asking.plan(loaded)
    assert sha256(next(asking.cache.root.rglob("base-*.whl"))) == files(lock)[0].sha256


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("cut", "base==1.0"),
        ("other", "arrived damaged"),
        ("404", "base==1.0"),
        ("500", "does not answer"),
    ],
)
def test_a_file_that_does_not_come_is_told_and_not_kept(asking: Project, index: Index, fault: str, words: str) -> None:
    loaded = asking.load("requirements: [base]", "cp37", links=False)
    asking.make(loaded)
    index.fault = fault
    with pytest.raises(PackageError) as error:
        asking.plan(loaded)
    assert words in told(error.value)
    assert PASSWORD not in told(error.value)
    assert kept(asking) == []
    index.fault = ""
    asking.plan(loaded)
    assert kept(asking) == ["base-1.0-py2.py3-none-any.whl"]


def test_who_waits_for_an_index_that_drips_gives_up(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.fault, index.password = "drip", ""
    monkeypatch.setattr(remote, "_PATIENCE", 0.2)
    file = next(index.folder.glob("base-*"))
    with remote.Downloads(Indexes(index.url)) as downloads, pytest.raises(PackageError, match="too slowly"):
        downloads.fetch(Remote(file.name, urljoin(index.url, f"/files/{file.name}"), sha256(file)), tmp_path)


@pytest.mark.parametrize("python", ["cp37", "cp27"])
@pytest.mark.parametrize("fault", ["all 500", "refused", "down"])
def test_an_index_that_fails_while_locking_leaves_the_lock_as_it_was(
    asking: Project, index: Index, fault: str, python: str
) -> None:
    before = asking.folder / "udfs.lock"
    before.write_text("format: udfs.lock/1\npackages: {}\n")
    loaded = asking.load("requirements: [tool]", python, links=False)
    if fault == "down":
        asking.env["PIP_INDEX_URL"] = f"http://ann:{PASSWORD}@127.0.0.1:1/simple/"
    elif fault == "refused":
        index.password = "changed"
    else:
        index.fault = fault
    with pytest.raises(UdfsError) as error:
        asking.make(loaded)
    assert PASSWORD not in told(error.value)
    assert {problem.code for problem in error.value.problems} == {"E475"}, told(error.value)
    assert ("refuses the credentials" in told(error.value)) == (fault == "refused")
    assert before.read_text() == "format: udfs.lock/1\npackages: {}\n"


@pytest.mark.parametrize("python", ["cp37", "cp27"])
def test_what_an_index_does_not_have_is_no_failure_of_the_index(asking: Project, python: str) -> None:
    with pytest.raises(UdfsError) as error:
        asking.make(asking.load("requirements: [tool, nowhere]", python, links=False))
    assert {problem.code for problem in error.value.problems} == {"E473"}, told(error.value)


def test_an_index_of_the_package_is_named_by_a_variable(asking: Project, index: Index) -> None:
    del asking.env["PIP_INDEX_URL"]
    asking.env |= {"PIP_NO_INDEX": "", "PIP_INDEX_URL": "http://127.0.0.1:1/simple/"}
    loaded = asking.load("requirements: [tool], extra_index: [TEAM_INDEX]", "cp37", links=False)
    with pytest.raises(PackageError) as error:
        asking.make(loaded)
    assert "the environment variable TEAM_INDEX of `extra_index:` is not set" in told(error.value)
    with serving(index.folder) as main:
        asking.env |= {"TEAM_INDEX": index.url, "PIP_INDEX_URL": main.url}
        assert names(asking.make(loaded)) == ["base 1.0", "tool 1.0"]
    assert PASSWORD not in (asking.folder / "udfs.lock").read_text()


@pytest.mark.parametrize("python", ["cp37", "cp27"])
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_no_password_is_an_argument_of_a_process(asking: Project, index: Index, python: str) -> None:
    """Everybody on a machine sees arguments: here the index looks at those of all processes whenever it is asked."""
    seen: set[bytes] = set()

    def look() -> None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):  # it has ended
                seen.add(path.read_bytes())

    index.on_request = look
    asking.env["TEAM"] = index.url
    loaded = asking.load("requirements: [tool], extra_index: [TEAM]", python, links=False)
    asking.make(loaded)
    index.lists_hashes = False  # or pip would not be needed
    asking.plan(loaded)
    for engine in (b"uv\0pip\0compile",) if python == "cp37" else (b"pex.cli\0lock\0create", b"pex\0"):
        assert any(engine in arguments for arguments in seen)
    assert any(b"pip\0download" in arguments for arguments in seen)
    assert not [arguments for arguments in seen if PASSWORD.encode() in arguments]
