"""Types of a signature, each judged at its place in the source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from reconciler.targets.maxcompute.signature import PLAIN, REFUSED, UNLISTED, Signature

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from reconciler.base.hints import Hint
    from reconciler.checks import Finding
    from reconciler.checks.python.text import Page


class Spots:
    """Places inside a literal."""

    def __init__(self, page: Page, literal: ast.Constant) -> None:
        self._page, self._literal = page, literal
        line, column = page.position(literal)
        text = page.segment(literal)
        body = text.lstrip("rRuU")
        quotes = 3 if body[:3] in {"'''", '"""'} else 1
        is_plain = body[quotes : len(body) - quotes] == literal.value
        self._start = (line, column + len(text) - len(body) + quotes) if is_plain else None
        """Where the value begins, if it is written as it is: no escapes, no joining."""

    def finding(
        self,
        start: int,
        width: int,
        code: str,
        message: str,
        hint: Hint | None = None,
        severity: Literal["error", "warning"] = "error",
    ) -> Finding:
        if self._start is None:
            return self._page.finding(self._literal, code, message, hint, severity)
        line, column = self._start
        return self._page.spot(line, column + start, width, code, message, hint, severity)


def check_types(spots: Spots, signature: Signature) -> Iterator[Finding]:
    """Yield every type that functions do not take, or that is not sure to work."""
    for outer in (*(signature.arguments or ()), *signature.outputs):
        for type_ in outer.all:
            if type_.name in REFUSED:
                message = f"Python functions do not take the type {type_.name}"
                hint = "pass it as STRING" if type_.name == "JSON" else f"known: {', '.join(sorted(PLAIN))}"
                yield spots.finding(type_.start, type_.width, "E811", message, hint)
            elif type_.name in UNLISTED:
                message = f"the documented types of Python functions do not include {type_.name}"
                hint = "BIGINT, or DATETIME for times, is sure to work"
                yield spots.finding(type_.start, type_.width, "E811", message, hint, "warning")
            if type_.name == "DECIMAL" and type_.parameters and type_.parameters[1] > type_.parameters[0]:
                message = f"{type_} has more digits behind the point than digits"
                yield spots.finding(
                    type_.start, type_.width, "E811", message, "DECIMAL(digits, digits behind the point)"
                )
            if type_.name == "STRUCT" and len({name.lower() for name in type_.fields}) < len(type_.fields):
                yield spots.finding(
                    type_.start, type_.width, "E808", "the signature: two fields of a STRUCT have one name"
                )
