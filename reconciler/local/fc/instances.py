"""
Warm instances of functions: each answers one event at a time, and is kept for the next that is of the same description.

How long the service keeps an instance, and how many, is not published; here the longest idle ends when there are many.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from reconciler.local.http.messages import HttpRefusal
from reconciler.local.invoke import EventRequest, FunctionInstance, NotInvocable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.local.invoke import FunctionAnswer, InstanceDescription

MOST_AT_WORK = 16
_MOST_IDLE = 8


class InstancePool:
    """The instances of a server."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._idle: OrderedDict[FunctionInstance, str] = OrderedDict()
        self._working: dict[FunctionInstance, str] = {}
        self._lock = threading.Lock()
        self._is_closed = False

    def invoke(
        self, description: InstanceDescription, event: bytes, request_id: str, *, most: int | None
    ) -> FunctionAnswer:
        """
        Return what a function makes of an event.

        429 ``ResourceExhausted`` (documented) where as many of it are at work as are reserved for it; 501 of our own where this machine
        cannot run it.
        """
        instance = self._take(description, most)
        try:
            return instance.invoke(event, EventRequest(id=request_id))
        except NotInvocable as problem:
            instance.close()
            raise refuse_to_run(problem) from None
        finally:
            self._give_back(instance)

    def close(self) -> None:
        """End all instances; none is started after it."""
        with self._lock:
            self._is_closed = True
            instances = [*self._idle, *self._working]
            self._idle.clear()
        for instance in instances:
            instance.close()

    def _take(self, description: InstanceDescription, most: int | None) -> FunctionInstance:
        name = description.name
        with self._lock:
            if self._is_closed:
                raise HttpRefusal(503, "ServiceUnavailable", "the local service is closing")
            working = list(self._working.values())
            if len(working) >= MOST_AT_WORK or (most is not None and working.count(name) >= most):
                raise HttpRefusal(429, "ResourceExhausted", f"all instances of function '{name}' are at work")
            for instance in reversed(self._idle):
                if instance.description == description:
                    self._working[instance] = self._idle.pop(instance)
                    return instance
            try:
                instance = FunctionInstance(description, env=self._environment)
            except NotInvocable as problem:
                raise refuse_to_run(problem) from None
            self._working[instance] = name
            return instance

    def _give_back(self, instance: FunctionInstance) -> None:
        with self._lock:
            name = self._working.pop(instance, "")
            if instance.is_alive and not self._is_closed:
                self._idle[instance] = name
            ended = [self._idle.popitem(last=False)[0] for _ in range(len(self._idle) - _MOST_IDLE)]
            if self._is_closed:
                ended.append(instance)
        for old in ended:
            old.close()


def refuse_to_run(problem: NotInvocable) -> HttpRefusal:
    """Return the answer to what cannot be run here; the service itself has no such answer."""
    return HttpRefusal(501, "NotInvocable", f"the local service cannot run it: {problem}")
