"""
Functions: create, get, replace, list, delete.

The requests are those of PyODPS and the Java SDK, the documents those of the Ruby SDK's recorded answers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.local.http.messages import Response
from reconciler.local.server.database import FUNCTIONS, RESOURCES, Location, StoredFunction, StoredReference
from reconciler.local.server.exchange import Request, created_response, xml_response
from reconciler.local.server.protocol import (
    MAX_XML_BYTES,
    already_exists,
    child_text,
    element,
    http_date,
    invalid,
    invalid_xml,
    not_found,
    object_name,
    parse_xml,
    same_name,
    text_element,
    texts,
)
from reconciler.local.server.service import DEFAULT_SCHEMA, existing, hand_over, list_records, require_schema

if TYPE_CHECKING:
    from reconciler.local.server.database import Records
    from reconciler.local.server.service import LocalService

# What only SQL and embedded functions have (PyODPS, Java). Kept as sent: SQL that makes them is not part of this server.
EXTRAS = ("IsSqlFunction", "SqlDefinitionText", "IsEmbeddedFunction", "ProgramLanguage", "Code", "FileName")


def create_function(service: LocalService, request: Request) -> Response:
    """
    ``POST …/registration/functions``: a new function; 409 when its name is taken.

    The service does not look for the module or the class (Java's tests register nonsense). The conflict's status is
    taken to be that of resources; whether resources must exist is a switch in `Settings`.
    """
    location = service.location(request)
    function = _parse_function(service, request, location, None)
    with service.store.writing() as rows:
        require_schema(rows, location)
        require_resources(service, rows, function)
        if rows.find(FUNCTIONS, function.name, location) is not None:
            raise already_exists("function", function.name)
        service.stale.remember(rows, FUNCTIONS, location)
        rows.add(FUNCTIONS, function, location)
    return created_response("projects", location.project, "registration", "functions", function.name)


def _parse_function(service: LocalService, request: Request, location: Location, name: str | None) -> StoredFunction:
    """
    The function that the body describes, as if it were new.

    A body whose ``Alias`` contradicts the path is refused: a guess, but it can only be a client's mistake.
    """
    body = parse_xml(request.body.whole(MAX_XML_BYTES), root="Function")
    alias = child_text(body, "Alias") or name
    if name is not None and same_name(alias or "") != same_name(name):
        raise invalid(f"the function is named '{name}' in the path and '{alias}' in the body")
    extras = tuple((tag, value) for tag in EXTRAS if (value := body.findtext(tag)) is not None)
    class_type = child_text(body, "ClassType")
    is_inline = any(tag.startswith("Is") and value.strip().lower() == "true" for tag, value in extras)
    if class_type is None and not is_inline:
        raise invalid_xml("<ClassType> is missing")
    now = service.now()
    # In the order given, which is the order in which the worker meets them.
    names = [(resource.text or "").strip() for resource in body.findall("Resources/ResourceName")]
    return StoredFunction(
        name=object_name(alias, "function"),
        owner=request.actor,
        class_type=class_type,
        resources=tuple(read_reference(name, location) for name in names),
        extras=extras,
        created=now,
        modified=now,
    )


def read_reference(name: str, location: Location) -> StoredReference:
    # `res`, `project/resources/res` or `project/schemas/schema/resources/res` (PyODPS).
    match name.split("/"):
        case [resource]:
            match = StoredReference(location.project, location.schema, resource)
        case [project, "resources", resource]:
            match = StoredReference(project, DEFAULT_SCHEMA, resource)
        case [project, "schemas", schema, "resources", resource]:
            match = StoredReference(project, schema, resource)
        case _:
            raise invalid(f"resource reference {name!r}")
    for part in (match.project, match.schema, match.name):
        object_name(part, "resource")
    return match


def require_resources(service: LocalService, rows: Records, function: StoredFunction) -> None:
    # Not settled whether the service does this: see `Settings.functions_check_resources`.
    if not service.settings.functions_check_resources:
        return
    for reference in function.resources:
        if rows.find(RESOURCES, reference.name, reference.location) is None:
            raise not_found("resource", qualified_name(reference))


def qualified_name(reference: StoredReference) -> str:
    # How a function's resources come back: always with their project (recorded answers, PyODPS's tests).
    if same_name(reference.schema) == DEFAULT_SCHEMA:
        return f"{reference.project}/resources/{reference.name}"
    return f"{reference.project}/schemas/{reference.schema}/resources/{reference.name}"


def update_function(service: LocalService, request: Request) -> Response:
    """
    ``PUT …/registration/functions/<name>``: a new definition, or with ``?updateowner`` a new owner.

    The whole definition is new: what the body leaves out is gone (there is no PATCH in any client).

    The spelling, the owner and the time of creation stay; 404 for a function that does not exist is how odpscmd's
    ``create function -f`` works. The status is a guess.
    """
    if "updateowner" in request.query:
        return hand_over(service, request, FUNCTIONS)
    location, name = service.location(request), request.path[4]
    new = _parse_function(service, request, location, name)
    with service.store.writing() as rows:
        old = existing(rows, FUNCTIONS, name, location)
        require_resources(service, rows, new)
        service.stale.remember(rows, FUNCTIONS, location)
        new = replace(new, name=old.name, owner=old.owner, created=old.created)
        rows.replace(FUNCTIONS, new, location)
    return Response(status=201)


def read_function(service: LocalService, request: Request) -> Response:
    """``GET …/registration/functions/<name>``: the same element as in the list."""
    location = service.location(request)
    with service.store.reading() as rows:
        function = existing(rows, FUNCTIONS, request.path[4], location)
    return xml_response(_entry(service, location, function))


def list_functions(service: LocalService, request: Request) -> Response:
    """``GET …/registration/functions``: whole entries, class and resources included (recorded lists)."""
    return list_records(service, request, FUNCTIONS, _entry)


def _entry(service: LocalService, location: Location, function: StoredFunction) -> str:
    # There is no time of change and no updater: no client knows of one.
    resources = (text_element("ResourceName", qualified_name(reference)) for reference in function.resources)
    schema = service.shown_schema(location)
    return element(
        "Function",
        texts(Alias=function.name, Owner=function.owner, ClassType=function.class_type),
        texts(CreationTime=http_date(function.created)),
        element("Resources", *resources),
        texts(SchemaName=schema) if schema else "",
        texts(**dict(function.extras)),
    )


def delete_function(service: LocalService, request: Request) -> Response:
    """``DELETE …/registration/functions/<name>``: 204, or 404."""
    location = service.location(request)
    with service.store.writing() as rows:
        existing(rows, FUNCTIONS, request.path[4], location)
        service.stale.remember(rows, FUNCTIONS, location)
        rows.drop(FUNCTIONS, request.path[4], location)
    return Response(status=204)
