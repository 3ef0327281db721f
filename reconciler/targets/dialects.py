"""Dialects of ``udfs.yaml`` by the kinds of target; that of a manifest that names no kind comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.targets.maxcompute.dialect import MAXCOMPUTE

if TYPE_CHECKING:
    from reconciler.manifest.load import Dialects

DIALECTS: Dialects = {MAXCOMPUTE.kind: MAXCOMPUTE}
