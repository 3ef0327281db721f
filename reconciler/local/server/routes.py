"""Routing table: the handler of each path and method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote

from reconciler.local.server import functions, instances, projects, resources
from reconciler.local.server.protocol import HttpRefusal, invalid, legible, object_name

if TYPE_CHECKING:
    from reconciler.local.server.exchange import Request, Response
    from reconciler.local.server.service import LocalService

Handler = Callable[["LocalService", "Request"], "Response"]

# In a pattern None stands for any one name.
ROUTES: Mapping[tuple[str | None, ...], Mapping[str, Handler]] = {
    ("tenants",): {"GET": projects.tenant},
    ("logview", "host"): {"GET": projects.logview_host},
    ("projects",): {"GET": projects.list_projects},
    ("projects", None): {"GET": projects.get_project},
    ("projects", None, "authorization"): {"POST": projects.sign_token},
    ("projects", None, "schemas"): {"GET": projects.list_schemas, "POST": projects.create_schema},
    ("projects", None, "schemas", None): {"GET": projects.get_schema, "DELETE": projects.delete_schema},
    ("projects", None, "tables"): {"GET": projects.list_tables},
    ("projects", None, "instances"): {"GET": instances.list_instances, "POST": instances.create_instance},
    ("projects", None, "instances", None): {"GET": instances.read_instance, "PUT": instances.stop_instance},
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
ROOTS = frozenset(str(pattern[0]) for pattern in ROUTES)


def split_path(path: str) -> tuple[str, tuple[str, ...]]:
    """
    Take the endpoint's own prefix off a raw path, and decode what is left.

    Endpoints carry a prefix, usually ``/api``, which is no part of the protocol and not signed; any is taken. PyODPS
    sends ``registration%2Ffunctions`` where others send a plain slash, so that one encoded slash separates like a
    plain one. Elsewhere it would be part of a name, and is refused later.
    """
    raw = path.split("/")
    start = next((index for index, part in enumerate(raw) if part in ROOTS), None)
    if start is None:
        raise HttpRefusal(404, "NoSuchObject", f"There is nothing at {legible(unquote(path))}")
    decoded = (_decode(part) for part in raw[start:])
    flat = [part for parts in decoded for part in (parts.split("/") if _is_registration(parts) else [parts])]
    return "/" + "/".join(raw[start:]), tuple(flat)


def _decode(part: str) -> str:
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise invalid("the path is not UTF-8") from None


def _is_registration(part: str) -> bool:
    return part.lower() == "registration/functions"


def handler(method: str, path: tuple[str, ...]) -> Handler:
    """The handler, or 404 for an unknown path and 405 for an unknown method on a known one (documented codes)."""
    for pattern, methods in ROUTES.items():
        if _fits(pattern, path):
            _require_names(pattern, path)
            return _for_method(methods, method)
    raise HttpRefusal(404, "NoSuchObject", f"There is nothing at /{legible('/'.join(path))}")


def _fits(pattern: tuple[str | None, ...], path: tuple[str, ...]) -> bool:
    return len(pattern) == len(path) and all(want in (None, have) for want, have in zip(pattern, path, strict=True))


def _require_names(pattern: tuple[str | None, ...], path: tuple[str, ...]) -> None:
    for index, want in enumerate(pattern):
        if want is None:
            object_name(path[index], path[index - 1].removesuffix("s"))


def _for_method(methods: Mapping[str, Handler], method: str) -> Handler:
    handler = methods.get(method)
    if handler is None:
        allowed = ("Allow", ", ".join(sorted(methods)))
        raise HttpRefusal(405, "MethodNotAllowed", f"{legible(method)} is not allowed here", [allowed])
    return handler
