"""A small stack on Function Compute: what a manifest would want of it, and what applies it."""

from __future__ import annotations

import base64
import io
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import Position
from reconciler.base.names import versioned_name
from reconciler.core import drift, plan, versions
from reconciler.core.kind import Mark, fingerprint
from reconciler.core.record import Holder
from reconciler.core.state import Desired
from reconciler.packages.content import Content, hash_blocks
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.fc.client import FcClient, join_path
from reconciler.targets.fc.crc64 import crc64_of
from reconciler.targets.fc.names import inner_name
from reconciler.targets.fc.objects import (
    FcAlias,
    FcConcurrency,
    FcLayer,
    destination_of,
    function_of,
    trigger_of,
    version_of_function,
)
from reconciler.targets.fc.target import FunctionCompute
from reconciler.targets.fc.wishes import Wishes
from reconciler.workflow import applying
from tests.builders import Silent
from tests.canary import SECRET
from tests.unit.core.states import HASTE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.core.kind import Key
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.core.report import Report
    from reconciler.core.state import DesiredState
    from reconciler.engine.apply import Patience
    from reconciler.targets.fc.entries import EntryStore
    from reconciler.targets.oss import OssClient

STACK = "ocr"
HERE = destination_of("local", "cn-hangzhou")
ORIGIN = Position("udfs.yaml", 1, 1)


def zipped(text: str) -> bytes:
    """Return code as a zip: the same for the same text."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.py"), text)
    return packed.getvalue()


@dataclass(frozen=True)
class Part:
    """One function of a stack, as a manifest describes it."""

    code: str = "one"
    layers: tuple[str, ...] = ("ocr",)
    """Names in `Stack.layers`, or whole references."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    handler: str = "index.handler"
    runtime: str = "python3.10"
    alias: str = "prod"
    triggers: Mapping[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    reserved: int = 0


@dataclass(frozen=True)
class Stack:
    """Layers by name with what they hold, and functions."""

    functions: Mapping[str, Part] = field(default_factory=dict)
    layers: Mapping[str, str] = field(default_factory=lambda: {"ocr": "layer one"})


@dataclass
class World:
    """A service, a folder for what is uploaded, and a stack's connection to it."""

    url: str
    folder: Path
    stack: str = STACK
    entries: EntryStore | None = None
    staging: OssClient | None = None
    contents: dict[str, Path] = field(default_factory=dict)
    _clients: dict[str, FcClient] = field(default_factory=dict)

    def client(self, who: str = "ann") -> FcClient:
        """Return somebody's connection, the same each time."""
        if who not in self._clients:
            self._clients[who] = FcClient(self.url, "cn-hangzhou", Credentials(who, SECRET), "test", token=Names())
        return self._clients[who]

    def target(self, stack: Stack | None = None, who: str = "ann") -> FunctionCompute:
        parts = stack.functions if stack else {}
        wishes = Wishes(
            environment={name: part.environment for name, part in parts.items()},
            functions=frozenset(parts) if stack else None,
            with_alias=frozenset(name for name, part in parts.items() if part.alias),
            with_trigger=frozenset(name for name, part in parts.items() if part.triggers),
            with_concurrency=frozenset(name for name, part in parts.items() if part.reserved),
        )
        return FunctionCompute(self.client(who), self.stack, wishes, self.entries, self.staging)

    def content(self, text: str) -> Content:
        packed = zipped(text)
        path = self.folder / f"{text.replace(' ', '-')}.zip"
        if not path.exists():
            path.write_bytes(packed)
        content = hash_blocks(path, [packed])
        self.contents[content.sha256] = path
        return content

    def desired(self, stack: Stack) -> DesiredState:
        state: dict[Key, Desired] = {}

        def add(obj: Any, mark: Mark | None) -> None:
            state[obj.key] = Desired(obj, ORIGIN, mark)

        names = {}
        for name, text in stack.layers.items():
            content = self.content(text)
            names[name] = versioned_name(name, content.sha256)
            layer = FcLayer(names[name], crc64_of(content), content.size, ("python3.10",))
            add(layer, Mark(self.stack, content.sha256, crc64_of(content)))
        for name, part in stack.functions.items():
            code = self.content(part.code)
            function = function_of(
                name,
                part.runtime,
                part.handler,
                code,
                layers=[names.get(layer, layer) for layer in part.layers],
                environment=part.environment,
                settings=part.settings,
                description=part.description,
                tags=part.tags,
            )
            carried = frozenset({fingerprint(name)}) if part.reserved else frozenset[str]()
            add(function, Mark(self.stack, code.sha256, crc64_of(code), carried))
            if part.alias:
                version, sha256 = version_of_function(function, code.sha256)
                add(version, Mark(self.stack, sha256))
                add(FcAlias(inner_name(name, part.alias), version.name.split("/")[1]), Mark(self.stack))
            for trigger, (kind, config) in part.triggers.items():
                add(trigger_of(name, trigger, kind, config, qualifier=part.alias), Mark(self.stack))
            if part.reserved:
                add(FcConcurrency(name, part.reserved), None)
        return state

    def plan(self, stack: Stack, *, full: bool = False) -> tuple[Plan, Reading]:
        reading = self.target(stack).read(full=full)
        return plan.make(self.desired(stack), reading, stack=self.stack, destination=HERE), reading

    def perform(self, made: Plan, reading: Reading, stack: Stack, patience: Patience = HASTE) -> Report:
        target = self.target(stack)
        return applying.apply_plan(made, reading, target, self.contents, Holder("ann"), Silent(), patience=patience)

    def apply(self, stack: Stack, patience: Patience = HASTE) -> Report:
        made, reading = self.plan(stack)
        assert not made.refusals, made.refusals
        return self.perform(made, reading, stack, patience)

    def require_applied(self, stack: Stack) -> None:
        report = self.apply(stack)
        assert report.complete, report.error
        self.require_unchanged(stack)

    def require_unchanged(self, stack: Stack) -> None:
        for full in (False, True):
            made, _ = self.plan(stack, full=full)
            assert not made.changes, [(str(change.key), change.differences) for change in made.changes]

    def drift(self, stack: Stack) -> dict[str, list[str]]:
        """Return the fields that were changed outside, by object."""
        reading = self.target(stack).read(full=True)
        outside = drift.find(self.desired(stack), reading, self.stack)
        return {str(each.key): [difference.field for difference in each.differences] for each in outside.drifted}

    def rollback(self, stack: Stack) -> Report:
        target = self.target(stack)
        reading = target.read(full=True)
        entry = versions.earlier(self.ledger(target, reading), None)
        made = versions.back(entry, reading, self.stack, HERE)
        assert not made.refusals, made.refusals
        return self.perform(made, reading, stack)

    def ledger(self, target: FunctionCompute, reading: Reading) -> list[Any]:
        """Return the entries, the newest first."""
        from reconciler.core.record import entry_name
        from reconciler.engine.ledger import parse

        contents = ((entry_name(self.stack, epoch), epoch) for epoch in reversed(reading.epochs))
        return [parse(target.store.fetch(name) or b"", name, target.catalog.kinds) for name, _ in contents]

    def function(self, name: str) -> dict[str, Any]:
        return self.client().get("GetFunction", join_path("functions", name))

    def edit(self, method: str, action: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Do by hand what somebody else would."""
        return self.client("eve").send(method, action, path, dict(body) if body is not None else None)


def code_of(text: str) -> dict[str, str]:
    """Return code as a request brings it."""
    return {"zipFile": base64.b64encode(zipped(text)).decode()}


class Names:
    """Short names that are not the same twice."""

    def __init__(self) -> None:
        self._number = 0

    def __call__(self) -> str:
        self._number += 1
        return f"{id(self):x}{self._number:08x}"
