"""
Requests to the API of Realtime Compute, version 2022-07-18.

Each answer has an envelope, ``success`` and ``data``; a refusal comes with status 200 and ``success`` false [doc]. Paths hold ``%3A`` as it
stands there [SDK 1.14.0].
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from reconciler.targets.credentials.acs3 import quote_part
from reconciler.targets.roa import ApiRefusal, RoaClient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.targets.roa import Reply

_PAGE = 100
_MOST_PAGES = 1_000
_GONE = "NotFound"
"""How the code of what is not there ends: a guess, so a listing is asked wherever that can be."""


@dataclass
class VervericaClient(RoaClient):
    """One namespace of a workspace."""

    service: ClassVar[str] = "Realtime Compute"
    version: ClassVar[str] = "2022-07-18"

    workspace: str = ""
    namespace: str = ""

    @property
    def scope(self) -> str:
        return f"namespace {self.namespace} of workspace {self.workspace}"

    @property
    def more_headers(self) -> Mapping[str, str]:
        return {"workspace": self.workspace}

    # --- Deployments --------------------------------------------------------------------------------------------------------

    def deployments(self, **query: str) -> Iterator[dict[str, Any]]:
        """Yield every deployment of the namespace."""
        yield from self._pages("ListDeployments", self._path("deployments"), query)

    def find_named(self, name: str) -> dict[str, Any] | None:
        """Return the deployment of a name, or None."""
        # Whether a name in the query is a part of a name or the whole is not settled.
        return next((each for each in self.deployments(name=name) if each.get("name") == name), None)

    def read_deployment(self, number: str) -> dict[str, Any]:
        return self._data("GetDeployment", self._path("deployments", number))

    def create_deployment(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        body = {"namespace": self.namespace, "workspace": self.workspace, **fields}
        return self._request("POST", "CreateDeployment", self._path("deployments"), body)

    def update_deployment(self, number: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Change the fields that are named, and no others."""
        return self._request("PUT", "UpdateDeployment", self._path("deployments", number), fields)

    def delete_deployment(self, number: str) -> None:
        self._request("DELETE", "DeleteDeployment", self._path("deployments", number))

    # --- Jobs and savepoints ------------------------------------------------------------------------------------------------

    def start_job(self, deployment: str, strategy: Mapping[str, Any]) -> dict[str, Any]:
        body = {"deploymentId": deployment, "restoreStrategy": strategy}
        return self._request("POST", "StartJobWithParams", self._path("jobs%3Astart", is_quoted=True), body)

    def stop_job(self, job: str, strategy: str) -> None:
        path = self._path("jobs", f"{quote_part(job)}%3Astop", is_quoted=True)
        self._request("POST", "StopJob", path, {"stopStrategy": strategy})

    def read_job(self, job: str) -> dict[str, Any]:
        return self._data("GetJob", self._path("jobs", job))

    def jobs(self, deployment: str) -> list[dict[str, Any]]:
        """Return the jobs of a deployment, the last first, as far as one page goes."""
        answer = self._page("ListJobs", self._path("jobs"), {"deploymentId": deployment}, 1)[0]
        # In which order they come is not settled.
        return sorted(answer, key=lambda job: (_number(job.get("startTime")), str(job.get("createdAt"))), reverse=True)

    def create_savepoint(self, deployment: str) -> None:
        description = "udfs: the job is healthy if this is completed"
        body = {"deploymentId": deployment, "description": description, "nativeFormat": False}
        self._request("POST", "CreateSavepoint", self._path("savepoints"), body)

    def savepoints(self, deployment: str, job: str = "") -> list[dict[str, Any]]:
        """Return the savepoints of a deployment, or of one of its jobs, the last first."""
        query = {"deploymentId": deployment, **({"jobId": job} if job else {})}
        answer = self._pages("ListSavepoints", self._path("savepoints"), query)
        return sorted(answer, key=lambda savepoint: _number(savepoint.get("createdAt")), reverse=True)

    def ask_flink(self, job: str, path: str) -> Any:
        """Return what Flink itself answers of a job, by the proxy that the service has for its own pages; None where that says nothing."""
        query = {"resourceType": "jobs", "resourceId": job, "namespace": self.namespace, "flinkApiPath": path}
        text = self._envelope(self.get("FlinkApiProxy", "/flink-ui/v2/proxy", **query)).get("data")
        try:
            return json.loads(text) if isinstance(text, str) else text
        except ValueError:
            return None

    # --- Envelopes ----------------------------------------------------------------------------------------------------------

    def read_document(self, reply: Reply, action: str, *, may_be_empty: bool) -> dict[str, Any]:
        document = super().read_document(reply, action, may_be_empty=may_be_empty)
        if document and document.get("success") is False:
            code, message = str(document.get("errorCode") or "Refused"), str(document.get("errorMessage") or "")
            status = 404 if code.endswith(_GONE) else 400
            self.raise_refusal(ApiRefusal(status, code, message, str(document.get("requestId") or "")))
        return document

    def _envelope(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        if document.get("success") is not True:
            raise self.garbage("an answer without success")
        return document

    def _data(self, action: str, path: str) -> dict[str, Any]:
        data = self._envelope(self.get(action, path)).get("data")
        if not isinstance(data, dict):
            raise self.garbage(f"{action} without data")
        return data

    def _request(self, method: str, action: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        data = self._envelope(self.send(method, action, path, None if body is None else dict(body))).get("data")
        return data if isinstance(data, dict) else {}

    def _pages(self, action: str, path: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        for index in range(1, _MOST_PAGES):
            entries, total = self._page(action, path, query, index)
            yield from entries
            if not entries or len(entries) < _PAGE or index * _PAGE >= total:
                return
        raise self.garbage(f"{action} never ends")

    def _page(self, action: str, path: str, query: Mapping[str, str], index: int) -> tuple[list[dict[str, Any]], int]:
        more = {"pageIndex": str(index), "pageSize": str(_PAGE)}
        document = self._envelope(self.get(action, path, **query, **more))
        entries = document.get("data")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise self.garbage(f"{action} without a list")
        return entries, _number(document.get("totalSize"))

    def _path(self, *parts: str, is_quoted: bool = False) -> str:
        names = parts if is_quoted else tuple(map(quote_part, parts))
        return "/".join(("/api/v2/namespaces", quote_part(self.namespace), *names))


def _number(value: Any) -> int:
    """Return a count or a time in milliseconds, which the service may write as a text; 0 for anything else."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0
