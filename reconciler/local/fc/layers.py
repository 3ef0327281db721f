"""Layers: create, get, list and delete versions, and who may use them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.local.fc.code_uploads import receive_code
from reconciler.local.fc.database import StoredDocument, new_document, padded_number
from reconciler.local.fc.refusals import invalid_argument, missing_object, object_in_use
from reconciler.local.fc.service import MOST_JSON, existing_object, show_time, split_page
from reconciler.local.fc.validation import checked_name
from reconciler.local.http.messages import Response, answer_json

if TYPE_CHECKING:
    from reconciler.local.fc.database import FcRecords
    from reconciler.local.fc.service import FcRequest, FcService

_MOST_RUNTIMES = 20
_NUMBER = re.compile(r"[1-9]\d{0,8}")
_ARN = re.compile(
    r"acs:fc:(?P<region>[^:]+):(?P<account>[^:]+):layers/(?P<name>[^/]+)/versions/(?P<version>[1-9]\d{0,8})"
)


@dataclass(frozen=True)
class LayerCalls:
    """Handlers of ``/layers``."""

    service: FcService

    def create(self, request: FcRequest) -> Response:
        """
        ``POST /layers/{name}/versions``: the next version of a layer.

        Documented: code, compatibleRuntime (up to 20), description, license; versions count from 1 and are the service's to give. That a
        number is never given twice is a guess, and what a client should hope for.
        """
        settings = self.service.settings
        name = checked_name(request.path[1], "layerName")
        document = request.document(settings.max_code_bytes * 4 // 3 + MOST_JSON)
        fields = _checked_fields(document)
        with receive_code(self.service, document.get("code")) as incoming, self.service.store.writing() as rows:
            counter = rows.find("layer counter", name)
            number = (counter.document["last"] if counter else 0) + 1
            now = self.service.now()
            count = {**(counter.document if counter else {"acl": "0"}), "last": number}
            rows.put(new_document("layer counter", name, count, now))
            fields["_key"] = request.request_id.lower()
            record = new_document("layer", padded_number(number), fields, now, name, incoming.code)
            incoming.keep()
            rows.add(record)
            shown = self._show(rows, record)
        return answer_json(shown)

    def list(self, request: FcRequest) -> Response:
        """
        ``GET /layers``: the newest version of each layer (documented), by name.

        ``official=true`` lists the vendor's own, of which there are none here; ``public=true`` those that others may use.
        """
        query = request.query
        if query.get("official") == "true":
            return answer_json({"layers": []})
        with self.service.store.reading() as rows:
            counters = rows.each("layer counter", start=query.get("nextToken", ""), prefix=query.get("prefix", ""))
            newest = (
                record
                for counter in counters
                if query.get("public") != "true" or counter.document["acl"] == "1"
                if (record := rows.last("layer", counter.name)) is not None
            )
            page, following = split_page(request, self.service, newest)
            shown = [self._show(rows, record) for record in page]
        more = {"nextToken": following.parent} if following else {}
        return answer_json({"layers": shown, **more})

    def list_versions(self, request: FcRequest) -> Response:
        """``GET /layers/{name}/versions``: by number from ``startVersion``; ``nextVersion`` begins the next page (documented)."""
        start = padded_number(request.number("startVersion") or 0)
        with self.service.store.reading() as rows:
            page, following = split_page(request, self.service, rows.each("layer", request.path[1], start=start))
            shown = [self._show(rows, record) for record in page]
        more = {"nextVersion": int(following.name)} if following else {}
        return answer_json({"layers": shown, **more})

    def read(self, request: FcRequest) -> Response:
        """``GET /layers/{name}/versions/{version}`` (documented); 404 ``LayerVersionNotFound`` is a guess."""
        return self._read(request.path[1], request.path[3])

    def read_by_arn(self, request: FcRequest) -> Response:
        """``GET /layerarn/{arn}`` (documented): of this account and region; there are no others here."""
        match = _ARN.fullmatch(request.path[1])
        if match is None:
            raise invalid_argument("arn is none of a layer version")
        if (match["region"], match["account"]) != (self.service.settings.region, self.service.settings.account):
            raise missing_object("layer version", request.path[1])
        return self._read(match["name"], match["version"])

    def delete(self, request: FcRequest) -> Response:
        """``DELETE /layers/{name}/versions/{version}``: 204. Of a version that a function uses: see `FcSettings.delete_used_layer`."""
        name, version = request.path[1], request.path[3]
        with self.service.store.writing() as rows:
            record = _find_version(rows, name, version)
            if self.service.settings.delete_used_layer == "refuse":
                arn = self._arn(record)
                for user in (*rows.each("function"), *rows.each("version", None)):
                    if arn in user.document.get("layers", ()):
                        raise object_in_use(
                            "layer version", f"{name}:{version}", f"function '{user.parent or user.name}'"
                        )
            rows.drop("layer", record.name, name)
        return Response(status=204)

    def put_acl(self, request: FcRequest) -> Response:
        """``PUT /layers/{name}/acl?public=``: who may use a layer; query and empty answer are read in the SDK."""
        public = request.query.get("public") or request.query.get("acl") or ""
        if public.lower() not in {"true", "false", "0", "1"}:
            raise invalid_argument("public must be true or false")
        with self.service.store.writing() as rows:
            counter = rows.find("layer counter", request.path[1])
            if counter is None:
                raise missing_object("layer", request.path[1])
            acl = "1" if public.lower() in {"true", "1"} else "0"
            rows.put(replace(counter, document={**counter.document, "acl": acl}))
        return Response(status=204)

    def _read(self, name: str, version: str) -> Response:
        with self.service.store.reading() as rows:
            record = _find_version(rows, name, version)
            shown = self._show(rows, record)
        location = f"http://{self.service.address}/_code/{record.code.sha256}"
        return answer_json({**shown, "code": {"location": location, "repositoryType": "OSS"}})

    def _arn(self, record: StoredDocument) -> str:
        return self.service.settings.arn(f"layers/{record.parent}/versions/{int(record.name)}")

    def _show(self, rows: FcRecords, record: StoredDocument) -> dict[str, Any]:
        # The structure Layer of the API pages; lists have no `code` (a guess).
        counter = rows.find("layer counter", record.parent)
        return {
            "layerName": record.parent,
            "version": int(record.name),
            "layerVersionArn": self._arn(record),
            "codeChecksum": record.code.checksum,
            "codeSize": record.code.size,
            "createTime": show_time(record.created),
            "acl": counter.document["acl"] if counter else "0",
            **{name: value for name, value in record.document.items() if not name.startswith("_")},
        }


def find_layer(rows: FcRecords, service: FcService, arn: str) -> StoredDocument:
    """Return the layer version of an ARN; 404 where it is none of ours, which the service's own official ones are not either."""
    match = _ARN.fullmatch(arn)
    if match is None:
        raise invalid_argument(f"'{arn}' is no ARN of a layer version")
    if (match["region"], match["account"]) != (service.settings.region, service.settings.account):
        raise missing_object("layer version", arn)
    return existing_object(rows, "layer", padded_number(int(match["version"])), match["name"], arn)


def _find_version(rows: FcRecords, name: str, version: str) -> StoredDocument:
    if _NUMBER.fullmatch(version) is None:
        raise invalid_argument("the version must be a number from 1 on")
    return existing_object(rows, "layer", padded_number(int(version)), name, f"{name}:{version}")


def _checked_fields(document: dict[str, Any]) -> dict[str, Any]:
    runtimes = document.get("compatibleRuntime", [])
    if not isinstance(runtimes, list) or not all(isinstance(runtime, str) for runtime in runtimes):
        raise invalid_argument("compatibleRuntime must be a list of runtimes")
    if len(runtimes) > _MOST_RUNTIMES:
        raise invalid_argument(f"compatibleRuntime has at most {_MOST_RUNTIMES} entries")
    fields: dict[str, Any] = {"compatibleRuntime": runtimes, "description": "", "license": ""}
    for name in ("description", "license"):
        if not isinstance(text := document.get(name, ""), str):
            raise invalid_argument(f"{name} must be a string")
        fields[name] = text
    return fields
