"""Handlers of tenants, the Logview host, projects and schemas."""

from __future__ import annotations

import json
import zlib
from functools import partial
from typing import TYPE_CHECKING

from reconciler.local.http.messages import HttpRefusal, Response
from reconciler.local.server.database import PROJECTS, SCHEMAS, Location, StoredProject, StoredSchema
from reconciler.local.server.exchange import Request, created_response, xml_response
from reconciler.local.server.listing import answer_list
from reconciler.local.server.protocol import (
    MAX_XML_BYTES,
    already_exists,
    child_text,
    element,
    http_date,
    invalid,
    not_found,
    object_name,
    parse_xml,
    same_name,
    texts,
)
from reconciler.local.server.service import DEFAULT_SCHEMA, LocalService

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.local.server.settings import Settings


def tenant(service: LocalService, request: Request) -> Response:
    """``GET /tenants``: PyODPS asks before the first useful call. The elements are those it reads."""
    parameters = {"odps.namespace.schema": "true" if service.settings.namespace_schema else "false"}
    tenant_id = {
        "Name": "local",
        "OwnerId": "1",
        "TenantId": "1",
        # Java and Go read the first and PyODPS the second, and the first two take the data below for a text.
        "State": "NORMAL",
        "TenantState": "NORMAL",
        "CreateTime": 1,
        "UpdateTime": 1,
        "TenantMeta": "{}",
        "Parameters": parameters,
    }
    return Response(status=200, content=json.dumps({"Tenant": tenant_id}).encode(), content_type="application/json")


def logview_host(service: LocalService, request: Request) -> Response:
    """``GET /logview/host``: PyODPS asks in its constructor and takes the body as it is."""
    return Response(status=200, content=f"http://{service.host}".encode())


def tunnel_address(service: LocalService, request: Request) -> Response:
    """
    ``GET …/tunnel?service``: host and port of the tunnel, which is this server.

    The clients put ``http://`` or ``https://`` before it, and no path behind it (PyODPS, Java).
    """
    if "service" not in request.query:
        raise invalid("a tunnel has ?service, and nothing else")
    service.project(request)
    return Response(status=200, content=(request.header("Host") or service.host).encode())


def authorize(service: LocalService, request: Request) -> Response:
    """
    ``POST …/authorization``: a token for Logview's address, which nothing here asks for back, or a query of security.

    Of the queries only ``whoami`` is known here (PyODPS's `run_security_query`, odpscmd).
    """
    if "sign_bearer_token" in request.query:
        service.project(request)
        return xml_response(element("Authorization", texts(Result="local")))
    query = child_text(parse_xml(request.body.whole(MAX_XML_BYTES), root="Authorization"), "Query") or ""
    if query.strip(" ;").lower() != "whoami":
        raise invalid("the local service knows no permissions, and of the queries whoami alone")
    return who_am_i(service, request)


def who_am_i(service: LocalService, request: Request) -> Response:
    """Answer who asks. The fields are those that odpscmd prints; an id of digits is a guess."""
    project = service.project(request)
    identity = {
        "DisplayName": request.actor,
        "ID": str(zlib.crc32(request.actor.encode())),
        "ProjectName": project.name,
        "SourceIP": "127.0.0.1",
    }
    return xml_response(element("Authorization", texts(Result=json.dumps(identity))))


def list_projects(service: LocalService, request: Request) -> Response:
    """``GET /projects``: in the form of the other lists (the Ruby SDK documents it so)."""
    with service.store.reading() as rows:
        return answer_list("Projects", request, service.settings, partial(rows.behind, PROJECTS), _project_xml)


def get_project(service: LocalService, request: Request) -> Response:
    """``GET /projects/p``: owner and times are headers, the rest is the document (PyODPS)."""
    project = service.project(request)
    if "policy" in request.query:
        raise invalid("the local service knows no permissions, and no policy of a project")
    properties = _properties(service.settings, is_whole=request.query.get("properties") == "all")
    return xml_response(_project_xml(project, properties), _date_elements(project.owner, project.created))


def _properties(settings: Settings, *, is_whole: bool) -> str:
    """
    Return what a project is set to, as far as it means anything here; the names are those of ``setproject``.

    ``?properties=all`` (odpscmd) has the type of each beside it. That all are texts is a guess.
    """
    properties = {
        "odps.namespace.schema": "true" if settings.namespace_schema else "false",
        "odps.sql.timezone": "Asia/Shanghai",
        "odps.sql.udf.timeout": "600",
    }
    kind = {"Type": "STRING"} if is_whole else {}
    return "".join(element("Property", texts(Name=name, Value=value, **kind)) for name, value in properties.items())


def _project_xml(project: StoredProject, properties: str = "") -> str:
    return element(
        "Project",
        texts(Name=project.name, Comment=None, State="AVAILABLE", Owner=project.owner),
        texts(CreationTime=http_date(project.created)),
        element("Properties", properties),
    )


def _date_elements(owner: str, created: float) -> tuple[tuple[str, str], ...]:
    return (
        ("x-odps-owner", owner),
        ("x-odps-creation-time", http_date(created)),
        ("Last-Modified", http_date(created)),
    )


def list_schemas(service: LocalService, request: Request) -> Response:
    """``GET …/schemas``: as the other lists (PyODPS). That ``default`` is among them is documented."""
    project = service.project(request)
    with service.store.reading() as rows:

        def source(after: str) -> Iterable[tuple[str, StoredSchema]]:
            """The stored schemas with the built-in one in its place."""
            schemas = dict(rows.behind(SCHEMAS, after, Location(project.name)))
            if after < DEFAULT_SCHEMA:
                schemas[DEFAULT_SCHEMA] = _default(project)
            return sorted(schemas.items())

        return answer_list("Schemas", request, service.settings, source, _schema_xml)


def _default(project: StoredProject) -> StoredSchema:
    return StoredSchema(name=DEFAULT_SCHEMA, owner=project.owner, description=None, created=project.created)


def get_schema(service: LocalService, request: Request) -> Response:
    """``GET …/schemas/s``: owner and times are headers too (PyODPS reads them there)."""
    project = service.project(request)
    name = request.path[3]
    with service.store.reading() as rows:
        schema = rows.find(SCHEMAS, name, Location(project.name))
    if schema is None and same_name(name) == DEFAULT_SCHEMA:
        schema = _default(project)
    if schema is None:
        raise not_found("schema", name)
    return xml_response(_schema_xml(schema), _date_elements(schema.owner, schema.created))


def _schema_xml(schema: StoredSchema) -> str:
    date = http_date(schema.created)
    named = texts(Name=schema.name, Owner=schema.owner, Description=schema.description)
    return element("Schema", named, texts(CreateTime=date, ModifyTime=date, Type="MANAGED"))


def create_schema(service: LocalService, request: Request) -> Response:
    """``POST …/schemas`` with ``<Schema><Name/></Schema>`` (PyODPS). 409 for a name that is taken is a guess."""
    project = service.project(request)
    body = parse_xml(request.body.whole(MAX_XML_BYTES), root="Schema")
    name = object_name(child_text(body, "Name"), "schema")
    schema = StoredSchema(
        name=name, owner=request.actor, description=child_text(body, "Description"), created=service.now()
    )
    with service.store.writing() as rows:
        if same_name(name) == DEFAULT_SCHEMA or not rows.add(SCHEMAS, schema, Location(project.name)):
            raise already_exists("schema", name)
    return created_response("projects", project.name, "schemas", name)


def delete_schema(service: LocalService, request: Request) -> Response:
    """
    ``DELETE …/schemas/s`` (PyODPS).

    That ``default`` stays and that a schema must be empty are guesses; the second uses the documented 409 for objects
    in use, so that a client cannot learn to rely on a cascade.
    """
    location = Location(service.project(request).name, request.path[3])
    if same_name(location.schema) == DEFAULT_SCHEMA:
        raise invalid("the default schema cannot be deleted")
    with service.store.writing() as rows:
        if not rows.is_empty(location):
            raise HttpRefusal(409, "DeleteConflict", f"Cannot delete object which is using - schema {location.schema}")
        if not rows.drop(SCHEMAS, location.schema, location):
            raise not_found("schema", location.schema)
    return Response(status=204)
