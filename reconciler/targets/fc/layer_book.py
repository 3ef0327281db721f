"""
Book of layer versions: which of the service's numbers stand for the layer of a name.

A function lists ``acs:fc:REGION:ACCOUNT:layers/NAME/versions/7``. Where that version is ours, it is called by the layer's name alone here:
the number is the service's choice, and two versions of one name have the same content.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from reconciler.targets.fc.arns import parse_layer_arn

if TYPE_CHECKING:
    from collections.abc import Iterable

_FUNCTION = re.compile(r"acs:fc:(?P<region>[^:]*):(?P<account>[^:]*):functions/(?P<name>[^/:]+)(?:/.*)?\Z")


def owner_of(arn: str) -> tuple[str, str] | None:
    """Return region and account of a function's or a layer's ARN."""
    if layer := parse_layer_arn(arn):
        return layer.region, layer.owner
    match = _FUNCTION.match(arn)
    return (match["region"], match["account"]) if match else None


def function_of_arn(arn: str) -> str:
    """Return the name of the function that an ARN names; empty for another ARN."""
    match = _FUNCTION.match(arn)
    return match["name"] if match else ""


@dataclass
class LayerBook:
    """The layer versions that are ours, as far as this process has seen them. May be used from several threads."""

    _arns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By the layer's name, the newest first."""

    _lock: Lock = field(default_factory=Lock)

    def note(self, name: str, arns: Iterable[str]) -> None:
        """Take down which versions a name stands for; none if it stands for none."""
        with self._lock:
            self._arns[name] = tuple(arns)

    def keep(self, names: Iterable[str]) -> None:
        """Forget every name but these: the others are not there any more."""
        with self._lock:
            self._arns = {name: self._arns[name] for name in names if name in self._arns}

    def knows(self, name: str) -> bool:
        return name in self._arns

    def arn(self, name: str) -> str | None:
        """Return what a function has to list for a name."""
        arns = self._arns.get(name)
        return arns[0] if arns else None

    def text(self, arn: str, function_arn: str) -> str:
        """Return how a layer that a function lists is called: by its name, ``name:7`` in the function's account, else the ARN."""
        layer = parse_layer_arn(arn)
        if layer is None:
            return arn
        if arn in self._arns.get(layer.name, ()):
            return layer.name
        return f"{layer.name}:{layer.version}" if owner_of(function_arn) == (layer.region, layer.owner) else arn


def layer_names(arns: Iterable[str]) -> tuple[str, ...]:
    """Return the names in ARNs of layers."""
    return tuple(layer.name for arn in arns if (layer := parse_layer_arn(arn)))
