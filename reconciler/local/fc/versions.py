"""Published versions, and the aliases that lead to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.local.fc.database import StoredDocument, new_document, padded_number
from reconciler.local.fc.qualifiers import find_version
from reconciler.local.fc.refusals import invalid_argument, missing_object, name_conflict, object_in_use
from reconciler.local.fc.service import LATEST, existing_object, show_time, split_page
from reconciler.local.fc.validation import checked_name
from reconciler.local.http.messages import HttpRefusal, Response, answer_json

if TYPE_CHECKING:
    from reconciler.local.fc.database import FcRecords
    from reconciler.local.fc.service import FcRequest, FcService

_MOST_DESCRIPTION = 256


@dataclass(frozen=True)
class VersionCalls:
    """Handlers of ``/functions/{name}/versions``."""

    service: FcService

    def publish(self, request: FcRequest) -> Response:
        """
        ``POST …/versions``: what LATEST is now, under the next number (documented: versions cannot be changed, numbers never come twice).

        Where nothing changed since the last version: see `FcSettings.publish_unchanged`.
        """
        name = request.path[1]
        description = checked_description(request.document())
        with self.service.store.writing() as rows:
            function = existing_object(rows, "function", name)
            settings = {key: value for key, value in function.document.items() if not key.startswith("_")}
            last = rows.last("version", name)
            if last is not None and self.service.settings.publish_unchanged == "refuse":
                settled = {key: value for key, value in last.document.items() if not key.startswith("_")}
                if settled == settings and last.code == function.code:
                    raise HttpRefusal(
                        409, "VersionPublishError", f"function '{name}' has not changed since version {int(last.name)}"
                    )
            number, now = function.document["_published"] + 1, self.service.now()
            record = new_document(
                "version", padded_number(number), {**settings, "_description": description}, now, name, function.code
            )
            rows.add(record)
            rows.put(replace(function, document={**function.document, "_published": number}))
        return answer_json(_show_version(record))

    def list(self, request: FcRequest) -> Response:
        """
        ``GET …/versions``: ``direction`` is FORWARD or BACKWARD (documented).

        That BACKWARD, the newest first, is usual and that the token is the number of the next are guesses.
        """
        direction = request.query.get("direction") or "BACKWARD"
        if direction not in {"FORWARD", "BACKWARD"}:
            raise invalid_argument("direction must be FORWARD or BACKWARD")
        start = request.number("nextToken")
        with self.service.store.reading() as rows:
            existing_object(rows, "function", request.path[1])
            records = list(rows.each("version", request.path[1]))
            if direction == "BACKWARD":
                records.reverse()
            if start is not None:
                name = padded_number(start)
                records = [
                    entry for entry in records if (entry.name >= name) == (direction == "FORWARD") or entry.name == name
                ]
            page, following = split_page(request, self.service, records)
        more = {"nextToken": str(int(following.name))} if following else {}
        return answer_json({"versions": [*map(_show_version, page)], "direction": direction, **more})

    def delete(self, request: FcRequest) -> Response:
        """``DELETE …/versions/{number}``: 204. Of one that an alias leads to: see `FcSettings.delete_used_version`."""
        _, name, _, number = request.path
        with self.service.store.writing() as rows:
            existing_object(rows, "function", name)
            record = find_version(rows, name, number)
            if self.service.settings.delete_used_version == "refuse":
                for alias in rows.each("alias", name):
                    if number in {alias.document["versionId"], *alias.document["additionalVersionWeight"]}:
                        raise object_in_use("version", number, f"alias '{alias.name}' leads to it")
            rows.drop("version", record.name, name)
        return Response(status=204)


@dataclass(frozen=True)
class AliasCalls:
    """Handlers of ``/functions/{name}/aliases``."""

    service: FcService

    def create(self, request: FcRequest) -> Response:
        """
        ``POST …/aliases``: a name for a version, a share of the calls for another (documented: ``additionalVersionWeight`` from 0 to 1).

        409 ``AliasAlreadyExists`` is read in the vendor's tool; that the versions must exist, and LATEST may be one, are guesses.
        """
        function, document = request.path[1], request.document()
        name = checked_name(document.get("aliasName"), "aliasName")
        if name == LATEST:
            raise invalid_argument("an alias cannot be called LATEST")
        with self.service.store.writing() as rows:
            existing_object(rows, "function", function)
            fields = _checked_alias(rows, function, document)
            now = self.service.now()
            record = new_document("alias", name, fields, now, function)
            if not rows.add(record):
                raise name_conflict("alias", name)
        return answer_json(_show_alias(record))

    def read(self, request: FcRequest) -> Response:
        """``GET …/aliases/{alias}`` (documented)."""
        with self.service.store.reading() as rows:
            return answer_json(_show_alias(existing_child(rows, "alias", request)))

    def update(self, request: FcRequest) -> Response:
        """``PUT …/aliases/{alias}``: what the body has is new, all else stays (documented: every field is optional)."""
        document = request.document()
        with self.service.store.writing() as rows:
            before = existing_child(rows, "alias", request)
            fields = _checked_alias(rows, request.path[1], {**before.document, **document})
            record = replace(before, document=fields, modified=self.service.now())
            rows.put(record)
        return answer_json(_show_alias(record))

    def list(self, request: FcRequest) -> Response:
        """``GET …/aliases``: by name, from ``prefix`` and ``nextToken`` (documented)."""
        page, more = list_children(self.service, request, "alias")
        return answer_json({"aliases": [*map(_show_alias, page)], **more})

    def delete(self, request: FcRequest) -> Response:
        """``DELETE …/aliases/{alias}``: 204 (documented). That triggers of the alias stay is a guess."""
        with self.service.store.writing() as rows:
            record = existing_child(rows, "alias", request)
            rows.drop("alias", record.name, record.parent)
        return Response(status=204)


def existing_child(rows: FcRecords, kind: str, request: FcRequest) -> StoredDocument:
    """Return what a path such as ``functions/read/aliases/prod`` names; 404 for the function or for it."""
    existing_object(rows, "function", request.path[1])
    return existing_object(rows, kind, request.path[3], request.path[1])


def list_children(service: FcService, request: FcRequest, kind: str) -> tuple[list[StoredDocument], dict[str, str]]:
    """Return a page of what belongs to a function, by name, and the token of the next."""
    query = request.query
    with service.store.reading() as rows:
        existing_object(rows, "function", request.path[1])
        entries = rows.each(kind, request.path[1], start=query.get("nextToken", ""), prefix=query.get("prefix", ""))
        page, following = split_page(request, service, entries)
    return page, {"nextToken": following.name} if following else {}


def checked_description(document: dict[str, Any]) -> str:
    """Return the description of a document; its bound of 256 characters is documented for functions, and taken for the others."""
    text = document.get("description", "")
    if not isinstance(text, str) or len(text) > _MOST_DESCRIPTION:
        raise invalid_argument(f"description must be a string of at most {_MOST_DESCRIPTION} characters")
    return text


def _checked_alias(rows: FcRecords, function: str, document: dict[str, Any]) -> dict[str, Any]:
    version, weights = document.get("versionId"), document.get("additionalVersionWeight", {})
    if not isinstance(version, str) or not version:
        raise invalid_argument("versionId is required")
    if not isinstance(weights, dict) or not all(
        isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share <= 1 for share in weights.values()
    ):
        raise invalid_argument("additionalVersionWeight must map a version to a share from 0 to 1")
    if len(weights) > 1:
        raise invalid_argument("additionalVersionWeight takes one version")
    for number in (version, *weights):
        if number != LATEST:
            find_version(rows, function, number)
    return {"versionId": version, "additionalVersionWeight": weights, "description": checked_description(document)}


def _show_version(record: StoredDocument) -> dict[str, Any]:
    # The structure Version of the API pages.
    return {
        "versionId": str(int(record.name)),
        "description": record.document["_description"],
        "createdTime": show_time(record.created),
        "lastModifiedTime": show_time(record.modified),
    }


def _show_alias(record: StoredDocument) -> dict[str, Any]:
    # The structure Alias of the API pages.
    times = {"createdTime": show_time(record.created), "lastModifiedTime": show_time(record.modified)}
    return {"aliasName": record.name, **record.document, **times}


def require_qualifier(rows: FcRecords, function: str, qualifier: str) -> None:
    """404 for a qualifier that leads nowhere."""
    if qualifier == LATEST:
        return
    if qualifier.isascii() and qualifier.isdigit():
        find_version(rows, function, qualifier)
    elif rows.find("alias", qualifier, function) is None:
        raise missing_object("alias", qualifier)
