"""
Windows: what OVER means to the service, said in DuckDB's words, and the aggregates that become a function of lists.

A window that is ordered and says no frame has one that depends on the function [doc "COUNT"], a named one no less than any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from reconciler.local.sql.built_ins.groups import COUNTED_BY_ROWS
from reconciler.local.sql.built_ins.makers import LISTED, OF_ROWS
from reconciler.local.sql.problems import semantic_failure
from reconciler.local.sql.reading import BUILT_IN

if TYPE_CHECKING:
    from reconciler.local.sql.refusals import Locator
    from reconciler.local.sql.rules import SessionRules

_AROUND = (exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)
_PARTS = ("partition_by", "order", "spec")


def windowed_call(window: Any) -> Any:
    """Return the call in front of OVER, a name where WINDOW defines one."""
    function = window.this
    while isinstance(function, _AROUND):
        function = function.this
    return function


def name_of_windowed(window: Any) -> str:
    """Return the name of that call, folded, without what says that it is built in."""
    return str(windowed_call(window).name.lower().removeprefix(BUILT_IN))


def write_out(tree: Any, locator: Locator) -> None:
    """Put the definitions of WINDOW in the place of their names."""
    defining = [select for select in tree.find_all(exp.Select) if select.args.get("windows")]
    for window in list(tree.find_all(exp.Window)):
        _write_out(window, locator)
    for select in defining:
        select.set("windows", None)


def _write_out(window: Any, locator: Locator) -> None:
    select = window.find_ancestor(exp.Select)
    definitions = {item.this.name.lower(): item for item in select.args.get("windows") or ()} if select else {}
    while (name := window.args.get("alias")) is not None:
        definition = definitions.pop(name.name.lower(), None)
        if definition is None:
            raise semantic_failure(locator.of(name), f"window {name.name} cannot be resolved")
        for part in _PARTS:
            value = definition.args.get(part)
            if value and not window.args.get(part):
                window.set(part, [item.copy() for item in value] if isinstance(value, list) else value.copy())
        window.set("alias", definition.args.get("alias"))


def say_frames(tree: Any, rules: SessionRules) -> None:
    """Say the frame of a window that says none, where the service has another one than DuckDB."""
    for window in tree.find_all(exp.Window):
        is_plain = window.args.get("order") and not window.args.get("spec")
        if is_plain and name_of_windowed(window) in COUNTED_BY_ROWS and not rules.is_hive:
            frame = {"kind": "ROWS", "start": "UNBOUNDED", "start_side": "PRECEDING", "end": "CURRENT ROW"}
            window.set("spec", exp.WindowSpec(**frame))


def lift_lists(tree: Any) -> None:
    """
    Take what is made of a group's lists out of FILTER and OVER, which go to the lists themselves.

    ``f(list(x)) FILTER (…) OVER w`` → ``f(list(x) FILTER (…) OVER w)``
    """
    for node in [node for node in tree.find_all(exp.Anonymous, exp.Paren) if node.meta.get(LISTED)]:
        around = []
        outer = node
        while isinstance(outer.parent, (*_AROUND, exp.Window)) and outer.arg_key == "this":
            outer = outer.parent
            around.append(outer)
        for listed in [inner for inner in node.find_all(exp.Anonymous) if inner.meta.get(OF_ROWS)]:
            wrapped = listed.copy()
            for wrapper in around:
                shell = wrapper.copy()
                shell.set("this", wrapped)
                wrapped = shell
            listed.replace(wrapped)
        if outer is not node:
            outer.replace(node.copy())
