"""ci drift: what others changed behind each manifest's back; where nothing can be said, that is the outcome."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from reconciler.base.errors import UdfsError
from reconciler.cli.drift import DRIFT_FORMATS, drift_output, judge_snapshot, take_still_snapshot, unknown_output
from reconciler.cli.pipeline.options import ci_options
from reconciler.cli.pipeline.results import SAID_FORMATS, EntryResult, fingerprint_of
from reconciler.cli.support.options import command, handover_options, has_renderer, refresh_option
from reconciler.cli.support.output import with_source
from reconciler.cli.support.plans import CHANGES_PRESENT
from reconciler.cli.support.project import open_manifest, prepare_files
from reconciler.render import text

if TYPE_CHECKING:
    from reconciler.cli.pipeline.run import CiRun
    from reconciler.cli.support.options import Format, Options
    from reconciler.cli.support.output import Output, Result
    from reconciler.manifest.load import Loaded


@command()
@ci_options("drift")
@handover_options
@refresh_option
def ci_drift(run: CiRun, refresh: str) -> Result:
    """Look for what was changed behind each manifest's back. Exits with 2 when there is drift and nothing worse.

    Where somebody is applying, or the service does not answer, there is no verdict: the outcome is unknown.
    """
    return run.each(functools.partial(_look_for_drift, is_full=refresh == "full"))


def _look_for_drift(options: Options, *, is_full: bool) -> EntryResult:
    prepared = prepare_files(open_manifest(options, warn=False), options, warn=False)
    try:
        snapshot = take_still_snapshot(prepared.loaded, full=is_full)
    except UdfsError as error:
        return _unknown_result(error, prepared.loaded, options)
    verdict = judge_snapshot(prepared, snapshot, options)
    drift = verdict.drift
    problems = options.invocation.complete(deviation.problem for deviation in drift.drifted)

    def render(form: str) -> Output:
        return drift_output(drift, verdict.plan, _in_format(options, form), (), verdict.warnings)

    return EntryResult(
        "changes" if drift.drifted else "clean",
        CHANGES_PRESENT if drift.drifted else 0,
        text.drift_summary(drift),
        render,
        tuple(filter(has_renderer, DRIFT_FORMATS)),
        stack=verdict.plan.stack,
        counts={
            "drifted": len(drift.drifted),
            "waiting": drift.waiting,
            "unchanged": drift.unchanged,
            "problems": len(problems),
        },
        fingerprint=drift.fingerprint or fingerprint_of((), []),
        problems=(*problems, *verdict.warnings),
    )


def _unknown_result(error: UdfsError, loaded: Loaded, options: Options) -> EntryResult:
    problems = tuple(with_source(options.invocation.complete(error.problems)))
    return EntryResult(
        "unknown",
        error.exit_code,
        text.no_verdict(error),
        lambda form: unknown_output(error, loaded, _in_format(options, form)),
        SAID_FORMATS,
        stack=loaded.manifest.stack,
        counts={"problems": len(problems)},
        fingerprint=fingerprint_of(problems),
        problems=problems,
    )


def _in_format(options: Options, form: str) -> Options:
    return replace(options, format=cast("Format", form))
