"""
Invoker of Function Compute's functions on this machine, as an instance of the service runs them.

    description = InstanceDescription("python3.12", code=folder, handler="index.handler")    description.py
    instance = FunctionInstance(description, env=environ)                                            instance.py
    answer = instance.invoke(b"{}")                                                          in it: worker/

The function sees /code and /opt read-only, a fresh /tmp, no network unless asked (`local.sandbox`), the documented environment
(environment.py), and the CPython of its runtime (pythons.py). Requests of HTTP triggers are events too (http.py).
"""

from reconciler.local.invoke.description import UNHANDLED, EventRequest, FunctionAnswer, InstanceDescription
from reconciler.local.invoke.instance import FunctionInstance
from reconciler.local.invoke.pythons import NotInvocable, find_glibc, find_python
from reconciler.local.invoke.runtimes import RUNTIMES, RuntimeRow

__all__ = [
    "RUNTIMES",
    "UNHANDLED",
    "EventRequest",
    "FunctionAnswer",
    "FunctionInstance",
    "InstanceDescription",
    "NotInvocable",
    "RuntimeRow",
    "find_glibc",
    "find_python",
]
