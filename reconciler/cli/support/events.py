"""
Event file: a line of JSON for each thing that a command does, added as it happens.

Each line is one write to a file that is opened for adding, so that several commands may share one. A pipe is fine if
somebody reads it. What cannot be written any more ends the telling and not the command: a note on stderr says so.
"""

from __future__ import annotations

import errno
import os
import secrets
import select
import stat
import time
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from threading import Lock
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.base.activity import ActivityEnd, ActivityStart, watching
from reconciler.base.errors import UdfsError, UsageError
from reconciler.base.redaction import redact_bytes
from reconciler.cli.support.output import Result, note
from reconciler.core.drift import Drift
from reconciler.core.plan import Plan, upload_size
from reconciler.core.report import EntryBegun, EntryEnded, StepBegun, StepEnded
from reconciler.render.documents import events
from reconciler.testing.trials import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from reconciler.base.errors import Problem
    from reconciler.core.kind import Key
    from reconciler.render.documents.events import EventDocument

_PATIENCE_MS = 5_000
"""How long a reader of a pipe may let it stand full before nothing more is told it."""


@contextmanager
def recording(file: Path, command: str, manifest: str, targets: tuple[str, ...]) -> Iterator[Callable[[object], None]]:
    """Tell a file what goes on as long as the context lasts; what is given is called with the command's `Result`."""
    descriptor = _open(file)
    try:
        log = EventLog(descriptor, time.monotonic)
        log.write(events.StartedEvent(command=command, version=__version__, manifest=manifest, targets=targets))
        code, problems = 1, tuple[events.FinishedProblem, ...]()

        def record(result: object) -> None:
            nonlocal code, problems
            if isinstance(result, Result):
                code = result.code
                problems = _tell_problems(problem for problem in result.problems if problem.severity == "error")

        try:
            with watching(time.monotonic, log.hear):
                yield record
        except UdfsError as error:
            code = error.exit_code
            problems = _tell_problems(error.problems)
            raise
        except KeyboardInterrupt:
            code = 130
            raise
        finally:
            log.write(events.FinishedEvent(exit_code=code, problems=problems))
    finally:
        os.close(descriptor)


def _tell_problems(problems: Iterable[Problem]) -> tuple[events.FinishedProblem, ...]:
    return tuple(events.FinishedProblem(code=problem.code, message=problem.message) for problem in problems)


class EventLog:
    """A file that is told what goes on, by any thread."""

    def __init__(self, descriptor: int, clock: Callable[[], float]) -> None:
        self._descriptor, self._clock = descriptor, clock
        self._run, self._start = secrets.token_hex(8), clock()
        self._begun: dict[Key, float] = {}
        self._lock, self._is_over = Lock(), False

    def hear(self, value: object) -> None:
        """Write down what was announced."""
        event: EventDocument | None = None
        match value:
            case EntryBegun():
                event = events.EntryBegunEvent(**value._asdict())
            case EntryEnded():
                event = events.entry_ended_event(value)
            case ActivityStart(words):
                event = events.ActivityBegunEvent(activity=words)
            case ActivityEnd(standing):
                counts = {each.noun: each.done for each in standing.counts}
                event = events.ActivityEndedEvent(
                    activity=standing.words, took=round(standing.seconds, 3), counts=counts
                )
            case StepBegun(change):
                self._begun[change.key] = self._clock()
                event = events.step_begun_event(change, upload_size(change))
            case StepEnded():
                begun = self._begun.pop(value.change.key, None)
                event = events.step_ended_event(value, None if begun is None else round(self._clock() - begun, 3))
            case Plan():
                event = events.plan_event(value)
            case Drift():
                event = events.drift_event(value)
            case Trial():
                event = events.trial_event(value)
        if event is not None:
            self.write(event)

    def write(self, event: EventDocument) -> None:
        """Add a line."""
        with self._lock:
            seconds = round(self._clock() - self._start, 3)
            now = datetime.now(timezone.utc)
            whole = event.model_copy(update={"run": self._run, "at": now, "seconds": seconds})
            line = redact_bytes(whole.model_dump_json(exclude_none=True).encode()) + b"\n"
            if not self._is_over:
                self._is_over = not self._add(line)

    def _add(self, line: bytes) -> bool:
        """Write a line; return whether there is anybody for the next one."""
        try:
            while line:
                try:
                    line = line[os.write(self._descriptor, line) :]
                except BlockingIOError:
                    if not select.select([], [self._descriptor], [], _PATIENCE_MS / 1000)[1]:
                        raise TimeoutError(errno.ETIMEDOUT, "nobody reads them") from None
        except OSError as error:
            with suppress(OSError, ValueError):
                note(f"events are no longer written: {error.strerror}")
            return False
        return True


def _open(file: Path) -> int:
    """Return the descriptor of a file that lines are added to; E743 for one that takes none."""
    # What a checkout links to elsewhere is not written to; what the system links in /dev is a stream of this process.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    if not str(file).startswith("/dev/"):
        flags |= os.O_NOFOLLOW
    try:
        descriptor = os.open(file, flags, 0o666)
    except OSError as error:
        why = {errno.ENXIO: "nobody reads this pipe", errno.ELOOP: "it is a link"}.get(error.errno or 0, error.strerror)
        hint = "name a file in a folder that is there, or start the reader of the pipe first"
        raise UsageError("E743", f"events cannot be written to '{file}': {why}", hint=hint) from error
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)):
        os.close(descriptor)
        raise UsageError("E743", f"events cannot be written to '{file}': it takes no lines", hint="name a file")
    return descriptor
