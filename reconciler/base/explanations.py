"""
Explanations of the error codes: what ``udfs explain CODE`` says, and the rules of a SARIF report.

The prose is data, ``explanations.md`` beside this module, and is read when somebody asks for it; a test keeps it and the
codes that are raised in step.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENTRY = re.compile(r"^### (E\d{3}) (.+)\n\n((?:(?!#{2,3} ).*\n)+)", re.MULTILINE)


@dataclass(frozen=True)
class Explanation:
    """What ``udfs explain`` says about a code."""

    title: str
    text: str
    """Paragraphs with an empty line between them, each one line; the entries of a list are lines of their own that begin with ``- ``."""


@lru_cache(maxsize=1)
def load_explanations() -> Mapping[str, Explanation]:
    """Return the explanation of each code, in the order of the codes."""
    page = files(__package__).joinpath("explanations.md").read_text(encoding="utf-8")
    return MappingProxyType({code: Explanation(title, _unwrap(text)) for code, title, text in _ENTRY.findall(page)})


def _unwrap(text: str) -> str:
    """Return paragraphs and entries of lists without the line ends that they have in the page."""
    return re.sub(r"(?<!\n)\n(?!\n|- )", " ", text.strip())
