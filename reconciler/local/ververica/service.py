"""Service context of every handler: settings, store, clock, the Flink behind it; and how answers are written."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from reconciler.local.http.messages import HttpRefusal, Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from email.message import Message
    from pathlib import Path

    from reconciler.local.fc.database import FcRecords, FcStore, StoredDocument
    from reconciler.local.fc.service import FcRequest, FcService
    from reconciler.local.ververica.flink_api import FlinkApi
    from reconciler.local.ververica.settings import VervericaSettings

_USUAL_PAGE, _LARGEST_PAGE = 10, 100
"""Documented for lists of deployments; that the rest of the lists has the same is a guess."""


class FlinkBehind(Protocol):
    """The Flink that deployments run on."""

    def find(self) -> FlinkApi | None:
        """Return the way to it, None where none runs."""

    def reach(self) -> FlinkApi:
        """Return the way to it, started if need be; OSError or `FlinkRefusal` where there is none."""

    def close(self) -> None:
        """Let go of it; one that was started here ends if no job runs on it."""

    @property
    def client(self) -> str | None:
        """The Python that plans programs without an environment; None for the one that Flink finds."""


@dataclass(frozen=True)
class VervericaService:
    """One server's switches and what it keeps."""

    settings: VervericaSettings
    objects: FcService
    """The store, signatures and OSS: those of the local Function Compute."""

    engine: FlinkBehind
    folder: Path
    """Where files lie that Flink reads, and savepoints."""

    process: str
    """A name of this process: what another one was about to start is started by nobody."""

    planning: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Held while a program is planned: a JobManager plans one in Python at a time, where the service has one for each job."""

    @property
    def store(self) -> FcStore:
        return self.objects.store

    def now(self) -> float:
        return self.objects.now()

    def time_of(self, seconds: float) -> str | int:
        """Return a time as answers have it, which `VervericaSettings.times` says."""
        milliseconds = int(seconds * 1000)
        return str(milliseconds) if self.settings.times == "text" else milliseconds


@dataclass(frozen=True)
class ApiRequest:
    """What a client asks of the API."""

    plain: FcRequest
    namespace: str
    actor: str
    """Who asks, by the access id; as the user's number and name, since nobody has any here."""

    @property
    def names(self) -> tuple[str, ...]:
        return self.plain.path

    @property
    def headers(self) -> Message:
        return self.plain.headers

    def document(self) -> dict[str, Any]:
        return self.plain.document()

    def lookup(self, rows: FcRecords, kind: str) -> StoredDocument:
        """Return the document that the path names."""
        return find_document(rows, kind, self.names[0], self.namespace)

    def text(self, name: str) -> str:
        return self.plain.query.get(name, "")

    def page(self, entries: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return the entries of the page that is asked for, and what an answer says of it; pages count from 1 (documented)."""
        index = max(1, self.plain.number("pageIndex") or 1)
        count = min(_LARGEST_PAGE, self.plain.number("pageSize") or _USUAL_PAGE)
        start = (index - 1) * count
        return list(entries[start : start + count]), {"pageIndex": index, "pageSize": count, "totalSize": len(entries)}


def refuse(code: str, message: str) -> HttpRefusal:
    """Return an answer that says no. That it comes with status 200 is documented; codes and texts are guesses."""
    return HttpRefusal(200, code, message)


def answer_data(request: ApiRequest, data: Any, more: dict[str, Any] | None = None) -> Response:
    """Return an answer with its envelope (read in the SDK)."""
    document = {"requestId": request.plain.request_id, "success": True, "httpCode": 200, "data": data, **(more or {})}
    content = json.dumps(document, ensure_ascii=False).encode()
    return Response(status=200, content=content, content_type="application/json;charset=utf-8")


def find_document(rows: FcRecords, kind: str, name: str, namespace: str) -> StoredDocument:
    """Return a document; a refusal where there is none."""
    record = rows.find(kind, name, namespace)
    if record is None:
        label = "UDF artifact" if kind == "udfartifact" else kind
        raise refuse(f"{label.title().replace(' ', '')}NotFound", f"the {label} {name} does not exist")
    return record


def newest_first(records: Iterable[StoredDocument]) -> list[StoredDocument]:
    """Return records by the time of their creation, the last first (a guess for every list)."""
    return sorted(records, key=lambda record: (record.created, record.name), reverse=True)
