"""
Promotion from target to target: each target that is named is declared, and no target waits for itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.base.words import did_you_mean, quote
from reconciler.manifest.dialect import Flaw

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.manifest.dialect import Draft
    from reconciler.manifest.model import Promotion

_IMPLICIT = "local"
"""The one target of a manifest that declares none."""


def check_promotion(draft: Draft[Any]) -> Iterator[Flaw]:
    """Yield targets that are not declared, and the last step of each circle in which targets wait for one another."""
    promote: Mapping[str, Promotion] = draft.manifest.promote
    declared = [*draft.manifest.targets] or [_IMPLICIT]
    for target, promotion in promote.items():
        if target not in declared:
            yield _refuse_name(target, declared, ("promote", target), at_key=True)
        if promotion.after not in declared:
            yield _refuse_name(promotion.after, declared, ("promote", target, "after"), at_key=False)
    settled: set[str] = set()
    for first in promote:
        road = [first]
        while road[-1] not in settled and (step := promote.get(road[-1])):
            if step.after in road:
                circle = [*road[road.index(step.after) :], step.after]
                yield Flaw(
                    "E581",
                    f"{' waits for '.join(map(quote, circle))}: nothing could ever be applied to them",
                    ("promote", road[-1], "after"),
                    "the first target of the road waits for none: take it out of `promote:`",
                )
                break
            road.append(step.after)
        settled.update(road)


def _refuse_name(name: str, declared: list[str], keys: tuple[str, ...], *, at_key: bool) -> Flaw:
    hint = did_you_mean(name, declared) or f"declared: {', '.join(map(quote, declared))}"
    return Flaw("E580", f"there is no target {quote(name)} under `targets:`", keys, hint, at_key)
