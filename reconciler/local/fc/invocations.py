"""Invocation of functions: by the control API, and by HTTP triggers."""

from __future__ import annotations

import base64
import json
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from reconciler.local.fc.downloads import open_blob
from reconciler.local.fc.functions import USUAL_MEMORY, USUAL_TIMEOUT
from reconciler.local.fc.instances import InstancePool
from reconciler.local.fc.layers import find_layer
from reconciler.local.fc.qualifiers import resolve
from reconciler.local.fc.service import LATEST, existing_object, query_parameters
from reconciler.local.fc.unpacking import UnpackedCode
from reconciler.local.http.messages import HttpRefusal, Response
from reconciler.local.invoke import RUNTIMES, InstanceDescription
from reconciler.local.invoke.http import HttpRequest, make_event, make_response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.local.fc.database import FcRecords, StoredDocument
    from reconciler.local.fc.service import FcRequest, FcService
    from reconciler.local.http.body import Body
    from reconciler.local.http.head import RequestHead
    from reconciler.local.invoke import FunctionAnswer

MOST_EVENT = 32 << 20
MOST_ASYNC_EVENT = 128 << 10
"""Bytes, both documented."""

_MOST_LOG = 4096
"""Bytes of the log that a header carries (documented for ``X-Fc-Log-Type: Tail``)."""
_ASYNC_THREADS = 4


@dataclass(frozen=True)
class Callee:
    """A version of a function that is to be called, with what the call needs to know beside it."""

    description: InstanceDescription
    reserved: int | None
    checksum: str


@dataclass
class Invoker:
    """Runs functions of a service: their code unpacked, their instances warm."""

    service: FcService
    directory: Path
    environment: Mapping[str, str]
    draw: Callable[[], float] = secrets.SystemRandom().random
    """A number from 0 to 1: which of two versions a call by an alias goes to."""

    def __post_init__(self) -> None:
        self._unpacked = UnpackedCode(self.directory)
        self._unpacked.sweep(self.service.store.blobs.names())
        self._pool = InstancePool(self.environment)
        self._threads = ThreadPoolExecutor(_ASYNC_THREADS, thread_name_prefix="udfs-async")

    def close(self) -> None:
        """End what runs; events that wait are dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._pool.close()

    def invoke(self, request: FcRequest) -> Response:
        """
        ``POST /functions/{name}/invocations?qualifier=``: the body is the event.

        Documented: ``x-fc-invocation-type`` Sync or Async (202, and no result), ``x-fc-log-type`` Tail (the log's end in base64), an error
        of the function as 200 with ``X-Fc-Error-Type``. The names of the figures are read in the vendor's tool. An asynchronous event
        is run once and not tried again, and its task cannot be asked for: less than the service does.
        """
        headers, name = request.headers, request.path[1]
        is_async = headers.get("x-fc-invocation-type", "Sync").lower() == "async"
        event = request.content(MOST_ASYNC_EVENT if is_async else MOST_EVENT)
        callee = self.find(name, request.query.get("qualifier"))
        if is_async:
            self._threads.submit(self.call, callee, event, request.request_id)
            return Response(status=202, headers=(("X-Fc-Invocation-Type", "Async"),))
        answer = self.call(callee, event, request.request_id)
        figures = [
            ("X-Fc-Code-Checksum", callee.checksum),
            ("X-Fc-Invocation-Duration", f"{answer.milliseconds:.0f}"),
            ("X-Fc-Invocation-Service-Version", callee.description.version),
            ("X-Fc-Max-Memory-Usage", f"{answer.memory / (1 << 20):.2f}"),
        ]
        if headers.get("x-fc-log-type", "").lower() == "tail":
            figures.append(("X-Fc-Log-Result", base64.b64encode(answer.log.encode()[-_MOST_LOG:]).decode()))
        if answer.error is not None:
            figures.append(("X-Fc-Error-Type", answer.error))
        kind = "application/json" if answer.error else "application/octet-stream"
        return Response(status=200, headers=tuple(figures), content=answer.payload, content_type=kind)

    def find(self, name: str, qualifier: str | None) -> Callee:
        """Return what a name and a qualifier lead to; one of two versions by their weights where an alias has them."""
        with self.service.store.reading() as rows:
            function = existing_object(rows, "function", name)
            if function.document.get("_restriction", {}).get("disable"):
                # Status and code are guesses.
                raise HttpRefusal(403, "FunctionInvocationDisabled", f"invocation of function '{name}' is disabled")
            snapshot = self._pick(rows, function, qualifier)
            concurrency = rows.find("concurrency", name, name)
            layers = [find_layer(rows, self.service, arn) for arn in snapshot.document.get("layers", ())]
        return Callee(
            self._describe(function, snapshot, qualifier or LATEST, layers),
            concurrency.document["reservedConcurrency"] if concurrency else None,
            snapshot.code.checksum,
        )

    def call(self, callee: Callee, event: bytes, request_id: str) -> FunctionAnswer:
        """Return what a function makes of an event."""
        return self._pool.invoke(callee.description, event, request_id, most=callee.reserved)

    def _pick(self, rows: FcRecords, function: StoredDocument, qualifier: str | None) -> StoredDocument:
        alias = rows.find("alias", qualifier or "", function.name)
        if alias is not None:
            drawn = self.draw()
            for number, share in alias.document["additionalVersionWeight"].items():
                if drawn < share:
                    return resolve(rows, function, number)
        return resolve(rows, function, qualifier)

    def _describe(
        self, function: StoredDocument, snapshot: StoredDocument, qualifier: str, layers: list[StoredDocument]
    ) -> InstanceDescription:
        document, settings = snapshot.document, self.service.settings
        if document["runtime"] not in RUNTIMES:
            raise HttpRefusal(
                501, "NotInvocable", f"the local service does not run functions of '{document['runtime']}'"
            )
        custom = document.get("customRuntimeConfig") or {}
        initializer = (document.get("instanceLifecycleConfig") or {}).get("initializer") or {}
        log = document.get("logConfig") or {}
        return InstanceDescription(
            runtime=document["runtime"],
            code=self._folder(snapshot),
            handler=document["handler"],
            layers=tuple(map(self._folder, layers)),
            command=(*(custom.get("command") or ()), *(custom.get("args") or ())),
            port=custom.get("port") or 9000,
            initializer=initializer.get("handler") or None,
            memory=document.get("memorySize", USUAL_MEMORY),
            disk=document.get("diskSize", 512),
            timeout=document.get("timeout", USUAL_TIMEOUT),
            initializer_timeout=initializer.get("timeout") or 300,
            environment=document.get("environmentVariables", {}),
            name=function.name,
            region=settings.region,
            account=settings.account,
            version=LATEST if snapshot.kind == "function" else str(int(snapshot.name)),
            qualifier=qualifier,
            log_project=log.get("project") or "",
            log_store=log.get("logstore") or "",
            network=settings.network,
        )

    def _folder(self, record: StoredDocument) -> Path:
        if record.code.sha256 is None:
            raise HttpRefusal(501, "NotInvocable", "the local service runs no images of containers")
        with open_blob(self.service, record.code.sha256) as file:
            return self._unpacked.folder_of(record.code.sha256, file)


@dataclass(frozen=True)
class TriggerCall:
    """
    A request to an HTTP trigger, ``/_http/<trigger>/path``: on the service it would go to a host name of the trigger's.

    The event and the answer are documented. Of kinds of authentication ``anonymous`` alone is served; that a method which the trigger
    does not name is answered with 405 is a guess.
    """

    invoker: Invoker
    head: RequestHead
    parts: tuple[str, ...]

    @property
    def path(self) -> str:
        """Decoded."""
        return "/".join(("", *self.parts))

    def answer(self, body: Body, request_id: str) -> Response:
        """Look for the trigger, call its function, and answer what that says."""
        service, head = self.invoker.service, self.head
        identity = self.parts[1] if len(self.parts) > 1 else ""
        with service.store.reading() as rows:
            trigger = next((entry for entry in rows.each("trigger", None) if entry.document["_id"] == identity), None)
        if trigger is None or trigger.document["triggerType"] != "http":
            raise HttpRefusal(404, "TriggerNotFound", "there is no HTTP trigger at this address")
        config = json.loads(trigger.document["triggerConfig"])
        if config.get("authType", "anonymous") != "anonymous":
            raise HttpRefusal(403, "AccessDenied", "the local service serves HTTP triggers of authType anonymous alone")
        if head.method not in config.get("methods", ["GET"]):
            raise HttpRefusal(405, "MethodNotAllowed", f"the trigger does not take {head.method}")
        content = body.whole(MOST_EVENT)
        raw, _, query = head.target.partition("?")
        request = HttpRequest(
            method=head.method,
            path="/" + "/".join(raw.split("/")[3:]),
            query=query_parameters(query),
            headers=_join_headers(head.headers.items()),
            body=content,
        )
        now = datetime.fromtimestamp(service.clock(), timezone.utc)
        event = make_event(
            request, account=service.settings.account, domain=service.address, request_id=request_id, now=now
        )
        callee = self.invoker.find(trigger.parent, trigger.document["qualifier"])
        response = make_response(self.invoker.call(callee, event, request_id))
        return _as_response(response.status, response.headers, response.body)


def _join_headers(pairs: Any) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in pairs:
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _as_response(status: int, headers: Mapping[str, str], body: bytes) -> Response:
    # What the connection itself says is not the function's to say; a header that is none cannot be sent.
    kept: list[tuple[str, str]] = []
    kind = "application/json"
    for name, value in headers.items():
        if name.lower() == "content-type":
            kind = value
        elif name.lower() not in _OF_CONNECTION and name.isascii() and name.replace("-", "").isalnum():
            kept.append((name, value))
    if not 200 <= status <= 599 or any(map(_CONTROL.search, (kind, *(text for _, text in kept)))):
        return Response(status=502, content=b"the function answered no HTTP response", content_type="text/plain")
    if status in _WITHOUT_BODY:
        # What followed would be read as the next answer.
        return Response(status=status, headers=tuple(kept))
    return Response(status=status, headers=tuple(kept), content=body, content_type=kind)


_WITHOUT_BODY = frozenset({204, 304})
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no field of a header may hold [RFC 9110 5.5]."""

_OF_CONNECTION = frozenset(
    {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding", "upgrade"}
)
