"""
Laws of commands that hold of every kind of target: each is a stack of its own, on a service of its own, over one road.

None of them says what a function, a layer, a job or a card is.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from reconciler.engine.plan_file import plan_schema
from tests.seam.stands import MANIFESTS, Stand, open_stand

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=MANIFESTS)
def stand(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    with open_stand(request.param, tmp_path, monkeypatch) as opened:
        yield opened


def test_what_is_planned_is_applied_and_then_there_is_nothing_to_do(stand: Stand) -> None:
    planned = stand.document("plan")
    jsonschema.validate(planned, plan_schema(stand.catalog))
    assert {change["action"] for change in planned["changes"]} == {"create"}
    stand.run("apply", "--yes")
    again = stand.document("plan")
    jsonschema.validate(again, plan_schema(stand.catalog))
    assert again["changes"] == []
    assert again["unchanged"] == len(planned["changes"])
    assert stand.run("drift").code == 0


def test_an_apply_without_a_change_writes_nothing(stand: Stand) -> None:
    stand.run("apply", "--yes")
    if stand.service is None:
        pytest.skip("it is no HTTP service")
    stand.service.clear_requests()
    stand.run("apply", "--yes")
    assert {sent.method for sent in stand.service.requests} == {"GET"}


def test_every_rendering_of_a_plan_names_its_destination_and_its_objects(stand: Stand) -> None:
    planned = stand.document("plan")
    names = [change["name"] for change in planned["changes"]]
    for form in ("text", "markdown", "html"):
        said = stand.run("plan", "--format", form).out
        assert stand.stack in said
        assert all(name in said for name in names), form


def test_a_rollback_brings_back_what_was_and_the_manifest_wants_the_same_again(stand: Stand) -> None:
    stand.run("apply", "--yes")
    stand.change()
    wanted = stand.steps()
    assert any(stand.manifest.edited in step for step in wanted)
    stand.run("apply", "--yes")
    assert stand.steps() == []
    stand.run("rollback", "--yes")
    after = stand.steps()
    assert after
    # What has its content in its name stays beside the older one, and need not be made again.
    assert set(after) <= set(wanted)
    stand.run("apply", "--yes")
    assert stand.steps() == []


def test_what_a_stranger_did_is_told_and_brought_back(stand: Stand) -> None:
    stand.run("apply", "--yes")
    stand.meddle()
    [drifted] = stand.document("drift", code=2)["drifted"]
    assert drifted["name"] == stand.manifest.edited
    stand.run("apply", "--restore", "--yes")
    assert stand.document("drift")["drifted"] == []
    assert stand.steps() == []


def test_a_saved_plan_is_performed_as_it_was_shown_and_once(stand: Stand) -> None:
    stand.run("plan", "--out", "plan.json")
    jsonschema.validate(json.loads((stand.folder / "plan.json").read_text()), plan_schema(stand.catalog))
    shown = stand.steps()
    outcomes = stand.document("apply", "plan.json", "--yes")["outcomes"]
    assert [f"{each['action']} {each['kind']} {each['name']}" for each in outcomes] == shown
    assert stand.run("apply", "plan.json", "--yes", code=6).code == 6


def test_a_saved_plan_is_stale_once_a_stranger_was_there(stand: Stand) -> None:
    stand.run("apply", "--yes")
    stand.change()
    stand.run("plan", "--out", "plan.json")
    stand.meddle()
    assert stand.manifest.edited in stand.run("apply", "plan.json", "--yes", code=6).err


def test_a_saved_plan_of_another_kind_is_refused_by_its_name(stand: Stand) -> None:
    stand.run("plan", "--out", "plan.json")
    plan = json.loads((stand.folder / "plan.json").read_text())
    other = MANIFESTS["fc" if "fc" not in stand.manifest.text else "maxcompute"]
    text = other.text.replace(f"stack: {other.text.split()[1]}", f"stack: {stand.stack}")
    for name, content in {"udfs.yaml": text, **other.files}.items():
        (stand.folder / name).write_text(content)
    plan["saved"]["manifest"] = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    (stand.folder / "plan.json").write_text(sealed(plan))
    refused = stand.run("apply", "plan.json", "--yes", code=6).err
    assert "error[E520]: the plan is for a target of kind" in refused


def sealed(plan: dict[str, Any]) -> str:
    """Return a plan's file with the checksum that it then has."""
    plan["saved"].pop("checksum")
    text = json.dumps(plan, sort_keys=True, separators=(",", ":"))
    checksum = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return json.dumps({**plan, "saved": {**plan["saved"], "checksum": checksum}})


def test_a_plan_against_a_dump_is_the_same_plan(stand: Stand) -> None:
    stand.run("apply", "--yes")
    stand.change()
    stand.run("dump", "--out", "dump.json")
    assert stand.document("plan", "--against", "dump.json")["digest"] == stand.document("plan")["digest"]


def test_who_holds_the_lease_keeps_others_out(stand: Stand) -> None:
    stand.hold_lease()
    assert f"eve is applying stack '{stand.stack}'" in stand.run("apply", "--yes", code=7).err
    planned = stand.document("plan")
    assert {change["action"] for change in planned["changes"]} == {"create"}, "nothing was made"


def test_history_has_each_run_and_a_run_its_steps(stand: Stand) -> None:
    stand.run("apply", "--yes")
    stand.change()
    shown = stand.steps()
    stand.run("apply", "--yes")
    runs = stand.document("history")["runs"]
    assert [(run["epoch"], run["outcome"]) for run in runs] == [(2, "committed"), (1, "committed")]
    steps = stand.document("show-run", "2")["steps"]
    assert [f"{step['action']} {step['kind']} {step['name']}" for step in steps] == shown


def test_what_leaves_the_manifest_goes_by_its_number(stand: Stand) -> None:
    stand.run("apply", "--yes")
    stand.rewrite(stand.manifest.line, "")
    refused = stand.document("apply", "--yes", code=5)["problems"]
    assert [problem["code"] for problem in refused] == ["E503"]
    stand.run("apply", "--yes", "--allow-deletes", "1")
    assert stand.steps() == []
    (stand.folder / "udfs.yaml").write_text(stand.manifest.text)
    assert any(stand.manifest.removable in step for step in stand.steps()), "it is gone"


def test_what_is_protected_stays(stand: Stand) -> None:
    if not stand.manifest.can_protect:
        pytest.skip("jobs have no `protect:`")
    line = stand.manifest.line
    protected = line.replace("}", ", protect: true}")
    stand.rewrite(line, protected)
    stand.run("apply", "--yes")
    stand.rewrite(protected, "")
    assert "E511" in {problem["code"] for problem in stand.document("plan", code=5)["refusals"]}
    stand.run("apply", "--yes", "--allow-deletes", "1", code=5)


def test_what_is_disowned_is_refused_until_it_is_adopted(stand: Stand) -> None:
    stand.run("apply", "--yes")
    stand.rewrite(stand.manifest.line, "")
    stand.run("disown", stand.manifest.removable, "--yes")
    assert stand.steps() == []
    (stand.folder / "udfs.yaml").write_text(stand.manifest.text)
    assert "E501" in {problem["code"] for problem in stand.document("plan", code=5)["refusals"]}
    stand.run("adopt", "*", "--yes")
    # What a job of somebody else's runs is not known, so the apply behind an adoption starts it as the manifest says.
    assert not any(step.startswith(("create", "delete")) for step in stand.steps())
    stand.run("apply", "--yes")
    assert stand.steps() == []


def test_a_destroyed_stack_is_all_to_be_made_again(stand: Stand) -> None:
    before = stand.steps()
    stand.run("apply", "--yes")
    stand.run("destroy", "--yes")
    assert stand.steps() == before


def test_what_there_is_is_shown_and_what_is_not_is_named(stand: Stand) -> None:
    stand.run("apply", "--yes")
    shown = stand.run("show").out
    assert stand.manifest.edited in shown
    assert stand.manifest.removable in shown
    assert "or in the manifest" in stand.run("show", "nothing-of-that-name", code=3).err


def test_what_the_manifest_has_and_nobody_applied_is_said_to_be_applied_next(stand: Stand) -> None:
    refused = stand.run("show", stand.manifest.edited, code=3).err
    assert "error[E703]" in refused
    assert "or in the manifest" not in refused
    assert "udfs apply" in refused
