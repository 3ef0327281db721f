"""
Limits of Function Compute, checked before anything is sent: sizes, times, shares, and the environment.

Sources: "CreateFunctionInput" of the API 2023-03-30 (memory, cpu, disk), "Limits" of 2026-04-01 (the others). How the 4 KB of the
environment are counted no page says: here the bytes of names and values, which is the least that they can be.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from reconciler.base.words import quote
from reconciler.manifest.dialect import Flaw
from reconciler.targets.fc.names import LONGEST_TEXT
from reconciler.targets.fc.runtimes import is_custom

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.manifest.dialect import Keys
    from reconciler.targets.fc.manifest import Function

LARGEST_ENVIRONMENT = 4096
MOST_LAYERS = 5
MOST_TRIGGERS = 50
_DISKS = (512, 10240)
_CPU_STEP = 20  # a vCPU has so many
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_RESERVED = "FC_"


class _Range(NamedTuple):
    least: int
    most: int
    unit: str
    step: int = 1

    @property
    def sentence(self) -> str:
        multiple = f", a multiple of {self.step}" if self.step > 1 else ""
        return f"{self.least} to {self.most}{self.unit}{multiple}"

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.least <= number <= self.most and number % self.step == 0


_RANGES = {
    "memory": _Range(128, 32768, " MB", 64),
    "timeout": _Range(1, 86400, " seconds"),
    "initializer_timeout": _Range(1, 300, " seconds"),
    "instance_concurrency": _Range(1, 200, ""),
    "port": _Range(1, 65535, ""),
}


def check_numbers(function: Function, here: Keys) -> Iterator[Flaw]:
    """Yield the numbers of a function that the service would not take."""
    for key, allowed in _RANGES.items():
        number = getattr(function, key)
        if number is not None and number not in allowed:
            yield Flaw("E320", f"{key}: {number} is out of range", (*here, key), allowed.sentence)
    if function.disk not in _DISKS:
        yield Flaw("E320", f"disk: {function.disk} is no size that a disk can have", (*here, "disk"), "512 or 10240 MB")
    if function.cpu is not None and function.memory in _RANGES["memory"]:
        yield from _cpu(function.cpu, function.memory, (*here, "cpu"))


def _cpu(cpu: float, memory: int, keys: Keys) -> Iterator[Flaw]:
    steps = cpu * _CPU_STEP
    # 0.35 is no number that a computer has.
    if abs(steps - round(steps)) > 1e-6 or not 0.05 <= cpu <= 16:
        yield Flaw("E320", f"cpu: {cpu:g} is out of range", keys, "0.05 to 16, a multiple of 0.05")
        return
    gigabytes = memory / 1024
    if not gigabytes / 4 - 1e-6 <= cpu <= gigabytes + 1e-6:
        message = f"cpu: {cpu:g} does not go with {memory} MB"
        least, most = -(-gigabytes * _CPU_STEP // 4) / _CPU_STEP, gigabytes * _CPU_STEP // 1 / _CPU_STEP
        yield Flaw("E320", message, keys, f"for {memory} MB {least:g} to {most:g}: a vCPU has 1 to 4 GB")


def check_environment(function: Function, here: Keys) -> Iterator[Flaw]:
    """Yield environment variables that the service refuses, or sets itself."""
    size = 0
    for name, value in function.environment.items():
        size += len(name.encode()) + len(value.encode())
        keys = (*here, "environment", name)
        if not _VARIABLE.match(name):
            hint = "letters, digits and _, beginning with a letter"
            yield Flaw("E321", f"{quote(name)} is no environment variable that the service takes", keys, hint, True)
        elif name.startswith(_RESERVED):
            hint = "names that begin with FC_ are the service's own; choose another, or read what it sets"
            yield Flaw("E321", f"{quote(name)} is reserved", keys, hint, True)
    if size > LARGEST_ENVIRONMENT:
        message = f"the environment has {size} bytes, and the service takes {LARGEST_ENVIRONMENT}"
        hint = "put it into a file of the source's folder, or into a package of a layer"
        yield Flaw("E322", message, (*here, "environment"), hint, at_key=True)


_FORMS = {
    ("vpc", "id"): re.compile(r"vpc-[a-z0-9]+\Z"),
    ("vpc", "security_group"): re.compile(r"sg-[a-z0-9]+\Z"),
    ("nas", "server"): re.compile(r"[A-Za-z0-9.-]+:/\S*\Z"),
    ("nas", "path"): re.compile(r"/\S+\Z"),
}
_OF_THE_INSTANCE = ("/code", "/opt", "/tmp", "/proc", "/sys", "/dev", "/usr", "/etc", "/bin", "/lib", "/var")
"""Folders that instances have already."""


def check_network(function: Function, here: Keys) -> Iterator[Flaw]:
    """Yield networks and file systems that cannot be named so; that they are there is seen by the service alone."""
    if (vpc := function.vpc) is not None:
        yield from _form(("vpc", "id"), vpc.id, here, "vpc-…, as the console shows it")
        yield from _form(("vpc", "security_group"), vpc.security_group, here, "sg-…, as the console shows it")
        for index, switch in enumerate(vpc.switches):
            if not switch.startswith("vsw-") and "${" not in switch:
                message = f"{quote(switch)} is no switch of a network"
                yield Flaw("E333", message, (*here, "vpc", "switches", index), "vsw-…, as the console shows it")
    if (nas := function.nas) is None:
        return
    if function.vpc is None:
        yield Flaw("E334", "a file system is reached through a network", (*here, "nas"), "write vpc: beside it", True)
    for index, mount in enumerate(nas.mounts):
        keys = (*here, "nas", "mounts", index)
        yield from _form(
            ("nas", "server"), mount.server, here, "NAME.REGION.nas.aliyuncs.com:/FOLDER", (*keys, "server")
        )
        yield from _form(("nas", "path"), mount.path, here, "/mnt/NAME", (*keys, "path"))
        if any(mount.path == folder or mount.path.startswith(f"{folder}/") for folder in _OF_THE_INSTANCE):
            yield Flaw("E333", f"{quote(mount.path)} is a folder of the instance", (*keys, "path"), "/mnt/NAME")


def _form(names: tuple[str, str], text: str, here: Keys, hint: str, keys: Keys | None = None) -> Iterator[Flaw]:
    if not _FORMS[names].match(text) and "${" not in text:
        yield Flaw(
            "E333",
            f"{quote(text)} cannot be the {names[1].replace('_', ' ')} of {names[0]}:",
            keys or (*here, *names),
            hint,
        )


def check_description(text: str | None, here: Keys) -> Iterator[Flaw]:
    """Yield a description behind which there is no room for the mark of udfs."""
    if text is not None and len(text) > LONGEST_TEXT:
        message = f"the description has {len(text)} characters, and there is room for {LONGEST_TEXT}"
        yield Flaw("E331", message, (*here, "description"), "the rest of what the service takes is for udfs's mark")


def check_custom_keys(function: Function, present: Iterable[str], here: Keys) -> Iterator[Flaw]:
    """Yield keys that only custom runtimes have, where the runtime is none."""
    if is_custom(function.runtime):
        return
    for key in present:
        if key in ("command", "args", "port", "instance_concurrency"):
            message = f"'{key}' goes with custom runtimes, and {function.runtime} is none"
            hint = "leave it out, or take runtime: custom.debian12"
            yield Flaw("E323", message, (*here, key), hint, at_key=True)
