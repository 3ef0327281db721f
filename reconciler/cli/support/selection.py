"""
Selection by name or pattern: ``*`` and ``?`` stand for other characters, and case does not matter.

What fits nothing is an error, with the name that it most resembles: a name mistyped must not mean "all is well".
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import Problem, UsageError, count
from reconciler.base.words import did_you_mean, quote
from reconciler.cli.support.completion import complete_from

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from reconciler.core.kind import Key
    from reconciler.core.plan import Plan
    from reconciler.manifest.load import Loaded

_LISTED = 20
"""Names of an error."""

names_argument = click.argument("names", nargs=-1, metavar="[NAME…]", shell_complete=complete_from("functions"))


def select_names(patterns: Iterable[str], names: Collection[str], where: str = "the manifest has") -> list[str]:
    """Return the names that some patterns fit, each once, in the order of the patterns; all without a pattern."""
    chosen: dict[str, None] = {}
    problems: list[Problem] = []
    patterns = tuple(patterns)
    for pattern in patterns:
        fitting = [name for name in names if fnmatchcase(name.lower(), pattern.lower())]
        if not fitting:
            hint = did_you_mean(pattern, names) or f"it has: {_some(names)}"
            problems.append(Problem("E720", f"{where} no function {quote(pattern)}", hint=hint))
        chosen.update(dict.fromkeys(fitting))
    if problems:
        raise UsageError.of(problems)
    return list(chosen) if patterns else list(names)


def single_name(pattern: str, names: Collection[str]) -> str:
    """Return the one name that a pattern fits; what is no pattern is the name."""
    if not {"*", "?"} & {*pattern}:
        return pattern
    fitting = select_names([pattern], names)
    if len(fitting) > 1:
        message = f"{quote(pattern)} fits {count(len(fitting), 'function')}, and call takes one"
        raise UsageError("E901", message, hint=f"name one of them: {_some(fitting)}")
    return fitting[0]


def select_changes(plan: Plan, patterns: tuple[str, ...], loaded: Loaded) -> frozenset[Key] | None:
    """Return the objects of a plan that some patterns fit, and all that these need; None, for all, without a pattern."""
    if not patterns:
        return None
    from reconciler.core.kind import fits_name
    from reconciler.core.plan import needs
    from reconciler.targets import adapter_of

    kinds = adapter_of(loaded).catalog.kinds
    by_key = {change.key: change for change in (*plan.changes, *plan.unchanged, *plan.shared)}
    chosen: set[Key] = set()
    for pattern in patterns:
        fitting = [key for key in by_key if fits_name(key, pattern, kinds)]
        if not fitting:
            hint = did_you_mean(pattern, (key.name for key in by_key)) or "without a name all of it is shown"
            raise UsageError("E901", f"nothing in the plan is called {quote(pattern)}", hint=hint)
        chosen.update(fitting)
    for key in tuple(chosen):
        sides = (by_key[key].desired, by_key[key].live)
        chosen.update(need for side in sides if side is not None for need in needs(side.object))
    return frozenset(chosen)


def _some(names: Collection[str]) -> str:
    shown = [*names][:_LISTED]
    more = f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return f"{', '.join(shown) or 'none'}{more}"
