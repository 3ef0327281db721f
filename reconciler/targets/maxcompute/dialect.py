"""MaxCompute's dialect of ``udfs.yaml``: its model, its checks, its runtimes, and its names for what is uploaded."""

from __future__ import annotations

from reconciler.manifest.checks.functions import check_shared_sources
from reconciler.manifest.checks.packages import check_packages
from reconciler.manifest.dialect import Dialect
from reconciler.targets.maxcompute.manifest import IMPLICIT_TARGET, Manifest
from reconciler.targets.maxcompute.manifest_checks import (
    check_functions,
    check_resources,
    check_runtimes,
    check_shared_classes,
    check_tables,
    check_targets,
)

MAXCOMPUTE = Dialect(
    kind="maxcompute",
    model=Manifest,
    implicit_target=IMPLICIT_TARGET,
    objects=("functions", "resources"),
    checks=(
        check_targets,
        check_runtimes,
        check_resources,
        check_tables,
        check_packages,
        check_functions,
        check_shared_sources,
        check_shared_classes,
    ),
)
