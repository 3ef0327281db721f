"""
A thread pool whose pending requests are abandoned, not awaited, on error or Ctrl-C.

A request may hang for minutes. Threads of `concurrent.futures` are waited for, where their pool is left and once more
when the interpreter ends; these are not: after an error or Ctrl-C whoever asked goes on at once.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar

from reconciler.base.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping
    from types import TracebackType

_A = TypeVar("_A")
_K = TypeVar("_K", bound="Hashable")
_T = TypeVar("_T")
_P = ParamSpec("_P")
_Task: TypeAlias = "tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]"
_THREADS = 4


class Threads:
    """At most so many threads; they begin nothing more once the context is left, and what they are at is dropped."""

    def __init__(self, at_once: int) -> None:
        self._at_once, self._started = at_once, 0
        self._idle = threading.Semaphore(0)
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self.ended = threading.Event()

    def __enter__(self) -> Threads:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        for _ in range(self._started):
            self._tasks.put(None)

    def submit(self, call: Callable[_P, _T], *args: _P.args, **_: _P.kwargs) -> Future[_T]:
        """Begin a call as soon as a thread is free. A thread may submit what comes after its own task."""
        future: Future[_T] = Future()
        self._tasks.put((future, call, args))
        if self._started < self._at_once and not self._idle.acquire(blocking=False):
            self._started += 1
            threading.Thread(target=self._work, name="udfs-reader", daemon=True).start()
        return future

    def map(self, call: Callable[[_A], _T], arguments: Iterable[_A]) -> list[_T]:
        """Return the results in order; the first error is raised."""
        return [future.result() for future in [self.submit(call, argument) for argument in arguments]]

    def _work(self) -> None:
        # A task that comes when all is over finds a thread that leaves.
        while (task := self._tasks.get()) is not None and not self.ended.is_set():
            future, call, args = task
            try:
                future.set_result(call(*args))
            except BaseException as error:  # noqa: BLE001 - it is raised again where the result is wanted
                future.set_exception(error)
            self._idle.release()


def gather(
    tasks: Mapping[_K, Callable[[], _T]], stop: Callable[[], None] = lambda: None
) -> dict[_K, _T | PackageError]:
    """Do all tasks, some at a time. A failure that a person can act on is an outcome like any other."""
    # One queue, and not a future for each: of thousands of small files, those take longer than the hashing.
    waiting: queue.SimpleQueue[_K] = queue.SimpleQueue()
    for name in tasks:
        waiting.put(name)
    outcomes: dict[_K, _T | PackageError] = {}
    given_up = threading.Event()

    def work() -> None:
        while not given_up.is_set():
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                outcomes[name] = value_or_error(tasks[name])
            except BaseException:
                given_up.set()
                raise

    with Threads(_THREADS) as threads:
        try:
            for future in [threads.submit(work) for _ in range(min(_THREADS, len(tasks)))]:
                future.result()
        except BaseException:  # Ctrl-C above all: nobody wants the other downloads any more
            given_up.set()
            stop()
            raise
    return {name: outcomes[name] for name in tasks}


def value_or_error(task: Callable[[], _T]) -> _T | PackageError:
    """Return what a task returns, or the error that a person can act on."""
    try:
        return task()
    except PackageError as error:
        return error
