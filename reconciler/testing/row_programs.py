"""
Programs that take rows: a function's class in its CPython, called as SQL calls it.

Each test gets a new instance of the class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.local import runner
from reconciler.local.runner.unpacked import may_see_links
from reconciler.testing.expectations import check_result
from reconciler.testing.trials import Trial
from reconciler.testing.verdict import TrialVerdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.local.runner import Interpreter, Job
    from reconciler.local.runner.layout import Unpacking
    from reconciler.local.runner.unpacked import UnpackedArchives
    from reconciler.testing.trials import Bounds, Case


@dataclass(frozen=True)
class RowProgram:
    """A job, and the interpreter for it."""

    interpreter: Interpreter
    job: Job
    archives: UnpackedArchives | None = None
    """Those of other functions, too."""

    @property
    def version(self) -> str:
        return self.interpreter.release

    def start(self, bounds: Bounds, cancelled: Callable[[], bool]) -> RowSession:
        """Load the class."""
        if self.archives:
            self.archives.compile_imported(self.interpreter)
        return RowSession(
            runner.session(
                self.interpreter,
                self.job,
                timeout=bounds.seconds,
                memory=bounds.memory,
                cancelled=cancelled,
                unpack=self._unpacking(),
            ),
            self.archives,
        )

    def _unpacking(self) -> Unpacking | None:
        if self.archives is None:
            return None
        files = (resource.path for resource in self.job.resources if resource.type == "py" and resource.path)
        sources = (file.read_bytes() for file in files if file.is_file())
        return self.archives.lay_without_links if may_see_links(sources) else self.archives.lay


@dataclass(frozen=True)
class RowSession:
    """A class that is loaded."""

    session: runner.Session
    archives: UnpackedArchives | None = None

    @property
    def is_alive(self) -> bool:
        return self.session.alive

    def try_case(self, case: Case) -> Trial:
        """Call it over the rows of a test."""
        rows = [[runner.Json(value) for value in row] for row in case.test.input]
        call = self.session.call(rows, timeout=case.test.timeout)
        difference = check_result(case.test, self.session.description.kind, list(call))
        verdict = TrialVerdict.FAILED if difference else TrialVerdict.PASSED
        return Trial(case, verdict, difference=difference, log=call.log)

    def close(self) -> None:
        if self.archives:
            self.archives.note_imported(self.session.worker.cwd, self.session.find_imported())
        self.session.close()
