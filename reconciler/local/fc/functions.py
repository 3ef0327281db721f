"""Functions: create, get, update, list, delete, and their code."""

from __future__ import annotations

import json
import math
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.local.fc.code_uploads import receive_code
from reconciler.local.fc.database import NO_CODE, StoredDocument, new_document
from reconciler.local.fc.layers import find_layer
from reconciler.local.fc.qualifiers import CHILDREN, resolve
from reconciler.local.fc.refusals import invalid_argument, name_conflict, object_in_use
from reconciler.local.fc.service import MOST_JSON, existing_object, show_time, split_page
from reconciler.local.fc.validation import checked_name, checked_settings, checked_tags, require_function
from reconciler.local.http.messages import HttpRefusal, Response, answer_json

if TYPE_CHECKING:
    from reconciler.local.fc.code_uploads import IncomingCode
    from reconciler.local.fc.database import FcRecords
    from reconciler.local.fc.service import FcRequest, FcService

USUAL_MEMORY, USUAL_TIMEOUT = 512, 3
"""Of a function that names none: MB and seconds, both guesses."""

_DEFAULTS: dict[str, Any] = {
    "description": "",
    "diskSize": 512,
    "timeout": USUAL_TIMEOUT,
    "instanceConcurrency": 1,
    "internetAccess": True,
    "environmentVariables": {},
    "role": "",
    "disableOndemand": False,
    "instanceIsolationMode": "SHARE",
    "sessionAffinity": "NONE",
    "enableLongLiving": False,
    "logConfig": {"project": "", "logstore": "", "enableRequestMetrics": False, "enableInstanceMetrics": False},
    "vpcConfig": {"vpcId": "", "vSwitchIds": [], "securityGroupId": ""},
    "nasConfig": {"userId": -1, "groupId": -1, "mountPoints": []},
    "ossMountConfig": {"mountPoints": []},
    "tracingConfig": {},
    "instanceLifecycleConfig": {"initializer": {"handler": "", "timeout": 3}, "preStop": {"handler": "", "timeout": 3}},
    "invocationRestriction": {},
    "resourceGroupId": "rg-default",
}
"""
What an answer has where a request had nothing. All of it is a guess: names are those of the structure Function, values those of the
API pages' examples, of the vendor's tool, which strips some before it compares, or the emptiest that there is.
"""

_MICRO_CPU = 0.35
"""For the memory above, read in the vendor's tool."""


@dataclass(frozen=True)
class FunctionCalls:
    """Handlers of ``/functions``."""

    service: FcService

    def create(self, request: FcRequest) -> Response:
        """
        ``POST /functions``: a new function; 409 ``FunctionAlreadyExists`` when its name is taken (read in the vendor's tool).

        Fields and their bounds are documented. That every layer must exist, and answers with 200, are guesses.
        """
        document = request.document(self._limit)
        name = checked_name(document.get("functionName"), "functionName")
        settings = checked_settings(document)
        require_function(settings)
        tags = checked_tags(document.get("tags", []), self.service.settings.most_tags)
        with ExitStack() as stack:
            incoming = self._receive(stack, document)
            if incoming is None and "customContainerConfig" not in settings:
                raise invalid_argument("code is required")
            rows = stack.enter_context(self.service.store.writing())
            if rows.find("function", name) is not None:
                raise name_conflict("function", name)
            self._require_layers(rows, settings)
            self.service.remember_functions(rows)
            now = self.service.now()
            identity = {
                "_id": str(uuid.uuid4()),
                "_tags": tags,
                "_group": document.get("resourceGroupId"),
                "_published": 0,
            }
            record = new_document(
                "function", name, {**settings, **identity}, now, code=incoming.code if incoming else NO_CODE
            )
            if incoming:
                incoming.keep()
            rows.add(record)
            shown = self.show(rows, record)
        return answer_json(shown)

    def read(self, request: FcRequest) -> Response:
        """``GET /functions/{name}?qualifier=``: LATEST, a version, or the version that an alias leads to (documented)."""
        with self.service.store.reading() as rows:
            function = existing_object(rows, "function", request.path[1])
            snapshot = resolve(rows, function, request.query.get("qualifier"))
            shown = self.show(rows, function, snapshot)
        return answer_json(shown)

    def read_code(self, request: FcRequest) -> Response:
        """``GET /functions/{name}/code?qualifier=``: where the ZIP file lies, and its checksum (documented)."""
        with self.service.store.reading() as rows:
            function = existing_object(rows, "function", request.path[1])
            code = resolve(rows, function, request.query.get("qualifier")).code
        return answer_json({"url": f"http://{self.service.address}/_code/{code.sha256}", "checksum": code.checksum})

    def update(self, request: FcRequest) -> Response:
        """
        ``PUT /functions/{name}``: what the body has is new, all else stays (documented: every field is optional).

        Objects and lists are replaced as wholes, a guess. Tags and resource group are no part of it (read in the SDK's model).
        """
        document = request.document(self._limit)
        changes = checked_settings(document)
        with ExitStack() as stack:
            incoming = self._receive(stack, document)
            rows = stack.enter_context(self.service.store.writing())
            before = existing_object(rows, "function", request.path[1])
            merged = {**before.document, **changes}
            require_function(merged)
            self._require_layers(rows, changes)
            self.service.remember_functions(rows)
            record = replace(before, document=merged, modified=self.service.now())
            if incoming:
                incoming.keep()
                record = replace(record, code=incoming.code)
            rows.put(record)
            shown = self.show(rows, record)
        return answer_json(shown)

    def list(self, request: FcRequest) -> Response:
        """
        ``GET /functions``: whole functions by name, with the documented filters.

        Without ``fcVersion=v3`` the service lists functions of 2.0 as well (documented); there are none here.
        """
        query = request.query
        tags = checked_tags(_read_tags(query.get("tags")), self.service.settings.most_tags)
        with self.service.store.reading() as rows:
            entries = self.service.list_functions_of(rows, query.get("nextToken", ""), query.get("prefix", ""))
            chosen = (entry for entry in entries if _fits(entry, query, tags))
            page, following = split_page(request, self.service, chosen)
            shown = [self.show(rows, entry) for entry in page]
        more = {"nextToken": following.name} if following else {}
        return answer_json({"functions": shown, **more})

    def delete(self, request: FcRequest) -> Response:
        """``DELETE /functions/{name}``: 204 (documented). Of one that has triggers and their like: see `FcSettings`."""
        name = request.path[1]
        with self.service.store.writing() as rows:
            function = existing_object(rows, "function", name)
            self.service.remember_functions(rows)
            for kind in CHILDREN:
                for child in list(rows.each(kind, name)):
                    if self.service.settings.delete_function_with == "refuse" and kind != "concurrency":
                        raise object_in_use("function", name, f"it has the {kind} '{child.name.lstrip('0')}'")
                    rows.drop(kind, child.name, name)
            rows.drop("function", function.name)
        return Response(status=204)

    def show(self, rows: FcRecords, function: StoredDocument, snapshot: StoredDocument | None = None) -> dict[str, Any]:
        """Return the structure Function (documented) of a function, or of a version of it."""
        record = snapshot or function
        settings, stored = self.service.settings, function.document
        document = {name: value for name, value in record.document.items() if not name.startswith("_")}
        if settings.defaults_on_read:
            memory = document.get("memorySize", USUAL_MEMORY)
            cpu = _MICRO_CPU if memory == USUAL_MEMORY else math.ceil(memory / 1024 / 2 * 20) / 20
            document = {**_DEFAULTS, "memorySize": memory, "cpu": cpu, **document}
        if "layers" in document:
            document["layers"] = [{"arn": arn, "size": self._layer_size(rows, arn)} for arn in document["layers"]]
        if stored.get("_group"):
            document["resourceGroupId"] = stored["_group"]
        if stored.get("_restriction"):
            document["invocationRestriction"] = stored["_restriction"]
        return {
            **document,
            "functionName": function.name,
            "functionId": stored["_id"],
            "functionArn": settings.arn(f"functions/{function.name}"),
            "codeSize": record.code.size,
            "codeChecksum": record.code.checksum,
            "createdTime": show_time(function.created),
            "lastModifiedTime": show_time(record.modified),
            "tags": [{"Key": key, "Value": value} for key, value in stored["_tags"].items()],
            **self._state(function),
        }

    def _state(self, function: StoredDocument) -> dict[str, str]:
        # The fields and their values are documented; when they have which is a guess, see `FcSettings.update_seconds`.
        seconds, now = self.service.settings.update_seconds, self.service.clock()
        is_new = now < function.created + seconds
        is_updating = not is_new and now < function.modified + seconds
        return {
            "state": "Pending" if is_new else "Active",
            "stateReason": "",
            "stateReasonCode": "",
            "lastUpdateStatus": "InProgress" if is_updating else "Successful",
            "lastUpdateStatusReason": "",
            "lastUpdateStatusReasonCode": "",
        }

    def _layer_size(self, rows: FcRecords, arn: str) -> int:
        try:
            return find_layer(rows, self.service, arn).code.size
        except HttpRefusal:  # deleted since
            return 0

    def _require_layers(self, rows: FcRecords, settings: dict[str, Any]) -> None:
        for arn in settings.get("layers", ()):
            find_layer(rows, self.service, arn)

    @property
    def _limit(self) -> int:
        return self.service.settings.max_code_bytes * 4 // 3 + MOST_JSON

    def _receive(self, stack: ExitStack, document: dict[str, Any]) -> IncomingCode | None:
        return stack.enter_context(receive_code(self.service, document["code"])) if "code" in document else None


def _fits(function: StoredDocument, query: Any, tags: dict[str, str]) -> bool:
    # Whether `functionName` and `description` are parts or wholes is a guess.
    stored = function.document
    return (
        query.get("functionName", "") in function.name
        and query.get("description", "") in stored.get("description", "")
        and query.get("runtime") in (None, "", stored.get("runtime"))
        and query.get("resourceGroupId") in (None, "", stored.get("_group"))
        and all(key in stored["_tags"] and value in ("", stored["_tags"][key]) for key, value in tags.items())
    )


def _read_tags(text: str | None) -> Any:
    try:
        return json.loads(text) if text else []
    except (ValueError, RecursionError):
        raise invalid_argument("tags is not JSON") from None
