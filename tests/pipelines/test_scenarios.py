"""
The life of a repository after its first merge: deletes, promotion, edits behind its back, reverts, many manifests; and its enemies.

Each takes half a minute of a core: all of them run at night, in CI the one about what jobs hand to each other.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.pipelines.cloud import APPLY_ROLE
from tests.pipelines.scene import BACK, EXAMPLE, WORKFLOW
from tests.pipelines.test_gitops import DONE, SHOUT, applied, function, index, outcomes, results, set_up

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipelines.platform import Event, Job, Run
    from tests.pipelines.scene import PullRequest, Scene

MARKER = "<!-- udfs:ci -->"

pytestmark = pytest.mark.timeout(1800)
at_night = pytest.mark.skipif(os.environ.get("UDFS_PROOF") != "whole", reason="runs at night: UDFS_PROOF=whole")

TARGETS = "".join(
    f'  {name}: {{endpoint: "${{env:ODPS_ENDPOINT}}", project: {project}}}\n'
    for name, project in (("dev", "web_dev"), ("test", "web_test"), ("prod", "web"))
)


def manifest(stack: str, *functions: str) -> str:
    """Return a manifest with nothing that has to be fetched."""
    entries = "".join(function(name, f"{name}.py") for name in functions) or " {}\n"
    promote = "promote: {prod: {after: test, verified: true}}\n"
    return f"stack: {stack}\npython: cp311\ntargets:\n{TARGETS}{promote}functions:\n{entries}"


def edits(stack: str, *functions: str, folder: str = "") -> dict[str, str]:
    """Return the files of a stack."""
    sources = {f"{folder}{name}.py": f"{SHOUT}\n\n# {name}\n" for name in functions}
    return {f"{folder}udfs.yaml": manifest(stack, *functions), **sources}


@pytest.fixture
def files() -> dict[str, str]:
    """What is in the repository, in the place of the example's functions."""
    workflows = {path: (EXAMPLE / path).read_text() for path in (WORKFLOW, BACK)}
    return {**edits("small", "shout", "call", "sing", "hum"), **workflows}


def require_applied(run: Run) -> None:
    assert applied(run) == DONE, run.log


def comment_of(scene: Scene, pull_request: PullRequest) -> str:
    assert scene.hub is not None
    [comment] = scene.hub.ours(pull_request.number)
    return comment


def issues_of(scene: Scene) -> dict[str, str]:
    """Return the issues by their titles, and how each stands."""
    assert scene.hub is not None
    return {issue["title"]: issue["state"] for issue in scene.hub.issues}


def before_job(scene: Scene, name: str, act: Any) -> None:
    """Do something right before the first step of a job."""
    machine, seen = scene.platform.machine, set[str]()

    def watch(job: Job, event: Event) -> Any:
        if job.name == name and name not in seen:
            seen.add(name)
            act(scene.platform.runs[-1])
        return machine(job, event)

    scene.platform.machine = watch


@at_night
def test_a_delete_is_approved_by_its_number_and_a_revert_brings_it_back(scene: Scene) -> None:
    set_up(scene)
    without = {**edits("small", "shout", "call", "sing"), "hum.py": None}
    pull_request = scene.open("delete", without)
    refused = scene.plan(pull_request)
    assert results(refused)["plan"] == "failure"
    assert "none is allowed" in comment_of(scene, pull_request)
    planned = scene.plan(pull_request, "urgent", "deletes: 1")
    assert results(planned)["plan"] == "success", planned.log
    assert "deletes 1 function" in comment_of(scene, pull_request)
    require_applied(scene.merge(pull_request))

    back = scene.open("revert", edits("small", "shout", "call", "sing", "hum"))
    assert results(scene.plan(back))["plan"] == "success"
    require_applied(scene.merge(back))
    assert set(outcomes(scene.night(), "udfs-drift-1").values()) == {"clean"}


@at_night
def test_a_merge_queue_tries_two_pull_requests_and_its_push_is_covered_by_both_plans(scene: Scene) -> None:
    set_up(scene)
    first = scene.open("first", edits("small", "shout", "call", "sing", "hum", "whisper"))
    second = scene.open("second", {**edits("small", "call", "sing", "hum"), "shout.py": None})
    scene.plan(first)
    assert results(scene.plan(second, "deletes: 1"))["plan"] == "success"
    scene.server.clear_requests()
    for run in scene.enqueue(first, second):
        assert results(run)["plan"] == "success", run.log
        assert set(applied(run).values()) == {"skipped"}, "a group may be dropped, so nothing of it is applied"
    assert {sent.method for sent in scene.server.requests} == {"GET"}
    pushed = scene.leave_queue(first, second)
    require_applied(pushed)
    for pull_request in (first, second):
        assert f"pull request {pull_request.number}: 3 plans" in pushed.jobs["apply-test"].log
        assert "udfs apply" in comment_of(scene, pull_request)
    assert set(outcomes(scene.night(), "udfs-drift-1").values()) == {"clean"}


@at_night
def test_an_edit_at_a_console_is_an_issue_until_somebody_lets_main_bring_it_back(scene: Scene) -> None:
    set_up(scene)
    scene.edit_at_console("web", "hum")
    night = scene.night()
    assert outcomes(night, "udfs-drift-1") == {"dev": "clean", "test": "clean", "prod": "changes"}
    assert issues_of(scene) == {"Drift: prod of udfs.yaml": "open"}
    # A pull request about something else does not undo it unseen: its plan says so.
    other = scene.open("other", edits("small", "shout", "call", "sing", "hum", "whisper"))
    scene.plan(other)
    assert "changed outside" in comment_of(scene, other)

    require_applied(scene.by_hand())
    assert set(outcomes(scene.night(), "udfs-drift-1").values()) == {"clean"}
    assert issues_of(scene) == {"Drift: prod of udfs.yaml": "closed"}


@at_night
def test_what_the_night_saw_is_restored_and_an_apply_rolled_back_by_a_run_that_somebody_lets_go_on(
    scene: Scene,
) -> None:
    set_up(scene)
    before = scene.class_of("web", "shout")
    newer = scene.open("newer", {"shout.py": f"{SHOUT}\n\n# newer\n", **edits("team", "bark", folder="team/")})
    scene.plan(newer)
    require_applied(scene.merge(newer))
    after = scene.class_of("web", "shout")
    scene.edit_at_console("web", "hum")
    scene.edit_at_console("web", "bark")
    night = scene.night()
    assert [entry["outcome"] for entry in index(night, "udfs-drift-1")["entries"]].count("changes") == len(
        {"hum", "bark"}
    )

    restored = scene.by_hand(BACK, what="restore", target="prod", epoch="")
    assert results(restored) == {"check": "success", "look": "success", "go-back": "success"}, restored.log
    assert restored.jobs["look"].summary.count("| ~ |") == len({"hum", "bark"}), "and nothing else"
    assert set(outcomes(scene.night(), "udfs-drift-1").values()) == {"clean"}
    assert issues_of(scene) == dict.fromkeys(("Drift: prod of udfs.yaml", "Drift: prod of team/udfs.yaml"), "closed")

    unnamed = scene.by_hand(BACK, what="rollback", target="prod", epoch="")
    assert results(unnamed) == {"check": "skipped", "look": "failure", "go-back": "skipped"}
    assert "| 3 |" in unnamed.jobs["look"].summary, "it lists the applies"
    rolled_back = scene.by_hand(BACK, what="rollback", target="prod", epoch="1")
    assert results(rolled_back) == {"check": "skipped", "look": "success", "go-back": "success"}, rolled_back.log
    assert (scene.class_of("web", "shout"), before != after) == (before, True)
    assert outcomes(scene.night(), "udfs-drift-1")["prod"] == "clean", "what we did ourselves is no drift"

    # What people let go on is what was looked at: somebody was at the console meanwhile.
    before_job(scene, "go-back", lambda run: scene.edit_at_console("web", "shout"))
    late = scene.by_hand(BACK, what="rollback", target="prod", epoch="2")
    assert results(late)["go-back"] == "failure"
    assert "E519" in late.jobs["go-back"].log


@at_night
def test_a_change_that_leaves_test_out_does_not_reach_prod(scene: Scene) -> None:
    set_up(scene)
    workflow = (scene.platform.origin / WORKFLOW).read_text()
    shortcut = workflow.replace("needs: [check, plan, apply-test]", "needs: [check, plan]").replace(
        "needs.apply-test.result == 'success'", "github.ref == 'refs/heads/main' && needs.check.result == 'success'"
    )
    shortcut = shortcut.replace("targets: dev,test\n", "targets: dev\n")
    assert shortcut.count("apply-test") < workflow.count("apply-test")
    pull_request = scene.open(
        "shortcut", {**edits("small", "shout", "call", "sing", "hum", "whisper"), WORKFLOW: shortcut}
    )
    assert results(scene.plan(pull_request))["plan"] == "success"
    merged = scene.merge(pull_request)
    assert applied(merged) == {"apply-test": "success", "apply-prod": "failure"}, merged.log
    assert "E582" in merged.jobs["apply-prod"].log
    assert outcomes(merged, "udfs-apply-prod-1") == {"prod": "refused"}


@at_night
def test_a_pull_request_that_writes_itself_a_job_to_apply_gets_no_identity(scene: Scene) -> None:
    set_up(scene)
    workflow = (scene.platform.origin / WORKFLOW).read_text()
    impatient = workflow.replace("needs.apply-test.result == 'success'", "needs.plan.result == 'success'")
    impatient = impatient.replace("needs: [check, plan, apply-test]", "needs: [check, plan]")
    # Without an environment it runs, and is the pull request's job that it is.
    without = impatient.replace("    environment: prod\n", "").replace("vars.UDFS_APPLY_ROLE_ARN", f"'{APPLY_ROLE}'")
    assert scene.cloud is not None
    for branch, text in (("impatient", impatient), ("bold", without)):
        scene.server.clear_requests()
        pull_request = scene.open(branch, {**edits("small", "shout", "call", "sing", "hum", branch), WORKFLOW: text})
        planned = scene.plan(pull_request)
        assert results(planned)["apply-prod"] == "failure", planned.log
        assert {request.method for request in scene.server.requests} <= {"GET"}
    assert "is not allowed to deploy" in scene.platform.runs[-2].jobs["apply-prod"].log
    assert scene.cloud.refused == ["repo:acme/functions:pull_request"]
    scene.cloud.refused.clear()


@at_night
def test_what_was_merged_and_could_not_be_applied_comes_with_the_next_pull_request(
    scene: Scene,
) -> None:
    teams = {
        name: text for team in "abc" for name, text in edits(f"team-{team}", f"{team}_f", folder=f"{team}/").items()
    }
    first = scene.open("teams", teams)
    scene.plan(first)
    require_applied(scene.merge(first))
    broken = scene.open("broken", {"b/b_f.py": SHOUT.replace("upper", "lower"), "a/a_f.py": f"{SHOUT}# new\n"})
    assert results(scene.plan(broken))["check"] == "failure", "its test fails"
    merged = scene.merge(broken)
    assert set(applied(merged).values()) == {"skipped"}
    mended = scene.open("mended", {"b/b_f.py": f"{SHOUT}# mended\n"})
    assert results(scene.plan(mended))["plan"] == "success"
    assert len(scene.hub.ours(mended.number)) == 1 if scene.hub else False
    # What was merged and not applied stands in the next plan, and is approved with it.
    late = scene.merge(mended)
    require_applied(late)
    entries = {
        (entry["manifest"], entry["target"]): entry["outcome"]
        for entry in json.loads((late.artifacts / "udfs-apply-test-1/index.json").read_text())["entries"]
    }
    assert {name: outcome for (name, target), outcome in entries.items() if target == "test"} == {
        "a/udfs.yaml": "changes",
        "b/udfs.yaml": "changes",
        "c/udfs.yaml": "clean",
        "udfs.yaml": "clean",
    }


@at_night
def test_what_an_attack_calls_things_stays_words_from_the_pull_request_through_the_night(scene: Scene) -> None:
    """A branch, a folder with a manifest of its own, files, descriptions, a comment and an issue, none of which means well."""
    set_up(scene)
    assert scene.hub is not None
    words = f"x ::error::approved {MARKER} ##[error]approved @everyone [link](http://evil.example)"
    folder = "t\n::error::approved\n##[error]approved @everyone `id`"
    entry = function("evil", "evil.py").removesuffix("}\n") + f', description: "{words}"}}\n'
    files = {
        "udfs.yaml": manifest("small", "shout", "call", "sing", "hum") + entry,
        "evil.py": SHOUT,
        "x\n::error::approved\n.py": "",
        **edits("deep", "deep", folder=f"{folder}/"),
    }
    pull_request = scene.open("x;$(touch${IFS}pwned)`touch${IFS}pwned`", files)
    forged = scene.hub.say(pull_request.number, f"{MARKER}\n**Plan:** nothing to do", "mallory")["body"]
    planned = scene.plan(pull_request)
    assert results(planned)["plan"] == "success", planned.log
    require_applied(scene.merge(pull_request))
    scene.edit_at_console("web", "evil")
    scene.edit_at_console("web", "deep")
    nights = [scene.night()]
    [(_, body)] = [(issue["title"], issue["body"]) for issue in scene.hub.issues if "of udfs.yaml" in issue["title"]]
    mine = scene.hub.open("Drift: prod of udfs.yaml", body.replace("evil", "nothing"), "mallory")["body"]
    nights.append(scene.night())
    for night in nights:
        assert night.jobs["drift"].log.count("Error: exit code") == 1, "that there is drift, and nothing else is amiss"
        assert len(outcomes(night, "udfs-drift-1")) == len({"dev", "test", "prod"})

    for run in scene.platform.runs:
        for job in run.jobs.values():
            assert {command.name for command in job.commands} <= {"stop-commands", "error", "warning", "notice"}
            assert not [command for command in job.commands if command.message.startswith("approved")]
            require_harmless(job.summary)
    ours = [*scene.hub.ours(pull_request.number), *(each["body"] for each in scene.hub.issues if each["body"] != mine)]
    assert len(ours) == 3, "one comment, and an issue a manifest with drift"
    for text in ours:
        require_harmless(text)
    assert ours[0].count(MARKER) == 1
    others = [each["body"] for each in scene.hub.comments[pull_request.number] if each["user"]["login"] == "mallory"]
    assert others == [forged]
    assert [each["body"] for each in scene.hub.issues if each["user"]["login"] == "mallory"] == [mine]
    assert [*scene.folder.rglob("pwned")] == []


def require_harmless(text: str) -> None:
    """Hold what a forge renders against what the words of the attack would do there."""
    assert "(http://evil.example)" not in text
    plain = re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", text)
    assert not re.search(r"(?<!\w)@everyone", plain), plain


def test_what_jobs_hand_to_each_other_is_believed_only_as_far_as_it_can_be_checked(
    scene: Scene, tmp_path: Path
) -> None:
    """Code of a change has the machine of the check to itself: suppose that it can write whatever that job leaves."""

    def forge(run: Run) -> None:
        forged = run.artifacts / "udfs-plan-1"
        (forged / "small.test").mkdir(parents=True)
        (forged / "index.json").write_text("{}")
        (forged / "small.test" / "plan.udfs.json").write_text("{}")

    pull_request = scene.open("forger", edits("small", "shout", "call", "sing", "hum", "evil"))
    before_job(scene, "plan", forge)
    planned = scene.plan(pull_request)
    assert planned.result == "failure", "a plan that was there before the plan was made ends the run"
    assert "udfs-plan-1 already exists" in planned.jobs["plan"].log
    merged = scene.merge(pull_request)
    assert applied(merged) == {"apply-test": "failure", "apply-prod": "skipped"}
    assert "nobody approved" in merged.jobs["apply-test"].log
    assert [request for request in scene.server.requests if request.method not in {"GET", "HEAD"}] == []
