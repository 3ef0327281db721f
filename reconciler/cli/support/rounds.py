"""
Rounds of ``udfs test --watch``: all tests once, and then those of the functions that a saved file changes.

A function is changed if what it ships or what its tests say is not as it was in the last round in which it could be read; one
whose tests did not pass is run again with every change, since what it lacks may be anywhere.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from reconciler.base.errors import UdfsError, count
from reconciler.base.inputs import repository_of
from reconciler.cli.support.output import is_lively, note, print_error
from reconciler.cli.support.project import open_manifest, prepare_files
from reconciler.cli.support.verification import chosen_cases
from reconciler.cli.support.watch import look, wait_for_change
from reconciler.manifest.section import keys_of
from reconciler.packages.reads import list_reads
from reconciler.testing.verdict import TrialVerdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.cli.support.options import Options
    from reconciler.manifest.load import Loaded
    from reconciler.testing.trials import Case, Trial
    from reconciler.workflow.preparation import Prepared

    Run = Callable[[Prepared, list[tuple[Case, ...]]], list[Trial]]

_CLEAR = "\x1b[2J\x1b[3J\x1b[H"
"""Screen and what is above it, and the cursor to the top [ECMA-48 ED; 3J is xterm's]."""


def run_rounds(options: Options, functions: tuple[str, ...], run: Run) -> NoReturn:
    """Run tests, and again with each change of a file; `run` runs and tells. Ends by KeyboardInterrupt alone."""
    rounds = _Rounds(options, functions, run)
    while True:
        # Looked at before anything is read: what is saved meanwhile is a change.
        earlier = look(rounds.paths)
        rounds.run()
        now = look(rounds.paths)
        note(f"watching {count(len(now), 'file')}; Ctrl-C ends")
        wait_for_change(rounds.paths, {path: earlier.get(path, seen) for path, seen in now.items()})
        if is_lively(sys.stdout):
            sys.stdout.write(_CLEAR)


class _Rounds:
    def __init__(self, options: Options, functions: tuple[str, ...], run: Run) -> None:
        self._options, self._functions, self._run_tests = options, functions, run
        self._passed: dict[str, object] = {}
        """Functions whose tests passed, with what they then were made of."""
        self.paths: frozenset[Path] = frozenset({options.file.absolute()})

    def run(self) -> None:
        """Run one round; what is wrong is printed, and mended while the next one is waited for."""
        try:
            self._run()
        except UdfsError as error:
            print_error(error, as_json=False)
            self.paths |= {Path(problem.at.file).absolute() for problem in error.problems if problem.at}

    def _run(self) -> None:
        manifest = open_manifest(self._options)
        self.paths = _reads(manifest, self._options.file)
        groups = chosen_cases(manifest, self._functions)
        prepared = prepare_files(manifest, self._options)
        made_of = {group[0].function: _made_of(group, prepared) for group in groups}
        changed = [group for group in groups if self._passed.get(group[0].function) != made_of[group[0].function]]
        if len(changed) < len(groups):
            note(f"{count(len(changed), 'function')} of {len(groups)} to test; the others are as they were and passed")
        trials = self._run_tests(prepared, changed) if changed else []
        failed = {trial.case.function for trial in trials if trial.verdict is not TrialVerdict.PASSED}
        for group in changed:
            self._passed.pop(group[0].function, None)
            if group[0].function not in failed:
                self._passed[group[0].function] = made_of[group[0].function]


def _reads(manifest: Loaded, file: Path) -> frozenset[Path]:
    """Return the files and folders that a manifest reads."""
    top = repository_of(manifest.folder) or manifest.folder
    called = file.resolve()
    name = called.relative_to(top).as_posix() if called.is_relative_to(top) else file.name
    reads = list_reads(manifest, top, name)
    return frozenset({called, *(top / path for path in (*reads.files, *reads.folders))})


def _made_of(cases: Sequence[Case], prepared: Prepared) -> object:
    """Return all that the tests of one function depend on, but for the machine."""
    name, manifest, artifacts = cases[0].function, prepared.loaded.manifest, prepared.artifacts
    shipment, code = artifacts.shipments.get(name), artifacts.code.get(name)
    items = [(item.name, item.content and item.content.sha256) for item in (shipment.items if shipment else ())]
    # Rows are not shipped, and may be gigabytes: how their files look says enough.
    unshipped = prepared.loaded.files.keys() - artifacts.files.keys() - set(manifest.include)
    rows = look(map(prepared.loaded.file, unshipped))
    keys = keys_of(type(manifest)).values()
    settings = [getattr(manifest, key.attribute) for key in keys if key.name not in ("functions", "include")]
    return repr((settings, manifest.functions[name])), items, code and code.content.sha256, rows
