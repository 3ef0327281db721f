"""
Whatever happens to a project, in whatever order, the invariants hold after every step.

One machine makes histories on the model, where each single write is judged by an oracle. The other makes them on the model
and on the real service side by side: every command has to end alike, and what is stored has to be the same, byte for byte,
ledger included. So what is proved of the model is true of what goes over the wire.

A history ends by tidying up: leases run out, what is foreign goes, and one plain apply has to reach what the manifest says.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from reconciler.core.diff import Action
from reconciler.core.plan import observation
from reconciler.core.record import Holder
from reconciler.core.report import Outcome
from reconciler.engine.saved_plan import read
from reconciler.targets.maxcompute.objects import CATALOG, Function, function_key, resource_key
from reconciler.workflow import records
from tests.invariants.backends import InMemory, Real
from tests.invariants.history import (
    CLASSES,
    ELEVEN_MINUTES,
    FILES,
    FUNCTIONS,
    SOURCES,
    STACKS,
    TROUBLES,
    VALUES,
    Meanwhile,
    Met,
    Shop,
    Wish,
    World,
)
from tests.invariants.model import Clock, File, Registered, Service, Wire
from tests.invariants.oracle import Oracle, dangling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.core.diff import Change
    from reconciler.core.kind import Catalog, Key
    from tests.invariants.history import Backend, End

PARTS = int(os.environ.get("UDFS_PROOF_SLICE", "0/1").split("/")[1])
EXAMPLES = {"": (200, 80), "quick": (20, 10), "whole": (20_000 // PARTS, 20_000 // PARTS)}[
    os.environ.get("UDFS_PROOF", "")
]
"""Histories on the model alone, and on both; of the whole, each part makes others."""

STEPS = 15, 8

functions = st.dictionaries(
    st.sampled_from(FUNCTIONS),
    st.tuples(
        st.sampled_from(SOURCES), st.sampled_from(CLASSES), st.lists(st.sampled_from(FILES), unique=True).map(tuple)
    ),
    min_size=1,
).map(lambda found: tuple(sorted((name, *rest) for name, rest in found.items())))
wishes = st.builds(
    Wish,
    functions=functions,
    values=st.tuples(*[st.integers(0, VALUES - 1)] * 2),
    files=st.tuples(*[st.integers(0, VALUES - 1)] * 2),
    protected=st.sampled_from([frozenset()] * 7 + [frozenset({"x.csv"})]),
    in_place=st.sampled_from([False, False, True]),
    moved=st.none() | st.permutations(FUNCTIONS).map(lambda names: (names[0], names[1])),
)
keys = st.sampled_from([*(f"function {name}" for name in FUNCTIONS), *(f"resource {name}" for name in FILES)])
stacks = st.sampled_from([STACKS[0], STACKS[0], STACKS[0], STACKS[1]])
meanwhile = st.one_of(
    st.builds(Meanwhile, step=st.sampled_from(["edit", "delete"]), thing=keys, value=st.integers(0, 1)),
    st.builds(Meanwhile, step=st.sampled_from(["rival", "rival takes over"]), wish=wishes),
    st.builds(Meanwhile, step=st.sampled_from(["unlock", "eleven minutes"])),
)
met_at_all = st.builds(
    Met, number=st.sampled_from([3, 2, 4, 5, 1, 6, 7]), what=st.one_of(st.sampled_from(TROUBLES), meanwhile)
)
mets = st.one_of(st.none(), met_at_all)

KNOWN = {"done", "nothing", "killed", "refused"}


class Histories(RuleBasedStateMachine):
    """Steps in any order. What a world is made on is said by the subclasses."""

    shop: Shop

    def __init__(self) -> None:
        super().__init__()
        self.service: Any
        self.service, self.oracle, backend = self.begun()
        self.world = World(backend, self.shop, watch=self.oracle.watch, catalog=self.catalog)
        self.others: list[World] = []
        self.sound = True
        """Whether no step has failed: there is no tidying up after one that has."""

    # What another service has otherwise

    catalog: Catalog = CATALOG

    def begun(self) -> tuple[Any, Oracle, Backend]:
        """Return a service in which nothing is, what judges its writes, and the hands that reach it."""
        service = Service(Clock())
        return service, Oracle(service), InMemory(service)

    def key_of(self, text: str) -> Key:
        """Return the key of what is called so, such as ``resource x.csv``."""
        kind, name = text.split(" ")
        return function_key(name) if kind == "function" else resource_key(name)

    def is_as(self, wanted: object, thing: Any) -> bool:
        """Say whether an object of the service is what a manifest wants."""
        return is_as(wanted, thing)

    def is_kept(self, name: str) -> bool:
        """Say whether a name is one that may be protected."""
        return name in FILES

    # The same step in every world

    def step(self, do: Callable[[World], End | str | None]) -> End:
        """Let something happen in every world, and see that it ends alike."""
        for world in self.worlds:
            world.tick()
        end, *others = [do(world) for world in self.worlds]
        for other in others:
            assert other == end, "the real service and the model disagree"
        first, *rest = [world.backend.contents() for world in self.worlds]
        for one in rest:
            assert one == first, "the real service and the model hold different things"
        return end if isinstance(end, tuple) else ("nothing", ())

    @property
    def worlds(self) -> list[World]:
        return [self.world, *self.others]

    def command(self, do: Callable[[World], End], met: Met | None = None) -> End:
        """Run a command, and hold what it says against what it did."""
        self.sound = False
        end = self._command(do, met)
        self.sound = True
        return end

    def _command(self, do: Callable[[World], End], met: Met | None) -> End:
        before = dict(self.service.things)
        end = self.step(do)
        code, _ = end
        assert code in KNOWN or (code[0] == "E" and code != "E999"), end
        report = self.world.report
        if report is None:
            if code != "killed" and (met is None or isinstance(met.what, str)):
                assert not self.oracle.objects_written, f"{code}, and something was written"
            return end
        assert (code in {"done", "nothing"}) == (report.complete and report.error is None)
        if met is None or isinstance(met.what, str):
            for change, outcome in report.outcomes:
                now, was = self.service.things.get(change.key), before.get(change.key)
                if outcome is Outcome.NOT_TRIED:
                    assert now == was, f"{change.key} is called not tried"
                elif outcome is Outcome.DONE and change.desired is None:
                    assert now is None, f"{change.key} is called deleted"
                elif outcome is Outcome.DONE and change.desired is not None:
                    assert self.is_as(change.desired.object, now), f"{change.key} is called done"
        return end

    # Rules

    @initialize(wish=wishes)
    def begin(self, wish: Wish) -> None:
        self.edit_manifest(STACKS[0], wish)
        self.apply(STACKS[0], 99, None)

    @rule(stack=stacks, wish=wishes)
    def edit_manifest(self, stack: str, wish: Wish) -> None:
        for world in self.worlds:
            world.wishes[stack] = wish

    @rule(stack=stacks, deletes=st.sampled_from([99, 2, 0]), met=mets)
    def apply(self, stack: str, deletes: int, met: Met | None) -> None:
        end, _ = self.command(lambda world: world.apply(stack, deletes=deletes, met=met), met)
        if end in {"done", "nothing"} and met is None:
            self.require_met(stack)

    @rule(stack=stacks, wish=wishes)
    def change_and_apply(self, stack: str, wish: Wish) -> None:
        self.give_way(stack)
        self.edit_manifest(stack, wish)
        self.apply(stack, 99, None)

    @rule(wish=wishes, met=met_at_all)
    def change_and_apply_in_trouble(self, wish: Wish, met: Met) -> None:
        self.give_way(STACKS[0])
        self.edit_manifest(STACKS[0], wish)
        self.apply(STACKS[0], 99, met)

    @rule(wish=wishes, met=met_at_all)
    def change_back_and_forth_in_trouble(self, wish: Wish, met: Met) -> None:
        self.change_and_apply(STACKS[0], wish)
        command = {1: self.rollback, 2: self.destroy, 3: self.restore}.get(met.number, self.collect)
        if met.number > 3:
            self.time_passes(2.0)
        command(STACKS[0], met)

    @rule(wish=wishes, key=keys, value=st.integers(0, 1), met=mets)
    def drift_and_apply(self, wish: Wish, key: str, value: int, met: Met | None) -> None:
        self.change_and_apply(STACKS[0], wish)
        self.eve_writes(key, value)
        self.restore(STACKS[0], met)

    @rule(wish=wishes, other=wishes, met=mets, data=st.data())
    def plan_now_and_apply_later(self, wish: Wish, other: Wish, met: Met | None, data: st.DataObject) -> None:
        self.give_way(STACKS[0])
        self.edit_manifest(STACKS[0], wish)
        self.save(STACKS[0])
        self.edit_manifest(STACKS[0], other)
        if self.world.saved:
            self.apply_saved(met, data)

    @rule(key=keys, value=st.integers(0, 1), met=mets)
    def take_over_what_eve_made(self, key: str, value: int, met: Met | None) -> None:
        self.eve_makes_anew(key, value)
        self.adopt(STACKS[0], [key], met)

    @rule(stack=stacks)
    def save(self, stack: str) -> None:
        self.step(lambda world: world.save(stack))

    @precondition(lambda self: self.world.saved)
    @rule(met=mets, data=st.data())
    def apply_saved(self, met: Met | None, data: st.DataObject) -> None:
        stack = data.draw(st.sampled_from(sorted(self.world.saved)))
        end, _ = self.command(lambda world: world.apply_saved(stack, met), met)
        if end == "done" and met is None:
            again, _ = self.command(lambda world: world.apply_saved(stack))
            assert again in {"E506", "E515"}, "a plan is performed once"

    @rule(stack=stacks, met=mets, by_digest=st.booleans())
    def apply_approved(self, stack: str, met: Met | None, by_digest: bool) -> None:
        before = dict(self.service.things)
        self.command(lambda world: world.apply_approved(stack, met, by_digest=by_digest), met)
        self.require_approved(stack, before if met is None or isinstance(met.what, str) else None)

    @rule(wish=wishes, met=met_at_all, by_digest=st.booleans())
    def approve_and_be_cut_off(self, wish: Wish, met: Met, by_digest: bool) -> None:
        """A run that was cut off and that nobody came after is gone on with, by what was approved before it."""
        stack = STACKS[0]
        self.give_way(stack)
        self.edit_manifest(stack, wish)
        refused, _ = self.step(lambda world: world.save(stack))
        if refused == "refused":
            return
        self.apply_approved(stack, met, by_digest)
        for world in self.worlds:
            world.tick(ELEVEN_MINUTES)
        if isinstance(met.what, str):
            end, outcomes = self.command(lambda world: world.apply_approved(stack, by_digest=by_digest))
            assert end in {"done", "nothing"}, (end, outcomes, self.world.plan and self.world.plan.changes)
            self.require_met(stack)

    @rule(wish=wishes, other=wishes, key=st.none() | keys, met=mets)
    def approve_and_want_something_else(self, wish: Wish, other: Wish, key: str | None, met: Met | None) -> None:
        stack = STACKS[0]
        self.give_way(stack)
        self.edit_manifest(stack, wish)
        self.save(stack)
        self.edit_manifest(stack, other)
        if key is not None:
            self.eve_writes(key, 0)
        self.apply_approved(stack, met, by_digest=False)

    @rule(stack=stacks, met=mets)
    def restore(self, stack: str, met: Met | None) -> None:
        self.command(lambda world: world.apply(stack, met=met, restoring=True), met)

    @rule(stack=stacks, met=mets)
    def rollback(self, stack: str, met: Met | None) -> None:
        self.command(lambda world: world.rollback(stack, met), met)

    @rule(stack=stacks, met=mets)
    def collect(self, stack: str, met: Met | None) -> None:
        self.command(lambda world: world.collect(stack, met), met)

    @rule(stack=stacks, met=mets)
    def destroy(self, stack: str, met: Met | None) -> None:
        self.command(lambda world: world.destroy(stack, met), met)

    @rule(stack=stacks, names=st.lists(keys, min_size=1, max_size=3, unique=True), met=mets)
    def adopt(self, stack: str, names: list[str], met: Met | None) -> None:
        told = tuple(name.split(" ")[1] for name in names)
        self.command(lambda world: world.own("adopt", stack, told, met), met)

    @rule(stack=stacks, names=st.lists(keys, min_size=1, max_size=2, unique=True), met=mets)
    def disown(self, stack: str, names: list[str], met: Met | None) -> None:
        told = tuple(name.split(" ")[1] for name in names)
        self.command(lambda world: world.own("disown", stack, told, met), met)

    @rule(stack=stacks, meanwhile=st.none() | wishes)
    def verify(self, stack: str, meanwhile: Wish | None) -> None:
        self.step(lambda world: world.verify(stack, meanwhile))

    @rule(wish=wishes)
    def change_apply_and_verify(self, wish: Wish) -> None:
        self.change_and_apply(STACKS[0], wish)
        end, _ = self.step(lambda world: world.verify(STACKS[0]))
        # The entry of what was just applied takes the verdicts, unless another stack's hands are in it. Where nothing was to be
        # changed there may be none: the ledger was lost.
        report = self.world.report
        assert end == "done" or report is None or report.error or not report.outcomes or not wish.functions, end

    @rule(stack=stacks)
    def unlock(self, stack: str) -> None:
        self.step(lambda world: world.unlock(stack))

    @rule(key=keys, value=st.integers(0, 1))
    def eve_writes(self, key: str, value: int) -> None:
        self.step(lambda world: world.edit(key, value))

    @rule(data=st.data())
    def eve_deletes(self, data: st.DataObject) -> None:
        there = sorted(key for key in self.world.backend.contents() if "udfs." not in key)
        if there:
            key = data.draw(st.sampled_from(there))
            self.step(lambda world: world.backend.delete(key))

    @rule(key=keys, value=st.integers(0, 1))
    def eve_makes_anew(self, key: str, value: int) -> None:
        self.step(lambda world: world.backend.delete(key))
        self.step(lambda world: world.edit(key, value))

    @rule(names=st.permutations(FILES))
    def eve_copies_a_comment(self, names: list[str]) -> None:
        self.step(lambda world: world.copy_comment(f"resource {names[0]}", f"resource {names[1]}"))

    @rule(name=st.sampled_from(FILES))
    def eve_strips_a_mark(self, name: str) -> None:
        self.step(lambda world: world.strip(f"resource {name}"))

    @rule()
    def ledgers_are_lost(self) -> None:
        self.step(lambda world: world.lose_ledger())
        self.oracle.made.clear()  # only marks are left

    @rule(hours=st.sampled_from([0.2, 2.0]))
    def time_passes(self, hours: float) -> None:
        for world in self.worlds:
            world.tick(hours * 3600)

    def give_way(self, stack: str) -> None:
        """Let leases run out, and eve take away what is hers: else most commands would be refused."""
        for world in self.worlds:
            world.tick(ELEVEN_MINUTES)
        for key in sorted(self.world.backend.contents()):
            if self.is_foreign(key, stack):
                self.step(lambda world, key=key: world.backend.delete(key))  # type: ignore[misc]

    # What must be so

    def require_approved(self, stack: str, before: dict[Key, Any] | None) -> None:
        """What was done stands in an approved plan, to the same end, on an object that was the same."""
        plans = [read(written, "plan.json", self.catalog).plan for written in self.world.approved[stack]]
        approved = [(change.action, change.key, result_of(change)) for plan in plans for change in plan.changes]
        seen = [(change.key, observation(change.live)) for plan in plans for change in plan.changes]
        for change, outcome in self.world.report.outcomes if self.world.report else ():
            if outcome is Outcome.DONE and change.action is not Action.RECORD:
                assert (change.action, change.key, result_of(change)) in approved, change
                assert (change.key, observation(change.live)) in seen, change
                assert before is None or (change.live is None) == (change.key not in before), change

    def require_met(self, stack: str) -> None:
        """After an apply that got through: there is nothing left to do, and doing it again writes nothing."""
        end, _ = self.command(lambda world: world.apply(stack))
        assert end == "nothing", f"the plan after an apply: {self.world.plan and self.world.plan.changes}"
        assert not any(world.writes for world in self.worlds)

    def teardown(self) -> None:
        """Tidy up, and see that the manifest can be met."""
        if not self.sound:
            return
        stack = STACKS[0]
        for world in self.worlds:
            world.tick(ELEVEN_MINUTES)
        for key in sorted(self.world.backend.contents()):
            if self.is_in_the_way(key, stack):
                self.step(lambda world, key=key: world.backend.delete(key))  # type: ignore[misc]
        wish = self.world.wishes[stack]
        if wish.functions or wish.protected:
            end, outcomes = self.command(lambda world: world.apply(stack))
            assert end in {"done", "nothing"}, (end, outcomes, self.world.plan and self.world.plan.refusals)
            self.require_met(stack)
            self.require_wish(stack)

    def is_in_the_way(self, key: str, stack: str) -> bool:
        """Say whether something is not the stack's own, or must not go by its own hand."""
        name = key.split(" ")[1]
        if name.startswith("udfs."):
            return not name.startswith(f"udfs.{stack}.")
        return self.is_foreign(key, stack) or self.is_kept(name)

    def is_foreign(self, key: str, stack: str) -> bool:
        """Say whether an object is not a stack's."""
        found = self.key_of(key)
        return not found.name.startswith("udfs.") and self.oracle.owner(found, self.service.things[found]) != stack

    def require_wish(self, stack: str) -> None:
        """What the manifest says is there, in each function's one version."""
        things = self.service.things
        wish = self.world.wishes[stack]
        there = {key.name for key in things if key.kind == self.oracle.carried}
        assert there == {name for name, *_ in wish.functions}
        for key, wanted in self.world.prepared(stack).desired.items():
            assert self.is_as(wanted.object, things.get(key)), key
        assert not self.oracle.dangling(things)


def result_of(change: Change) -> object:
    """Return what a change comes to."""
    return change.desired and change.desired.object


def is_as(wanted: object, thing: File | Registered | None) -> bool:
    """Say whether an object of the service is what a manifest wants."""
    if isinstance(wanted, Function):
        listed = tuple(str(ref).lower() for ref in wanted.resources)
        return isinstance(thing, Registered) and (thing.of, tuple(map(str.lower, thing.resources))) == (
            wanted.class_path, listed,
        )  # fmt: skip
    return isinstance(thing, File) and thing.md5 == getattr(wanted, "md5", None)


class OnBoth(Histories):
    """The same on the real service, over HTTP."""

    folder: Path
    numbers: Iterator[int] = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.at = self.folder / str(next(self.numbers))
        self.others = [World(Real(self.at), self.shop)]

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            for world in self.others:
                world.backend.close()  # type: ignore[attr-defined]
            shutil.rmtree(self.at)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"))


def made(machine: type[Histories], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            report_multiple_bugs=False,
            print_blob=True,
            derandomize=os.environ.get("UDFS_PROOF") != "whole",
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
        ),
    )


def test_a_run_is_not_blamed_for_what_others_delete_while_it_is_under_way(shop: Shop) -> None:
    history = type("OnTheModel", (Histories,), {"shop": shop})()
    history.begin(wish=Wish(functions=(("f", "a", "K", ()),)))
    wish = Wish(functions=(("f", "a", "K", ("x.csv",)), ("g", "a", "K", ())))
    history.change_and_apply_in_trouble(wish=wish, met=Met(4, Meanwhile("delete", "resource x.csv")))
    assert dangling(history.service.things) == {("f", "x.csv")}
    history.teardown()


def test_a_function_that_nobody_can_tell_from_somebody_elses_is_not_taken(shop: Shop) -> None:
    history = type("OnTheModel", (Histories,), {"shop": shop})()
    wish = Wish(functions=(("f", "a", "K", ()),))
    history.begin(wish=wish)
    history.step(lambda world: world.backend.delete("function f"))
    history.change_and_apply_in_trouble(wish=wish, met=Met(3, "killed before"))
    assert history.oracle.owner(function_key("f"), history.service.things[function_key("f")]) == STACKS[0]
    history.eve_writes(key="function f", value=0)
    end, _ = history.command(lambda world: world.apply(STACKS[0]))
    assert end == "E501"
    history.teardown()


def test_a_run_that_ends_while_somebody_wonders_whether_to_unlock_it_is_left_as_it_ended(shop: Shop) -> None:
    history = type("OnTheModel", (Histories,), {"shop": shop})()
    history.begin(wish=Wish(functions=(("f", "a", "K", ()),)))
    before, world = history.world.backend.contents(), history.world
    target = world.backend.target("bob", STACKS[0], Wire())
    ended = records.end_lease(world.prepared(STACKS[0]).loaded, target, 1, Holder("bob"))
    assert (ended.outcome, ended.ended_by) == ("committed", None)
    assert world.backend.contents() == before
    history.teardown()


def test_time_goes_on_in_what_a_service_refuses(shop: Shop, tmp_path: Path) -> None:
    history = type("OnBoth", (OnBoth,), {"shop": shop, "folder": tmp_path})()
    history.begin(wish=Wish(functions=(("f", "a", "K", ()),)))
    history.destroy(STACKS[0], met=Met(2, Meanwhile("delete", "function f")))
    history.teardown()


@pytest.mark.timeout(0)
def test_on_the_model(shop: Shop, tally: Callable[[str, int], None]) -> None:
    made(type("OnTheModel", (Histories,), {"shop": shop}), EXAMPLES[0], STEPS[0])
    tally("histories on the model", EXAMPLES[0])


@pytest.mark.timeout(0)
def test_on_the_model_and_the_real_service_alike(shop: Shop, tally: Callable[[str, int], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made(type("OnBoth", (OnBoth,), {"shop": shop, "folder": Path(folder)}), EXAMPLES[1], STEPS[1])
    tally("histories on the model and the real service", EXAMPLES[1])
