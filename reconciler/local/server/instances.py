"""
Instances over the wire: create, look at, read the result, stop, list.

The requests and what is read of their answers are those of PyODPS (`models/instance.py`, `models/instances.py`). What
instances can do here is SQL, see `sql`.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import logging
import re
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from reconciler.base.files import has_no_room
from reconciler.local.http.messages import HttpRefusal, Response
from reconciler.local.server.catalog import StoreCatalog
from reconciler.local.server.exchange import Request, created_response, xml_response
from reconciler.local.server.instance_pool import Instance, new_id
from reconciler.local.server.instance_tunnel import create_download, read_download
from reconciler.local.server.listing import answer_list
from reconciler.local.server.protocol import (
    child_text,
    element,
    http_date,
    invalid,
    invalid_xml,
    legible,
    not_found,
    parse_xml,
    same_name,
    texts,
)
from reconciler.local.server.sql_project import JobProject
from reconciler.local.sql.control import Control, StatementLimits
from reconciler.local.sql.problems import SqlFailed, Stopped

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from reconciler.local.server.database import Location
    from reconciler.local.server.service import LocalService

_LOGGER = logging.getLogger(__name__)

MAX_JOB_BYTES = 4 << 20
"""A statement of SQL has at most 2 MB [doc "SQL limits"], and is escaped."""

BLOCKING_SECONDS = 5.0
"""How long ``?instancestatus`` waits for the end. That it waits is in PyODPS's comments; how long is a guess."""

OUTPUT_FORMAT = "odps.sql.select.output.format"
"""The setting by which odpscmd asks for a table to be looked at."""

NEEDED = ("duckdb", "sqlglot", "pyarrow", "numpy", "google_crc32c")
"""The modules of ``udfs[sql]``."""


def create_instance(service: LocalService, request: Request) -> Response:
    """``POST …/instances`` with a job of one SQL task: 201 and ``Location``, the work begins (PyODPS, Java)."""
    location = service.location(request)
    body = request.body.whole(MAX_JOB_BYTES)
    job = parse_xml(body, root="Instance").find("Job")
    tasks = list(job.findall("Tasks/*")) if job is not None else []
    if job is None or len(tasks) != 1:
        raise invalid_xml("a job has one task")
    if tasks[0].tag != "SQL":
        raise HttpRefusal(400, "InvalidParameter", f"The local service runs SQL, and no {legible(tasks[0].tag)} task")
    now, settings = service.clock(), _settings(tasks[0])
    instance = Instance(
        id=new_id(now),
        project=same_name(location.project),
        owner=request.actor,
        task=child_text(tasks[0], "Name") or "AnonymousSQLTask",
        source=ET.tostring(job, encoding="unicode"),
        control=Control(),
        started=now,
        settings=settings,
    )
    work = Work(service, location, tasks[0].findtext("Query") or "", settings)
    service.instances.submit(instance, work)
    return created_response("projects", location.project, "instances", instance.id)


def _settings(task: ET.Element) -> dict[str, str]:
    # The hints: JSON in the property `settings` (PyODPS).
    for setting in task.findall("Config/Property"):
        if child_text(setting, "Name") == "settings":
            with suppress(ValueError):
                settings = json.loads(setting.findtext("Value") or "{}")
                if isinstance(settings, dict):
                    return {str(name): str(value) for name, value in settings.items()}
            raise invalid_xml("the settings of the task are no JSON object")
    return {}


def read_instance(service: LocalService, request: Request) -> Response:
    """``GET …/instances/<id>``, and what the first parameter asks of it."""
    instance = existing_instance(service, request)
    query = request.query
    if "downloadid" in query:
        return read_download(instance, request)
    if "source" in query:
        return Response(status=200, content=instance.source.encode(), content_type="application/xml")
    if "result" in query:
        return xml_response(_result(instance))
    if "taskstatus" in query:
        return xml_response(element("Instance", texts(Status=_status(instance)), element("Tasks", _task(instance))))
    if "instanceprogress" in query:
        return xml_response(_progress(instance))
    if "instancesummary" in query:
        return _summary(instance)
    if query.keys() & {"instancedetail", "detail", "info", "cached", "instancequota"}:
        # What PyODPS shows of a run beside its result; there is nothing to tell.
        return Response(status=200, content=b"{}", content_type="application/json")
    if "instancestatus" in query:
        instance.over.wait(BLOCKING_SECONDS)
    ended = (("x-odps-end-time", http_date(instance.ended)),) if instance.ended is not None else ()
    headers = (("x-odps-owner", instance.owner), ("x-odps-start-time", http_date(instance.started)), *ended)
    return xml_response(element("Instance", texts(Name=instance.id, Status=_status(instance))), headers)


def start_download(service: LocalService, request: Request) -> Response:
    """``POST …/instances/<id>?downloads``: the tunnel's way to a result."""
    if "downloads" not in request.query:
        raise invalid("an instance takes ?downloads")
    return create_download(existing_instance(service, request), request, service.settings)


def _status(instance: Instance) -> str:
    # Of the whole instance; whether it went well, its task says (PyODPS).
    return "Terminated" if instance.over.is_set() else "Running"


def _task(instance: Instance) -> str:
    status = instance.status if instance.over.is_set() or instance.status == "Waiting" else "Running"
    return f'<Task Type="SQL">{texts(Name=instance.task)}{_times(instance)}{texts(Status=status)}<Histories/></Task>'


def _times(instance: Instance) -> str:
    ended = {} if instance.ended is None else {"EndTime": http_date(instance.ended)}
    return texts(StartTime=http_date(instance.started), **ended)


def _result(instance: Instance) -> str:
    """
    A SELECT's rows as CSV in Base64, so that XML carries every character, with their types; or why it failed.

    The descriptor is in PyODPS's model, with the status ``TRUNCATED``; the word for a whole result is a guess.
    """
    result = instance.result
    shown = '<Result Format="text"/>'
    descriptor = ""
    if result is not None:
        is_shown = instance.settings.get(OUTPUT_FORMAT, "").lower() == "humanreadable"
        text, form = (result.table(), "text") if is_shown else (result.csv(), "csv")
        content = base64.b64encode(text.encode()).decode()
        shown = f'<Result Transform="Base64" Format="{form}"><![CDATA[{content}]]></Result>'
        columns = [{"Name": name, "Type": kind} for name, kind in zip(result.names, result.types, strict=True)]
        status = "TRUNCATED" if result.is_cut else "FULL"
        described = {"IsSelect": True, "SelectResultStatus": status, "Schema": {"Columns": columns}}
        descriptor = texts(ResultDescriptor=json.dumps(described))
    elif plain := instance.failure or instance.text:
        plain = legible(plain).replace("]]>", "]]]]><![CDATA[>")
        shown = f'<Result Format="text"><![CDATA[{plain}]]></Result>'
    task = f'<Task Type="SQL">{texts(Name=instance.task)}{shown}{descriptor}{texts(Status=instance.status)}</Task>'
    return element("Instance", element("Tasks", task))


def _summary(instance: Instance) -> Response:
    """Answer what a run took. The shape is what PyODPS reads; of costs the local service knows only that none are billed."""
    summary = {"Instance": {"TaskName": instance.task, "Summary": "", "JsonSummary": json.dumps({"Stages": []})}}
    finalized = "true" if instance.over.is_set() else "false"
    return Response(
        status=200,
        content=json.dumps(summary).encode(),
        content_type="application/json",
        headers=(("x-odps-task-finalized", finalized),),
    )


def _progress(instance: Instance) -> str:
    # One stage, which is done or not: what DuckDB is at is not told.
    done = instance.over.is_set()
    counts = {
        "BackupWorkers": 0,
        "TerminatedWorkers": int(done),
        "RunningWorkers": int(not done),
        "TotalWorkers": 1,
        "InputRecords": 0,
        "OutputRecords": instance.result.count if instance.result else 0,
        "FinishedPercentage": 100 if done else 0,
    }
    return element("Progress", f'<Stage ID="M1_Stg1_job0:0">{texts(**counts)}</Stage>')


def stop_instance(service: LocalService, request: Request) -> Response:
    """``PUT …/instances/<id>`` with ``<Status>Terminated</Status>`` (PyODPS). One that has ended stays as it is: a guess."""
    instance = existing_instance(service, request)
    status = child_text(parse_xml(request.body.whole(MAX_JOB_BYTES), root="Instance"), "Status")
    if status != "Terminated":
        raise invalid_xml("<Status> of an instance becomes Terminated, and nothing else")
    instance.control.stop()
    return Response(status=200)


def list_instances(service: LocalService, request: Request) -> Response:
    """
    ``GET …/instances``: as the other lists, by ``status``, ``onlyowner`` and ``daterange`` too (PyODPS).

    That an owner is not the only one to see an instance unless he says so, and that both ends of the range count, are guesses.
    """
    location = service.location(request)
    status, owner = request.query.get("status", ""), request.query.get("onlyowner") == "yes"
    first, last = _date_range(request.query.get("daterange", ":"))
    instances = [
        instance
        for instance in service.instances.of_project(same_name(location.project))
        if status in ("", _status(instance))
        and (not owner or instance.owner == request.actor)
        and first <= int(instance.started) <= last
    ]

    def source(after: str) -> Iterable[tuple[str, Instance]]:
        return ((instance.id, instance) for instance in instances if instance.id > after)

    return answer_list("Instances", request, service.settings, source, _entry)


def _date_range(text: str) -> tuple[float, float]:
    match = re.fullmatch(r"(\d{0,12}):(\d{0,12})", text)
    if match is None:
        raise invalid("daterange is two times in seconds with a colon between them")
    return float(match[1] or 0), float(match[2] or "inf")


def _entry(instance: Instance) -> str:
    named = texts(Name=instance.id, Owner=instance.owner)
    return element("Instance", named, _times(instance), texts(Status=_status(instance)))


def existing_instance(service: LocalService, request: Request) -> Instance:
    """Return the instance in the path; 404 when it is not there."""
    instance = service.instances.find(same_name(service.project(request).name), request.path[3])
    if instance is None:
        raise not_found("instance", request.path[3])
    return instance


@dataclass(frozen=True)
class Work:
    """What an instance does when its turn comes."""

    service: LocalService
    location: Location
    query: str
    settings: dict[str, str]

    def __call__(self, instance: Instance, folder: Path) -> None:
        """Run the statement and note the outcome."""
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        if missing:
            instance.status = "Failed"
            instance.failure = (
                f"ODPS-0010000:System internal error - the local service runs SQL by {', '.join(NEEDED)}, and "
                f"{', '.join(missing)} is not installed: pip install 'udfs[sql]'"
            )
            return
        limits = self.service.settings
        bounds = StatementLimits(limits.sql_rows, limits.sql_seconds, limits.sql_megabytes, limits.sql_data_types)
        try:
            from reconciler.local.sql.job import run_job  # takes half a second, and what may not be there

            with closing(StoreCatalog(self.service, self.location, instance.owner)) as catalog:
                project = JobProject(self.service, self.location, catalog)
                outcome = run_job(self.query, self.settings, project, bounds, folder, instance.control)
            instance.result, instance.text = outcome.result, outcome.text
            instance.status = "Success"
        except SqlFailed as failed:
            instance.failure, instance.status = str(failed), "Failed"
        except Stopped:
            instance.status = "Cancelled"
        except Exception as error:  # whatever it is, the instance ends
            if not (isinstance(error, OSError) and has_no_room(error)):
                _LOGGER.exception("instance %s failed", instance.id)
            failure = f"{type(error).__name__}: {error}"
            instance.failure, instance.status = f"ODPS-0010000:System internal error - {failure}", "Failed"
