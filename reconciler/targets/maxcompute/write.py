"""
Make one change: one object, one call, except that a large file goes up in parts.

Creating is POST, which the service refuses when the name is taken (409), so that a create can never overwrite;
replacing is PUT, always of the whole object. Files above 64 MiB are sent as temporary parts, several at a time, and
merged by the service, which checks the MD5 of the whole before the resource appears [PyODPS and Go SDK sources;
published measurements of the merge].
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.sax.saxutils import escape

from reconciler.base.errors import ServiceError
from reconciler.core.diff import Action
from reconciler.core.plan import observation
from reconciler.core.state import Live
from reconciler.engine.staleness import gone_stale
from reconciler.targets.maxcompute import read
from reconciler.targets.maxcompute.client import resource_headers
from reconciler.targets.maxcompute.names import write_comment
from reconciler.targets.maxcompute.objects import Function, Resource
from reconciler.targets.maxcompute.read import FUNCTIONS, RESOURCES
from reconciler.targets.planned_files import arrived_otherwise, open_planned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.state import Desired
    from reconciler.targets.maxcompute.client import Client
    from reconciler.targets.planned_files import PlannedFile

PART_BYTES = 64 * 1024 * 1024
"""Above this a file is sent in parts, each at most this large: what PyODPS does by default."""

_PARTS_AT_ONCE = 4


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
    with open_planned(contents, desired) as file:
        if resource.size > PART_BYTES:
            parts = _parts(client, file, resource, progress, token())
            merge = {**headers, "x-odps-resource-merge-total-bytes": str(resource.size)}
            body = f"{resource.md5}|{','.join(parts)}".encode()
            client.send(method, path, headers=merge, body=body, rOpMerge="true")
        else:
            client.send(method, path, headers=headers, body=file.body(progress))
    return _intact(client, change, resource)


def _intact(client: Client, change: Change, resource: Resource) -> Live:
    """Compare what arrived with what was meant."""
    arrived = read.read_object(client, change.key)
    if arrived is None:
        raise gone_stale(change.key, "was deleted by somebody else")
    stored = arrived.object
    assert isinstance(stored, Resource)
    # Not every version of the service is known to send Content-MD5; the size is always there.
    if (stored.md5 or resource.md5, stored.size) != (resource.md5, resource.size):
        held, meant = (f"{each.size} bytes with MD5 {each.md5}" for each in (stored, resource))
        raise arrived_otherwise(change.key, held, meant)
    return arrived


def _parts(
    client: Client, file: PlannedFile, resource: Resource, progress: Callable[[int], None], token: str
) -> tuple[str, ...]:
    """Send a file in temporary parts and return their names; on failure take back what was sent."""
    offsets = range(0, resource.size, PART_BYTES)
    names = [f"{resource.name}.part.tmp.{token}.{index:06d}" for index in range(len(offsets))]

    def send(name: str, offset: int) -> None:
        body = file.body(progress, offset, min(PART_BYTES, resource.size - offset))
        headers = {**resource_headers(name, "file"), "x-odps-resource-istemp": "true"}
        client.send("post", RESOURCES, headers=headers, body=body, rIsPart="true")

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
