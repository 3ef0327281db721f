"""The vendor's SDK, unchanged, against the local service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.ververica.sdk import NAMESPACE, RealtimeCompute

if TYPE_CHECKING:
    from tests.contract.ververica.conftest import ServeVerverica
    from tests.flink.fake_flink import FakeFlink


def test_a_deployment_is_created_started_saved_stopped_started_from_there_and_deleted(
    sdk: RealtimeCompute, flink: FakeFlink
) -> None:
    created = sdk.create(flink_conf={"parallelism.default": "2"}, labels={"team": "risk"})
    number = created.data.deployment_id
    assert (created.success, created.data.creator_name, created.data.job_summary.running) == (True, "ann", 0)
    job = sdk.start(number).data
    sdk.wait(job.job_id, "RUNNING")
    [running] = flink.alive("words")
    assert (running.arguments, running.configuration["parallelism.default"]) == (("--out", "x"), "2")
    assert sdk.get(number).job_summary.running == 1
    request = sdk.models.CreateSavepointRequest(deployment_id=number, description="before", native_format=False)
    saved = sdk.call("create_savepoint", NAMESPACE, request).data
    assert sdk.call("get_savepoint", NAMESPACE, saved.savepoint_id).data.status.state == "COMPLETED"
    assert not sdk.call("delete_deployment", NAMESPACE, number).success
    sdk.stop(job.job_id)
    sdk.wait(job.job_id, "FINISHED")
    last, first = sdk.savepoints(deployment_id=number)
    assert (last.savepoint_origin, first.savepoint_origin) == ("STOP_WITH_SAVEPOINT", "USER_REQUEST")
    again = sdk.start(number, "FROM_SAVEPOINT", last.savepoint_id).data
    sdk.wait(again.job_id, "RUNNING")
    [running] = flink.alive("words")
    assert running.savepoint == last.savepoint_location
    sdk.stop(again.job_id, "NONE")
    sdk.wait(again.job_id, "CANCELLED")
    assert sdk.call("delete_job", NAMESPACE, again.job_id).success
    assert sdk.call("delete_deployment", NAMESPACE, number).success
    assert sdk.page().total_size == 0


def test_an_update_names_what_changes_and_the_deployment_says_that_an_older_version_runs(sdk: RealtimeCompute) -> None:
    number = sdk.create(flink_conf={"a": "1", "b": "2"}, labels={"team": "risk"}).data.deployment_id
    job = sdk.start(number).data
    sdk.wait(job.job_id, "RUNNING")
    assert not sdk.get(number).deployment_has_changed
    changed = sdk.update(number, flink_conf={"a": "2"}).data
    assert changed.deployment_has_changed
    assert "b" not in changed.flink_conf
    assert changed.flink_conf["execution.checkpointing.interval"] == "180s"
    assert (changed.labels, changed.artifact.kind, changed.modifier_name) == ({"team": "risk"}, "PYTHON", "ann")


@pytest.mark.parametrize("value", ["replace", "merge"])
def test_what_an_update_does_with_maps_is_a_switch(value: str, serve_ververica: ServeVerverica) -> None:
    sdk = RealtimeCompute(serve_ververica(update_maps=value).authority)
    number = sdk.create(labels={"team": "risk", "tier": "1"}).data.deployment_id
    labels = sdk.update(number, labels={"tier": "2"}).data.labels
    assert labels == ({"tier": "2"} if value == "replace" else {"team": "risk", "tier": "2"})


def test_a_program_that_fails_is_a_failed_job_with_the_reason(sdk: RealtimeCompute) -> None:
    uri = sdk.upload("broken.py", b"# ends badly\n")
    python = sdk.models.PythonArtifact(python_artifact_uri=uri)
    artifact = sdk.models.Artifact(kind="PYTHON", python_artifact=python)
    number = sdk.create(artifact=artifact).data.deployment_id
    failed = sdk.wait(sdk.start(number).data.job_id, "FAILED")
    assert failed.status.failure.reason == "ValueError: broken"
    gone = sdk.models.PythonArtifact(python_artifact_uri="oss://udfs/none.py")
    sdk.update(number, artifact=sdk.models.Artifact(kind="PYTHON", python_artifact=gone))
    failed = sdk.wait(sdk.start(number).data.job_id, "FAILED")
    assert failed.status.failure.message == "oss://udfs/none.py does not exist"


def test_a_script_of_sql_is_run_by_a_program_that_holds_it(sdk: RealtimeCompute, flink: FakeFlink) -> None:
    sql = sdk.models.SqlArtifact(sql_script="SET 'a' = 'b';\nINSERT INTO s SELECT COUNT(*) FROM t;")
    artifact = sdk.models.Artifact(kind="SQLSCRIPT", sql_artifact=sql)
    number = sdk.create(name="counts", artifact=artifact).data.deployment_id
    sdk.wait(sdk.start(number).data.job_id, "RUNNING")
    [running] = flink.alive("counts")
    assert running.graph == "COUNT"


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": dict.fromkeys("abcd", "x")},
        {"engine_version": "vvr-99"},
        {"execution_mode": "SOMETIMES"},
        {"name": ""},
    ],
)
def test_what_cannot_be_is_refused_with_success_false(fields: dict[str, Any], sdk: RealtimeCompute) -> None:
    answer = sdk.create(**fields)
    assert not answer.success
    assert answer.error_code
    assert answer.http_code == 200


def test_lists_are_paged_and_looked_through_by_label_and_name(sdk: RealtimeCompute) -> None:
    for name in ("a", "b", "c"):
        sdk.create(name=name, labels={"udfs": f"risk.{name}"} if name != "c" else {})
    page = sdk.page(page_index=2, page_size=2)
    assert (page.total_size, [each.name for each in page.data]) == (3, ["a"])
    assert {each.name for each in sdk.page(label_key="udfs").data} == {"a", "b"}
    assert [each.name for each in sdk.page(label_key="udfs", label_value_array="risk.b").data] == ["b"]
    assert [each.name for each in sdk.page(name="c").data] == ["c"]


def test_udf_artifacts_and_their_functions_are_kept(sdk: RealtimeCompute) -> None:
    uri = sdk.upload("upper.jar", b"jar")
    fields = {"name": "upper", "jar_url": uri, "artifact_type": "ARTIFACT_TYPE_JAVA"}
    request = sdk.models.CreateUdfArtifactRequest(body=sdk.models.UdfArtifact(**fields))
    assert sdk.call("create_udf_artifact", NAMESPACE, request).data.create_success
    assert not sdk.call("create_udf_artifact", NAMESPACE, request).data.create_success
    names = {"class_name": "com.example.Upper", "function_name": "upper", "udf_artifact_name": "upper"}
    assert sdk.call("register_udf_function", NAMESPACE, sdk.models.RegisterUdfFunctionRequest(**names)).success
    query = sdk.models.GetUdfArtifactsRequest(udf_artifact_name="upper")
    [artifact] = sdk.call("get_udf_artifacts", NAMESPACE, query).data
    assert artifact.udf_classes[0].function_names == ["upper"]
    assert not sdk.call("delete_udf_artifact", NAMESPACE, "upper").success
    gone = sdk.models.DeleteUdfFunctionRequest(class_name="com.example.Upper", udf_artifact_name="upper")
    assert sdk.call("delete_udf_function", NAMESPACE, "upper", gone).success
    assert sdk.call("delete_udf_artifact", NAMESPACE, "upper").success


def test_requests_have_to_be_signed_where_there_is_a_key(serve_ververica: ServeVerverica) -> None:
    server = serve_ververica(access_id="ann", access_key="right")
    assert RealtimeCompute(server.authority, secret="right").page().success
    with pytest.raises(Exception, match="SignatureNotMatch"):
        RealtimeCompute(server.authority, secret="wrong").page()


def test_faults_strike_here_too_and_the_log_has_every_request(serve_ververica: ServeVerverica) -> None:
    server = serve_ververica()
    sdk = RealtimeCompute(server.authority)
    server.faults.add({"action": "fail", "status": 503, "path": "/deployments$", "method": "GET"})
    with pytest.raises(Exception, match="503"):
        sdk.page()
    assert sdk.page().success
    assert [(each.method, each.status) for each in server.requests] == [("GET", 503), ("GET", 200)]


def test_flinks_own_answers_come_through_and_engines_are_told(sdk: RealtimeCompute) -> None:
    number = sdk.create().data.deployment_id
    job = sdk.wait(sdk.start(number).data.job_id, "RUNNING").job_id
    request = sdk.models.FlinkApiProxyRequest(
        resource_type="jobs", resource_id=job, namespace=NAMESPACE, flink_api_path=f"/jobs/{job.replace('-', '')}"
    )
    assert json.loads(sdk.call("flink_api_proxy", request).data)["state"] == "RUNNING"
    engines = sdk.call("list_engine_version_metadata").data
    assert engines.default_engine_version in {each.engine_version for each in engines.engine_version_metadata}
    assert sdk.call("get_latest_job_start_log", NAMESPACE, number).data == "the program was planned"
