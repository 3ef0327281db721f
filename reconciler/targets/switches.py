"""Switches of a service that is built in: the fields of its settings, as ``udfs serve --set NAME=VALUE`` takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from reconciler.base.errors import UsageError
from reconciler.base.hints import Command
from reconciler.base.numbers import whole_number
from reconciler.base.words import did_you_mean, quote

if TYPE_CHECKING:
    from collections.abc import Iterable


GUARD = (
    "set UDFS_SERVE_ACCESS_ID and UDFS_SERVE_ACCESS_KEY to keys of your own, and clients sign with them; "
    "or leave --host out, and this machine alone is served"
)
"""What to do where a service is to be reached by others, and asks nobody who they are."""


@dataclass(frozen=True)
class Switches:
    """The fields of a class of settings, but for those that have options of their own."""

    settings: type[Any]
    options: frozenset[str]

    def describe(self) -> str:
        """Return one line a switch: its name, what it takes, and its default."""
        return "\n".join(
            f"{name:<32} {_takes(kind)} (default {default})" for name, (kind, default) in self._fields().items()
        )

    def parse(self, pairs: Iterable[str]) -> dict[str, Any]:
        """Return the fields that are set by ``NAME=VALUE``; E901 for what is none."""
        switches = self._fields()
        values: dict[str, Any] = {}
        for pair in pairs:
            name, _, value = pair.partition("=")
            name = name.replace("-", "_")
            if name not in switches:
                hint = did_you_mean(name, switches) or Command("serve", "--list-switches")
                raise UsageError("E901", f"there is no switch {quote(name)}", hint=hint)
            values[name] = _parse_value(name, value, switches[name][0])
        return values

    def _fields(self) -> dict[str, tuple[Any, object]]:
        hints = get_type_hints(self.settings, localns={"Mapping": Mapping})
        return {
            field.name: (hints[field.name], field.default)
            for field in fields(self.settings)
            if field.name not in self.options
        }


def _parse_value(name: str, value: str, kind: Any) -> object:
    if kind is bool and value in {"true", "false"}:
        return value == "true"
    if kind in {int, float} and (number := whole_number(value)) is not None:
        return number
    if kind is str and value:
        return value
    if get_origin(kind) is Literal:
        for choice in get_args(kind):
            if str(choice) == value:
                return choice
    raise UsageError("E901", f"switch '{name}' does not take '{value}'", hint=f"it takes {_takes(kind)}")


def _takes(kind: Any) -> str:
    if kind is bool:
        return "true or false"
    if kind is str:
        return "a text"
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    return "a number"
