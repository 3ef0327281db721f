"""What the door of input files lets through, what it refuses, and that nobody gets past it between a look and a read."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from reconciler.base import inputs
from reconciler.base.inputs import FileRefused, LeadsOut, Limit, open_input, read_input, read_lines, read_named

SMALL = Limit("a file of a test", 100)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with settings in Git, in it a repository with two projects, a folder without Git, and a secret."""
    home = tmp_path.resolve() / "home"
    monkeypatch.setattr(inputs, "_home", lambda: home)
    for folder in (".git", "repo/.git", "repo/a/inside", "repo/b", "plain/below"):
        (home / folder).mkdir(parents=True)
    for file in ("secret", "repo/.git/config", "repo/a/inside/x", "repo/b/x", "plain/x", "plain/below/x"):
        (home / file).write_text(file)
    return home


@pytest.mark.parametrize(
    ("link", "target", "is_read"),
    [
        ("repo/a/link", "inside/x", True),
        ("repo/a/link", "../b/x", True),
        ("repo/a/link", "../../repo/b/x", True),
        ("repo/a/link", "../../secret", False),
        ("repo/a/link", "../../plain/x", False),
        ("repo/a/link", "../.git/config", False),
        ("repo/a/link", "/proc/self/environ", False),
        ("plain/link", "below/x", True),
        ("plain/link", "../secret", False),
        ("plain/link", "../.git", False),
    ],
)
@pytest.mark.parametrize("is_relative", [True, False])
def test_a_link_leads_only_to_elsewhere_in_its_checkout(
    link: str, target: str, is_read: bool, is_relative: bool, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = machine / link
    path.symlink_to(target)
    monkeypatch.chdir(path.parent)
    named = Path(path.name) if is_relative else path
    if is_read:
        assert read_named(named, SMALL) == path.read_bytes()
    else:
        with pytest.raises(LeadsOut, match="leads out of its checkout"):
            read_named(named, SMALL)


@pytest.mark.parametrize(("folder", "is_read"), [("repo/a", False), ("plain", True)])
def test_a_folder_on_the_way_is_held_to_a_repository_and_else_the_users_business(
    folder: str, is_read: bool, machine: Path
) -> None:
    (machine / "elsewhere").mkdir()
    (machine / "elsewhere" / "x").write_text("x")
    (machine / folder / "way").symlink_to(machine / "elsewhere")
    path = machine / folder / "way" / "x"
    if is_read:
        assert read_named(path, SMALL) == b"x"
    else:
        with pytest.raises(LeadsOut):
            read_named(path, SMALL)


def test_dots_that_a_user_writes_are_followed(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(machine / "repo" / "a")
    assert read_named(Path("../../plain/x"), SMALL) == b"plain/x"


def test_a_link_that_is_turned_round_while_it_is_read_never_gives_what_lies_outside(machine: Path) -> None:
    link, is_done = machine / "repo" / "a" / "link", threading.Event()
    link.symlink_to("inside/x")

    def turn() -> None:
        while not is_done.is_set():
            for target in ("../../secret", "inside/x"):
                part = link.with_name("part")
                part.symlink_to(target)
                part.replace(link)

    turner = threading.Thread(target=turn)
    turner.start()
    outcomes: set[object] = set()
    try:
        for _ in range(2_000):
            try:
                outcomes.add(read_named(link, SMALL))
            except FileRefused as error:
                outcomes.add(error.strerror)
    finally:
        is_done.set()
        turner.join()
    assert b"repo/a/inside/x" in outcomes
    assert b"secret" not in outcomes


@pytest.mark.parametrize(("size", "is_read"), [(0, True), (100, True), (101, False), (1 << 40, False)])
def test_no_byte_beyond_the_limit_is_read(size: int, is_read: bool, tmp_path: Path) -> None:
    path = tmp_path / "x"
    with path.open("wb") as file:
        file.truncate(size)
    if is_read:
        assert len(read_input(path, SMALL)) == size
    else:
        with pytest.raises(FileRefused, match="a file of a test has at most 100 bytes"):
            read_input(path, SMALL)


def test_a_file_that_grows_while_it_is_read_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(90))
    with open_input(path, SMALL) as file, path.open("ab") as more:
        assert len(file.read(50)) == 50
        more.write(bytes(1 << 20))
        more.flush()
        file.seek(0)
        with pytest.raises(FileRefused, match="at most 100 bytes"):
            file.read()


def test_a_line_without_an_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "LONGEST_LINE", 10)
    path = tmp_path / "x"
    path.write_text("short\n123456789\nlonger than that\n")
    with path.open(newline="") as file:
        lines = read_lines(file, path)
        assert [next(lines), next(lines)] == ["short\n", "123456789\n"]
        with pytest.raises(FileRefused, match="more than 10 characters"):
            next(lines)
