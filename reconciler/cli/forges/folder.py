"""
Folder of `udfs ci --out`, as `udfs ci publish` reads it: the index, and of each entry its JSON document.

Names in the index lead to files in the folder and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.inputs import REPORT, read_named
from reconciler.render.forges.reports import PipelineReport, TargetReport, read_report, short
from reconciler.workflow.ci.index import read_index

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.cli.forges.surroundings import Surroundings
    from reconciler.workflow.ci.index import EntryDocument


def read_folder(folder: Path, around: Surroundings) -> tuple[PipelineReport, list[str]]:
    """Return what a folder says, and what of it could not be read; raises UsageError where there is no index."""
    index = read_index(folder)
    targets, problems = [], []
    for entry in index.entries:
        report = _read_target(folder, entry)
        targets.append(report)
        if report.shortfall:
            problems.append(f"of {short(report.title)} only the outcome is known: {report.shortfall}")
    commit = around.commit or index.commit or ""
    return PipelineReport(index.command, commit, tuple(targets), len(index.unchanged), around.link), problems


def _read_target(folder: Path, entry: EntryDocument) -> TargetReport:
    if "json" not in entry.files:
        return TargetReport(entry)
    name = entry.files["json"]
    if not (_is_name(entry.folder) and _is_name(name)):
        return TargetReport(entry, shortfall="the index names a file that is not in the folder")
    try:
        content = read_named(folder / entry.folder / name, REPORT)
    except OSError as error:
        return TargetReport(entry, shortfall=f"its document cannot be read: {error.strerror}")
    return read_report(entry, content)


def _is_name(text: str) -> bool:
    """Say whether a text is the name of something in a folder, and no way to elsewhere."""
    return text not in {"", ".", ".."} and not {"/", "\\", "\0"} & {*text}
