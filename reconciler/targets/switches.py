"""Switches of a service that is built in: the fields of its settings, as ``udfs serve --set NAME=VALUE`` takes them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from reconciler.base.errors import UsageError
from reconciler.base.hints import Command
from reconciler.base.numbers import whole_number
from reconciler.base.words import did_you_mean, quote
from reconciler.local.http.listener import UnguardedServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_GUARD = (
    "set UDFS_SERVE_ACCESS_ID and UDFS_SERVE_ACCESS_KEY to keys of your own, and clients sign with them; "
    "or leave --host out, and this machine alone is served"
)
"""What to do where a service is to be reached by others, and asks nobody who they are."""


@contextmanager
def require_guard(host: str) -> Iterator[None]:
    """Start a server in this context; E905 where others would reach it and it asks nobody who they are."""
    try:
        yield
    except UnguardedServer as error:
        raise UsageError("E905", f"cannot listen at {host}: {error}", hint=_GUARD) from error


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

    def read(
        self, options: Mapping[str, Any], service: str = "", meaningless: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """
        Return the fields that the options of ``udfs serve`` set, switches among them; E901 for what does not fit together.

        `meaningless` names the fields, and their options, that mean nothing to `service`; they are left out.
        """
        values = dict(options)
        switches = self.parse(values.pop("switches"))
        for name, option in (meaningless or {}).items():
            if values.pop(name):
                raise UsageError("E901", f"{option} means nothing to {service}", hint="leave it out")
        if bool(values["access_id"]) != bool(values["access_key"]):
            hint = "or neither, for no signatures"
            raise UsageError("E901", "--access-id and --access-key are given together", hint=hint)
        return {**values, **switches}

    def make_settings(self, values: Mapping[str, Any]) -> Any:
        """Return the settings of these fields; E901 for values that they do not take."""
        try:
            return self.settings(**values)
        except ValueError as error:
            raise UsageError("E901", str(error)) from error

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
