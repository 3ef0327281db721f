"""Handlers of savepoints."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.local.fc.database import StoredDocument, new_document
from reconciler.local.ververica.flink_api import FlinkRefusal
from reconciler.local.ververica.service import answer_data, find_document, newest_first, refuse

if TYPE_CHECKING:
    from reconciler.local.fc.database import FcRecords
    from reconciler.local.http.messages import Response
    from reconciler.local.ververica.service import ApiRequest, VervericaService


@dataclass(frozen=True)
class SavepointCalls:
    """Handlers of ``…/savepoints``."""

    service: VervericaService

    def create(self, request: ApiRequest) -> Response:
        """``POST`` (read in the SDK): of the job that runs; answers at once, STARTED."""
        sent = request.document()
        with self.service.store.reading() as rows:
            deployment = find_document(rows, "deployment", str(sent.get("deploymentId")), request.namespace)
            jobs = [
                job for job in rows.each("job", request.namespace) if job.document["_deployment"] == deployment.name
            ]
            job = next((job for job in newest_first(jobs) if job.document["_status"] == "RUNNING"), None)
        if job is None:
            raise refuse("JobNotRunning", f"no job of the deployment {deployment.name} runs")
        native = bool(sent.get("nativeFormat"))
        record = savepoint_record(self.service, job, "USER_REQUEST", str(sent.get("description") or ""), native=native)
        try:
            self.service.engine.reach().savepoint(
                job.document["_number"], record.document["_trigger"], record.document["_folder"], native=native
            )
        except FlinkRefusal as error:
            raise refuse("SavepointFailed", str(error)) from error
        with self.service.store.writing() as rows:
            rows.add(record)
        return answer_data(request, self._show(record))

    def read(self, request: ApiRequest) -> Response:
        """``GET …/{savepointId}`` (read in the SDK)."""
        refresh_savepoints(self.service, request.namespace)
        with self.service.store.reading() as rows:
            record = request.lookup(rows, "savepoint")
        return answer_data(request, self._show(record))

    def list(self, request: ApiRequest) -> Response:
        """``GET ?deploymentId=&jobId=`` (read in the SDK), the last first (a guess)."""
        refresh_savepoints(self.service, request.namespace)
        with self.service.store.reading() as rows:
            records = newest_first(rows.each("savepoint", request.namespace))
        shown = [
            self._show(record)
            for record in records
            if request.text("deploymentId") in ("", record.document["_deployment"])
            and request.text("jobId") in ("", record.document["_job"])
        ]
        page, more = request.page(shown)
        return answer_data(request, page, more)

    def delete(self, request: ApiRequest) -> Response:
        """``DELETE …/{savepointId}`` (read in the SDK): it is shown no more; its files stay, which is not settled."""
        with self.service.store.writing() as rows:
            request.lookup(rows, "savepoint")
            rows.drop("savepoint", request.names[0], request.namespace)
        return answer_data(request, None)

    def _show(self, record: StoredDocument) -> dict[str, Any]:
        document = record.document
        failure = {"message": document["_failure"], "reason": "FAILED", "failedAt": int(record.modified * 1000)}
        return {
            "savepointId": record.name,
            "deploymentId": document["_deployment"],
            "jobId": document["_job"],
            "namespace": record.parent,
            "description": document["_description"],
            "nativeFormat": document["_native"],
            "savepointLocation": document["_location"],
            "savepointOrigin": document["_origin"],
            "stopWithDrainEnabled": False,
            "status": {"state": document["_state"], **({"failure": failure} if document["_failure"] else {})},
            "createdAt": int(record.created * 1000),
            "modifiedAt": int(record.modified * 1000),
        }


def savepoint_record(
    service: VervericaService, job: StoredDocument, origin: str, description: str = "", *, native: bool = False
) -> StoredDocument:
    """Return a savepoint of a job that is about to be asked for."""
    number, now = uuid.uuid4(), service.now()
    folder = service.folder / "savepoints" / job.document["_deployment"]
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "_deployment": job.document["_deployment"],
        "_job": job.name,
        "_number": job.document["_number"],
        "_trigger": number.hex,
        "_folder": folder.as_uri(),
        "_origin": origin,
        "_description": description,
        "_native": native,
        "_state": "STARTED",
        "_location": "",
        "_failure": "",
    }
    return new_document("savepoint", str(number), document, now, job.parent)


def refresh_savepoints(service: VervericaService, namespace: str) -> None:
    """Hear from Flink what became of the savepoints that are being taken."""
    with service.store.reading() as rows:
        started = [each for each in rows.each("savepoint", namespace) if each.document["_state"] == "STARTED"]
    flink = service.engine.find() if started else None
    for savepoint in started:
        try:
            outcome = (
                flink.savepoint_outcome(savepoint.document["_number"], savepoint.document["_trigger"])
                if flink is not None
                else ("", "the Flink behind this service is gone")
            )
        except FlinkRefusal as error:
            outcome = "", str(error)
        if outcome is not None:
            location, failure = outcome
            news = {"_state": "FAILED" if failure else "COMPLETED", "_location": location, "_failure": failure}
            with service.store.writing() as rows:
                if (latest := rows.find("savepoint", savepoint.name, namespace)) is not None:
                    rows.put(replace(latest, document={**latest.document, **news}, modified=service.now()))


def newest_state(
    service: VervericaService,
    rows: FcRecords,
    deployment: StoredDocument,
    jobs: list[StoredDocument],
    *,
    with_checkpoints: bool,
) -> str | None:
    """Return where the newest state of a deployment lies: a savepoint, or a checkpoint that its last job has kept."""
    saved = next(
        (each for each in newest_first(rows.each("savepoint", deployment.parent)) if _is_of(each, deployment)), None
    )
    if with_checkpoints and jobs and (saved is None or jobs[0].created > saved.modified):
        checkpoint = _latest_checkpoint(service, jobs[0])
        if checkpoint is not None:
            return checkpoint
    return str(saved.document["_location"]) if saved is not None else None


def _is_of(savepoint: StoredDocument, deployment: StoredDocument) -> bool:
    document = savepoint.document
    return bool(document["_deployment"] == deployment.name and document["_state"] == "COMPLETED")


def _latest_checkpoint(service: VervericaService, job: StoredDocument) -> str | None:
    """Return where the last state lies that Flink has kept of a job."""
    flink = service.engine.find()
    try:
        latest = flink.ask("GET", f"/jobs/{job.document['_number']}/checkpoints")["latest"] if flink is not None else {}
    except FlinkRefusal:
        return None
    entries = [entry for name in ("savepoint", "completed") if (entry := latest.get(name))]
    entries = [entry for entry in entries if entry.get("external_path") and not entry.get("discarded")]
    newest = max(entries, key=lambda entry: int(entry["id"]), default=None)
    return str(newest["external_path"]) if newest is not None else None
