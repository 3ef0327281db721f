"""
Effective settings of each target: its values and variables, and the lines that they come from.

Nothing is checked here but the YAML and the kind: a value that stops a command for one target is still shown, so that all can
be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import InvalidManifest
from reconciler.manifest.dialect import choose_dialect
from reconciler.manifest.load import DEFAULT_TARGET, content_of
from reconciler.manifest.reader import Document, Mapping, read_document
from reconciler.manifest.variables import expand_variables

if TYPE_CHECKING:
    import collections.abc
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.base.errors import Position, Problem
    from reconciler.manifest.dialect import Dialects
    from reconciler.manifest.model import Target


@dataclass(frozen=True)
class TargetSetting:
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


def target_names(file: Path) -> tuple[str, ...]:
    """Return the targets of a manifest, in its order; the implied one if it has none."""
    return _names(_read(file))


@dataclass(frozen=True)
class Outline:
    """What puts a manifest in its place among others, before any command has read it."""

    targets: tuple[str, ...]
    after: tuple[tuple[str, Problem], ...]
    """The names of its ``after:``, each with a problem (E569) at its place, for who has one with it."""


def read_outline(file: Path) -> Outline:
    """Return the outline of a manifest, which is read once for all of it."""
    document = _read(file)
    names = document.value("after")
    after = tuple(
        (str(text), document.problem("E569", "", mark, width=width))
        for number, text in enumerate(names if isinstance(names, list | tuple) else ())
        for mark, width in [document.find("after", number)]
        if isinstance(text, str)
    )
    return Outline(_names(document), after)


def effective_targets(
    file: Path, dialects: Dialects, env: collections.abc.Mapping[str, str]
) -> dict[str, tuple[TargetSetting, ...]]:
    """Return what each target of a manifest comes to in an environment."""
    raw = _read(file)
    if (dialect := choose_dialect(raw, dialects)) is None:
        raise InvalidManifest.of(raw.problems)
    # Each target is expanded from a fresh reading: replacing works in place.
    targets = {}
    for name in _names(raw):
        expanded = _read(file)
        expand_variables(expanded, name, env)
        targets[name] = tuple(_values(raw, expanded, name, dialect.implicit_target))
    return targets


def _read(file: Path) -> Document:
    document = Document(str(file))
    read_document(content_of(file, str(file)), document)
    if document.problems:
        raise InvalidManifest.of(document.problems)
    return document


def _names(document: Document) -> tuple[str, ...]:
    declared = document.value("targets")
    return tuple(declared) if isinstance(declared, Mapping) and declared else (DEFAULT_TARGET,)


def _values(raw: Document, expanded: Document, target: str, implicit: Target) -> Iterator[TargetSetting]:
    for key, default in implicit.settings.items():
        text = raw.value("targets", target, key)
        if isinstance(text, str):
            yield _value(raw, expanded, key, ("targets", target, key), is_variable=False)
        elif default is not None and (raw.value("targets") is None or key not in implicit.required):
            yield TargetSetting(key, False, default, None)
    top_variables, target_variables = raw.value("variables"), raw.value("targets", target, "variables")
    outer, inner = _texts(top_variables), _texts(target_variables)
    for name in dict.fromkeys((*outer, *inner)):
        path = ("targets", target, "variables", name) if name in inner else ("variables", name)
        setting = _value(raw, expanded, name, path, is_variable=True)
        if name in inner and name in outer:
            position = raw.position(raw.find("variables", name)[0])
            setting = TargetSetting(
                setting.key, True, setting.text, setting.at, setting.written, (outer[name], position)
            )
        yield setting


def _value(raw: Document, expanded: Document, key: str, path: tuple[str, ...], *, is_variable: bool) -> TargetSetting:
    raw_text, text = str(raw.value(*path)), str(expanded.value(*path))
    mark = raw.find(*path)[0]
    # A value with a variable that is not set is settled: it has its complaint, and no text.
    is_known = mark not in expanded.settled
    return TargetSetting(
        key,
        is_variable,
        text if is_known else None,
        raw.position(mark),
        raw_text if raw_text != text or not is_known else None,
    )


def _texts(mapping: Any) -> dict[str, str]:
    return (
        {key: value for key, value in mapping.items() if isinstance(value, str)} if isinstance(mapping, Mapping) else {}
    )
