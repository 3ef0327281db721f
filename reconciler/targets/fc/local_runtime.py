"""
Functions of Function Compute that run here: from the zips that an apply would upload to an instance in a sandbox.

Code and layers are unpacked into the cache, by their sha256, and bound read-only. Runtimes whose Debian has their Python run in a root
that was made for them (`udfs runtime make`); others, and those without a root, in a CPython of this machine on its glibc, and the result
says so: what a function ships was checked against the runtime's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from reconciler.local.invoke import EventRequest, FunctionInstance, InstanceDescription, NotInvocable, find_python
from reconciler.packages.debian.root import find_root
from reconciler.packages.pack.archives import pack_once
from reconciler.packages.unpacked import unpack_once
from reconciler.targets.fc.arns import is_layer_arn
from reconciler.targets.fc.manifest import fc_manifest, fc_target
from reconciler.targets.fc.surroundings import environment_of, function_settings
from reconciler.testing.event_programs import EventProgram

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.core.state import DesiredState
    from reconciler.local.interpreters import Interpreter
    from reconciler.local.invoke import FunctionAnswer
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts
    from reconciler.packages.content import Content
    from reconciler.targets.fc.manifest import Function
    from reconciler.targets.powers import Machine
    from reconciler.testing.trials import Bounds


@dataclass(frozen=True)
class Ground:
    """What an instance runs on."""

    python: Interpreter | None
    """A CPython of this machine; None for that of the root."""

    root: Path | None
    version: str
    note: str


class LocalFunction:
    """A function of the manifest, in one instance after the other."""

    def __init__(self, description: InstanceDescription, ground: Ground) -> None:
        self._description, self._ground = description, ground
        self._instance: FunctionInstance | None = None
        self._notes: tuple[str, ...] = ()

    @property
    def is_alive(self) -> bool:
        return True

    @property
    def notes(self) -> tuple[str, ...]:
        return self._notes

    def invoke(self, event: bytes, timeout: float | None = None) -> FunctionAnswer:
        """Return what it makes of an event; of a new instance where the last one has ended."""
        if self._instance is None or not self._instance.is_alive:
            self._instance = FunctionInstance(self._description, self._ground.python, root=self._ground.root)
        answer = self._instance.invoke(event, EventRequest(timeout=timeout))
        own = (self._ground.note,) if self._ground.note else ()
        self._notes = (*own, *self._instance.warnings)
        return answer

    def close(self) -> None:
        if self._instance is not None:
            self._instance.close()


class LocalFunctions:
    """Functions of manifests, for tests and for single events."""

    def manifest_program(
        self, loaded: Loaded, desired: DesiredState, artifacts: Artifacts, name: str, machine: Machine
    ) -> EventProgram:
        """Return what runs a function of the manifest."""
        function = fc_manifest(loaded).functions[name]
        ground = _find_ground(function, loaded, machine)
        describe = partial(_describe, name, function, loaded, artifacts, machine)
        return EventProgram(ground.version, lambda bounds: LocalFunction(describe(bounds), ground), machine.note_once)

    def manifest_function(
        self,
        loaded: Loaded,
        desired: DesiredState,
        artifacts: Artifacts,
        name: str,
        machine: Machine,
        bounds: Bounds,
    ) -> LocalFunction:
        """Return a function of the manifest, for events."""
        function = fc_manifest(loaded).functions[name]
        ground = _find_ground(function, loaded, machine)
        return LocalFunction(_describe(name, function, loaded, artifacts, machine, bounds), ground)


def _find_ground(function: Function, loaded: Loaded, machine: Machine) -> Ground:
    runtime = loaded.manifest.runtime(function)
    root = find_root(machine.cache, runtime.platform.suite) if machine.python is None else None
    if root is not None and root[1].python == runtime.python_version:
        return Ground(None, root[0], runtime.full_version, "")
    key = ("fc", function.runtime)
    if key not in machine.interpreters:
        try:
            machine.interpreters[key] = find_python(function.runtime, machine.environment, machine.python)
        except NotInvocable as error:
            machine.interpreters[key] = error
    interpreter = machine.interpreters[key]
    if isinstance(interpreter, Exception):
        raise interpreter
    return Ground(interpreter, None, interpreter.release, _glibc_note(function.runtime))


def _glibc_note(runtime: str) -> str:
    """Say on which glibc it runs here, where that is not the runtime's."""
    from reconciler.local.invoke import RUNTIMES, find_glibc

    here, required = find_glibc(), RUNTIMES[runtime].glibc
    if here == required:
        return ""
    number = "{}.{}".format(*here) if here else "a system without it"
    return "{}: checked against glibc {}.{}, run on {}".format(runtime, *required, number)


def _describe(
    name: str, function: Function, loaded: Loaded, artifacts: Artifacts, machine: Machine, bounds: Bounds
) -> InstanceDescription:
    """Return the instance of a function, its zips unpacked."""
    settings, target = function_settings(function), fc_target(loaded)
    custom = settings.get("custom_runtime", {})
    memory = min(function.memory, bounds.memory >> 20) if bounds.memory else function.memory
    return InstanceDescription(
        runtime=function.runtime,
        code=unpack_once(machine.cache, artifacts.code[name].content),
        handler=function.handler,
        layers=tuple(_layer(layer, function, loaded, artifacts, machine) for layer in function.layers),
        command=(*custom.get("command", ()), *custom.get("args", ())),
        port=custom.get("port", function.port),
        initializer=function.initializer,
        memory=memory,
        disk=function.disk,
        timeout=min(function.timeout, bounds.seconds) if bounds.seconds else function.timeout,
        initializer_timeout=function.initializer_timeout if function.initializer else max(function.timeout, _START),
        environment=environment_of(function),
        name=name,
        region=target.region,
        account=target.account or "0",
        network=False,
    )


_START = 60
"""Seconds for importing a module; how long the service allows is not published."""


def _layer(layer: str, function: Function, loaded: Loaded, artifacts: Artifacts, machine: Machine) -> Path:
    if is_layer_arn(layer):
        return unpack_once(machine.cache, _layer_elsewhere(layer, machine))
    packed = artifacts.layers[layer, function.runtime]
    return unpack_once(machine.cache, packed.content)


def _layer_elsewhere(arn: str, machine: Machine) -> Content:
    """Return a layer that the manifest does not make: from the cache, since no version ever changes, or from the service."""

    def fetch(folder: Path) -> tuple[Path, tuple[()], tuple[()]]:
        if machine.connect is None:
            message = f"the layer {arn} is no layer of the manifest, and its files are not here"
            hint = "`udfs call` with the same manifest fetches them from the service, once"
            raise NotInvocable(message, hint=hint)
        from reconciler.targets.fc.target import FunctionCompute

        machine.note(f"fetching the layer {arn}")
        with machine.connect() as target:
            assert isinstance(target, FunctionCompute)
            target.download_layer(arn, folder / "layer.zip")
        return folder / "layer.zip", (), ()

    return pack_once(["layer of the service", arn], machine.cache, fetch).content
