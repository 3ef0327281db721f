"""
Names and files in a manifest: each name is one that its kind may have, stands once, and is declared where it is used.

Each file is there, inside the manifest's folder, and of the right kind.
"""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING, Any

from reconciler.base.patterns import matcher
from reconciler.base.words import did_you_mean, quote
from reconciler.manifest.dialect import Flaw
from reconciler.manifest.paths import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from reconciler.manifest.dialect import Draft, Keys
    from reconciler.manifest.paths import Kind


_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_MAX_GUESSES = 100


def is_identifier(text: str) -> bool:
    """Say whether `text` can be a module or a class in every Python."""
    return _IDENTIFIER.match(text) is not None and not keyword.iskeyword(text)


def nearest_identifier(text: str) -> str:
    """Return what is like `text`, and can be a module."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    name = name if name.strip("_") else "my_function"
    return name if is_identifier(name) else f"{name}_" if keyword.iskeyword(name) else f"_{name}"


def check_names(
    draft: Draft[Any], section: str, names: Iterable[str], why_not: Callable[[str], str | None]
) -> Iterator[Flaw]:
    """Yield the names that cannot be, and those that differ from another one only in case."""
    first: dict[str, str] = {}
    for name in names:
        if (reason := why_not(name)) is not None:
            yield Flaw("E302", f"{quote(name)} cannot be the name of a {section[:-1]}", (section, name), reason, True)
        # Folded: the service keeps the first spelling and finds it under any.
        twin = first.setdefault(name.lower(), name)
        if twin != name:
            where = draft.where(section, twin, at_key=True)
            message = f"the {section} {quote(twin)} and {quote(name)} differ only in case"
            hint = f"{quote(twin)} is at {where}; to {draft.dialect.service.name} they are one"
            yield Flaw("E303", message, (section, name), hint, True)


def check_repeated(texts: Iterable[str], *keys: str | int) -> Iterator[Flaw]:
    """Yield the items of the list at `keys` that stand there before."""
    seen = set[str]()
    for index, text in enumerate(texts):
        if text in seen:
            yield Flaw("E313", f"{quote(text)} is listed twice", (*keys, index), "keep one")
        seen.add(text)


def undeclared_name(draft: Draft[Any], name: str, keys: Keys, declared: Iterable[str], otherwise: str = "") -> Flaw:
    """Return the flaw that a name is not declared under the key `keys` end with, its last item aside."""
    section = str(keys[-2])
    # A guess compares with every name there is, so a manifest full of mistakes gets only so many.
    guess = did_you_mean(name, declared) if len(draft.document.problems) < _MAX_GUESSES else None
    message = f"the {section[:-1]} {quote(name)} is not declared under `{section}:`"
    return Flaw("E301", message, keys, guess or otherwise or f"declare it under `{section}:`")


def check_moved(draft: Draft[Any]) -> Iterator[Flaw]:
    """Yield new names that are not declared, and old ones that still are."""
    sections = draft.dialect.objects
    declared = {name.lower() for section in sections for name in getattr(draft.manifest, section)}
    seen = set[str]()
    for number, move in enumerate(draft.manifest.moved):
        if move.to.lower() not in declared:
            keys = " or ".join(f"`{section}:`" for section in sections)
            hint = did_you_mean(move.to, declared) or f"it takes a name under {keys}"
            message = f"there is no {quote(move.to)} that anything could be called now"
            yield Flaw("E530", message, ("moved", number, "to"), hint)
        old = move.from_.lower()
        # A name that is still declared would be deleted and wanted at once.
        if old in declared or old in seen:
            why = "is still in the manifest" if old in declared else "has another new name already"
            hint = "the old name is one that the manifest no longer has"
            yield Flaw("E530", f"{quote(move.from_)} {why}", ("moved", number, "from"), hint)
        seen.add(old)


def check_file(draft: Draft[Any], text: str, *keys: str | int, kind: Kind = "file") -> Generator[Flaw, None, str]:
    """Yield why a path at `keys` cannot be used; return the file, or the path as it is written."""
    path = draft.find_file(text, kind)
    if isinstance(path, Refusal):
        yield Flaw(path.code, path.message, keys, path.hint)
        return text
    return path


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
