"""
Parsing of a statement by sqlglot: Hive's dialect, with the functions of the project.

What the local service does not run is refused here, at its place.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from reconciler.local.sql import builtins
from reconciler.local.sql.problems import SqlFailed, SqlPosition, parse_failure
from reconciler.local.sql.script import position_of, tokens

if TYPE_CHECKING:
    from collections.abc import Collection

_BEGINNINGS = ("SELECT", "WITH", "VALUES", "FROM", "L_PAREN")


def parse_statement(text: str, functions: Collection[str]) -> Any:
    from sqlglot import TokenType, exp
    from sqlglot.dialects.hive import Hive
    from sqlglot.errors import ParseError

    token_list = [token for token in tokens(text) if token.token_type.name != "SEMICOLON"]
    if token_list[0].token_type.name not in _BEGINNINGS:
        message = "SELECT, WITH and VALUES begin what the local service runs"
        raise parse_failure(position_of(text, token_list[0].start), f"invalid token '{token_list[0].text}'; {message}")
    for token, following in pairwise(token_list):
        name = token.text.lower()
        if following.token_type.name == "L_PAREN" and (name in functions or builtins.is_built_in(name)):
            # SHOW, say, is a word of other dialects.
            token.token_type = TokenType.VAR
    parser = _parser_class(functions)(dialect=Hive())
    try:
        [tree] = parser.parse(token_list, text)
    except ParseError as error:
        raise _syntax_failure(error, text) from None
    except RecursionError:
        raise parse_failure(None, "the statement is nested too deep") from None
    if isinstance(tree, exp.Values):
        tree = exp.select("*").from_(tree)
    if not isinstance(tree, exp.Query):
        raise parse_failure(
            position_of(text, token_list[0].start), "this is no SELECT, and the local service runs nothing else"
        )
    if tree.find(exp.Pivot):
        raise parse_failure(None, "the local service knows neither PIVOT nor UNPIVOT")
    for select in tree.find_all(exp.Select):
        if not select.expressions:
            raise parse_failure(None, "a SELECT selects nothing")
    return tree


def _parser_class(functions: Collection[str]) -> Any:
    """
    Return a parser that knows the built-in functions that mean the same in DuckDB; other calls are `Anonymous`.

    A function of the project comes before a built-in one of its name: a guess, and what its owner expects.
    """
    from sqlglot.dialects.hive import Hive

    base: Any = Hive().parser_class

    def select_known(table: dict[str, Any], kept: Collection[str]) -> dict[str, Any]:
        return {name: make for name, make in table.items() if name in kept and name.lower() not in functions}

    return type(
        "Parser",
        (base,),
        {
            "FUNCTIONS": select_known(base.FUNCTIONS, builtins.KEPT),
            "FUNCTION_PARSERS": select_known(base.FUNCTION_PARSERS, builtins.KEPT_SYNTAX),
            "NO_PAREN_FUNCTIONS": {},
            "NO_PAREN_FUNCTION_PARSERS": select_known(base.NO_PAREN_FUNCTION_PARSERS, ("CASE", "IF")),
        },
    )


def _syntax_failure(error: Any, text: str) -> SqlFailed:
    """Return a ParseError as the service would tell it, at the token that it stopped at."""
    first = error.errors[0] if error.errors else {}
    what = str(first.get("description") or error).replace("Required keyword: 'this' missing", "something is missing")
    # What sqlglot's own classes and tokens are called means nothing to whoever wrote the statement.
    what = what.split(" for <class")[0].split(" but got <Token")[0].rstrip(".")
    token = first.get("highlight") or ""
    position = None
    if first.get("line"):
        position = SqlPosition(first["line"], max(1, first["col"] - len(token) + 1))
    return parse_failure(position, f"invalid token '{token}': {what[:1].lower()}{what[1:]}" if token else what)
