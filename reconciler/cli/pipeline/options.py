"""Options that the steps of `udfs ci` have in common, and the run that they come to."""

from __future__ import annotations

import functools
import os
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.pipeline.entries import choose_entries
from reconciler.cli.pipeline.run import CiRun
from reconciler.cli.support import identity
from reconciler.cli.support.git import list_changes, list_files
from reconciler.cli.support.options import Options, events_option, log_requests, split_targets
from reconciler.cli.support.output import note
from reconciler.workflow.ci.manifests import MANIFEST, repository_at
from reconciler.workflow.ci.order import order_manifests

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from reconciler.cli.support.output import Result
    from reconciler.workflow.ci.index import CiCommand
    from reconciler.workflow.ci.manifests import ManifestFile


def ci_options(command: CiCommand) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Return what adds the options of `CiRun` to a command, which gets one first."""

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        @click.option(
            "-f",
            "--file",
            "files",
            type=click.Path(path_type=Path),
            multiple=True,
            help="A manifest, a folder with some below it, or a pattern; may be given often.  [default: each udfs.yaml of the repository]",
        )
        @click.option(
            "--target",
            "targets",
            multiple=True,
            metavar="NAME[,NAME]",
            help="The targets of each manifest, in this order; 'local' or the only one when left out.",
        )
        @click.option("--all-targets", is_flag=True, help="Each target of each manifest.")
        @click.option(
            "--changed-since",
            metavar="BASE",
            help="Only manifests that read something which changed since this commit or branch; auto: since the base that "
            "the pipeline gives for its pull request or push.",
        )
        @click.option(
            "--out",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help="Write what came of each into this folder, in every format, with an index.json.",
        )
        @click.option(
            "--format",
            type=click.Choice(["text", "json", "markdown", "github"]),
            default="text",
            show_default=True,
            help="json: the index on stdout; markdown: the summary; github: workflow commands.",
        )
        @events_option
        @click.option("-v", "--verbose", is_flag=True, help="Log every request to stderr.")
        @functools.wraps(function)
        def wrapper(
            files: tuple[Path, ...],
            targets: tuple[str, ...],
            all_targets: bool,
            changed_since: str | None,
            out: Path | None,
            format: Any,
            events: Path | None,
            verbose: bool,
            **arguments: Any,
        ) -> Result:
            if verbose:
                log_requests()
            repository = repository_at(Path.cwd(), list_files)
            manifests = repository.manifests(files)
            order = order_manifests(manifests, repository)
            entries, passed_over = choose_entries(order, targets, all_targets=all_targets)
            options = Options(Path("udfs.yaml"), None, format)
            from reconciler.cli.support.progress import showing

            with ExitStack() as around:
                record = around.enter_context(_recording(events, command, files, targets)) if events else None
                around.enter_context(showing(for_people=format in {"text", "markdown"}))
                run = CiRun(repository, entries, command, options, out, passed_over, before=order.before)
                result = function(run if changed_since is None else keep_changed(run, changed_since), **arguments)
                if record:
                    record(result)
                return result

        return wrapper

    return decorate


def _recording(
    log: Path, command: CiCommand, files: tuple[Path, ...], targets: tuple[str, ...]
) -> AbstractContextManager[Callable[[object], None]]:
    from reconciler.cli.support.events import recording

    return recording(log, f"ci {command}", " ".join(map(str, files)), split_targets(targets))


def pipeline_base() -> str:
    """Return what the pipeline says that the change is to be compared with; empty outside of one, and of a first push."""
    facts = identity.pipeline()
    commit = facts.base if facts.base.strip("0") else ""
    return commit or (f"origin/{facts.base_branch}" if facts.base_branch else "")


def keep_changed(run: CiRun, since: str) -> CiRun:
    """Return a run of those entries only whose manifests read something that changed since a base."""
    from reconciler.targets.dialects import DIALECTS
    from reconciler.workflow.ci.changes import reads_changes

    if since == "auto" and not (since := pipeline_base()):
        note("the pipeline names no base, so every manifest is looked at")
        return run
    base, changed = list_changes(run.repository.top, since)
    targets: dict[ManifestFile, list[str | None]] = {}
    for entry in run.entries:
        targets.setdefault(entry.manifest, []).append(entry.target)
    kept = {
        manifest
        for manifest, names in targets.items()
        if reads_changes(manifest, names, changed, run.repository, DIALECTS, os.environ)
    }
    for name in sorted(changed):
        if name.rpartition("/")[2] == MANIFEST and not (run.repository.top / name).exists():
            note(
                f"{name} is gone, and what it managed stays where it is; the manifest of {base[:10]} still says what that is"
            )
    return replace(
        run,
        entries=tuple(entry for entry in run.entries if entry.manifest in kept),
        passed_over=tuple((entry, why) for entry, why in run.passed_over if entry.manifest in kept),
        unchanged=tuple(manifest.name for manifest in targets if manifest not in kept),
        base=base,
    )
