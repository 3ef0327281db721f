"""
Requests side by side, for which nobody waits who does not want them any more.

A request may hang for minutes. Threads of `concurrent.futures` are waited for, where their pool is left and once more
when the interpreter ends; these are not: after an error or Ctrl-C whoever asked goes on at once.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

_A = TypeVar("_A")
_T = TypeVar("_T")
_P = ParamSpec("_P")
_Task: TypeAlias = "tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]"


class Readers:
    """At most so many threads; they begin nothing more once the context is left, and what they are at is dropped."""

    def __init__(self, at_once: int) -> None:
        self._at_once, self._started = at_once, 0
        self._idle = threading.Semaphore(0)
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self.ended = threading.Event()

    def __enter__(self) -> Readers:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        for _ in range(self._started):
            self._tasks.put(None)

    def submit(self, ask: Callable[_P, _T], *given: _P.args, **_: _P.kwargs) -> Future[_T]:
        """Begin to ask as soon as a thread is free. A thread may submit what comes after its own task."""
        answer: Future[_T] = Future()
        self._tasks.put((answer, ask, given))
        if self._started < self._at_once and not self._idle.acquire(blocking=False):
            self._started += 1
            threading.Thread(target=self._work, name="udfs-reader", daemon=True).start()
        return answer

    def ask(self, ask: Callable[[_A], _T], about: Iterable[_A]) -> list[_T]:
        """Return the answers in order; the first error is raised."""
        return [answer.result() for answer in [self.submit(ask, one) for one in about]]

    def _work(self) -> None:
        # A task that comes when all is over finds a thread that leaves.
        while (task := self._tasks.get()) is not None and not self.ended.is_set():
            answer, ask, given = task
            try:
                answer.set_result(ask(*given))
            except BaseException as error:  # noqa: BLE001 - it is raised again where the answer is wanted
                answer.set_exception(error)
            self._idle.release()
