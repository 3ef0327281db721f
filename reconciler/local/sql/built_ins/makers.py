"""Makers of calls for which an expression of DuckDB's is not enough: parts and formats of dates, folds, names of fields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from reconciler.local.sql.built_ins.json_values import read_schema
from reconciler.local.sql.built_ins.signatures import NUMBERS, becomes
from reconciler.local.sql.problems import SqlFailed, semantic_failure
from reconciler.local.sql.value_types import make_duckdb_type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.local.sql.problems import SqlPosition


@dataclass(frozen=True)
class BuiltInCall:
    """A call of a built-in function, with what its signature makes of it."""

    name: str
    arguments: list[Any]
    parameters: tuple[str, ...]
    types: Sequence[str | None]
    """Of the arguments before they were converted."""
    position: SqlPosition | None
    is_distinct: bool = False

    def refusal(self, what: str) -> SqlFailed:
        """Return what is said of a call that cannot be made here."""
        return semantic_failure(self.position, f"{self.name.upper()}: {what}")

    def require_lambda(self, function: Any, count: int) -> None:
        """Refuse what is no lambda of so many values."""
        if not isinstance(function, exp.Lambda) or len(function.expressions) != count:
            raise self.refusal(f"its function is written as a lambda, and the number of its values is {count}")


def call(name: str, arguments: Sequence[Any]) -> Any:
    """Return a call of a function of DuckDB's, marked as none of the statement's own."""
    node = exp.Anonymous(this=name, expressions=list(arguments))
    node.meta["said"] = True
    return node


LISTED, OF_ROWS = "listed", "of_rows"
"""Marks of a node that is made of functions of a group's rows, and of these functions: OVER and FILTER are theirs."""


def of_rows(name: str, arguments: Sequence[Any]) -> Any:
    """Return a function of a group's or window's rows, for a node that is made of such."""
    node = call(name, arguments)
    node.meta[OF_ROWS] = True
    return node


def of_lists(name: str, node: BuiltInCall) -> Any:
    """Return a call with the lists of what a group's rows have for the arguments."""
    if node.is_distinct and len(node.arguments) > 1:
        raise node.refusal("missing here with DISTINCT; --target asks a project")
    listed = [of_rows("list", distinct([item]) if node.is_distinct else [item]) for item in node.arguments]
    result = call(name, listed)
    result.meta[LISTED] = True
    return result


def distinct(arguments: Sequence[Any]) -> list[Any]:
    """
    Return the arguments of an aggregate over distinct values, which come in their order.

    The service promises no order; its examples have this one.
    """
    first, *more = arguments
    only = exp.Distinct(expressions=[first])
    keys = [exp.Ordered(this=first.copy())]
    if more:
        return [only, *more[:-1], exp.Order(this=more[-1], expressions=keys)]
    return [exp.Order(this=only, expressions=keys)]


def cast(value: Any, kind: str) -> Any:
    """Return a conversion as DuckDB does it."""
    return exp.Cast(this=value, to=exp.DataType.build(kind, dialect="duckdb"))


PARTS = {
    **dict.fromkeys(("yyyy", "year"), "year"),
    **dict.fromkeys(("q", "quarter"), "quarter"),
    **dict.fromkeys(("mm", "mon", "month"), "month"),
    **dict.fromkeys(("w", "week"), "week"),
    **dict.fromkeys(("dd", "day"), "day"),
    **dict.fromkeys(("hh", "hour"), "hour"),
    "mi": "minute",
    "ss": "second",
    "ff3": "millisecond",
    "ff6": "microsecond",
}
"""Parts of dates [doc "DATEADD"]."""

_FORMATS = {"yyyy": "%Y", "mm": "%m", "dd": "%d", "hh": "%H", "mi": "%M", "ss": "%S", "ff3": "%g", "ff6": "%f"}
_JAVA_FORMATS = {"yyyy": "%Y", "mm": "%m", "dd": "%d", "hh": "%H", "mi": "%M", "ss": "%S", "sss": "%g"}
"""
DATE_FORMAT without Hive compatibility: 'mm' is the month, 'hh' has 24, 'mi' is the minute, 'SSS' the millisecond.

[doc "DATE_FORMAT"]
"""


def _part(node: BuiltInCall, index: int) -> str | None:
    """Return a part of dates by DuckDB's name, None of NULL; on the service, too, it is a constant."""
    part = node.arguments[index]
    if isinstance(part, exp.Cast):
        part = part.this
    if isinstance(part, exp.Null):
        return None
    name = part.name.lower() if part.is_string else ""
    if name not in PARTS:
        raise node.refusal(f"a part of dates is a constant: {', '.join(PARTS)}")
    return PARTS[name]


def _format(node: BuiltInCall, index: int, letters: dict[str, str] = _FORMATS) -> Any:
    """Return a format of dates in DuckDB's letters; what is no letter of the format stays as it is."""
    form = node.arguments[index]
    if isinstance(form, exp.Cast):
        form = form.this
    if isinstance(form, exp.Null):
        return exp.cast(exp.null(), "varchar")
    if not form.is_string:
        raise node.refusal("the format of dates is a constant")
    order = sorted(letters, key=len, reverse=True)
    said = re.sub(
        "|".join(order), lambda match: letters[match[0].lower()], form.name.replace("%", "%%"), flags=re.IGNORECASE
    )
    return exp.Literal.string(said)


def _moment(value: Any) -> Any:
    return cast(value, "TIMESTAMP")


def _of_type(result: Any, kind: str, moment: Any) -> Any:
    """A DATE of a DATE, a TIMESTAMP of a TIMESTAMP."""
    named = {"DATE": "DATE", "DATETIME": "TIMESTAMP", "TIMESTAMP": "TIMESTAMP_NS"}.get(kind)
    return cast(result, named) if named else call("cast_to_type", [result, moment.copy()])


def _dateadd(node: BuiltInCall) -> Any:
    moment, count, _ = node.arguments
    name = _part(node, 2)
    if name is None:
        return _of_type(exp.null(), node.parameters[0], moment)
    unit, factor = ("months", 3) if name == "quarter" else (f"{name}s", 1)
    if name == "week":
        unit, factor = "days", 7
    number = exp.Mul(this=exp.Paren(this=count), expression=exp.Literal.number(factor)) if factor > 1 else count
    span = call(f"to_{unit}", [cast(number, "INT" if unit in ("years", "months", "days") else "BIGINT")])
    base = moment if node.parameters[0] == "TIMESTAMP" else _moment(moment)
    return _of_type(exp.Paren(this=exp.Add(this=base, expression=span)), node.parameters[0], moment)


def _datediff(node: BuiltInCall) -> Any:
    """What is smaller than the part is cut off first, and DuckDB does it like that."""
    unit = _part(node, 2) if len(node.arguments) == 3 else "day"
    if unit is None:
        return cast(exp.null(), "BIGINT")
    return call("date_diff", [exp.Literal.string(unit), _moment(node.arguments[1]), _moment(node.arguments[0])])


def _datepart(node: BuiltInCall) -> Any:
    unit = _part(node, 1)
    if unit is None:
        return cast(exp.null(), "BIGINT")
    return call("date_part", [exp.Literal.string(unit), _moment(node.arguments[0])])


def _datetrunc(node: BuiltInCall) -> Any:
    unit = _part(node, 1)
    cut = call("date_trunc", [exp.Literal.string(unit), _moment(node.arguments[0])]) if unit else exp.null()
    return _of_type(cut, node.parameters[0], node.arguments[0])


def _to_char(node: BuiltInCall) -> Any:
    return call("strftime", [_moment(node.arguments[0]), _format(node, 1)])


def _date_format(node: BuiltInCall) -> Any:
    return call("strftime", [_moment(node.arguments[0]), _format(node, 1, _JAVA_FORMATS)])


def _to_date(node: BuiltInCall) -> Any:
    text, form = node.arguments[0], _format(node, 1)
    if not isinstance(form, exp.Literal):
        return cast(exp.null(), "TIMESTAMP")
    # DuckDB takes '1' for a month too; here it has two digits.
    digits = {"%Y": r"\d{4}", "%g": r"\d{3}", "%f": r"\d{6}", "%%": "%"}
    pieces = re.split("(%.)", form.name)
    pattern = "".join(
        (digits.get(piece, r"\d{2}") if piece.startswith("%") and len(piece) == 2 else re.escape(piece))
        for piece in pieces
    )
    fits = call("regexp_full_match", [text.copy(), exp.Literal.string(pattern)])
    message = exp.Literal.string(f"a text is no date of the format {form.name}")
    wrong = exp.and_(exp.Not(this=fits), exp.Not(this=exp.Is(this=text.copy(), expression=exp.null())))
    return exp.case().when(wrong, call("error", [message])).else_(call("strptime", [text, form]))


def _isdate(node: BuiltInCall) -> Any:
    text, form = node.arguments[0], _format(node, 1)
    parsed = exp.Not(this=exp.Is(this=call("try_strptime", [text, form]), expression=exp.null()))
    return exp.case().when(exp.Is(this=text.copy(), expression=exp.null()), exp.null()).else_(parsed)


def _to_json(node: BuiltInCall) -> Any:
    """The keys of a struct are in lower case [doc "TO_JSON"]; of one that is made elsewhere they stay as they are."""
    [value] = node.arguments
    for field in value.expressions if isinstance(value, exp.Struct) else ():
        field.this.set("this", field.this.name.lower())
    return call("mc_cast_json", [value])


def _from_json(node: BuiltInCall) -> Any:
    text, schema = node.arguments
    if not schema.is_string:
        raise node.refusal("the type is a constant")
    try:
        kind = read_schema(schema.name).copy()
    except SqlFailed as failed:
        raise semantic_failure(node.position, str(failed).partition(" - ")[2]) from None
    for inner in kind.find_all(exp.DataType):
        make_duckdb_type(inner)
    return exp.Cast(this=call("mc_fitting", [text, schema]), to=kind)


def _missing(node: BuiltInCall) -> Any:
    raise node.refusal("missing here with these arguments; --target asks a project")


def join_all(values: Sequence[Any]) -> Any:
    """Return texts or arrays one behind the other, NULL where one of them is."""
    result, *more = values
    for value in more:
        result = exp.DPipe(this=result, expression=value)
    return exp.Paren(this=result)


def _concat(node: BuiltInCall) -> Any:
    return join_all(node.arguments)


def _concat_with(node: BuiltInCall) -> Any:
    separator, first, *more = node.arguments
    result = first
    for argument in more:
        result = exp.DPipe(this=exp.DPipe(this=result, expression=separator.copy()), expression=argument)
    return exp.Paren(this=result)


def _least(node: BuiltInCall) -> Any:
    """NULL counts as the least."""
    nulls = [exp.Is(this=argument.copy(), expression=exp.null()) for argument in node.arguments]
    return exp.case().when(exp.or_(*nulls), exp.null()).else_(call("least", node.arguments))


def _ordinal(node: BuiltInCall) -> Any:
    """NULL counts as the least."""
    place, *values = node.arguments
    options = [exp.Literal.string("ASC"), exp.Literal.string("NULLS FIRST")]
    ordered = call("list_sort", [call("list_value", values), *options])
    return call("list_extract", [ordered, place])


def _decode(node: BuiltInCall) -> Any:
    """NULL equals NULL here."""
    value, *more = node.arguments
    case = exp.case()
    for search, result in zip(more[::2], more[1::2], strict=False):
        case = case.when(exp.NullSafeEQ(this=value.copy(), expression=search), result)
    return case.else_(more[-1]) if len(more) % 2 else case


def _map(node: BuiltInCall) -> Any:
    keys, values = node.arguments[::2], node.arguments[1::2]
    if len(keys) != len(values):
        raise node.refusal("a value stands behind each key")
    return call("mc_make_map", [call("list_zip", [call("list_value", keys), call("list_value", values)])])


def _named_struct(node: BuiltInCall) -> Any:
    names, values = node.arguments[::2], node.arguments[1::2]
    if len(names) != len(values) or not all(name.is_string for name in names):
        raise semantic_failure(node.position, "NAMED_STRUCT takes names, which are texts, and a value behind each")
    return fields([name.name for name in names], values)


def _struct(node: BuiltInCall) -> Any:
    return fields([f"col{index + 1}" for index in range(len(node.arguments))], node.arguments)


def fields(names: Sequence[str], values: Sequence[Any]) -> Any:
    """Return a STRUCT."""
    keys = [exp.to_identifier(name, quoted=True) for name in names]
    fields = [exp.PropertyEQ(this=key, expression=value) for key, value in zip(keys, values, strict=True)]
    return exp.Struct(expressions=fields)


def _collect_list(node: BuiltInCall) -> Any:
    """NULL is left out [doc "COLLECT_LIST"]."""
    [value] = node.arguments
    listed = call("list", distinct([value]) if node.is_distinct else [value])
    return exp.Filter(this=listed, expression=exp.Where(this=_is_there(value)))


def _collect_set(node: BuiltInCall) -> Any:
    [value] = node.arguments
    return exp.Filter(this=call("list", distinct([value])), expression=exp.Where(this=_is_there(value)))


def _is_there(value: Any) -> Any:
    return exp.Not(this=exp.Is(this=value.copy(), expression=exp.null()))


def _count_distinct(node: BuiltInCall) -> Any:
    """The number itself is within any error that an estimate may have."""
    return call("count", [exp.Distinct(expressions=list(node.arguments))])


# sqlglot says IGNORE NULLS of functions alone that it knows.
_FUNCTIONS_OF_ROWS = {"first_value": exp.FirstValue, "last_value": exp.LastValue}


def _value_at(node: BuiltInCall) -> Any:
    """FIRST_VALUE, LAST_VALUE and NTH_VALUE, the last argument of which may be whether NULL is left out."""
    *arguments, last = node.arguments
    is_nth = node.name == "nth_value"
    ignored = last if len(node.arguments) == 2 + is_nth else exp.false()
    if ignored is not last:
        arguments.append(last)
    if not isinstance(ignored, exp.Boolean):
        raise node.refusal("whether NULL is left out is a constant")
    if is_nth and _constant(node, arguments[1]) < 1:
        raise node.refusal("rows are counted from 1")
    if not ignored.this:
        return call(node.name, arguments)
    value, *number = arguments
    plain = exp.NthValue(this=value, offset=number[0]) if is_nth else _FUNCTIONS_OF_ROWS[node.name](this=value)
    return exp.IgnoreNulls(this=plain)


def _constant(node: BuiltInCall, number: Any) -> float:
    """Return a number that the service wants to be a constant; a text is converted."""
    sign = 1
    while not isinstance(number, exp.Literal):
        if isinstance(number, exp.Neg):
            sign = -sign
        elif not isinstance(number, exp.Cast | exp.Paren | exp.Anonymous):
            raise node.refusal("how many rows is a constant")
        number = number.expressions[0] if isinstance(number, exp.Anonymous) and number.expressions else number.this
    return sign * float(number.name)


def _offset_value(node: BuiltInCall) -> Any:
    """LAG and LEAD; a text or a DOUBLE becomes a BIGINT [doc "LAG"]."""
    value, offset, *default = node.arguments
    rows = _constant(node, offset)
    if rows < 0:
        raise node.refusal("how many rows is at least 0")
    kind, other = node.types[0], node.types[-1]
    if default and kind and other and becomes(other, kind) is None and not {kind, other} <= {*NUMBERS}:
        raise node.refusal(f"what stands where no row is has the type of the first argument, {kind}, and not {other}")
    return call(node.name, [value, exp.Literal.number(int(rows)), *default])


def _cluster_sample(node: BuiltInCall) -> Any:
    """
    So many rows of a partition, or that share of it, which is rounded off [doc "CLUSTER_SAMPLE": 12 rows by 10 are 1].

    Which of them is left to chance, and here always the first.
    """
    count, *parts = node.arguments
    place = of_rows("row_number", [])
    if parts:
        total = of_rows("count", [exp.Star()])
        chosen = exp.LTE(
            this=exp.Mul(this=place, expression=count), expression=exp.Mul(this=total, expression=parts[0])
        )
    else:
        chosen = exp.LTE(this=place, expression=count)
    result = exp.Paren(this=chosen)
    result.meta[LISTED] = True
    return result


MAKERS: dict[str, Callable[[BuiltInCall], Any]] = {
    "cluster_sample": _cluster_sample,
    "collect_list": _collect_list,
    "collect_set": _collect_set,
    "concat": _concat,
    "concat_with": _concat_with,
    "count_distinct": _count_distinct,
    "date_format": _date_format,
    "dateadd": _dateadd,
    "datediff": _datediff,
    "datepart": _datepart,
    "datetrunc": _datetrunc,
    "decode": _decode,
    "isdate": _isdate,
    "from_json": _from_json,
    "least": _least,
    "map": _map,
    "named_struct": _named_struct,
    "ordinal": _ordinal,
    "missing": _missing,
    "offset_value": _offset_value,
    "struct": _struct,
    "to_char": _to_char,
    "to_date": _to_date,
    "to_json": _to_json,
    "value_at": _value_at,
}
"""What `!name` in the table says, by its name."""
