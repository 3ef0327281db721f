"""
Translation of MaxCompute's SQL to DuckDB's, by sqlglot.

What sqlglot cannot know is done here: which names are functions of the project and which are tables, what becomes of a UDTF
and of a UDAF, which DuckDB has no counterpart of, and what a column without a name is called.

* A UDF stays a function.
* A UDAF over a group becomes a function of the list of the group's rows: ``f(x)`` → ``f(list(struct_pack(c0 := x)))``.
* A UDTF in LATERAL VIEW becomes a function that gives a list of rows for each row, which is unnested beside it.
* A built-in function, a number and a conversion are said so that they mean the same, or refused (`built_ins`).
* A UDTF in SELECT becomes a function of the list of all rows, so that it sees their end: what `close` forwards is there too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp
from sqlglot.errors import ErrorLevel, UnsupportedError

from reconciler.local.sql import problems, windows
from reconciler.local.sql.analysis import Analysis
from reconciler.local.sql.built_ins import table
from reconciler.local.sql.built_ins.makers import call
from reconciler.local.sql.built_ins.signatures import MOMENTS, TEXTS
from reconciler.local.sql.embedding import name_tables
from reconciler.local.sql.expression_types import is_plain
from reconciler.local.sql.problems import SqlFailed, SqlPosition, semantic_failure
from reconciler.local.sql.reading import parse_statement
from reconciler.local.sql.refusals import Locator
from reconciler.local.sql.table_functions import COLUMNS, DEFAULT_NAMES, columns
from reconciler.local.sql.value_types import make_duckdb_type

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from reconciler.local.sql.analysis import Choice
    from reconciler.local.sql.control import KnownTable
    from reconciler.local.sql.embedding import Embedding
    from reconciler.local.sql.query_functions import QueryFunction
    from reconciler.local.sql.rules import SessionRules

ARGUMENT = "c{}"
"""What the fields of a row are called that a UDAF or UDTF is given."""
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Form:
    """How a function is to be declared in DuckDB."""

    function: QueryFunction
    way: str
    """``values``, ``rows``, ``all_rows`` or ``aggregate``."""
    names: tuple[str, ...] = ()
    """Of a UDTF's results."""
    duckdb_name: str = ""
    """What it is called there."""


class Statement:
    """A statement that was read, and is to be said anew."""

    def __init__(self, text: str, functions: Collection[str], embedding: Embedding | None = None) -> None:
        """`functions` are the names of the project's, folded: they come before built-in ones of the same name."""
        self.locator = Locator(text)
        self.tree = parse_statement(text, functions)
        self.embedded: list[Any] = embedding.embed(self.tree) if embedding else []
        """The queries of views and variables in it."""
        self.forms: list[Form] = []
        self.types: list[str | None] = []
        """Of the result's columns, as far as they are known without DuckDB."""
        self.calls: dict[str, SqlPosition | None] = {}
        """The project's functions that are called, folded, and where each is first."""
        for node in self.tree.find_all(exp.Anonymous):
            if node.name.lower() in functions:
                self.calls.setdefault(node.name.lower(), self.position(node))

    def analyse(
        self,
        rules: SessionRules,
        tables: Callable[[Any], KnownTable | None],
        functions: Mapping[str, Sequence[str] | None],
        inputs: Mapping[str, Sequence[str] | None] | None = None,
    ) -> None:
        """
        Refuse what the service refuses; say literals, casts and built-in functions so that they mean the same in DuckDB.

        `functions` are the results of the project's functions, None of one that gives rows; `inputs` their arguments.
        """
        windows.write_out(self.tree, self.locator)
        analysis = Analysis(self.locator, rules, tables, functions, inputs or {})
        self.types = analysis.run(self.tree)
        for conversion in analysis.conversions:
            analysis.cast[id(self._convert(*conversion[:2]))] = conversion[2]
        self._say_operators()
        self._say_elements()
        self._drop_hints()
        windows.say_frames(self.tree, rules)
        for kind in self.tree.find_all(exp.DataType):
            make_duckdb_type(kind)
        # The inner ones first, as in `use_functions`.
        for node in reversed(list(self.tree.find_all(exp.Anonymous))):
            choice = analysis.choices.get(id(node))
            if choice is not None:
                self._replace_call(node, choice)
        self._type_numbers()
        for cast in reversed(list(self.tree.find_all(exp.TryCast))):
            cast.replace(self._cast(cast.this, cast.to, analysis.cast.get(id(cast)), reads_moments=rules.reads_moments))
        windows.lift_lists(self.tree)

    def callees(self) -> set[str]:
        """Return the functions that have to be there in DuckDB, those among them that it has."""
        return {node.name for node in self.tree.find_all(exp.Anonymous)}

    def _replace_call(self, node: Any, choice: Choice) -> None:
        arguments = node.expressions
        distinct = is_distinct(node)
        if distinct:
            arguments = arguments[0].expressions
        result = table.say(choice.row, choice.match, arguments, choice.types, self.position(node), is_distinct=distinct)
        parent = node.parent
        if isinstance(result, exp.Filter) and isinstance(parent, exp.Filter):
            # FILTER (WHERE …) of the statement's own, beside that of COLLECT_LIST.
            condition = parent.args["expression"]
            condition.set("this", exp.and_(condition.this.copy(), result.args["expression"].this))
            result = result.this
        elif isinstance(parent, exp.WithinGroup):
            listing = result.this if isinstance(result, exp.Filter) else result
            last = listing.expressions[-1]
            last = last.this if isinstance(last, exp.Order) else last
            order = exp.Order(this=last.copy(), expressions=parent.args["expression"].expressions)
            listing.set("expressions", [*listing.expressions[:-1], order])
            node = parent
        node.replace(result)

    def _drop_hints(self) -> None:
        """Drop what says how to run the statement, and nothing of what comes out: MAPJOIN, say."""
        for hint in list(self.tree.find_all(exp.Hint, exp.Sort, exp.Distribute, exp.Cluster)):
            hint.pop()

    def _type_numbers(self) -> None:
        """Make 1.5 a DOUBLE, and what is too large for a BIGINT, too [doc "Data type editions"]."""
        for literal in list(self.tree.find_all(exp.Literal)):
            is_bigint = literal.is_int and int(literal.name) <= _LARGEST + isinstance(literal.parent, exp.Neg)
            if literal.is_number and not is_bigint and not isinstance(literal.parent, exp.Cast):
                literal.replace(exp.Cast(this=literal.copy(), to=exp.DataType.build("double")))

    def _convert(self, node: Any, kind: str) -> Any:
        """Convert a value as CAST does, where DuckDB would by rules of its own, and return the conversion."""
        conversion = exp.TryCast(to=exp.DataType.build("text" if kind == "STRING" else kind.lower()))
        node.replace(conversion)
        conversion.set("this", node)
        return conversion

    def _say_operators(self) -> None:
        """
        Say DIV and LIKE so that they mean the same.

        DIV gives a whole number, and NULL of 0. A backslash before ``%`` or ``_`` takes their meaning away [doc "LIKE"]; that another one
        is a character like any is what Hive does.
        """
        for node in list(self.tree.find_all(exp.IntDiv)):
            node.set("expression", exp.Nullif(this=node.expression, expression=exp.Literal.number(0)))
            if not node.meta["whole"]:
                quotient = exp.Div(this=node.this, expression=node.expression, typed=False, safe=True)
                node.replace(exp.cast(call("trunc", [quotient]), "bigint", dialect="duckdb"))
        for node in list(self.tree.find_all(exp.Like)):
            pattern = node.expression
            if not (isinstance(pattern, exp.Literal) and "\\" not in pattern.name):
                for pair in ("\\", "\\\\"), ("\\\\%", "\\%"), ("\\\\_", "\\_"):
                    pattern = call("replace", [pattern, *map(exp.Literal.string, pair)])
                node.set("expression", pattern)
                if not isinstance(node.parent, exp.Escape):
                    node.replace(exp.Escape(this=node.copy(), expression=exp.Literal.string("\\")))

    def _say_elements(self) -> None:
        """Say JSON, and what stands in brackets, so that they mean the same."""
        for node in list(self.tree.find_all(exp.ParseJSON)):
            node.replace(call("mc_json", [node.this]))
        for node in reversed(list(self.tree.find_all(exp.Bracket))):
            if len(node.expressions) == 1 and (node.meta["of"] in ("MAP", "JSON") or not node.expressions[0].is_string):
                node.replace(_element(node.meta["of"], node.this, node.expressions[0]))

    def _cast(self, value: Any, to: Any, kind: str | None, *, reads_moments: bool) -> Any:
        # A conversion that fails is an error, and no NULL: the service gives either, by a setting of the project.
        macro = "" if _is_of_type(value, to.this.name) else _conversion(to.this.name, kind, reads_moments=reads_moments)
        return exp.Cast(this=call(macro, [value]) if macro else value, to=to)

    def position(self, node: Any) -> SqlPosition | None:
        """Return where a node stands, as far as sqlglot keeps it."""
        return self.locator.of(node)

    def _refusal(self, node: Any, what: str) -> SqlFailed:
        return semantic_failure(self.position(node), what)

    def find_name(self, name: str) -> SqlPosition | None:
        """Return where a column is first named, or a function."""
        for node in self.tree.find_all(exp.Column, exp.Anonymous):
            if node.name.removeprefix(table.PREFIX).partition("__")[0].lower() == name.lower():
                return self.position(node)
        return None

    def require_names(self, settings: Mapping[str, str]) -> None:
        """Refuse positions of columns where they mean constants to the service, which is so unless it is SET otherwise."""
        for clause in ("order", "group"):
            flag = f"odps.sql.{clause}by.position.alias"
            if settings.get(flag, "").lower() == "true":
                continue
            for query in self.tree.find_all(exp.Query):
                ordering = query.args.get(clause)
                for expression in ordering.expressions if ordering else ():
                    key = expression.this if isinstance(expression, exp.Ordered) else expression
                    if isinstance(key, exp.Literal) and key.is_int:
                        message = f"{clause.upper()} BY {key.name} is of a constant; SET {flag}=true makes it a column"
                        raise self._refusal(query, message)

    def use_tables(self, names: Callable[[Any], str]) -> None:
        """Put the tables' names in DuckDB in the place of their own, which become aliases."""
        for node in list(name_tables(self.tree)):
            duckdb_name = names(node)
            if not node.alias:
                node.set("alias", exp.TableAlias(this=exp.to_identifier(node.name)))
            node.set("this", exp.to_identifier(duckdb_name, quoted=True))
            node.set("db", None)
            node.set("catalog", None)
        for column in self.tree.find_all(exp.Column):
            # project.table.column; the alias has neither project nor schema.
            if not column.meta.get("path"):
                column.set("db", None)
                column.set("catalog", None)

    def use_functions(self, functions: dict[str, QueryFunction]) -> None:
        """Say calls of the project's functions as DuckDB can."""
        for select in list(self.tree.find_all(exp.Select)):
            self._select(select, functions)
        # The inner ones first: a call is said anew with copies of its arguments.
        for node in reversed(list(self.tree.find_all(exp.Anonymous))):
            loaded = functions.get(node.name.lower())
            if loaded is not None and not node.meta.get("said"):
                self._call(node, loaded)

    def name_columns(self, table_functions: Collection[str]) -> None:
        """Name what has no name as the service does: ``_c0`` [doc "SELECT syntax"]. A table function names its own."""
        for query in (self.tree, *self.embedded):
            tree = query
            while isinstance(tree, exp.SetOperation | exp.Subquery):
                tree = tree.this
            for index, expression in enumerate(tree.expressions if isinstance(tree, exp.Select) else ()):
                names_itself = isinstance(expression, exp.Anonymous) and expression.name.lower() in (
                    *table_functions,
                    *COLUMNS,
                )
                if not isinstance(expression, exp.Alias | exp.Aliases | exp.Column | exp.Star) and not names_itself:
                    expression.replace(exp.alias_(expression.copy(), f"_c{index}"))

    def sql(self) -> str:
        """Return the statement as DuckDB takes it; what sqlglot cannot say, and would leave out, is an error."""
        try:
            return str(self.tree.sql("duckdb", unsupported_level=ErrorLevel.RAISE))
        except UnsupportedError as error:
            raise problems.internal_failure(f"this cannot be said to DuckDB: {error}") from None

    def _select(self, select: Any, functions: dict[str, QueryFunction]) -> None:
        """Say a SELECT's table functions anew, wherever they stand."""
        for lateral in list(select.args.get("laterals") or ()):
            loaded = functions.get(lateral.this.name.lower()) if isinstance(lateral.this, exp.Anonymous) else None
            if loaded is not None:
                self._lateral(select, lateral, loaded)
            elif isinstance(lateral.this, exp.Anonymous) and lateral.this.name.lower() in COLUMNS:
                self._built_in_lateral(select, lateral)
        for expression in list(select.expressions):
            value = expression.this if isinstance(expression, exp.Alias | exp.Aliases) else expression
            if isinstance(value, exp.Anonymous):
                self._selected_call(select, expression, value, functions)

    def _selected_call(self, select: Any, expression: Any, call: Any, functions: dict[str, QueryFunction]) -> None:
        loaded = functions.get(call.name.lower())
        if loaded is not None and loaded.kind == "udtf":
            self._project_table_function(select, expression, call, loaded)
        elif loaded is None and call.name.lower() in COLUMNS:
            self._project_built_in(select, expression, call)
        elif isinstance(expression, exp.Aliases):
            raise self._refusal(call, f"AS (…) is for table functions, and {call.name} is none")

    def _lateral(self, select: Any, lateral: Any, loaded: QueryFunction) -> None:
        call, alias = lateral.this, lateral.args["alias"]
        if loaded.kind != "udtf":
            raise self._refusal(call, f"LATERAL VIEW is for table functions, and {call.name} is none")
        names = tuple(column.name for column in alias.columns) or self._default_names(call, loaded)
        form = self._form(loaded, "rows", names)
        rows = self._function(form.duckdb_name, self._arguments(call, loaded))
        shown = exp.Select(expressions=[self._unnest(rows)])
        self._join_lateral(select, lateral, shown)

    def _built_in_lateral(self, select: Any, lateral: Any) -> None:
        alias = lateral.args["alias"]
        result = columns(lateral.this, len(alias.columns), self.position(lateral.this))
        names = [column.name for column in alias.columns]
        self._join_lateral(select, lateral, exp.Select(expressions=_alias_columns(lateral.this.name, result, names)))

    def _project_built_in(self, select: Any, expression: Any, node: Any) -> None:
        # Nothing else stands beside it [doc "TRANS_ARRAY"].
        if len(select.expressions) > 1:
            raise self._refusal(node, f"beside table function {node.name} nothing else can be selected")
        names = [alias.name for alias in expression.expressions] if isinstance(expression, exp.Aliases) else []
        if isinstance(expression, exp.Alias):
            names = [expression.alias]
        result = columns(node, len(names), self.position(node))
        select.set("expressions", _alias_columns(node.name, result, names))

    def _join_lateral(self, select: Any, lateral: Any, shown: Any) -> None:
        """Put rows beside each row of a SELECT; OUTER keeps a row that has none."""
        side = "LEFT" if lateral.args.get("outer") else None
        join = exp.Join(
            this=exp.Lateral(this=exp.Subquery(this=shown), alias=exp.TableAlias(this=lateral.args["alias"].this)),
            **({"side": side, "on": exp.true()} if side else {"kind": "CROSS"}),
        )
        select.args["laterals"].remove(lateral)
        select.append("joins", join)

    def _project_table_function(self, select: Any, expression: Any, call: Any, loaded: QueryFunction) -> None:
        # `SELECT f(a) AS (x, y) FROM t`: the function is all there is in the list [doc "Python UDTFs"].
        if len(select.expressions) > 1:
            raise self._refusal(call, f"beside table function {call.name} nothing else can be selected")
        if select.args.get("group") or select.args.get("distinct"):
            raise self._refusal(call, f"table function {call.name} goes with neither GROUP BY nor DISTINCT")
        if isinstance(expression, exp.Aliases):
            names = tuple(alias.name for alias in expression.args["expressions"])
        elif isinstance(expression, exp.Alias):
            names = (expression.alias,)
        else:
            names = self._default_names(call, loaded)
        form = self._form(loaded, "all_rows", names)
        rows = self._function(form.duckdb_name, [self._collect_rows(self._arguments(call, loaded))])
        # What orders and limits the rows that come out stays outside of what reads the rows that go in.
        outer = exp.Select(expressions=[exp.Star()])
        for key in ("order", "limit", "offset", "with_"):
            if select.args.get(key) is not None:
                outer.set(key, select.args[key].pop())
        inner = select.copy()
        inner.set("expressions", [self._unnest(rows)])
        alias = exp.TableAlias(this=exp.to_identifier(form.duckdb_name))
        outer.set("from_", exp.From(this=exp.Subquery(this=inner, alias=alias)))
        if select is self.tree:
            self.tree = outer
        else:
            select.replace(outer)
        for nested in inner.find_all(exp.Select):
            if nested is not inner:
                self._select(nested, {loaded.name.lower(): loaded})

    def _call(self, node: Any, loaded: QueryFunction) -> None:
        """A call that is no table function's, or one in the wrong place."""
        if loaded.kind == "udtf":
            raise self._refusal(
                node, f"table function {node.name} stands alone in SELECT, or in LATERAL VIEW; not here"
            )
        if is_distinct(node) and loaded.kind == "udf":
            raise self._refusal(node, f"{node.name} is no aggregate function, and DISTINCT is for those")
        arguments = self._arguments(node, loaded)
        if loaded.kind != "udaf":
            node.replace(self._function(self._form(loaded, "values").duckdb_name, arguments))
            return
        argument = self._collect_rows(arguments, distinct=is_distinct(node))
        if isinstance(node.parent, exp.Window):
            node, collected = node.parent, argument
            argument = node.copy()
            argument.set("this", collected)
        node.replace(self._function(self._form(loaded, "aggregate").duckdb_name, [argument]))

    def _arguments(self, call: Any, loaded: QueryFunction) -> list[Any]:
        """Return the arguments of a call, their number judged; something for a function that takes none."""
        arguments = list(call.expressions)
        if is_distinct(call):
            arguments = list(arguments[0].expressions)
        inputs, _ = loaded.signature()
        if inputs is not None and len(arguments) != len(inputs):
            raise problems.wrong_count(self.position(call), call.name, len(arguments), len(inputs))
        if not arguments:
            return [exp.cast(exp.null(), "boolean", dialect="duckdb")]
        return arguments

    def _form(self, loaded: QueryFunction, way: str, names: tuple[str, ...] = ()) -> Form:
        for form_so_far in self.forms:
            if (form_so_far.function, form_so_far.way, form_so_far.names) == (loaded, way, names):
                return form_so_far
        results = loaded.signature(len(names))[1]
        if names and len(names) != len(results):
            message = f"{loaded.name} forwards {len(results)} columns, and AS names {len(names)}"
            raise semantic_failure(self.calls[loaded.name.lower()], message)
        form = Form(loaded, way, names, f"{loaded.duckdb_name}_{len(self.forms)}")
        self.forms.append(form)
        return form

    def _default_names(self, call: Any, loaded: QueryFunction) -> tuple[str, ...]:
        outputs = loaded.description.outputs
        if outputs is None:
            raise self._refusal(call, f"{call.name} has no signature: AS (…) has to name what it forwards")
        return tuple(f"_c{index}" for index in range(len(outputs)))

    def _function(self, name: str, arguments: list[Any]) -> Any:
        return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])

    def _collect_rows(self, arguments: list[Any], *, distinct: bool = False) -> Any:
        """Return the list of the rows of a group."""
        fields = [
            exp.PropertyEQ(this=exp.to_identifier(ARGUMENT.format(index)), expression=argument.copy())
            for index, argument in enumerate(arguments)
        ]
        row = exp.Struct(expressions=fields)
        return self._function("list", [exp.Distinct(expressions=[row]) if distinct else row])

    def _unnest(self, rows: Any) -> Any:
        depth = exp.PropertyEQ(this=exp.to_identifier("max_depth"), expression=exp.Literal.number(2))
        return exp.Anonymous(this="unnest", expressions=[rows, depth])


def is_distinct(call: Any) -> bool:
    return len(call.expressions) == 1 and isinstance(call.expressions[0], exp.Distinct)


_CONVERSIONS = {
    **dict.fromkeys((kind.name for kind in exp.DataType.INTEGER_TYPES), "mc_cast_integer"),
    **dict.fromkeys((kind.name for kind in exp.DataType.FLOAT_TYPES), "mc_cast_number"),
    "DECIMAL": "mc_cast_number",
    "BOOLEAN": "mc_cast_boolean",
}
_OF_TEXTS = {**dict.fromkeys((*MOMENTS, "TIMESTAMP_NS"), "mc_cast_moment"), "DATE": "mc_cast_day"}


def _conversion(name: str, kind: str | None, *, reads_moments: bool) -> str:
    """Return the macro that comes before a CAST of a `kind` to a type, none where DuckDB's does the same."""
    if kind in TEXTS and name in _OF_TEXTS:
        return "" if name == "DATE" and reads_moments else _OF_TEXTS[name]
    return "mc_cast_text" if (name, kind) == ("TEXT", "DECIMAL") else _CONVERSIONS.get(name, "")


def _alias_columns(function: str, result: list[Any], names: list[str]) -> list[Any]:
    """Return the columns of a built-in table function by the names of AS, or by those that it gives."""
    names = names or DEFAULT_NAMES.get(function.lower(), [f"col{index}" for index in range(len(result))])
    return [exp.alias_(value, name) for value, name in zip(result, names, strict=True)] if names else result


def _element(outer: str, value: Any, index: Any) -> Any:
    """Return an element of an ARRAY, counted from 0, or a value of a MAP; NULL where there is none [doc "INDEX"]."""
    if outer == "MAP":
        return call("map_extract_value", [value, index])
    if outer == "JSON":
        path = f'$."{index.name}"' if index.is_string else f"$[{index.name}]"
        return call("json_extract", [value, exp.Literal.string(path)])
    return call("list_extract", [value, call("mc_place", [index])])


def _is_of_type(value: Any, name: str) -> bool:
    """Whether what is written has the form of a type already."""
    if not isinstance(value, exp.Literal) or name == "BOOLEAN":
        return False
    if value.is_string:
        return is_plain(value.name, name)
    return bool(value.is_int) or _CONVERSIONS.get(name) == "mc_cast_number"
