"""list: the functions of the stack, and where each stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.hints import Command
from reconciler.base.words import safe
from reconciler.cli.support.options import Options, command, manifest_options
from reconciler.cli.support.output import Result
from reconciler.cli.support.plans import take_snapshot
from reconciler.cli.support.project import open_manifest, prepare_files
from reconciler.cli.support.selection import names_argument, select_names
from reconciler.workflow import planning
from reconciler.workflow.standing import list_standings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.render.styled import Line
    from reconciler.workflow.standing import FunctionStanding


@command()
@names_argument
@manifest_options
def list_(options: Options, names: tuple[str, ...]) -> Result:
    """List the functions of the manifest and of its stack in the project: applied, changed, not applied.

    All of them, or those that a NAME fits, in which * and ? stand for other characters.

    Also called ls and status. What an apply would do in full is told by udfs plan.
    """
    prepared = prepare_files(open_manifest(options, warn=False), options, warn=False)
    snapshot = take_snapshot(prepared.loaded, full=False)
    manifest = prepared.loaded.manifest
    standings = list_standings(planning.make_plan(prepared, snapshot.reading, now=snapshot.now), manifest.functions)
    chosen = select_names(names, [standing.name for standing in standings], "the manifest and its stack have")
    standings = tuple(standing for standing in standings if standing.name in chosen)
    destination = planning.plan_destination(prepared.loaded)
    if options.as_json:
        from reconciler.render.documents.project import list_document

        return Result(list_document(manifest.stack, destination, standings), notes=snapshot.notes)
    done = all(standing.standing == "applied" for standing in standings)
    following = () if done else (f"Next: {options.invocation.command(Command('plan'))}",)
    if not standings:
        return Result(safe(f"Stack {manifest.stack} has no function, here or in {destination}") + "\n")
    return Result(_lines(standings), notes=(*following, *snapshot.notes))


_STYLES = {"applied": "create", "somebody else's": "error"}


def _lines(standings: Sequence[FunctionStanding]) -> Iterator[Line]:
    """Yield a line a function, in columns."""
    width = max(len(safe(standing.name)) for standing in standings)
    column = max(len(standing.standing) for standing in standings)
    for standing in standings:
        obj = standing.object
        shown = "".join(f"  {label} {safe(words)}" for label, words in obj.kind.show(obj)) if obj is not None else ""
        style = _STYLES.get(standing.standing, "warning")
        yield ("name", f"{safe(standing.name):{width}}  "), (style, f"{standing.standing:{column}}"), ("", shown)
