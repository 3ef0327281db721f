"""
The changes of a plan, made while their progress is shown.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from reconciler.cli.support import identity
from reconciler.cli.support.interrupts import first_asks
from reconciler.cli.support.progress import Lines
from reconciler.engine.apply import Patience
from reconciler.workflow import applying

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.cli.support.options import Options
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.core.report import Report
    from reconciler.core.target import Target


@dataclass(frozen=True)
class Proposal:
    """A plan, with what it was made against and what it needs to be carried out."""

    plan: Plan
    reading: Reading
    target: Target
    contents: Mapping[str, Path] = field(default_factory=dict)


writers_option = click.option(
    "--writers",
    type=click.IntRange(1, 32),
    default=8,
    show_default=True,
    envvar="UDFS_WRITERS",
    help="How many changes are made at a time.",
)


def perform(proposal: Proposal, options: Options, writers: int, approved: str = "") -> Report:
    """Make the changes of a plan, and show how they go."""
    # Writers that were refused together try again apart.
    patience = Patience(time.monotonic, jitter=lambda: random.uniform(0.5, 1.5))
    holder = identity.holder(options.file.parent)
    lines = Lines(proposal.plan)
    with first_asks(patience.stop, lines.stopping):
        return applying.apply_plan(
            proposal.plan,
            proposal.reading,
            proposal.target,
            proposal.contents,
            holder,
            lines,
            patience=patience,
            writers=writers,
            approved=approved,
        )
