"""
Variables: ``${env:NAME}`` and ``${var:NAME}`` are replaced by values.

The replacement works on the values that the reader made, never on text that is still to be parsed, so nothing in a
variable can add a key or change the shape of the manifest. A value is replaced once: what it holds is not looked at
again, with the one exception that the variables of a target may come from the environment. Only the chosen target is
replaced, so a laptop needs no production variables. Keys are never replaced.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.base.words import did_you_mean, quote
from reconciler.manifest.reader import MAX_BYTES, Mapping, Sequence

if TYPE_CHECKING:
    import collections.abc

    from reconciler.manifest.reader import Document

MAX_ADDED = MAX_BYTES
"""How many characters all replacements together may add: a long variable that is used often is a bomb too."""

_REFERENCE = re.compile(r"\$(?P<escaped>\$\{)|\$\{(?:(?P<kind>env|var):(?P<name>[A-Za-z_][A-Za-z0-9_]*)\})?")

_SECRET = re.compile(r"SECRET|TOKEN|PASSW(?:OR)?D|CREDENTIAL|(?:ACCESS|PRIVATE|API)_?KEY|ACCESS_?ID", re.IGNORECASE)
"""In names of variables by which credentials are handed to programs."""


def looks_secret(name: str) -> bool:
    """Say whether a variable is called like what hands a credential to a program."""
    return _SECRET.search(name) is not None


class _Problem(NamedTuple):
    message: str
    hint: str


_FORMS = "write ${var:NAME}, or $${ for the two characters themselves"
_NOT_HERE = {
    "env": _Problem(
        "the environment is not read here",
        "it is read under `targets:` only: set a variable of the target from it and use ${var:NAME} here",
    ),
    "var": _Problem(
        "a variable's value holds no other variable", "write the value out, or use both where they are needed"
    ),
}


def expand_variables(document: Document, target: str, env: collections.abc.Mapping[str, str]) -> None:
    """
    Replace all references in `document`, in place.

    Undefined ones are noted as problems and left as they are; the values that hold them are settled, so that nobody
    complains about those again.
    """
    if "${" in document.text and isinstance(document.root, Mapping):
        expansion = _Expansion(document, env, MAX_ADDED)
        expansion.run(target)
        document.settled |= expansion.settled


@dataclass
class _Expansion:
    document: Document
    env: collections.abc.Mapping[str, str]
    budget: int
    """How many characters all replacements together may still add."""

    variables: dict[str, str] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)

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
                self._walk(root, key, root.marks[key][1], ("var",))

    def _target(self, target: Mapping) -> None:
        variables = target.get("variables")
        if isinstance(variables, Mapping):
            self._scalars(variables, kinds=("env",))
            self.variables.update(_texts(variables))
        for key in target:
            if key != "variables":
                self._walk(target, key, target.marks[key][1], ("env", "var"))

    def _scalars(self, mapping: Mapping, *, kinds: tuple[str, ...]) -> None:
        for key, value in mapping.items():
            if isinstance(value, str) and "${" in value:
                mapping[key] = self._replace(value, mapping.marks[key][1], kinds)

    def _walk(self, container: Any, key: Any, mark: int, kinds: tuple[str, ...]) -> None:
        value = container[key]
        if isinstance(value, Mapping):
            for inner in value:
                self._walk(value, inner, value.marks[inner][1], kinds)
        elif isinstance(value, Sequence):
            for index in range(len(value)):
                self._walk(value, index, value.marks[index], kinds)
        elif "${" in value:
            container[key] = self._replace(value, mark, kinds)

    def _replace(self, text: str, mark: int, kinds: tuple[str, ...]) -> str:
        ordinals = itertools.count()
        places: list[int] | None = None

        def replacement(match: re.Match[str]) -> str:
            nonlocal places
            ordinal = next(ordinals)
            if match["escaped"]:
                return "${"
            value, problem = self._value(match, kinds)
            if problem is not None:
                if places is None:
                    places = self.document.dollars(mark, text)
                # Each match is one `${` of the value, in order.
                span = (places[ordinal], len(match[0])) if places else (mark, self.document.width(mark, text))
                self._note("E306", problem, mark, span)
            self.budget -= len(value)
            return value

        if self.budget < 0:
            return text
        # A plain text stays plain, so that a test's argument may be a number that comes from a variable.
        replaced = type(text)(_REFERENCE.sub(replacement, text))
        if self.budget < 0:
            problem = _Problem(f"variables add more than {MAX_ADDED // 1_000_000} MB", "use a shorter value")
            self._note("E104", problem, mark, (mark, 1))
        return replaced

    def _value(self, match: re.Match[str], kinds: tuple[str, ...]) -> tuple[str, _Problem | None]:
        """Return what stands for a reference; the reference itself, and why, if nothing does."""
        kind, name = match["kind"], match["name"]
        if kind is None:
            return match[0], _Problem("'${' does not begin a variable here", _FORMS)
        if kind not in kinds:
            return match[0], _NOT_HERE[kind]
        if kind == "env":
            if looks_secret(name):
                # Plans print what a manifest takes, and applies upload it; whoever may open a pull request writes the manifest.
                message = f"{quote(name)} is called like a credential, which a manifest does not get"
                hint = "credentials are read by udfs itself; what is none goes into a variable of another name"
                return match[0], _Problem(message, hint)
            if value := self.env.get(name):
                return value, None
            state = "is empty" if name in self.env else "is not set"
            guess = did_you_mean(name, self.env) if name not in self.env else None
            message = f"the environment variable {quote(name)} {state}"
            return match[0], _Problem(message, guess or "set it, or choose another target")
        if (value := self.variables.get(name)) is not None:
            return value, None
        hint = did_you_mean(name, self.variables) or "define it under `variables:`, or under the target's"
        return match[0], _Problem(f"the variable {quote(name)} is not defined", hint)

    def _note(self, code: str, problem: _Problem, mark: int, span: tuple[int, int]) -> None:
        self.document.note(code, problem.message, span, hint=problem.hint)
        self.settled.add(mark)


def _texts(mapping: Mapping) -> dict[str, str]:
    return {key: value for key, value in mapping.items() if isinstance(value, str)}
