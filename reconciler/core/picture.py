"""
Picture of a stack in three columns: functions, the packages that they name, and what lies in these.

Only what is shared is drawn: what belongs to one function alone is a number at it. Functions that need the same, and to which
the same is done, are one node; where there are more nodes in a column than anybody looks at, the last ones are one.
Nothing here has a place on a page.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from reconciler.core.diff import Action, Change
from reconciler.core.plan import needs
from reconciler.core.state import Live

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reconciler.core.drift import Drift
    from reconciler.core.kind import Key
    from reconciler.core.plan import Plan
    from reconciler.core.record import Entry
    from reconciler.core.state import DesiredState

K = TypeVar("K")

MOST_NODES = 24
"""Of a column."""


class Node(NamedTuple):
    """Some objects, or a package."""

    column: int
    kind: str
    """What each of them is: ``function``, ``package``, ``archive``."""

    names: tuple[str, ...]
    action: Action = Action.KEEP
    """What is done to each of them; UPDATE where it is not the same."""

    belongings: tuple[tuple[Action, int], ...] = ()
    """What belongs to nothing else, by what is done to it."""


class Picture(NamedTuple):
    """Nodes, and pairs of their numbers: the first needs the second."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]


def plan_picture(plan: Plan) -> Picture:
    """Return the picture of a plan: what it changes and what stays."""
    return draw([*plan.changes, *plan.unchanged, *plan.shared])


def drift_picture(plan: Plan, drift: Drift) -> Picture:
    """Return the picture of a stack in which what was changed outside is what changes; `plan` is of the same reading."""
    absent = {change.key for change in plan.changes if change.live is None}
    drifted = {deviation.key for deviation in drift.drifted}
    return draw(
        change._replace(
            action=Action.KEEP
            if change.key not in drifted
            else (Action.DELETE if change.key in absent else Action.UPDATE)
        )
        for change in (*plan.changes, *plan.unchanged, *plan.shared)
        if change.desired is not None
    )


def desired_picture(desired: DesiredState, most: int = MOST_NODES) -> Picture:
    """Return the picture of what a manifest asks for, with no more nodes than `most` in a column; 0 draws all."""
    return draw((Change(Action.KEEP, key, want, None) for key, want in desired.items()), most)


def entry_picture(entry: Entry) -> Picture:
    """Return the picture of what was managed when a run was over."""
    return draw(Change(Action.KEEP, key, None, Live(applied.object)) for key, applied in entry.objects.items())


def draw(changes: Iterable[Change], most: int = MOST_NODES) -> Picture:
    """Return the picture of some objects; with 0 for `most`, each function and each object has a node of its own."""
    objects = {change.key: change for change in changes}
    users = Counter(need for change in objects.values() for need in needs(change.object) if need in objects)
    canvas = _Canvas(most)
    parts: dict[str, list[Change]] = defaultdict(list)
    for change in objects.values():
        if package := _package(change):
            parts[package].append(change)
    for change in sorted(objects.values(), key=lambda change: (change.action is Action.KEEP, change.key)):
        if change.kind.leads:
            canvas.add_function(change, [objects[need] for need in needs(change.object) if need in objects], users)
        elif not users[change.key] and not _package(change):
            canvas.add_loose(change)
    return canvas.picture(parts)


def _package(change: Change) -> str:
    return change.desired.part_of if change.desired is not None else ""


def _kind(change: Change) -> str:
    """Return what people call an object: its type, where its kind has types."""
    return dict(change.kind.show(change.object)).get("type", change.key.kind)


def _in_common(changes: Iterable[Change]) -> Action:
    """Return what is done to all; UPDATE where it is not the same."""
    actions = {change.action for change in changes}
    return actions.pop() if len(actions) == 1 else Action.UPDATE


class _Alike(NamedTuple):
    """What functions have in common that are one node."""

    kind: str
    action: Action
    belongings: tuple[tuple[Action, int], ...]
    packages: frozenset[str]
    shared: frozenset[Key]
    alone: Key | None
    """Of a function that is to have a node of its own."""


class _Canvas:
    """Groups of what is alike, until it is clear how many there are."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._functions: dict[_Alike, list[Change]] = defaultdict(list)
        self._shared: dict[Key, list[Change]] = {}
        self._loose: dict[tuple[str, Action], list[Change]] = defaultdict(list)

    def add_function(self, function: Change, needed: Sequence[Change], users: Mapping[Key, int]) -> None:
        shared: list[Change] = []
        belongings: list[Change] = []
        for change in needed:
            if not _package(change):
                (shared if users[change.key] > 1 or not self.most else belongings).append(change)
        self._shared |= {change.key: [change] for change in shared}
        numbers = Counter(change.action for change in belongings)
        alike = _Alike(
            function.key.kind,
            function.action,
            tuple(sorted(numbers.items(), key=lambda pair: pair[0].value)),
            frozenset(filter(None, map(_package, needed))),
            frozenset(change.key for change in shared),
            None if self.most else function.key,
        )
        self._functions[alike].append(function)

    def add_loose(self, change: Change) -> None:
        """Add an object that no function needs."""
        self._loose[_kind(change), change.action].append(change)

    def picture(self, parts: Mapping[str, Sequence[Change]]) -> Picture:
        """Return the picture; `parts` are the objects of each package."""
        nodes: list[Node] = []
        edges: dict[tuple[int, int], None] = {}
        functions = self._column(nodes, self._functions, _function_node)
        packages = self._column(nodes, parts, _package_node)
        files = self._column(nodes, self._shared, lambda _, members: _part_node(members))
        for alike, number in functions.items():
            edges |= dict.fromkeys((number, packages[name]) for name in sorted(alike.packages))
            edges |= dict.fromkeys((number, files[key]) for key in sorted(alike.shared))
        for name, members in parts.items():
            # Of packages that share a node, nobody could see what lies in which.
            for part in self._parts(members) if len(nodes[packages[name]].names) == 1 else ():
                edges[packages[name], len(nodes)] = None
                nodes.append(part)
        nodes += map(_part_node, self._loose.values())
        return Picture(tuple(nodes), tuple(edges))

    def _column(
        self, nodes: list[Node], groups: Mapping[K, Sequence[Change]], make: Callable[[K, Sequence[Change]], Node]
    ) -> dict[K, int]:
        """Add a node for each group, or one for those that are too many, and return the number of each group's node."""
        numbers: dict[K, int] = {}
        last: dict[tuple[str, Action], int] = {}
        for group, members in groups.items():
            node = make(group, members)
            if self.most and len(numbers) >= self.most and len(groups) > self.most + 1:
                # What is done to them still tells them apart.
                number = last.setdefault((node.kind, node.action), len(nodes))
                if number < len(nodes):
                    nodes[number] = nodes[number]._replace(names=nodes[number].names + node.names, belongings=())
                    numbers[group] = number
                    continue
            numbers[group] = len(nodes)
            nodes.append(node)
        return numbers

    def _parts(self, members: Sequence[Change]) -> list[Node]:
        """Return what lies in a package; what is alike as one, where it is much."""
        if not self.most or len(members) <= _FEW:
            return [_part_node([change]) for change in members]
        alike: dict[tuple[str, Action], list[Change]] = defaultdict(list)
        for change in members:
            alike[_kind(change), change.action].append(change)
        return [*map(_part_node, alike.values())]


_FEW = 6
"""Parts of a package that each have a node."""


def _function_node(alike: _Alike, members: Sequence[Change]) -> Node:
    return Node(0, alike.kind, tuple(change.key.name for change in members), alike.action, alike.belongings)


def _package_node(words: str, members: Sequence[Change]) -> Node:
    """Return the node of ``package science``."""
    kind, _, name = words.partition(" ")
    return Node(1, kind, (name,), _in_common(members))


def _part_node(members: Sequence[Change]) -> Node:
    return Node(2, _kind(members[0]), tuple(change.key.name for change in members), members[0].action)
