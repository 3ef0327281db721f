"""
What may happen to a project, step by step: a manifest that changes, commands, hands of others, deaths, and time.

A `World` is a service (the model, or the real one over loopback HTTP), a clock, and two stacks that want something of it.
Everything that a command does goes the product's own road: the manifest is loaded, the plan made and carried out by
``reconciler.workflow``. A step tells how it ended as a value, so that two worlds can be compared.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from reconciler.base.errors import Position, ServiceError, UdfsError
from reconciler.core.plan import require_allowed
from reconciler.core.record import Holder
from reconciler.engine import saved_plan as saved
from reconciler.engine.apply import Patience
from reconciler.engine.approval import Approval
from reconciler.manifest.load import load_manifest
from reconciler.manifest.model import Test
from reconciler.packages.fetch.cache import Cache
from reconciler.targets.dialects import DIALECTS
from reconciler.targets.maxcompute.objects import CATALOG
from reconciler.testing.trials import Case, Trial
from reconciler.testing.verdict import TrialVerdict
from reconciler.workflow import adoption, applying, planning, preparation, promotion, records
from tests.builders import Silent
from tests.invariants.model import Clock, Killed, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.core.kind import Catalog
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.core.report import Report
    from reconciler.core.target import Target
    from reconciler.workflow.preparation import Prepared

FUNCTIONS, SOURCES, FILES, CLASSES = ("f", "g", "h"), ("a", "b"), ("x.csv", "y.csv"), ("K", "L")
STACKS = ("risk", "other")
VALUES = 3
"""Contents that a file can have."""

CLASS = '@annotate("->bigint")\nclass {}(object):\n    def evaluate(self):\n        return {}\n'
ELEVEN_MINUTES = 11 * 60.0
"""A lease has ended by then."""


@dataclass(frozen=True)
class Wish:
    """What a manifest asks for."""

    functions: tuple[tuple[str, str, str, tuple[str, ...]], ...] = ()
    """Name, source, class, files; sorted."""

    values: tuple[int, ...] = (0, 0)
    """What the sources return."""

    files: tuple[int, ...] = (0, 0)
    """What is in the files."""

    protected: frozenset[str] = frozenset()
    in_place: bool = False
    moved: tuple[str, str] | None = None

    def text(self, stack: str) -> str:
        """Return it as a manifest."""
        used = sorted({one for *_, listed in self.functions for one in listed} | self.protected)
        lines = [f"stack: {stack}", f"rollout: {'in_place' if self.in_place else 'versioned'}", "grace: 1h"]
        names = {name for name, *_ in self.functions}
        if self.moved and self.moved[1] in names and self.moved[0] not in names:
            lines.append(f"moved: [{{from: {self.moved[0]}, to: {self.moved[1]}}}]")
        lines.append("resources: {" if used else "resources: {}")
        for one in used:
            value = self.files[FILES.index(one)]
            protect = ", protect: true" if one in self.protected else ""
            lines.append(f'  {one}: {{file: "{value}/{one}"{protect}}},')
        lines += ["}"] if used else []
        lines.append("functions: {" if self.functions else "functions: {}")
        for name, source, of, listed in self.functions:
            value = self.values[SOURCES.index(source)]
            lines.append(f"  {name}: {{source: {value}/{source}.py, class: {of}, resources: [{', '.join(listed)}]}},")
        return "\n".join([*lines, *(["}"] if self.functions else [])]) + "\n"


class Shop:
    """Makes what a wish needs, once: the files are there in every content that they can have."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for value in range(VALUES):
            (folder / str(value)).mkdir()
            classes = "".join(CLASS.format(one, value) for one in CLASSES)
            for source in SOURCES:
                (folder / str(value) / f"{source}.py").write_text(f"from odps.udf import annotate\n{classes}")
            for one in FILES:
                (folder / str(value) / one).write_text(str(value) * (value + 1))
        self.prepared = functools.lru_cache(maxsize=4096)(self._prepared)

    def text(self, wish: Wish, stack: str) -> str:
        """Return what a manifest asks for."""
        return wish.text(stack)

    def _prepared(self, wish: Wish, stack: str) -> Prepared:
        manifest = self.folder / "udfs.yaml"
        manifest.write_text(self.text(wish, stack))
        return preparation.prepare(
            load_manifest(manifest, DIALECTS, env={}),
            cache=Cache(self.folder / "cache"),
            env={},
            on_step=lambda told: None,
        )


# --- What goes wrong -----------------------------------------------------------------------------------------------------

Trouble = Literal["killed before", "killed after", "safe", "unknown before", "unknown after", "final"]
TROUBLES: tuple[Trouble, ...] = ("killed before", "killed after", "safe", "unknown before", "unknown after", "final")


@dataclass(frozen=True)
class Met:
    """What the n-th write of a run meets: a trouble, or somebody else's step before it is sent."""

    number: int
    what: Trouble | Meanwhile


@dataclass(frozen=True)
class Meanwhile:
    """What others do while a run stands before one of its writes."""

    step: Literal["edit", "delete", "rival", "unlock", "eleven minutes", "rival takes over"]
    thing: str = ""
    value: int = 0
    wish: Wish = field(default_factory=Wish)


def _troubled(trouble: Trouble, wire: Wire, do: Callable[[], object]) -> object:
    if trouble.endswith("after"):
        do()
    if trouble.startswith("killed"):
        wire.dead = True
        raise Killed
    match trouble:
        case "safe":
            raise ServiceError("E605", "not now", status=429, outcome="safe")
        case "final":
            raise ServiceError("E605", "not like this", status=400, outcome="final")
        case _:
            raise ServiceError("E601", "no answer", outcome="unknown")


# --- Worlds --------------------------------------------------------------------------------------------------------------


class Backend(Protocol):
    """A service, as those need it who write histories."""

    @property
    def clock(self) -> Clock:
        """The time of the service."""

    def target(self, who: str, stack: str, wire: Wire) -> Target:
        """Return a client for one run."""

    def put_file(self, name: str, content: bytes, comment: str | None) -> None:
        """Eve creates or replaces a resource; without a comment, that of one that is there stays."""

    def put_function(self, name: str, of: str, resources: tuple[str, ...]) -> None:
        """Eve creates or replaces a function."""

    def delete(self, key: str) -> None:
        """Eve deletes an object; one that is not there is fine."""

    def comment(self, name: str) -> str:
        """Return the comment of a resource, or nothing."""

    def contents(self) -> Mapping[str, tuple[object, ...]]:
        """Return all there is, entries of ledgers included: what it is, by whom, and when."""


@dataclass(frozen=True)
class Run:
    """One run of a command, for those who watch it."""

    command: str
    stack: str
    who: str
    named: frozenset[str] = frozenset()
    """What adopt and disown were told."""

    may_delete: bool = False
    protected: frozenset[str] = frozenset()


End: TypeAlias = "tuple[str, tuple[tuple[str, str], ...]]"
"""How a command ended: done, nothing, killed, partly, or its first error's code; and each object's outcome."""


@dataclass
class World:
    """A service and what two stacks want of it."""

    backend: Backend
    shop: Shop
    wishes: dict[str, Wish] = field(default_factory=lambda: {stack: Wish() for stack in STACKS})
    saved: dict[str, tuple[bytes, Wish]] = field(default_factory=dict)
    approved: dict[str, list[bytes]] = field(default_factory=lambda: {stack: [] for stack in STACKS})
    """Plans that were written down and stay approved, the last few."""

    watch: Callable[[Run | None], None] = lambda run: None
    """Told before and after each run."""

    catalog: Catalog = CATALOG
    runs: Any = field(default_factory=lambda: itertools.count(1))
    writes: int = 0
    """Of the last run."""

    report: Report | None = None
    """Of the last run, if it got so far."""

    plan: Plan | None = None

    def tick(self, seconds: float = 2.0) -> None:
        self.backend.clock.now += seconds

    # Commands

    def prepared(self, stack: str) -> Prepared:
        return self.shop.prepared(self.wishes[stack], stack)

    def apply(self, stack: str, *, deletes: int = 99, met: Met | None = None, restoring: bool = False) -> End:
        ready = self.prepared(stack)

        def make(target: Target) -> tuple[Reading, Plan]:
            reading = target.read()
            return reading, planning.make_plan(ready, reading, restoring=restoring)

        run = Run(
            "restore" if restoring else "apply",
            stack,
            self._who(),
            may_delete=not restoring and (deletes > 0 or bool(self.wishes[stack].moved)),
        )
        return self._carry_out(run, make, ready.contents, deletes, met)

    def save(self, stack: str) -> End:
        """Plan and write the plan down; nothing is written in the project."""
        ready, wire = self.prepared(stack), Wire()
        reading = self.backend.target("ann", stack, wire).read()
        made = planning.make_plan(ready, reading)
        if made.refusals:
            return "refused", ()
        written = saved.write(saved.save(made, reading, "0" * 64, allow_deletes=made.deletes))
        turned = replace(reading, live=dict(reversed(list(reading.live.items()))))
        other = planning.make_plan(ready, turned)
        assert saved.write(saved.save(other, turned, "0" * 64, allow_deletes=made.deletes)) == written, (
            "it depends on order"
        )
        self.saved[stack] = written, self.wishes[stack]
        self.approved[stack] = [*self.approved[stack][-2:], written]
        assert not wire.writes, "a plan writes nothing"
        return made.digest, ()

    def apply_saved(self, stack: str, met: Met | None = None) -> End:
        """Perform the plan that was written down last, with the files as they were then."""
        written, wish = self.saved[stack]
        found = saved.read(written, "plan.json", self.catalog)

        ready = self.shop.prepared(wish, stack)

        def make(target: Target) -> tuple[Reading, Plan]:
            reading = target.read()
            saved.require_fresh(found, reading)
            return reading, planning.plan_again(ready, reading, found.plan, "plan.json")

        run = Run("apply plan", stack, self._who(), may_delete=found.allow_deletes > 0 or bool(wish.moved))
        return self._carry_out(run, make, ready.contents, found.allow_deletes, met)

    def apply_approved(self, stack: str, met: Met | None = None, *, by_digest: bool = False) -> End:
        """Plan anew, and perform what is covered by the plans that were written down; or by the digest of the last one."""
        ready = self.prepared(stack)
        plans = tuple(saved.read(written, "plan.json", self.catalog) for written in self.approved[stack])
        digest = plans[-1].plan.digest if by_digest and plans else None

        def make(target: Target) -> tuple[Reading, Plan]:
            reading = target.read()
            made = planning.make_plan(ready, reading)
            begun = records.find_begun(ready.loaded, target, reading, digest) if digest else frozenset()
            approval = Approval((), digest, begun) if digest else Approval(plans)
            approval.require(made, reading)
            require_allowed(made, allow_deletes=approval.allowed_deletes(made, 99 if digest else 0))
            return reading, made

        run = Run("apply approved", stack, self._who(), may_delete=True)
        return self._carry_out(run, make, ready.contents, 99, met, exact=True, approved=digest or "")

    def rollback(self, stack: str, met: Met | None = None) -> End:
        loaded = self.prepared(stack).loaded
        run = Run("rollback", stack, self._who())
        return self._carry_out(run, lambda target: planning.make_rollback(loaded, target, None), {}, 0, met)

    def collect(self, stack: str, met: Met | None = None) -> End:
        loaded = self.prepared(stack).loaded
        run = Run("gc", stack, self._who(), may_delete=True)
        return self._carry_out(run, lambda target: planning.make_collection(loaded, target, 1), {}, 99, met, exact=True)

    def destroy(self, stack: str, met: Met | None = None) -> End:
        loaded = self.prepared(stack).loaded

        def make(target: Target) -> tuple[Reading, Plan]:
            reading = target.read()
            return reading, planning.make_destruction(loaded, reading)

        run = Run("destroy", stack, self._who(), may_delete=True)
        return self._carry_out(run, make, {}, 99, met, exact=True)

    def own(
        self, command: Literal["adopt", "disown"], stack: str, names: tuple[str, ...], met: Met | None = None
    ) -> End:
        ready = self.prepared(stack)
        contents: dict[str, Path] = {}
        how = adoption.make_adoption if command == "adopt" else adoption.make_release
        folder = self.shop.folder / "held"
        folder.mkdir(exist_ok=True)

        def make(target: Target) -> tuple[Reading, Plan]:
            reading = target.read()
            made, found = how(ready, reading, target, names, folder)
            contents.update(found)
            return reading, made

        run = Run(command, stack, self._who(), named=frozenset(name.lower() for name in names))
        return self._carry_out(run, make, contents, 0, met)

    def verify(self, stack: str, meanwhile: Wish | None = None) -> End:
        """Write down that all functions passed their tests, during which somebody else may have applied."""
        wire, who = Wire(), self._who()
        target, loaded = self.backend.target(who, stack, wire), self.prepared(stack).loaded
        reading = target.read()
        if meanwhile is not None:
            self.rival(stack, meanwhile)
        here = Position("udfs.yaml")
        trials = [
            Trial(Case(name, 1, Test(returns=1), here), TrialVerdict.PASSED)
            for name, *_ in self.wishes[stack].functions
        ]
        self.watch(Run("verify", stack, who))
        promotion.write_verdicts(loaded, target, reading, trials, who)
        self.watch(None)
        if meanwhile is not None and self.report is not None and self.report.outcomes:
            assert not wire.writes, "a verdict on what somebody changed meanwhile"
        return ("done" if wire.writes else "nothing"), ()

    def unlock(self, stack: str) -> End:
        wire = Wire()
        target = self.backend.target("ann", stack, wire)
        last = target.read().last
        if last is None or last.outcome != "running":
            return "nothing", ()
        self.watch(Run("unlock", stack, "ann"))
        records.end_lease(self.prepared(stack).loaded, target, last.epoch, Holder(user="ann"))
        self.watch(None)
        return "done", ()

    def _who(self) -> str:
        return f"ann{next(self.runs)}"

    def _carry_out(
        self,
        run: Run,
        make: Callable[[Target], tuple[Reading, Plan]],
        contents: Mapping[str, Path],
        deletes: int,
        met: Met | None,
        *,
        exact: bool = False,
        approved: str = "",
    ) -> End:
        """Do what a command does between its arguments and its exit code."""
        wire = Wire(due=met.number, meet=functools.partial(self._meet, run, met.what)) if met else Wire()
        target = self.backend.target(run.who, run.stack, wire)
        self.report = self.plan = None
        self.watch(run)
        try:
            reading, made = make(target)
            self.plan = made
            # Ten or more deletes that are most of a stack are allowed only by their number.
            allowed = made.deletes if exact or deletes > made.deletes else deletes
            require_allowed(made, allow_deletes=allowed)
            report = applying.apply_plan(
                made, reading, target, contents, Holder(user=run.who, run=run.who), Silent(),
                patience=Patience(self.backend.clock, first_wait=0.0), writers=1, approved=approved,
            )  # fmt: skip
        except Killed:
            return "killed", ()
        except UdfsError as error:
            return error.problems[0].code, ()
        finally:
            self.writes = wire.writes
            self.watch(None)
        self.report = report
        outcomes = tuple((str(change.key), outcome.value) for change, outcome in report.outcomes)
        if report.error:
            return report.error.problems[0].code, outcomes
        return ("done" if made.changes else "nothing"), outcomes

    def _meet(self, run: Run, what: Trouble | Meanwhile, wire: Wire, do: Callable[[], object]) -> object:
        if isinstance(what, str):
            return _troubled(what, wire, do)
        report, plan, writes = self.report, self.plan, self.writes
        self.watch(None)
        self.tick(5.0)
        self.meanwhile(run.stack, what)
        self.tick(5.0)
        self.report, self.plan, self.writes = report, plan, writes
        self.watch(replace(run, command=f"{run.command}, late"))
        return do()

    def meanwhile(self, stack: str, what: Meanwhile) -> None:
        """Let others do something."""
        match what.step:
            case "edit":
                self.edit(what.thing, what.value)
            case "delete":
                self.backend.delete(what.thing)
            case "rival":
                self.rival(stack, what.wish)
            case "unlock":
                self.unlock(stack)
            case "eleven minutes":
                self.tick(ELEVEN_MINUTES)
            case "rival takes over":
                self.tick(ELEVEN_MINUTES)
                self.rival(stack, what.wish)

    def rival(self, stack: str, wish: Wish) -> End:
        """Somebody else applies the same stack, from another commit."""
        before, self.wishes[stack] = self.wishes[stack], wish
        try:
            return self.apply(stack)
        finally:
            self.wishes[stack] = before

    # Hands of others

    def edit(self, key: str, value: int) -> None:
        """Eve writes her own into a name, whether it is there or not."""
        kind, name = key.split(" ")
        if kind == "resource":
            self.backend.put_file(name, b"eve" * (value + 1), None)
        else:
            self.backend.put_function(name, f"{SOURCES[value % 2]}.{CLASSES[value % 2]}", ())

    def copy_comment(self, key: str, onto: str) -> None:
        """Eve makes a resource, and copies the comment of another one, mark and all."""
        self.backend.put_file(onto.split(" ")[1], b"hers", self.backend.comment(key.split(" ")[1]) or "hers")

    def strip(self, key: str) -> None:
        """Eve writes a comment of her own over the mark."""
        name = key.split(" ")[1]
        if self.backend.comment(name):
            self.backend.put_file(name, b"stripped", "mine now")

    def lose_ledger(self) -> None:
        for key in list(self.backend.contents()):
            if " udfs." in key:
                self.backend.delete(key)
