"""
Instance tunnel: the rows of a SELECT by download sessions, as records or as Arrow, whole or a stretch of them.

Requests and answers are those of PyODPS (`tunnel/instancetunnel.py`) and of the Java SDK. A session is as lasting as its
instance; the service's ends after a day [doc "Tunnel commands"].
"""

from __future__ import annotations

import json
import re
import secrets
import time
from typing import TYPE_CHECKING, Any

from reconciler.local.http.messages import HttpRefusal, Response
from reconciler.local.server.protocol import legible, not_found

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.local.server.exchange import Request
    from reconciler.local.server.instance_pool import Instance
    from reconciler.local.server.settings import Settings
    from reconciler.local.sql.results import StatementResult

_RANGE = re.compile(r"\((\d{1,18}),(\d{1,18})\)")


def create_download(instance: Instance, request: Request, settings: Settings) -> Response:
    """Answer ``POST …?downloads`` with a new session; ``instance_tunnel_limit_enabled`` keeps it to the first rows."""
    result = _result(instance)
    is_limited = request.query.get("instance_tunnel_limit_enabled", "false").lower() in ("", "true")
    moment = time.strftime("%Y%m%d%H%M%S", time.gmtime(instance.started))
    name = f"{moment}{secrets.token_hex(8)}"
    instance.downloads[name] = min(result.count, settings.sql_rows) if is_limited else result.count
    return _session(name, instance, result, 201)


def read_download(instance: Instance, request: Request) -> Response:
    """Answer ``GET …?downloadid=<session>``: what the session is, or with ``data`` the rows of ``rowrange``."""
    name, result = request.query["downloadid"], _result(instance)
    if name not in instance.downloads:
        raise not_found("download", name)
    if "data" not in request.query:
        return _session(name, instance, result, 200)
    match = _RANGE.fullmatch(request.query.get("rowrange", ""))
    start, count = (int(match[1]), int(match[2])) if match else (-1, 0)
    if not 0 <= start <= start + count <= instance.downloads[name]:
        rows = instance.downloads[name]
        raise HttpRefusal(400, "InvalidRowRange", f"The specified row range is not valid: there are {rows} rows")
    columns = _columns(request.query.get("columns"), result.names)
    if "arrow" in request.query:
        # PyODPS puts them in its own order then; records it counts in the order that it asks in.
        columns.sort()
    return stream_rows(
        request,
        [result.types[index] for index in columns],
        (batch.select(columns) for batch in result.batches(start, count)),
        result.zone,
        timestamp_as_struct=True,
    )


def stream_rows(
    request: Request, types: Iterable[str], batches: Iterable[Any], zone: str, *, timestamp_as_struct: bool
) -> Response:
    """Return rows in the form and the compression that a client asks for."""
    from reconciler.local.tunnel.arrow_stream import encode_arrow
    from reconciler.local.tunnel.column_types import parse_type
    from reconciler.local.tunnel.compression import coding_of, compress
    from reconciler.local.tunnel.records import encode_records

    kinds = [parse_type(kind) for kind in types]
    pieces: Iterable[bytes | memoryview]
    if "arrow" in request.query:
        pieces = encode_arrow(batches, kinds, zone, timestamp_as_struct=timestamp_as_struct)
    else:
        pieces = encode_records(batches, kinds, zone)
    coding = coding_of(request.header("Accept-Encoding"))
    headers = () if coding is None else (("Content-Encoding", coding),)
    return Response(
        status=200, content_type="application/octet-stream", headers=headers, pieces=compress(pieces, coding)
    )


def describe_columns(names: Iterable[str], types: Iterable[str]) -> list[dict[str, object]]:
    """Return columns as the JSON of a tunnel's schema has them (PyODPS's `TableSchema`)."""
    return [
        {"name": name, "type": kind, "comment": "", "nullable": True} for name, kind in zip(names, types, strict=True)
    ]


def _session(name: str, instance: Instance, result: StatementResult, status: int) -> Response:
    schema = {"columns": describe_columns(result.names, result.types), "IsVirtualView": False, "partitionKeys": []}
    document = {
        "DownloadID": name,
        "Initiated": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(instance.started)),
        "Owner": instance.owner,
        "RecordCount": instance.downloads[name],
        "Schema": schema,
        "Status": "normal",
    }
    return Response(status=status, content=json.dumps(document).encode(), content_type="application/json")


def _result(instance: Instance) -> StatementResult:
    """
    Return the rows that an instance has.

    The codes are those that the Java SDK and PyODPS act on: they wait, or take the result that is no table. Their statuses
    are guesses.
    """
    if not instance.over.is_set():
        raise HttpRefusal(400, "InstanceNotTerminate", f"Instance {instance.id} is still running")
    if instance.status != "Success":
        raise HttpRefusal(400, "TaskFailed", instance.failure or f"Instance {instance.id} was stopped")
    if instance.result is None:
        raise HttpRefusal(400, "InstanceTypeNotSupported", "Non select query not supported")
    return instance.result


def _columns(names: str | None, existing: tuple[str, ...]) -> list[int]:
    """Return which columns are asked for, in that order."""
    if not names:
        return list(range(len(existing)))
    folded = [name.lower() for name in existing]
    columns = []
    for name in names.split(","):
        if name.lower() not in folded:
            raise HttpRefusal(400, "NoSuchColumn", f"The specified column is not there - {legible(name)}")
        columns.append(folded.index(name.lower()))
    return columns
