"""A policy is read like a manifest: all that is wrong with it at once, each with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.manifest.policy_file import bytes_of, moment_of, policy_schema, time_of

if TYPE_CHECKING:
    from tests.unit.manifest.folder import Folder

MANIFEST = "stack: s\npolicy: policy.yaml\nfunctions: {}\n"


def says(folder: Folder, policy: str) -> list[str]:
    (folder.path / "policy.yaml").write_text(policy, encoding="utf-8")
    return folder.says(MANIFEST)


def test_a_policy_stands_beside_the_manifest_with_its_places(folder: Folder) -> None:
    assert says(folder, "owners: [ALIYUN$ann]\nfrozen:\n  - {days: [sat], zone: UTC}\n") == []
    (rules,) = folder.load(MANIFEST).policies
    assert rules.policy.owners == ["ALIYUN$ann"]
    assert str(rules.at("frozen", 0)) == "policy.yaml:3:5"
    assert folder.load("stack: s\nfunctions: {}\n").policies == ()


WRONG = {
    "nothing": ("", ["1:1 E112 the manifest is empty"]),
    "an unknown key": ("owner: [a]\n", ["1:1 E531 unknown key 'owner'"]),
    "a missing key": ("frozen: [{from: 2026-01-01, to: 2026-01-02}]\n", ["1:10 E531 item 1 of 'frozen' needs the key 'zone'"]),
    "another type": ("require_tests: perhaps\n", [
        "1:16 E531 'require_tests' takes true or false",
    ]),
    "a list": ("- a\n", ["1:1 E531 the policy takes a mapping"]),
    "an unknown day": ("frozen: [{zone: UTC, days: [sat, sun, so]}]\n", [
        "1:39 E531 'so' is not allowed for item 3 of 'days'",
    ]),
    "no size": ("max_size: 3 pages\n", ["1:11 E531 'max_size' cannot be understood"]),
    "no package": ("forbid_packages: ['a b c']\n", ["1:19 E531 the package cannot be understood"]),
    "no zone": ("frozen: [{zone: Middle/Earth, days: [sat]}]\n", ["1:17 E531 the time zone cannot be understood"]),
    "no times": ("frozen: [{zone: UTC, days: [sat], from: dawn, to: '25:00'}]\n", [
        "1:41 E531 'from' cannot be understood", "1:51 E531 'to' cannot be understood",
    ]),
    "no days": ("frozen: [{zone: UTC, from: '18:00'}]\n", [
        "1:28 E531 'from' cannot be understood", "1:10 E531 'to' cannot be understood",
    ]),
    "far too much": ("{" + ", ".join(f"k{n}: v" for n in range(500)) + "}\n", None),
    "YAML that is none": ("a: [\n", None),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_policy_is_told(folder: Folder, case: str) -> None:
    policy, told = WRONG[case]
    found = says(folder, policy)
    assert sorted(found) == sorted(told) if told is not None else found


def test_a_policy_that_is_not_there_is_told_at_its_name(folder: Folder) -> None:
    [problem] = folder.problems(MANIFEST)
    assert (str(problem.at), problem.code) == ("udfs.yaml:2:9", "E305")


def test_sizes_times_and_days_are_read_strictly() -> None:
    assert [bytes_of(text) for text in ("200 MB", "1kB", "7 B", "MB", "1.5 GB", "1 TB")] == [
        200_000_000, 1_000, 7, None, None, None,
    ]  # fmt: skip
    assert str(time_of("18:00")) == "18:00:00"
    assert [time_of(text) for text in ("24:00", "18:00+02:00", "noon")] == [None] * 3
    found = [moment_of(text) for text in ("2026-12-24", "2026-12-24 18:00")]
    assert [(str(one[0]), one[1]) for one in found if one] == [
        ("2026-12-24 00:00:00", True),
        ("2026-12-24 18:00:00", False),
    ]
    assert [moment_of(text) for text in ("2026-13-01", "2026-12-24 18:00Z", "")] == [None] * 3


def test_the_kept_schema_of_the_policy_is_the_one_of_the_model() -> None:
    kept = Path(__file__).parents[3] / "schemas" / "policy.schema.json"
    assert json.loads(kept.read_text(encoding="utf-8")) == policy_schema(), "run: udfs schema policy.yaml"
