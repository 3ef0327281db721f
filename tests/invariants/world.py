"""
A folder with a manifest, a service with a store, and hands that touch both.

Commands run in this process as a person would type them, against a real service over loopback. What is in the store is
read from the store itself, not through the program that is being tried.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

from reconciler.cli.entry import run
from reconciler.local import Server, Settings
from reconciler.local.server import database
from reconciler.local.server.database import Location, ServerStore, StoredFunction, StoredResource
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.maxcompute.client import Client
from reconciler.targets.maxcompute.target import MaxCompute
from tests.canary import SECRET, require_absent_under

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pytest

    from reconciler.core.record import Reading
    from reconciler.local.server.database import Records

STACK = "risk"
HERE = Location("demo", "default")
SOURCE = "from odps.udf import annotate\n\n\n@annotate('string->string')\nclass {0}(object):\n    def evaluate(self, x):\n        return x + {1!r}\n"
RESOURCES, FUNCTIONS = "/resources", "/registration/functions"

Row: TypeAlias = "StoredResource | StoredFunction"
_ENTRY = re.compile(r"udfs\.[a-z][a-z0-9-]*\.\d+\.json\Z")
_FOR = re.compile(r" for=[0-9a-f,]+(?=\]\Z)")
"""What a mark says of functions may keep the name of one that is gone: it names nothing."""


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    def __repr__(self) -> str:
        """What a failed test shows: what went wrong and what became of each object."""
        with contextlib.suppress(ValueError):
            told = {key: self.document.get(key) for key in ("outcomes", "problems")}
            return f"exit code {self.code}, {json.dumps(told)} {self.err}"
        return f"exit code {self.code}: {self.out} {self.err}"

    @property
    def document(self) -> dict[str, Any]:
        """What it printed with ``--format json``."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def here(*arguments: str) -> Said:
    """Run a command in this process, where it starts at once."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    return Said(code, out.getvalue(), err.getvalue())


def rows_of(rows: Records) -> dict[str, Row]:
    """Return everything that a listing would show, entries of ledgers included, by kind and folded name."""
    found: dict[str, Row] = {f"resource {key}": row for key, row in rows.behind(database.RESOURCES, "", HERE)}
    found.update((f"function {key}", row) for key, row in rows.behind(database.FUNCTIONS, "", HERE))
    return found


def is_entry(key: str) -> bool:
    """Say whether a row is an entry of a ledger."""
    return key.startswith("resource ") and _ENTRY.match(key.removeprefix("resource ")) is not None


def dangling(found: Mapping[str, Row]) -> set[tuple[str, str]]:
    """Return functions and what they list that is not there."""
    return {
        (key, ref.name)
        for key, row in found.items()
        if isinstance(row, StoredFunction)
        for ref in row.resources
        if f"resource {ref.name.lower()}" not in found
    }


def what_it_is(row: Row) -> tuple[object, ...]:
    """Return what somebody who uses an object would notice, and whose it is marked to be."""
    if isinstance(row, StoredFunction):
        return (row.class_type, tuple(ref.name.lower() for ref in row.resources))
    return (row.type, row.md5, row.source, _FOR.sub("", row.comment or ""))


class World:
    """One project and the folder that wants something of it."""

    def __init__(self, folder: Path, settings: Settings | None = None, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self.project = folder / "project"
        self.project.mkdir(parents=True, exist_ok=True)
        self.server = Server(folder / "store", settings or Settings(control=True), clock=clock)
        self._store = ServerStore(folder / "store")
        self._lag = settings.stale_list if settings else 0

    def __enter__(self) -> World:  # noqa: PYI034 - Self needs Python 3.11
        self.server.start()
        os.environ["ENDPOINT"] = self.server.url
        os.chdir(self.project)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()
        self._store.close()
        require_absent_under(self.folder)

    # The manifest's side

    def write(self, **files: str | bytes | None) -> None:
        """Write files of the project, underscores for dots; None removes one."""
        for name, content in files.items():
            path = self.project / ".".join(name.rsplit("_", 1))
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def must(self, *arguments: str, code: int = 0) -> Said:
        """Run a command that has to end so."""
        said = here(*arguments)
        assert said.code == code, f"{' '.join(arguments)}: {said}"
        return said

    def apply(self, *more: str) -> Said:
        """Make the project match the manifest."""
        return self.must("apply", "--yes", "--allow-deletes", "99", *more)

    # Hands of others

    def client(self, who: str = "eve") -> Client:
        return Client(self.server.url, "demo", None, Credentials(who, SECRET), "test")

    def put_resource(self, name: str, content: bytes, *, kind: str = "file", comment: str | None = None) -> None:
        """Somebody creates or replaces a resource; without a comment, one that is there stays."""
        headers = {"x-odps-resource-type": kind, "x-odps-resource-name": name}
        headers |= {} if comment is None else {"x-odps-comment": comment}
        if f"resource {name.lower()}" in self.rows():
            self.client().send("put", f"{RESOURCES}/{quote(name)}", headers=headers, body=content)
        else:
            self.client().send("post", RESOURCES, headers=headers, body=content)

    def put_function(self, name: str, of: str, *resources: str) -> None:
        """Somebody creates or replaces a function."""
        listed = "".join(f"<ResourceName>{one}</ResourceName>" for one in resources)
        body = f"<Function><Alias>{name}</Alias><ClassType>{of}</ClassType><Resources>{listed}</Resources></Function>"
        there = f"function {name.lower()}" in self.rows()
        path = f"{FUNCTIONS}/{name}" if there else FUNCTIONS
        headers = {"Content-Type": "application/xml"}
        self.client().send("put" if there else "post", path, headers=headers, body=body.encode())

    def delete(self, key: str) -> None:
        """Somebody deletes an object."""
        kind, name = key.split(" ")
        folder = RESOURCES if kind == "resource" else FUNCTIONS
        self.client().send("delete", f"{folder}/{quote(name)}", headers={"Content-Length": "0"})

    def lose_ledger(self) -> None:
        """Somebody tidies up."""
        for key in filter(is_entry, self.rows()):
            self.delete(key)

    # What there is

    def rows(self) -> dict[str, Row]:
        """Return everything in the store that a listing would show."""
        with self._store.reading() as rows:
            return rows_of(rows)

    def contents(self) -> dict[str, tuple[object, ...]]:
        """Return what each object is, without ledgers."""
        return {key: what_it_is(row) for key, row in self.rows().items() if not is_entry(key)}

    def reading(self, stack: str = STACK) -> Reading:
        """Return what the program itself would see."""
        return MaxCompute(self.client(), stack, str).read(full=True)

    def settle(self) -> None:
        """Let listings that lag behind catch up."""
        for _ in range(self._lag):
            self.reading()

    def unlock(self) -> None:
        """End the lease of a run that is dead, as its hint says."""
        self.server.faults.clear()
        self.settle()
        last = self.reading().last
        if last is not None and last.outcome == "running":
            self.must("unlock", "--epoch", str(last.epoch), "--yes")

    # Again

    @contextlib.contextmanager
    def again(self, folder: Path, settings: Settings | None = None) -> Iterator[World]:
        """Give a copy of this world as it stands; it is gone afterwards."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        try:
            with World(folder, settings) as copy:
                yield copy
        finally:
            os.chdir(self.project)
            os.environ["ENDPOINT"] = self.server.url
            shutil.rmtree(folder)


def look_after_each_write(monkeypatch: pytest.MonkeyPatch, look: Callable[[Records], None]) -> None:
    """Have the local service's rows looked at within each transaction that writes, when it has written."""
    writing = ServerStore.writing

    @contextlib.contextmanager
    def watched(store: ServerStore) -> Iterator[Records]:
        with writing(store) as rows:
            yield rows
            look(rows)

    monkeypatch.setattr(ServerStore, "writing", watched)
