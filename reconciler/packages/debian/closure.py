"""
Closure of Debian packages: what belongs to those that are asked for, as apt would choose.

Depth first, each group of alternatives in the order of its field: nothing is added where something chosen meets it already; else the first
alternative that can be had. One that would exclude what is chosen, or needs what cannot be had, is passed over with all
that came with it. What the runtime's system has counts as chosen, and is not part of the result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError
from reconciler.base.words import did_you_mean
from reconciler.packages.debian.relations import parse_relations

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.packages.debian.index import PackageIndex, Stanza
    from reconciler.packages.debian.relations import Relation

_NEEDS = ("Pre-Depends", "Depends")
_EXCLUDES = ("Conflicts", "Breaks")
_MERGED = ("usr-is-merged",)
"""What debootstrap takes first: the other way to a merged /usr is a program that needs Perl, which no small system then has."""


@dataclass(frozen=True)
class ClosurePackage:
    """A package of a closure."""

    stanza: Stanza
    because: str | None
    """The package that needs it; None if it was asked for."""


@dataclass
class _Choice:
    """What is chosen so far; a step that fails is taken back."""

    index: PackageIndex
    recommends: bool
    chosen: dict[str, ClosurePackage] = field(default_factory=dict)
    reason: str = ""
    """Why the last step failed that nothing could replace."""

    _providers: dict[str, list[Stanza]] = field(default_factory=dict)
    _exclusions: dict[str, list[tuple[Relation, Stanza]]] = field(default_factory=dict)

    def take(self, stanza: Stanza, because: str | None) -> bool:
        """Choose a package without what it needs; say whether nothing chosen excludes it."""
        if (rival := self._rival(stanza)) is not None:
            self.reason = f"{stanza.name} {stanza.version} and {rival} exclude each other"
            return False
        self.chosen[stanza.name] = ClosurePackage(stanza, because)
        for name in _names_of(stanza):
            self._providers.setdefault(name, []).append(stanza)
        for (relation,) in stanza.relations(*_EXCLUDES):
            self._exclusions.setdefault(relation.name, []).append((relation, stanza))
        return True

    def complete(self, stanza: Stanza) -> bool:
        """Choose what a package needs; say whether all of it could be had."""
        if not all(self._meet(group, stanza.name) for group in stanza.relations(*_NEEDS)):
            return False
        for group in stanza.relations("Recommends") if self.recommends else ():
            self._meet(group, stanza.name)
        return True

    def _add(self, stanza: Stanza, because: str) -> bool:
        if stanza.name in self.chosen:
            return True
        mark = len(self.chosen)
        if self.take(stanza, because) and self.complete(stanza):
            return True
        for name in [*self.chosen][mark:]:
            self._take_back(name)
        return False

    def _meet(self, group: Sequence[Relation], because: str) -> bool:
        if any(stanza.meets(relation) for relation in group for stanza in self._providers.get(relation.name, ())):
            return True
        candidates = [stanza for relation in group for stanza in self.index.candidates(relation)]
        if not candidates:
            self.reason = f"{because} needs {' | '.join(map(str, group))}, which this suite does not have"
        return any(self._add(stanza, because) for stanza in candidates)

    def _rival(self, stanza: Stanza) -> str | None:
        """Return what is chosen and excludes a package, or is excluded by it."""
        for (relation,) in stanza.relations(*_EXCLUDES):
            for other in self._providers.get(relation.name, ()):
                if other.name != stanza.name and other.meets(relation):
                    return other.name
        for name in _names_of(stanza):
            for relation, other in self._exclusions.get(name, ()):
                if other.name != stanza.name and stanza.meets(relation):
                    return other.name
        return None

    def _take_back(self, name: str) -> None:
        stanza = self.chosen.pop(name).stanza
        for provided in _names_of(stanza):
            self._providers[provided].remove(stanza)
        for (relation,) in stanza.relations(*_EXCLUDES):
            self._exclusions[relation.name].remove((relation, stanza))


def _names_of(stanza: Stanza) -> list[str]:
    return [stanza.name, *{relation.name for relation in stanza.provides} - {stanza.name}]


def find_base(index: PackageIndex) -> frozenset[str]:
    """Return the packages that a runtime's system certainly has: what Debian calls essential, and what that needs."""
    choice = _Choice(index, recommends=False)
    first = (stanza for name in _MERGED if (stanza := index.stanza(name)))
    for stanza in (*first, *index.essentials()):
        if stanza.name not in choice.chosen and choice.take(stanza, None):
            choice.complete(stanza)
    return frozenset(choice.chosen)


def find_closure(
    index: PackageIndex, names: Sequence[str], base: Iterable[str] = (), *, recommends: bool = False
) -> list[ClosurePackage]:
    """
    Return what belongs to these packages and is not in the base, in the order in which it was chosen.

    A name may have a condition, ``libgdal32 (>= 3.6)``, or be one that others provide. Raises E452 for a name that the suite does
    not have, and E453 if not everything can be had at once.
    """
    choice = _Choice(index, recommends)
    for name in sorted(base):
        if (stanza := index.stanza(name)) is not None:
            choice.take(stanza, None)
    present = len(choice.chosen)
    roots = [_find_package(index, name) for name in names]
    for stanza in roots:
        if stanza.name not in choice.chosen and not choice.take(stanza, None):
            raise _impossible(stanza, choice.reason)
    for stanza in roots:
        if not choice.complete(stanza):
            raise _impossible(stanza, choice.reason)
    return [*choice.chosen.values()][present:]


def _find_package(index: PackageIndex, name: str) -> Stanza:
    """Return the package that is meant."""
    try:
        ((relation,),) = parse_relations(name)
    except ValueError as error:
        hint = "write the name of one package, libgdal32, or one with a condition: libgdal32 (>= 3.6)"
        raise PackageError("E452", f"'{name}' names no Debian package", hint=hint) from error
    candidates = index.candidates(relation)
    if candidates:
        return candidates[0]
    if (stanza := index.stanza(relation.name)) is not None:
        message = f"the suite has {relation.name} {stanza.version}, and the manifest asks for '{name}'"
        raise PackageError("E452", message, hint="take another suite, or another condition")
    hint = did_you_mean(relation.name, index.names) or "names change between suites: look for it on Debian's pages"
    raise PackageError("E452", f"the suite has no package '{relation.name}'", hint=hint)


def _impossible(stanza: Stanza, reason: str) -> PackageError:
    hint = "leave one of them out, or take it from another package"
    return PackageError("E453", f"'{stanza.name}' cannot be had: {reason}", hint=hint)
