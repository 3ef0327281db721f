"""
Files that are not what they should be, in every role that a file has: refused in time and memory, and never shown.

Each command is a process of its own with a bound on its memory, and every file has its place taken by a link out of the
checkout, a pipe, a device, a folder, a socket, nothing, or a terabyte of holes.
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.canary import SECRET
from tests.invariants.processes import Limits, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.invariants.world import Said

MEMORY = Limits(memory_bytes=3 << 30)
TERABYTE = 1 << 40
FORMATS = {"plan": ("json", "markdown"), "validate": ("json", "sarif", "github"), "drift": ("json", "sarif", "github")}


class Role(NamedTuple):
    """A file, what the manifest says of it, and the commands that read it."""

    file: str
    manifest: str
    commands: tuple[str, ...]
    is_applied: bool = False
    """Whether they need what the manifest has in the project."""


HEAD = "stack: risk\npython: cp311\n"
FUNCTION = "functions:\n  f: {source: f.py, class: F"
PACKAGE = "packages:\n  p: {%s}\n"
WITH_PACKAGE = f"{FUNCTION}, packages: [p]}}\n"
ROLES = {
    "manifest": Role(
        "udfs.yaml", HEAD, ("validate", "plan", "drift", "apply --yes", "targets", "lock", "test", "build", "import")
    ),
    "lock": Role("udfs.lock", HEAD + PACKAGE % "requirements: [six]" + WITH_PACKAGE, ("validate", "plan")),
    "policy": Role("policy.yaml", f"{HEAD}policy: policy.yaml\n{FUNCTION}}}\n", ("validate", "plan")),
    "requirements": Role(
        "all.txt", HEAD + PACKAGE % "requirements_file: all.txt" + WITH_PACKAGE, ("validate", "lock --check")
    ),
    "constraints": Role(
        "all.txt", HEAD + PACKAGE % "requirements: [six], constraints_file: all.txt" + WITH_PACKAGE, ("validate",)
    ),
    "wheel": Role(
        "six-1.16.0-py2.py3-none-any.whl",
        HEAD + PACKAGE % "wheels: [six-1.16.0-py2.py3-none-any.whl]" + WITH_PACKAGE,
        ("validate",),
    ),
    "library": Role("libx.so", HEAD + PACKAGE % "libraries: [libx.so]" + WITH_PACKAGE, ("validate", "deps")),
    "source": Role("f.py", f"{HEAD}{FUNCTION}}}\n", ("validate", "plan", "test", "build --source f")),
    "module": Role("helper.py", f"{HEAD}{FUNCTION}, modules: [helper.py]}}\n", ("validate",)),
    "member of a package": Role("lib/__init__.py", f"{HEAD}{FUNCTION}, modules: [lib]}}\n", ("validate",)),
    "resource": Role(
        "data.csv", f"{HEAD}resources:\n  d.csv: {{file: data.csv}}\n{FUNCTION}, resources: [d.csv]}}\n", ("plan",)
    ),
    "member of a folder": Role(
        "data/a.csv", f"{HEAD}resources:\n  d.zip: {{file: data}}\n{FUNCTION}, resources: [d.zip]}}\n", ("validate",)
    ),
    "saved plan": Role("it.json", f"{HEAD}{FUNCTION}}}\n", ("apply --yes it.json",)),
    "dump": Role("it.json", f"{HEAD}{FUNCTION}}}\n", ("plan --against it.json",)),
    "rows": Role("rows.csv", f"{HEAD}{FUNCTION}}}\n", ("call f --input rows.csv",), is_applied=True),
    "rows in JSON": Role("rows.jsonl", f"{HEAD}{FUNCTION}}}\n", ("call f --input rows.jsonl",), is_applied=True),
    "file of libs": Role("x.zip", f"{HEAD}{FUNCTION}}}\n", ("libs x.zip",)),
}
SOURCE = """\
from odps.udf import annotate


@annotate("string->string")
class F:
    def evaluate(self, text):
        return text
"""


MAY_BE_FOLDERS = {"resource", "module", "member of a package", "member of a folder"}


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(TERABYTE)


def listen(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        # The name of a socket has at most 107 bytes, and that of a test's folder may have more.
        before = Path.cwd()
        os.chdir(path.parent)
        server.bind(path.name)
        os.chdir(before)


KINDS: dict[str, Callable[[Path], object]] = {
    "link out": lambda path: path.symlink_to(path.parents[len(path.parts) - path.parts.index("project")] / "secret"),
    "environment": lambda path: path.symlink_to("/proc/self/environ"),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "socket": listen,
    "holes": sparse,
    "nothing": Path.touch,
}


class Checkout(NamedTuple):
    """A project in a repository, and beside it a file that is none of its business."""

    folder: Path
    out: Path

    def take(self, role: Role, kind: str) -> None:
        (self.folder / "udfs.yaml").write_text(role.manifest)
        (self.folder / "f.py").write_text(SOURCE)
        if role.is_applied:
            assert self.run("apply --yes").code == 0
        hostile = self.folder / role.file
        hostile.parent.mkdir(exist_ok=True)
        hostile.unlink(missing_ok=True)
        if role.file == "lib/__init__.py":
            (self.folder / "lib" / "other.py").touch()
        KINDS[kind](hostile)

    def run(self, line: str) -> Said:
        return run(self.folder, self.out, *line.split(), limits=MEMORY)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkout]:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    monkeypatch.setenv("UDFS_CACHE_DIR", str(tmp_path / "cache"))
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}={SECRET}\n{SECRET}\n")
    yield Checkout(project, tmp_path / "said")
    # Not left for the watch over secrets, which looks into every file that a test leaves.
    secret.unlink()
    for path in project.rglob("*"):
        if (
            path.is_symlink()
            or path.is_fifo()
            or path.is_socket()
            or (path.is_file() and path.stat().st_size == TERABYTE)
        ):
            path.unlink()


def lines(role: Role, kind: str) -> Iterator[str]:
    """Yield the commands that are tried: in every format where something could be shown."""
    for line in role.commands:
        yield line
        if kind in {"link out", "environment"}:
            yield from (f"{line} --format {form}" for form in FORMATS.get(line, ()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ROLES)
def test_a_file_is_refused_with_a_code_whatever_lies_in_its_place(name: str, kind: str, checkout: Checkout) -> None:
    role = ROLES[name]
    checkout.take(role, kind)
    for line in lines(role, kind):
        said = checkout.run(line)
        everything = said.out + said.err
        assert "Traceback" not in everything, (line, said)
        assert "E999" not in everything, (line, said)
        assert said.code >= 0, (line, said)
        if kind == "nothing" or (kind == "folder" and name in MAY_BE_FOLDERS):
            continue
        assert said.code in {1, 3}, (line, said)
        assert re.search(r"E\d{3}", everything), (line, said)
        assert role.file.rpartition("/")[2].partition(".")[0] in everything, (line, said)
