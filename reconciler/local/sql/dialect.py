"""
Dialect of the service: Hive's as sqlglot reads it, without the syntax that sqlglot lends it from other databases.

MaxCompute's own parser is not public. What is refused here was met by others: a third party's list of dialect rules for `::`,
ILIKE, `->>` and the names of types [rule], the grammar of "SELECT syntax" for the rest [inferred]. The service says *Parse
exception - invalid token* [doc "Rewrite incompatible SQL statements"]; what stands behind it here is ours.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sqlglot import TokenType
from sqlglot.dialects.hive import Hive

from reconciler.local.sql.problems import parse_failure, position_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_TYPE_NAMES = frozenset(
    """
    TINYINT SMALLINT INT BIGINT FLOAT DOUBLE DECIMAL BOOLEAN STRING VARCHAR CHAR BINARY DATE DATETIME TIMESTAMP
    TIMESTAMP_NTZ JSON ARRAY MAP STRUCT
    """.split()  # noqa: SIM905
)
"""The types of the V2.0 data type edition [doc "MaxCompute V2.0 data type edition"]."""

_OPERATORS = frozenset({"DOT", "DCOLON"})
"""`::` is how the tokens of 1L, a BIGINT, go on; one that stands in the text is refused before."""
_RANGES = frozenset({"BETWEEN", "IN", "IS", "LIKE", "RLIKE"})
_SYNTAX = ("CAST", "EXTRACT", "TRIM")
"""Functions with words of their own between the parentheses."""
WITH_SYNTAX = frozenset({"cast", "extract", "trim", "case", "if"})
"""What the parser reads by itself, and no call of it is `Anonymous`."""


@lru_cache
def parser_class(functions: frozenset[str]) -> Any:
    """
    Return a parser that knows no function: each call is `Anonymous`, and the table of built-in ones says what it means.

    A function of the project comes before one with syntax of its own too: a guess, and what its owner expects.
    """
    base: Any = Hive().parser_class

    def keep(table: dict[Any, Any], names: Collection[str]) -> dict[Any, Any]:
        named = {key: getattr(key, "name", key) for key in table}
        return {key: table[key] for key, name in named.items() if name in names and name.lower() not in functions}

    return type(
        "Parser",
        (base,),
        {
            "ARRAY_CONSTRUCTORS": {},
            "FUNCTIONS": {},
            "FUNCTION_PARSERS": keep(base.FUNCTION_PARSERS, _SYNTAX),
            "NO_PAREN_FUNCTIONS": {},
            "NO_PAREN_FUNCTION_PARSERS": keep(base.NO_PAREN_FUNCTION_PARSERS, ("CASE", "IF")),
            "COLUMN_OPERATORS": keep(base.COLUMN_OPERATORS, _OPERATORS),
            "RANGE_PARSERS": keep(base.RANGE_PARSERS, _RANGES),
        },
    )


def require_own_tokens(tokens: Sequence[Any], text: str) -> None:
    """Refuse what a tree no longer shows: EXCLUDE for EXCEPT, USING SAMPLE, and names of types of other databases."""
    for index, token in enumerate(tokens):
        is_call = [later.token_type for later in tokens[index + 1 : index + 2]] == [TokenType.L_PAREN]
        if token.token_type in (TokenType.ISNULL, TokenType.NOTNULL) and not is_call:
            raise _foreign(token, text, "the test is IS NULL or IS NOT NULL")
    # For each open parenthesis, whether it is CAST's, and whether AS was there.
    casts: list[str] = []
    for token, following in pairwise(tokens):
        name, after = token.text.upper(), following.text.upper()
        _require_own_pair(token, following, text)
        if following.token_type is TokenType.L_PAREN:
            casts.append("cast" if name == "CAST" else "")
        elif following.token_type is TokenType.R_PAREN and casts:
            casts.pop()
        elif token.token_type is TokenType.ALIAS and casts and casts[-1] == "cast" and after not in _TYPE_NAMES:
            raise _foreign(following, text, f"the types are {', '.join(sorted(_TYPE_NAMES))}")


def _require_own_pair(token: Any, following: Any, text: str) -> None:
    if token.token_type is TokenType.DCOLON and text.startswith("::", token.start):
        raise _foreign(token, text, "a conversion is CAST(… AS …)")
    if (
        token.token_type is TokenType.NUMBER
        and following.start == token.end + 1
        and following.token_type is TokenType.VAR
    ):
        raise _foreign(following, text, "it stands behind a number, and makes none of it")
    if token.token_type is TokenType.STAR and following.text.upper() == "EXCLUDE":
        raise _foreign(following, text, "leaving columns out of * is EXCEPT (…)")
    if token.text.upper() == "USING" and following.text.upper() == "SAMPLE":
        raise _foreign(token, text, "a sample is TABLESAMPLE (…) behind a table")


def _foreign(token: Any, text: str, what: str) -> Exception:
    return parse_failure(position_of(text, token.start), f"invalid token '{token.text}': {what}")
