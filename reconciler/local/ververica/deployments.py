"""Handlers of deployments, and of the metadata of engines."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.local.fc.database import StoredDocument, new_document
from reconciler.local.ververica.jobs import ACTIVE, deployment_jobs, refresh_jobs, run_digest
from reconciler.local.ververica.service import answer_data, newest_first, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.local.fc.database import FcRecords
    from reconciler.local.http.messages import Response
    from reconciler.local.ververica.service import ApiRequest, VervericaService

_FIELDS = (
    *("name", "description", "engineVersion", "executionMode", "deploymentTarget", "labels", "localVariables"),
    *("flinkConf", "artifact", "streamingResourceSetting", "batchResourceSetting", "logging"),
)
"""Of a deployment those that a request may say (read in the SDK: the rest of its model is the service's)."""

_KINDS = {"SQLSCRIPT": "sqlArtifact", "JAR": "jarArtifact", "PYTHON": "pythonArtifact"}
_MOST_LABELS = 3
_MOST_ARGUMENTS = 1_024
_DEFAULTS: dict[str, Any] = {
    "flinkConf": {"execution.checkpointing.interval": "180s", "execution.checkpointing.min-pause": "180s"},
    "streamingResourceSetting": {
        "resourceSettingMode": "BASIC",
        "basicResourceSetting": {
            "parallelism": 1,
            "jobmanagerResourceSettingSpec": {"cpu": 1, "memory": "4 GiB"},
            "taskmanagerResourceSettingSpec": {"cpu": 1, "memory": "4 GiB"},
        },
    },
    "logging": {"loggingProfile": "default", "logReservePolicy": {"expirationDays": 7, "openHistory": True}},
}
"""A guess: that there are defaults is what the public Terraform provider says, which they are it does not."""


@dataclass(frozen=True)
class DeploymentCalls:
    """Handlers of ``…/deployments``."""

    service: VervericaService

    def engines(self, request: ApiRequest) -> Response:
        """``GET /api/v2/engine-version-meta.json`` (read in the SDK); status ``STABLE`` is a guess."""
        versions = self.service.settings.engine_versions.split(",")
        features = {"supportNativeSavepoint": True, "useForSqlDeployments": True}
        entries = [{"engineVersion": version, "status": "STABLE", "features": features} for version in versions]
        return answer_data(request, {"defaultEngineVersion": versions[0], "engineVersionMetadata": entries})

    def create(self, request: ApiRequest) -> Response:
        """``POST`` (read in the SDK). That a name is taken once in a namespace is a guess; at most 3 labels and 1,024 characters of arguments are documented."""
        sent = request.document()
        document = {name: sent[name] for name in _FIELDS if name in sent}
        document.setdefault("engineVersion", self.service.settings.engine_versions.partition(",")[0])
        self._require_sound(document)
        now = self.service.now()
        document |= {"_creator": request.actor, "_modifier": request.actor}
        number = str(uuid.uuid4())
        record = new_document("deployment", number, document, now, request.namespace)
        with self.service.store.writing() as rows:
            if _find_named(rows, request.namespace, document["name"]) is not None:
                raise refuse("DeploymentAlreadyExists", f"a deployment of the name {document['name']} exists")
            rows.add(record)
            return answer_data(request, self._show(rows, record, request))

    def list(self, request: ApiRequest) -> Response:
        """
        ``GET`` (read in the SDK): by name, label, status, executionMode, creator and modifier.

        That ``name`` is a part of a name, and ``labelValueArray`` has values with commas between, are guesses.
        """
        refresh_jobs(self.service, request.namespace)
        with self.service.store.reading() as rows:
            shown = self._show_all(rows, request)
        values = [value for value in request.text("labelValueArray").split(",") if value]
        shown = [each for each in shown if _matches(each, request, values)]
        page, more = request.page(shown)
        return answer_data(request, page, more)

    def read(self, request: ApiRequest) -> Response:
        """``GET …/{deploymentId}`` (read in the SDK)."""
        refresh_jobs(self.service, request.namespace)
        with self.service.store.reading() as rows:
            record = request.lookup(rows, "deployment")
            return answer_data(request, self._show(rows, record, request))

    def read_named(self, request: ApiRequest) -> Response:
        """``GET …/name/{name}`` (read in the SDK)."""
        refresh_jobs(self.service, request.namespace)
        with self.service.store.reading() as rows:
            record = _find_named(rows, request.namespace, request.names[0])
            if record is None:
                raise refuse("DeploymentNotFound", f"no deployment has the name {request.names[0]}")
            return answer_data(request, self._show(rows, record, request))

    def list_labelled(self, request: ApiRequest) -> Response:
        """``GET …/getDeployments/byLabel?labelKey=&labelValue=`` (read in the SDK)."""
        refresh_jobs(self.service, request.namespace)
        with self.service.store.reading() as rows:
            shown = self._show_all(rows, request)
        value = request.text("labelValue")
        return answer_data(request, [each for each in shown if each["labels"].get(request.text("labelKey")) == value])

    def update(self, request: ApiRequest) -> Response:
        """
        ``PUT …/{deploymentId}``: any subset ("partial updates are supported", documented).

        What becomes of maps and lists that name less: `VervericaSettings.update_maps`, `update_lists`. The kind of an artifact stays
        (read in the SDK's text), and so does executionMode (the public Terraform provider); a refusal of another is a guess.
        """
        sent = request.document()
        changes = {name: sent[name] for name in _FIELDS if name in sent}
        with self.service.store.writing() as rows:
            record = request.lookup(rows, "deployment")
            before = record.document
            if "executionMode" in changes and changes["executionMode"] != before["executionMode"]:
                raise refuse("ExecutionModeFixed", "executionMode cannot be changed")
            kind = before["artifact"]["kind"]
            if "artifact" in changes and changes["artifact"].get("kind", kind) != kind:
                raise refuse("ArtifactKindFixed", "artifact.kind cannot be changed after creation")
            document = {
                **before,
                **{name: self._merge(name, before.get(name), value) for name, value in changes.items()},
            }
            self._require_sound(document)
            document["_modifier"] = request.actor
            updated = replace(record, document=document, modified=self.service.now())
            rows.put(updated)
            return answer_data(request, self._show(rows, updated, request))

    def delete(self, request: ApiRequest) -> Response:
        """``DELETE …/{deploymentId}`` (read in the SDK); with a job that runs: `VervericaSettings.delete_running`."""
        refresh_jobs(self.service, request.namespace)
        with self.service.store.writing() as rows:
            record = request.lookup(rows, "deployment")
            jobs = deployment_jobs(rows, record.parent, record.name)
            running = [job for job in jobs if job.document["_status"] in ACTIVE]
            if running and self.service.settings.delete_running == "refuse":
                raise refuse("DeploymentRunning", "a deployment whose job runs cannot be deleted")
            for job in running:
                self.service.engine.reach().cancel(job.document["_number"])
            for job in jobs:
                rows.drop("job", job.name, job.parent)
            rows.drop("deployment", record.name, record.parent)
        return answer_data(request, None)

    def start_log(self, request: ApiRequest) -> Response:
        """``GET …/{deploymentId}/latest_jobmanager_start_log`` (read in the SDK): a text; here what Flink said when it was started."""
        with self.service.store.reading() as rows:
            record = request.lookup(rows, "deployment")
            jobs = deployment_jobs(rows, record.parent, record.name)
        return answer_data(request, jobs[0].document.get("_log", "") if jobs else "")

    # --- What a deployment is -----------------------------------------------------------------------------------------------

    def _require_sound(self, document: dict[str, Any]) -> None:
        if not isinstance(document.get("name"), str) or not document["name"]:
            raise refuse("InvalidParameter", "name is required")
        if document.setdefault("executionMode", "STREAMING") not in {"STREAMING", "BATCH"}:
            raise refuse("InvalidParameter", "executionMode must be STREAMING or BATCH")
        versions = self.service.settings.engine_versions.split(",")
        if document["engineVersion"] not in versions:
            raise refuse("EngineVersionNotSupported", f"{document['engineVersion']} is none of {', '.join(versions)}")
        if len(document.get("labels") or {}) > _MOST_LABELS:
            raise refuse("TooManyLabels", f"a deployment has at most {_MOST_LABELS} labels")
        self._require_sound_artifact(document.get("artifact"))

    def _require_sound_artifact(self, artifact: Any) -> None:
        if not isinstance(artifact, dict) or artifact.get("kind") not in _KINDS:
            raise refuse("InvalidParameter", f"artifact.kind must be one of {', '.join(_KINDS)}")
        detail = artifact.get(_KINDS[artifact["kind"]])
        if not isinstance(detail, dict):
            raise refuse("InvalidParameter", f"artifact.{_KINDS[artifact['kind']]} is required")
        if len(str(detail.get("mainArgs") or "")) > _MOST_ARGUMENTS:
            raise refuse("MainArgsTooLong", f"mainArgs has more than {_MOST_ARGUMENTS:,} characters")
        archives = detail.get("additionalPythonArchives") or []
        if self.service.settings.archive_names == "refuse" and any("#" in str(uri) for uri in archives):
            raise refuse("InvalidParameter", "an entry of additionalPythonArchives holds a #")

    def _merge(self, name: str, before: Any, after: Any) -> Any:
        settings = self.service.settings
        if name in {"flinkConf", "labels"} and settings.update_maps == "merge":
            return {**(before or {}), **(after or {})}
        if name == "artifact":
            merged = {**before, **after}
            label = _KINDS[merged["kind"]]
            if settings.update_lists == "merge":
                merged[label] = _merge_lists(before.get(label) or {}, after.get(label) or {})
            return merged
        return after

    def _show_all(self, rows: FcRecords, request: ApiRequest) -> Sequence[dict[str, Any]]:
        records = newest_first(rows.each("deployment", request.namespace))
        return [self._show(rows, record, request) for record in records]

    def _show(self, rows: FcRecords, record: StoredDocument, request: ApiRequest) -> dict[str, Any]:
        jobs = deployment_jobs(rows, record.parent, record.name)
        document = {name: record.document[name] for name in _FIELDS if name in record.document}
        if self.service.settings.defaults_on_read:
            options = {**_DEFAULTS["flinkConf"], **(document.get("flinkConf") or {})}
            document = {**_DEFAULTS, **document, "flinkConf": options}
        running = next((job for job in jobs if job.document["_status"] in ACTIVE), None)
        counts = dict.fromkeys(("starting", "running", "cancelling", "cancelled", "failed", "finished"), 0)
        for job in jobs:
            counts[job.document["_status"].lower()] += 1
        return {
            **document,
            "labels": document.get("labels") or {},
            "localVariables": document.get("localVariables") or [],
            "deploymentId": record.name,
            "namespace": record.parent,
            "workspace": request.headers.get("workspace", ""),
            "createdAt": self.service.time_of(record.created),
            "creator": record.document["_creator"],
            "creatorName": record.document["_creator"],
            "modifiedAt": self.service.time_of(record.modified),
            "modifier": record.document["_modifier"],
            "modifierName": record.document["_modifier"],
            "deploymentHasChanged": running is not None and running.document["_of"] != run_digest(record),
            "jobSummary": counts,
        }


def _find_named(rows: FcRecords, namespace: str, name: str) -> StoredDocument | None:
    return next((each for each in rows.each("deployment", namespace) if each.document["name"] == name), None)


def _matches(shown: dict[str, Any], request: ApiRequest, values: list[str]) -> bool:
    key, status = request.text("labelKey"), request.text("status")
    return (
        request.text("name") in shown["name"]
        and all(request.text(name) in ("", shown[name]) for name in ("executionMode", "creator", "modifier"))
        and (not key or (key in shown["labels"] and (not values or shown["labels"][key] in values)))
        and (not status or shown["jobSummary"].get(status.lower(), 0) > 0)
    )


def _merge_lists(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    lists = {
        name: list(dict.fromkeys((*before[name], *value)))
        for name, value in after.items()
        if isinstance(value, list) and isinstance(before.get(name), list)
    }
    return {**before, **after, **lists}
