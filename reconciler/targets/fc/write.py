"""
Make one change: one object, one request, and what has to be looked at before and after.

Functions, aliases and triggers are created only where there is none; a version and a layer always get a number of their own. An update
of a function sends what differs and the mark with it. The service may go on working at an update after it has answered
(`lastUpdateStatus`), so that is waited for; nothing of it is published before.

Nothing makes a write depend on what was read: this API has no If-Match. So every write is looked at afterwards, and a version that turns
out to hold something else than what was meant is removed again before any alias leads there.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import Refused, ServiceError, StalePlan
from reconciler.core.diff import Action
from reconciler.core.kind import fingerprint
from reconciler.core.plan import observation, writes_content
from reconciler.core.state import Live
from reconciler.engine.staleness import gone_stale
from reconciler.targets.fc.canonical import digest_text, parse_text
from reconciler.targets.fc.client import join_path
from reconciler.targets.fc.code_body import code_body
from reconciler.targets.fc.names import Note, inner_name, split_name, write_description
from reconciler.targets.fc.objects import (
    FUNCTION,
    LATEST,
    NUMBERED,
    TAG_OF_TAGS,
    FcAlias,
    FcConcurrency,
    FcFunction,
    FcLayer,
    FcTrigger,
    FcVersion,
    hide_values,
    is_own_layer,
    tag_of_tags,
    written_tags,
)
from reconciler.targets.fc.parse import list_of, mapping_of, parse_layer, text_of
from reconciler.targets.fc.read import (
    find_function,
    find_object,
    list_layer_versions,
    list_triggers,
    list_versions,
    version_numbers,
)
from reconciler.targets.fc.runtimes import BY_REQUEST
from reconciler.targets.fc.settings import SETTINGS, default_text, write_set
from reconciler.targets.planned_files import arrived_otherwise, open_planned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.kind import Key, Mark
    from reconciler.core.state import Desired
    from reconciler.targets.fc.client import FcClient
    from reconciler.targets.fc.layer_book import LayerBook
    from reconciler.targets.fc.wishes import Wishes
    from reconciler.targets.oss import OssClient

UNCHANGED = "VersionPublishError"
"""How the service refuses to publish what is published already, by the name that clients in public repositories look for."""

_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, *(1.5 for _ in range(40)))
"""Seconds between looks at an update that is in progress: about a minute in all."""


class Writing:
    """One connection's writes, with what it has seen of functions: a version is held against that."""

    def __init__(
        self,
        client: FcClient,
        stack: str,
        wishes: Wishes,
        book: LayerBook,
        seen: dict[str, Live],
        staging: OssClient | None = None,
    ) -> None:
        self._client, self._stack, self._wishes, self._book, self._seen = client, stack, wishes, book, seen
        self._staging = staging

    def write(self, change: Change, contents: Mapping[str, Path], progress: Callable[[int], None]) -> Live | None:
        """Make a change and return what is there afterwards; StalePlan when somebody else was there first."""
        if change.action in {Action.ADOPT, Action.RELEASE} and not change.kind.has_mark:
            return change.live
        try:
            if change.desired is None:
                self._delete(change.key)
                return None
            return self._put(change, change.desired, contents, progress)
        except ServiceError as error:
            if change.action is Action.CREATE and (error.service_code or "").endswith("AlreadyExists"):
                raise gone_stale(change.key, "was created by somebody else") from error
            if change.action is not Action.CREATE and error.status == 404:
                raise gone_stale(change.key, "was deleted by somebody else") from error
            raise

    def _put(
        self, change: Change, desired: Desired, contents: Mapping[str, Path], progress: Callable[[int], None]
    ) -> Live | None:
        match desired.object:
            case FcLayer() as layer:
                return self._layer(change, desired, layer, contents, progress)
            case FcFunction() as function:
                return self._function(change, desired, function, contents, progress)
            case FcVersion() as version:
                return self._publish(change, version)
            case FcAlias() as alias:
                return self._alias(change, alias)
            case FcTrigger() as trigger:
                return self._trigger(change, trigger)
            case FcConcurrency(name, reserved):
                body = {"reservedConcurrency": reserved}
                self._client.send("PUT", "PutConcurrencyConfig", join_path("functions", name, "concurrency"), body)
                return self._now(change)
        raise AssertionError(desired.object)

    def _now(self, change: Change) -> Live:
        """Return what is there; StalePlan if it is not what was meant."""
        current = find_object(self._client, self._book, change.key)
        if current is None:
            raise gone_stale(change.key, "was deleted by somebody else")
        assert change.desired is not None
        if change.kind.differences(change.desired.object, current.object):
            raise gone_stale(change.key, "was changed by somebody else")
        return current

    # --- Layers -----------------------------------------------------------------------------------------------------------

    def _layer(
        self,
        change: Change,
        desired: Desired,
        layer: FcLayer,
        contents: Mapping[str, Path],
        progress: Callable[[int], None],
    ) -> Live:
        document = {
            "description": _description(layer.description, change.mark, layer.name),
            "compatibleRuntime": list(layer.runtimes),
        }
        path = join_path("layers", layer.name, "versions")
        answer = self._send_code("POST", "CreateLayerVersion", path, document, desired, contents, progress)
        created = parse_layer(answer)
        _require_intact(change.key, layer, created)
        arn = text_of(answer, "layerVersionArn")
        # What was let go of stands for no layer of ours any more.
        self._book.note(layer.name, (arn,) if change.mark else ())
        return created

    def _send_code(
        self,
        method: str,
        action: str,
        path: str,
        document: Mapping[str, Any],
        desired: Desired,
        contents: Mapping[str, Path],
        progress: Callable[[int], None],
    ) -> dict[str, Any]:
        assert isinstance(desired.object, FcFunction | FcLayer)
        checksum = desired.object.checksum or ""
        with open_planned(contents, desired) as file:
            if file.size <= BY_REQUEST or self._staging is None:
                return self._client.send(method, action, path, code_body(document, file, checksum, progress))
            bucket, key = self._staging.bucket, f"{self._staging.bucket.prefix}code/{file.sha256}.zip"
            self._staging.put(key, file.body(progress))
            location = {"ossBucketName": bucket.name, "ossObjectName": key, "checksum": checksum}
            answer = self._client.send(method, action, path, {**document, "code": location})
        # The service has a copy of its own. One that stays is overwritten by the next that is equal.
        with suppress(ServiceError):
            self._staging.delete(key)
        return answer

    # --- Functions --------------------------------------------------------------------------------------------------------

    def _function(
        self,
        change: Change,
        desired: Desired,
        function: FcFunction,
        contents: Mapping[str, Path],
        progress: Callable[[int], None],
    ) -> Live:
        document = self._document(change, function)
        path = "/functions"
        if change.action is Action.CREATE:
            tags = _tags(function)
            document |= {"functionName": function.name, **({"tags": tags} if tags else {})}
            answer = self._send_code("POST", "CreateFunction", path, document, desired, contents, progress)
        else:
            path = join_path("functions", function.name)
            if writes_content(change):
                answer = self._send_code("PUT", "UpdateFunction", path, document, desired, contents, progress)
            else:
                answer = self._client.send("PUT", "UpdateFunction", path, document)
            if change.action is Action.UPDATE and any(each.field == "tags" for each in change.differences):
                self._tag(text_of(answer, "functionArn"), function, change.live)
        self._settle(function.name)
        current = self._now(change)
        _require_intact(change.key, function, current)
        self._seen[function.name] = current
        return current

    def _document(self, change: Change, function: FcFunction) -> dict[str, Any]:
        """Return what an update says beside code: what differs and the mark; all of it where the function is new."""
        note = Note(settings=write_set(function.named))
        description = _description(function.description, change.mark, function.name, note)
        if change.action in {Action.ADOPT, Action.RELEASE}:
            return {"description": description}
        is_new = change.action is Action.CREATE
        fields = {difference.field for difference in change.differences}
        document: dict[str, Any] = {"description": description}
        if is_new or fields & {"runtime", "handler"}:
            document |= {"runtime": function.runtime, "handler": function.handler}
        if is_new or "layers" in fields:
            document["layers"] = [self._layer_arn(text) for text in function.layers]
        if is_new or "environment" in fields:
            document["environmentVariables"] = self._environment(change, function)
        return document | _settings(function, None if is_new else fields)

    def _environment(self, change: Change, function: FcFunction) -> dict[str, str]:
        """Return the values of variables, which the manifest alone has."""
        values = dict(self._wishes.environment.get(function.name, {}))
        # A value may have come from the environment of whoever made the plan.
        if hide_values(values) != function.environment:
            hint = "make a new plan, with the variables that the manifest has now"
            raise StalePlan("E617", f"{change.key} is to have other values of variables than were planned", hint=hint)
        return values

    def _layer_arn(self, text: str) -> str:
        if text.startswith("acs:"):
            return text
        if not is_own_layer(text):
            name, _, number = text.partition(":")
            answer = self._client.get("GetLayerVersion", join_path("layers", name, "versions", number))
            return text_of(answer, "layerVersionArn")
        arn = self._book.arn(text)
        if arn is None:
            find_object(self._client, self._book, _layer_key(text))
            arn = self._book.arn(text)
        if arn is None:
            raise gone_stale(_layer_key(text), "is gone")
        return arn

    def _tag(self, arn: str, function: FcFunction, live: Live | None) -> None:
        """Set the tags of the manifest, and take away what udfs has set and nobody wants any more."""
        if tags := _tags(function):
            self._client.send("POST", "TagResources", "/tags-v2", _tagging(arn, tags))
        if live is None or not isinstance(live.object, FcFunction):
            return
        ours, tags_wanted = written_tags(live.object), dict(function.tags)
        if unwanted := sorted(ours - tags_wanted.keys()):
            unwanted += [] if tags else [TAG_OF_TAGS]
            params = {"ResourceType": "function", "ResourceId": json.dumps([arn]), "TagKey": json.dumps(unwanted)}
            self._client.remove("UntagResources", "/tags-v2", **params)

    def _settle(self, name: str) -> None:
        """Wait until the service has done what it was told of a function; E618 if it does not, E619 if it could not."""
        for pause in (*_PAUSES, None):
            answer = self._client.get("GetFunction", join_path("functions", name))
            status, state = text_of(answer, "lastUpdateStatus"), text_of(answer, "state")
            if "Failed" in (status, state):
                reason = reason_of(answer)
                raise ServiceError("E619", f"the service could not update function {name}: {reason}")
            if status != "InProgress" and state != "Pending":
                return
            if pause is not None:
                time.sleep(pause)
        message = f"the service is still at the update of function {name}"
        raise ServiceError("E618", message, hint="run the same command again, it looks first", outcome="unknown")

    # --- Versions ---------------------------------------------------------------------------------------------------------

    def _publish(self, change: Change, version: FcVersion) -> Live:
        function, _ = split_name(version.name)
        if (present := find_object(self._client, self._book, change.key)) is not None:
            # It never changes, so one that is there is as good as one that is made now.
            return present
        self._settle(function)
        expected = self._seen.get(function) or find_function(self._client, self._book, function)
        note = Note(layers=tuple(fingerprint(layer) for layer in version.layers))
        description = _description("", change.mark, version.name, note)
        path = join_path("functions", function, "versions")
        try:
            answer = self._client.send("POST", "PublishFunctionVersion", path, {"description": description})
        except ServiceError as error:
            if error.service_code == UNCHANGED:
                raise _published_by_hand(function) from error
            raise
        number = text_of(answer, "versionId")
        published = find_function(self._client, self._book, function, qualifier=number)
        if published is None or not _is_published(published, expected):
            with suppress(ServiceError):
                self._client.remove("DeleteFunctionVersion", join_path("functions", function, "versions", number))
            raise gone_stale(FUNCTION.key(function), "was changed by somebody else, just before it was published,")
        return Live(version._replace(number=number), mark=change.mark)

    # --- Aliases and triggers ---------------------------------------------------------------------------------------------

    def _alias(self, change: Change, alias: FcAlias) -> Live:
        function, inner = split_name(alias.name)
        numbers = self._numbers(function, alias)
        versions = tuple(
            (number, version) for version, number in numbers.items() if version != LATEST and NUMBERED not in version
        )
        document = {
            "versionId": numbers[alias.version],
            "additionalVersionWeight": {numbers[version]: float(weight) for version, weight in alias.weights},
            "description": _description(alias.description, change.mark, alias.name, Note(versions=versions)),
        }
        here = join_path("functions", function, "aliases")
        if change.action is Action.CREATE:
            self._client.send("POST", "CreateAlias", here, {**document, "aliasName": inner})
        else:
            self._client.send("PUT", "UpdateAlias", here + join_path(inner), document)
        return self._now(change)

    def _numbers(self, function: str, alias: FcAlias) -> dict[str, str]:
        """Return the service's numbers of the versions that an alias leads to."""
        versions = dict.fromkeys((alias.version, *(version for version, _ in alias.weights)))
        digests = {version for version in versions if version != LATEST and not version.startswith(NUMBERED)}
        numbers = {version: version.removeprefix(NUMBERED) for version in versions}
        if digests:
            listed = list_versions(self._client, function, lambda name: name)
            numbers |= {version: number for number, version in version_numbers(listed).items() if version in digests}
        for version in digests:
            if numbers[version] == version:
                raise gone_stale(_version_key(function, version), "is gone")
        return numbers

    def _trigger(self, change: Change, trigger: FcTrigger) -> Live:
        function, inner = split_name(trigger.name)
        # What is adopted was written by somebody else, who may say more than the manifest does.
        note = Note() if change.action is Action.ADOPT else Note(written=digest_text(trigger.config))
        document = {
            "description": _description(trigger.description, change.mark, trigger.name, note),
            "triggerConfig": trigger.config or "{}",
            "qualifier": trigger.qualifier or LATEST,
            **({"invocationRole": trigger.role} if trigger.role else {}),
        }
        here = join_path("functions", function, "triggers")
        if change.action is Action.CREATE:
            whole = {**document, "triggerName": inner, "triggerType": trigger.type}
            source = {"sourceArn": trigger.source} if trigger.source else {}
            self._client.send("POST", "CreateTrigger", here, {**whole, **source})
        else:
            if change.action in {Action.ADOPT, Action.RELEASE}:
                document = {"description": document["description"]}
            self._client.send("PUT", "UpdateTrigger", here + join_path(inner), document)
        return self._now(change)

    # --- Deletions --------------------------------------------------------------------------------------------------------

    def _delete(self, key: Key) -> None:
        function, inner = split_name(key.name)
        here = join_path("functions", function)
        match key.kind:
            case "layer":
                self._delete_layer(key)
            case "version":
                self._delete_version(key, function)
            case "alias":
                self._require_gone(self._client.remove("DeleteAlias", here + join_path("aliases", inner)), key)
            case "trigger":
                self._require_gone(self._client.remove("DeleteTrigger", here + join_path("triggers", inner)), key)
            case "concurrency":
                self._require_gone(self._client.remove("DeleteConcurrencyConfig", here + join_path("concurrency")), key)
            case _:
                self._delete_function(key)

    @staticmethod
    def _require_gone(was_there: bool, key: Key) -> None:
        if not was_there:
            raise gone_stale(key, "was deleted by somebody else")

    def _delete_layer(self, key: Key) -> None:
        """Delete all versions of a layer that are ours; E621 while a published version somewhere was made with one."""
        ours = [
            (layer, text_of(answer, "layerVersionArn"))
            for answer in list_layer_versions(self._client, key.name)
            if (mark := (layer := parse_layer(answer)).mark) and mark.stack == self._stack
        ]
        self._require_gone(bool(ours), key)
        arns = {arn for _, arn in ours}
        for user in self._published_with(key.name, arns):
            raise _in_use(key, user, "it was published with this layer")
        for layer, _ in ours:
            assert isinstance(layer.object, FcLayer)
            path = join_path("layers", key.name, "versions", str(layer.object.version))
            self._client.remove("DeleteLayerVersion", path)
        self._book.note(key.name, ())

    def _published_with(self, layer: str, arns: set[str]) -> Iterator[str]:
        """
        Yield the published versions that a layer is in, of every function there is.

        A plan sees functions as they are, and versions of this stack. Whether a version goes on without a layer that is deleted is not
        published, and other people's versions are looked at here, where it matters: a layer is deleted rarely.
        """
        name = fingerprint(layer)
        for answer in self._client.pages("ListFunctions", "/functions", "functions", fcVersion="v3"):
            function = text_of(answer, "functionName")
            for version in list_versions(self._client, function, lambda text: text):
                assert isinstance(version.object, FcVersion)
                if version.mark is not None:
                    if name in version.object.layers:
                        yield version.object.name
                    continue
                qualifier = version.object.number
                answer = self._client.find("GetFunction", join_path("functions", function), qualifier=qualifier) or {}
                listed = list_of(answer, "layers")
                if arns & {text_of(each, "arn") if isinstance(each, dict) else str(each) for each in listed}:
                    yield version.object.name

    def _delete_version(self, key: Key, function: str) -> None:
        version = find_object(self._client, self._book, key)
        if version is None:
            raise gone_stale(key, "was deleted by somebody else")
        assert isinstance(version.object, FcVersion)
        number = version.object.number
        for answer in self._client.pages("ListAliases", join_path("functions", function, "aliases"), "aliases"):
            if number in {text_of(answer, "versionId"), *mapping_of(answer, "additionalVersionWeight")}:
                raise _in_use(key, inner_name(function, text_of(answer, "aliasName")), "it leads there")
        self._client.remove("DeleteFunctionVersion", join_path("functions", function, "versions", number))

    def _delete_function(self, key: Key) -> None:
        """Delete a function, and what earlier versions of it udfs has left; E620 while anybody has an alias or a trigger on it."""
        here = join_path("functions", key.name)
        if self._client.find("GetFunction", here) is None:
            raise gone_stale(key, "was deleted by somebody else")
        for answer in self._client.pages("ListAliases", here + "/aliases", "aliases"):
            raise _has_more(key, f"alias {text_of(answer, 'aliasName')}")
        for trigger in list_triggers(self._client, key.name):
            raise _has_more(key, f"trigger {split_name(trigger.object.name)[1]}")
        versions = list_versions(self._client, key.name, lambda name: name)
        for version in versions:
            if version.mark is None or version.mark.stack != self._stack:
                raise _has_more(key, f"version {split_name(version.object.name)[1]}")
        for version in versions:
            assert isinstance(version.object, FcVersion)
            number = version.object.number
            self._client.remove("DeleteFunctionVersion", here + join_path("versions", number))
        self._client.remove("DeleteFunction", here)
        self._seen.pop(key.name, None)


def _is_published(published: Live, expected: Live | None) -> bool:
    """Say whether a version holds what its function was seen with; it may have a description of its own, and so no mark."""
    if expected is None:
        return False
    assert isinstance(published.object, FcFunction)
    assert isinstance(expected.object, FcFunction)
    alike = published._replace(object=published.object._replace(named=expected.object.named))
    return observation(alike) == observation(expected)


def _settings(function: FcFunction, fields: set[str] | None) -> dict[str, Any]:
    """Return the settings among some fields as the API has them; all that are named where `fields` is None."""
    document = {}
    settings = dict(function.settings)
    for name, setting in SETTINGS.items():
        if name in function.named and (fields is None or name in fields):
            document[setting.wire] = parse_text(settings[name])
        elif fields is not None and name in fields:
            # Nobody wants it any more: back to what it is when nobody names it.
            document[setting.wire] = setting.default if default_text(name) else type(setting.default)()
    return document


def _description(text: str, mark: Mark | None, name: str, note: Note | None = None) -> str:
    return write_description(text, mark, name, note) if mark else text


def _require_intact(key: Key, meant: FcFunction | FcLayer, stored: Live) -> None:
    """Compare what arrived with what was meant."""
    obj = stored.object
    assert isinstance(obj, FcFunction | FcLayer)
    if (obj.checksum, obj.size) != (meant.checksum, meant.size):
        texts = (f"{each.size} bytes with CRC-64 {each.checksum}" for each in (obj, meant))
        raise arrived_otherwise(key, *texts)


def _tags(function: FcFunction) -> list[dict[str, str]]:
    """Return the tags of a function as the API has them, with the one that tells that udfs has set them."""
    tags = dict(function.tags)
    if tags:
        tags[TAG_OF_TAGS] = tag_of_tags(dict(function.tags))
    return [{"Key": name, "Value": value} for name, value in tags.items()]


def _tagging(arn: str, tags: list[dict[str, str]]) -> dict[str, Any]:
    return {"ResourceType": "function", "ResourceId": [arn], "Tag": tags}


def _layer_key(name: str) -> Key:
    from reconciler.targets.fc.objects import LAYER

    return LAYER.key(name)


def _version_key(function: str, version: str) -> Key:
    from reconciler.targets.fc.objects import VERSION

    return VERSION.key(inner_name(function, version))


def _in_use(key: Key, user: str, why: str) -> Refused:
    return Refused(
        "E621",
        f"{key} is still used by {user}: {why}",
        hint="delete that first, or lead it elsewhere; then run the command again",
    )


def _has_more(key: Key, what: str) -> Refused:
    return Refused(
        "E620",
        f"{key} would be deleted, and has a {what} that this stack does not manage",
        hint="delete that by hand, or keep the function",
    )


def _published_by_hand(function: str) -> ServiceError:
    return ServiceError(
        "E622",
        f"the service publishes no version of function {function}: a version with all that is in it is there already",
        hint="somebody published it by hand; delete that version, or change something of the function",
    )


def reason_of(answer: Mapping[str, Any]) -> str:
    """Return the reason that a function's answer gives for its state."""
    parts = (text_of(answer, name) for name in ("lastUpdateStatusReason", "stateReason", "lastUpdateStatusReasonCode"))
    return next((part[:300] for part in parts if part), "it gives no reason")
