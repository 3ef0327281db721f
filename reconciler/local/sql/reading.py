"""
Reading of a job: SET lines, what they set, its statements, and queries, parsed in Hive's dialect with the project's functions.

What the local service does not run is refused here, at its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from sqlglot import Token, TokenType, exp
from sqlglot.dialects.hive import Hive
from sqlglot.errors import ParseError, TokenError

from reconciler.local.runner import RUNTIMES
from reconciler.local.sql.built_ins import table
from reconciler.local.sql.dialect import WITH_SYNTAX, parser_class, require_own_tokens
from reconciler.local.sql.problems import TOO_DEEP, SqlFailed, SqlPosition, parse_failure, position_of, semantic_failure
from reconciler.local.sql.table_functions import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

DEFAULT_RUNTIME = "cp27"
"""What runs where nothing is set [doc "Python 2 UDFs", "Python 3 UDFs"]."""
UDF_SECONDS = 600.0
"""How long a batch may take [doc: odps.sql.udf.timeout, default]."""

DEFAULT_ZONE = "Asia/Shanghai"
"""The time zone of a project whose owner has set no other [doc "Configure a timezone"]."""

_BEGINNINGS = ("SELECT", "WITH", "VALUES", "FROM", "L_PAREN")
_NAMES, _LINKS = (TokenType.VAR, TokenType.IDENTIFIER), (TokenType.DOT, TokenType.COLON)
_NUMBER = re.compile(r"[0-9]{1,9}\Z")
_SET = re.compile(r"set\s+([\w.]+)\s*=(.*)", re.IGNORECASE | re.DOTALL)
_UNENDED = re.compile(r"Missing (\S+) from (\d+):(\d+)")


class _Words(Hive.Tokenizer):
    """Tokenizer to which SHOW and its like are words: sqlglot takes what is behind them as it is."""

    COMMANDS: ClassVar[set[Any]] = set()


class _Plain(Hive):
    Tokenizer = _Words


def split_script(text: str) -> tuple[dict[str, str], list[str]]:
    """
    Split a job's text: its settings, and each statement with blanks for what stood before it, so that places stay.

    The console client and DataWorks take SET lines off before they send a query; PyODPS does so unless told otherwise
    (`options.sql.parse_set_as_hints`). That the service would take them in the query is documented for scripts.
    """
    settings: dict[str, str] = {}
    statements: list[str] = []
    for start, end in _pieces(text):
        match = _SET.fullmatch(text[start:end])
        if match and not statements:
            settings[match[1].lower()] = match[2].strip()
        else:
            statements.append(re.sub(r"[^\n]", " ", text[:start]) + text[start:end])
    if not statements:
        raise parse_failure(None, "there is no statement")
    return settings, statements


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each statement begins and ends, without semicolons and comments around it."""
    first: int | None = None
    last = 0
    for token in read_tokens(text):
        if token.token_type.name == "SEMICOLON":
            if first is not None:
                yield first, last
            first = None
        else:
            first = token.start if first is None else first
            last = token.end + 1
    if first is not None:
        yield first, last


def join_names(tokens: list[Any]) -> list[Any]:
    """
    Make one token of a function's name with a project and a schema, ``p.f`` and ``p:f``, and of a variable, ``@x``.

    sqlglot reads the first as a column's field, and the others not at all.
    """
    joined: list[Any] = []
    for token in tokens:
        kind = token.token_type.name
        last = joined[-1] if joined else None
        if kind == "VAR" and last is not None and last.token_type.name == "PARAMETER":
            joined[-1] = _new_token(TokenType.IDENTIFIER, f"@{token.text.lower()}", last.start, token)
            continue
        if kind == "L_PAREN" and last is not None and last.token_type in _NAMES:
            while len(joined) > 2 and joined[-2].token_type in _LINKS and joined[-3].token_type in _NAMES:
                name = f"{joined[-3].text}.{joined[-1].text}"
                joined[-3:] = [_new_token(TokenType.VAR, name, joined[-3].start, joined[-1])]
        joined.append(token)
    return joined


def _new_token(kind: Any, text: str, start: int, last: Any) -> Any:
    return Token(kind, text, last.line, last.col, start, last.end)


def read_tokens(text: str) -> list[Any]:
    """Return the tokens of SQL."""
    try:
        return _Plain().tokenize(text)
    except TokenError as error:
        # sqlglot says where an unended text begins, in the error behind its error.
        match = _UNENDED.search(str(error.__cause__ or error))
        if match is None:
            raise parse_failure(None, "a comment or a text does not end") from None
        # Its columns are counted from 0 up to and with the quote.
        position = SqlPosition(int(match[2]), int(match[3]) + 1)
        raise parse_failure(position, f"what begins with {match[1]} here does not end") from None


@dataclass(frozen=True)
class Flags:
    """The settings of a session that matter here."""

    runtime: str
    isolated: bool
    image: bool
    """Whether an image is asked for; that its containers have no sandbox is a guess."""
    pypy: bool | None
    seconds: float
    memory: int | None
    zone: str
    """The time zone that DATETIME and TIMESTAMP are shown in."""

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Flags:
        """Read them. All others are taken and do nothing, as unknown ones do on the service."""
        runtime = settings.get("odps.sql.python.version", DEFAULT_RUNTIME).lower()
        if runtime not in RUNTIMES:
            raise semantic_failure(
                None, f"there is no odps.sql.python.version {runtime}; there are {', '.join(RUNTIMES)}"
            )
        seconds = settings.get("odps.sql.udf.timeout") or settings.get("odps.function.timeout", "")
        memory = settings.get("odps.sql.udf.python.memory", "")
        pypy = settings.get("odps.pypy.enabled", "").lower()
        zone = settings.get("odps.sql.timezone") or DEFAULT_ZONE
        try:
            ZoneInfo(zone)
        except (ValueError, OSError):
            raise semantic_failure(None, f"there is no odps.sql.timezone {zone}") from None
        return cls(
            zone=zone,
            runtime=runtime,
            isolated=settings.get("odps.isolation.session.enable", "").lower() == "true",
            image=bool(settings.get("odps.session.image")),
            pypy={"true": True, "false": False}.get(pypy),
            seconds=min(float(seconds), 3600.0) if _NUMBER.match(seconds) else UDF_SECONDS,
            memory=int(memory) * 1_000_000 if _NUMBER.match(memory) and int(memory) else None,
        )


def parse_statement(text: str, functions: Collection[str]) -> Any:
    token_list = join_names([token for token in read_tokens(text) if token.token_type.name != "SEMICOLON"])
    if token_list[0].token_type.name not in _BEGINNINGS:
        message = "SELECT, WITH and VALUES begin what the local service runs"
        raise parse_failure(position_of(text, token_list[0].start), f"invalid token '{token_list[0].text}'; {message}")
    token_list = _name_built_ins(token_list, functions)
    require_own_tokens(token_list, text)
    _free_names(token_list, functions)
    parser = parser_class(frozenset(functions))(dialect=Hive())
    try:
        [tree] = parser.parse(token_list, text)
    except ParseError as error:
        raise _syntax_failure(error, text) from None
    except RecursionError:
        raise parse_failure(None, TOO_DEEP) from None
    if isinstance(tree, exp.Values):
        tree = exp.select("*").from_(tree)
    if not isinstance(tree, exp.Query):
        raise parse_failure(
            position_of(text, token_list[0].start), "this is no SELECT, and the local service runs nothing else"
        )
    _require_content(tree)
    for group in tree.find_all(exp.Group):
        _gather_sets(group)
    for part in list(tree.find_all(exp.Extract)):
        # EXTRACT(YEAR FROM x) is YEAR(x), of a text too [doc "EXTRACT"].
        part.replace(exp.Anonymous(this=part.name, expressions=[part.expression]))
    return tree


def _gather_sets(group: Any) -> None:
    """``GROUP BY a, b GROUPING SETS ((a), ())`` is GROUP BY of the sets [doc "GROUPING SETS", in older versions of the page]."""
    for clause in ("rollup", "cube"):
        if group.args.get(clause) and not all(part.expressions for part in group.args[clause]):
            raise parse_failure(None, f"invalid token 'WITH': columns stand behind the word, {clause.upper()} (…)")
    if group.expressions and (sets := group.args.get("grouping_sets")):
        group.set("expressions", sets)
        group.set("grouping_sets", None)


BUILT_IN = "::"
"""Before a name it calls the built-in function, whatever the project has of that name [public answers, see E377]."""

_VALUE_ENDS = frozenset(
    {"VAR", "IDENTIFIER", "NUMBER", "STRING", "R_PAREN", "R_BRACKET", "NULL", "TRUE", "FALSE", "END"}
)


def _name_built_ins(tokens: list[Any], functions: Collection[str]) -> list[Any]:
    """Take `::` away from before calls; where a function of the project hides the built-in one, the name keeps it."""
    kept: list[Any] = []
    for index, token in enumerate(tokens):
        is_prefix = token.token_type is TokenType.DCOLON and not (kept and kept[-1].token_type.name in _VALUE_ENDS)
        if is_prefix and [later.token_type for later in tokens[index + 2 : index + 3]] == [TokenType.L_PAREN]:
            name = tokens[index + 1]
            if name.text.lower() in functions:
                name.token_type, name.text = TokenType.VAR, BUILT_IN + name.text
            continue
        kept.append(token)
    return kept


def _free_names(tokens: list[Any], functions: Collection[str]) -> None:
    """Let the words of other dialects, SHOW say, be names of functions."""
    for token, following in pairwise(tokens):
        name = token.text.lower()
        is_function = name in functions or ((table.rows(name) or name in COLUMNS) and name not in WITH_SYNTAX)
        if following.token_type.name == "L_PAREN" and is_function and token.token_type.name != "FILTER":
            token.token_type = TokenType.VAR


def _require_content(tree: Any) -> None:
    if tree.find(exp.Pivot):
        raise parse_failure(None, "the local service knows neither PIVOT nor UNPIVOT")
    for select in tree.find_all(exp.Select):
        if not select.expressions:
            raise parse_failure(None, "a SELECT selects nothing")


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
