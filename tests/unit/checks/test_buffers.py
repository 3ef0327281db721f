"""marshal is the judge of what a buffer may hold."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import fractions
import io
import marshal
import threading

import pytest

from reconciler.checks.python.check import check_module
from reconciler.targets.maxcompute.source_rules import SOURCE_RULES
from reconciler.targets.maxcompute.source_rules.buffers import UNWRITABLE
from tests.unit.checks.corpus import HEAD, UDAF, use

MODULES = {
    "collections": collections,
    "datetime": dt,
    "decimal": decimal,
    "fractions": fractions,
    "io": io,
    "threading": threading,
}
ARGUMENTS = {
    "collections.defaultdict": "int",
    "datetime.datetime": "2026, 1, 1",
    "datetime.date": "2026, 1, 1",
    "iter": "[]",
    "open": "__file__",
}


@pytest.mark.parametrize("name", sorted(UNWRITABLE))
def test_marshal_refuses_what_is_called_unwritable(name: str) -> None:
    made = eval(f"{name}({ARGUMENTS.get(name, '')})", {**MODULES, "__file__": __file__})
    # marshal takes anything with a buffer interface as bytes, and BytesIO has none.
    with pytest.raises(ValueError, match="unmarshallable"):
        marshal.dumps(made)
    if name == "open":
        made.close()


@pytest.mark.parametrize(
    "text", ["[0, 0.5, 1j, None, True]", "{'a': [(1, 'b')], 2: set()}", "[b'x', frozenset()]", "set()", "bytearray()"]
)
def test_what_marshal_writes_is_not_told(text: str) -> None:
    marshal.dumps(eval(text))
    source = HEAD + UDAF.format(f"return {text}").replace("\n    ", "\n")
    assert check_module(source.encode(), [use()], SOURCE_RULES) == ()
