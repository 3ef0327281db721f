"""Functions, schemas and projects on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.rawhttp import function

if TYPE_CHECKING:
    from tests.contract.rawhttp import Client

PLAIN = "/projects/demo/registration/functions"
ENCODED = "/projects/demo/registration%2Ffunctions"


@pytest.mark.parametrize("path", [PLAIN, ENCODED], ids=["plain slash", "encoded slash"])
def test_both_spellings_of_the_path_lead_to_the_same_functions(raw: Client, path: str) -> None:
    """PyODPS encodes the inner slash, the others do not."""
    assert raw.ask("POST", path, function("fn", "a.F")).status == 201
    assert raw.ask("PUT", f"{path}/fn", function("fn", "b.G")).status == 201
    for other in (PLAIN, ENCODED):
        assert raw.get(f"{other}/FN").xml.findtext("ClassType") == "b.G"
        assert raw.get(f"{other}?expectmarker=true").xml.findtext("Function/Alias") == "fn"
    assert raw.ask("DELETE", f"{path}/fn").status == 204
    assert raw.get(f"{PLAIN}/fn").status == 404


@pytest.mark.parametrize("prefix", ["", "/api", "/some/gateway/api"])
def test_the_endpoint_may_have_any_prefix(raw: Client, prefix: str) -> None:
    assert raw.ask("GET", f"/{prefix}/projects/demo".replace("///", "//")).status == 200


def test_a_put_replaces_the_whole_definition_and_keeps_the_rest(raw: Client) -> None:
    raw.register("Fn", "a.F", "one.py", "two.zip")
    before = raw.get(f"{PLAIN}/Fn").xml
    assert raw.ask("PUT", f"{PLAIN}/fn", function("fn", "b.G", "three.py")).status == 201
    after = raw.get(f"{PLAIN}/Fn").xml
    assert after.findtext("Alias") == "Fn"
    assert [found.text for found in after.iter("ResourceName")] == ["demo/resources/three.py"]
    for kept in ("Owner", "CreationTime"):
        assert after.findtext(kept) == before.findtext(kept)


def test_a_put_of_a_function_that_is_not_there_is_refused(raw: Client) -> None:
    refused = raw.ask("PUT", f"{PLAIN}/fn", function("fn"))
    assert (refused.status, refused.code) == (404, "NoSuchObject")


def test_a_put_that_names_two_functions_is_refused(raw: Client) -> None:
    raw.register("fn")
    assert raw.ask("PUT", f"{PLAIN}/fn", function("other")).code == "InvalidParameter"


def test_a_put_may_leave_the_name_to_the_path(raw: Client) -> None:
    raw.register("fn")
    assert raw.ask("PUT", f"{PLAIN}/fn", "<Function><ClassType>b.G</ClassType></Function>").status == 201
    assert raw.get(f"{PLAIN}/fn").xml.findtext("ClassType") == "b.G"


def test_references_are_understood_in_every_form(raw: Client) -> None:
    raw.register(
        "fn", "a.F", "a.py", "other/resources/b.py", "demo/schemas/s/resources/c.py", "x/schemas/DEFAULT/resources/d"
    )
    names = [found.text for found in raw.get(f"{PLAIN}/fn").xml.iter("ResourceName")]
    assert names == [
        "demo/resources/a.py",
        "other/resources/b.py",
        "demo/schemas/s/resources/c.py",
        "x/resources/d",
    ]


@pytest.mark.parametrize("reference", ["", "a/b", "p/resources/", "p/resource/x", "p/schemas/s/x", "a/b/c/d/e/f"])
def test_a_reference_that_is_none_is_refused(raw: Client, reference: str) -> None:
    assert raw.register("fn", "a.F", reference).code == "InvalidParameter"


def test_the_service_does_not_look_for_class_or_resources(raw: Client) -> None:
    """That is found out when SQL calls the function; whether resources are looked for is not settled, and a switch."""
    assert raw.register("fn", "no.such.Class", "no_such.py").status == 201


def test_sql_functions_are_listed_among_the_others(raw: Client) -> None:
    """They have no class; a tool must leave them alone."""
    body = (
        "<Function><Alias>sql_fn</Alias><IsSqlFunction>true</IsSqlFunction>"
        "<SqlDefinitionText>CREATE FUNCTION sql_fn(@a BIGINT) AS @a + 1 &lt; 2</SqlDefinitionText></Function>"
    )
    assert raw.ask("POST", PLAIN, body).status == 201
    (entry,) = raw.get(f"{PLAIN}?expectmarker=true").xml.findall("Function")
    assert (entry.findtext("IsSqlFunction"), entry.findtext("ClassType")) == ("true", "")
    assert entry.findtext("SqlDefinitionText") == "CREATE FUNCTION sql_fn(@a BIGINT) AS @a + 1 < 2"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not xml",
        "<Function><Alias>fn</Alias>",
        "<Other/>",
        "<Function><Alias>fn</Alias></Function>",
        "<Function><ClassType>a.F</ClassType></Function>",
        "<Function><Alias>a/b</Alias><ClassType>a.F</ClassType></Function>",
        "<Function><Alias> </Alias><ClassType>a.F</ClassType></Function>",
        '<?xml version="1.0" encoding="no-such-coding"?><Function><Alias>f</Alias><ClassType>a</ClassType></Function>',
        "<!DOCTYPE Function><Function><Alias>fn</Alias><ClassType>a.F</ClassType></Function>",
        '<!DOCTYPE f [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Function><Alias>&b;</Alias><ClassType>a</ClassType></Function>',
        '<!DOCTYPE f SYSTEM "file:///etc/hostname"><Function><Alias>f</Alias><ClassType>a</ClassType></Function>',
    ],
)
def test_a_body_that_is_no_function_is_refused(raw: Client, body: str) -> None:
    refused = raw.ask("POST", PLAIN, body)
    assert (refused.status, refused.code) == (400, "InvalidParameter")
    assert raw.listed(kind="registration/functions") == []


def test_a_document_type_is_refused_in_any_encoding(raw: Client) -> None:
    body = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE f><Function><Alias>f</Alias><ClassType>a</ClassType></Function>'
    assert raw.ask("POST", PLAIN, body.encode("utf-16")).code == "InvalidParameter"


def test_a_document_may_not_be_endless(raw: Client) -> None:
    body = "<Function><Alias>fn</Alias><ClassType>" + "a" * (2 << 20) + "</ClassType></Function>"
    assert raw.ask("POST", PLAIN, body).code == "InvalidParameter"


def test_deep_nesting_does_no_harm(raw: Client) -> None:
    body = "<Function><Alias>fn</Alias><ClassType>a.F</ClassType>" + "<a>" * 50_000 + "</a>" * 50_000 + "</Function>"
    assert raw.ask("POST", PLAIN, body).status == 201


def test_the_owner_of_a_function_can_be_changed(raw: Client) -> None:
    raw.register("fn", "a.F", "a.py")
    assert raw.ask("PUT", f"{PLAIN}/fn?updateowner", b"").status == 400
    assert raw.ask("PUT", f"{PLAIN}/fn?updateowner", b"", {"x-odps-owner": "ALIYUN$bob"}).status == 201
    after = raw.get(f"{PLAIN}/fn").xml
    assert (after.findtext("Owner"), after.findtext("ClassType")) == ("ALIYUN$bob", "a.F")
    assert raw.ask("PUT", f"{PLAIN}/none?updateowner", b"", {"x-odps-owner": "x"}).status == 404


def test_a_schema_must_be_empty_to_go(raw: Client) -> None:
    schemas = "/projects/demo/schemas"
    assert raw.ask("POST", schemas, "<Schema><Name>S1</Name></Schema>").status == 201
    assert raw.ask("POST", schemas, "<Schema><Name>s1</Name></Schema>").status == 409
    assert raw.create("a.txt", b"x", query="?curr_schema=s1").status == 201
    refused = raw.ask("DELETE", f"{schemas}/s1")
    assert (refused.status, refused.code) == (409, "DeleteConflict")
    assert raw.ask("DELETE", "/projects/demo/resources/a.txt?curr_schema=S1").status == 204
    assert raw.ask("DELETE", f"{schemas}/s1").status == 204
    assert raw.ask("DELETE", f"{schemas}/s1").status == 404


def test_the_default_schema_can_be_named_and_stays(raw: Client) -> None:
    raw.create("a.txt", b"x", query="?curr_schema=DEFAULT")
    assert raw.listed() == ["a.txt"]
    assert raw.ask("DELETE", "/projects/demo/schemas/default").status == 400
    assert raw.ask("POST", "/projects/demo/schemas", "<Schema><Name>Default</Name></Schema>").status == 409


def test_entries_outside_the_default_schema_name_it(raw: Client) -> None:
    raw.ask("POST", "/projects/demo/schemas", "<Schema><Name>s1</Name></Schema>")
    raw.create("a.txt", b"x", query="?curr_schema=s1")
    entry = raw.get("/projects/demo/resources?expectmarker=true&curr_schema=s1").xml.find("Resource")
    assert entry is not None
    assert entry.findtext("SchemaName") == "s1"
    assert raw.get("/projects/demo/resources/a.txt?meta&curr_schema=s1").headers["schema-name"] == "s1"


def test_the_project_in_the_path_counts_and_not_the_one_of_the_session(raw: Client) -> None:
    raw.create("a.txt", b"x", project="second", query="?curr_project=demo")
    assert raw.listed(project="second") == ["a.txt"]
    assert raw.listed() == []


def test_projects_are_listed_and_spelled_as_first_used(raw: Client) -> None:
    raw.get("/projects/Demo")
    raw.create("a.txt", b"x", project="dEMO")
    assert [found.text for found in raw.get("/projects").xml.iter("Name")] == ["Demo"]
    assert raw.listed(project="demo") == ["a.txt"]


def test_a_client_finds_tenant_and_logview(raw: Client) -> None:
    assert raw.get("/tenants?curr_project=demo").headers["Content-Type"] == "application/json"
    assert raw.get("/logview/host").body.startswith(b"http://127.0.0.1:")


def test_there_are_no_tables(raw: Client) -> None:
    """PyODPS lists them when it clears a schema."""
    assert raw.get("/projects/demo/tables?expectmarker=true").xml.findall("Table") == []
