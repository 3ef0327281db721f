"""
Promotion gate of `plan` and `apply`: the target before is read, with its own endpoint and credentials, and never written.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reconciler.base.errors import UdfsError
from reconciler.cli.support.project import connect

if TYPE_CHECKING:
    from reconciler.base.errors import Problem
    from reconciler.cli.support.options import Options
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.workflow.preparation import Prepared


def find_unpromoted(plan: Plan, prepared: Prepared, reading: Reading, options: Options) -> list[Problem]:
    """Return what the manifest's `promote:` has against performing a plan; nobody is asked where it says nothing of the target."""
    loaded = prepared.loaded
    promotion = loaded.manifest.promote.get(loaded.target_name)
    if promotion is None or not plan.changes:
        return []
    from reconciler.manifest import load
    from reconciler.targets.dialects import DIALECTS
    from reconciler.workflow import promotion as gate

    if plan.from_dump:
        return [gate.warn_unchecked(loaded)]
    try:
        earlier = load.load_manifest(options.file, DIALECTS, target=promotion.after, env=os.environ)
        with connect(earlier) as target:
            return gate.refuse_ahead(plan, prepared, reading, earlier, target)
    except UdfsError as error:
        return [gate.refuse_unseen(loaded, error)]
