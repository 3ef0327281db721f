"""
Table of the built-in functions: found by name and types of arguments, said in DuckDB's words.

One row is one signature. Where several take the arguments, the one counts that has to convert the least.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from reconciler.local.sql.built_ins import codecs, groups, json_type, makers, moments, nested, numbers, others, texts
from reconciler.local.sql.built_ins.signatures import INTEGERS, NULL, TEXTS, FunctionForm, Match, matching

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.local.sql.problems import SqlPosition
    from reconciler.local.sql.rules import SessionRules

MAKERS = makers.MAKERS | nested.MAKERS | json_type.MAKERS
PREFIX = "mc_"
"""What the names of macros begin with in DuckDB, which has functions of many of the same names."""
_PARAMETERS = "abcde"

_NUMBER_TEXT = r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*|(?i)\s*[+-]?(nan|inf(inity)?)\s*"
# DuckDB takes '1_000' and '0x10' too. `error` has no type, so that a DECIMAL stays one.
_REFUSING = (
    "list_transform([a], lambda v: CASE "
    f"WHEN typeof(v) = 'VARCHAR' AND NOT regexp_full_match(CAST(v AS VARCHAR), '{_NUMBER_TEXT}') "
    "THEN error('Could not convert string ''' || CAST(v AS VARCHAR) || ''' to {}') "
)
_LAST_OF_KEYS = """list_transform([a], lambda entries: list_filter(entries, lambda entry, i:
    NOT list_has_any(map_keys(map_from_entries([entry])),
        flatten(list_transform(entries[i + 1:], lambda later: map_keys(map_from_entries([later])))))))[1]"""
_CONVERSIONS = {
    # An integer of what is none loses its fraction ("decimal portion is truncated, not rounded"); of text, too.
    "mc_cast_integer": _REFUSING.format("BIGINT")
    + """
        WHEN typeof(v) IN ('DOUBLE', 'FLOAT') OR (typeof(v) = 'VARCHAR' AND regexp_matches(CAST(v AS VARCHAR), '[.eE]'))
            THEN CAST(trunc(CAST(v AS DOUBLE)) AS BIGINT)
        WHEN starts_with(typeof(v), 'DECIMAL') THEN CAST(trunc(CAST(v AS DECIMAL(38, 18))) AS BIGINT)
        ELSE CAST(v AS BIGINT) END)[1]""",
    "mc_cast_number": _REFUSING.format("a number") + "ELSE v END)[1]",
    # An empty text is false, every other one is true, 'false' too.
    "mc_cast_boolean": """list_transform([a], lambda v: CASE
        WHEN typeof(v) = 'VARCHAR' THEN CAST(v AS VARCHAR) <> '' ELSE TRY_CAST(v AS BOOLEAN) END)[1]""",
    # A text with a time is no DATE, unless odps.sql.executionengine.enable.string.to.date.full.format says so [doc "CAST"].
    # DuckDB takes 'epoch', 'infinity', years before Christ and zones too.
    "mc_cast_day": """CASE WHEN regexp_full_match(a, '[0-9-]+ [0-9:.]+') THEN NULL
        WHEN regexp_full_match(a, '[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}') OR a IS NULL THEN a
        ELSE error('Could not convert string ''' || a || ''' to DATE') END""",
    # The form has its leading zeros [doc "Data type conversion"]; that a day alone is midnight is a guess.
    "mc_cast_moment": """CASE WHEN a IS NULL
        OR regexp_full_match(a, '[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?)?') THEN a
        ELSE error('Could not convert string ''' || a || ''' to a time, which is yyyy-mm-dd hh:mi:ss') END""",
    # NULL is left out of a struct [doc "TO_JSON"].
    "mc_cast_json": "CAST(CASE WHEN starts_with(CAST(to_json(a) AS VARCHAR), '{') "
    "THEN json_merge_patch('{}', to_json(a)) ELSE to_json(a) END AS VARCHAR)",
    # The last of several keys wins [doc "MAP"]; DuckDB takes none twice, which is what the other policy asks for.
    "mc_make_map": "{map_maker}(a)",
    "mc_last_win": f"map_from_entries({_LAST_OF_KEYS})",
    "mc_zip_even": "CASE WHEN len(a.keys) <> len(a.values) THEN error('a MAP has as many keys as values') "
    "WHEN a.keys IS NOT NULL AND a.values IS NOT NULL THEN list_zip(a.keys, a.values) END",
    # A row for each element of an array or of an object [doc "JSON_EXPLODE"].
    "mc_json_keys": "CASE json_type(a) WHEN 'OBJECT' THEN json_keys(a) "
    "WHEN 'ARRAY' THEN list_transform(range(0, CAST(json_array_length(a) AS BIGINT)), lambda i: CAST(NULL AS VARCHAR)) "
    "ELSE error('JSON_EXPLODE takes an array or an object') END",
    "mc_json_items": "CASE json_type(a) WHEN 'OBJECT' THEN json_extract(a, '$.*') ELSE json_extract(a, '$[*]') END",
    # Of what is no STRUCT this is an error.
    "mc_structs": "list_filter(a, lambda row: struct_extract_at(row, 1) IS NULL OR true)",
    "mc_rows_of_fields": "CASE WHEN len(json_keys(to_json(a.rows[1]))) <> a.count "
    "THEN error('INLINE has a column for each field, and AS names another number') ELSE a.rows END",
    "mc_place": "CASE WHEN a >= 0 THEN a + 1 END",
    "mc_all_of": "list_filter(a, lambda value, i: list_position(a, value) = i)",
    "mc_no_null": "coalesce(a, error('ARRAY_SORT: the comparator gives NULL'))",
    # Zeros at the end are left out [doc "CAST", odps.sql.decimal.tostring.trimzero].
    "mc_cast_text": "regexp_replace(CAST(a AS VARCHAR), '[.]0*$|([.][0-9]*?)0+$', '\\1')",
}
"""What CAST does before DuckDB does the rest; by no name of the service's."""
NUMBER_MACROS = {
    **dict.fromkeys(INTEGERS, "mc_cast_integer"),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), "mc_cast_number"),
}
"""What makes each type of number of a text or of another number, before DuckDB's CAST."""


@dataclass(frozen=True)
class BuiltIn:
    """One row of the table."""

    name: str
    signature: FunctionForm
    body: str
    macro: str
    """Its name in DuckDB, where it becomes one."""

    @property
    def is_macro(self) -> bool:
        """Whether DuckDB has to be told of it."""
        return self.body[0] not in "@!"

    def definition(self, rules: SessionRules) -> str:
        """Return the statement that tells DuckDB the macro."""
        parameters = ", ".join(_PARAMETERS[: len(self.signature.parameters)])
        body = self.body.removeprefix("%")
        for name, value in _values(rules).items():
            body = body.replace(f"{{{name}}}", value)
        return f"CREATE MACRO {self.macro}({parameters}) AS {body}"


def _values(rules: SessionRules) -> dict[str, str]:
    """Return what stands in bodies for the rules of a session."""
    return {
        "offset": str(rules.offset),
        "map_maker": "mc_last_win" if rules.last_key_wins else "map_from_entries",
        "longest_sequence": str(rules.longest_sequence),
        "longest_combination": str(rules.longest_combination),
    }


@cache
def rows(name: str) -> tuple[BuiltIn, ...]:
    """Return the rows of a name, folded; none of one that is no built-in function here."""
    return tuple(_table().get(name, ()))


@cache
def _table() -> dict[str, list[BuiltIn]]:
    table: dict[str, list[BuiltIn]] = defaultdict(list)
    families = numbers, texts, moments, groups, others, codecs, json_type
    for line in "\n".join(family.ROWS for family in families).splitlines():
        if line.strip():
            name, signature, body = (cell.strip() for cell in line.split(" | ", 2))
            of_name = table[name]
            macro = f"{PREFIX}{name}" + (f"__{len(of_name) + 1}" if of_name else "")
            of_name.append(BuiltIn(name, FunctionForm.read(signature), body, macro))
    return dict(table)


def names() -> frozenset[str]:
    """Return the names of all rows."""
    return frozenset(_table())


@cache
def by_macro() -> dict[str, BuiltIn]:
    """Return the rows that are macros, by their names in DuckDB."""
    called = {row.macro: row for of_name in _table().values() for row in of_name if row.is_macro}
    inner = FunctionForm("ANY", ("ANY",))
    return called | {macro: BuiltIn(macro, inner, body, macro) for macro, body in _CONVERSIONS.items()}


@lru_cache(1024)
def choose(name: str, arguments: tuple[str | None, ...], *, is_edition_1: bool = False) -> tuple[BuiltIn, Match] | None:
    """Return the row that takes arguments of these types by the fewest conversions, None if there is none."""
    best: tuple[BuiltIn, Match] | None = None
    for row in rows(name):
        match = matching(row.signature, arguments, is_edition_1=is_edition_1)
        if match is not None and (best is None or match.cost < best[1].cost):
            best = row, match
    return best


def definitions(names: set[str], rules: SessionRules) -> list[str]:
    """Return the statements that tell DuckDB these macros, and those that they call, each after what it calls."""
    statements: dict[str, str] = {}

    def add(name: str) -> None:
        definition = by_macro()[name].definition(rules)
        for callee in by_macro():
            if f"{callee}(" in definition and callee not in statements and callee != name:
                add(callee)
        statements[name] = definition

    for name in sorted(names):
        add(name)
    return list(statements.values())


def say(
    row: BuiltIn,
    match: Match,
    arguments: Sequence[Any],
    types: Sequence[str | None],
    position: SqlPosition | None,
    *,
    is_distinct: bool = False,
) -> Any:
    """Return a call in DuckDB's words, its arguments converted as the signature asks."""
    converted = [
        convert(argument, kind, parameter)
        for argument, kind, parameter in zip(arguments, types, match.parameters, strict=True)
    ]
    node = makers.BuiltInCall(row.name, converted, match.parameters, types, position, is_distinct)
    if row.body.startswith("!"):
        return MAKERS[row.body[1:]](node)
    for function in converted:
        # DuckDB gives a second one the number of the element.
        if isinstance(function, exp.Lambda):
            node.require_lambda(function, 1)
    if row.body.startswith("@"):
        name, _, order = row.body[1:].partition("(")
        if order:
            converted = [converted[_PARAMETERS.index(letter.strip())] for letter in order[:-1].split(",")]
        return makers.call(name, makers.distinct(converted) if is_distinct else converted)
    if row.body.startswith("%"):
        return makers.of_lists(row.macro, node)
    return makers.call(row.macro, converted)


def say_plainly(name: str, arguments: Sequence[Any]) -> Any:
    """Return a call of a function of texts."""
    choice = choose(name, ("STRING",) * len(arguments))
    assert choice is not None, name
    return say(*choice, arguments, ["STRING"] * len(arguments), None)


def convert(argument: Any, kind: str | None, parameter: str) -> Any:
    """Return an argument as the type that a signature wants, where it has another one."""
    target = _DUCKDB.get(parameter)
    if target is None or kind == parameter or isinstance(argument, exp.Star | exp.Distinct):
        return argument
    if kind is None and parameter != "STRING":
        return argument
    if kind in TEXTS and parameter in NUMBER_MACROS:
        return makers.cast(makers.call(NUMBER_MACROS[parameter], [argument]), target)
    if kind == NULL or kind is None or parameter in ("STRING", "DOUBLE", "DECIMAL", "BIGINT", "DATETIME"):
        return makers.cast(argument, target)
    return argument


_DUCKDB = {
    "STRING": "VARCHAR",
    "DOUBLE": "DOUBLE",
    "BIGINT": "BIGINT",
    "INT": "INTEGER",
    "BOOLEAN": "BOOLEAN",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMP": "TIMESTAMP_NS",
    "DATE": "DATE",
    "BINARY": "BLOB",
    "DECIMAL": "DECIMAL(38, 18)",
    "M": "TIMESTAMP",
    "N": "DOUBLE",
    "I": "BIGINT",
}
"""What an argument is converted to; a letter that nothing told is that of a NULL."""
