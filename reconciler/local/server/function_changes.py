"""Functions and resources as statements change and show them; the rules are those of the requests that do the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.local.http.messages import HttpRefusal
from reconciler.local.server.database import FUNCTIONS, RESOURCES, Location, StoredFunction, StoredResource
from reconciler.local.server.functions import qualified_name, read_reference, require_resources
from reconciler.local.server.protocol import already_exists, http_date, not_found, object_name
from reconciler.local.sql.problems import SqlFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.local.server.database import Records
    from reconciler.local.server.service import LocalService
    from reconciler.local.sql.catalog import TableName


@dataclass(frozen=True)
class FunctionChanges:
    """The functions of a service for one job."""

    service: LocalService
    actor: str
    changes: list[Callable[[Records], None]]
    """What is done at the job's end."""

    def _later(self, change: Callable[[Records], None]) -> None:
        def change_or_fail(rows: Records) -> None:
            try:
                change(rows)
            except HttpRefusal as refusal:
                # A statement fails by the code and the text that the request is refused with: a guess.
                raise SqlFailed(
                    refusal.message
                    if "ODPS-" in refusal.message
                    else f"ODPS-0130071:[1,1] Semantic analysis exception - {refusal.message}"
                ) from None

        self.changes.append(change_or_fail)

    def create(self, name: TableName, class_type: str, resources: Sequence[str], *, replaces: bool) -> None:
        """Register a function."""

        def change(rows: Records) -> None:
            location, now = _location(name), self.service.now()
            function = StoredFunction(
                name=object_name(name.name, "function"),
                owner=self.actor,
                class_type=class_type,
                resources=tuple(read_reference(resource, location) for resource in resources),
                extras=(),
                created=now,
                modified=now,
            )
            require_resources(self.service, rows, function)
            self.service.stale.remember(rows, FUNCTIONS, location)
            old = rows.find(FUNCTIONS, name.name, location)
            if old is not None and not replaces:
                raise already_exists("function", name.name)
            if old is None:
                rows.add(FUNCTIONS, function, location)
            else:
                kept = replace(function, name=old.name, owner=old.owner, created=old.created)
                rows.replace(FUNCTIONS, kept, location)

        self._later(change)

    def drop(self, name: TableName, *, tolerant: bool) -> None:
        """Remove a function."""

        def change(rows: Records) -> None:
            self.service.stale.remember(rows, FUNCTIONS, _location(name))
            if not rows.drop(FUNCTIONS, name.name, _location(name)) and not tolerant:
                raise not_found("function", name.name)

        self._later(change)

    def drop_resource(self, container: TableName) -> None:
        """Remove a resource."""

        def change(rows: Records) -> None:
            if rows.find(RESOURCES, container.name, _location(container)) is None:
                raise not_found("resource", container.name)
            self.service.stale.remember(rows, RESOURCES, _location(container))
            rows.drop_resource(container.name, _location(container))

        self._later(change)

    def add_table(self, container: TableName, source: str, comment: str, *, replaces: bool) -> None:
        """Make a resource that points at a table."""

        def change(rows: Records) -> None:
            location, now = _location(container), self.service.now()
            if rows.find(RESOURCES, container.name, location) is not None and not replaces:
                raise already_exists("resource", container.name)
            self.service.stale.remember(rows, RESOURCES, location)
            rows.drop_resource(container.name, location)
            resource = StoredResource(
                name=object_name(container.name, "resource"),
                owner=self.actor,
                updator=self.actor,
                type="table",
                comment=comment or None,
                source=source,
                created=now,
                modified=now,
            )
            rows.add(RESOURCES, resource, location)

        self._later(change)

    def describe(self, name: TableName) -> list[tuple[str, str]] | None:
        """Return what is known of a function, None if there is none."""
        with self.service.store.reading() as rows:
            function = rows.find(FUNCTIONS, name.name, _location(name))
        if function is None:
            return None
        return [
            ("Name", function.name),
            ("Owner", function.owner),
            ("Created Time", http_date(function.created)),
            ("Class", function.class_type or ""),
            ("Resources", ",".join(map(qualified_name, function.resources))),
        ]

    def list_functions(self, container: TableName) -> list[tuple[str, str]]:
        """Return the functions of a schema: names, and what SHOW tells of each."""
        with self.service.store.reading() as rows:
            functions = [function for _, function in rows.behind(FUNCTIONS, "", _location(container))]
        return [
            (
                function.name,
                f"{function.name}\t{function.owner}\t{function.class_type or ''}\t{','.join(map(qualified_name, function.resources))}",
            )
            for function in functions
        ]

    def list_resources(self, container: TableName) -> list[tuple[str, str]]:
        """Return the resources of a schema: names, and what SHOW tells of each."""
        with self.service.store.reading() as rows:
            resources = [resource for _, resource in rows.behind(RESOURCES, "", _location(container))]
        return [(each.name, f"{each.name}\t{each.owner}\t{each.type.upper()}") for each in resources]


def _location(name: TableName) -> Location:
    return Location(name.project, name.schema)
