"""
Graphs: a picture as text for Graphviz and for Mermaid, which draw it.

A name of somebody else is a quoted label and nothing else; what the nodes are called is numbers. What is done to a node is
told by a sign, and by its line as well as by a colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.errors import count
from reconciler.base.words import safe
from reconciler.render.actions import ACTIONS
from reconciler.render.folding import some_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.core.picture import Node, Picture

_SHAPES = ("box", "folder", "note")
"""Of a column, for Graphviz."""

_BRACKETS = (("[", "]"), ("[[", "]]"), ("(", ")"))
"""Of a column, for Mermaid."""


def dot_graph(picture: Picture, title: str) -> str:
    """Return a graph in the language of Graphviz."""
    lines = [
        f"digraph {_dot(title)} {{",
        f"  label={_dot(title)}; labelloc=t; rankdir=LR; ranksep=1.2; fontname=sans;",
        "  node [fontname=sans, fontsize=11, shape=box]; edge [color=gray40];",
    ]
    for number, node in enumerate(picture.nodes):
        label = "\\n".join(_dot(line)[1:-1] for line in node_lines(node))
        lines.append(f'  n{number} [label="{label}", shape={_SHAPES[node.column]}];')
    lines += [f"  n{user} -> n{need};" for user, need in picture.edges]
    return "\n".join([*lines, "}"]) + "\n"


def mermaid_graph(picture: Picture) -> str:
    """Return a flowchart in the language of Mermaid, which GitHub and GitLab draw in a block of code."""
    lines = ["flowchart LR"]
    for number, node in enumerate(picture.nodes):
        opening, closing = _BRACKETS[node.column]
        label = "<br>".join(map(_mermaid, node_lines(node)))
        lines.append(f'  n{number}{opening}"{label}"{closing}')
    lines += [f"  n{user} --> n{need}" for user, need in picture.edges]
    return "\n".join(lines) + "\n"


def node_lines(node: Node) -> Iterator[str]:
    """Yield what a node says: its names, and what they are."""
    sign = f"{ACTIONS[node.action].sign} " if node.action in ACTIONS else ""
    yield f"{sign}{some_names(node.names)}"
    kinds = node.kind if len(node.names) == 1 else count(len(node.names), node.kind)
    belongings = sum(number for _, number in node.belongings)
    more = f" with {count(belongings, 'file')} of its own" if belongings else ""
    yield f"{kinds}{f', each{more}' if more and len(node.names) > 1 else more}"


def _dot(text: str) -> str:
    """Return text in quotes; Graphviz obeys backslashes in labels, and reads ``&lt;`` as HTML does."""
    escaped = safe(text).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_MERMAID = {ord(char): f"#{ord(char)};" for char in '#"&<>\\`'}


def _mermaid(text: str) -> str:
    """Return text in which each character that means something to Mermaid between quotes is a number."""
    return safe(text).translate(_MERMAID)
