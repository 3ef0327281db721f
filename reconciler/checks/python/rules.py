"""
Rules of a service for sources, as a value that a target gives to the checks.

They say what the service asks beside what Python does; the common checks know no service.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.checks import Finding, Use
    from reconciler.checks.python.facts import ModuleFacts
    from reconciler.checks.python.text import Page
    from reconciler.manifest.runtimes import Service

    Others: TypeAlias = Callable[[str], ModuleFacts | None]
    """The other modules of a function by name; None for one that there is not, or that cannot be read."""


@dataclass(frozen=True)
class RuleSet:
    """What a service asks of sources, beside what Python does."""

    service: Service

    version: int = 0
    """Of these rules. A result is remembered under it, so a new rule makes every file be looked at again."""

    of_module: tuple[Callable[[Page, ModuleFacts, Use], Iterator[Finding]], ...] = ()
    """Rules for every module of a function."""

    of_class: Callable[[Page, ModuleFacts, str, Others], Iterator[Finding]] | None = None
    """The rule for the class that a function names."""

    of_interest: tuple[str, ...] = ()
    """
    Regular expressions for what these rules look at: expressions are gathered on their lines alone.

    Each begins with a letter of its own: then it is found many times faster than as one of several alternatives.
    """

    without_files: Mapping[str, str] = field(default_factory=dict)
    """Runtime in which a function may open no file at all, not even its own → what makes it one that may."""

    early_packages: frozenset[str] = frozenset()
    """Runtimes that may find packages as soon as a module is loaded: whether they do is not settled."""
