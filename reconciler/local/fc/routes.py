"""Routing table of Function Compute: the handler of each path and method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from reconciler.local.fc.functions import FunctionCalls
from reconciler.local.fc.layers import LayerCalls
from reconciler.local.fc.refusals import path_not_supported
from reconciler.local.fc.service import FcRequest
from reconciler.local.fc.tags import ConcurrencyCalls, RestrictionCalls, TagCalls
from reconciler.local.fc.triggers import TriggerCalls
from reconciler.local.fc.versions import AliasCalls, VersionCalls
from reconciler.local.http.messages import Response
from reconciler.local.http.request import match_route

if TYPE_CHECKING:
    from reconciler.local.fc.service import FcService

VERSION = "2023-03-30"
Answer = Callable[[FcRequest], Response]
RouteTable = Mapping[tuple[str | None, ...], Mapping[str, Answer]]


def make_routes(service: FcService, invoke: Answer) -> RouteTable:
    """Return the handlers of a service, `invoke` among them; in a pattern None stands for any one name."""
    functions, layers, tags = FunctionCalls(service), LayerCalls(service), TagCalls(service)
    versions, aliases, triggers = VersionCalls(service), AliasCalls(service), TriggerCalls(service)
    concurrency, restriction = ConcurrencyCalls(service), RestrictionCalls(service)
    function = ("functions", None)
    return {
        ("functions",): {"GET": functions.list, "POST": functions.create},
        function: {"GET": functions.read, "PUT": functions.update, "DELETE": functions.delete},
        (*function, "invocations"): {"POST": invoke},
        (*function, "code"): {"GET": functions.read_code},
        (*function, "versions"): {"GET": versions.list, "POST": versions.publish},
        (*function, "versions", None): {"DELETE": versions.delete},
        (*function, "aliases"): {"GET": aliases.list, "POST": aliases.create},
        (*function, "aliases", None): {"GET": aliases.read, "PUT": aliases.update, "DELETE": aliases.delete},
        (*function, "triggers"): {"GET": triggers.list, "POST": triggers.create},
        (*function, "triggers", None): {"GET": triggers.read, "PUT": triggers.update, "DELETE": triggers.delete},
        (*function, "concurrency"): {"GET": concurrency.read, "PUT": concurrency.put, "DELETE": concurrency.delete},
        ("concurrency-configs",): {"GET": concurrency.list},
        (*function, "invoke", "disable"): {"POST": restriction.disable, "PUT": restriction.disable},
        (*function, "invoke", "enable"): {"POST": restriction.enable, "PUT": restriction.enable},
        ("tags-v2",): {"GET": tags.list, "POST": tags.add, "DELETE": tags.remove},
        ("layers",): {"GET": layers.list},
        ("layers", None, "versions"): {"GET": layers.list_versions, "POST": layers.create},
        ("layers", None, "versions", None): {"GET": layers.read, "DELETE": layers.delete},
        ("layers", None, "acl"): {"PUT": layers.put_acl},
        ("layerarn", None): {"GET": layers.read_by_arn},
    }


def find_handler(routes: RouteTable, method: str, path: tuple[str, ...]) -> Answer:
    """Return the handler; 400 for a path and a method that are none of the service's (documented code)."""
    _, methods = match_route(routes, path)
    if method not in methods:
        raise path_not_supported(method, "/".join(("", VERSION, *path)))
    return methods[method]
