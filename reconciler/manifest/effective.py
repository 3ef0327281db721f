"""
What each target of a manifest comes to: its values and variables, and the lines that they come from.

Nothing is checked and nothing fails here: what stops a command for one target is only told, so that all can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import InvalidManifest
from reconciler.manifest.dialect import choose_dialect
from reconciler.manifest.load import DEFAULT_TARGET, content_of
from reconciler.manifest.reader import Document, Mapping, read
from reconciler.manifest.variables import expand

if TYPE_CHECKING:
    import collections.abc
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.base.errors import Position
    from reconciler.manifest.load import Dialects
    from reconciler.manifest.model import Target


@dataclass(frozen=True)
class Value:
    """One value as a target has it."""

    key: str
    """``endpoint``, ``project``, ``schema``, or a variable's name."""

    is_variable: bool
    text: str | None
    """None: it stands on a variable that is not there."""

    at: Position | None
    """Where it is written; None for a default."""

    written: str | None = None
    """As it is written, where that is not what it comes to."""

    instead_of: tuple[str, Position] | None = None
    """The top level's value of the variable, which the target's own replaces."""

    @property
    def shown(self) -> str | None:
        """The value, unless it is a variable from the environment, which may be anybody's secret."""
        return None if self.is_variable and self.written and "${env:" in self.written else self.text


def names(file: Path) -> tuple[str, ...]:
    """Return the targets of a manifest, in its order; the implied one if it has none."""
    return _names(_read(file))


def effective(file: Path, dialects: Dialects, env: collections.abc.Mapping[str, str]) -> dict[str, tuple[Value, ...]]:
    """Return what each target of a manifest comes to in an environment."""
    raw = _read(file)
    if (dialect := choose_dialect(raw, dialects)) is None:
        raise InvalidManifest.of(raw.problems)
    return {
        name: tuple(_values(raw, _expanded(file, name, env), name, dialect.implicit_target)) for name in _names(raw)
    }


def _read(file: Path) -> Document:
    document = Document(str(file))
    read(content_of(file, str(file)), document)
    if document.problems:
        raise InvalidManifest.of(document.problems)
    return document


def _expanded(file: Path, target: str, env: collections.abc.Mapping[str, str]) -> Document:
    document = _read(file)
    expand(document, target, env)
    return document


def _names(document: Document) -> tuple[str, ...]:
    found = document.value("targets")
    return tuple(found) if isinstance(found, Mapping) and found else (DEFAULT_TARGET,)


def _values(raw: Document, expanded: Document, target: str, implicit: Target) -> Iterator[Value]:
    for key, default in implicit.settings.items():
        written = raw.value("targets", target, key)
        if isinstance(written, str):
            yield _value(raw, expanded, key, ("targets", target, key), is_variable=False)
        elif default is not None and (raw.value("targets") is None or key not in implicit.required):
            yield Value(key, False, default, None)
    top, own = raw.value("variables"), raw.value("targets", target, "variables")
    above, mine = _texts(top), _texts(own)
    for name in (*above, *(one for one in mine if one not in above)):
        path = ("targets", target, "variables", name) if name in mine else ("variables", name)
        found = _value(raw, expanded, name, path, is_variable=True)
        if name in mine and name in above:
            place = raw.position(raw.find("variables", name)[0])
            found = Value(found.key, True, found.text, found.at, found.written, (above[name], place))
        yield found


def _value(raw: Document, expanded: Document, key: str, path: tuple[str, ...], *, is_variable: bool) -> Value:
    written, text = str(raw.value(*path)), str(expanded.value(*path))
    mark = raw.find(*path)[0]
    is_known = mark not in expanded.settled
    return Value(
        key,
        is_variable,
        text if is_known else None,
        raw.position(mark),
        written if written != text or not is_known else None,
    )


def _texts(found: Any) -> dict[str, str]:
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, Mapping) else {}
