"""
Source form of an imported function: its module as ``source:``, the other PY resources that it lists as ``modules:``.

A function in this form gets versions. The module that it had stays in the project under its name, unmarked: other functions
may list it, and it is what a rollback to the adoption needs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.core.plan import needs
from reconciler.manifest.editing import literally
from reconciler.targets.maxcompute.importing.selection import SourceKeys, path_of
from reconciler.targets.maxcompute.objects import Function, Resource, resource_key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from reconciler.core.kind import Key
    from reconciler.core.state import Live
    from reconciler.targets.maxcompute.importing.selection import Selection


@dataclass
class SourceForms:
    """The functions of an import that are written with ``source:``, as far as they can be."""

    chosen: set[Key] = field(default_factory=set)

    @classmethod
    def of(cls, selection: Selection) -> SourceForms:
        modules = _modules(selection.resources)
        return cls({live.object.key for live in selection.functions if _entry(live) in modules})

    def give_up(self, refused: Collection[Key], selection: Selection) -> bool:
        """Write those of the functions otherwise that are refused, or list what is; say whether there are such."""
        lost = {
            live.object.key
            for live in selection.functions
            if live.object.key in self.chosen
            and (live.object.key in refused or not set(refused).isdisjoint(needs(live.object)))
        }
        self.chosen -= lost
        return bool(lost)

    def entries(self, selection: Selection) -> dict[Key, SourceKeys]:
        """Return for each function in this form the keys that say where its code is."""
        modules = _modules(selection.resources)
        return {
            live.object.key: self._entries(live, modules)
            for live in selection.functions
            if live.object.key in self.chosen
        }

    def absorbed_keys(self, selection: Selection) -> dict[Key, str]:
        """Return the resources that need no entry of their own, because they are sources and modules, and which of the two."""
        modules = _modules(selection.resources)
        sources = {_entry(live) for live in selection.functions if live.object.key in self.chosen}
        plain = {
            key for live in selection.functions if live.object.key not in self.chosen for key in needs(live.object)
        }
        used = {key for live in selection.functions if live.object.key in self.chosen for key in needs(live.object)}
        return {
            key: "a source" if key in sources else "a module"
            for key in (used & modules.keys()) - plain - selection.named
        }

    def _entries(self, live: Live, modules: dict[Key, str]) -> SourceKeys:
        assert isinstance(live.object, Function)
        entry = _entry(live)
        listed = [resource_key(ref.name) for ref in live.object.resources if ref.is_own]
        return SourceKeys(
            {"source": literally(modules[entry]), "class": literally(live.object.class_path.rpartition(".")[2])},
            [modules[key] for key in listed if key in modules and key != entry],
            frozenset(modules),
        )


def _entry(live: Live) -> Key:
    """Return the resource that holds the class of a function, if it is listed."""
    assert isinstance(live.object, Function)
    return resource_key(f"{live.object.class_path.rpartition('.')[0]}.py")


def _modules(resources: Iterable[Live]) -> dict[Key, str]:
    """Return the paths of what is imported by its file's name."""
    return {
        live.object.key: path_of(live.object)
        for live in resources
        if isinstance(live.object, Resource)
        and live.object.type == "py"
        and path_of(live.object).rpartition("/")[2] == live.object.name
    }
