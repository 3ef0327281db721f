"""
Put values in place of ``${env:NAME}`` and ``${var:NAME}``.

The replacement works on the values that the reader made, never on text that is still to be parsed, so nothing in a
variable can add a key or change the shape of the manifest. A value is replaced once: what it holds is not looked at
again, with the one exception that the variables of a target may come from the environment. Only the chosen target is
replaced, so a laptop needs no production variables. Keys are never replaced.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.manifest.reader import MAX_BYTES, Mapping, Sequence
from reconciler.manifest.suggest import did_you_mean

if TYPE_CHECKING:
    import collections.abc
    from collections.abc import Iterable

    from reconciler.manifest.reader import Document

_REFERENCE = re.compile(r"\$(?P<escaped>\$\{)|\$\{(?:(?P<kind>env|var):(?P<name>[A-Za-z_][A-Za-z0-9_]*)\})?")
_FORMS = "write ${var:NAME}, or $${ for the two characters themselves"
_NO_ENV = "the environment is read under `targets:` only; set a variable of the target from it and use ${var:NAME} here"


def expand(document: Document, target: str, env: collections.abc.Mapping[str, str]) -> None:
    """
    Replace all references in `document`, in place.

    Undefined ones are noted as problems and left as they are; the values that hold them are settled, so that nobody
    complains about those again.
    """
    if "${" in document.text and isinstance(document.root, Mapping):
        _Expansion(document, env).run(target)


@dataclass
class _Expansion:
    document: Document
    env: collections.abc.Mapping[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    budget: int = MAX_BYTES
    """How many characters all replacements together may add: a long variable used often is a bomb too."""

    def run(self, target: str) -> None:
        root = self.document.root
        top = root.get("variables")
        if isinstance(top, Mapping):
            self._scalars(top, kinds=())
            self.variables.update(_texts(top))
        chosen = self.document.value("targets", target)
        if isinstance(chosen, Mapping):
            self._target(chosen)
        for key in root:
            if key not in ("targets", "variables"):
                self._walk(root, key, root.marks[key][1])

    def _target(self, target: Mapping) -> None:
        own = target.get("variables")
        if isinstance(own, Mapping):
            self._scalars(own, kinds=("env",))
            self.variables.update(_texts(own))
        self._scalars(target, kinds=("env", "var"))

    def _scalars(self, mapping: Mapping, *, kinds: tuple[str, ...]) -> None:
        for key, value in mapping.items():
            if isinstance(value, str) and "${" in value:
                mapping[key] = self._replaced(value, mapping.marks[key][1], kinds)

    def _walk(self, container: Any, key: Any, mark: int) -> None:
        value = container[key]
        if isinstance(value, Mapping):
            for inner in value:
                self._walk(value, inner, value.marks[inner][1])
        elif isinstance(value, Sequence):
            for index in range(len(value)):
                self._walk(value, index, value.marks[index])
        elif "${" in value:
            container[key] = self._replaced(value, mark, ("var",))

    def _replaced(self, text: str, mark: int, kinds: tuple[str, ...]) -> str:
        def one(found: re.Match[str]) -> str:
            if found["escaped"]:
                return "${"
            place = self.document.inside(mark, text, found.start())
            value = self._value(found, kinds, mark, place)
            self.budget -= len(value)
            return value

        if self.budget < 0:
            return text
        # A plain text stays plain, so that a test's argument may be a number that comes from a variable.
        replaced = type(text)(_REFERENCE.sub(one, text))
        if self.budget < 0:
            self._note("E104", f"variables add more than {MAX_BYTES // 1_000_000} MB", mark, mark, found=None)
        return replaced

    def _value(self, found: re.Match[str], kinds: tuple[str, ...], mark: int, place: int) -> str:
        kind, name = found["kind"], found["name"]
        if kind is None:
            return self._note("E306", "'${' does not begin a variable here", mark, place, hint=_FORMS, found=found)
        if kind not in kinds:
            return self._misplaced(kind, kinds, mark, place, found)
        values = self.env if kind == "env" else self.variables
        value = values.get(name)
        if value:
            return value
        if kind == "env":
            state = "is empty" if value == "" else "is not set"
            message = f"the environment variable '{name}' {state}"
            hint = did_you_mean(name, self.env) or "set it, or choose another target with --target"
        else:
            message = f"the variable '{name}' is not defined"
            hint = did_you_mean(name, self.variables) or "define it under `variables:`, or under the target's"
        return self._note("E306", message, mark, place, hint=hint, found=found)

    def _misplaced(self, kind: str, kinds: Iterable[str], mark: int, place: int, found: re.Match[str]) -> str:
        if kind == "env":
            message, hint = "the environment is not read here", _NO_ENV
        else:
            message, hint = (
                "a variable's value holds no other variable",
                "write the value out, or use both where needed",
            )
        return self._note("E306", message, mark, place, hint=hint, found=found)

    def _note(
        self, code: str, message: str, mark: int, place: int, *, found: re.Match[str] | None, hint: str | None = None
    ) -> str:
        shown = found[0] if found else ""
        self.document.note(code, message, (place, len(shown)), hint=hint)
        self.document.settled.add(mark)
        return shown


def _texts(mapping: Mapping) -> dict[str, str]:
    return {key: value for key, value in mapping.items() if isinstance(value, str)}
