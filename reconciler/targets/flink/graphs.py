"""
Job graphs: the operators of a job as Flink describes them, and whether one takes the state of another. Pure.

Flink gives each operator a number that follows from its place among the others, and hands it the state of the operator that had the number, whatever
that one did [Flink 1.20, "Upgrading Applications and Flink Versions"]. So a graph may change in what holds no state, as long as nothing moves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = re.compile(r"(?:<br/>|\n)\s*|\s*->\s*")
_DECORATION = re.compile(r"^[\s:+-]*(?:\[\d+\]:)?")
_NUMBER = re.compile(r"\[\d+\]")
_STATELESS = frozenset(
    ("Calc", "PythonCalc", "Correlate", "PythonCorrelate", "Expand", "WatermarkAssigner", "DropUpdateBefore", "Sink")
)
"""Operators of SQL whose arguments may change; of a Sink's the name."""


@dataclass(frozen=True)
class JobGraph:
    """The vertices of a job, each with what it reads and the operators in it."""

    vertices: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The operators in their order, with what they do."""
        return tuple(line for _, _, operators in self.vertices for line in operators)


def read_graph(answer: Any) -> JobGraph:
    """Return the graph of an answer of Flink's, ``GET /jobs/ID/plan`` or ``POST /jars/ID/plan``."""
    vertices = (
        (
            str(node["id"]),
            tuple(str(entry["id"]) for entry in node.get("inputs", ())),
            tuple(_operators(str(node["description"]))),
        )
        for node in answer["plan"]["nodes"]
    )
    return JobGraph(tuple(sorted(vertices)))


def find_changes(old: JobGraph, new: JobGraph) -> tuple[str, ...]:
    """Return the lines that say how a graph changed in what holds state, those of the old one with a minus; none if it takes that state."""
    if _shape(old) == _shape(new):
        return ()
    before, after = _state_lines(old), _state_lines(new)
    gone = [f"- {line}" for line in before if line not in after]
    added = [f"+ {line}" for line in after if line not in before]
    return (*gone, *added) or ("the operators are connected in another way",)


def has_python_state(graph: JobGraph) -> bool:
    """Say whether a worker in Python keeps state in a graph: an aggregate over groups or windows; one over a range of rows is kept by Java."""
    return any(line.startswith("PythonGroup") for line in graph.lines)


def _shape(graph: JobGraph) -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]:
    return tuple((number, inputs, tuple(map(_essence, operators))) for number, inputs, operators in graph.vertices)


def _state_lines(graph: JobGraph) -> list[str]:
    return [_essence(line) for line in graph.lines]


def _essence(operator: str) -> str:
    """Return what has to stay of an operator's description."""
    name = operator.partition("(")[0]
    return name if name in _STATELESS else operator


def _operators(description: str) -> Iterator[str]:
    for piece in _PIECE.split(description):
        operator = _NUMBER.sub("", _DECORATION.sub("", piece)).strip()
        if operator:
            yield operator
