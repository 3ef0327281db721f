"""The pipeline of `examples/gitops`, run as a platform would run it, in front of a MaxCompute on loopback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.pipelines.scene import PullRequest, Scene

if TYPE_CHECKING:
    from tests.pipelines.platform import Run

SHOUT = """
from odps.udf import annotate


@annotate("string->string")
class Shout(object):
    def evaluate(self, text):
        return text and text.upper() + "!"
"""


def function(name: str, source: str) -> str:
    """Return an entry of `functions:`."""
    return f'  {name}: {{source: {source}, class: Shout, tests: [{{args: [ab], returns: "AB!"}}]}}\n'


def add_function(scene: Scene, name: str, **more: Any) -> PullRequest:
    """Open a pull request that adds a function."""
    manifest = (scene.platform.origin / "udfs.yaml").read_text()
    edits = {f"udfs/{name}.py": SHOUT, "udfs.yaml": manifest + function(name, f"udfs/{name}.py")}
    return scene.open(name, edits, **more)


def results(run: Run) -> dict[str, str]:
    return {name: job.result for name, job in run.jobs.items()}


def index(run: Run, artifact: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((run.artifacts / artifact / "index.json").read_text())
    return document


def outcomes(run: Run, artifact: str) -> dict[str, str]:
    return {entry["target"]: entry["outcome"] for entry in index(run, artifact)["entries"]}


def digests(run: Run) -> dict[str, str]:
    """Return what the plans of a run come to, by targets."""
    return {entry["target"]: entry["digest"] for entry in index(run, "udfs-plan-1")["entries"]}


def applied(run: Run) -> dict[str, str]:
    """Return what came of the jobs that apply."""
    return {name: job.result for name, job in run.jobs.items() if name.startswith("apply-")}


DONE = {"apply-test": "success", "apply-prod": "success"}


def set_up(scene: Scene) -> None:
    """Bring the projects to what main says, as somebody does who starts the workflow by hand."""
    run = scene.by_hand()
    others = {"check": "success", "plan": "success", "findings": "success", "drift": "skipped"}
    assert results(run) == {**others, **DONE}, run.log


def test_from_a_pull_request_to_the_projects_and_through_the_night(scene: Scene) -> None:
    set_up(scene)
    first = add_function(scene, "shout")
    scene.server.clear_requests()
    planned = scene.plan(first)
    assert results(planned)["plan"] == "success", planned.log
    assert outcomes(planned, "udfs-plan-1") == dict.fromkeys(("dev", "test", "prod"), "changes")
    assert {sent.method for sent in scene.server.requests} == {"GET"}, "a plan only reads"
    assert scene.hub is not None
    [comment] = scene.hub.ours(first.number)
    assert "`shout`" in comment

    manifest = (scene.platform.origin / "udfs.yaml").read_text()
    source = (scene.platform.origin / "udfs/ascii_domain.py").read_text()
    second = scene.open(
        "comment", {"udfs.yaml": f"# A comment.\n{manifest}", "udfs/ascii_domain.py": f"# Mine.\n{source}"}
    )
    replanned = scene.plan(second)
    assert results(replanned)["plan"] == "success", replanned.log
    earlier = scene.merge(second)
    assert applied(earlier) == DONE, earlier.log

    # What the first was planned on is not there any more, and its plan still stands.
    merged = scene.merge(first)
    assert applied(merged) == DONE, merged.log
    assert outcomes(merged, "udfs-apply-prod-1") == {"prod": "changes"}

    night = scene.night()
    assert results(night)["drift"] == "success", night.log
    assert set(outcomes(night, "udfs-drift-1").values()) == {"clean"}

    # A fork has no identity: planned by the same steps on what the night saw, it comes to the same.
    ours = add_function(scene, "whisper")
    theirs = PullRequest(99, ours.branch, from_fork=True, head=ours.head, merged=ours.merged)
    with_identity, without = scene.plan(ours), scene.plan(theirs)
    assert results(without)["plan"] == "success", without.log
    assert digests(without) == digests(with_identity)
    assert results(without)["findings"] == "skipped"
    assert scene.hub.ours(99) == []
    assert "Resource not accessible by integration" in without.jobs["plan"].log


def test_two_merged_together_are_covered_by_two_plans_and_what_nobody_approved_by_none(scene: Scene) -> None:
    set_up(scene)
    source = (scene.platform.origin / "udfs/ascii_domain.py").read_text()
    first = add_function(scene, "shout")
    second = scene.open("comment", {"udfs/ascii_domain.py": f"# Mine.\n{source}"})
    for pull_request in (first, second):
        scene.plan(pull_request)
    alerts = scene.platform.alerts[f"refs/pull/{first.number}/merge"]
    targets = ("dev", "test", "prod")
    assert {*alerts} == {
        *(f"udfs check/udfs.yaml@{target}" for target in ("local", *targets)),
        *(f"udfs plan/udfs.yaml@{target}" for target in targets),
    }
    together = scene.merge(first, second)
    assert applied(together) == DONE, together.log

    unseen = add_function(scene, "whisper")
    pushed = scene.merge(unseen)
    assert applied(pushed) == {"apply-test": "failure", "apply-prod": "skipped"}
    assert "pull request 3 has no plan" in pushed.jobs["apply-test"].log
    assert "nobody approved to create function whisper" in pushed.jobs["apply-test"].log
    # The way out: somebody looks at the plan of a run by hand, and lets it go on.
    assert applied(scene.by_hand()) == DONE
