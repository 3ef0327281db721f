"""I8 over the real service: a saved plan makes exactly its changes, or stops before the first write."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from reconciler.cli.entry import run
from reconciler.engine import saved_plan as saved
from reconciler.engine.plan_file import PlanDocument
from reconciler.local import Server, Settings
from reconciler.targets.maxcompute.names import mark_text, read_comment
from reconciler.targets.maxcompute.objects import CATALOG
from tests.canary import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SOURCE = """\
from odps.udf import annotate


@annotate("->string")
class {name}(object):
    def evaluate(self):
        return "{word}"
"""
BEFORE = """\
stack: risk
rollout: in_place
targets: {local: {endpoint: "${env:ENDPOINT}", project: demo}}
resources:
  data.csv: {file: data.csv}
functions:
  f: {source: f.py, class: F, resources: [data.csv]}
  g: {source: g.py, class: G, resources: [data.csv]}
"""
AFTER = BEFORE.replace("g: {source: g.py, class: G", "h: {source: h.py, class: H")
"""One is changed, one goes with its module, one comes with its module, and one resource is left alone."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A service to which the stack was applied, and beside it the manifest of today with its plan."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    monkeypatch.setenv("UDFS_WRITERS", "1")
    for name in "fgh":
        (tmp_path / f"{name}.py").write_text(SOURCE.format(name=name.upper(), word="one"))
    (tmp_path / "data.csv").write_text("1\n")
    with Server(tmp_path / "store", Settings(control=True)) as running:
        monkeypatch.setenv("ENDPOINT", running.url)
        (tmp_path / "udfs.yaml").write_text(BEFORE)
        assert run(["apply", "--yes"]) == 0
        (tmp_path / "udfs.yaml").write_text(AFTER)
        (tmp_path / "f.py").write_text(SOURCE.format(name="F", word="three"))
        assert run(["plan", "--out", "plan.json", "--allow-deletes", "2"]) == 0
        running.clear_requests()
        yield running


def writes(server: Server) -> list[str]:
    """Return what changed something, the ledger's entries left out."""
    found = [f"{sent.method} {sent.path.removeprefix('/projects/demo')}" for sent in server.requests]
    return [line for line in found if not line.startswith("GET") and "/resources/udfs.risk." not in line]


EXACTLY = [
    "POST /resources",  # the lease
    "PUT /resources/f.py",
    "POST /resources",
    "POST /registration/functions",
    "DELETE /registration/functions/g",
    "DELETE /resources/g.py",
]


def send(server: Server, method: str, path: str, body: str = "", **headers: str) -> None:
    sent = {"Authorization": "ODPS eve:unsigned", **{key.replace("_", "-"): value for key, value in headers.items()}}
    answer = requests.request(method, f"{server.url}/projects/demo{path}", data=body, headers=sent, timeout=10)
    assert answer.ok, answer.text


def put(server: Server, name: str, body: str, kind: str = "py") -> None:
    found = requests.get(f"{server.url}/projects/demo/resources/{name}?meta", timeout=10)
    comment = found.headers.get("x-odps-comment", "")
    send(
        server, "PUT", f"/resources/{name}", body, x_odps_resource_type=kind, x_odps_resource_name=name,
        x_odps_comment=comment,
    )  # fmt: skip


def create(server: Server, name: str, kind: str = "py") -> None:
    send(server, "POST", "/resources", "x = 1\n", x_odps_resource_type=kind, x_odps_resource_name=name)


def register(server: Server, name: str, class_path: str, *listed: str, method: str = "POST") -> None:
    names = "".join(f"<ResourceName>{one}</ResourceName>" for one in listed)
    body = (
        f"<Function><Alias>{name}</Alias><ClassType>{class_path}</ClassType><Resources>{names}</Resources></Function>"
    )
    path = f"/registration/functions{'' if method == 'POST' else f'/{name}'}"
    send(server, method, path, body, Content_Type="application/xml")


def drop(server: Server, *paths: str) -> None:
    for path in paths:
        send(server, "DELETE", path)


def lose_the_ledger(server: Server) -> None:
    drop(server, "/resources/udfs.risk.1.json")


def apply_from_elsewhere(server: Server) -> None:
    assert run(["apply", "--yes", "--allow-deletes", "2"]) == 0


def add_their_own(server: Server) -> None:
    create(server, "own.py")
    register(server, "own", "own.X", "own.py")


STALE: dict[str, Callable[[Server], object]] = {
    "edits what is to be changed": lambda s: put(s, "f.py", "hacked = True\n"),
    "puts there what is wanted": lambda s: put(s, "f.py", SOURCE.format(name="F", word="three")),
    "edits what is to be deleted": lambda s: put(s, "g.py", "needed = True\n"),
    "edits what is left alone": lambda s: put(s, "data.csv", "22\n", "file"),
    "deletes what is to be changed": lambda s: drop(s, "/registration/functions/f", "/resources/f.py"),
    "deletes what is to be deleted": lambda s: drop(s, "/registration/functions/g"),
    "creates the module that is to come": lambda s: create(s, "h.py"),
    "creates the function that is to come": lambda s: register(s, "H", "x.X", "data.csv"),
    "gives a function another list": lambda s: register(s, "f", "f.F", "f.py", method="PUT"),
    "gives a function another class": lambda s: register(s, "f", "f.G", "f.py", "data.csv", method="PUT"),
    "applies the same manifest": apply_from_elsewhere,
    "loses the ledger": lose_the_ledger,
}
NEUTRAL: dict[str, Callable[[Server], object]] = {
    "does nothing": lambda s: None,
    "adds things of their own": add_their_own,
    "lists a resource that stays": lambda s: register(s, "reader", "x.X", "data.csv"),
    "is another stack's ledger": lambda s: create(s, "udfs.geo.7.json", "file"),
}


@pytest.mark.parametrize("hand", STALE)
def test_whatever_somebody_does_to_what_the_plan_is_about_stops_it_before_the_first_write(
    hand: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    STALE[hand](server)
    server.clear_requests()
    capsys.readouterr()
    assert run(["apply", "plan.json", "--yes"]) == 6
    assert not writes(server)
    told = capsys.readouterr().err
    assert "since the plan was made" in told or "is gone" in told
    assert "make a new plan" in told


@pytest.mark.parametrize("hands", list(itertools.combinations(NEUTRAL, 2)), ids=" and ".join)
def test_otherwise_exactly_the_plan_is_done(hands: tuple[str, str], server: Server) -> None:
    for hand in hands:
        NEUTRAL[hand](server)
    server.clear_requests()
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert writes(server) == EXACTLY
    assert run(["plan", "--exit-code"]) == 0


def test_a_stranger_who_came_to_need_what_is_deleted_is_not_broken(server: Server) -> None:
    register(server, "theirs", "g.G", "g.py")
    server.clear_requests()
    assert run(["apply", "plan.json", "--yes"]) == 5
    assert not writes(server)


def forged(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a saved plan, and seal it as udfs does: whoever can write the file can do that."""
    file = tmp_path / "plan.json"
    told = json.loads(file.read_text())
    change(told)
    made = saved.plan_of(PlanDocument.model_validate(told), CATALOG)
    beside = told["saved"]
    sealed = saved.Saved(made, beside["epoch"], beside["manifest"].removeprefix("sha256:"), beside["allow_deletes"])
    file.write_bytes(saved.write(sealed))


def rename(told: dict[str, Any]) -> None:
    """Call the deletes a rename, which no number has to allow."""
    told["saved"]["allow_deletes"] = 0
    for one in told["changes"]:
        if one["action"] == "delete":
            one |= {"cause": "moved", "differences": []}


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (rename, 5, "E503"),
        (lambda told: told["changes"].append(told["changes"][-1]), 3, "E516"),
        (lambda told: told["changes"].pop(0), 3, "E516"),
    ],
)
def test_a_file_says_which_plan_is_meant_and_nothing_else_is_believed_to_it(
    change: Callable[[dict[str, Any]], object],
    code: int,
    said: str,
    server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    forged(tmp_path, change)
    capsys.readouterr()
    assert run(["apply", "plan.json", "--yes"]) == code
    assert said in capsys.readouterr().err
    assert not writes(server)


def test_a_file_does_not_take_what_is_somebody_elses(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create(server, "victim.csv", "file")
    assert run(["dump", "--out", "dump.json"]) == 0
    found = [one["live"] for one in json.loads((tmp_path / "dump.json").read_text())["objects"]]
    victim = next(live for live in found if live["name"] == "victim.csv")

    def adopt(told: dict[str, Any]) -> None:
        like = next(one for one in told["saved"]["kept"] if one["name"] == "data.csv")
        _, mark = read_comment(like["desired"]["marker"], "data.csv")
        assert mark is not None
        desired = {**like["desired"], "name": "victim.csv", "marker": mark_text(mark, "victim.csv")}
        more = {"action": "adopt", "cause": "none", "upload_bytes": 2, "differences": []}
        told["changes"].insert(0, {**like, **more, "name": "victim.csv", "desired": desired, "live": victim})

    forged(tmp_path, adopt)
    server.clear_requests()
    assert run(["apply", "plan.json", "--yes"]) == 3
    assert "E516" in capsys.readouterr().err
    assert not writes(server)


def test_a_plan_that_only_restores_is_performed_as_such(server: Server) -> None:
    put(server, "g.py", "hacked")
    assert run(["plan", "--restore", "--out", "restore.json"]) == 0
    server.clear_requests()
    assert run(["apply", "restore.json", "--yes"]) == 0


def test_what_a_run_that_was_cut_off_left_is_done_as_approved_and_not_as_the_whole_old_plan(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults.add({"action": "fail", "status": 400, "code": "Invalid", "method": "POST", "path": "functions"})
    assert run(["apply", "plan.json", "--yes"]) == 8
    assert "what is left of it: udfs apply --target local --approved plan.json" in capsys.readouterr().err
    server.clear_requests()
    assert run(["apply", "plan.json", "--yes"]) == 6
    assert not writes(server)
    assert run(["apply", "--approved", "plan.json", "--yes"]) == 0
    assert run(["plan", "--exit-code"]) == 0


def test_while_somebody_applies_a_saved_plan_waits(server: Server, tmp_path: Path) -> None:
    entry = requests.get(f"{server.url}/projects/demo/resources/udfs.risk.1.json", timeout=10).json()
    running = {**entry, "outcome": "running", "expires": "2999-01-01T00:00:00Z"}
    put(server, "udfs.risk.1.json", json.dumps(running), "file")
    server.clear_requests()
    assert run(["apply", "plan.json", "--yes"]) == 7
    assert not writes(server)


def test_nothing_secret_is_in_the_files(server: Server, tmp_path: Path) -> None:
    assert run(["dump", "--out", "dump.json"]) == 0
    for name in ("plan.json", "dump.json"):
        assert SECRET not in (tmp_path / name).read_text()
