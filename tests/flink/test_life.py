"""A job's life over the real requests: started, changed with its state, given up; and cut at every request and every note."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.base.errors import ServiceError
from reconciler.targets.flink.health import JobPatience
from reconciler.targets.flink.life import JobRun, replace_job, start_job, stop_job
from reconciler.targets.flink.rest import FlinkRest, PythonProgram
from tests.flink.fake_flink import FakeFlink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

WHOLE = os.environ.get("UDFS_PROOF") == "whole"
SHORT = JobPatience(start=5, stop=5, end=5)
BAD = "ends badly"
COUNT = "SELECT word, COUNT(*) GROUP BY word"


class Cut(BaseException):
    """The process is gone."""


@dataclass
class Notes:
    """A journal that ends the process at a given note, before or after it is on the disk."""

    steps: dict[str, Any] | None = None
    job: str | None = None
    savepoint: str | None = None
    tick: Callable[[], None] = field(default=lambda: None)

    def read(self) -> Mapping[str, Any] | None:
        return None if self.steps is None else json.loads(json.dumps(self.steps))

    def write(self, steps: Mapping[str, Any] | None, *, job: str | None = None, savepoint: str | None = None) -> None:
        self.tick()
        self.steps = None if steps is None else dict(steps)
        self.job = self.job if job is None else job
        self.savepoint = self.savepoint if savepoint is None else savepoint or None
        self.tick()


@dataclass
class Place:
    """A cluster, and a folder for programs."""

    cluster: FakeFlink
    folder: Path
    notes: Notes = field(default_factory=Notes)

    def rest(self, tick: Callable[[], None] = lambda: None) -> FlinkRest:
        class Cuttable(FlinkRest):
            def _send(self, method: str, path: str, **body: Any) -> Any:
                tick()
                answer = super()._send(method, path, **body)
                tick()
                assert len(self_.cluster.alive("near")) <= 1, "two jobs at once"
                return answer

        self_ = self
        return Cuttable(self.cluster.url, pause=lambda seconds: None)

    def run(self, version: str, sql: str = COUNT) -> JobRun:
        """Return a job whose program has some text in it, by which the cluster knows what it does."""
        program = self.folder / f"{version}.py"
        program.write_text(sql)
        return JobRun("near", PythonProgram(str(program), name=f"near ({version})"), str(self.folder / "savepoints"))

    def start(self, version: str = "v1", sql: str = COUNT) -> tuple[JobRun, str]:
        run = self.run(version, sql)
        return run, start_job(self.rest(), run, self.notes, patience=SHORT)

    def replace(self, old: JobRun | None, job: str | None, new: JobRun, *, keep_state: bool = True, **more: Any) -> str:
        rest = more.pop("rest", None) or self.rest()
        return replace_job(rest, old, job, new, self.notes, keep_state=keep_state, patience=SHORT, **more)

    @property
    def running(self) -> list[tuple[str, bool]]:
        """What runs, and whether it was begun from a savepoint."""
        return [(job.name, bool(job.savepoint)) for job in self.cluster.alive("near")]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    cluster = FakeFlink()
    yield Place(cluster, tmp_path)
    cluster.close()


def error_of(act: Callable[[], object]) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        act()
    return caught.value


def code_of(error: ServiceError) -> str:
    return error.problems[0].code


def test_a_job_is_started_and_remembered_by_its_number(place: Place) -> None:
    _, job = place.start()
    assert place.running == [("near (v1)", False)]
    assert (place.notes.steps, place.notes.job) == (None, job)


def test_a_job_that_fails_at_once_is_refused_with_what_python_says_and_nothing_is_left(place: Place) -> None:
    error = error_of(lambda: place.start("v1", BAD))
    assert code_of(error) == "E492"
    assert error.problems[0].detail[-1] == "ValueError: broken"
    assert place.running == []
    assert place.notes.steps is None


def test_a_job_whose_worker_never_answers_is_given_up_with_what_of_it_does_not_run(place: Place) -> None:
    rest = place.rest()
    rest.clock = itertools.count().__next__
    error = error_of(lambda: start_job(rest, place.run("v1", "never answers"), place.notes, patience=SHORT))
    assert code_of(error) == "E492"
    assert error.problems[0].detail == (
        "it did not run within 5 seconds: Source -> Sink is INITIALIZING",
        "a worker in Python that hangs shows no other sign",
    )
    assert place.running == []


def test_a_changed_job_goes_on_from_the_savepoint_of_the_one_before(place: Place) -> None:
    old, job = place.start()
    second = place.replace(old, job, place.run("v2"))
    assert place.running == [("near (v2)", True)]
    assert second != job
    assert place.notes.savepoint == place.cluster.jobs[second].savepoint


def test_without_its_state_a_job_begins_anew_and_no_savepoint_is_remembered(place: Place) -> None:
    old, job = place.start()
    place.replace(old, job, place.run("v2", "SELECT MAX(word)"), keep_state=False)
    assert place.running == [("near (v2)", False)]
    assert place.notes.savepoint is None


@pytest.mark.parametrize("keep_state", [True, False])
def test_where_the_new_one_fails_the_old_one_runs_again_with_its_state(place: Place, keep_state: bool) -> None:
    old, job = place.start()
    error = error_of(lambda: place.replace(old, job, place.run("v2", f"{BAD} {COUNT}"), keep_state=keep_state))
    assert code_of(error) == "E491"
    assert error.problems[0].detail[-1] == "ValueError: broken"
    assert place.running == [("near (v1)", True)]
    assert place.notes.job == place.cluster.alive("near")[0].number
    assert place.notes.steps is None


def test_a_graph_that_cannot_take_the_state_stops_nothing(place: Place) -> None:
    old, job = place.start()
    error = error_of(lambda: place.replace(old, job, place.run("v2", "SELECT MAX(word)")))
    assert code_of(error) == "E490"
    assert any(line.startswith("- ") for line in error.problems[0].detail)
    assert [running.number for running in place.cluster.alive("near")] == [job]
    assert place.notes.steps is None


def test_what_ended_by_itself_is_begun_from_what_is_remembered(place: Place) -> None:
    old, job = place.start()
    kept = stop_job(place.rest(), job, old.savepoints, patience=SHORT)
    place.cluster.forget()
    place.replace(old, job, place.run("v2"), savepoint=kept)
    assert place.running == [("near (v2)", True)]


def test_where_the_old_one_is_not_known_its_savepoint_is_told(place: Place) -> None:
    _, job = place.start()
    error = error_of(lambda: place.replace(None, job, place.run("v2", f"{BAD} {COUNT}")))
    assert code_of(error) == "E493"
    assert "savepoint" in str(error.problems[0].hint)


def test_a_job_that_has_ended_is_stopped_already(place: Place) -> None:
    run, job = place.start()
    assert stop_job(place.rest(), job, run.savepoints, patience=SHORT)
    assert stop_job(place.rest(), job, run.savepoints, patience=SHORT) is None
    assert place.running == []


def cut_at(place: Place, number: int, act: Callable[[FlinkRest], object]) -> bool:
    """Run until the process is cut at its so manieth request or note; return whether it was."""
    left = [number]

    def tick() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Cut

    place.notes.tick = tick
    try:
        act(place.rest(tick))
    except Cut:
        return True
    except ServiceError:
        return False
    finally:
        place.notes.tick = lambda: None
    return False


# What the run after the cut wants: the same, or something else by then.
AFTERWARDS = {"the same": ("v2", COUNT), "another": ("v3", COUNT)}


@pytest.mark.parametrize("wish", AFTERWARDS)
@pytest.mark.parametrize("first", ["sound", "broken"])
def test_cut_anywhere_the_next_run_comes_to_one_job_with_its_state(tmp_path: Path, wish: str, first: str) -> None:
    """Between each two steps, before and after each request and each note; every seventh of them unless all is to be proven."""
    place, cuts = Place(FakeFlink(), tmp_path), 0
    for number in itertools.count(1, 1 if WHOLE else 7):
        place.cluster.forget()
        place.notes = Notes()
        if not cut_and_apply_again(place, number, is_broken=first == "broken", wish=AFTERWARDS[wish]):
            break
        cuts += 1
    place.cluster.close()
    assert cuts > (20 if WHOLE else 2)


def cut_and_apply_again(place: Place, number: int, *, is_broken: bool, wish: tuple[str, str]) -> bool:
    old, job = place.start()
    new = place.run("v2", f"{BAD} {COUNT}" if is_broken else COUNT)
    is_cut = cut_at(place, number, lambda rest: place.replace(old, job, new, rest=rest))
    job = job if place.notes.steps is not None else place.notes.job or job
    if is_broken and wish[0] == "v2":
        assert code_of(error_of(lambda: place.replace(old, job, new))) == "E491"
        assert place.running == [("near (v1)", True)]
    else:
        # Whoever applies again mends what was broken, or has other wishes.
        place.replace(old, job, place.run(*wish))
        assert place.running == [(f"near ({wish[0]})", True)]
    assert place.notes.steps is None
    return is_cut


def test_a_program_that_is_planned_still_when_its_caller_is_dead_comes_too_late(place: Place) -> None:
    """Its number is used again, and Flink takes each but once."""
    late, old, steps, job = place.run("v2"), place.run("v1"), {"step": ""}, ""
    for number in itertools.count(1):
        place.cluster.forget()
        place.notes = Notes()
        _, job = place.start()
        assert cut_at(place, number, lambda rest, job=job: place.replace(old, job, late, rest=rest))  # type: ignore[misc]
        steps = place.notes.steps or steps
        if steps["step"] == "start":
            break
    place.replace(old, job, place.run("v3"))
    rest = place.rest()
    with pytest.raises(ServiceError):
        rest.run(rest.upload_driver(), late.program, job=steps["new_id"])
    assert place.running == [("near (v3)", True)]
