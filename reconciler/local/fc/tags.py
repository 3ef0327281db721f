"""Tags, reserved concurrency, and restrictions of calls: what of a function is set by calls of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.local.fc.database import StoredDocument, new_document
from reconciler.local.fc.refusals import invalid_argument, missing_object
from reconciler.local.fc.service import existing_object, show_time, split_page
from reconciler.local.fc.validation import checked_tags
from reconciler.local.http.messages import HttpRefusal, Response, answer_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.local.fc.database import FcRecords
    from reconciler.local.fc.service import FcRequest, FcService

_MOST_RESERVED = 100_000
_TAGGED_TYPES = ("function", "ALIYUN::FC::FUNCTION")
"""How clients may call functions there; the first is what the API page's example says, the second a guess."""


@dataclass(frozen=True)
class TagCalls:
    """Handlers of ``/tags-v2``; of what has tags, functions alone are here."""

    service: FcService

    def add(self, request: FcRequest) -> Response:
        """``POST /tags-v2``: ``ResourceType``, ``ResourceId`` (ARNs), ``Tag`` (read in the SDK). A key that is there: `FcSettings.repeated_tags`."""
        document = request.document()
        _require_type(document.get("ResourceType"))
        settings = self.service.settings
        tags = checked_tags(document.get("Tag"), settings.most_tags)
        with self.service.store.writing() as rows:
            for function in self._functions(rows, document.get("ResourceId")):
                before = function.document["_tags"]
                if settings.repeated_tags == "refuse" and before.keys() & tags.keys():
                    raise invalid_argument("a tag of that key exists")
                pairs = [{"Key": key, "Value": value} for key, value in {**before, **tags}.items()]
                checked_tags(pairs, settings.most_tags)
                rows.put(replace(function, document={**function.document, "_tags": {**before, **tags}}))
        return Response(status=204)

    def remove(self, request: FcRequest) -> Response:
        """``DELETE /tags-v2?ResourceType&ResourceId&TagKey&All``: lists are JSON in the query (read in the SDK); keys that are not there count as done."""
        query = request.query
        _require_type(query.get("ResourceType"))
        keys = _read_list(query.get("TagKey"), "TagKey")
        drops_all = query.get("All", "").lower() == "true"
        if not keys and not drops_all:
            raise invalid_argument("TagKey or All is required")
        with self.service.store.writing() as rows:
            for function in self._functions(rows, _read_list(query.get("ResourceId"), "ResourceId")):
                before = function.document["_tags"]
                tags = {} if drops_all else {key: value for key, value in before.items() if key not in keys}
                rows.put(replace(function, document={**function.document, "_tags": tags}))
        return Response(status=204)

    def list(self, request: FcRequest) -> Response:
        """``GET /tags-v2?ResourceType&ResourceId&Tag&Limit&NextToken``: a row a tag (read in the SDK). All on one page, a guess."""
        query = request.query
        _require_type(query.get("ResourceType"))
        arns = _read_list(query.get("ResourceId"), "ResourceId")
        asked_tags = checked_tags(_read_list(query.get("Tag"), "Tag"), self.service.settings.most_tags)
        with self.service.store.reading() as rows:
            functions = [*self._functions(rows, arns)] if arns else [*rows.each("function")]
        entries = [
            {
                "ResourceId": self.service.settings.arn(f"functions/{function.name}"),
                "ResourceType": "function",
                "TagKey": key,
                "TagValue": value,
            }
            for function in functions
            for key, value in function.document["_tags"].items()
            if not asked_tags or (key in asked_tags and asked_tags[key] in ("", value))
        ]
        return answer_json({"RequestId": request.request_id, "NextToken": "", "TagResources": entries})

    def _functions(self, rows: FcRecords, arns: Any) -> Iterator[StoredDocument]:
        if not isinstance(arns, list) or not arns:
            raise invalid_argument("ResourceId must be a list of ARNs")
        start = self.service.settings.arn("functions/")
        for arn in arns:
            if not isinstance(arn, str) or not arn.startswith(start):
                raise missing_object("function", str(arn))
            yield existing_object(rows, "function", arn.removeprefix(start))


@dataclass(frozen=True)
class ConcurrencyCalls:
    """Handlers of ``/functions/{name}/concurrency`` and of ``/concurrency-configs``."""

    service: FcService

    def put(self, request: FcRequest) -> Response:
        """``PUT …/concurrency``: as many instances as are kept for it, and no more (documented)."""
        reserved = request.document().get("reservedConcurrency")
        if not isinstance(reserved, int) or isinstance(reserved, bool) or not 0 <= reserved <= _MOST_RESERVED:
            raise invalid_argument("reservedConcurrency must be a number")
        with self.service.store.writing() as rows:
            name = existing_object(rows, "function", request.path[1]).name
            now = self.service.now()
            fields = {"reservedConcurrency": reserved}
            record = new_document("concurrency", name, fields, now, name)
            rows.put(record)
        return answer_json(self._show(record))

    def read(self, request: FcRequest) -> Response:
        """``GET …/concurrency``: 404 ``ConcurrencyConfigNotFound`` where none was set, a guess."""
        with self.service.store.reading() as rows:
            name = existing_object(rows, "function", request.path[1]).name
            record = rows.find("concurrency", name, name)
        if record is None:
            raise HttpRefusal(404, "ConcurrencyConfigNotFound", f"function '{name}' has no concurrency config")
        return answer_json(self._show(record))

    def delete(self, request: FcRequest) -> Response:
        """``DELETE …/concurrency``: 204, also where none was set (a guess)."""
        with self.service.store.writing() as rows:
            name = existing_object(rows, "function", request.path[1]).name
            rows.drop("concurrency", name, name)
        return Response(status=204)

    def list(self, request: FcRequest) -> Response:
        """``GET /concurrency-configs``: of all functions, by name (documented)."""
        query = request.query
        with self.service.store.reading() as rows:
            start, prefix = query.get("nextToken", ""), query.get("functionName", "")
            page, following = split_page(
                request, self.service, rows.each("concurrency", None, start=start, prefix=prefix)
            )
        more = {"nextToken": following.name} if following else {}
        return answer_json({"configs": [*map(self._show, page)], **more})

    def _show(self, record: StoredDocument) -> dict[str, Any]:
        # The structure ConcurrencyConfig of the API pages.
        return {"functionArn": self.service.settings.arn(f"functions/{record.parent}"), **record.document}


@dataclass(frozen=True)
class RestrictionCalls:
    """Handlers of ``/functions/{name}/invoke``."""

    service: FcService

    def disable(self, request: FcRequest) -> Response:
        """``PUT or POST …/invoke/disable``: it is not called any more; ``reason`` and ``abortOngoingRequest`` are documented."""
        document = request.document()
        return self._restrict(request, {"disable": True, "reason": str(document.get("reason") or "")})

    def enable(self, request: FcRequest) -> Response:
        """``PUT or POST …/invoke/enable``: it is called again (documented)."""
        request.document()
        return self._restrict(request, {"disable": False, "reason": ""})

    def _restrict(self, request: FcRequest, restriction: dict[str, Any]) -> Response:
        now = self.service.now()
        with self.service.store.writing() as rows:
            function = existing_object(rows, "function", request.path[1])
            stamped = {**restriction, "lastModifiedTime": show_time(now)}
            rows.put(replace(function, document={**function.document, "_restriction": stamped}))
        return answer_json({})


def _require_type(kind: Any) -> None:
    if kind not in _TAGGED_TYPES:
        raise invalid_argument(f"ResourceType '{kind}' is not supported")


def _read_list(text: str | None, name: str) -> list[Any]:
    try:
        values = json.loads(text) if text else []
    except (ValueError, RecursionError):
        raise invalid_argument(f"{name} is not JSON") from None
    if not isinstance(values, list):
        raise invalid_argument(f"{name} must be a list")
    return values
