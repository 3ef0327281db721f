"""
Bucket of a workspace: what a stack has there, below ``artifacts/namespaces/NAMESPACE/udfs/STACK/``.

Files lie under their content's digest and are created, never written over. What else is remembered has its whole text in its key, so that one
listing tells everything: registrations of functions, and which entries of the ledger there are. Definitions of jobs, as far as a deployment
does not show them, are small documents by their digest.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

import msgspec

from reconciler.base.errors import ServiceError
from reconciler.engine.ledger import epoch_of
from reconciler.engine.staleness import gone_stale
from reconciler.targets.flink.folder import form_of
from reconciler.targets.flink.objects import JobForm, RegisteredFunction, file_key, read_job
from reconciler.targets.oss import OssEntries

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.targets.flink.objects import DeployedJob
    from reconciler.targets.oss import OssClient
    from reconciler.targets.planned_files import PlannedFile

_SCHEME = "oss://"
_JSON_BYTES = 1 << 20


class StackListing(NamedTuple):
    """What one listing tells of a stack."""

    files: dict[str, int]
    """Names, as ``3fa9c1d2/udfs.py``, with their sizes in bytes."""

    functions: tuple[RegisteredFunction, ...]
    epochs: tuple[int, ...]


@dataclass(frozen=True)
class StackLayout:
    """Where a stack lies in a bucket. Pure."""

    bucket: str
    namespace: str
    stack: str

    @property
    def base(self) -> str:
        return f"artifacts/namespaces/{self.namespace}/udfs/{self.stack}/"

    @property
    def ledger(self) -> str:
        return f"{self.base}ledger/"

    def file_key(self, name: str) -> str:
        return f"{self.base}files/{name}"

    def program_key(self, job: str, digest: str) -> str:
        """Return the key of the head of a job's program, whose name no module of a user has: it would run itself."""
        return f"{self.base}programs/{quote(job, safe='')}/{digest}/udfs_head.py"

    def definition_key(self, job: str, digest: str) -> str:
        return f"{self.base}definitions/{quote(job, safe='')}/{digest}.json"

    def uri(self, key: str) -> str:
        return f"{_SCHEME}{self.bucket}/{key}"

    def file_uri(self, name: str) -> str:
        return self.uri(self.file_key(name))

    def file_of(self, uri: str) -> str:
        """Return the name of a file of ours by its address; of another the address itself."""
        start = self.uri(f"{self.base}files/")
        return uri.removeprefix(start)


@dataclass(frozen=True)
class StackBucket:
    """A stack's part of a bucket."""

    client: OssClient
    """Its bucket's prefix is that of the ledger."""

    layout: StackLayout
    _definitions: dict[tuple[str, str], DeployedJob | None] = field(default_factory=dict, repr=False)

    @property
    def entries(self) -> OssEntries:
        return OssEntries(self.client)

    def list_all(self) -> StackListing:
        """Return everything, by one listing."""
        base, files, functions, epochs = self.layout.base, {}, [], []
        for key, size in self.client.entries(base):
            room, _, name = key.removeprefix(base).partition("/")
            if room == "files" and name.count("/") == 1:
                files[name] = size
            elif room == "functions" and (function := _function_of(name)):
                functions.append(function)
            elif room == "ledger" and (epoch := epoch_of(name, self.layout.stack)) is not None:
                epochs.append(epoch)
        return StackListing(files, tuple(functions), tuple(sorted(epochs)))

    # --- Files --------------------------------------------------------------------------------------------------------------

    def find_file(self, name: str) -> int | None:
        """Return the size of a file, or None."""
        key = self.layout.file_key(name)
        return next((size for each, size in self.client.entries(key) if each == key), None)

    def put_file(self, name: str, content: PlannedFile, progress: Callable[[int], None]) -> None:
        """Create a file; StalePlan if it is there."""
        try:
            self.client.put(self.layout.file_key(name), content.body(progress), only_create=True)
        except ServiceError as error:
            if error.status == 409:
                raise gone_stale(file_key(name), "was created by somebody else") from error
            raise

    def digest(self, name: str) -> str:
        """Return the sha256 of a file's content, which is fetched for it."""
        digest = hashlib.sha256()
        for block in self.client.fetch(self.layout.file_key(name)):
            digest.update(block)
        return digest.hexdigest()

    def download(self, name: str, destination: Path) -> None:
        with destination.open("wb") as out:
            for block in self.client.fetch(self.layout.file_key(name)):
                out.write(block)

    def fetch_text(self, name: str) -> str:
        """Return the text of a file."""
        return b"".join(self.client.fetch(self.layout.file_key(name))).decode("utf-8")

    def remove_file(self, name: str) -> None:
        self.client.delete(self.layout.file_key(name))

    # --- Functions ----------------------------------------------------------------------------------------------------------

    def find_function(self, folded: str) -> RegisteredFunction | None:
        base = f"{self.layout.base}functions/"
        functions = (
            _function_of(key.removeprefix(base)) for key in self.client.keys(f"{base}{quote(folded, safe='')}/")
        )
        return next(filter(None, functions), None)

    def put_function(self, function: RegisteredFunction) -> None:
        """Write a registration, and then remove what it was before."""
        key = self._function_key(function)
        self.client.put(key, b"")
        folder = f"{self.layout.base}functions/{quote(function.key.folded, safe='')}/"
        for other in [other for other in self.client.keys(folder) if other != key]:
            self.client.delete(other)

    def remove_function(self, folded: str) -> None:
        for key in list(self.client.keys(f"{self.layout.base}functions/{quote(folded, safe='')}/")):
            self.client.delete(key)

    def _function_key(self, function: RegisteredFunction) -> str:
        parts = (function.key.folded, function.name, function.language, function.path, function.file)
        return f"{self.layout.base}functions/{'/'.join(quote(part, safe='') for part in parts)}"

    # --- Jobs ---------------------------------------------------------------------------------------------------------------

    def remember(self, job: DeployedJob, digest: str) -> None:
        """Take in a definition that is known from elsewhere, so that it need not be fetched."""
        self._definitions[job.name, digest] = job

    def definition(self, job: str, digest: str) -> DeployedJob | None:
        """Return what a job of a digest is made of; None where nobody wrote that down."""
        if (job, digest) not in self._definitions:
            content = self.client.get(self.layout.definition_key(job, digest))
            self._definitions[job, digest] = _read_definition(content)
        return self._definitions[job, digest]

    def put_definition(self, job: DeployedJob, digest: str) -> None:
        content = msgspec.json.encode(form_of(job))
        self.client.put(self.layout.definition_key(job.name, digest), content)
        self.remember(job, digest)

    def put_program(self, job: str, digest: str, text: str) -> str:
        """Write the head of a program, and return its address."""
        content, key = text.encode(), self.layout.program_key(job, digest)
        self.client.put(key, content)
        return self.layout.uri(key)

    def remove_traces(self, job: str, *digests: str) -> None:
        """Remove definitions and heads of a job, but for those of some digests, each of a head of its own."""
        for room in ("definitions", "programs"):
            folder = f"{self.layout.base}{room}/{quote(job, safe='')}/"
            for key in list(self.client.keys(folder)):
                if key.removeprefix(folder).partition("/")[0].removesuffix(".json") not in digests:
                    self.client.delete(key)


def _function_of(text: str) -> RegisteredFunction | None:
    parts = [unquote(part) for part in text.split("/")]
    return RegisteredFunction(*parts[1:]) if len(parts) == 5 else None


def _read_definition(content: bytes | None) -> DeployedJob | None:
    if content is None or len(content) > _JSON_BYTES:
        return None
    try:
        return read_job(msgspec.json.decode(content, type=JobForm))
    except (ValueError, RecursionError):
        # Somebody edited it: the job is then one of which nothing is known, and is written anew.
        return None
