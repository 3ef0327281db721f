"""
Sizes: what each object of a stack holds, and what each function brings along.

Bytes are those that the service would be sent; what two functions share is counted with each of them, and once in the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.core.kind import Key
    from reconciler.core.state import Object


class ContentSize(NamedTuple):
    """Bytes of an object or of a function with all that it needs."""

    kind: str
    """What people call it: its type, where its kind has types."""

    name: str
    bytes: int
    users: int = 0
    """How many functions need it."""


class Sizes(NamedTuple):
    """Sizes of a stack, the largest first."""

    functions: tuple[ContentSize, ...]
    objects: tuple[ContentSize, ...]

    @property
    def total(self) -> int:
        """Bytes of all objects, each once."""
        return sum(each.bytes for each in self.objects)


def measure(objects: Iterable[Object]) -> Sizes:
    """Return the sizes of some objects; what holds nothing is left out."""
    by_key = {obj.key: obj for obj in objects}
    users: dict[Key, int] = {}
    functions = []
    for obj in by_key.values():
        if obj.kind.leads:
            needed = _list_needs(obj, by_key)
            for need in needed:
                users[need] = users.get(need, 0) + 1
            total = sum(by_key[key].kind.size(by_key[key]) for key in (obj.key, *needed))
            functions.append(ContentSize(obj.kind.name, obj.name, total))
    held = [
        ContentSize(_type_of(obj), obj.name, size, users.get(key, 0))
        for key, obj in by_key.items()
        if (size := obj.kind.size(obj))
    ]
    return Sizes(_largest_first(functions), _largest_first(held))


def _list_needs(obj: Object, by_key: Mapping[Key, Object]) -> set[Key]:
    """Return the keys of what an object needs, and what these need."""
    reached: set[Key] = set()
    waiting = [obj]
    while waiting:
        each = waiting.pop()
        needed = [key for key in each.kind.needs(each) if key in by_key and key not in reached]
        reached.update(needed)
        waiting += [by_key[key] for key in needed]
    return reached - {obj.key}


def _type_of(obj: Object) -> str:
    return dict(obj.kind.show(obj)).get("type", obj.kind.name)


def _largest_first(sizes: Iterable[ContentSize]) -> tuple[ContentSize, ...]:
    return tuple(sorted(sizes, key=lambda each: (-each.bytes, each.name)))
