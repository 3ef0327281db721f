"""
Resources: create, replace, read, list, delete.

The requests are those of PyODPS and of the Java and Go SDKs. Where a docstring says no more, what is answered is what
those clients and their recorded fixtures need.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from reconciler.local.http.messages import HttpRefusal, Response, Span
from reconciler.local.server.database import FUNCTIONS, RESOURCES, StoredResource
from reconciler.local.server.exchange import Request, created_response
from reconciler.local.server.protocol import (
    already_exists,
    element,
    http_date,
    invalid,
    missing_header,
    object_name,
    same_name,
    texts,
)
from reconciler.local.server.service import existing, hand_over, list_records, require_schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from reconciler.local.server.database import Location, Records
    from reconciler.local.server.service import LocalService
    from reconciler.local.server.uploads import Incoming
    from reconciler.local.storage.blobs import BlobContent, Segment

FILE_TYPES = frozenset({"file", "py", "jar", "archive"})
VOLUME_TYPES = frozenset({"volumefile", "volumearchive"})
_SOURCES = {"table": "x-odps-copy-table-source", **dict.fromkeys(VOLUME_TYPES, "x-odps-copy-file-source")}
_GO_SPELLINGS = {"volume_file": "volumefile", "volume_archive": "volumearchive"}
_REOPENED = 5  # times a content may be replaced between looking it up and opening it


@dataclass(frozen=True, kw_only=True)
class ResourceHeaders:
    """What the headers of a write say; None stands for a header that was not sent."""

    type: str | None
    comment: str | None
    temporary: bool | None
    source: str | None
    """The table or the volume file that the resource points at."""

    @classmethod
    def by(cls, request: Request, type_before: str | None = None) -> ResourceHeaders:
        """Read the headers."""
        kind = request.header("x-odps-resource-type")
        if kind is not None:
            spelled, kind = kind, _GO_SPELLINGS.get(kind.lower(), kind.lower())
            if kind not in FILE_TYPES | VOLUME_TYPES | {"table"}:
                raise invalid(f"resource type {spelled!r}")
        temporary = request.header("x-odps-resource-istemp")
        header = _SOURCES.get(kind or type_before or "")
        return cls(
            type=kind,
            comment=request.header("x-odps-comment"),
            temporary=None if temporary is None else temporary.lower() == "true",
            source=request.required_header(header) if header else None,
        )


def create_resource(service: LocalService, request: Request) -> Response:
    """
    ``POST …/resources``: a new resource, named by ``x-odps-resource-name``; 409 when its name is taken.

    The conflict is measured for merges, where it comes before the parts are looked at, and taken to be the same for
    other creates (documented: POST creates, PUT replaces). 201 on every write: the Go SDK accepts nothing else.
    """
    location = service.location(request)
    described = ResourceHeaders.by(request)
    name = object_name(request.required_header("x-odps-resource-name"), "resource")
    if described.type is None:
        raise missing_header("x-odps-resource-type")
    _check_sources(service, request, described)
    with service.store.reading() as rows:  # before the body, so that nothing is uploaded in vain
        _require_free(rows, location, name, request)
    with _incoming(service, request, location, described.type) as incoming, service.store.writing() as rows:
        # Decided again here, in the write: of two creates of one name exactly one succeeds, whichever process serves it.
        _require_free(rows, location, name, request)
        service.stale.remember(rows, RESOURCES, location)
        rows.drop_resource(name, location)
        now, actor = service.now(), request.actor
        part = request.flag("rIsPart")
        updator = actor if service.settings.updater_of_new == "creator" else ""
        blank = StoredResource(
            name=name, owner=actor, updator=updator, type=described.type, part=part, created=now, modified=now
        )
        new = _over(blank, described, incoming.content, service, updator, now)
        rows.add(RESOURCES, new, location)
        rows.set_segments(name, location, incoming.content.segments)
        incoming.settle(rows)
    return created_response("projects", location.project, "resources", name)


def _incoming(
    service: LocalService, request: Request, location: Location, kind: str
) -> AbstractContextManager[Incoming]:
    from reconciler.local.server import uploads  # a plan uploads nothing

    if kind not in FILE_TYPES:
        return uploads.receive_nothing(request)
    if request.flag("rOpMerge"):
        return uploads.merge_parts(service, request, location)
    return uploads.receive_body(service, request, part=request.flag("rIsPart"))


def _check_sources(service: LocalService, request: Request, described: ResourceHeaders) -> None:
    # Measured: a table that does not exist is 404 and ODPS-0422111. Tables are not part of this server: see
    # `Settings.tables`.
    if request.flag("rOpMerge"):
        from reconciler.local.server.uploads import require_total

        require_total(request)
    if described.type == "table" and service.settings.tables is not None and described.source is not None:
        table = table_of(described.source)
        if same_name(table) not in map(same_name, service.settings.tables):
            raise HttpRefusal(404, "NoSuchObject", f"ODPS-0422111: Table not found - {table}")


def table_of(source: str) -> str:
    """Return the name of the table that a table resource points at."""
    return source.split(" partition(")[0].replace("`", "").strip()


def _require_free(rows: Records, location: Location, name: str, request: Request) -> None:
    # A part may be sent again under its name, as Java does when it retries; nothing else may.
    require_schema(rows, location)
    old = rows.find(RESOURCES, name, location)
    if old is not None and not (request.flag("rIsPart") and old.is_hidden):
        raise already_exists("resource", name)


def update_resource(service: LocalService, request: Request) -> Response:
    """
    ``PUT …/resources/<name>``: new content, or with ``?updateowner`` a new owner.

    Everything is new but the spelling of the name, the owner and the time of creation. Documented: the first spelling
    stays. That a resource must exist is how odpscmd's ``add -f`` works (PUT, and POST after NoSuchObject). The status of
    a plain PUT, comments and types are switches in `Settings`.
    """
    if "updateowner" in request.query:
        return hand_over(service, request, RESOURCES)
    location, name = service.location(request), request.path[3]
    with service.store.reading() as rows:
        old = existing(rows, RESOURCES, name, location)
    described = ResourceHeaders.by(request, old.type)
    _check_sources(service, request, described)
    kind = described.type or old.type
    with _incoming(service, request, location, kind) as incoming, service.store.writing() as rows:
        old = existing(rows, RESOURCES, name, location)
        new = _over(old, described, incoming.content, service, request.actor, service.now())
        service.stale.remember(rows, RESOURCES, location)
        rows.replace(RESOURCES, new, location)
        rows.set_segments(name, location, incoming.content.segments)
        incoming.settle(rows)
    return Response(status=201 if request.flag("rOpMerge") else service.settings.plain_put_status)


def _over(
    old: StoredResource,
    described: ResourceHeaders,
    content: BlobContent,
    service: LocalService,
    updator: str,
    now: float,
) -> StoredResource:
    """`old` with what a write says about it."""
    kind = described.type or old.type
    if kind != old.type and not service.settings.allow_type_change_on_put:
        raise invalid(f"resource '{old.name}' is of type {old.type}, not {kind}")
    keep_comment = described.comment is None and service.settings.put_without_comment == "keep"
    return replace(
        old,
        updator=updator,
        type=kind,
        comment=old.comment if keep_comment else described.comment or None,
        temporary=old.temporary if described.temporary is None else described.temporary,
        size=content.size,
        md5=content.md5,
        source=described.source,
        modified=now,
    )


def read_resource(service: LocalService, request: Request) -> Response:
    """``GET …/resources/<name>``: the content; with ``?meta``, or by HEAD as old clients do, everything else."""
    location, name = service.location(request), request.path[3]
    if request.method == "HEAD" or "meta" in request.query:
        return _meta(service, location, name)
    return _content(service, request, location, name)


def _meta(service: LocalService, location: Location, name: str) -> Response:
    # All in headers (PyODPS, Java). `Content-MD5` is in hex; that the service always sends it is not certain.
    with service.store.reading() as rows:
        resource = existing(rows, RESOURCES, name, location)
        segments = rows.segments(name, location)
    optional = (
        (_SOURCES.get(resource.type, ""), resource.source if resource.type in _SOURCES else None),
        ("Content-MD5", resource.md5 or _late_md5(service, segments) if resource.type in FILE_TYPES else None),
        ("schema-name", service.shown_schema(location)),
    )
    always = (
        ("x-odps-owner", resource.owner),
        ("x-odps-comment", resource.comment or ""),
        ("x-odps-updator", resource.updator),
        ("x-odps-resource-type", resource.type),
        ("x-odps-resource-name", resource.name),
        ("x-odps-resource-size", str(resource.size)),
        ("x-odps-resource-istemp", "true" if resource.temporary else "false"),
        ("x-odps-creation-time", http_date(resource.created)),
        ("Last-Modified", http_date(resource.modified)),
    )
    return Response(status=200, headers=always + tuple((name, value) for name, value in optional if value is not None))


def _late_md5(service: LocalService, segments: tuple[Segment, ...]) -> str | None:
    # A part is hashed when somebody asks after all.
    try:
        return service.store.blobs.md5(segments)
    except FileNotFoundError:
        return None


def _content(service: LocalService, request: Request, location: Location, name: str) -> Response:
    # `?rOffset=&rSize=` is a stretch of it; `x-odps-resource-has-remaining` says whether more follows (PyODPS).
    offset, count = request.number("rOffset") or 0, request.number("rSize")
    resource, segments, files = _open_content(service, location, name)
    start = min(offset, resource.size)
    end = resource.size if count is None else min(start + count, resource.size)
    spans = tuple(_spans(segments, files, start, end))
    for file in set(files) - {span.file for span in spans}:
        file.close()
    headers = (
        ("x-odps-resource-has-remaining", "true" if end < resource.size else "false"),
        ("Content-Disposition", f"attachment;filename={resource.name}"),
        ("Last-Modified", http_date(resource.modified)),
    )
    return Response(status=200, spans=spans, headers=headers, content_type="application/octet-stream")


def _open_content(
    service: LocalService, location: Location, name: str
) -> tuple[StoredResource, tuple[Segment, ...], list[BinaryIO]]:
    """Look it up and open it. A PUT in between takes the old content away; then look again."""
    for _ in range(_REOPENED):
        with service.store.reading() as rows:
            resource, segments = existing(rows, RESOURCES, name, location), rows.segments(name, location)
        if resource.type not in FILE_TYPES:
            raise invalid(f"a {resource.type} resource has no content of its own")
        try:
            return resource, segments, service.store.blobs.open(segments)
        except FileNotFoundError:
            continue
    raise HttpRefusal(500, "InternalServerError", f"ODPS-0010000: The content of resource {name} is missing")


def _spans(segments: tuple[Segment, ...], files: list[BinaryIO], start: int, end: int) -> Iterator[Span]:
    """The stretches of the segments between `start` and `end` of the whole."""
    position = 0
    for segment, file in zip(segments, files, strict=True):
        first, last = max(start, position), min(end, position + segment.size)
        if first < last:
            yield Span(file, first - position, last - first)
        position += segment.size


def list_resources(service: LocalService, request: Request) -> Response:
    """``GET …/resources``: without temporary ones and parts (Java's tests), and without any MD5 (recorded lists)."""
    return list_records(service, request, RESOURCES, _entry)


def _entry(service: LocalService, location: Location, resource: StoredResource) -> str:
    schema = service.shown_schema(location)
    return element(
        "Resource",
        texts(Name=resource.name, Owner=resource.owner, LastUpdator=resource.updator, Comment=resource.comment),
        texts(ResourceType=resource.type, LocalPath=None, CreationTime=http_date(resource.created)),
        texts(LastModifiedTime=http_date(resource.modified), ResourceSize=resource.size),
        texts(TableName=resource.source) if resource.type == "table" else "",
        texts(SchemaName=schema) if schema else "",
    )


def delete_resource(service: LocalService, request: Request) -> Response:
    """``DELETE …/resources/<name>``: 204, or 404. Refusing it for a resource in use is a switch in `Settings`."""
    location, name = service.location(request), request.path[3]
    with service.store.writing() as rows:
        existing(rows, RESOURCES, name, location)
        if service.settings.refuse_delete_of_used_resource and _is_named(rows, location, name):
            raise HttpRefusal(409, "DeleteConflict", f"Cannot delete object which is using - resource {name}")
        service.stale.remember(rows, RESOURCES, location)
        rows.drop_resource(name, location)
    return Response(status=204)


def _is_named(rows: Records, location: Location, name: str) -> bool:
    """Whether any function, of whatever project, names the resource."""
    sought = (*location.keys, same_name(name))
    return any(
        (*reference.location.keys, same_name(reference.name)) == sought
        for function in rows.each(FUNCTIONS)
        for reference in function.resources
    )
