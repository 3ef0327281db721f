"""A stack on the vendor's service: the local one, over the fake of Flink's REST interface, by commands as a person types them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.local.ververica import VervericaServer, VervericaSettings
from reconciler.local.ververica.engines import FlinkAtAddress
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.flink.vendor.client import VervericaClient
from tests.flink.fake_flink import FakeFlink
from tests.invariants.world import Said, here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
MANIFEST = """\
stack: risk
target: {{kind: flink}}
targets:
  prod: {{endpoint: "{url}", workspace: w1, namespace: risk-default, bucket: risk, engine: vvr-11.7-jdk11-flink-1.20}}
functions:
  near: {{source: near.py, class: near}}
jobs:
  near-job: {{main: main.py, args: [--out, x y], functions: [near], files: [rates.csv], conf: {{parallelism.default: "2"}}}}
  words: {{sql: words.sql}}
"""
SOURCE = "from pyflink.table.udf import udf\n\n\n@udf(result_type='INT')\ndef near(a):\n    return a\n"
SQL = "CREATE TABLE t (w STRING) WITH ('connector' = 'datagen');\nINSERT INTO s SELECT w FROM t;\n"


@pytest.fixture
def flink() -> Iterator[FakeFlink]:
    cluster = FakeFlink()
    yield cluster
    cluster.close()


@pytest.fixture
def serve(
    tmp_path: Path, flink: FakeFlink, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., VervericaServer]]:
    """Start the service of a stack's namespace, with switches, and write the stack's manifest."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "canary-secret")
    servers = []

    def start(**switches: Any) -> VervericaServer:
        keys = {"access_id": "ann", "access_key": "canary-secret", "bucket": "risk", "workspace": "w1"}
        settings = VervericaSettings(**{**keys, "usrlib": str(tmp_path / "usrlib"), **switches})
        server = VervericaServer(tmp_path / "service", FlinkAtAddress(flink.url), settings)
        server.start()
        servers.append(server)
        (tmp_path / "udfs.yaml").write_text(MANIFEST.format(url=server.url))
        return server

    for name, text in {"main.py": "print()\n", "near.py": SOURCE, "words.sql": SQL, "rates.csv": "1\n"}.items():
        (tmp_path / name).write_text(text)
    yield start
    for server in servers:
        server.close()


@pytest.fixture
def service(serve: Callable[..., VervericaServer]) -> VervericaServer:
    return serve()


def run(*arguments: str, code: int = 0) -> Said:
    said = here(*arguments)
    assert said.code == code, f"{' '.join(arguments)}: {said.out}{said.err}"
    return said


def edit(old: str, new: str) -> None:
    text = Path("udfs.yaml").read_text()
    assert old in text
    Path("udfs.yaml").write_text(text.replace(old, new))


def client_of(server: VervericaServer, who: str = "ann") -> VervericaClient:
    keys = Credentials(who, "canary-secret")
    numbers = iter(range(10**6))
    return VervericaClient(
        server.url,
        "cn-hangzhou",
        keys,
        "test",
        lambda: f"n{next(numbers):04}",
        workspace="w1",
        namespace="risk-default",
    )


def deployment(server: VervericaServer, name: str) -> dict[str, Any]:
    found = client_of(server).find_named(name)
    assert found is not None
    return found


def test_a_stack_is_deployed_planned_to_be_as_it_is_and_taken_away(service: VervericaServer, flink: FakeFlink) -> None:
    assert "job near-job will be created: it is new, it runs main.py" in run("plan").out
    run("apply", "--yes")
    [near], [words] = flink.alive("near-job"), flink.alive("words")
    assert near.arguments == ("--out", "x y")
    assert "CREATE TEMPORARY SYSTEM FUNCTION `near`" in Path(near.main).read_text()
    assert "Nothing to do" in run("plan").out
    assert run("drift").code == 0
    assert deployment(service, "near-job")["labels"]["udfs"].startswith("risk.")
    run("destroy", "--yes")
    assert (near.state, words.state) == ("FINISHED", "FINISHED")
    assert list(client_of(service).deployments()) == []


def test_a_change_of_a_function_restarts_its_job_with_its_state_and_no_other(
    service: VervericaServer, flink: FakeFlink
) -> None:
    run("apply", "--yes")
    [near], [words] = flink.alive("near-job"), flink.alive("words")
    Path("near.py").write_text(SOURCE + "# other\n")
    assert "job near-job will be changed: restart from a savepoint, because near.py changed" in run("plan").out
    run("apply", "--yes")
    [changed] = flink.alive("near-job")
    assert (near.state, flink.alive("words")) == ("FINISHED", [words])
    assert changed.savepoint in near.savepoints.values()
    assert "Nothing to do" in run("plan").out


def test_an_update_of_one_field_has_one_field_on_the_wire(
    service: VervericaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("apply", "--yes")
    bodies: list[dict[str, Any]] = []
    update = VervericaClient.update_deployment

    def record(self: VervericaClient, number: str, fields: Any) -> Any:
        bodies.append(json.loads(json.dumps(fields)))
        return update(self, number, fields)

    monkeypatch.setattr(VervericaClient, "update_deployment", record)
    edit('parallelism.default: "2"', 'parallelism.default: "3"')
    service.clear_requests()
    run("apply", "--yes")
    assert [list(body) for body in bodies] == [["flinkConf"]]
    [sent] = [each for each in service.requests if each.method == "PUT" and "/deployments/" in each.path]
    assert sent.request_bytes == len(json.dumps(bodies[0], ensure_ascii=False).encode())
    edit("  words: {sql: words.sql}", "  words: {sql: words.sql, labels: {team: risk}}")
    assert "its labels are written, and it runs on" in run("plan").out
    run("apply", "--yes")
    assert list(bodies[1]) == ["labels"]


def test_a_version_that_does_not_start_gives_way_to_the_old_one_with_its_state(
    service: VervericaServer, flink: FakeFlink
) -> None:
    run("apply", "--yes")
    [old] = flink.alive("near-job")
    before = deployment(service, "near-job")
    Path("near.py").write_text(SOURCE + "# ends badly\n")
    failed = run("apply", "--yes", code=8)
    assert "the new near-job did not start, and the old one runs again, with its state" in failed.err
    assert "ValueError: broken" in failed.err
    [again] = flink.alive("near-job")
    assert again.savepoint in old.savepoints.values()
    after = deployment(service, "near-job")
    assert (after["artifact"], after["labels"]) == (before["artifact"], before["labels"])
    Path("near.py").write_text(SOURCE)
    run("apply", "--yes")
    assert flink.alive("near-job") == [again]


def test_a_job_that_never_started_leaves_no_deployment(service: VervericaServer) -> None:
    Path("near.py").write_text(SOURCE + "# ends badly\n")
    assert "error[E492]: the job near-job did not start" in run("apply", "--yes", code=8).err
    assert [each["name"] for each in client_of(service).deployments()] in (["words"], [])


@pytest.mark.parametrize("step", ["stopped", "updated", "started"])
def test_a_run_that_dies_between_two_steps_is_gone_on_with(
    step: str, service: VervericaServer, flink: FakeFlink, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("apply", "--yes")
    [old] = flink.alive("near-job")
    Path("near.py").write_text(SOURCE + "# other\n")
    where = {"stopped": "update_deployment", "updated": "start_job", "started": "read_job"}[step]
    original = getattr(VervericaClient, where)

    def die(self: VervericaClient, *arguments: Any) -> Any:
        if step != "started" or old.state != "RUNNING":
            raise KeyboardInterrupt
        return original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(VervericaClient, where, die)
        assert here("apply", "--yes").code == 130
    run("apply", "--yes")
    [now] = flink.alive("near-job")
    assert now.savepoint in old.savepoints.values()
    assert "Nothing to do" in run("plan").out


def test_each_field_that_somebody_changes_is_named_with_who_and_when_and_brought_back(
    service: VervericaServer,
) -> None:
    run("apply", "--yes")
    number, client = deployment(service, "near-job")["deploymentId"], client_of(service)
    before = deployment(service, "near-job")
    python = before["artifact"]["pythonArtifact"]

    def artifact(**fields: Any) -> dict[str, Any]:
        return {"artifact": {"kind": "PYTHON", "pythonArtifact": {**python, **fields}}}

    edits: dict[str, dict[str, Any]] = {
        "conf": {"flinkConf": {"parallelism.default": "9"}},
        "labels": {"labels": {**before["labels"], "team": "x"}},
        "engine": {"engineVersion": "vvr-8.0.11-flink-1.17"},
        "arguments": artifact(mainArgs="--out z"),
        "imports": artifact(additionalPythonLibraries=python["additionalPythonLibraries"][:1]),
        "archives": artifact(additionalPythonArchives=["oss://risk/x.zip"]),
        "files": artifact(additionalDependencies=[]),
        "jars": artifact(additionalDependencies=[*python["additionalDependencies"], "oss://risk/x.jar"]),
        "program": artifact(pythonArtifactUri="oss://risk/other.py"),
        "interpreter": {"flinkConf": {"parallelism.default": "2", "python.executable": "x.zip/bin/python"}},
    }
    for field, fields in edits.items():
        client.update_deployment(number, fields)
        said = run("drift", code=2)
        assert re.search(rf"\b{field}\b", said.out), (field, said.out)
        assert " by ann on 2" in said.out, said.out
        own = {name: before[name] for name in ("artifact", "labels", "engineVersion")}
        client.update_deployment(number, {**own, "flinkConf": {"parallelism.default": "2"}})
    assert run("drift").code == 0
    client.update_deployment(number, edits["conf"])
    assert "running as another version" in run("drift", code=2).out
    run("apply", "--yes")
    assert deployment(service, "near-job")["flinkConf"]["parallelism.default"] == "2"


def test_what_the_service_fills_in_is_no_difference_and_stays(service: VervericaServer) -> None:
    run("apply", "--yes")
    shown = deployment(service, "near-job")
    assert shown["flinkConf"]["execution.checkpointing.interval"] == "180s"
    edit('parallelism.default: "2"', 'parallelism.default: "3"')
    run("apply", "--yes")
    assert deployment(service, "near-job")["flinkConf"]["execution.checkpointing.interval"] == "180s"
    assert "Nothing to do" in run("plan").out


def test_deployments_of_others_are_never_touched_and_one_of_a_name_stands_in_the_way_until_it_is_adopted(
    service: VervericaServer, flink: FakeFlink
) -> None:
    client = client_of(service)
    uri = {"kind": "PYTHON", "pythonArtifact": {"pythonArtifactUri": "oss://risk/theirs.py"}}
    theirs = client.create_deployment(
        {"name": "words", "artifact": {"kind": "SQLSCRIPT", "sqlArtifact": {"sqlScript": SQL}}}
    )
    other = client.create_deployment({"name": "other", "artifact": uri, "labels": {"udfs": "sales.0123456789ab"}})
    assert "error[E501]: job words is in the project and udfs does not manage it" in run("apply", "--yes", code=5).err
    run("adopt", "words", "--yes")
    assert "not known here" in run("plan").out
    run("apply", "--yes")
    assert deployment(service, "words")["deploymentId"] == theirs["deploymentId"]
    run("destroy", "--yes")
    assert [each["deploymentId"] for each in client.deployments()] == [other["deploymentId"]]


def test_the_one_apply_holds_the_lease_in_the_bucket_and_history_and_rollback_find_what_was(
    service: VervericaServer, flink: FakeFlink
) -> None:
    run("apply", "--yes")
    edit('parallelism.default: "2"', 'parallelism.default: "3"')
    run("apply", "--yes")
    assert len(re.findall(r"(?m)^\s*[12]\b", run("history").out)) == 2
    run("rollback", "1", "--yes")
    assert deployment(service, "near-job")["flinkConf"]["parallelism.default"] == "2"
    Path("near.py").write_text(SOURCE + "# other\n")
    run("apply", "--yes")
    edit("stack: risk\n", "stack: risk\ngrace: 0d\n")
    run("gc", "--keep", "0", "--yes")
    files = {each.path for each in service.requests if each.method == "DELETE" and each.path.endswith("/near.py")}
    assert len(files) == 1


def test_a_plan_of_many_jobs_takes_one_listing_of_deployments_and_nothing_a_job(service: VervericaServer) -> None:
    run("apply", "--yes")
    service.clear_requests()
    run("plan")
    asked = [f"{each.method} {each.path}" for each in service.requests]
    assert len(asked) == 3, asked
    assert asked[-1] == "GET /api/v2/namespaces/risk-default/deployments"


def test_where_updates_merge_a_change_that_cannot_be_made_is_told_and_the_old_one_runs_again(
    serve: Callable[..., VervericaServer], flink: FakeFlink
) -> None:
    serve(update_maps="merge", update_lists="merge")
    run("apply", "--yes")
    edit('parallelism.default: "2"', 'parallelism.default: "3"')
    run("apply", "--yes")
    edit(', conf: {parallelism.default: "3"}', "")
    failed = run("apply", "--yes", code=1)
    assert "the service did not take flinkConf of near-job as it was sent" in failed.err
    assert len(flink.alive("near-job")) == 1


@pytest.mark.parametrize("switch", [{"times": "number"}, {"business_status": "400"}, {"stopped_as": "CANCELLED"}])
def test_the_road_is_the_same_whatever_is_not_settled(
    switch: dict[str, Any], serve: Callable[..., VervericaServer], flink: FakeFlink
) -> None:
    serve(**switch)
    run("apply", "--yes")
    Path("near.py").write_text(SOURCE + "# other\n")
    run("apply", "--yes")
    assert "Nothing to do" in run("plan").out
    assert len(flink.alive("near-job")) == 1
    run("destroy", "--yes")


def test_a_target_that_does_not_say_where_it_is_is_refused(service: VervericaServer) -> None:
    edit(service.url, "https://ververica.cn-hangzhou.aliyuncs.com")
    edit("workspace: w1, namespace: risk-default, bucket: risk, ", "")
    refused = run("plan", code=3)
    assert (
        "error[E656]: the target 'prod' of vvr-11.7-jdk11-flink-1.20 does not say its workspace and namespace and bucket"
        in refused.err
    )


def test_the_questions_to_an_account_are_answered_by_the_local_service_as_its_switches_say(
    serve: Callable[..., VervericaServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(update_maps="merge")
    place = {"ENDPOINT": server.url, "WORKSPACE": "w1", "NAMESPACE": "risk-default", "BUCKET": "risk"}
    for name, text in place.items():
        monkeypatch.setenv(f"VERVERICA_{name}", text)
    script = ROOT / "examples" / "flink-service" / "verify_on_account.py"
    done = subprocess.run(
        [sys.executable, str(script), "--run"], check=False, capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    others = [line for line in done.stdout.splitlines() if not line.startswith("ok ")]
    assert done.returncode == 2, done.stderr
    assert others == [
        "OTHER an update of maps: merges (udfs takes for granted: replaces)",
        "OTHER an update of labels: merges (udfs takes for granted: replaces)",
    ]
    assert done.stdout.count("\n") > 25
    assert list(client_of(server).deployments()) == []


def test_the_example_is_deployed_as_it_stands(
    service: VervericaServer, flink: FakeFlink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "examples" / "flink-service", tmp_path / "example")
    monkeypatch.chdir(tmp_path / "example")
    place = {"ENDPOINT": service.url, "WORKSPACE": "w1", "NAMESPACE": "trial", "BUCKET": "risk"}
    for name, text in place.items():
        monkeypatch.setenv(f"VERVERICA_{name}", text)
    run("apply", "--target", "prod", "--yes")
    [job] = flink.alive("marks")
    assert "CREATE TEMPORARY SYSTEM FUNCTION `mark` AS 'marks.mark' LANGUAGE PYTHON" in Path(job.main).read_text()
    assert job.configuration["python.files"].endswith("/marks.py")
    assert job.configuration["execution.checkpointing.interval"] == "10 s"
    assert "Nothing to do" in run("plan", "--target", "prod").out


def test_with_a_local_endpoint_the_service_is_built_in_and_a_look_starts_no_flink(service: VervericaServer) -> None:
    edit(f'"{service.url}"', "local")
    assert "Plan: 7 to create" in run("plan").out
    assert not Path(".udfs/flink").exists()
    assert "update_maps" in run("serve", "-f", "udfs.yaml", "--list-switches").out
    refused = run("serve", "-f", "udfs.yaml", "--set", "update_maps=forget", code=3)
    assert "switch 'update_maps' does not take 'forget'" in refused.err


def test_a_deployment_does_not_become_one_of_another_kind_and_nothing_is_stopped(
    service: VervericaServer, flink: FakeFlink
) -> None:
    run("apply", "--yes")
    [words] = flink.alive("words")
    edit("words: {sql: words.sql}", "words: {main: main.py}")
    assert "error[E760]: the deployment words cannot become one of another kind" in run("apply", "--yes", code=1).err
    assert flink.alive("words") == [words]
