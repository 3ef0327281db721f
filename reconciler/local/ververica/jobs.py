"""Handlers of jobs: a deployment that was started, each time another one; and what is heard of them from Flink."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import UdfsError
from reconciler.local.fc.database import StoredDocument, new_document
from reconciler.local.ververica.flink_api import FlinkRefusal, last_line
from reconciler.local.ververica.programs import StartFailure, flink_request
from reconciler.local.ververica.savepoints import newest_state, savepoint_record
from reconciler.local.ververica.service import answer_data, find_document, newest_first, refuse

if TYPE_CHECKING:
    from reconciler.local.fc.database import FcRecords
    from reconciler.local.http.messages import Response
    from reconciler.local.ververica.service import ApiRequest, VervericaService

ACTIVE = frozenset({"STARTING", "RUNNING", "CANCELLING"})
_STATUSES = {
    "CREATED": "STARTING",
    "INITIALIZING": "STARTING",
    "RUNNING": "RUNNING",
    "RESTARTING": "RUNNING",
    "RECONCILING": "RUNNING",
    "SUSPENDED": "RUNNING",
    "FAILING": "RUNNING",
    "FAILED": "FAILED",
    "CANCELLING": "CANCELLING",
    "CANCELED": "CANCELLED",
    "FINISHED": "FINISHED",
}
"""Flink's states, as the service's: the second six are read in the SDK, what becomes of which is a guess."""

_RUN = ("engineVersion", "artifact", "flinkConf", "localVariables", "streamingResourceSetting", "batchResourceSetting")
"""What a job is started with: a guess for what makes ``deploymentHasChanged``."""

_BUSY = "PythonEnvUtils.setGatewayServer"
"""Where a program fails that is planned beside one of somebody else [run on 1.20.5]."""

_TURN = 600.0
_STOPS = ("NONE", "STOP_WITH_SAVEPOINT", "STOP_WITH_DRAIN")
_RESTORES = ("NONE", "LATEST_SAVEPOINT", "FROM_SAVEPOINT", "LATEST_STATE")


@dataclass(frozen=True)
class JobCalls:
    """Handlers of ``…/jobs``."""

    service: VervericaService

    def start(self, request: ApiRequest) -> Response:
        """
        ``POST …/jobs%3Astart`` (StartJobWithParams, read in the SDK): answers at once, with the job STARTING (a guess).

        While a job of the deployment runs: `VervericaSettings.second_start`.
        """
        sent = request.document()
        strategy = sent.get("restoreStrategy") or {"kind": "NONE"}
        if strategy.get("kind") not in _RESTORES:
            raise refuse("InvalidParameter", f"restoreStrategy.kind must be one of {', '.join(_RESTORES)}")
        refresh_jobs(self.service, request.namespace)
        number = uuid.uuid4()
        with self.service.store.writing() as rows:
            deployment = find_document(rows, "deployment", str(sent.get("deploymentId")), request.namespace)
            jobs = deployment_jobs(rows, request.namespace, deployment.name)
            if self.service.settings.second_start == "refuse" and any(
                job.document["_status"] in ACTIVE for job in jobs
            ):
                raise refuse("JobAlreadyRunning", "a job of this deployment runs")
            state = self._state_to_start_from(rows, request, deployment, jobs, strategy)
            now = self.service.now()
            document = {
                "_deployment": deployment.name,
                "_name": deployment.document["name"],
                "_number": number.hex,
                "_status": "STARTING",
                "_process": self.service.process,
                "_of": run_digest(deployment),
                "_with": {name: deployment.document.get(name) for name in ("artifact", "flinkConf", "engineVersion")},
                "_mode": deployment.document["executionMode"],
                "_restore": strategy,
                "_creator": request.actor,
            }
            record = new_document("job", str(number), document, now, request.namespace)
            rows.add(record)
        threading.Thread(target=self._submit, args=(record, deployment, state), name="udfs-start", daemon=True).start()
        return answer_data(request, self._show(record))

    def _state_to_start_from(
        self,
        rows: FcRecords,
        request: ApiRequest,
        deployment: StoredDocument,
        jobs: list[StoredDocument],
        strategy: dict[str, Any],
    ) -> str | None:
        kind = strategy["kind"]
        if kind == "NONE":
            return None
        if kind == "FROM_SAVEPOINT":
            number = str(strategy.get("savepointId"))
            savepoint = find_document(rows, "savepoint", number, request.namespace)
            if savepoint.document["_state"] != "COMPLETED":
                raise refuse(
                    "SavepointNotCompleted", f"the savepoint {savepoint.name} is {savepoint.document['_state']}"
                )
            return str(savepoint.document["_location"])
        # Where there is no state yet both begin without: a guess.
        return newest_state(self.service, rows, deployment, jobs, with_checkpoints=kind == "LATEST_STATE")

    def _submit(self, record: StoredDocument, deployment: StoredDocument, state: str | None) -> None:
        """Have Flink run what a deployment says, and note what came of it."""
        failure = ""
        try:
            body = flink_request(self.service, record, deployment, state, record.document["_restore"])
            with self.service.planning:
                self._run(body)
        except (FlinkRefusal, StartFailure, UdfsError, OSError) as error:
            failure = str(error)
        with self.service.store.writing() as rows:
            latest = rows.find("job", record.name, record.parent)
            if latest is not None:
                document = {**latest.document, "_process": "", "_log": failure or "the program was planned"}
                if failure:
                    document |= {"_status": "FAILED", "_failure": failure, "_ended": self.service.now()}
                rows.put(replace(latest, document=document))

    def _run(self, body: dict[str, Any]) -> None:
        flink, limit = self.service.engine.reach(), time.monotonic() + _TURN
        while True:
            try:
                flink.run(body)
            except FlinkRefusal as error:
                if _BUSY not in str(error) or time.monotonic() > limit:
                    raise
            else:
                return
            time.sleep(1)

    def read(self, request: ApiRequest) -> Response:
        """``GET …/jobs/{jobId}`` (read in the SDK)."""
        refresh_jobs(self.service, request.namespace)
        with self.service.store.reading() as rows:
            record = request.lookup(rows, "job")
        return answer_data(request, self._show(record))

    def list(self, request: ApiRequest) -> Response:
        """``GET …/jobs?deploymentId=`` (read in the SDK), the last first (a guess)."""
        refresh_jobs(self.service, request.namespace)
        with self.service.store.reading() as rows:
            find_document(rows, "deployment", request.text("deploymentId"), request.namespace)
            jobs = deployment_jobs(rows, request.namespace, request.text("deploymentId"))
        page, more = request.page([self._show(job) for job in jobs])
        return answer_data(request, page, more)

    def stop(self, request: ApiRequest) -> Response:
        """``POST …/jobs/{jobId}%3Astop`` (read in the SDK): taken at once. A job that has ended is not stopped (a guess)."""
        strategy = request.document().get("stopStrategy", "NONE")
        if strategy not in _STOPS:
            raise refuse("InvalidParameter", f"stopStrategy must be one of {', '.join(_STOPS)}")
        refresh_jobs(self.service, request.namespace)
        with self.service.store.reading() as rows:
            record = request.lookup(rows, "job")
        if record.document["_status"] not in ACTIVE:
            raise refuse("JobNotRunning", f"the job {record.name} is {record.document['_status']}")
        number, savepoint = record.document["_number"], None
        try:
            flink = self.service.engine.reach()
            if strategy == "NONE":
                flink.cancel(number)
            else:
                savepoint = savepoint_record(self.service, record, "STOP_WITH_SAVEPOINT")
                folder, drain = savepoint.document["_folder"], strategy == "STOP_WITH_DRAIN"
                flink.stop(number, savepoint.document["_trigger"], folder, drain=drain)
        except FlinkRefusal as error:
            raise refuse("StopFailed", str(error)) from error
        with self.service.store.writing() as rows:
            latest = find_document(rows, "job", record.name, record.parent)
            document = {**latest.document, "_status": "CANCELLING", "_stopped": strategy != "NONE"}
            updated = replace(latest, document=document, modified=self.service.now())
            rows.put(updated)
            if savepoint is not None:
                rows.add(savepoint)
        return answer_data(request, self._show(updated))

    def delete(self, request: ApiRequest) -> Response:
        """``DELETE …/jobs/{jobId}`` (read in the SDK). One that runs is not deleted (a guess)."""
        refresh_jobs(self.service, request.namespace)
        with self.service.store.writing() as rows:
            record = request.lookup(rows, "job")
            if record.document["_status"] in ACTIVE:
                raise refuse("JobRunning", f"the job {record.name} is {record.document['_status']}")
            rows.drop("job", record.name, record.parent)
        return answer_data(request, None)

    def proxy(self, request: ApiRequest) -> Response:
        """
        ``GET /flink-ui/v2/proxy`` (FlinkApiProxy, read in the SDK): what Flink itself answers, as a text.

        That a job is named by the service's own number, and Flink's number in the path is that without its dashes, are guesses.
        """
        kind, number, path = (request.text(name) for name in ("resourceType", "resourceId", "flinkApiPath"))
        if kind != "jobs" or not path.startswith("/jobs/"):
            raise refuse("InvalidParameter", "resourceType must be jobs, and flinkApiPath begin with /jobs/")
        with self.service.store.reading() as rows:
            find_document(rows, "job", number, request.text("namespace"))
        try:
            answer = self.service.engine.reach().ask("GET", path)
        except FlinkRefusal as error:
            raise refuse("FlinkApiFailed", str(error)) from error
        return answer_data(request, json.dumps(answer))

    def _show(self, record: StoredDocument) -> dict[str, Any]:
        document = record.document
        status: dict[str, Any] = {"currentJobStatus": document["_status"]}
        if document["_status"] == "RUNNING":
            status["running"] = {
                "observedFlinkJobStatus": document.get("_state", "RUNNING"),
                "observedFlinkJobRestarts": document.get("_restarts", 0),
            }
        if document["_status"] == "FAILED":
            failure = document.get("_failure", "")
            failed = int(document.get("_ended", record.modified) * 1000)
            status["failure"] = {"message": failure, "reason": last_line(failure), "failedAt": failed}
        ended = document.get("_ended")
        return {
            "jobId": record.name,
            "deploymentId": document["_deployment"],
            "deploymentName": document["_name"],
            "namespace": record.parent,
            "executionMode": document["_mode"],
            **document["_with"],
            "userFlinkConf": document["_with"]["flinkConf"],
            "restoreStrategy": document["_restore"],
            "status": status,
            "startTime": int(record.created * 1000),
            **({"endTime": int(ended * 1000)} if ended is not None else {}),
            "createdAt": self.service.time_of(record.created),
            "creator": document["_creator"],
            "creatorName": document["_creator"],
            "modifiedAt": self.service.time_of(record.modified),
            "modifier": document["_creator"],
            "modifierName": document["_creator"],
        }


def run_digest(deployment: StoredDocument) -> str:
    """Return a digest of what a job would be started with."""
    text = json.dumps({name: deployment.document.get(name) for name in _RUN}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def deployment_jobs(rows: FcRecords, namespace: str, deployment: str) -> list[StoredDocument]:
    """Return the jobs of a deployment, the last first."""
    return newest_first(job for job in rows.each("job", namespace) if job.document["_deployment"] == deployment)


def refresh_jobs(service: VervericaService, namespace: str) -> None:
    """Hear from Flink what became of the jobs that were not over, with one request for all of them; where it does not answer, nothing is noted."""
    with service.store.reading() as rows:
        active = [job for job in rows.each("job", namespace) if job.document["_status"] in ACTIVE]
    flink = service.engine.find() if active else None
    try:
        states = flink.states() if flink is not None else {}
        changes = {job.name: _find_news(service, job, states, flink) for job in active}
    except FlinkRefusal:
        return
    if not any(changes.values()):
        return
    with service.store.writing() as rows:
        for job in active:
            latest = rows.find("job", job.name, job.parent)
            if latest is not None and latest.document["_status"] in ACTIVE and changes[job.name]:
                rows.put(replace(latest, document={**latest.document, **changes[job.name]}))


def _find_news(service: VervericaService, job: StoredDocument, states: dict[str, str], flink: Any) -> dict[str, Any]:
    """Return what is new of a job."""
    document = job.document
    state = states.get(document["_number"])
    if state is None:
        if document["_process"] == service.process:
            return {}
        text = "the Flink behind this service does not know the job any more"
        return {"_status": "FAILED", "_failure": text, "_ended": service.now()}
    status = _STATUSES.get(state, "RUNNING")
    if document["_status"] == "CANCELLING" and status in {"STARTING", "RUNNING"}:
        status = "CANCELLING"
    if status == "FINISHED" and document.get("_stopped"):
        status = service.settings.stopped_as
    news: dict[str, Any] = {"_status": status, "_state": state}
    if status == "FAILED":
        news["_failure"] = flink.failure(document["_number"])
    if status == "RUNNING":
        news["_restarts"] = flink.restarts(document["_number"])
    if status not in ACTIVE:
        news["_ended"] = service.now()
    return news if any(document.get(name) != value for name, value in news.items()) else {}
