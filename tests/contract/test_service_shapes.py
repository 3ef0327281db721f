"""Shapes of answers that clients other than PyODPS read, and those that recordings of the service have."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest

from tests.contract.rawhttp import Client
from tests.contract.test_service_tunnel import submit

if TYPE_CHECKING:
    from reconciler.local import Server
    from tests.contract.conftest import Serve

SELECT = "SELECT a, s FROM VALUES (1L, 'one'), (CAST(NULL AS BIGINT), 'a longer text') t(a, s)"


def test_the_tenant_is_spelt_for_every_client(raw: Client) -> None:
    tenant = json.loads(raw.get("/tenants").body)["Tenant"]
    assert (tenant["State"], tenant["TenantState"], json.loads(tenant["TenantMeta"])) == ("NORMAL", "NORMAL", {})


def test_a_location_is_whole_and_leads_to_what_was_made(server: Server, raw: Client) -> None:
    location = raw.create("a.txt", b"content").headers["Location"]
    assert location == f"{server.url}/projects/demo/resources/a.txt"
    assert raw.get("/" + urlsplit(location).path).body == b"content"


def test_a_resource_has_a_comment_that_may_be_empty_and_an_updater_once_somebody_updates(raw: Client) -> None:
    raw.create("a.txt", b"content")
    headers = raw.get("/projects/demo/resources/a.txt?meta").headers
    assert (headers["x-odps-comment"], headers["x-odps-updator"], headers["x-odps-owner"]) == ("", "", "ALIYUN$local")
    raw.ask("PUT", "/projects/demo/resources/a.txt", b"other", {"x-odps-resource-type": "file"})
    assert raw.get("/projects/demo/resources/a.txt?meta").headers["x-odps-updator"] == "ALIYUN$local"


def test_who_makes_a_resource_is_its_updater_where_the_switch_says_so(serve: Serve) -> None:
    with Client(serve(updater_of_new="creator").url) as client:
        client.create("a.txt", b"content")
        assert client.get("/projects/demo/resources/a.txt?meta").headers["x-odps-updator"] == "ALIYUN$local"


def test_a_project_says_what_it_is_set_to(raw: Client) -> None:
    document = raw.get("/projects/demo").xml
    properties = {node.findtext("Name"): node.findtext("Value") for node in document.findall("Properties/Property")}
    assert properties["odps.sql.timezone"] == "Asia/Shanghai"
    assert all(node.find("Type") is None for node in document.findall("Properties/Property"))
    whole = raw.get("/projects/demo?properties=all").xml
    assert {node.findtext("Type") for node in whole.findall("Properties/Property")} == {"STRING"}


def test_a_task_has_a_history_and_an_instance_a_summary(raw: Client) -> None:
    path = submit(raw, SELECT)
    assert raw.get(f"{path}?taskstatus").xml.find("Tasks/Task/Histories") is not None
    answer = raw.get(f"{path}?instancesummary&taskname=q")
    assert answer.headers["x-odps-task-finalized"] == "true"
    assert isinstance(json.loads(json.loads(answer.body)["Instance"]["JsonSummary"]), dict)


@pytest.mark.parametrize(
    ("question", "is_there"),
    [
        ("status=Terminated", True),
        ("status=Running", False),
        ("onlyowner=yes", True),
        ("daterange=0:1", False),
        ("daterange=1:", True),
    ],
)
def test_instances_are_filtered(raw: Client, question: str, is_there: bool) -> None:
    name = submit(raw, SELECT).rpartition("/")[2]
    names = [node.text for node in raw.get(f"/projects/demo/instances?{question}").xml.findall("Instance/Name")]
    assert (name in names) is is_there
    assert raw.get("/projects/demo/instances?daterange=yesterday").status == 400


def test_a_result_to_be_looked_at_is_a_table(raw: Client) -> None:
    settings = json.dumps({"odps.sql.select.output.format": "HumanReadable"})
    path = submit(raw, SELECT, settings)
    result = raw.get(f"{path}?result").xml.find("Tasks/Task/Result")
    assert result is not None
    assert base64.b64decode(result.text or "").decode().splitlines() == [
        "+------------+---------------+",
        "| a          | s             |",
        "+------------+---------------+",
        "| 1          | one           |",
        "| NULL       | a longer text |",
        "+------------+---------------+",
    ]


def test_whoami_says_who_asks(odps: Any, raw: Client) -> None:
    identity = odps.run_security_query("whoami")
    assert (identity["DisplayName"], identity["ProjectName"]) == ("ALIYUN$alice", "demo")
    assert (
        json.loads(raw.get("/projects/demo/authorization").xml.findtext("Result") or "")["DisplayName"]
        == "ALIYUN$local"
    )
    body = b"<Authorization><Query>list users</Query></Authorization>"
    assert raw.ask("POST", "/projects/demo/authorization", body).status == 400


@pytest.mark.parametrize("path", ["//api/v1/projects", "//api/v1/projects/demo/quotas", "//api/v2/tenants"])
def test_another_service_is_not_here(raw: Client, path: str) -> None:
    answer = raw.get(path)
    assert (answer.status, ET.fromstring(answer.body).findtext("Code")) == (404, "NoSuchObject")
