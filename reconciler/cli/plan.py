"""plan, apply, drift, destroy."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import Refused, UsageError, count
from reconciler.base.hints import Command
from reconciler.cli import dump as saving
from reconciler.cli.dump import refresh_option
from reconciler.cli.support import several as fanout
from reconciler.cli.support.confirm import Consent, ask, carry_out, completed, print_warnings, writers_option
from reconciler.cli.support.options import (
    Options,
    command,
    connected,
    loaded,
    manifest_options,
    prepared,
    several_options,
)
from reconciler.cli.support.output import note, print_document, print_lines, quoted
from reconciler.cli.support.several import drift_options, plan_options
from reconciler.cli.verify import Verification, verify_options
from reconciler.core.drift import restoring
from reconciler.core.plan import require_allowed
from reconciler.engine.ledger import require_free
from reconciler.render import text
from reconciler.workflow import planning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.core.drift import Drift
    from reconciler.core.plan import Plan
    from reconciler.core.record import Entry, Reading
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.workflow.preparation import Prepared

CHANGES_PRESENT = 2


restore_option = click.option(
    "--restore", is_flag=True, help="Only bring back what was changed outside; nothing that the manifest changed."
)


@command()
@plan_options
@refresh_option
@restore_option
@click.option("--exit-code", is_flag=True, help="Exit with 2 when there is something to do.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the plan down too, for udfs apply FILE. A plan that is refused is not written.",
)
@click.option(
    "--allow-deletes", type=click.IntRange(min=0), default=0, metavar="N", help="With --out: allow up to N deletes."
)
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="DUMP",
    help="Plan against what udfs dump wrote; the project is not asked.",
)
def plan(
    options: Options,
    refresh: str,
    restore: bool,
    exit_code: bool,
    out: Path | None,
    allow_deletes: int,
    against: Path | None,
) -> int:
    """Show what differs between the manifest and the project, and what apply would do. Changes nothing.

    For several targets there is one plan each; the exit code is the worst.
    """
    manifest_digest = saving.manifest_digest(options.file)
    ready = prepared(loaded(options, warn=False), options, warn=False)
    if against is not None:
        reading, rival, now = saving.dumped(against, ready.loaded), None, datetime.now(timezone.utc)
    else:
        reading, rival, now = _look(ready.loaded, full=refresh == "full")
    made = planning.make_plan(ready, reading, from_dump=against is not None, restoring=restore)
    made = completed(made, options)
    if out is not None:
        saving.save(made, reading, out, manifest_digest, allow_deletes)
    # A saved plan is the same at any hour, so it is written before the hour counts.
    made = completed(planning.add_cautions(made, ready, now), options)
    options.told.append(text.summary(made))
    # While somebody else applies, what would come next is refused.
    following = None if rival else _next(made, options, out, allow_deletes, restore=restore)
    _print_plan(made, options, next_command=following)
    _mention(rival)
    if made.refusals:
        return Refused.exit_code
    return CHANGES_PRESENT if exit_code and made.changes else 0


@command()
@click.argument("planfile", required=False, type=click.Path(path_type=Path, dir_okay=False))
@several_options
@refresh_option
@restore_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--allow-deletes", type=click.IntRange(min=0), default=0, metavar="N", help="Allow up to N deletes.")
@click.option(
    "--digest", callback=saving.digest_of, metavar="sha256:…", help="Refuse any plan but the one with this digest."
)
@click.option("--keep-going", is_flag=True, help="Of several targets: go on with the next when one fails.")
@verify_options
@writers_option
def apply(
    options: Options,
    planfile: Path | None,
    refresh: str,
    restore: bool,
    yes: bool,
    allow_deletes: int,
    digest: str | None,
    keep_going: bool,
    writers: int,
    verification: Verification,
) -> int:
    """Make the project match the manifest: show the plan, ask, and make the changes.

    With PLANFILE, which udfs plan --out wrote, make exactly the changes of that plan, or none if anything has moved.
    For several targets all plans are shown before one question, and nothing is changed anywhere unless each can be made;
    then one target is applied after the other, as far as the first that fails.
    """
    consent = Consent(yes, allow_deletes, digest)
    if restore:
        # What a run was cut off from is no drift any more, so --restore would not carry on.
        consent = replace(consent, again=("what is left is in the next plan: ", Command("apply")))
    if options.targets:
        _require_one(options, {"PLANFILE": planfile, "--digest": digest})
        return _apply_several(options, refresh, consent, writers, verification, restore=restore, keep_going=keep_going)
    if planfile is not None and restore:
        raise UsageError("E901", "--restore makes a plan, and a plan was given", hint="leave one of them out")
    if planfile is not None:
        return _apply_saved(planfile, options, refresh, consent, writers, verification)
    ready = prepared(loaded(options), options)
    with connected(ready.loaded) as target:
        reading = target.read(full=refresh == "full")
        made = planning.make_plan(ready, reading, restoring=restore)
        made = planning.apply_quiet_times(made, ready.loaded, target)
        verify = verification.of(ready.loaded, target, options, writers)
        return carry_out(made, reading, target, ready.contents, options, consent, writers, verify=verify)


def _require_one(options: Options, given: Mapping[str, object]) -> None:
    """Refuse what can only mean one target."""
    for name, value in given.items():
        if value is not None:
            hint = f"once for each: --target {options.targets[0]}"
            raise UsageError("E564", f"{name} is about one target, and {len(options.targets)} were named", hint=hint)


def _apply_several(
    options: Options,
    refresh: str,
    consent: Consent,
    writers: int,
    verification: Verification,
    *,
    restore: bool,
    keep_going: bool,
) -> int:
    """Show the plans of all targets, ask once, and apply them in turn: each plan only as it was shown."""
    planned: dict[str, tuple[Prepared, Plan]] = {}

    def look(ready: Prepared, target: Target, one: Options) -> tuple[Reading, Plan]:
        reading = target.read(full=refresh == "full")
        made = planning.make_plan(ready, reading, restoring=restore)
        return reading, completed(planning.apply_quiet_times(made, ready.loaded, target), one)

    def show(one: Options) -> int:
        ready = prepared(loaded(one), one)
        with connected(ready.loaded) as target:
            reading, made = look(ready, target, one)
            _print_plan(made, one)
            one.told.append(text.summary(made))
            require_allowed(made, allow_deletes=consent.allow_deletes)
            if made.changes:
                require_free(reading.last, target.store.now())
        planned[ready.loaded.target_name] = ready, made
        return 0

    def perform(one: Options) -> int:
        ready, shown = planned[one.target or ""]
        with connected(ready.loaded) as target:
            reading, made = look(ready, target, one)
            agreed = replace(consent, yes=True, digest=shown.digest)
            verify = verification.of(ready.loaded, target, one, writers)
            return carry_out(made, reading, target, ready.contents, one, agreed, writers, shown=True, verify=verify)

    results = fanout.run(options, show)
    if fanout.worst(results):
        code = fanout.tell(results, options)
        note("nothing was changed in any target")
        return code
    changes = sum(len(made.changes) for _, made in planned.values())
    if changes and not consent.yes:
        ask(options, f"Make these {count(changes, 'change')} in {len(planned)} targets? Only 'yes' is taken:")
    return fanout.tell(fanout.run(options, perform, stop=not keep_going, named=True), options)


def _apply_saved(
    planfile: Path, options: Options, refresh: str, consent: Consent, writers: int, verification: Verification
) -> int:
    """Perform a saved plan; everything that it stands on is looked at before anything is written."""
    from reconciler.engine import saved_plan as saved
    from reconciler.engine import staleness as fresh

    found = saving.saved_plan(planfile)
    options = saving.aimed(options, found)
    with options.completing():
        if manifest := saving.manifest_digest(options.file):
            saved.require_same_manifest(found, manifest, options.file)
        ready = prepared(loaded(options), options)
        saved.require_place(found, ready.loaded.manifest.stack, planning.destination(ready.loaded))
        saved.require_contents(found, ready.contents)
        consent = replace(consent, allow_deletes=max(consent.allow_deletes, found.allow_deletes), again=fresh.AGAIN)
        with connected(ready.loaded) as target:

            def look() -> Reading:
                reading = target.read(full=refresh == "full")
                saved.require_fresh(found, reading)
                return reading

            reading = look()
            made = planning.apply_quiet_times(
                planning.plan_again(ready, reading, found.plan, str(planfile)), ready.loaded, target
            )
            verify = verification.of(ready.loaded, target, options, writers)
            return carry_out(
                made, reading, target, ready.contents, options, consent, writers, look_again=look, verify=verify
            )


@command()
@manifest_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@writers_option
def destroy(options: Options, yes: bool, writers: int) -> int:
    """Delete everything that this stack manages in the project; objects of others stay."""
    manifest = loaded(options)
    with connected(manifest) as target:
        reading = target.read()
        made = planning.apply_quiet_times(planning.make_destruction(manifest, reading), manifest, target)
        consent = Consent(yes, made.deletes, retype=made.stack)
        return carry_out(made, reading, target, {}, options, consent, writers)


@command()
@drift_options
@refresh_option
def drift(options: Options, refresh: str) -> int:
    """Show what was changed in the project behind the manifest's back, and as far as the service tells, by whom and when.

    Exits with 2 when there is drift. What the manifest itself has changed since the last apply is none.
    """
    ready = prepared(loaded(options), options)
    reading, rival, _ = _look(ready.loaded, full=refresh == "full")
    made, found = planning.make_plan(ready, reading), planning.find_drift(ready, reading)
    options.told.append(text.drift_summary(found))
    _print_drift(found, made, options)
    _mention(rival)
    return CHANGES_PRESENT if found.drifted else 0


def _look(manifest: Loaded, *, full: bool) -> tuple[Reading, Entry | None, datetime]:
    """Read the project, and return beside it the entry of whoever changes it meanwhile, and the time that an apply goes by."""
    with connected(manifest) as target:
        reading = target.read(full=full)
        # A service that does not tell the time is refused only where it matters.
        now = target.store.now() if reading.last or manifest.policies else datetime.now(timezone.utc)
    return reading, reading.last if reading.last and reading.last.is_held(now) else None, now


def _mention(rival: Entry | None) -> None:
    """Say so when somebody is applying: what was read is neither as it was nor as it will be."""
    if rival is not None:
        since = f"epoch {rival.epoch}, since {rival.started:%H:%MZ}"
        note(
            f"{rival.holder} is applying this stack right now ({since}): what is shown may be half-way; look again later"
        )


def _print_drift(found: Drift, made: Plan, options: Options) -> None:
    from reconciler.render import documents as document
    from reconciler.render import github, markdown, sarif

    again = f"udfs apply{options.arguments()} --restore" if restoring(made, found).changes else None
    problems = quoted(options.invocation.complete(one.problem for one in found.drifted))
    match options.format:
        case "json":
            print_document(document.drift(found, made))
        case "markdown":
            sys.stdout.write(markdown.drift(found, made, again, markdown.share(options.among), options.invocation))
        case "sarif":
            sys.stdout.write(sarif.sarif(problems))
        case "github":
            sys.stdout.write(github.github(problems))
        case "text":
            print_lines(text.drift(found, made, again, options.invocation))


def _print_plan(made: Plan, options: Options, next_command: str | None = None) -> None:
    if options.format == "json":
        from reconciler.engine.plan_file import plan_document

        print_document(plan_document(made))
    elif options.format == "markdown":
        from reconciler.render import markdown

        sys.stdout.write(markdown.plan(made, next_command, markdown.share(options.among)))
    else:
        print_lines(text.plan(made, command=next_command, refusals=quoted(made.refusals)))
        print_warnings(made)


def _next(
    made: Plan, options: Options, out: Path | None = None, allow_deletes: int = 0, *, restore: bool = False
) -> str | None:
    if not made.changes or made.refusals:
        return None
    if out is not None:
        return saving.next_command(made, out, options, allow_deletes)
    deletes = f" --allow-deletes {made.deletes}" if made.deletes else ""
    return f"udfs apply{options.arguments()}{deletes}{' --restore' if restore else ''}"


__all__ = ["apply", "destroy", "drift", "plan"]
