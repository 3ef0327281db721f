"""Triggers of a function."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.local.fc.database import StoredDocument, new_document
from reconciler.local.fc.refusals import invalid_argument, limit_exceeded, name_conflict
from reconciler.local.fc.service import LATEST, existing_object, show_time
from reconciler.local.fc.validation import checked_name
from reconciler.local.fc.versions import checked_description, existing_child, list_children, require_qualifier
from reconciler.local.http.messages import HttpRefusal, Response, answer_json

if TYPE_CHECKING:
    from reconciler.local.fc.database import FcRecords
    from reconciler.local.fc.service import FcRequest, FcService

TRIGGER_ROOT = "_http"
"""Where HTTP triggers are answered here; on the service each has a host name of its own."""

TYPES = frozenset(["http", "oss", "log", "timer", "tablestore", "cdn_events", "mns_topic", "eventbridge", "datahub"])
_NEEDS_SOURCE = frozenset(["oss", "log", "tablestore", "cdn_events", "mns_topic"])
_FIXED = frozenset({"mns_topic", "tablestore"})
"""Cannot be updated (read in the vendor's tool)."""

_METHODS = frozenset(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"])
_MOST_TRIGGERS = 50


@dataclass(frozen=True)
class TriggerCalls:
    """Handlers of ``/functions/{name}/triggers``."""

    service: FcService

    def create(self, request: FcRequest) -> Response:
        """
        ``POST …/triggers``: ``triggerConfig`` is a text that holds JSON (documented); 409 ``TriggerAlreadyExists`` (read in the tool).

        Documented: one HTTP trigger a version or alias, 50 triggers a function. Types are documented, codes of refusals guesses.
        """
        function, document = request.path[1], request.document()
        name = checked_name(document.get("triggerName"), "triggerName")
        fields = _checked_trigger(document)
        with self.service.store.writing() as rows:
            existing_object(rows, "function", function)
            others = list(rows.each("trigger", function))
            if any(other.name == name for other in others):
                raise name_conflict("trigger", name)
            if len(others) >= _MOST_TRIGGERS:
                raise limit_exceeded(f"a function takes at most {_MOST_TRIGGERS} triggers")
            _require_fitting(rows, function, fields, others)
            now = self.service.now()
            fields["_id"] = str(uuid.uuid4())
            record = new_document("trigger", name, fields, now, function)
            rows.add(record)
        return answer_json(self._show(record))

    def read(self, request: FcRequest) -> Response:
        """``GET …/triggers/{trigger}`` (documented)."""
        with self.service.store.reading() as rows:
            return answer_json(self._show(existing_child(rows, "trigger", request)))

    def update(self, request: FcRequest) -> Response:
        """``PUT …/triggers/{trigger}``: what the body has is new, all else stays; type and source cannot be changed (read in the SDK)."""
        document = request.document()
        with self.service.store.writing() as rows:
            before = existing_child(rows, "trigger", request)
            if before.document["triggerType"] in _FIXED:
                raise invalid_argument(f"a trigger of type {before.document['triggerType']} cannot be updated")
            changes: dict[str, Any] = {
                name: document[name]
                for name in ("triggerConfig", "qualifier", "invocationRole", "description")
                if name in document
            }
            fields = {**before.document, **_checked_trigger({**before.document, **changes})}
            others = [other for other in rows.each("trigger", before.parent) if other.name != before.name]
            _require_fitting(rows, before.parent, fields, others)
            record = replace(before, document=fields, modified=self.service.now())
            rows.put(record)
        return answer_json(self._show(record))

    def list(self, request: FcRequest) -> Response:
        """``GET …/triggers``: by name, from ``prefix`` and ``nextToken`` (documented)."""
        page, more = list_children(self.service, request, "trigger")
        return answer_json({"triggers": [*map(self._show, page)], **more})

    def delete(self, request: FcRequest) -> Response:
        """``DELETE …/triggers/{trigger}``: 204 (documented)."""
        with self.service.store.writing() as rows:
            record = existing_child(rows, "trigger", request)
            rows.drop("trigger", record.name, record.parent)
        return Response(status=204)

    def _show(self, record: StoredDocument) -> dict[str, Any]:
        # The structure Trigger of the API pages.
        document = {name: value for name, value in record.document.items() if not name.startswith("_")}
        if document["triggerType"] == "http":
            url = f"http://{self.service.address}/{TRIGGER_ROOT}/{record.document['_id']}"
            document["httpTrigger"] = {"urlInternet": url, "urlIntranet": url}
        return {
            "triggerName": record.name,
            "triggerId": record.document["_id"],
            **document,
            "targetArn": self.service.settings.arn(f"functions/{record.parent}"),
            "status": "",
            "createdTime": show_time(record.created),
            "lastModifiedTime": show_time(record.modified),
        }


def _checked_trigger(document: dict[str, Any]) -> dict[str, Any]:
    kind = document.get("triggerType")
    if kind not in TYPES:
        raise invalid_argument(f"triggerType '{kind}' is not supported")
    config = document.get("triggerConfig", "{}")
    try:
        parsed = json.loads(config) if isinstance(config, str) else None
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise invalid_argument("triggerConfig must be a string that holds a JSON object")
    if kind in _NEEDS_SOURCE and not document.get("sourceArn"):
        raise invalid_argument(f"a trigger of type {kind} needs sourceArn")
    if kind == "http":
        _require_http(parsed)
    if kind == "timer" and not parsed.get("cronExpression"):
        raise invalid_argument("a timer needs cronExpression")
    fields = {"triggerType": kind, "triggerConfig": config, "qualifier": document.get("qualifier") or LATEST}
    for name in ("sourceArn", "invocationRole"):
        fields[name] = str(document.get(name) or "")
    return {**fields, "description": checked_description(document)}


def _require_http(config: dict[str, Any]) -> None:
    # The structure HTTPTriggerConfig of the API pages.
    methods = config.get("methods", ["GET"])
    if not isinstance(methods, list) or not set(map(str, methods)) <= _METHODS:
        raise invalid_argument(f"methods of an HTTP trigger are {', '.join(sorted(_METHODS))}")
    if config.get("authType", "anonymous") not in {"anonymous", "function", "jwt"}:
        raise invalid_argument("authType must be anonymous, function or jwt")


def _require_fitting(rows: FcRecords, function: str, fields: dict[str, Any], others: list[StoredDocument]) -> None:
    qualifier = fields["qualifier"]
    require_qualifier(rows, function, qualifier)
    if fields["triggerType"] == "http":
        for other in others:
            if (other.document["triggerType"], other.document["qualifier"]) == ("http", qualifier):
                raise HttpRefusal(
                    409, "TriggerAlreadyExists", f"'{qualifier}' has the HTTP trigger '{other.name}' already"
                )
