"""
Analysis of a statement: one pass over its tree that resolves columns, types expressions, and refuses what the service refuses.

It comes before DuckDB sees anything, and leaves behind which signature each call of a built-in function is. A type that
is not known (of a UDF without a signature, of a field of a struct) fits everywhere: what is refused here is refused for sure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from reconciler.base.numbers import whole_number
from reconciler.local.sql import operators, refusals
from reconciler.local.sql.built_ins import table
from reconciler.local.sql.built_ins.groups import AGGREGATES, WINDOW_FUNCTIONS
from reconciler.local.sql.built_ins.signatures import (
    INTEGERS,
    MOMENTS,
    NULL,
    NUMBERS,
    TEXTS,
    Match,
    becomes,
    split_types,
)
from reconciler.local.sql.expression_types import (
    common,
    is_plain,
    is_union,
    misfit_of_sizes,
    name_of_type,
    read_type,
    type_name,
    wider,
)
from reconciler.local.sql.joins import require_equality, require_partitions
from reconciler.local.sql.problems import illegal_cast, invalid_type, semantic_failure
from reconciler.local.sql.reading import BUILT_IN
from reconciler.local.sql.table_functions import COLUMNS
from reconciler.local.sql.windows import name_of_windowed, windowed_call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reconciler.local.sql.built_ins.table import BuiltIn
    from reconciler.local.sql.control import KnownTable
    from reconciler.local.sql.rules import SessionRules

_NO_WINDOWS = {"where": "WHERE", "group": "GROUP BY", "having": "HAVING", "connect": "CONNECT BY"}
_GROUPING = AGGREGATES | WINDOW_FUNCTIONS
_LARGEST_INT, _LARGEST = 2**31 - 1, 2**63 - 1
_MOST_SIDES = 256
"""Of a UNION [doc "SQL limitations"]."""

Columns = dict[str, str | None]
"""Folded names and types."""


@dataclass
class Scope:
    """What names mean in one SELECT."""

    sources: dict[str, Columns | None] = field(default_factory=dict)
    """Columns by source, folded; None of one whose columns are not known."""
    outer: Scope | None = None
    aliases: Columns = field(default_factory=dict)
    """What the SELECT list names, for the clauses that may use it."""
    place: str = ""
    """The clause, or the part of an expression, in which no window function may stand."""
    window: Any = None
    """The first window function of the SELECT list."""
    aggregate: Any = None
    """The first aggregate function of the SELECT list that is none."""

    def has_source(self, name: str) -> bool:
        """Whether a source is called so, here or outside."""
        return name in self.sources or (self.outer is not None and self.outer.has_source(name))

    def find(self, name: str, source: str) -> tuple[bool, str | None]:
        """Return whether a column is there, as far as is known, and its type."""
        if source:
            columns = self.sources.get(source, {})
            if source not in self.sources:
                return self.outer.find(name, source) if self.outer else (True, None)
            return columns is None or name in columns, columns.get(name) if columns else None
        is_open = False
        for columns in self.sources.values():
            if columns is None:
                is_open = True
            elif name in columns:
                return True, columns[name]
        if self.outer is not None:
            is_resolved, kind = self.outer.find(name, source)
            return is_open or is_resolved, kind
        return is_open, None


@dataclass(frozen=True)
class Choice:
    """Which signature a call of a built-in function is."""

    row: BuiltIn
    match: Match
    types: tuple[str | None, ...]


class Analysis:
    """The pass over one statement."""

    def __init__(
        self,
        locator: refusals.Locator,
        rules: SessionRules,
        tables: Callable[[Any], KnownTable | None],
        functions: Mapping[str, Sequence[str] | None],
        inputs: Mapping[str, Sequence[str] | None],
    ) -> None:
        """
        `tables` knows the columns of a table's node, `functions` the results of the project's, None of a table function,
        and `inputs` their arguments, None of any.
        """
        self.locator, self.rules, self.tables, self.functions = locator, rules, tables, functions
        self.inputs = inputs
        self.conversions: list[operators.Conversion] = []
        """What becomes another type by itself; a text that becomes no number is a STRING to DuckDB, too."""
        self.choices: dict[int, Choice] = {}
        """By the identity of the call's node."""
        self._operators: dict[int, str | None] = {}
        """The types of operators that were looked at before what they stand in, by the identity of their nodes."""
        self.cast: dict[int, str | None] = {}
        """What is converted, by the identity of CAST's node."""
        self.windowed: set[int] = set()
        """The calls that OVER stands behind, by their identity."""

    def run(self, tree: Any) -> list[str | None]:
        """Refuse what the service refuses, and return the types of the result's columns, none if they are not known."""
        return list((self._query(tree, {}, None) or {}).values())

    def _query(self, query: Any, shared: Mapping[str, Columns | None], outer: Scope | None) -> Columns | None:
        """Return the columns of a query."""
        shared = dict(shared)
        with_ = query.args.get("with_")
        for expression in with_.expressions if with_ else ():
            columns = self._query(expression.this, shared, None)
            shared[expression.alias.lower()] = _rename_columns(columns, expression.args["alias"].columns)
        if isinstance(query, exp.Subquery):
            result = self._query(query.this, shared, outer)
        elif isinstance(query, exp.SetOperation):
            result = self._union(query, shared, outer)
        else:
            result = self._select(query, shared, outer)
        order = query.args.get("order")
        if order and not query.args.get("limit") and self.rules.order_needs_limit:
            raise refusals.order_without_limit(self.locator, query)
        return result

    def _union(self, query: Any, shared: Mapping[str, Columns | None], outer: Scope | None) -> Columns | None:
        chain = [query]
        while isinstance(chain[-1].this, exp.SetOperation) and not chain[-1].this.args.get("with_"):
            chain.append(chain[-1].this)
        if len(chain) >= _MOST_SIDES:
            raise refusals.union_of_sides(self.locator, query, len(chain) + 1, _MOST_SIDES)
        columns = self._query(chain[-1].this, shared, outer)
        for operation in reversed(chain):
            columns = self._union_of(operation, columns, self._query(operation.expression, shared, outer))
        return columns

    def _union_of(self, query: Any, before: Columns | None, after: Columns | None) -> Columns | None:
        if before is None or after is None:
            return before
        if len(before) != len(after):
            raise refusals.union_of_counts(self.locator, query, len(before), len(after))
        for index, (kind, match) in enumerate(zip(before.values(), after.values(), strict=True)):
            if kind and match and not is_union(kind, match):
                raise refusals.union_of_types(self.locator, query, index, kind, match)
        return {
            name: match if kind == NULL else kind
            for (name, kind), match in zip(before.items(), after.values(), strict=True)
        }

    def _select(self, select: Any, shared: Mapping[str, Columns | None], outer: Scope | None) -> Columns | None:
        scope = Scope(outer=outer)
        if isinstance(select, exp.Table | exp.Values):
            return self._source(select, shared, outer)
        for source in self._sources(select):
            columns = self._source(source, shared, scope)
            scope.sources[(source.alias_or_name or str(id(source))).lower()] = columns
        for condition in filter(None, (join.args.get("on") for join in select.args.get("joins") or ())):
            operators.require_conditions(self.locator, [(condition, self._apart(condition, scope, "ON"))])
        require_equality(self.locator, self.rules, select)
        require_partitions(self.locator, self.rules, select, lambda node: self._describe_source(node, shared))
        for lateral in select.args.get("laterals") or ():
            self._lateral(lateral, scope)
        for clause in ("where", "group", "connect"):
            self._clause(select, clause, scope)
        result = self._select_list(select, scope)
        scope.aliases = {name: kind for name, kind in (result or {}).items() if name} | self._names(select)
        for clause in ("having", "qualify", "order", "sort", "distribute", "cluster", "limit", "distinct"):
            self._clause(select, clause, scope)
        return result

    def _sources(self, select: Any) -> Iterable[Any]:
        if from_ := select.args.get("from_"):
            yield from_.this
        for join in select.args.get("joins") or ():
            yield join.this

    def _source(self, source: Any, shared: Mapping[str, Columns | None], scope: Scope | None) -> Columns | None:
        """Return the columns of what stands in FROM."""
        alias = source.args.get("alias")
        names = alias.columns if alias else ()
        if isinstance(source, exp.Subquery):
            columns = self._query(source, shared, scope.outer if scope else None)
        elif isinstance(source, exp.Values):
            columns = self._values(source, scope)
        elif isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
            described = self._describe_source(source, shared)
            columns = {name.lower(): read_type(kind) for name, kind in described.columns.items()} if described else None
            if not source.db and source.name.lower() in shared:
                columns = shared[source.name.lower()]
        elif isinstance(source, exp.Table):
            raise refusals.unknown_call(self.locator, source.this)
        else:
            return None
        return _rename_columns(columns, names)

    def _describe_source(self, node: Any, shared: Mapping[str, Columns | None]) -> KnownTable | None:
        """Return what a name in FROM has, unless WITH made it."""
        return None if not node.db and node.name.lower() in shared else self.tables(node)

    def _values(self, source: Any, scope: Scope | None) -> Columns:
        kinds: list[str | None] = []
        for row in source.expressions:
            cells = row.expressions if isinstance(row, exp.Tuple) else [row]
            for index, cell in enumerate(cells):
                kind = self._type(cell, scope or Scope())
                if index == len(kinds):
                    kinds.append(kind)
                elif kinds[index] == NULL:
                    kinds[index] = kind
                elif kind not in (NULL, kinds[index]):
                    kinds[index] = wider(kinds[index], kind)
        return {f"_c{index}": kind for index, kind in enumerate(kinds)}

    def _lateral(self, lateral: Any, scope: Scope) -> None:
        call, alias = lateral.this, lateral.args.get("alias")
        kinds: list[str | None] = []
        if isinstance(call, exp.Anonymous):
            kinds = [self._type(argument, scope) for argument in call.expressions]
            if call.name.lower() not in COLUMNS and call.name.lower() not in self.functions:
                raise refusals.unknown_call(self.locator, call)
        inner = split_types(kinds[0].partition("<")[2][:-1]) if kinds and kinds[0] and "<" in kinds[0] else []
        if alias is None:
            return
        columns: Columns | None = {}
        for index, column in enumerate(alias.columns):
            is_known = call.name.lower() == "explode" and len(inner) == len(alias.columns)
            columns[column.name.lower()] = inner[index] if is_known and inner[index] != "?" else None  # type: ignore[index]
        scope.sources[alias.name.lower()] = columns if alias.columns else None

    def _select_list(self, select: Any, scope: Scope) -> Columns | None:
        scope.window = scope.aggregate = None
        result = self._projections(select, scope)
        if scope.window and scope.aggregate:
            raise refusals.window_beside_aggregate(self.locator, scope.window)
        return result

    def _projections(self, select: Any, scope: Scope) -> Columns | None:
        columns: Columns | None = {}
        for index, projection in enumerate(select.expressions):
            if projection.is_star:
                columns = _expand_star(columns, projection, scope)
                continue
            value = projection.this if isinstance(projection, exp.Alias | exp.Aliases) else projection
            if self._is_table_function(value):
                for argument in value.expressions:
                    self._type(argument, scope)
                columns = None
                continue
            kind = self._type(value, scope)
            if isinstance(projection, exp.Aliases) or columns is None:
                columns = None
            else:
                name = projection.alias_or_name.lower() or f"_c{index}"
                columns[name if name not in columns else f"{name}{index}"] = kind
        return columns

    def _is_table_function(self, value: Any) -> bool:
        if not isinstance(value, exp.Anonymous):
            return False
        name = value.name.lower()
        return (name in self.functions and self.functions[name] is None) or (
            name in COLUMNS and name not in self.functions
        )

    def _names(self, select: Any) -> Columns:
        named = [name for node in select.expressions if isinstance(node, exp.Aliases) for name in node.expressions]
        single = [node.args["alias"] for node in select.expressions if isinstance(node, exp.Alias)]
        return {name.name.lower(): None for name in (*single, *named)}

    def _clause(self, select: Any, name: str, scope: Scope) -> None:
        clause = select.args.get(name)
        before, scope.place = scope.place, _NO_WINDOWS.get(name, scope.place)
        for node in clause if isinstance(clause, list) else [clause]:
            if node is not None:
                kinds = self._children(node, scope)
                if isinstance(node, exp.Where | exp.Having | exp.Qualify):
                    operators.require_conditions(self.locator, [(node.this, kinds[0])])
        scope.place = before

    def _apart(self, node: Any, scope: Scope, place: str) -> str | None:
        """Return the type of what stands where no window function may."""
        before, scope.place = scope.place, place
        kind = self._type(node, scope)
        scope.place = before
        return kind

    def _children(self, node: Any, scope: Scope) -> list[str | None]:
        return [self._type(child, scope) for child in node.iter_expressions()]

    def _type(self, node: Any, scope: Scope) -> str | None:
        """
        Return the type of an expression, None if it is not known.

        A chain of operators grows to the left by a node for each: it is gone up from its far end, for none is too long.
        """
        if id(node) in self._operators:
            return self._operators.pop(id(node))
        chain = [node]
        while isinstance(chain[-1], exp.Binary) and isinstance(chain[-1].this, exp.Binary):
            chain.append(chain[-1].this)
        for operator in reversed(chain[1:]):
            self._operators[id(operator)] = self._type_of(operator, scope)
        return self._type_of(node, scope)

    def _type_of(self, node: Any, scope: Scope) -> str | None:
        typed = _TYPED.get(type(node))
        if typed is not None:
            return typed(self, node, scope)
        if type(node) in refusals.FOREIGN:
            raise refusals.foreign(self.locator, node)
        if isinstance(node, exp.Query):
            columns = self._query(node, {}, scope)
            return next(iter(columns.values()), None) if columns else None
        operands = list(zip(node.iter_expressions(), self._children(node, scope), strict=True))
        self.conversions += operators.predicate(self.locator, node, operands)
        return "BOOLEAN" if isinstance(node, exp.Predicate | exp.Connector | exp.Not) else None

    def _literal(self, node: Any, _: Scope) -> str:
        if node.args["is_string"]:
            return "STRING"
        digits = node.args["this"]
        # No number of a type has 20 digits, and Python refuses to read thousands of them.
        if not digits.isdigit() or len(significant := digits.lstrip("0")) > 19 or int(significant or 0) > _LARGEST + 1:
            return "DOUBLE"
        return "INT" if int(significant or 0) <= _LARGEST_INT and self.rules.has_types_2 else "BIGINT"

    def _column(self, node: Any, scope: Scope) -> str | None:
        name = node.name.lower()
        if isinstance(node.this, exp.Star):
            return None
        if node.db and not scope.has_source(node.table.lower()):
            # Neither project.table.column: a field of a field, or one of a column that its table stands before.
            node.meta["path"] = True
            return None
        is_resolved, kind = scope.find(name, node.table.lower())
        if is_resolved:
            if kind is None and (refused := refusals.no_bare_word(self.locator, node)):
                raise refused
            return kind
        if name in scope.aliases and not node.table:
            return scope.aliases[name]
        if node.db or (scope.outer is None and not scope.sources and node.table):
            return None
        raise refusals.no_column(self.locator, node)

    def _cast(self, node: Any, scope: Scope) -> str | None:
        self.cast[id(node)] = self._type(node.this, scope)
        target = self._target(node.to)
        if (
            type(node) is exp.Cast
            and target in MOMENTS
            and node.this.is_string
            and not is_plain(node.this.name, target)
        ):
            raise illegal_cast(f"'{node.this.name}' is no {target}: the form is yyyy-mm-dd, with hh:mi:ss behind it")
        return target

    def _target(self, kind: Any) -> str | None:
        """Return a written type, refused where the edition of types does not have it."""
        for inner in kind.find_all(exp.DataType):
            name = type_name(inner)
            if name in refusals.TYPES_2 and not self.rules.has_types_2:
                raise refusals.type_of_edition_2(self.locator, inner, name)
            sizes = [
                _LARGEST if (number := whole_number(size.name)) is None else number
                for size in inner.find_all(exp.DataTypeParam)
                if size.parent is inner and size.name.isdigit()
            ]
            if misfit := misfit_of_sizes(name, sizes):
                raise semantic_failure(self.locator.of(inner), misfit)
            if name == "DECIMAL" and inner.expressions and not self.rules.has_decimal_2:
                raise refusals.decimal_with_places(self.locator, inner)
        return name_of_type(kind)

    def _call(self, node: Any, scope: Scope) -> str | None:
        name = node.name.lower().removeprefix(BUILT_IN)
        arguments = node.expressions
        if len(arguments) == 1 and isinstance(arguments[0], exp.Distinct):
            arguments = arguments[0].expressions
        if name in self.functions and not node.name.startswith(BUILT_IN):
            types = [self._type(argument, scope) for argument in arguments]
            results = self.functions[name]
            self._take_texts(arguments, types, self.inputs.get(name) or ())
            return read_type(results[0]) if results else None
        types = self._types(node, name, arguments, scope)
        if name in COLUMNS or not table.rows(name):
            raise refusals.unknown_call(self.locator, node)
        choice = table.choose(name, tuple(types), is_edition_1=not self.rules.has_types_2)
        if name == "date_format" and types[:1] in (["STRING"], ["DATE"]) and not self.rules.is_hive:
            raise refusals.hive_only(self.locator, node)
        if choice is None:
            raise refusals.unfit(self.locator, node, types)
        self.choices[id(node)] = Choice(*choice, tuple(types))
        return choice[1].result

    def _take_texts(self, arguments: Sequence[Any], types: Sequence[str | None], inputs: Sequence[str]) -> None:
        """Note which texts a function of the project takes as numbers."""
        is_edition_1 = not self.rules.has_types_2
        for argument, kind, parameter in zip(arguments, types, map(read_type, inputs), strict=False):
            if kind in TEXTS and parameter in NUMBERS:
                fits = becomes(str(kind), parameter, is_edition_1=is_edition_1) is not None
                self.conversions.append((argument, parameter if fits else "STRING", kind))

    def _types(self, node: Any, name: str, arguments: Sequence[Any], scope: Scope) -> list[str | None]:
        """Return the types of the arguments of a built-in function; refuse one of groups or windows where none may stand."""
        if name not in _GROUPING:
            return [self._type(argument, scope) for argument in arguments]
        if id(node) not in self.windowed:
            if name in WINDOW_FUNCTIONS:
                raise refusals.without_over(self.locator, node)
            if scope.place == refusals.ARGUMENTS:
                raise refusals.aggregate_in_arguments(self.locator, node)
            scope.aggregate = scope.aggregate or node
        return [self._apart(argument, scope, refusals.ARGUMENTS) for argument in arguments]

    def _window(self, node: Any, scope: Scope) -> str | None:
        function = windowed_call(node)
        if scope.place:
            raise refusals.misplaced_window(self.locator, function, scope.place)
        self.windowed.add(id(function))
        scope.window = scope.window or function
        name = name_of_windowed(node)
        if table.rows(name) and function.name.lower() not in self.functions:
            refused = refusals.unfit_window(self.locator, node, function, name)
            if refused:
                raise refused
        kind = self._type(node.this, scope)
        self._over(node, scope)
        return kind

    def _over(self, window: Any, scope: Scope) -> None:
        """Look at what defines a window."""
        before, scope.place = scope.place, refusals.OVER
        for expression in window.args.get("partition_by") or ():
            self._type(expression, scope)
        self._clause(window, "order", scope)
        spec = window.args.get("spec")
        if spec:
            self._children(spec, scope)
            if spec.find(exp.Column):
                raise refusals.moving_frame(self.locator, spec)
        scope.place = before

    def _group_clause(self, node: Any, scope: Scope) -> str | None:
        """FILTER and WITHIN GROUP."""
        refused = refusals.unfit_clause(self.locator, node) if node.this.name.lower() not in self.functions else None
        if refused:
            raise refused
        return self._first(node, scope)

    def _first(self, node: Any, scope: Scope) -> str | None:
        """The type of what a node is about; the rest is looked at too."""
        kind = self._type(node.this, scope)
        for child in node.iter_expressions():
            if child is not node.this:
                self._type(child, scope)
        return kind

    def _arithmetic(self, node: Any, scope: Scope) -> str | None:
        return wider(*self._numbers(node, scope))

    def _numbers(self, node: Any, scope: Scope) -> list[str | None]:
        operands = list(zip(node.iter_expressions(), self._children(node, scope), strict=True))
        kinds, conversions = operators.numbers(self.locator, node, operands)
        self.conversions += conversions
        return kinds

    def _quotient(self, node: Any, scope: Scope) -> str | None:
        kinds = self._numbers(node, scope)
        return "DECIMAL" if "DECIMAL" in kinds else "DOUBLE" if all(kind in INTEGERS for kind in kinds) else None

    def _whole_quotient(self, node: Any, scope: Scope) -> str:
        node.meta["whole"] = all(kind in INTEGERS for kind in self._numbers(node, scope))
        return "BIGINT"

    def _negative(self, node: Any, scope: Scope) -> str | None:
        return self._numbers(node, scope)[0]

    def _case(self, node: Any, scope: Scope) -> str | None:
        value = None if node.this is None else (node.this, self._type(node.this, scope))
        branches = []
        for branch in node.args["ifs"]:
            condition = branch.this, self._type(branch.this, scope)
            if value is None:
                operators.require_conditions(self.locator, [condition])
            else:
                self.conversions += operators.predicate(self.locator, exp.EQ(), [value, condition])
            branches.append(branch.args["true"])
        return self._common([*branches, node.args.get("default")], scope)

    def _if(self, node: Any, scope: Scope) -> str | None:
        operators.require_conditions(self.locator, [(node.this, self._type(node.this, scope))])
        return self._common([node.args.get("true"), node.args.get("false")], scope)

    def _common(self, nodes: Sequence[Any], scope: Scope) -> str | None:
        """Return the type of several branches."""
        branches = [(node, self._type(node, scope)) for node in nodes if node is not None]
        conversions = operators.branches(self.locator, branches)
        self.conversions += conversions
        return "STRING" if conversions else common([kind for _, kind in branches])

    def _lambda(self, node: Any, scope: Scope) -> None:
        names = dict.fromkeys(name.name.lower() for name in node.expressions)
        self._type(node.this, Scope({"": names}, scope))

    def _bracket(self, node: Any, scope: Scope) -> str | None:
        kind = self._type(node.this, scope)
        node.meta["of"] = outer = (kind or "").partition("<")[0]
        if outer not in ("", NULL, "ARRAY", "MAP", "STRUCT", "JSON"):
            raise invalid_type(self.locator.of(node), f"an ARRAY or a MAP has elements, and {kind} has none")
        for index in node.expressions:
            index_kind = self._type(index, scope)
            if outer == "ARRAY" and index_kind not in (None, NULL, *INTEGERS):
                raise invalid_type(self.locator.of(index), "an element of an ARRAY is named by its number")
            if outer == "JSON" and (not isinstance(index, exp.Literal) or '"' in index.name):
                raise semantic_failure(self.locator.of(node), "missing here: an element of JSON that no constant names")
        return kind if outer == "JSON" else _element_type(kind, outer)

    def _interval(self, node: Any, scope: Scope) -> None:
        self._children(node, scope)

    def _text(self, node: Any, scope: Scope) -> str:
        self._children(node, scope)
        return "STRING"


_TYPED: dict[type[Any], Callable[[Analysis, Any, Scope], str | None]] = {
    exp.Literal: Analysis._literal,
    exp.Null: lambda *_: NULL,
    exp.Boolean: lambda *_: "BOOLEAN",
    exp.Star: lambda *_: None,
    exp.Identifier: lambda *_: None,
    exp.DataType: lambda *_: None,
    exp.Var: lambda *_: None,
    exp.Column: Analysis._column,
    exp.Cast: Analysis._cast,
    exp.TryCast: Analysis._cast,
    exp.Anonymous: Analysis._call,
    exp.Window: Analysis._window,
    exp.Filter: Analysis._group_clause,
    exp.WithinGroup: Analysis._group_clause,
    exp.IgnoreNulls: Analysis._first,
    exp.RespectNulls: Analysis._first,
    exp.Paren: Analysis._first,
    exp.Neg: Analysis._negative,
    exp.Alias: Analysis._first,
    exp.Add: Analysis._arithmetic,
    exp.Sub: Analysis._arithmetic,
    exp.Mul: Analysis._arithmetic,
    exp.Mod: Analysis._arithmetic,
    exp.Div: Analysis._quotient,
    exp.IntDiv: Analysis._whole_quotient,
    exp.Case: Analysis._case,
    exp.If: Analysis._if,
    exp.Lambda: Analysis._lambda,
    exp.Bracket: Analysis._bracket,
    exp.ParseJSON: lambda *_: "JSON",
    exp.DPipe: Analysis._text,
    exp.Trim: Analysis._text,
    exp.Interval: Analysis._interval,
}


def _rename_columns(columns: Columns | None, names: Sequence[Any]) -> Columns | None:
    """Return columns by the names behind an alias."""
    if not names:
        return columns
    if columns is None or len(columns) != len(names):
        return {name.name.lower(): None for name in names}
    return {name.name.lower(): kind for name, kind in zip(names, columns.values(), strict=True)}


def _element_type(kind: str | None, outer: str) -> str | None:
    """Return the type of the elements of an ARRAY, or of the values of a MAP."""
    inner = split_types((kind or "").partition("<")[2][:-1])
    return inner[-1] if inner and inner[-1] != "?" and outer != "STRUCT" else None


def _expand_star(columns: Columns | None, star: Any, scope: Scope) -> Columns | None:
    if columns is None or (isinstance(star, exp.Star) and any(star.args.values())):
        return None
    of_source = [star.table.lower()] if isinstance(star, exp.Column) else list(scope.sources)
    for name in of_source:
        further = scope.sources.get(name)
        if further is None:
            return None
        for column, kind in further.items():
            columns[column if column not in columns else f"{column}{len(columns)}"] = kind
    return columns
