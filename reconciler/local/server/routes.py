"""Routing table: the handler of each path and method."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING
from urllib.parse import unquote

from reconciler.local.http.messages import HttpRefusal
from reconciler.local.http.request import match_route
from reconciler.local.server import functions, resources
from reconciler.local.server.protocol import invalid, legible, object_name

if TYPE_CHECKING:
    from reconciler.local.http.messages import Response
    from reconciler.local.server.exchange import Request
    from reconciler.local.server.service import LocalService

Handler = Callable[["LocalService", "Request"], "Response"]


@dataclass(frozen=True)
class LateHandler:
    """A handler whose module is imported by the first request: a plan asks for no SQL and for no rows."""

    module: str
    name: str

    def resolve(self) -> Handler:
        """Import the handler."""
        handler: Handler = getattr(import_module(f"reconciler.local.server.{self.module}"), self.name)
        return handler

    def __call__(self, service: LocalService, request: Request) -> Response:
        """Answer a request."""
        return self.resolve()(service, request)


_TABLE: Mapping[str, Handler] = {
    "GET": LateHandler("table_tunnel", "get_table"),
    "POST": LateHandler("table_tunnel", "post_table"),
    "PUT": LateHandler("table_tunnel", "put_block"),
}
_PREVIEW: Mapping[str, Handler] = {"GET": LateHandler("table_tunnel", "preview")}


def _catalog(handler: str) -> Mapping[str, Handler]:
    return {"GET": LateHandler("catalog_api", handler)}


_CATALOG = ("catalog", "v1alpha", "projects")
_TABLES_OF_CATALOG = (*_CATALOG, None, "schemas", None, "tables")

# In a pattern None stands for any one name.
ROUTES: Mapping[tuple[str | None, ...], Mapping[str, Handler]] = {
    ("tenants",): {"GET": LateHandler("projects", "tenant")},
    ("logview", "host"): {"GET": LateHandler("projects", "logview_host")},
    ("projects",): {"GET": LateHandler("projects", "list_projects")},
    ("projects", None): {"GET": LateHandler("projects", "get_project")},
    ("projects", None, "authorization"): {
        "GET": LateHandler("projects", "who_am_i"),
        "POST": LateHandler("projects", "authorize"),
    },
    # The clients' address ends in a slash.
    ("projects", None, "auth", ""): {"POST": LateHandler("permissions", "check_permission")},
    ("projects", None, "schemas"): {
        "GET": LateHandler("projects", "list_schemas"),
        "POST": LateHandler("projects", "create_schema"),
    },
    ("projects", None, "schemas", None): {
        "GET": LateHandler("projects", "get_schema"),
        "DELETE": LateHandler("projects", "delete_schema"),
    },
    ("projects", None, "tables"): {"GET": LateHandler("table_handlers", "list_tables")},
    ("projects", None, "tables", None): _TABLE,
    ("projects", None, "schemas", None, "tables", None): _TABLE,
    ("projects", None, "tables", None, "preview"): _PREVIEW,
    ("projects", None, "schemas", None, "tables", None, "preview"): _PREVIEW,
    ("catalogapi",): _catalog("address"),
    _CATALOG: _catalog("answer_projects"),
    (*_CATALOG, None): _catalog("answer_project"),
    (*_CATALOG, None, "schemas"): _catalog("answer_schemas"),
    (*_CATALOG, None, "schemas", None): _catalog("answer_schema"),
    _TABLES_OF_CATALOG: _catalog("answer_tables"),
    (*_TABLES_OF_CATALOG, None): _catalog("answer_table"),
    (*_TABLES_OF_CATALOG, None, "partitions"): _catalog("answer_partitions"),
    ("projects", None, "instances"): {
        "GET": LateHandler("instances", "list_instances"),
        "POST": LateHandler("instances", "create_instance"),
    },
    ("projects", None, "instances", None): {
        "GET": LateHandler("instances", "read_instance"),
        "POST": LateHandler("instances", "start_download"),
        "PUT": LateHandler("instances", "stop_instance"),
    },
    ("projects", None, "tunnel"): {"GET": LateHandler("projects", "tunnel_address")},
    ("projects", None, "resources"): {"GET": resources.list_resources, "POST": resources.create_resource},
    ("projects", None, "resources", None): {
        "GET": resources.read_resource,
        "HEAD": resources.read_resource,
        "PUT": resources.update_resource,
        "DELETE": resources.delete_resource,
    },
    ("projects", None, "registration", "functions"): {
        "GET": functions.list_functions,
        "POST": functions.create_function,
    },
    ("projects", None, "registration", "functions", None): {
        "GET": functions.read_function,
        "PUT": functions.update_function,
        "DELETE": functions.delete_function,
    },
}
_VERSION = re.compile(r"v\d+((alpha|beta)\d*)?")
ROOTS = frozenset(str(pattern[0]) for pattern in ROUTES)


def split_path(path: str) -> tuple[str, tuple[str, ...]]:
    """
    Take the endpoint's own prefix off a raw path, and decode what is left.

    Endpoints carry a prefix, usually ``/api``, which is no part of the protocol and not signed; any is taken but one with a
    version, such as ``/api/v1`` of the control plane [doc "MaxCompute API 2022-01-04"], which is another service. PyODPS
    sends ``registration%2Ffunctions`` where others send a plain slash, so that one encoded slash separates like a
    plain one. Elsewhere it would be part of a name, and is refused later.
    """
    raw = path.split("/")
    start = next((index for index, part in enumerate(raw) if part in ROOTS), None)
    if start is None or any(map(_VERSION.fullmatch, raw[:start])):
        raise HttpRefusal(404, "NoSuchObject", f"There is nothing at {legible(unquote(path))}")
    try:
        decoded = [unquote(part, errors="strict") for part in raw[start:]]
    except UnicodeDecodeError:
        raise invalid("the path is not UTF-8") from None
    pieces = (part.split("/") if part.lower() == "registration/functions" else [part] for part in decoded)
    return "/" + "/".join(raw[start:]), tuple(chain.from_iterable(pieces))


def handler(method: str, path: tuple[str, ...]) -> Handler:
    """The handler, or 404 for an unknown path and 405 for an unknown method on a known one (documented codes)."""
    pattern, methods = match_route(ROUTES, path)
    if not methods:
        raise HttpRefusal(404, "NoSuchObject", f"There is nothing at /{legible('/'.join(path))}")
    for index, want in enumerate(pattern):
        if want is None:
            object_name(path[index], path[index - 1].removesuffix("s"))
    if method not in methods:
        allowed = ("Allow", ", ".join(sorted(methods)))
        raise HttpRefusal(405, "MethodNotAllowed", f"{legible(method)} is not allowed here", [allowed])
    return methods[method]
