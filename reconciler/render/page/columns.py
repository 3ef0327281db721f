"""
Columns of a picture: a place for each node, and a curve for each edge.

Three columns, each from the top down in the order of the nodes; nothing is optimised. What does not fit into a box is cut,
and stands whole in the words beside the picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.base.errors import count
from reconciler.base.words import safe
from reconciler.core.diff import Action
from reconciler.render.actions import ACTIONS
from reconciler.render.folding import some_names
from reconciler.render.graph import node_lines
from reconciler.render.progress import fit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.core.picture import Node, Picture

_WIDTH, _HEIGHT, _GAP, _BETWEEN = 320, 44, 12, 110
_LETTERS = 38
"""Columns of letters in a box; Chinese characters take two."""

STYLES = {
    Action.CREATE: "create",
    Action.UPDATE: "update",
    Action.DELETE: "delete",
    Action.ADOPT: "note",
    Action.RELEASE: "note",
    Action.RECORD: "note",
}


class Box(NamedTuple):
    """A node with its place."""

    x: int
    y: int
    first: str
    second: str
    style: str
    width: int = _WIDTH
    height: int = _HEIGHT


class Drawing(NamedTuple):
    """A picture with places, and the same in words."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    curves: tuple[str, ...]
    words: tuple[tuple[str, tuple[str, ...]], ...]
    """What each function and package needs."""


def place_nodes(picture: Picture) -> Drawing | None:
    """Return where the nodes lie; None where there is nothing to draw."""
    if not picture.nodes:
        return None
    columns = sorted({node.column for node in picture.nodes})
    filled = dict.fromkeys(columns, 0)
    boxes = []
    for node in picture.nodes:
        first, second = node_lines(node)
        style = STYLES.get(node.action, "")
        what = f"{_verb(node)}{second}"
        x = 2 + columns.index(node.column) * (_WIDTH + _BETWEEN)
        boxes.append(Box(x, 2 + filled[node.column], fit(first, _LETTERS), fit(what, _LETTERS + 6), style))
        filled[node.column] += _HEIGHT + _GAP
    width = len(columns) * _WIDTH + (len(columns) - 1) * _BETWEEN + 4
    curves = tuple(_curve(boxes[user], boxes[need]) for user, need in picture.edges)
    return Drawing(width, max(filled.values()) - _GAP + 4, tuple(boxes), curves, tuple(_words(picture)))


def _curve(start: Box, end: Box) -> str:
    x, y, to_x, to_y = start.x + _WIDTH, start.y + _HEIGHT // 2, end.x, end.y + _HEIGHT // 2
    bend = _BETWEEN // 2
    return f"M{x} {y}C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}"


def _words(picture: Picture) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what each node is and needs, as a list says it."""
    needs: dict[int, list[int]] = {}
    for user, need in picture.edges:
        needs.setdefault(user, []).append(need)
    needed = {need for _, need in picture.edges}
    for number, node in enumerate(picture.nodes):
        if number in needs or number not in needed:
            yield _describe(node), tuple(_describe(picture.nodes[need]) for need in needs.get(number, ()))


def _describe(node: Node) -> str:
    what = node.kind if len(node.names) == 1 else count(len(node.names), node.kind)
    belongings = sum(number for _, number in node.belongings)
    more = f", {'' if len(node.names) == 1 else 'each '}with {count(belongings, 'file')} of its own"
    sign = f"{ACTIONS[node.action].sign} " if node.action in ACTIONS else ""
    return f"{sign}{_verb(node)}{what} {some_names(node.names, safe)}{more if belongings else ''}"


def _verb(node: Node) -> str:
    return f"{ACTIONS[node.action].verb} " if node.action in ACTIONS else ""
