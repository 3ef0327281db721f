"""
Views and variables of a script, put into the query that names them.

Each becomes a subquery in the place of its name. A view is read where it was made: names in it mean what they meant there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from reconciler.local.sql.problems import semantic_failure
from reconciler.local.sql.reading import parse_statement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from reconciler.local.sql.control import SqlProject

DEEPEST = 32
"""Views in views. The service has a limit, too, which is not known here."""


def name_tables(tree: Any) -> Iterator[Any]:
    """Yield the nodes that name tables, those of WITH left out."""
    shared = {expression.alias.lower() for expression in tree.find_all(exp.CTE)}
    for node in tree.find_all(exp.Table):
        if isinstance(node.this, exp.Identifier) and (node.db or node.name.lower() not in shared):
            yield node


@dataclass(frozen=True)
class Embedding:
    """What queries of a job may name beside tables."""

    project: SqlProject
    functions: Collection[str]
    variables: Mapping[str, str]
    """The queries of a script's variables, as texts with their places; by names that begin with ``@``."""

    def embed(self, tree: Any, depth: int = 0) -> list[Any]:
        """Replace names by queries, in place; return those queries."""
        embedded: list[Any] = []
        for node in list(name_tables(tree)):
            parts = tuple(part.name for part in node.parts)
            query, columns = self._query(parts, depth)
            if query is None:
                continue
            embedded += [query, *self.embed(query, depth + 1)]
            alias = exp.TableAlias(this=exp.to_identifier(node.alias or parts[-1].removeprefix("@")), columns=columns)
            kept = {key: node.args[key] for key in ("joins", "laterals", "sample") if node.args.get(key)}
            node.replace(exp.Subquery(this=query, alias=alias, **kept))
        for column in tree.find_all(exp.Column):
            if column.table.startswith("@"):
                column.set("table", exp.to_identifier(column.table[1:]))
        return embedded

    def _query(self, parts: tuple[str, ...], depth: int) -> tuple[Any, list[Any]]:
        if parts[-1].startswith("@"):
            text = self.variables.get(parts[-1])
            if text is None:
                raise semantic_failure(None, f"variable {parts[-1]} cannot be resolved")
            return parse_statement(text, self.functions), []
        view = self.project.view(parts)
        if view is None:
            return None, []
        if depth > DEEPEST:
            raise semantic_failure(None, f"view {view[0]} is nested too deep")
        name, definition = view
        query = parse_statement(definition.view, self.functions)
        for node in query.walk():
            node.meta.pop("start", None)  # a place in the view's text is none in the statement's
        for node in list(name_tables(query)):
            missing = (name.project, name.schema)[: 3 - len(node.parts)]
            if len(node.parts) == 1:
                node.set("catalog", exp.to_identifier(missing[0]))
                node.set("db", exp.to_identifier(missing[1]))
        return query, [exp.to_identifier(column.name) for column in definition.columns]
