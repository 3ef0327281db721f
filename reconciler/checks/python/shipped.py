"""
Python files that ship in an archive of code, beside the module of the handler: whether the runtime's Python can read them.

What they import is not judged, since layers and the runtime have modules that nobody here knows. A file may lie there that nothing
imports, for another Python, say; so what is found are warnings.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from zipfile import ZipFile

from reconciler.base.errors import Position, Problem
from reconciler.base.inputs import SHIPPED, open_input
from reconciler.checks import VERSION, Finding
from reconciler.packages.fetch.cache import LastRun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts

_LARGEST = 4 << 20
"""Bytes of a file that is read: what is larger was written by no person."""


def check_shipped(loaded: Loaded, artifacts: Artifacts, inspections: Path) -> tuple[Problem, ...]:
    """Return what the runtime of each function cannot read of the Python files that ship with it."""
    memory = LastRun(inspections, "shipped", str(loaded.folder), tuple[tuple[str, Finding], ...])
    shown, problems = PurePosixPath(loaded.at().file).parent, dict[Problem, None]()
    for name, packed in artifacts.code.items():
        source = loaded.manifest.functions[name].source
        if source is None or not (folder := loaded.folder / source).is_dir():
            continue
        depends_on = repr((VERSION, sys.version_info[:3], packed.content.sha256, packed.runtime.interpreter))
        key = hashlib.sha256(depends_on.encode()).hexdigest()
        findings = memory.get(key)
        if findings is None:
            findings = tuple(_check_archive(packed.content.path, folder, packed.runtime.interpreter))
        memory.put(key, findings)
        for file, finding in findings:
            position = Position(str(shown / source / file), finding.line, finding.column)
            fields = (finding.hint, finding.source, finding.width, finding.severity)
            problems[Problem(finding.code, finding.message, position, *fields)] = None
    memory.save()
    return tuple(sorted(problems, key=lambda problem: (problem.at, problem.code)))


def _check_archive(archive: Path, folder: Path, runtime: str) -> Iterator[tuple[str, Finding]]:
    """Yield what is found in the files of an archive that come from a folder; those of packages do not."""
    from reconciler.checks.python.check import check_syntax

    with open_input(archive, SHIPPED) as file, ZipFile(file) as opened:
        for info in opened.infolist():
            if info.filename.endswith(".py") and info.file_size <= _LARGEST and (folder / info.filename).is_file():
                for finding in check_syntax(opened.read(info), runtime):
                    yield info.filename, replace(finding, severity="warning")
