"""Verdict of a test: also for what shows tests and runs none, which imports nothing for it."""

from __future__ import annotations

import enum


class TrialVerdict(enum.Enum):
    """What became of one test."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"
    LEFT_OUT = "left out"
    """Not run because the manifest says so."""
