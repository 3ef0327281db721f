"""
Refusals of the service, told as it tells them, for the pass over the tree (`analysis`).

How each is known stands beside it: *recorded* is an answer of the service that somebody published, [doc] the vendor's page,
*rule* a third party's list of the dialect's rules, *inferred* a conclusion of ours.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from reconciler.local.sql.built_ins import table
from reconciler.local.sql.built_ins.groups import AGGREGATES, LISTING, ORDERED, WINDOW_FUNCTIONS, WITHOUT_FRAME
from reconciler.local.sql.built_ins.names import BUILT_IN
from reconciler.local.sql.built_ins.signatures import becomes
from reconciler.local.sql.problems import (
    SqlFailed,
    SqlPosition,
    illegal_union,
    invalid_type,
    no_cartesian,
    parse_failure,
    position_of,
    semantic_failure,
    unknown_function,
    wrong_count,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

FOREIGN: dict[type[Any], str] = {
    exp.Array: "an array is ARRAY(…)",
    exp.Struct: "a struct is STRUCT(…) or NAMED_STRUCT(…)",
    exp.Pow: "a power is POW(…)",
    exp.BitwiseLeftShift: "a shift is SHIFTLEFT(…)",
    exp.BitwiseRightShift: "a shift is SHIFTRIGHT(…)",
    exp.Fetch: "LIMIT says how many",
    exp.Parameter: "values stand in the statement itself",
    exp.Placeholder: "values stand in the statement itself",
}
"""Syntax of other databases that the tree still shows [rule; the shifts and ARRAY inferred from the functions' pages]."""

_BARE = {"current_date", "current_timestamp", "current_time", "localtime", "localtimestamp", "current_user", "user"}
"""What needs its parentheses, or is not there [rule]; DuckDB takes the bare word."""

TYPES_2 = frozenset(
    {"TINYINT", "SMALLINT", "INT", "FLOAT", "VARCHAR", "CHAR", "DATE", "TIMESTAMP", "TIMESTAMP_NTZ", "BINARY"}
)
"""The types that V1.0 does not have [doc "SQL errors": X type is not enabled in current mode]."""


TYPE_OF_EDITION_2 = "{} type is not enabled in current mode. Please set odps.sql.type.system.odps2=true to use it."
"""The text is that of [doc "SQL errors"]."""
DECIMAL_WITH_PLACES = (
    "precision and scale is not currently supported in current mode, 'set odps.sql.decimal.odps2=true' to enable"
)
"""The text is recorded, by a tool of the vendor's that moves statements of Hive."""


class Locator:
    """Where nodes stand in the text of a statement, as far as sqlglot keeps it."""

    def __init__(self, text: str) -> None:
        """`text` is what was parsed."""
        self.text = text

    def start(self, node: Any) -> int | None:
        """Return the first offset of a node."""
        if "start" in node.meta:
            return int(node.meta["start"])
        return min((part.meta["start"] for part in node.walk() if "start" in part.meta), default=None)

    def of(self, node: Any) -> SqlPosition | None:
        """Return line and column of a node."""
        start = self.start(node)
        return None if start is None else position_of(self.text, start)

    def word_before(self, node: Any, *words: str) -> SqlPosition | None:
        """Return the place of the last of these words in front of a node: of a keyword that sqlglot does not keep."""
        start = self.start(node)
        if start is None:
            return None
        before = self.text[:start].lower()
        last = max(before.rfind(word) for word in words)
        return position_of(self.text, last if last >= 0 else start)


def order_without_limit(locator: Locator, query: Any) -> SqlFailed:
    """Text and place are recorded; `odps.sql.validate.orderby.limit` is in the text."""
    position = locator.word_before(query.args["order"].expressions[0], "order")
    return semantic_failure(
        position,
        "ORDER BY must be used with a LIMIT clause, please set odps.sql.validate.orderby.limit=false to use it.",
    )


def cartesian(locator: Locator, join: Any) -> SqlFailed:
    """[doc "ODPS-0130252"], which has the text and, in its example, the place of JOIN."""
    position = locator.word_before(join.this, "join", "cross", ",")
    return no_cartesian(position, "cartesian product is not allowed without mapjoin")


def no_equality(locator: Locator, condition: Any) -> SqlFailed:
    """A join on anything else; the text and its place are recorded. The MAPJOIN hint lifts it."""
    message = "expect equality expression (i.e., only use '=' and 'AND') for join condition without mapjoin hint"
    return semantic_failure(locator.of(condition), message)


def no_column(locator: Locator, column: Any) -> SqlFailed:
    """The text is recorded; columns by a regular expression are documented [doc "SELECT syntax"], and missing here."""
    is_pattern = column.this.args.get("quoted") and not column.name.isidentifier() and set(".*+?|(") & set(column.name)
    missing = ": missing here: columns by a regular expression; --target asks a project" if is_pattern else ""
    return semantic_failure(locator.of(column), f"column {column.name} cannot be resolved{missing}")


def no_bare_word(locator: Locator, column: Any) -> SqlFailed | None:
    """CURRENT_TIMESTAMP without parentheses [rule]; the text is that of columns."""
    if column.name.lower() in _BARE and not column.table and not column.this.args.get("quoted"):
        return no_column(locator, column)
    return None


def foreign(locator: Locator, node: Any) -> SqlFailed:
    """Syntax of another database; the words are ours."""
    return parse_failure(locator.of(node), f"this is of another database: {FOREIGN[type(node)]}")


def type_of_edition_2(locator: Locator, node: Any, kind: str) -> SqlFailed:
    """Refuse a type in an expression."""
    return semantic_failure(locator.of(node), TYPE_OF_EDITION_2.format(kind))


def decimal_with_places(locator: Locator, node: Any) -> SqlFailed:
    """Refuse a DECIMAL with places in an expression."""
    return semantic_failure(locator.of(node), DECIMAL_WITH_PLACES)


def union_of_types(locator: Locator, query: Any, index: int, first: str, second: str) -> SqlFailed:
    """The code is documented; that types are not made equal is a rule. What follows the code's text is ours."""
    position = locator.of(query.expression)
    return illegal_union(
        position, f"column {index + 1} is {first} on one side and {second} on the other; CAST makes them one"
    )


def union_of_counts(locator: Locator, query: Any, first: int, second: int) -> SqlFailed:
    """[doc "UNION"]."""
    return illegal_union(locator.of(query.expression), f"one side has {first} columns, the other {second}")


def union_of_sides(locator: Locator, query: Any, count: int, most: int) -> SqlFailed:
    """[doc "SQL limitations"]."""
    return illegal_union(locator.of(query.expression), f"a UNION has {most} sides at most, and this one {count}")


def full_scan(locator: Locator, node: Any, project: str) -> SqlFailed:
    """The text is that of [doc "SQL errors"]."""
    message = (
        f"physical plan generation failed: java.lang.RuntimeException: Table({project},{node.name}) is full scan with "
        "all partitions, please specify partition predicates."
    )
    return semantic_failure(locator.of(node), message)


def unknown_call(locator: Locator, node: Any) -> SqlFailed:
    """A function that nobody has, or that is missing here."""
    name = node.name.lower()
    reason = "missing here: it is built into MaxCompute, and not into the local service; --target asks a project"
    return unknown_function(locator.of(node), name, reason if name in BUILT_IN else "")


def unfit(locator: Locator, node: Any, types: Sequence[str | None]) -> SqlFailed:
    """No signature takes the arguments: [doc "SQL errors"] of a number or one signature, recorded of several."""
    name = node.name.lower()
    rows = table.rows(name)
    fitting = [row.signature for row in rows if row.signature.fits(len(types))]
    if not fitting:
        counts = [len(row.signature.parameters) for row in rows]
        return wrong_count(locator.of(node), name, len(types), min(counts, key=lambda count: abs(count - len(types))))
    if len(rows) == 1 and ";" not in fitting[0].candidates(name):
        for index, (kind, target) in enumerate(zip(types, fitting[0].expand(len(types)), strict=True)):
            if kind is not None and not re.search(r"\b[A-Z]\b", target) and becomes(kind, target) is None:
                message = f"invalid type {kind} of argument {index + 1} for function {name}, expect {target}"
                return invalid_type(locator.of(node), message)
    listed_types = ", ".join(kind or "?" for kind in types)
    candidates = "; ".join(dict.fromkeys(row.signature.candidates(name) for row in rows))
    message = (
        f"function {name} cannot match any overloaded functions with ({listed_types}), candidates are {candidates}"
    )
    return semantic_failure(locator.of(node), message)


def hive_only(locator: Locator, node: Any) -> SqlFailed:
    """What only a Hive-compatible project has; the text is recorded of DATE_FORMAT [rule]."""
    return semantic_failure(locator.of(node), f"function {node.name.lower()} is not supported in current mode")


ARGUMENTS, OVER = "the arguments of an aggregate or window function", "OVER"
"""Places in which an expression may be, beside the clauses of a query."""


def aggregate_in_arguments(locator: Locator, node: Any) -> SqlFailed:
    """The text is recorded [doc "aggregate function is not allowed in window, aggregation and table function arguments"]."""
    message = "aggregate function is not allowed in window, aggregation and table function arguments"
    return semantic_failure(locator.of(node), message)


def misplaced_window(locator: Locator, node: Any, place: str) -> SqlFailed:
    """They are for SELECT, and not within each other [doc "Window functions"]; the words are ours."""
    return semantic_failure(locator.of(node), f"a window function is not allowed in {place}")


def window_beside_aggregate(locator: Locator, node: Any) -> SqlFailed:
    """[doc "Window functions"]; the words are ours."""
    message = "window functions do not go with aggregate functions of the same level: one of them belongs in a subquery"
    return semantic_failure(locator.of(node), message)


def without_over(locator: Locator, node: Any) -> SqlFailed:
    """What nothing but OVER gives rows [doc "Window functions"]; the words are ours."""
    return semantic_failure(locator.of(node), f"window function {node.name.lower()} needs OVER (…)")


def unfit_window(locator: Locator, window: Any, function: Any, name: str) -> SqlFailed | None:
    """OVER of a built-in function, against the syntax on its page; the words are ours."""
    if name not in AGGREGATES | WINDOW_FUNCTIONS:
        message = f"{name} is neither a window function nor an aggregate function, and has no OVER"
    elif name in WITHOUT_FRAME and window.args.get("spec"):
        message = f"window function {name} takes no {window.args['spec'].args['kind']} in its OVER"
    elif name in ORDERED and not window.args.get("order"):
        message = f"window function {name} needs ORDER BY in its OVER"
    else:
        return None
    return semantic_failure(locator.of(function), message)


def moving_frame(locator: Locator, spec: Any) -> SqlFailed:
    """Its ends are constants [doc "Window functions"]; the words are ours."""
    return semantic_failure(locator.of(spec), "the ends of a window's frame are constants")


def unfit_clause(locator: Locator, node: Any) -> SqlFailed | None:
    """FILTER and WITHIN GROUP of a built-in function [doc "Aggregate functions"]; the words are ours."""
    name = node.this.name.lower()
    if isinstance(node, exp.Filter) and name == "count_if":
        return semantic_failure(locator.of(node), "count_if takes no FILTER")
    if isinstance(node, exp.WithinGroup) and name not in LISTING:
        return semantic_failure(
            locator.of(node), f"WITHIN GROUP is for {', '.join(sorted(LISTING))}, and not for {name}"
        )
    return None
