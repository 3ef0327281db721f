"""What one target may get follows from what the one before was left with: names, bytes and verdicts, and nothing else."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from reconciler.base.errors import Position
from reconciler.core import plan
from reconciler.core.kind import Mark
from reconciler.core.plan import Destination
from reconciler.core.promotion import Before, find_ahead
from reconciler.core.record import Applied, Entry, Holder, Reading, Step, Verdict
from reconciler.core.state import Desired, Live
from reconciler.targets.maxcompute.names import Reference
from reconciler.targets.maxcompute.objects import CATALOG, Function, Resource, function_key

if TYPE_CHECKING:
    from reconciler.core.kind import Key

NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
NAMES = ("f", "g")
PLACE = Position("udfs.yaml")


class Build(NamedTuple):
    """What a function is made of: the class, and the content of the one file that it lists."""

    of: str
    content: int


class Run(NamedTuple):
    """One apply of the target before."""

    builds: dict[str, Build]
    outcomes: dict[str, str]
    """Of the step of each object that was written."""

    verdicts: dict[str, bool]
    remembers: bool
    """Whether the entry has the sha256 of what was applied; an older version wrote none."""


builds = st.dictionaries(st.sampled_from(NAMES), st.builds(Build, st.sampled_from("KL"), st.integers(0, 1)))
runs = st.lists(
    st.builds(
        Run,
        builds,
        st.dictionaries(
            st.sampled_from([*NAMES, *(f"{name}.csv" for name in NAMES)]), st.sampled_from(["done", "failed"])
        ),
        st.dictionaries(st.sampled_from(NAMES), st.booleans()),
        st.booleans(),
    ),
    max_size=4,
)


def objects_of(wanted: dict[str, Build], project: str) -> dict[Key, tuple[Function | Resource, str | None]]:
    """Return objects with the sha256 of their contents; a function also lists what lies in another project."""
    found: dict[Key, tuple[Function | Resource, str | None]] = {}
    for name, build in wanted.items():
        file = Resource(f"{name}.csv", "file", f"{build.content}" * 32, 1)
        other = Reference("their.csv", project=project)
        function = Function(name, f"m.{build.of}", (Reference(file.name), other))
        found[file.key] = file, f"{build.content}" * 64
        found[function.key] = function, None
    return found


def desired_of(wanted: dict[str, Build], project: str) -> dict[Key, Desired]:
    return {
        key: Desired(obj, PLACE, Mark("s", sha256, obj.md5) if isinstance(obj, Resource) else None)
        for key, (obj, sha256) in objects_of(wanted, project).items()
    }


def entry_of(run: Run, epoch: int) -> Entry:
    objects = {
        key: Applied(obj, sha256=(sha256 or "") if run.remembers else "")
        for key, (obj, sha256) in objects_of(run.builds, "theirs_test").items()
    }
    steps = tuple(
        Step("create", "resource" if "." in name else "function", name, outcome)
        for name, outcome in run.outcomes.items()
    )
    verdicts = tuple(Verdict("function", name, 1, int(not ok), 0, NOON) for name, ok in run.verdicts.items())
    return Entry("s", epoch, Holder(), NOON, NOON, "committed", steps=steps, objects=objects, verdicts=verdicts)


def is_proven(name: str, build: Build, history: list[Run], *, verified: bool) -> bool:
    """Say it once more, from what happened: the newest apply first."""
    for number, run in enumerate(history):
        is_certain = all(run.outcomes.get(part, "done") == "done" for part in (name, f"{name}.csv"))
        # What an older version wrote down is only known as long as it is there.
        is_known = run.remembers or number == 0
        if run.builds.get(name) == build and is_certain and is_known:
            if not verified:
                return True
            if name in run.verdicts:
                return run.verdicts[name]
    return False


@given(builds, builds, runs, st.booleans())
def test_exactly_what_the_target_before_has_applied_and_verified_goes_on(
    wanted: dict[str, Build], had: dict[str, Build], history: list[Run], verified: bool
) -> None:
    entries = [entry_of(run, len(history) - number) for number, run in enumerate(history)]
    live = {}
    if history:
        marks = {key: want.mark for key, want in desired_of(history[0].builds, "theirs_test").items()}
        live = {key: Live(applied.object, mark=marks[key]) for key, applied in entries[0].objects.items()}
    before = Before("test", Reading(live, (), entries[0] if entries else None), entries)

    own = entry_of(Run(had, {}, {}, remembers=True), 1)
    marks = {key: want.mark for key, want in desired_of(had, "theirs_test").items()}
    here = Reading({key: Live(applied.object, mark=marks[key]) for key, applied in own.objects.items()}, (1,), own)
    desired = desired_of(wanted, "theirs_prod")
    made = plan.make(desired, here, stack="s", destination=Destination.of(CATALOG, "prod", "p", None))

    tested = frozenset(map(function_key, NAMES)) if verified else None
    ahead = {each.key.name for each in find_ahead(made, desired, here, before, tested)}
    for name, build in wanted.items():
        is_new = had.get(name) != build
        assert (name in ahead) == (is_new and not is_proven(name, build, history, verified=verified)), name
    for name in had.keys() - wanted.keys():
        assert (name in ahead) == bool(history and function_key(name) in live), name
    assert ahead <= wanted.keys() | had.keys()
