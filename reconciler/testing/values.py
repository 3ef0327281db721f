"""Values that a function returned, as SQL would show them."""

from __future__ import annotations

import base64
import datetime as dt
import json
from decimal import Decimal
from typing import Any


def format_value(value: object, *, as_json: bool = False) -> str:
    """
    Return one result as a line: NULL, plain text, numbers as Python writes them, everything else as JSON.

    A row of a table function is its columns, separated by tabs. With `as_json` the line is JSON throughout.
    """
    if as_json:
        return json.dumps(value, default=_plain, ensure_ascii=False)
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return "\t".join(format_value(column) for column in value)
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, dt.date):
        return value.isoformat(sep=" ") if isinstance(value, dt.datetime) else value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value)
