"""
Apply of a plan under the stack's lease.

Nothing is written unless the project still is what the plan was made against.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.base.errors import UdfsError
from reconciler.core.report import Report
from reconciler.engine import staleness as fresh
from reconciler.engine.apply import apply
from reconciler.engine.lease import Lease

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.core.plan import Plan
    from reconciler.core.record import Holder, Reading
    from reconciler.core.target import Target
    from reconciler.engine.apply import Patience, Progress


def apply_plan(
    plan: Plan,
    reading: Reading,
    target: Target,
    contents: Mapping[str, Path],
    holder: Holder,
    progress: Progress,
    *,
    patience: Patience,
    writers: int = 8,
    approved: str = "",
) -> Report:
    """
    Make the changes of a plan under the stack's lease; the ledger keeps the digest that was `approved`.

    Before anything is written: `LeaseHeld` if another apply runs, `StalePlan` or `Refused` if the project is no longer
    what the plan was made against.
    """
    if not plan.changes:
        return Report(())
    with Lease(target.store, target.catalog.kinds, plan, reading, holder, patience, approved) as lease:
        # Nobody else applies now; whoever works by hand may still have been here since the plan was made.
        fresh.require(plan, replace(target.read(), last=reading.last))
        report = apply(
            plan, target, contents, progress, patience=patience, require_lease=lease.require, writers=writers
        )
        try:
            lease.finish(plan, report)
        except UdfsError as error:
            # What was done is done and must be told; the entry's lease then ends by itself.
            return replace(report, error=report.error or error)
    return report
