"""Routing table of the API: the handler of each path and method (read in the SDK)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from reconciler.local.ververica.deployments import DeploymentCalls
from reconciler.local.ververica.jobs import JobCalls
from reconciler.local.ververica.savepoints import SavepointCalls
from reconciler.local.ververica.udf_artifacts import UdfArtifactCalls
from reconciler.local.ververica.uploads import UploadCalls

if TYPE_CHECKING:
    from reconciler.local.http.messages import Response
    from reconciler.local.ververica.service import ApiRequest, VervericaService

Handler: TypeAlias = "Callable[[ApiRequest], Response]"
Routes: TypeAlias = Mapping[tuple[str, ...], Mapping[str, Handler]]

NAMESPACE = "{namespace}"
_NAME = "{}"
_STOP = ":stop"


class Route(NamedTuple):
    """What a path and a method lead to."""

    handler: Handler
    namespace: str
    names: tuple[str, ...]


def make_api_routes(service: VervericaService) -> Routes:
    """Return the handlers of a service."""
    deployments, jobs, savepoints = DeploymentCalls(service), JobCalls(service), SavepointCalls(service)
    udfs, uploads = UdfArtifactCalls(service), UploadCalls(service)
    v2 = ("api", "v2", "namespaces", NAMESPACE)
    deployment = (*v2, "deployments", _NAME)
    return {
        ("api", "v2", "engine-version-meta.json"): {"GET": deployments.engines},
        ("artifacts", "v2", "namespaces", NAMESPACE, "getPreSignedUrlForPutObject"): {"GET": uploads.presign},
        ("flink-ui", "v2", "proxy"): {"GET": jobs.proxy},
        (*v2, "deployments"): {"GET": deployments.list, "POST": deployments.create},
        (*v2, "deployments", "name", _NAME): {"GET": deployments.read_named},
        (*v2, "deployments", "getDeployments", "byLabel"): {"GET": deployments.list_labelled},
        (*deployment, "latest_jobmanager_start_log"): {"GET": deployments.start_log},
        deployment: {"GET": deployments.read, "PUT": deployments.update, "DELETE": deployments.delete},
        (*v2, "jobs"): {"GET": jobs.list},
        (*v2, "jobs:start"): {"POST": jobs.start},
        (*v2, "jobs", _NAME + _STOP): {"POST": jobs.stop},
        (*v2, "jobs", _NAME): {"GET": jobs.read, "DELETE": jobs.delete},
        (*v2, "savepoints"): {"GET": savepoints.list, "POST": savepoints.create},
        (*v2, "savepoints", _NAME): {"GET": savepoints.read, "DELETE": savepoints.delete},
        (*v2, "udfartifacts"): {"GET": udfs.list, "POST": udfs.create},
        (*v2, "udfartifacts", "function:registerUdfFunction"): {"POST": udfs.register},
        (*v2, "udfartifacts", "function", _NAME): {"DELETE": udfs.unregister},
        (*v2, "udfartifacts", _NAME): {"PUT": udfs.update, "DELETE": udfs.delete},
    }


def find_route(routes: Routes, method: str, path: tuple[str, ...]) -> Route | None:
    """Return the handler of a decoded path, with the names that stand in it; None where there is none."""
    for pattern, methods in routes.items():
        parts = _match(pattern, path)
        if parts is not None and method in methods:
            return Route(
                methods[method], parts.get(NAMESPACE, ""), tuple(parts[name] for name in parts if name == _NAME)
            )
    return None


def _match(pattern: tuple[str, ...], path: tuple[str, ...]) -> dict[str, str] | None:
    if len(pattern) != len(path):
        return None
    parts: dict[str, str] = {}
    for expected, part in zip(pattern, path, strict=True):
        if expected == _NAME + _STOP:
            if not part.endswith(_STOP):
                return None
            parts[_NAME] = part.removesuffix(_STOP)
        elif expected in (NAMESPACE, _NAME):
            if not part:
                return None
            parts[expected] = part
        elif expected != part:
            return None
    return parts
