"""
Shared folder: what a stack has in the folder that a cluster and this machine both see.

Files lie under their content's digest, registrations of functions and records of jobs as JSON, each replaced as a whole. A file gets a time of
change that its digest says: who writes to it afterwards changes that, so a listing tells which files have to be read again, and whether they
are what they are called.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from shutil import rmtree
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote

import msgspec

from reconciler.base.errors import ServiceError
from reconciler.base.files import create_file, replace_file
from reconciler.base.inputs import SETTING, SHIPPED, open_input, read_input
from reconciler.engine.staleness import gone_stale
from reconciler.targets.flink.entries import folder_refuses
from reconciler.targets.flink.objects import JobForm, RegisteredFunction, file_key, write_job
from reconciler.targets.planned_files import FileBody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.targets.flink.objects import DeployedJob
    from reconciler.targets.planned_files import PlannedFile

_EPOCH = 1_000_000_000
_SPAN = 1 << 28
"""Of stamps: seconds from September 2001 to March 2010, when no udfs was there to write a file."""


class StoredFile(NamedTuple):
    """A file as a listing tells it."""

    name: str
    size: int
    is_stamped: bool
    """Whether nobody wrote to it since it was put there."""


class JobRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is remembered of a job."""

    format: int = 1
    definition: JobForm | None = None
    """What it is made of; None of one that was adopted, and of one that has not been started yet."""

    pending: JobForm | None = None
    """What it is about to be made of."""

    job: str = ""
    """Its number on the cluster."""

    savepoint: str = ""
    """The last that is known of it."""

    is_over: bool = False
    """Whether it was seen to end as it should: a cluster forgets that after an hour."""

    steps: dict[str, Any] | None = None
    """What a change has done so far, where one is under way."""


class _FunctionForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: int = 1
    name: str
    language: str
    path: str
    file: str


@dataclass(frozen=True)
class SharedFolder:
    """The folder of one stack."""

    base: Path
    """What the target calls `files:`."""

    stack: str

    @property
    def root(self) -> Path:
        return self.base / "udfs" / self.stack

    @property
    def ledger(self) -> Path:
        return self.root / "ledger"

    def path(self, file: str) -> Path:
        """Return where a file lies, by its name here."""
        return self.root / "files" / file

    def savepoints(self, job: str) -> Path:
        return self.root / "savepoints" / quote(job, safe="")

    def remove_older_savepoints(self, job: str, kept: str) -> None:
        """Remove a job's savepoints but one, by its address; none where that is not among them: it may be the last checkpoint of one that failed."""
        folder = self.savepoints(job)
        names = {entry.name for entry in _entries(folder) if entry.name.startswith("savepoint-")}
        if (last := kept.rpartition("/")[2]) in names:
            for name in names - {last}:
                rmtree(folder / name, ignore_errors=True)

    def program(self, job: str, digest: str) -> Path:
        """Return the folder of what is generated for a version of a job."""
        return self.root / "programs" / f"{quote(job, safe='')}-{digest}"

    def programs(self, job: str) -> list[Path]:
        """Return the folders of all versions of a job."""
        folder, start = self.root / "programs", len(self.program(job, "").name)
        return [
            folder / entry.name
            for entry in _entries(folder)
            if entry.name.startswith(self.program(job, "").name) and "-" not in entry.name[start:]
        ]

    def require(self) -> None:
        """Raise E497 unless the folder that the target names is there."""
        if not self.base.is_dir():
            raise folder_refuses(self.base, FileNotFoundError(2, "there is no such folder"))

    # --- Files --------------------------------------------------------------------------------------------------------------

    def list_files(self) -> Iterator[StoredFile]:
        """Yield every file."""
        for folder in _entries(self.root / "files"):
            if folder.is_dir(follow_symlinks=False) and not folder.name.startswith("."):
                for entry in _entries(folder.path):
                    if entry.is_file(follow_symlinks=False):
                        yield _file_of(f"{folder.name}/{entry.name}", entry.stat(follow_symlinks=False))

    def find_file(self, name: str) -> StoredFile | None:
        try:
            return _file_of(name, self.path(name).stat(follow_symlinks=False))
        except OSError:
            return None

    def digest(self, name: str) -> str:
        """Return the sha256 of a file's content, which is read for it."""
        digest = hashlib.sha256()
        try:
            with open_input(self.path(name), SHIPPED) as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise folder_refuses(self.path(name), error) from error
        return digest.hexdigest()

    def put_file(self, name: str, content: PlannedFile, progress: Callable[[int], None]) -> None:
        """Write a file: it appears under its name whole; StalePlan if it is there."""
        goal = self.path(name)
        try:
            goal.parent.mkdir(parents=True, exist_ok=True)
            is_free = create_file(goal, FileBody(content, 0, content.size, progress), stamp=_stamp(name))
        except OSError as error:
            raise folder_refuses(goal, error) from error
        if not is_free:
            raise gone_stale(file_key(name), "was created by somebody else")

    def remove_file(self, name: str) -> None:
        path = self.path(name)
        path.unlink(missing_ok=True)
        with suppress(OSError):
            path.parent.rmdir()

    # --- Registrations and records ------------------------------------------------------------------------------------------

    def functions(self) -> Iterator[RegisteredFunction]:
        for entry in _entries(self.root / "functions"):
            if entry.name.endswith(".json") and (function := self.find_function(_name_of(entry.name))):
                yield function

    def find_function(self, folded: str) -> RegisteredFunction | None:
        form = self._read(self._function_path(folded), _FunctionForm)
        return RegisteredFunction(form.name, form.language, form.path, form.file) if form else None

    def put_function(self, function: RegisteredFunction) -> None:
        self._write(self._function_path(function.key.folded), _FunctionForm(**function._asdict()))

    def remove_function(self, folded: str) -> None:
        self._function_path(folded).unlink(missing_ok=True)

    def records(self) -> dict[str, JobRecord]:
        """Return the records of all jobs, by name."""
        names = [_name_of(entry.name) for entry in _entries(self.root / "jobs") if entry.name.endswith(".json")]
        return {name: record for name in names if (record := self.find_record(name)) is not None}

    def find_record(self, job: str) -> JobRecord | None:
        record: JobRecord | None = self._read(self._record_path(job), JobRecord)
        return record

    def put_record(self, job: str, record: JobRecord) -> None:
        self._write(self._record_path(job), record)

    def remove_record(self, job: str) -> None:
        self._record_path(job).unlink(missing_ok=True)

    def _function_path(self, folded: str) -> Path:
        return self.root / "functions" / f"{quote(folded, safe='')}.json"

    def _record_path(self, job: str) -> Path:
        return self.root / "jobs" / f"{quote(job, safe='')}.json"

    def _read(self, path: Path, form: Any) -> Any:
        try:
            content = read_input(path, SETTING)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise folder_refuses(path, error) from error
        try:
            return msgspec.json.decode(content, type=form)
        except (ValueError, RecursionError) as error:
            hint = "somebody edited it, or a newer udfs wrote it; move it away, and adopt what it is about"
            raise ServiceError("E498", f"{path} is not as udfs writes it: {error}", hint=hint) from error

    def _write(self, path: Path, form: Any) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, msgspec.json.format(msgspec.json.encode(form), indent=1) + b"\n", durable=True)
        except OSError as error:
            raise folder_refuses(path, error) from error


def form_of(job: DeployedJob) -> JobForm:
    """Return a job as its record has it."""
    fields = write_job(job)
    return JobForm(**{name: value for name, value in fields.items() if value or name in {"name", "program"}})


def _name_of(file: str) -> str:
    return unquote(file.removesuffix(".json"))


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


def _file_of(name: str, status: os.stat_result) -> StoredFile:
    return StoredFile(name, status.st_size, status.st_mtime == _stamp(name))


def _stamp(name: str) -> int:
    """Return the time of change that a file of this name is given."""
    return _EPOCH + int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % _SPAN
