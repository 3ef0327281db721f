"""Joins and scans that the service refuses: without an equality between the sides, and of all partitions of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from reconciler.local.sql import refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.local.sql.rules import SessionRules


def require_equality(locator: refusals.Locator, rules: SessionRules, select: Any) -> None:
    """
    Refuse a join without a condition, and one on anything but equality; the hint MAPJOIN lifts both.

    A comma with the equality in WHERE is a join like any other [doc "JOIN", implicit joins]; that CROSS JOIN is so too is
    a guess. A condition on one side alone is a filter.
    """
    joins = select.args.get("joins") or ()
    if not joins or _has_mapjoin(select):
        return
    for join in joins:
        if _needs_condition(join):
            _require_equality_of(locator, rules, select, join)


def _needs_condition(join: Any) -> bool:
    is_source = isinstance(join.this, exp.Table | exp.Subquery | exp.Values)
    return is_source and not join.args.get("using") and join.args.get("method") != "NATURAL"


def _require_equality_of(locator: refusals.Locator, rules: SessionRules, select: Any, join: Any) -> None:
    joined, condition, where = join.this.alias_or_name.lower(), join.args.get("on"), select.args.get("where")
    conditions = list(_conjuncts(condition))
    crossing = [part for part in conditions if _sides(part, joined) == {True, False}]
    for part in crossing:
        if not isinstance(part, exp.EQ | exp.NullSafeEQ):
            raise refusals.no_equality(locator, part)
    if crossing or rules.allows_cartesian:
        return
    if condition is not None:
        is_joined = any(_is_open(part) for part in conditions)
    else:
        is_joined = where is not None and any(_joins(part, joined) for part in _conjuncts(where.this))
    if not is_joined:
        raise refusals.cartesian(locator, join)


def require_partitions(
    locator: refusals.Locator, rules: SessionRules, select: Any, tables: Callable[[Any], Any]
) -> None:
    """Refuse to read all partitions of a table; any condition that names one of its partition columns is enough."""
    if rules.allows_full_scan:
        return
    from_ = select.args.get("from_")
    joins = select.args.get("joins") or ()
    sources = ([from_.this] if from_ else []) + [join.this for join in joins]
    conditions = [select.args.get("where"), *(join.args.get("on") for join in joins)]
    for source in sources:
        described = (
            tables(source) if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier) else None
        )
        if described is None or not described.partitions:
            continue
        columns = {column.name.lower() for part in conditions if part for column in part.find_all(exp.Column)}
        if not (columns | _names_outside(select)) & described.partitions:
            raise refusals.full_scan(locator, source, described.project)


def _names_outside(select: Any) -> set[str]:
    """
    Return what the conditions around a subquery name of its columns: the service asks them of the rows of the table already.

    That it does so through whatever lets each row through, and through nothing else, is inferred from what such optimizers do.
    """
    outer: Any = select.parent.parent if isinstance(select.parent, exp.CTE) else select.parent
    if isinstance(outer, exp.Subquery):
        outer = outer.parent
    is_source = isinstance(outer, exp.From | exp.Join | exp.With) and isinstance(outer.parent, exp.Select)
    if (
        not is_source
        or any(select.args.get(clause) for clause in ("group", "limit", "distinct"))
        or select.find(exp.Window)
    ):
        return set()
    where = outer.parent.args.get("where")
    named = {column.name.lower() for column in where.find_all(exp.Column)} if where else set()
    if not any(projection.is_star for projection in select.expressions):
        named &= {column.name.lower() for column in select.expressions if isinstance(column, exp.Column)}
    return named | _names_outside(outer.parent)


def _has_mapjoin(select: Any) -> bool:
    hint = select.args.get("hint")
    return hint is not None and any(
        node.name.lower() in ("mapjoin", "distmapjoin") for node in hint.find_all(exp.Anonymous, exp.JoinHint)
    )


def _conjuncts(condition: Any) -> Iterator[Any]:
    if isinstance(condition, exp.Paren):
        yield from _conjuncts(condition.this)
    elif isinstance(condition, exp.And):
        yield from _conjuncts(condition.left)
        yield from _conjuncts(condition.right)
    elif condition is not None:
        yield condition


def _sides(condition: Any, joined: str) -> set[bool]:
    """Return whether a condition is of the joined side, of the others, or of both; columns without a source tell nothing."""
    named = [column.parts[:-1] for column in condition.find_all(exp.Column) if column.table]
    return {joined in [part.name.lower() for part in parts] for parts in named}


def _is_open(condition: Any) -> bool:
    """Whether an equality names columns without their sources: it may well join."""
    return isinstance(condition, exp.EQ) and any(not column.table for column in condition.find_all(exp.Column))


def _joins(condition: Any, joined: str) -> bool:
    return isinstance(condition, exp.EQ) and (_sides(condition, joined) == {True, False} or _is_open(condition))
