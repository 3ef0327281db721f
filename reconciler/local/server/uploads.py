"""
Uploads: a resource's content from the body, from parts uploaded before, or from nowhere.

Chunked upload, as PyODPS, Java and Go do it: each part is a POST with ``rIsPart``, then a POST or PUT with ``rOpMerge``
names them. How the service answers a merge was measured by the authors of another public emulator.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.local.http.messages import HttpRefusal
from reconciler.local.server.database import RESOURCES
from reconciler.local.server.protocol import invalid, legible, missing_header, not_found
from reconciler.local.storage.blobs import EMPTY, BlobContent, Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.local.server.database import Location, Records
    from reconciler.local.server.exchange import Request
    from reconciler.local.server.service import LocalService

TOTAL_HEADER = "x-odps-resource-merge-total-bytes"
_MAX_MERGE_BODY = 8 << 20  # part names only; a guess


@dataclass(frozen=True)
class Incoming:
    """Content that is complete and checked, but that nothing refers to yet."""

    content: BlobContent
    settle: Callable[[Records], None]
    """To be called in the transaction that stores the resource."""


@contextmanager
def receive_body(service: LocalService, request: Request, *, part: bool) -> Iterator[Incoming]:
    """
    The body itself.

    ``Content-MD5`` is checked when sent; Java sends it in hex, and RFC 1864 in Base64, so either is taken. That the
    service checks it is a guess.
    """
    expected = request.header("Content-MD5")
    with service.store.blobs.upload(with_md5=not part or expected is not None) as upload:
        limit = service.settings.max_resource_bytes
        if request.body.length is not None and request.body.length > limit:
            raise _too_large(limit)
        for piece in request.body.pieces():
            if upload.size + len(piece) > limit:
                raise _too_large(limit)
            upload.write(piece)
        content = upload.finish(sync=service.settings.sync)
        _require_md5(expected, content.md5)
        yield Incoming(content, lambda rows: service.store.blobs.keep(upload, content))


def _too_large(limit: int) -> HttpRefusal:
    # The limit is documented, the answer to breaking it is a guess.
    return invalid(f"the resource is larger than {limit} bytes")


def _require_md5(expected: str | None, actual: str | None) -> None:
    if expected is None:
        return
    sent = expected.strip()
    with suppress(binascii.Error):
        sent = sent.lower() if len(sent) == 32 else base64.b64decode(sent, validate=True).hex()
    if sent != actual:
        raise invalid(f"Content-MD5 does not match, the body has {actual}")


@contextmanager
def receive_nothing(request: Request) -> Iterator[Incoming]:
    """No content: tables and volume files live elsewhere, and clients send an empty body."""
    if request.body.whole(1):
        raise invalid("a table or volume resource has no body")
    yield Incoming(EMPTY, lambda rows: None)


def require_total(request: Request) -> None:
    """The header must be there (measured); what it says is not compared with the parts (measured)."""
    if request.header(TOTAL_HEADER) is None:
        raise missing_header(TOTAL_HEADER)


@contextmanager
def merge_parts(service: LocalService, request: Request, location: Location) -> Iterator[Incoming]:
    """
    The parts named in the body, ``<md5 of the whole>|<part>,<part>…``, one after the other.

    Measured: a part that is not there is 404; a wrong MD5 is 500 and uses up the parts. Guesses: the parts are also
    used up by success, must have been uploaded as parts or be temporary, and may be none at all for an empty resource.
    """
    md5, names = _part_names(request)
    with service.store.reading() as rows:
        pieces = {name: _part(rows, location, name) for name in names}
    segments = tuple(segment for name in names for segment in pieces[name])
    if sum(segment.size for segment in segments) > service.settings.max_resource_bytes:
        raise _too_large(service.settings.max_resource_bytes)

    def use_up(rows: Records) -> None:
        for name, seen in pieces.items():
            if _part(rows, location, name) != seen:
                raise not_found("resource", name)
            rows.drop_resource(name, location)

    try:
        actual = service.store.blobs.md5(segments)  # the one pass over the bytes that a merge needs
    except FileNotFoundError:
        raise not_found("resource", ",".join(names)) from None
    if actual != md5:
        with service.store.writing() as rows:
            use_up(rows)
        raise HttpRefusal(
            500,
            "InternalServerError",
            "ODPS-0421213: Save resource error - Merge part temp files failed! "
            "Message: The merged file's signature does not match!",
        )
    yield Incoming(BlobContent(segments, md5), use_up)


def _part_names(request: Request) -> tuple[str, list[str]]:
    raw = request.body.whole(_MAX_MERGE_BODY)
    _require_md5(request.header("Content-MD5"), hashlib.md5(raw, usedforsecurity=False).hexdigest())
    try:
        md5, bar, names = raw.decode().partition("|")
    except UnicodeDecodeError:
        raise invalid("the body of a merge is not text") from None
    if not bar or len(md5) != 32:
        raise invalid(f"the body of a merge must be <md5>|<part>,<part>, not {legible(md5[:40])!r}")
    return md5.lower(), [name for name in names.split(",") if name]


def _part(rows: Records, location: Location, name: str) -> tuple[Segment, ...]:
    part = rows.find(RESOURCES, name, location)
    if part is None or not part.is_hidden:
        raise not_found("resource", name)
    return rows.segments(name, location)
