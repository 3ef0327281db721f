"""validate: check the manifest and every file that it names."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler.base.errors import InvalidManifest, Refused, UdfsError, count
from reconciler.base.words import safe
from reconciler.cli.support.options import Options, command, handover_options, no_check_option
from reconciler.cli.support.output import Result, findings_output
from reconciler.cli.support.project import open_manifest, prepare_files, print_warnings, user_cache
from reconciler.cli.support.several import each_target

if TYPE_CHECKING:
    from reconciler.base.errors import Problem
    from reconciler.core.state import DesiredState


@command()
@each_target("text", "json", "sarif", "github")
@handover_options
@no_check_option
def validate(options: Options) -> Result:
    """Check the manifest and every file it names, and that tests fit signatures. Pinned wheels are fetched and checked; no service is contacted."""
    from reconciler.workflow import preparation

    try:
        prepared = prepare_files(open_manifest(options), options, warn=options.format == "text")
        if problems := preparation.test_problems(prepared, user_cache().root):
            raise InvalidManifest.of(problems)
        if breaches := preparation.policy_breaches(prepared):
            raise Refused.of(breaches)
    except UdfsError as error:
        if options.format in {"text", "json"}:
            raise
        # What they report is the format's own; the exit code says that it failed.
        return _report(error.problems, options, error.exit_code)
    if options.format == "text":
        print_warnings(prepared.forced, options)
    else:
        return _report((*prepared.loaded.warnings, *prepared.forced, *prepared.warnings), options)
    summary = f"valid, {count_objects(prepared.desired)}"
    return Result(safe(f"{options.heading}{options.file}: {summary}") + "\n", summary=summary)


def count_objects(desired: DesiredState) -> str:
    """Return ``2 functions and 5 resources``: first what needs the others."""
    numbers = Counter(key.kind for key in desired)
    leading = {key.kind for key, entry in desired.items() if entry.object.kind.leads}
    *most, last = [
        count(numbers[kind], kind) for kind in sorted(numbers, key=lambda kind: (kind not in leading, kind))
    ] or ["nothing"]
    return f"{', '.join(most)} and {last}" if most else last


def _report(problems: tuple[Problem, ...], options: Options, code: int = 0) -> Result:
    output = findings_output(options.invocation.complete(problems), options.format)
    return Result(output, code, "" if code else "valid")
