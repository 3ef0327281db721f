"""Routing table of the API: the handler of each path and method (read in the SDK)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from reconciler.local.http.request import match_route
from reconciler.local.ververica.deployments import DeploymentCalls
from reconciler.local.ververica.jobs import JobCalls
from reconciler.local.ververica.savepoints import SavepointCalls
from reconciler.local.ververica.udf_artifacts import UdfArtifactCalls
from reconciler.local.ververica.uploads import UploadCalls

if TYPE_CHECKING:
    from reconciler.local.http.messages import Response
    from reconciler.local.ververica.service import ApiRequest, VervericaService

Handler: TypeAlias = "Callable[[ApiRequest], Response]"
Routes: TypeAlias = Mapping[tuple[str | None, ...], Mapping[str, Handler]]

_STOP = ":stop"


class Route(NamedTuple):
    """What a path and a method lead to."""

    handler: Handler
    namespace: str
    names: tuple[str, ...]


def make_api_routes(service: VervericaService) -> Routes:
    """Return the handlers of a service; in a pattern None stands for any one name, of which the first is the namespace."""
    deployments, jobs, savepoints = DeploymentCalls(service), JobCalls(service), SavepointCalls(service)
    udfs, uploads = UdfArtifactCalls(service), UploadCalls(service)
    v2 = ("api", "v2", "namespaces", None)
    deployment = (*v2, "deployments", None)
    return {
        ("api", "v2", "engine-version-meta.json"): {"GET": deployments.engines},
        ("artifacts", "v2", "namespaces", None, "getPreSignedUrlForPutObject"): {"GET": uploads.presign},
        ("flink-ui", "v2", "proxy"): {"GET": jobs.proxy},
        (*v2, "deployments"): {"GET": deployments.list, "POST": deployments.create},
        (*v2, "deployments", "name", None): {"GET": deployments.read_named},
        (*v2, "deployments", "getDeployments", "byLabel"): {"GET": deployments.list_labelled},
        (*deployment, "latest_jobmanager_start_log"): {"GET": deployments.start_log},
        deployment: {"GET": deployments.read, "PUT": deployments.update, "DELETE": deployments.delete},
        (*v2, "jobs"): {"GET": jobs.list},
        (*v2, "jobs:start"): {"POST": jobs.start},
        (*v2, "jobs", None, _STOP): {"POST": jobs.stop},
        (*v2, "jobs", None): {"GET": jobs.read, "DELETE": jobs.delete},
        (*v2, "savepoints"): {"GET": savepoints.list, "POST": savepoints.create},
        (*v2, "savepoints", None): {"GET": savepoints.read, "DELETE": savepoints.delete},
        (*v2, "udfartifacts"): {"GET": udfs.list, "POST": udfs.create},
        (*v2, "udfartifacts", "function:registerUdfFunction"): {"POST": udfs.register},
        (*v2, "udfartifacts", "function", None): {"DELETE": udfs.unregister},
        (*v2, "udfartifacts", None): {"PUT": udfs.update, "DELETE": udfs.delete},
    }


def find_route(routes: Routes, method: str, path: tuple[str, ...]) -> Route | None:
    """Return the handler of a decoded path, with the names that stand in it; None where there is none."""
    if path[-1].endswith(_STOP):
        path = (*path[:-1], path[-1].removesuffix(_STOP), _STOP)
    pattern, methods = match_route(routes, path)
    names = tuple(part for expected, part in zip(pattern, path, strict=False) if expected is None)
    if method not in methods or not all(names):
        return None
    return Route(methods[method], names[0] if names else "", names[1:])
