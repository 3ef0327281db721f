"""Service context of every handler: settings, store, tables, instances and the clock."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from reconciler.local.http.messages import HttpRefusal, Response
from reconciler.local.server.database import (
    PROJECTS,
    SCHEMAS,
    Location,
    Records,
    RecordTable,
    StoredProject,
    StoredSchema,
    T,
)
from reconciler.local.server.instance_pool import Instances
from reconciler.local.server.listing import LaggingLists, answer_list
from reconciler.local.server.protocol import not_found, object_name, same_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reconciler.local.server.database import ServerStore
    from reconciler.local.server.exchange import Request
    from reconciler.local.server.settings import Settings
    from reconciler.local.server.tables import Tables
    from reconciler.local.server.tunnel_sessions import TunnelSessions

DEFAULT_SCHEMA = "default"


class LateParts:
    """Parts of a service that are imported by the first request that needs them: a plan asks for no rows."""

    def __init__(self) -> None:
        self._parts: dict[str, Any] = {}
        self._lock = threading.Lock()

    def get(self, module: str, name: str) -> Any:
        """Return the one object of a class."""
        with self._lock:
            if name not in self._parts:
                self._parts[name] = getattr(import_module(f"reconciler.local.server.{module}"), name)()
            return self._parts[name]


@dataclass(frozen=True)
class LocalService:
    """One server's switches and what it keeps."""

    settings: Settings
    store: ServerStore
    stale: LaggingLists
    host: str
    """What errors call ``HostId``, and where clients are told Logview is."""
    environment: Mapping[str, str]
    """Where CPythons are looked for: ``PATH`` and what `runner.locate` reads else."""
    instances: Instances = field(default_factory=Instances)
    late: LateParts = field(default_factory=LateParts)

    clock: Callable[[], float] = time.time
    """Seconds since 1970: what objects are dated with, and what every answer tells."""

    @property
    def tables(self) -> Tables:
        """Tables that whoever runs the server has given it."""
        part: Tables = self.late.get("tables", "Tables")
        return part

    @property
    def tunnel(self) -> TunnelSessions:
        """Uploads and downloads of rows."""
        part: TunnelSessions = self.late.get("tunnel_sessions", "TunnelSessions")
        return part

    def now(self) -> float:
        """The time new objects get; kept to the second, since every form of it on the wire is."""
        return float(int(self.clock()))

    def location(self, request: Request) -> Location:
        """
        Where a request is about: the project of its path, the schema of ``curr_schema``.

        Seen in what PyODPS sends, also across projects; ``curr_project`` is the session's project and not the target.
        """
        location = Location(self.project(request).name, request.query.get("curr_schema") or DEFAULT_SCHEMA)
        if same_name(location.schema) != DEFAULT_SCHEMA:
            with self.store.reading() as rows:
                require_schema(rows, location)
        return location

    def shown_schema(self, location: Location) -> str | None:
        """What an answer says of the schema. Java's model has the element; when the service fills it is a guess."""
        is_shown = self.settings.namespace_schema or same_name(location.schema) != DEFAULT_SCHEMA
        return location.schema if is_shown else None

    def project(self, request: Request) -> StoredProject:
        """
        The project in the path.

        Without a list of projects a name comes into being on first use, owned by whoever used it. With one, others are
        answered 404 and ODPS-0420111, which is documented.
        """
        name = object_name(request.path[1], "project")
        with self.store.reading() as rows:
            project = rows.find(PROJECTS, name)
        if project is not None:
            return project
        if self.settings.projects is not None:
            raise HttpRefusal(404, "NoSuchProject", f"ODPS-0420111: Project not found - '{name}'.")
        return self.create_project(name, request.actor)

    def create_project(self, name: str, owner: str) -> StoredProject:
        """Make sure that the project exists."""
        project = StoredProject(name=name, owner=owner, created=self.now())
        with self.store.writing() as rows:
            rows.add(PROJECTS, project)
            return rows.find(PROJECTS, name) or project

    def create_schema(self, project: str, name: str, owner: str) -> None:
        """Make sure that the project has the schema; ``default`` always is there."""
        project_record = self.create_project(project, owner)
        if same_name(name) != DEFAULT_SCHEMA:
            schema = StoredSchema(name=name, owner=owner, description=None, created=self.now())
            with self.store.writing() as rows:
                rows.add(SCHEMAS, schema, Location(project_record.name))


def require_schema(rows: Records, location: Location) -> None:
    """404 for a schema that does not exist. The status is a guess, ``default`` always exists by documentation."""
    if same_name(location.schema) != DEFAULT_SCHEMA and rows.find(SCHEMAS, location.schema, location) is None:
        raise not_found("schema", location.schema)


def existing(rows: Records, table: RecordTable[T], name: str, location: Location) -> T:
    """Return a record by its name; 404 when it, or its schema, is not there."""
    require_schema(rows, location)
    record = rows.find(table, name, location)
    if record is None:
        raise not_found(table.noun, name)
    return record


def list_records(
    service: LocalService, request: Request, table: RecordTable[T], render: Callable[[LocalService, Location, T], str]
) -> Response:
    """Answer a list of what is at the place of the request."""
    location = service.location(request)
    with service.store.reading() as rows:

        def source(after: str) -> Iterable[tuple[str, T]]:
            return service.stale.behind(rows, table, after, location)

        return answer_list(
            table.name.capitalize(), request, service.settings, source, partial(render, service, location)
        )


def hand_over(service: LocalService, request: Request, table: RecordTable[T]) -> Response:
    """``PUT …?updateowner`` with ``x-odps-owner`` and no body (PyODPS, Java). Who may do so is not modelled."""
    location, owner = service.location(request), request.required_header("x-odps-owner")
    with service.store.writing() as rows:
        record = existing(rows, table, request.path[-1], location)
        service.stale.remember(rows, table, location)
        rows.replace(table, replace(record, owner=owner), location)
    return Response(status=201)
