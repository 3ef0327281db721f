"""
Times of columns: from the clock on the wall of a time zone to an instant, which is what travels, and back.

A DATETIME and a TIMESTAMP are instants, which the service shows by the time zone of the session or project, UTC+8 unless it is
set [doc "Time zone configuration operations"]; TIMESTAMP_NTZ has no zone. Clients show an instant by their own zone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.local.tunnel.column_types import wire_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.local.tunnel.column_types import ColumnType

_INSTANTS = ("datetime", "timestamp")
_WEEK, _MOST_WEEKS = 7 * 86400, 5000
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def instants(column: Any, kind: ColumnType, zone: str) -> Any:
    """Return an Arrow array of wall-clock times, or of anything else, in the type and with the instants that travel."""
    return _leaves(column, kind, lambda leaf, inner: _to_instant(leaf, inner, zone))


def wall_clock(column: Any, kind: ColumnType, zone: str) -> Any:
    """Return what `instants` was made of."""
    return _leaves(column, kind, lambda leaf, inner: _to_wall_clock(leaf, inner, zone))


def _to_instant(leaf: Any, kind: ColumnType, zone: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    target = wire_type(kind)
    if kind.name in _INSTANTS and zone != "UTC" and leaf.null_count < len(leaf):
        offset = _constant_offset(leaf, zone)
        leaf = _assume(leaf, zone) if offset is None else pc.add(leaf.cast(pa.int64()), offset).cast(leaf.type)
    # What is finer than the type has it is cut off, and nothing else may be lost.
    return leaf.cast(target, safe=not pa.types.is_timestamp(leaf.type))


def _assume(leaf: Any, zone: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    # An hour that a zone has twice is the first; one that it leaves out is where it would have ended: a guess.
    aware = pc.assume_timezone(leaf, zone, ambiguous="earliest", nonexistent="latest")
    return aware.cast(pa.timestamp(leaf.type.unit))


def _constant_offset(leaf: Any, zone: str) -> int | None:
    """
    Return what to add to each time of a column, None where its clocks were changed between the first and the last.

    To look the zone up for every time takes four times as long as all else. No zone changes its clocks for less than a week.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    step = _WEEK * _PER_SECOND[leaf.type.unit]
    ends = pc.min_max(leaf.cast(pa.int64()))
    first, last = ends["min"].as_py(), ends["max"].as_py()
    if (last - first) // step > _MOST_WEEKS:
        return None
    clocks = pa.array([*range(first, last, step), last], pa.int64())
    try:
        offsets = pc.subtract(_assume(clocks.cast(leaf.type), zone).cast(pa.int64()), clocks).unique()
    except pa.ArrowInvalid:
        return None
    return int(offsets[0].as_py()) if len(offsets) == 1 else None


def _to_wall_clock(leaf: Any, kind: ColumnType, zone: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    leaf = leaf.cast(wire_type(kind))
    if kind.name in _INSTANTS and zone != "UTC":
        return pc.local_timestamp(leaf.cast(pa.timestamp(leaf.type.unit, zone)))
    return leaf


def _leaves(column: Any, kind: ColumnType, change: Callable[[Any, ColumnType], Any]) -> Any:
    """Return a column of which the arrays that hold no others are changed; what holds them stays as it is."""
    import pyarrow as pa

    match kind.name:
        case "array":
            values = _leaves(column.values, kind.inner[0], change)
            return _around(pa.list_(values.type), column, values)
        case "map":
            keys, items = (
                _leaves(part, inner, change)
                for part, inner in zip((column.keys, column.items), kind.inner, strict=True)
            )
            container = pa.map_(keys.type, items.type)
            pairs = pa.StructArray.from_arrays([keys, items], fields=[container.key_field, container.item_field])
            return _around(container, column, pairs)
        case "struct":
            children = [_leaves(column.field(index), inner, change) for index, inner in enumerate(kind.inner)]
            fields = [pa.field(name, child.type) for name, child in zip(kind.fields, children, strict=True)]
            return pa.StructArray.from_arrays(children, fields=fields, mask=column.is_null())
        case _:
            return change(column, kind)


def _around(container: Any, column: Any, child: Any) -> Any:
    """Return a list or a map like `column`, with another child: whose offsets and NULLs they are does not change."""
    import pyarrow as pa

    validity, offsets = column.buffers()[:2]
    return pa.Array.from_buffers(container, len(column), [validity, offsets], offset=column.offset, children=[child])
