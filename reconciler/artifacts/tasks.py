"""Work that waits, hashing and fetching, in a few threads; a failure that a person can act on is an outcome like any other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from reconciler.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

_K = TypeVar("_K", bound="Hashable")
_T = TypeVar("_T")
_THREADS = 4


def gather(
    tasks: Mapping[_K, Callable[[], _T]], stop: Callable[[], None] = lambda: None
) -> dict[_K, _T | PackageError]:
    """Do all tasks, some at a time. A failure that a person can act on is an outcome like any other."""
    pool = ThreadPoolExecutor(_THREADS)
    try:
        futures = {name: pool.submit(tried, task) for name, task in tasks.items()}
        return {name: future.result() for name, future in futures.items()}
    except BaseException:  # Ctrl-C above all: nobody wants the other downloads any more
        pool.shutdown(wait=False, cancel_futures=True)
        stop()
        raise
    finally:
        pool.shutdown()


def tried(task: Callable[[], _T]) -> _T | PackageError:
    try:
        return task()
    except PackageError as error:
        return error
