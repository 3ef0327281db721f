"""Files that a manifest names: each is there, inside the manifest's folder, and of the right kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.base.patterns import matcher
from reconciler.base.words import quote
from reconciler.manifest.checks.names import check_repeated
from reconciler.manifest.dialect import Flaw
from reconciler.manifest.paths import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.manifest.dialect import Draft
    from reconciler.manifest.paths import Kind


def check_file(draft: Draft[Any], text: str, *keys: str | int, kind: Kind = "file") -> Iterator[Flaw]:
    """Yield why a path at `keys` cannot be used."""
    path = draft.find_file(text, kind)
    if isinstance(path, Refusal):
        yield Flaw(path.code, path.message, keys, path.hint)


def check_files(draft: Draft[Any], texts: Sequence[str], *keys: str | int, kind: Kind = "file") -> Iterator[Flaw]:
    """Yield what is wrong with a list of paths."""
    yield from check_repeated(texts, *keys)
    for index, text in enumerate(texts):
        yield from check_file(draft, text, *keys, index, kind=kind)


def check_patterns(patterns: Sequence[str], *keys: str | int) -> Iterator[Flaw]:
    """Yield what is wrong with a list of patterns as in .gitignore."""
    yield from check_repeated(patterns, *keys)
    for index, pattern in enumerate(patterns):
        try:
            matcher([pattern])
        except ValueError:
            hint = "as in .gitignore: tests/, *.c, numpy/core/include/"
            yield Flaw("E203", f"{quote(pattern)} is not a pattern for files", (*keys, index), hint)


def check_policy(draft: Draft[Any]) -> Iterator[Flaw]:
    """Yield why the policy's file cannot be used."""
    if draft.manifest.policy is not None:
        yield from check_file(draft, draft.manifest.policy, "policy")
