"""validate: check the manifest and every file that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.errors import InvalidManifest, Refused, UdfsError, count
from reconciler.base.words import safe
from reconciler.cli.support.options import Options, command, handover_options
from reconciler.cli.support.output import Result, findings_output
from reconciler.cli.support.project import open_manifest, prepare_files
from reconciler.cli.support.several import each_target

if TYPE_CHECKING:
    from reconciler.base.errors import Problem


@command()
@each_target("text", "json", "sarif", "github")
@handover_options
def validate(options: Options) -> Result:
    """Check the manifest and every file it names, and that tests fit signatures. Pinned wheels are fetched and checked; no service is contacted."""
    from reconciler.workflow import preparation

    try:
        prepared = prepare_files(open_manifest(options), options, warn=options.format == "text")
        if problems := preparation.test_problems(prepared):
            raise InvalidManifest.of(problems)
        if breaches := preparation.policy_breaches(prepared):
            raise Refused.of(breaches)
    except UdfsError as error:
        if options.format in {"text", "json"}:
            raise
        # What they report is the format's own; the exit code says that it failed.
        return _report(error.problems, options, error.exit_code)
    if options.format != "text":
        return _report((*prepared.loaded.warnings, *prepared.warnings), options)
    functions = len(prepared.loaded.manifest.functions)
    summary = f"valid, {count(functions, 'function')} and {count(len(prepared.desired) - functions, 'resource')}"
    return Result(safe(f"{options.heading}{options.file}: {summary}") + "\n", summary=summary)


def _report(problems: tuple[Problem, ...], options: Options, code: int = 0) -> Result:
    output = findings_output(options.invocation.complete(problems), options.format)
    return Result(output, code, "" if code else "valid")
