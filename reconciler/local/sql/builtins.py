"""
Built-in functions of MaxCompute that the local service has; every other name is refused at its place.

sqlglot and DuckDB know hundreds of functions, and many that MaxCompute has by the same name mean something else there: STDDEV
is that of a population, 'mm' in a format is the month, SUBSTR from 0 is empty. A number that is silently another one is
worse than an error, so a function is here only when both are known to mean the same, or a macro makes it so. Names and meanings
are those of [doc "Built-in functions"], one page for each function; V2.0 data types, without Hive compatibility. That the
functions of `KEPT`, which all dialects share, have no surprise in store that the pages do not tell, is a guess.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from reconciler.local.sql.problems import SqlFailed, semantic_failure, unknown_function, wrong_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.local.sql.problems import SqlPosition

PREFIX = "mc_"
"""What the names of macros begin with in DuckDB, which has functions of many of the same names."""

KEPT = frozenset(
    """
    ABS ACOS ASIN ATAN COS COSH EXP LN LOG POW POWER ROUND SIN SINH TAN TANH
    ASCII CONCAT INSTR LENGTH LOCATE LOWER LPAD LTRIM MD5 REPEAT REPLACE REVERSE RPAD RTRIM SHA SHA1 TRANSLATE UPPER
    HEX UNHEX UUID
    COALESCE NULLIF NVL
    ANY_VALUE AVG COLLECT_LIST COLLECT_SET COUNT COUNT_IF COVAR_POP COVAR_SAMP MAX MEDIAN MIN STDDEV_POP STDDEV_SAMP
    SUM VAR_SAMP
    CUME_DIST DENSE_RANK FIRST_VALUE LAG LAST_VALUE LEAD NTH_VALUE NTILE PERCENT_RANK RANK ROW_NUMBER
    ARRAY ARRAY_CONTAINS EXPLODE GREATEST MAP MAP_KEYS POSEXPLODE SIZE SORT_ARRAY STRUCT TO_JSON
    """.split()  # noqa: SIM905
)
"""What sqlglot says in DuckDB's words with the same meaning."""

KEPT_SYNTAX = frozenset({"CAST", "CHR", "DECODE", "EXTRACT", "TRIM"})
"""Likewise, for those with words of their own between the parentheses."""

RENAMED = {
    "log10": "log10",
    "log2": "log2",
    "lengthb": "strlen",
    "map_values": "map_values",
    "percentile": "quantile_cont",  # exact, between two values where need be
    "split_part": "split_part",
    "stddev": "stddev_pop",
    "tolower": "lower",
    "toupper": "upper",
    "var_pop": "var_pop",
    "variance": "var_pop",
}
"""What DuckDB has by another name, or by one that means something else to sqlglot."""

_MOMENT = "CAST(day AS TIMESTAMP)"
_PARTS = {
    **dict.fromkeys(("yyyy", "year"), "year"),
    **dict.fromkeys(("q", "quarter"), "quarter"),
    **dict.fromkeys(("mm", "mon", "month"), "month"),
    **dict.fromkeys(("dd", "day"), "day"),
    **dict.fromkeys(("hh", "hour"), "hour"),
    "mi": "minute",
    "ss": "second",
}
"""Parts of dates; 'week' is missing, because it is not documented where one begins."""

_FORMATS = {"yyyy": "%Y", "mm": "%m", "dd": "%d", "hh": "%H", "mi": "%M", "ss": "%S", "ff3": "%g"}
_CLIP = "CASE WHEN {call} IS NULL THEN NULL WHEN {none} THEN '' ELSE {call} END"
_OUTSIDE = "start = 0 OR start < -length(text)"

_NUMBER_TEXT = r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*|(?i)\s*[+-]?(nan|inf(inity)?)\s*"
# DuckDB takes '1_000' and '0x10' too. `error` has no type, so that a DECIMAL stays one.
_REFUSING = (
    "(x) AS list_transform([x], lambda v: CASE "
    f"WHEN typeof(v) = 'VARCHAR' AND NOT regexp_full_match(CAST(v AS VARCHAR), '{_NUMBER_TEXT}') "
    "THEN error('Could not convert string ''' || CAST(v AS VARCHAR) || ''' to {}') "
)


MACROS = {
    # An integer of what is none loses its fraction ("decimal portion is truncated, not rounded"); of text, too.
    "integer": _REFUSING.format("BIGINT")
    + """
        WHEN typeof(v) IN ('DOUBLE', 'FLOAT') OR (typeof(v) = 'VARCHAR' AND regexp_matches(CAST(v AS VARCHAR), '[.eE]'))
            THEN CAST(trunc(CAST(v AS DOUBLE)) AS BIGINT)
        WHEN starts_with(typeof(v), 'DECIMAL') THEN CAST(trunc(CAST(v AS DECIMAL(38, 18))) AS BIGINT)
        ELSE CAST(v AS BIGINT) END)[1]""",
    "number": _REFUSING.format("a number") + "ELSE v END)[1]",
    # An empty text is false, every other one is true, 'false' too.
    "boolean": """(x) AS list_transform([x], lambda v: CASE
        WHEN typeof(v) = 'VARCHAR' THEN CAST(v AS VARCHAR) <> '' ELSE TRY_CAST(v AS BOOLEAN) END)[1]""",
    "ceil": "(x) AS CAST(ceil(x) AS BIGINT)",
    "floor": "(x) AS CAST(floor(x) AS BIGINT)",
    "rand": "() AS random()",
    "sign": "(x) AS CAST(sign(x) AS DOUBLE)",
    "sqrt": "(x) AS CASE WHEN x >= 0 THEN sqrt(x) END",
    "substr": "(text, start) AS "
    + _CLIP.format(call="substring(text, start)", none=_OUTSIDE)
    + ", (text, start, length_) AS "
    + _CLIP.format(call="substring(text, start, length_)", none=f"{_OUTSIDE} OR length_ <= 0"),
    "regexp_replace": "(text, pattern, by_) AS regexp_replace(text, pattern, by_, 'g')",
    # What it gives where nothing matches is not documented.
    "regexp_extract": """(text, pattern) AS CASE WHEN NOT regexp_matches(text, pattern) THEN error({told})
        ELSE regexp_extract(text, pattern, 1) END,
        (text, pattern, group_) AS CASE WHEN NOT regexp_matches(text, pattern) THEN error({told})
        ELSE regexp_extract(text, pattern, group_) END""".format(
        told="'what REGEXP_EXTRACT gives where nothing matches is not documented: ask RLIKE first, in CASE or WHERE'"
    ),
    # Empty texts at the end are left out unless it is said otherwise.
    "split": """(text, pattern) AS {trimmed}, (text, pattern, trim_) AS CASE WHEN trim_ THEN {trimmed}
        ELSE str_split_regex(text, pattern) END""".format(
        trimmed="""list_transform([str_split_regex(text, pattern)], lambda found:
        found[1:coalesce(list_max(list_filter(range(1, len(found) + 1), lambda one: found[one] <> '')), 0)])[1]"""
    ),
    "get_json_object": """(text, path) AS CASE
        WHEN NOT regexp_full_match(path, '[$]([.][^.*[]+|[[][0-9]+[]])*')
            THEN error('the local service knows $, .name and [0] in the paths of GET_JSON_OBJECT, not ' || path)
        WHEN json_valid(text) THEN text ->> path END""",
    "date_add": "(day, count_) AS CAST(CAST(day AS DATE) + to_days(CAST(count_ AS INTEGER)) AS DATE)",
    "date_sub": "(day, count_) AS CAST(CAST(day AS DATE) - to_days(CAST(count_ AS INTEGER)) AS DATE)",
    "getdate": "() AS date_trunc('second', current_localtimestamp())",
    "weekday": f"(day) AS date_part('isodow', {_MOMENT}) - 1",
    "weekofyear": f"(day) AS date_part('week', {_MOMENT})",
    "lastday": f"(day) AS CAST(last_day({_MOMENT}) AS TIMESTAMP)",
    "dayofmonth": f"(day) AS date_part('day', {_MOMENT})",
    **{
        part: f"(day) AS date_part('{part}', {_MOMENT})"
        for part in ("year", "quarter", "month", "day", "hour", "minute", "second")
    },
}
"""What DuckDB is told to do: parameters and meaning, by the name of the service."""

_INNER = ("integer", "number", "boolean")
"""Those that are no functions of the service."""

ALIASES = {"ceiling": "ceil", "substring": "substr"}

_SERVICE_HAS = frozenset(
    """
    add_months aes_decrypt aes_encrypt all_match any_match apply approx_distinct arg_max arg_min array_distinct
    array_except array_intersect array_join array_max array_min array_normalize array_position array_reduce
    array_remove array_repeat array_sort array_union arrays_overlap arrays_zip atan2 base64 bin bitwise_and_agg
    bitwise_or_agg bitwise_xor_agg bround cbrt char_matchcount cluster_sample clusterby_slice combinations compress
    concat_ws conv convert corr cot crc32 current_date current_timestamp current_timezone date_format dayofweek dayofyear
    decompress degrees e encode factorial failif field filter find_in_set flatten format_number from_charset
    from_json from_unixtime from_utc_timestamp get_idcard_age get_idcard_birthday get_idcard_sex get_user_id hash
    histogram initcap inline is_encoding isdate isnan json_array json_exists json_extract json_format json_object
    json_parse json_pretty json_strip_nulls json_tuple json_type json_valid keyvalue keyvalue_tuple last_day
    levenshtein_distance map_agg map_concat map_entries map_filter map_from_arrays map_from_entries map_union
    map_union_sum map_zip_with mask_hash max_by max_pt min_by months_between multimap_agg multimap_from_entries
    multinomial negative next_day ngrams now numeric_histogram ordinal parse_url parse_url_tuple partition_exists
    percentile_approx pi positive radians regexp_count regexp_extract_all regexp_instr regexp_substr sample sequence
    sha2 shiftleft shiftright shiftrightunsigned shuffle slice soundex space stack str_to_map substring_index
    sym_decrypt sym_encrypt table_exists to_base64 to_geojson to_millis to_utc_timestamp topk trans_array trans_cols
    transform transform_keys transform_values trunc typeof unbase64 unique_id unix_timestamp url_decode url_encode
    width_bucket zip_with
    """.split()  # noqa: SIM905
)
"""Other functions that the service has, so that a message can tell them from slips of the pen."""


def is_built_in(name: str) -> bool:
    """Whether something is made of a name here."""
    return ALIASES.get(name, name) in RENAMED.keys() | MACROS.keys() | _MADE.keys()


def definition(name: str) -> str:
    """Return the statement that tells DuckDB a macro, by its name there."""
    return f"CREATE MACRO {name}{MACROS[name.removeprefix(PREFIX)]}"


def say(call: Any, position: SqlPosition | None) -> Any:
    """Return a call in DuckDB's words; `SqlFailed` where there are none."""
    name = ALIASES.get(call.name.lower(), call.name.lower())
    if name in RENAMED:
        return _call(RENAMED[name], call.expressions)
    if name in MACROS and name not in _INNER:
        return macro(name, call.expressions)
    if name in _MADE:
        return _MADE[name](call, position)
    raise _unknown_function(name, position)


def macro(name: str, arguments: list[Any]) -> Any:
    """Return the call of a macro."""
    return _call(PREFIX + name, arguments)


def is_said(call: Any) -> bool:
    """Whether a call is of a function of DuckDB's, made here, and none of the statement's own."""
    return bool(call.meta.get("said"))


def _call(name: str, arguments: list[Any]) -> Any:
    call = exp.Anonymous(this=name, expressions=arguments)
    call.meta["said"] = True
    return call


def _cast(value: Any, kind: str) -> Any:
    return exp.cast(value, kind, dialect="duckdb")


def _unknown_function(name: str, position: SqlPosition | None) -> SqlFailed:
    is_of_service = name in _SERVICE_HAS or name.upper() in KEPT | KEPT_SYNTAX
    why = "it is built into MaxCompute, and not into the local service; --target asks a project"
    return unknown_function(position, name, why if is_of_service else "")


def _wm_concat(call: Any, position: SqlPosition | None) -> Any:
    """``WM_CONCAT([DISTINCT] separator, text)``."""
    first = call.expressions[0] if call.expressions else None
    distinct = isinstance(first, exp.Distinct)
    arguments = first.expressions if isinstance(first, exp.Distinct) else call.expressions
    if len(arguments) != 2:
        raise wrong_count(position, call.name, len(arguments), 2)
    separator, joined = arguments
    text = _cast(joined, "varchar")
    return _call("string_agg", [exp.Distinct(expressions=[text]) if distinct else text, separator])


def _least(call: Any, position: SqlPosition | None) -> Any:
    """NULL counts as the least."""
    nulls = [exp.Is(this=argument.copy(), expression=exp.null()) for argument in call.expressions]
    return exp.case().when(exp.or_(*nulls), exp.null()).else_(_call("least", call.expressions))


def _named_struct(call: Any, position: SqlPosition | None) -> Any:
    """``NAMED_STRUCT(name, value, …)``. Not every sqlglot knows it."""
    names, values = call.expressions[::2], call.expressions[1::2]
    if len(names) != len(values) or not all(name.is_string for name in names):
        raise semantic_failure(position, "NAMED_STRUCT takes names, which are texts, and a value behind each")
    keys = [exp.to_identifier(name.name, quoted=True) for name in names]
    fields = [exp.PropertyEQ(this=key, expression=value) for key, value in zip(keys, values, strict=True)]
    return exp.Struct(expressions=fields)


def _to_char(call: Any, position: SqlPosition | None) -> Any:
    """``TO_CHAR(value)`` and ``TO_CHAR(moment, format)``."""
    if len(call.expressions) == 1:
        return _cast(call.expressions[0], "varchar")
    moment, form = _arguments(call, position, 2)
    return _call("strftime", [_cast(moment, "timestamp"), _format(form, position)])


def _to_date(call: Any, position: SqlPosition | None) -> Any:
    """``TO_DATE(text)``, a DATE, and ``TO_DATE(text, format)``, a DATETIME."""
    if len(call.expressions) == 1:
        return _cast(call.expressions[0], "date")
    text, form = _arguments(call, position, 2)
    return _call("strptime", [text, _format(form, position)])


def _dateadd(call: Any, position: SqlPosition | None) -> Any:
    """``DATEADD(moment, count, part)``."""
    moment, count, part = _arguments(call, position, 3)
    name = _part(part, position)
    unit = "months" if name == "quarter" else f"{name}s"
    number = exp.Mul(this=exp.Paren(this=count), expression=exp.Literal.number(3)) if name == "quarter" else count
    kind = "int" if unit in ("years", "months", "days") else "bigint"
    span = _call(f"to_{unit}", [_cast(number, kind)])
    return _of_the_same_type(exp.Add(this=_cast(moment, "timestamp"), expression=span), moment)


def _datediff(call: Any, position: SqlPosition | None) -> Any:
    """
    ``DATEDIFF(end, start[, part])``, in days if nothing is said.

    What is smaller than the part is cut off first, and DuckDB does it like that.
    """
    end, start, *part = _arguments(call, position, 2 if len(call.expressions) == 2 else 3)
    unit = _part(part[0], position) if part else "day"
    moments = [_cast(argument, "timestamp") for argument in (start, end)]
    return _call("date_diff", [exp.Literal.string(unit), *moments])


def _datepart(call: Any, position: SqlPosition | None) -> Any:
    """``DATEPART(moment, part)``."""
    moment, part = _arguments(call, position, 2)
    unit = exp.Literal.string(_part(part, position))
    return _call("date_part", [unit, _cast(moment, "timestamp")])


def _datetrunc(call: Any, position: SqlPosition | None) -> Any:
    """``DATETRUNC(moment, part)``."""
    moment, part = _arguments(call, position, 2)
    cut = [exp.Literal.string(_part(part, position)), _cast(moment, "timestamp")]
    return _of_the_same_type(_call("date_trunc", cut), moment)


def _of_the_same_type(result: Any, moment: Any) -> Any:
    """A DATE of a DATE, which is a moment to DuckDB; of a text a DATETIME."""
    return result if moment.is_string else _call("cast_to_type", [result, moment.copy()])


def _part(part: Any, position: SqlPosition | None) -> str:
    """Return a part of dates by DuckDB's name; on the service, too, it is a constant."""
    name = part.name.lower() if part.is_string else ""
    if name not in _PARTS:
        raise semantic_failure(position, f"the local service knows {', '.join(_PARTS)} as a constant part of dates")
    return _PARTS[name]


def _arguments(call: Any, position: SqlPosition | None, count: int) -> list[Any]:
    if len(call.expressions) != count:
        raise wrong_count(position, call.name, len(call.expressions), count)
    return list(call.expressions)


def _format(form: Any, position: SqlPosition | None) -> Any:
    """Return a format of dates in DuckDB's letters."""
    if not form.is_string:
        raise semantic_failure(position, "the local service takes a format of dates only as a text, not as a value")
    said = re.sub(
        "|".join(_FORMATS), lambda match: _FORMATS[match[0].lower()], form.name.replace("%", "%%"), flags=re.IGNORECASE
    )
    if re.search(r"(?<!%)[a-z]", re.sub("%.", "", said), re.IGNORECASE):
        raise semantic_failure(
            position, f"the local service knows {', '.join(_FORMATS)} in formats of dates, not {form.name}"
        )
    return exp.Literal.string(said)


_MADE: dict[str, Callable[[Any, SqlPosition | None], Any]] = {
    "dateadd": _dateadd,
    "datediff": _datediff,
    "datepart": _datepart,
    "datetrunc": _datetrunc,
    "least": _least,
    "named_struct": _named_struct,
    "wm_concat": _wm_concat,
    "to_char": _to_char,
    "to_date": _to_date,
}
