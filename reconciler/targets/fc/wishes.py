"""Wishes of a manifest that no object holds: values of variables, and the functions whose aliases and triggers are asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Wishes:
    """The parts of a manifest that a connection needs."""

    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Of each function, as it is to be set: objects hold digests of the values."""

    with_alias: frozenset[str] = frozenset()
    """Functions whose aliases are asked for: the service lists aliases a function, and most have none."""

    functions: frozenset[str] | None = None
    """All of them: of any other function of the stack, which then goes, everything is asked for. None where that is not known."""

    with_trigger: frozenset[str] = frozenset()
    with_concurrency: frozenset[str] = frozenset()
