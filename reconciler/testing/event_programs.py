"""
Programs that take events: a function as it is started for them, called with the event of each test.

A text is its bytes, anything else JSON; a result is compared as text where a text is expected, else as JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from reconciler.local.invoke import NotInvocable
from reconciler.local.runner import FunctionRaised
from reconciler.testing.expectations import ResultMismatch, find_mismatch
from reconciler.testing.trials import Trial
from reconciler.testing.verdict import TrialVerdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.local.invoke import FunctionAnswer
    from reconciler.manifest.model import Test
    from reconciler.testing.trials import Bounds, Case


class EventFunction(Protocol):
    """A function that takes events, started here when the first one comes."""

    @property
    def is_alive(self) -> bool:
        """Whether it takes events."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not as on the service, for people; complete after the first event."""

    def invoke(self, event: bytes, timeout: float | None = None) -> FunctionAnswer:
        """Return what it makes of an event; raises a `RunnerError` where it cannot be started."""

    def close(self) -> None:
        """End it. Harmless twice."""


@dataclass(frozen=True)
class EventProgram:
    """A function, and how it is made ready."""

    version: str
    """That of the CPython."""

    prepare: Callable[[Bounds], EventFunction]
    note: Callable[[str], None]
    """Is told what is not as on the service."""

    def start(self, bounds: Bounds, cancelled: Callable[[], bool]) -> EventSession:
        """Make it ready. A call ends with its time-out, and is not cancelled before."""
        if cancelled():
            raise NotInvocable("the call was given up")
        return EventSession(self.prepare(bounds), self.note)


@dataclass(frozen=True)
class EventSession:
    """A function that is ready."""

    function: EventFunction
    note: Callable[[str], None]

    @property
    def is_alive(self) -> bool:
        return self.function.is_alive

    def try_case(self, case: Case) -> Trial:
        """Call it with the event of a test; raises `FunctionRaised` for whatever the service would call an error."""
        answer = self.function.invoke(encode_event(case.test.input[0][0]), case.test.timeout)
        notes = self.function.notes
        if answer.error is not None:
            raise failure_of(case.function, answer)
        difference = compare_answer(case.test, answer.payload)
        verdict = TrialVerdict.FAILED if difference else TrialVerdict.PASSED
        return Trial(case, verdict, difference=difference, log=answer.log, notes=notes)

    def close(self) -> None:
        for text in self.function.notes:
            self.note(text)
        self.function.close()


def encode_event(event: object) -> bytes:
    """Return the bytes of an event as a manifest has it."""
    if isinstance(event, str):
        return event.encode("utf-8")
    return json.dumps(event, ensure_ascii=False, default=str).encode("utf-8")


def compare_answer(test: Test, payload: bytes) -> ResultMismatch | None:
    """Compare what came of a test with what it says."""
    text = payload.decode("utf-8", "backslashreplace")
    if test.raises is not None:
        return ResultMismatch("", None, text, f"{test.raises} is expected")
    if isinstance(test.returns, str):
        return find_mismatch(test.returns, text)
    try:
        value = json.loads(payload)
    except ValueError:
        return ResultMismatch("", test.returns, text, "it is no JSON")
    return find_mismatch(test.returns, value)


def failure_of(function: str, answer: FunctionAnswer) -> FunctionRaised:
    """Return the error of an answer, with its stack as Python writes one."""
    failure = answer.failure
    line = f"{answer.error_type}: {failure.get('errorMessage', '')}".removesuffix(": ")
    return FunctionRaised(
        f"{function} raised {line}",
        exception=line,
        traceback="\n".join(_frames(failure.get("stackTrace"))),
        log=answer.log,
    )


def _frames(stack: object) -> list[str]:
    frames: list[str] = []
    for frame in stack if isinstance(stack, list) else ():
        if isinstance(frame, list) and len(frame) == 4:
            file, line, function, code = map(str, frame)
            frames += [f"  {file}, {line}, {function}", *([f"    {code}"] if code else [])]
        else:
            frames += [f"  {text}" for text in str(frame).rstrip().splitlines()]
    return frames
