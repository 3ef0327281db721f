"""Literals: text and JSON of a person, read by a type."""

from __future__ import absolute_import, division, print_function

import datetime
import json
import re

from .cells import KINDS, bytes_cell, float_cell, short_repr
from .compat import text_type
from .failures import Misfit


_DECIMAL = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?"
NUMBERS = {
    "integer": re.compile(r"[+-]?[0-9]+\Z"),
    "decimal": re.compile(_DECIMAL + r"\Z"),
    "float": re.compile(_DECIMAL + r"\Z|[+-]?(nan|inf(inity)?)\Z", re.IGNORECASE),
}
"""
How a person writes numbers: as CAST reads them, and not as Python does, which takes 1_000 and the digits of any script. CAST makes a
BIGINT of '1.6' too, by losing the fraction; who types an argument that is no whole number has mistyped it.
"""

DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})\Z")
MOMENT = re.compile(DATE.pattern[:-2] + r"(?:[ T]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?)?\Z")


def cell_of_text(kind, text):
    """Return the cell that a person meant by `text`, given the type."""
    group = KINDS.get(kind.name, "string")
    try:
        if group == "string":
            return text
        if group == "binary":
            return bytes_cell(text.encode("utf-8"))
        text = text.strip(" \t\r\n")
        if group in NUMBERS and not NUMBERS[group].match(text):
            raise ValueError(text)
        if group == "integer":
            return int(text)
        if group == "float":
            return float_cell(float(text))
        if group == "boolean":
            return {"true": True, "false": False}[text.lower()]
        if group == "decimal":
            return ["n", text]
        if group == "date":
            return ["d", [int(part) for part in DATE.match(text).groups()]]
        if group == "datetime":
            parts = MOMENT.match(text).groups("0")
            cell = ["t", [int(part) for part in parts[:6]] + [int(parts[6].ljust(6, "0"))]]
            datetime.datetime(*cell[1])
            return cell
        return cell_of_json(kind, json.loads(text))
    except (ValueError, KeyError, AttributeError, OverflowError):
        raise Misfit("%s is no %s" % (short_repr(text), kind.text.upper()))


def cell_of_json(kind, value):
    """Return the cell of a piece of JSON: lists, objects and words are read by the types inside `kind`."""
    if isinstance(value, (list, dict)):
        return nested_cell(kind, value)
    if isinstance(value, text_type):
        return ["x", value]
    if isinstance(value, float) and kind.name == "decimal":
        return ["n", repr(value)]
    return value


def nested_cell(kind, value):
    """Return the cell of a list or an object."""
    if isinstance(value, list):
        if kind.name == "array":
            return ["l", [cell_of_json(kind.inner[0], item) for item in value]]
        if kind.name == "struct" and len(value) == len(kind.fields):
            return ["l", [cell_of_json(inner, item) for inner, item in zip(kind.inner, value)]]
    elif kind.name == "map":
        return ["m", [[["x", key], cell_of_json(kind.inner[1], item)] for key, item in value.items()]]
    elif kind.name == "struct" and sorted(value) == sorted(kind.fields):
        return ["m", [[field, cell_of_json(inner, value[field])] for field, inner in zip(kind.fields, kind.inner)]]
    return kind.refuse(["x", short_repr(value)])
