"""Resources on the wire: what PyODPS does not show."""

from __future__ import annotations

import base64
import hashlib
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from tests.contract.conftest import Serve
    from tests.contract.rawhttp import Client

RESOURCES = "/projects/demo/resources"


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def test_every_write_is_answered_201_and_every_delete_204(raw: Client) -> None:
    """The Go client accepts nothing but 201 for resource writes."""
    assert raw.create("a.txt", "x").status == 201
    assert raw.put("a.txt", "y").status == 201
    assert raw.part("p", b"z").status == 201
    assert raw.merge("a.txt", md5(b"z"), "p", method="PUT").status == 201
    deleted = raw.ask("DELETE", f"{RESOURCES}/a.txt")
    assert (deleted.status, deleted.body) == (204, b"")


def test_a_create_says_where_the_resource_is(raw: Client) -> None:
    assert raw.create("a b.txt", "x").headers["Location"].endswith("/api/projects/demo/resources/a%20b.txt")


@pytest.mark.parametrize("how", ["HEAD", "meta"])
def test_meta_and_head_tell_the_same_and_have_no_body(raw: Client, how: str) -> None:
    """Old Java clients send HEAD."""
    raw.create("Res.py", b"content", x_odps_resource_type="PY", x_odps_comment="said")
    path = f"{RESOURCES}/res.PY"
    found = raw.ask("HEAD", path) if how == "HEAD" else raw.get(path + "?meta&curr_project=demo")
    assert (found.status, found.body) == (200, b"")
    told = {name.lower(): value for name, value in found.headers.items()}
    assert told["x-odps-resource-name"] == "Res.py"
    assert told["x-odps-resource-type"] == "py"
    assert told["x-odps-resource-size"] == "7"
    assert told["x-odps-resource-istemp"] == "false"
    assert told["x-odps-comment"] == "said"
    assert (told["x-odps-owner"], told["x-odps-updator"]) == ("ALIYUN$local", "")
    assert told["content-md5"] == md5(b"content")
    assert told["x-odps-creation-time"].endswith(" GMT")
    assert parsedate_to_datetime(told["last-modified"]).tzinfo is not None


@pytest.mark.parametrize(
    ("offset", "size", "expected", "remaining"),
    [
        (None, None, b"0123456789", "false"),
        (0, 4, b"0123", "true"),
        (4, 6, b"456789", "false"),
        (4, None, b"456789", "false"),
        (9, 5, b"9", "false"),
        (10, 5, b"", "false"),
        (99, 5, b"", "false"),
        (3, 0, b"", "true"),
    ],
)
def test_a_stretch_of_the_content_says_whether_more_follows(
    raw: Client, offset: int | None, size: int | None, expected: bytes, remaining: str
) -> None:
    raw.create("a.txt", b"0123456789")
    query = "&".join(f"{name}={value}" for name, value in (("rOffset", offset), ("rSize", size)) if value is not None)
    found = raw.get(f"{RESOURCES}/a.txt?{query}")
    assert (found.body, found.headers["x-odps-resource-has-remaining"]) == (expected, remaining)


@pytest.mark.parametrize("query", ["rOffset=-1", "rSize=x", "rOffset=1e3", "rSize=" + "9" * 40])
def test_a_stretch_that_is_no_number_is_refused(raw: Client, query: str) -> None:
    raw.create("a.txt", b"0123456789")
    assert raw.get(f"{RESOURCES}/a.txt?{query}").code == "InvalidParameter"


@pytest.mark.parametrize("form", ["hex", "HEX", "base64"])
def test_a_right_content_md5_is_accepted(raw: Client, form: str) -> None:
    """Java sends hex; RFC 1864 asks for Base64."""
    digest = hashlib.md5(b"content").digest()
    sent = {"hex": digest.hex(), "HEX": digest.hex().upper(), "base64": base64.b64encode(digest).decode()}[form]
    assert raw.create("a.txt", b"content", Content_MD5=sent).status == 201


def test_a_wrong_content_md5_is_refused_and_nothing_is_stored(raw: Client) -> None:
    refused = raw.create("a.txt", b"content", Content_MD5=md5(b"other"))
    assert (refused.status, refused.code) == (400, "InvalidParameter")
    assert raw.get(f"{RESOURCES}/a.txt").status == 404


def test_a_wrong_content_md5_on_a_put_leaves_the_old_content(raw: Client) -> None:
    raw.create("a.txt", b"old")
    assert raw.put("a.txt", b"new", Content_MD5=md5(b"other")).status == 400
    assert raw.content("a.txt") == b"old"


def test_a_second_create_of_a_name_is_refused_and_changes_nothing(raw: Client) -> None:
    raw.create("a.txt", b"old", x_odps_comment="old")
    refused = raw.create("A.TXT", b"new", x_odps_comment="new")
    assert (refused.status, refused.code) == (409, "ObjectAlreadyExists")
    assert "ODPS-0421121" in refused.message
    assert raw.content("a.txt") == b"old"
    assert raw.get(f"{RESOURCES}/a.txt?meta").headers["x-odps-comment"] == "old"


def test_a_put_of_what_is_not_there_is_refused(raw: Client) -> None:
    """odpscmd's ``add -f`` lives by it: PUT, and POST after NoSuchObject."""
    refused = raw.put("a.txt", b"x")
    assert (refused.status, refused.code) == (404, "NoSuchObject")
    assert raw.listed() == []


@pytest.mark.parametrize("missing", ["x-odps-resource-name", "x-odps-resource-type"])
def test_a_create_without_a_needed_header_names_it(raw: Client, missing: str) -> None:
    headers = {"x-odps-resource-name": "a.txt", "x-odps-resource-type": "file"}
    del headers[missing]
    refused = raw.ask("POST", RESOURCES, b"x", headers)
    assert (refused.status, refused.code) == (400, "InvalidParameter")
    assert f"ODPS-0420051: Missing header in HTTP request - {missing}" in refused.message


@pytest.mark.parametrize("name", ["a/b.txt", " ", "a\x7fb", "resources/x"])
def test_a_name_that_cannot_be_one_is_refused(raw: Client, name: str) -> None:
    assert raw.create(name, b"x").code == "InvalidParameter"
    assert raw.ask("PUT", f"{RESOURCES}/{quote(name, safe='')}", b"x").code == "InvalidParameter"


@pytest.mark.parametrize("name", ["..", ".", "a b.txt", "ü.txt", "a'b\"<c>&.txt", "%41.txt", "a?b#c;d.txt", "日本.py"])
def test_a_name_may_be_anything_else(raw: Client, name: str) -> None:
    """What the service allows is not published; nothing that works on the wire is refused here."""
    sent = name.encode().decode("latin-1")
    assert raw.create(sent, b"content").status == 201
    assert raw.listed() == [name]
    found = raw.get(f"{RESOURCES}/{quote(name, safe='')}?meta")
    assert found.headers["x-odps-resource-name"] == sent
    assert raw.ask("DELETE", f"{RESOURCES}/{quote(name, safe='')}").status == 204


def test_a_comment_survives_as_it_was_sent(raw: Client) -> None:
    raw.create("a.txt", b"x", x_odps_comment="<é> & 日本".encode().decode("latin-1"))
    assert raw.get(f"{RESOURCES}?expectmarker=true").xml.findtext("Resource/Comment") == "<é> & 日本"


@pytest.mark.parametrize("kind", ["volume_file", "volumearchive"])
def test_a_volume_resource_keeps_the_path_it_points_at(raw: Client, kind: str) -> None:
    """Only as metadata: volumes are not part of this server. Go spells the types with an underscore."""
    refused = raw.create("v", x_odps_resource_type=kind)
    assert "x-odps-copy-file-source" in refused.message
    assert raw.create("v", x_odps_resource_type=kind, x_odps_copy_file_source="demo/volumes/a/b").status == 201
    found = raw.get(f"{RESOURCES}/v?meta").headers
    assert found["x-odps-copy-file-source"] == "demo/volumes/a/b"
    assert found["x-odps-resource-type"] == kind.replace("_", "")


def test_a_table_resource_is_listed_with_its_table_and_has_no_content(raw: Client) -> None:
    made = raw.create("t", x_odps_resource_type="table", x_odps_copy_table_source="demo.t partition(pt='x')")
    assert made.status == 201
    (entry,) = raw.get(f"{RESOURCES}?expectmarker=true").xml.findall("Resource")
    assert (entry.findtext("ResourceType"), entry.findtext("TableName")) == ("table", "demo.t partition(pt='x')")
    assert raw.get(f"{RESOURCES}/t").status == 400


def test_an_unknown_type_is_refused(raw: Client) -> None:
    assert raw.create("a.whl", b"x", x_odps_resource_type="wheel").code == "InvalidParameter"


def test_the_owner_of_a_resource_can_be_changed(raw: Client) -> None:
    raw.create("a.txt", b"x")
    assert "x-odps-owner" in raw.ask("PUT", f"{RESOURCES}/a.txt?updateowner", b"").message
    assert raw.ask("PUT", f"{RESOURCES}/a.txt?updateowner", b"", {"x-odps-owner": "ALIYUN$bob"}).status == 201
    assert raw.get(f"{RESOURCES}/a.txt?meta").headers["x-odps-owner"] == "ALIYUN$bob"
    assert raw.content("a.txt") == b"x"


def test_the_actor_is_whom_the_authorization_names_when_nobody_checks_it(raw: Client) -> None:
    raw.create("a.txt", b"x", Authorization="ODPS carol:bm90aGluZw==")
    assert raw.get(f"{RESOURCES}/a.txt?meta").headers["x-odps-owner"] == "ALIYUN$carol"


def test_a_list_goes_on_where_its_marker_says(raw: Client) -> None:
    for number in range(5):
        raw.create(f"r{number}", b"x")
    first = raw.get(f"{RESOURCES}?expectmarker=true&maxitems=2").xml
    assert (first.findtext("MaxItems"), bool(first.findtext("Marker"))) == ("2", True)
    raw.ask("DELETE", f"{RESOURCES}/r1")  # where the marker points; the list goes on behind it all the same
    assert raw.listed(f"&maxitems=2&marker={quote(str(first.findtext('Marker')))}") == ["r2", "r3"]


def test_the_last_page_has_an_empty_marker_also_when_it_is_full(raw: Client) -> None:
    for number in range(4):
        raw.create(f"r{number}", b"x")
    assert raw.get(f"{RESOURCES}?expectmarker=true&maxitems=4").xml.findtext("Marker") == ""


@pytest.mark.parametrize("query", ["marker=%00", "marker=not-base64!", "maxitems=0", "maxitems=-1", "maxitems=x"])
def test_a_list_with_nonsense_parameters_is_refused(raw: Client, query: str) -> None:
    assert raw.get(f"{RESOURCES}?expectmarker=true&{query}").code == "InvalidParameter"


def test_a_resource_over_the_limit_is_refused_whatever_the_framing(serve: Serve) -> None:
    from tests.contract.rawhttp import Client

    with Client(serve(max_resource_bytes=10).url) as raw:
        assert raw.create("fits", b"x" * 10).status == 201
        assert raw.create("large", b"x" * 11).code == "InvalidParameter"
        chunked = raw.ask(
            "POST", RESOURCES, iter([b"x" * 6, b"x" * 6]), {"x-odps-resource-name": "c", "x-odps-resource-type": "file"}
        )
        assert chunked.code == "InvalidParameter"
        raw.part("p1", b"x" * 6)
        raw.part("p2", b"x" * 6)
        assert raw.merge("merged", md5(b"x" * 12), "p1", "p2").code == "InvalidParameter"
        assert raw.listed() == ["fits"]
