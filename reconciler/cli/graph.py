"""graph: the functions of the manifest, the packages that they name, and what lies in these."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from reconciler.base.environments import for_drawing
from reconciler.base.errors import UsageError
from reconciler.base.hints import Command
from reconciler.cli.support.options import Options, command, handover_options, view_option, with_options
from reconciler.cli.support.output import Result
from reconciler.cli.support.project import open_manifest, prepare_files
from reconciler.core.picture import MOST_NODES, desired_picture
from reconciler.render.graph import dot_graph, mermaid_graph

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")

_PATIENCE = 60.0
"""Seconds; a graph that takes longer is one that nobody could look at."""


def _graph_options(command: Callable[..., R]) -> Callable[..., R]:
    choice = click.option(
        "--format",
        type=click.Choice(["dot", "mermaid", "svg"]),
        default="dot",
        show_default=True,
        help="dot: for Graphviz; mermaid: for a block of code in Markdown; svg: drawn by Graphviz.",
    )
    return with_options(command, choice)


@command()
@_graph_options
@view_option
@handover_options
def graph(options: Options) -> Result:
    """Draw the functions of the manifest, the packages that they name, and what lies in these. No service is contacted.

    What belongs to one function alone is a number at it, and functions that need the same share a node; --full draws each.
    """
    prepared = prepare_files(open_manifest(options), options)
    picture = desired_picture(prepared.desired, 0 if options.view == "full" else MOST_NODES)
    if options.format == "mermaid":
        return Result(mermaid_graph(picture))
    text = dot_graph(picture, f"stack {prepared.loaded.manifest.stack}")
    return Result(_draw(text) if options.format == "svg" else text)


def _draw(text: str) -> str:
    """Return a graph as Graphviz draws it."""
    from reconciler.base.processes import CutOff, Output, Tools

    with tempfile.TemporaryDirectory(prefix="udfs-") as name:
        folder = Path(name)
        (folder / "graph.dot").write_text(text, encoding="utf-8")
        with Output(folder) as out, Output(folder) as err:
            try:
                code = Tools().run(
                    ["dot", "-Tsvg", "graph.dot"],
                    cwd=folder,
                    environment=for_drawing(os.environ),
                    timeout=_PATIENCE,
                    out=out,
                    err=err,
                )
            except FileNotFoundError as error:
                hint = ("install it (apt-get install graphviz), or print the text: ", Command("graph", "--format dot"))
                raise UsageError(
                    "E741", "Graphviz, whose program dot draws SVG, is not installed", hint=hint
                ) from error
            except CutOff as error:
                message = f"Graphviz did not draw the graph within {_PATIENCE:.0f} seconds"
                raise UsageError(
                    "E742", message, hint="leave --full out, or draw the text with another engine"
                ) from error
            if code:
                last = err.text().strip().splitlines()[-1:] or ["it says nothing"]
                raise UsageError("E742", f"Graphviz ended with {code}: {last[0]}", hint="is its installation whole?")
            return out.text()
