"""
At every instant of an apply, each function is wholly what it was or wholly what it will be.

The local service shows its store inside each of its writes, so no state that a query could have met is missed, however
many writers there are. A function is its class and the names and bytes of what it lists.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.core.record import Holder
from reconciler.engine.apply import Patience
from reconciler.local import Server
from reconciler.local.server import database
from reconciler.local.server.database import Location
from reconciler.manifest.load import load_manifest
from reconciler.packages.fetch.cache import Cache
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.dialects import DIALECTS
from reconciler.targets.maxcompute.client import Client
from reconciler.targets.maxcompute.target import MaxCompute
from reconciler.workflow import applying, planning, preparation
from tests.builders import Silent
from tests.canary import SECRET
from tests.invariants.world import look_after_each_write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reconciler.local.server.database import Records

CLASS = '@annotate("->bigint")\nclass {}(object):\n    def evaluate(self):\n        return {}\n'
HERE = Location("demo", "default")

Definition = tuple[str | None, tuple[tuple[str, str | None], ...]]
Wish = tuple[tuple[int, int], dict[str, tuple[str, str]]]
"""What a.py and b.py return, and for each function its source and class."""

WISHES = st.tuples(
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
    st.dictionaries(
        st.sampled_from(["f", "g", "h"]), st.tuples(st.sampled_from("ab"), st.sampled_from("KL")), min_size=1
    ),
)


class Watch:
    """Every state of the functions that the service was in."""

    def __init__(self) -> None:
        self.states: list[dict[str, Definition]] = []

    def look(self, rows: Records) -> None:
        md5 = {name: found.md5 for name, found in rows.behind(database.RESOURCES, "", HERE)}
        self.states.append(
            {
                name: (found.class_type, tuple((ref.name, md5.get(ref.name.lower())) for ref in found.resources))
                for name, found in rows.behind(database.FUNCTIONS, "", HERE)
            }
        )


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    seen = Watch()
    look_after_each_write(monkeypatch, seen.look)
    return seen


def apply(wish: Wish, server: Server, folder: Path, rollout: str) -> None:
    (first, second), functions = wish
    for name, value in (("a", first), ("b", second)):
        classes = "".join(CLASS.format(one, value) for one in "KL")
        (folder / f"{name}.py").write_text(f"from odps.udf import annotate\n{classes}")
    lines = [f"  {name}: {{source: {source}.py, class: {of}}}\n" for name, (source, of) in functions.items()]
    (folder / "udfs.yaml").write_text(f"stack: s\nrollout: {rollout}\nfunctions:\n{''.join(lines)}")
    ready = preparation.prepare(
        load_manifest(folder / "udfs.yaml", DIALECTS, env={}),
        cache=Cache(folder / "cache"),
        env={},
        on_step=lambda told: None,
    )
    target = MaxCompute(Client(server.url, "demo", None, Credentials("ann", SECRET), "test"), "s", str)
    reading = target.read()
    made = planning.make_plan(ready, reading)
    report = applying.apply_plan(
        made, reading, target, ready.contents, Holder(), Silent(), patience=Patience(time.monotonic)
    )
    assert report.complete, report.error


def mixed(wishes: Sequence[Wish], watch: Watch, folder: Path, rollout: str) -> list[Any]:
    """Apply one wish after the other; return every function at every instant that was neither the old nor the new."""
    found: list[Any] = []
    with Server(folder / "store") as server:
        before: Mapping[str, Definition] = {}
        for wish in wishes:
            watch.states.clear()
            apply(wish, server, folder, rollout)
            states = list(watch.states)
            after = states[-1] if states else before
            assert after.keys() == wish[1].keys()
            found += [
                (name, definition)
                for state in states
                for name, definition in state.items()
                if definition not in (before.get(name), after.get(name))
            ]
            before = after
    return found


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wishes=st.lists(WISHES, min_size=2, max_size=4))
def test_no_function_is_ever_a_mixture_of_two_versions(
    wishes: list[Wish], watch: Watch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert mixed(wishes, watch, tmp_path_factory.mktemp("project"), "versioned") == []


def test_in_place_there_are_such_instants(watch: Watch, tmp_path: Path) -> None:
    """What the property above would see if contents were replaced under their names."""
    wishes: list[Wish] = [((0, 0), {"f": ("a", "K")}), ((1, 0), {"f": ("a", "L")})]
    [(name, (of, [(module, _)])), *_] = mixed(wishes, watch, tmp_path, "in_place")
    assert (name, of, module) == ("f", "a.K", "a.py")
