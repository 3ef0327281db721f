"""Work that waits, hashing and fetching, in a few threads; a failure that a person can act on is an outcome like any other."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeVar

from reconciler.base.errors import PackageError
from reconciler.base.threads import Readers

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

_K = TypeVar("_K", bound="Hashable")
_T = TypeVar("_T")
_THREADS = 4


def gather(
    tasks: Mapping[_K, Callable[[], _T]], stop: Callable[[], None] = lambda: None
) -> dict[_K, _T | PackageError]:
    """Do all tasks, some at a time. A failure that a person can act on is an outcome like any other."""
    # One queue, and not a future for each: of thousands of small files, those take longer than the hashing.
    todo: queue.SimpleQueue[_K] = queue.SimpleQueue()
    for name in tasks:
        todo.put(name)
    done: dict[_K, _T | PackageError] = {}
    given_up = threading.Event()

    def work() -> None:
        while not given_up.is_set():
            try:
                name = todo.get_nowait()
            except queue.Empty:
                return
            try:
                done[name] = tried(tasks[name])
            except BaseException:
                given_up.set()
                raise

    with Readers(_THREADS) as readers:
        try:
            for one in [readers.submit(work) for _ in range(min(_THREADS, len(tasks)))]:
                one.result()
        except BaseException:  # Ctrl-C above all: nobody wants the other downloads any more
            given_up.set()
            stop()
            raise
    return {name: done[name] for name in tasks}


def tried(task: Callable[[], _T]) -> _T | PackageError:
    try:
        return task()
    except PackageError as error:
        return error
