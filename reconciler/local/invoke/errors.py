"""
Errors of running functions of Function Compute here; what goes wrong in a function is an `Answer`.
"""

from __future__ import annotations

from reconciler.local.runner.errors import RunnerError


class NotInvocable(RunnerError):
    """There is nothing here that could run it; the message says what is missing."""
