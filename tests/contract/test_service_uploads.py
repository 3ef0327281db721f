"""Parts and merges, by the rules that were measured on the service."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.rawhttp import Client

RESOURCES = "/projects/demo/resources"
ONE, TWO = b"part one,", b"part two"
WHOLE = hashlib.md5(ONE + TWO).hexdigest()


@pytest.fixture
def parts(raw: Client) -> list[str]:
    """Two parts that are waiting to be merged."""
    names = ["big.part.tmp.000001.000000", "big.part.tmp.000001.000001"]
    for name, content in zip(names, (ONE, TWO), strict=True):
        assert raw.part(name, content).status == 201
    return names


def exists(raw: Client, name: str) -> bool:
    return raw.get(f"{RESOURCES}/{name}?meta").status == 200


def test_merged_parts_are_the_resource_and_are_used_up(raw: Client, parts: list[str]) -> None:
    assert raw.merge("big", WHOLE, *parts).status == 201
    assert raw.content("big") == ONE + TWO
    found = raw.get(f"{RESOURCES}/big?meta").headers
    assert (found["x-odps-resource-size"], found["Content-MD5"]) == (str(len(ONE + TWO)), WHOLE)
    assert found["x-odps-resource-istemp"] == "false"
    assert not any(exists(raw, part) for part in parts)


def test_a_stretch_may_lie_across_parts(raw: Client, parts: list[str]) -> None:
    raw.merge("big", WHOLE, *parts)
    whole = ONE + TWO
    for start in range(len(whole)):
        for size in (1, 5, len(ONE), len(whole)):
            found = raw.get(f"{RESOURCES}/big?rOffset={start}&rSize={size}")
            assert found.body == whole[start : start + size]


def test_the_order_of_the_body_is_the_order_of_the_parts(raw: Client, parts: list[str]) -> None:
    assert raw.merge("big", hashlib.md5(TWO + ONE).hexdigest(), *reversed(parts)).status == 201
    assert raw.content("big") == TWO + ONE


def test_parts_are_addressable_but_never_listed(raw: Client, parts: list[str]) -> None:
    assert raw.listed() == []
    found = raw.get(f"{RESOURCES}/{parts[0]}?meta").headers
    assert found["Content-MD5"] == hashlib.md5(ONE).hexdigest()
    assert raw.content(parts[0]) == ONE
    assert raw.ask("DELETE", f"{RESOURCES}/{parts[0]}").status == 204


def test_a_part_may_be_sent_again(raw: Client, parts: list[str]) -> None:
    """Java repeats a part after a lost answer."""
    raw.part(parts[0], b"something else")
    raw.part(parts[0], ONE)
    assert raw.merge("big", WHOLE, *parts).status == 201


def test_a_part_cannot_take_the_name_of_a_resource(raw: Client) -> None:
    raw.create("a.txt", b"kept")
    assert raw.part("a.txt", b"lost").status == 409
    assert raw.content("a.txt") == b"kept"


def test_a_merge_onto_an_existing_resource_is_refused_before_the_parts_are_read(raw: Client, parts: list[str]) -> None:
    raw.create("big", b"kept")
    refused = raw.merge("big", WHOLE, *parts, "no-such-part")
    assert (refused.status, refused.code) == (409, "ObjectAlreadyExists")
    assert raw.content("big") == b"kept"
    assert all(exists(raw, part) for part in parts)


def test_a_merge_by_put_replaces(raw: Client, parts: list[str]) -> None:
    raw.create("big", b"old")
    assert raw.merge("big", WHOLE, *parts, method="PUT").status == 201
    assert raw.content("big") == ONE + TWO


def test_a_merge_by_put_needs_something_to_replace(raw: Client, parts: list[str]) -> None:
    assert raw.merge("big", WHOLE, *parts, method="PUT").status == 404
    assert all(exists(raw, part) for part in parts)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_merge_with_a_wrong_md5_fails_and_uses_the_parts_up(raw: Client, parts: list[str], method: str) -> None:
    if method == "PUT":
        raw.create("big", b"old")
    refused = raw.merge("big", "0" * 32, *parts, method=method)
    assert (refused.status, refused.code) == (500, "InternalServerError")
    assert "ODPS-0421213" in refused.message
    assert "signature does not match" in refused.message
    assert not any(exists(raw, part) for part in parts)
    assert exists(raw, "big") == (method == "PUT")


def test_a_merge_without_the_total_is_refused(raw: Client, parts: list[str]) -> None:
    headers = {"x-odps-resource-name": "big", "x-odps-resource-type": "file"}
    refused = raw.ask("POST", f"{RESOURCES}?rOpMerge=true", f"{WHOLE}|{','.join(parts)}", headers)
    assert refused.status == 400
    assert "ODPS-0420051" in refused.message
    assert "x-odps-resource-merge-total-bytes" in refused.message


def test_a_part_that_is_not_there_is_404_and_the_others_stay(raw: Client, parts: list[str]) -> None:
    refused = raw.merge("big", WHOLE, *parts, "no-such-part")
    assert (refused.status, refused.code) == (404, "NoSuchObject")
    assert all(exists(raw, part) for part in parts)


def test_a_resource_is_no_part(raw: Client) -> None:
    """Otherwise a merge would use it up."""
    raw.create("kept.txt", ONE)
    assert raw.merge("big", hashlib.md5(ONE).hexdigest(), "kept.txt").status == 404
    assert raw.content("kept.txt") == ONE


def test_no_parts_make_an_empty_resource(raw: Client) -> None:
    assert raw.merge("empty", hashlib.md5(b"").hexdigest()).status == 201
    assert raw.content("empty") == b""


def test_a_part_may_be_used_twice(raw: Client, parts: list[str]) -> None:
    assert raw.merge("big", hashlib.md5(ONE + ONE).hexdigest(), parts[0], parts[0]).status == 201
    assert raw.content("big") == ONE + ONE


@pytest.mark.parametrize("body", ["", "no-bar", "short|a,b", "\udcff|a"])
def test_a_merge_that_cannot_be_read_is_refused(raw: Client, body: str) -> None:
    headers = {
        "x-odps-resource-name": "big",
        "x-odps-resource-type": "file",
        "x-odps-resource-merge-total-bytes": "1",
    }
    sent = body.encode("utf-8", "surrogateescape")
    assert raw.ask("POST", f"{RESOURCES}?rOpMerge=true", sent, headers).code == "InvalidParameter"


def test_content_nothing_refers_to_is_removed_from_disk(raw: Client, parts: list[str], tmp_path: Path) -> None:
    blobs = tmp_path / "service" / "blobs"
    raw.merge("big", WHOLE, *parts)
    raw.create("same.txt", ONE)
    assert len(list(blobs.iterdir())) == 2
    raw.put("big", b"replaced")
    assert sorted(path.read_bytes() for path in blobs.iterdir()) == [ONE, b"replaced"]
    for name in ("big", "same.txt"):
        raw.ask("DELETE", f"{RESOURCES}/{name}")
    assert list(blobs.iterdir()) == []
