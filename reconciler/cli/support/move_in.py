"""
Moving in: what was imported is adopted, and functions with a source are moved to their first version.

Each of the two steps shows its plan and has its own entry in the ledger, so the way back leads to what was there. A run that is
cut off is gone on with by the same command: what is in the manifest, managed or moved already is not touched again.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import Refused, count
from reconciler.base.hints import Command
from reconciler.cli.support.confirm import carry_out
from reconciler.cli.support.output import Result, print_lines
from reconciler.cli.support.perform import Proposal
from reconciler.cli.support.plans import complete_plan, plan_output
from reconciler.cli.support.project import connect, prepare_project
from reconciler.core.ownership import reach
from reconciler.core.plan import needs
from reconciler.render.documents.applies import ReportDocument
from reconciler.render.documents.project import import_document
from reconciler.render.project import import_lines, move_lines
from reconciler.workflow import adoption, planning

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from reconciler.cli.support.confirm import Consent
    from reconciler.cli.support.options import Options
    from reconciler.core.kind import Key
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.core.report import Imported
    from reconciler.core.target import Target
    from reconciler.workflow.preparation import Prepared


def take_over(imported: Imported, options: Options, consent: Consent) -> Result:
    """Adopt what was imported, and bring it to what the manifest says of it; the plan is empty then."""
    objects = imported.keys
    reports: list[ReportDocument] = []
    if not options.as_json:
        print_lines(import_lines(imported))
    if not objects:
        return Result(import_document(imported) if options.as_json else ())
    prepared = prepare_project(options)
    # What is dropped may still be on its way into the folder.
    downloads = tempfile.TemporaryDirectory(prefix="udfs-", ignore_cleanup_errors=True)
    with connect(prepared.loaded) as target, downloads as folder:
        reading = target.read()
        _require_nothing_else(prepared, reading, objects)
        for plan, contents in _steps(prepared, reading, target, objects, Path(folder)):
            if not plan.changes and not plan.refusals:
                continue
            if not options.as_json:
                print_lines([()])
            result = carry_out(Proposal(plan, target.read(), target, contents), options, consent)
            if isinstance(result.output, ReportDocument):
                reports.append(result.output)
            if result.code:
                return result
        after = target.read()
        remaining = complete_plan(planning.make_plan(prepared, after), options)
    if options.as_json:
        return Result(import_document(imported, reports))
    if remaining.changes or remaining.refusals:
        return Result(plan_output(remaining, options, options.invocation.command(Command("apply"))))
    return Result(move_lines(remaining, _unlisted_keys(objects, reading, after)))


def _steps(
    prepared: Prepared, reading: Reading, target: Target, objects: Collection[Key], folder: Path
) -> Iterator[tuple[Plan, Mapping[str, Path]]]:
    """Yield the plan that adopts, and then, made of what is there by then, the plan that changes."""
    yield adoption.make_takeover(prepared, reading, target, objects, folder)
    plan = planning.make_plan(prepared, target.read())
    yield planning.apply_quiet_times(plan, prepared.loaded, target), prepared.contents


def _require_nothing_else(prepared: Prepared, reading: Reading, objects: Collection[Key]) -> None:
    """Raise if the manifest asks for more than what was imported: nobody who moves in means to apply that."""
    ours = reach(objects, prepared.desired, reading.live)
    others = [change for change in planning.make_plan(prepared, reading).changes if change.key not in ours]
    if others:
        raise Refused(
            "E751",
            f"the manifest has {count(len(others), 'change')} beside what was imported, {others[0].key} first; nothing was changed",
            hint=(
                "with all of it, move in step by step: ",
                Command("adopt", "'*'"),
                ", then ",
                Command("apply"),
            ),
        )


def _unlisted_keys(objects: Collection[Key], before: Reading, after: Reading) -> list[Key]:
    """Return what objects listed before and list no more, and which stays in the project, for a rollback."""
    return sorted(_listed_keys(objects, before) & after.live.keys() - _listed_keys(objects, after))


def _listed_keys(objects: Collection[Key], reading: Reading) -> set[Key]:
    return {need for key in objects if key in reading.live for need in needs(reading.live[key].object)}
