"""
Make one change: one object, one call, except that a large file goes up in parts.

Creating is POST, which the service refuses when the name is taken (409), so that a create can never overwrite;
replacing is PUT, always of the whole object. Files above 64 MiB are sent as temporary parts, several at a time, and
merged by the service, which checks the MD5 of the whole before the resource appears [PyODPS and Go SDK sources;
published measurements of the merge].

Between the plan and the upload a file may change. Its bytes are therefore hashed once more before the first of them is
sent: a small file is sent from the memory it was hashed in, a large one from the open file that was hashed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.sax.saxutils import escape

from reconciler.base.errors import PackageError, ServiceError
from reconciler.core.diff import Action
from reconciler.core.plan import observation
from reconciler.core.state import Live
from reconciler.engine.staleness import gone_stale
from reconciler.targets.maxcompute import read
from reconciler.targets.maxcompute.client import resource_headers
from reconciler.targets.maxcompute.names import write_comment
from reconciler.targets.maxcompute.objects import Function, Resource
from reconciler.targets.maxcompute.read import FUNCTIONS, RESOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.state import Desired
    from reconciler.targets.maxcompute.client import Client

PART_BYTES = 64 * 1024 * 1024
"""Above this a file is sent in parts, each at most this large: what PyODPS does by default."""

_PARTS_AT_ONCE = 4
_BLOCK = 1024 * 1024
_HELD_BYTES = 8 * 1024 * 1024
"""Up to this a file is read into memory and sent from there."""


def write_change(
    client: Client,
    change: Change,
    contents: Mapping[str, Path],
    progress: Callable[[int], None],
    token: Callable[[], str],
) -> Live | None:
    """
    Create, replace or delete the object of `change`; StalePlan when somebody else was there first.

    Returns what is there afterwards, where it was looked at: a function, and a resource with content.
    """
    if change.action is Action.RECORD:
        return change.live
    try:
        if change.desired is None:
            folder = FUNCTIONS if change.key.kind == "function" else RESOURCES
            client.send("delete", f"{folder}/{quote(change.key.name, safe='')}", headers={"Content-Length": "0"})
        elif isinstance(change.desired.object, Resource):
            return _resource(client, change, change.desired, contents, progress, token)
        elif isinstance(change.desired.object, Function) and change.action not in {Action.ADOPT, Action.RELEASE}:
            # Whose a function is stands in the ledger; the function itself has no place for it.
            return _function(client, change, change.desired.object)
    except ServiceError as error:
        if change.action is Action.CREATE and error.status == 409:
            raise gone_stale(change.key, "was created by somebody else") from error
        if change.action is not Action.CREATE and error.service_code == "NoSuchObject":
            raise gone_stale(change.key, "was deleted by somebody else") from error
        raise
    return None


def _function(client: Client, change: Change, function: Function) -> Live:
    # PUT replaces the whole definition: a resource left out is dropped [PyODPS models/function.py].
    names = "".join(f"<ResourceName>{escape(str(ref))}</ResourceName>" for ref in function.resources)
    body = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f"<Function><Alias>{escape(_spelling(change))}</Alias><ClassType>{escape(function.class_path)}</ClassType>"
        f"<Resources>{names}</Resources></Function>"
    ).encode()
    method, path = _verb(change, FUNCTIONS)
    client.send(method, path, headers={"Content-Type": "application/xml"}, body=body)
    # Looked at, because what was created is known from then on by the time of its creation, which no answer tells.
    registered = read.read_object(client, change.key)
    if registered is None:
        raise gone_stale(change.key, "was deleted by somebody else")
    if observation(registered) != observation(Live(function)):
        raise gone_stale(change.key, "was changed by somebody else")
    return registered


def _resource(
    client: Client,
    change: Change,
    desired: Desired,
    contents: Mapping[str, Path],
    progress: Callable[[int], None],
    token: Callable[[], str],
) -> Live | None:
    resource = desired.object
    assert isinstance(resource, Resource)
    name, mark = _spelling(change), change.mark
    comment = write_comment(resource.comment, mark, name) if mark else resource.comment
    headers = {**resource_headers(name, resource.type), "x-odps-comment": comment}
    method, path = _verb(change, RESOURCES)
    if resource.type == "table":
        headers |= {"Content-Type": "text/plain", "x-odps-copy-table-source": resource.table or ""}
        client.send(method, path, headers=headers)
        return None
    assert desired.mark is not None
    assert desired.mark.sha256 is not None
    with _open_planned(contents[desired.mark.sha256], change, desired) as source:
        if resource.size > PART_BYTES:
            parts = _parts(client, source, resource, progress, token())
            merge = {**headers, "x-odps-resource-merge-total-bytes": str(resource.size)}
            body = f"{resource.md5}|{','.join(parts)}".encode()
            client.send(method, path, headers=merge, body=body, rOpMerge="true")
        else:
            client.send(method, path, headers=headers, body=Slice(source, 0, resource.size, progress).body())
    return _intact(client, change, resource)


def _intact(client: Client, change: Change, resource: Resource) -> Live:
    """Compare what arrived with what was meant: a large file may be written to while it is sent."""
    arrived = read.read_object(client, change.key)
    if arrived is None:
        raise gone_stale(change.key, "was deleted by somebody else")
    stored = arrived.object
    assert isinstance(stored, Resource)
    # Not every version of the service is known to send Content-MD5; the size is always there.
    if (stored.md5 or resource.md5, stored.size) != (resource.md5, resource.size):
        raise ServiceError(
            "E609",
            f"{change.key} did not arrive as it was sent: the service holds {stored.size} bytes with MD5 {stored.md5}, "
            f"{resource.size} bytes with MD5 {resource.md5} were meant",
            hint="run apply again; if the file is being written by another program, wait for it",
        )
    return arrived


@contextmanager
def _open_planned(path: Path, change: Change, desired: Desired) -> Iterator[Source]:
    """
    Open the file that was planned, and see that it still is: E402 if not, and then nothing is sent.

    The path has no symbolic link at its end; one that is there now was put there since and is not followed.
    """
    resource = desired.object
    assert isinstance(resource, Resource)
    assert desired.mark is not None

    def refuse_changed(how: str = "changed") -> PackageError:
        message = f"the file of {change.key} {how} since the plan was made: {path}"
        return PackageError("E402", message, hint="run the command again and look at the new plan", at=desired.origin)

    try:
        # A pipe is opened without waiting for its writer, and refused.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise refuse_changed("became a symbolic link") from error
        message = f"the file of {change.key} cannot be read any more: {path}: {error.strerror}"
        raise PackageError("E305", message, at=desired.origin) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size != resource.size:
            raise refuse_changed()
        source = _source(descriptor, resource.size, refuse_changed)
        if source.sha256(resource.size) != desired.mark.sha256:
            raise refuse_changed()
        yield source
    finally:
        os.close(descriptor)


def _source(descriptor: int, size: int, changed: Callable[[], PackageError]) -> Source:
    """Return the bytes of an open file, held in memory if they are few."""
    source = Source(lambda offset, length: os.pread(descriptor, length, offset), changed)
    if size > _HELD_BYTES:
        return source
    held = b"".join(source.blocks(0, size))
    return Source(lambda offset, length: held[offset : offset + length], changed)


@dataclass(frozen=True)
class Source:
    """Bytes to send, and the error for there being fewer of them than there were."""

    read: Callable[[int, int], bytes]
    """Return up to so many bytes from an offset; may be called from several threads."""

    changed: Callable[[], PackageError]

    def blocks(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield a stretch in pieces: all of it, or an error instead of a service that waits for the rest."""
        while length:
            block = self.read(offset, min(_BLOCK, length))
            if not block:
                raise self.changed()
            offset, length = offset + len(block), length - len(block)
            yield block

    def sha256(self, size: int) -> str:
        digest = hashlib.sha256()
        for block in self.blocks(0, size):
            digest.update(block)
        return digest.hexdigest()


def _parts(
    client: Client, source: Source, resource: Resource, progress: Callable[[int], None], token: str
) -> tuple[str, ...]:
    """Send a file in temporary parts and return their names; on failure take back what was sent."""
    offsets = range(0, resource.size, PART_BYTES)
    names = [f"{resource.name}.part.tmp.{token}.{index:06d}" for index in range(len(offsets))]

    def send(name: str, offset: int) -> None:
        piece = Slice(source, offset, min(PART_BYTES, resource.size - offset), progress)
        headers = {**resource_headers(name, "file"), "x-odps-resource-istemp": "true"}
        client.send("post", RESOURCES, headers=headers, body=piece.body(), rIsPart="true")

    with ThreadPoolExecutor(_PARTS_AT_ONCE) as pool:
        sent = [pool.submit(send, name, offset) for name, offset in zip(names, offsets, strict=True)]
        try:
            for part in sent:
                part.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            for name in names:
                # Parts are temporary and hidden; what cannot be removed now, the service removes in time.
                with suppress(ServiceError):
                    client.send("delete", f"{RESOURCES}/{quote(name, safe='')}", headers={"Content-Length": "0"})
            raise
    return tuple(names)


def _spelling(change: Change) -> str:
    # The service keeps the first spelling of a name, so a replacement is addressed by that one.
    source = change.live or change.desired
    assert source is not None
    return source.object.name


def _verb(change: Change, folder: str) -> tuple[str, str]:
    if change.action is Action.CREATE:
        return "post", folder
    return "put", f"{folder}/{quote(_spelling(change), safe='')}"


@dataclass(frozen=True)
class Slice:
    """A stretch of a source as the body of a request: its length is known, its bytes are read as they are sent."""

    source: Source
    offset: int
    length: int
    progress: Callable[[int], None]

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[bytes]:
        for block in self.source.blocks(self.offset, self.length):
            yield block
            self.progress(len(block))

    def body(self) -> Slice | bytes:
        """Return what to hand to requests, which sends an empty iterable chunked instead of with a length of 0."""
        return self if self.length else b""
