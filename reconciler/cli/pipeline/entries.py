"""Entries of a pipeline: the manifests and targets that a `udfs ci` command is about, target by target."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.base.errors import InvalidManifest
from reconciler.base.words import did_you_mean, quote
from reconciler.cli.support.options import split_targets, targets_exclude

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.workflow.ci.manifests import ManifestFile
    from reconciler.workflow.ci.order import Order


@dataclass(frozen=True)
class CiEntry:
    """A manifest and one of its targets."""

    manifest: ManifestFile
    target: str | None
    """None: the usual one."""

    @property
    def label(self) -> str:
        return f"{self.manifest.name}{f' → {self.target}' if self.target else ''}"


def choose_entries(
    order: Order, named: tuple[str, ...], *, all_targets: bool
) -> tuple[tuple[CiEntry, ...], tuple[tuple[CiEntry, str], ...]]:
    """
    Return each manifest with each of its targets that is meant, target by target, and those that have no such target.

    So everything goes to the first target before anything goes to the second.
    """
    if all_targets and named:
        raise targets_exclude()
    targets = split_targets(named)
    if not targets and not all_targets:
        return tuple(CiEntry(manifest, None) for manifest in order.manifests), ()
    declared = {manifest: order.targets_of(manifest) for manifest in order.manifests}
    everything = tuple(dict.fromkeys(itertools.chain.from_iterable(filter(None, declared.values()))))
    if None not in declared.values():
        _require_known(targets, everything)
    entries: list[CiEntry] = []
    passed_over: list[tuple[CiEntry, str]] = []
    for target, manifest in itertools.product(targets or everything, order.manifests):
        if target in (declared[manifest] or (target,)):
            entries.append(CiEntry(manifest, target))
        elif targets:
            passed_over.append((CiEntry(manifest, target), f"it has no target {quote(target)}"))
    return tuple(entries), tuple(passed_over)


def _require_known(targets: Sequence[str], everything: Sequence[str]) -> None:
    """Raise for a target that no manifest has: that one lacks it is in order, that all do is a slip."""
    for name in targets:
        if name not in everything:
            hint = did_you_mean(name, everything) or f"declared: {', '.join(sorted(everything))}"
            raise InvalidManifest("E307", f"no manifest has a target {quote(name)}", hint=hint)
