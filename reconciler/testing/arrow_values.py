"""Values and types as pyarrow has them; it is imported only where Parquet is read or written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.base.errors import UsageError

if TYPE_CHECKING:
    from reconciler.testing.types import Type


def import_pyarrow() -> Any:
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError:
        raise UsageError(
            "E723", "Parquet needs pyarrow, which is not installed", hint="pip install 'udfs[parquet]'"
        ) from None
    return pa


def arrow_type(arrow: Any, kind: Type) -> Any:
    """Return pyarrow's name for a type."""
    inner = [arrow_type(arrow, part) for part in kind.inner]
    match kind.name:
        case "BIGINT":
            return arrow.int64()
        case "TINYINT" | "SMALLINT" | "INT":
            return {"TINYINT": arrow.int8, "SMALLINT": arrow.int16, "INT": arrow.int32}[kind.name]()
        case "DOUBLE":
            return arrow.float64()
        case "FLOAT":
            return arrow.float32()
        case "BOOLEAN":
            return arrow.bool_()
        case "BINARY":
            return arrow.binary()
        case "DATE":
            return arrow.date32()
        case "DATETIME" | "TIMESTAMP":
            return arrow.timestamp("us")
        case "DECIMAL":
            return arrow.decimal128(*(kind.parameters or (38, 18)))
        case "ARRAY":
            return arrow.list_(inner[0])
        case "MAP":
            return arrow.map_(*inner)
        case "STRUCT":
            return arrow.struct(list(zip(kind.fields, inner, strict=True)))
        case _:
            return arrow.string()
