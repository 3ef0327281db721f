"""The changelog tells of what the package is, and a tag is of both."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pipelines.platform import read_yaml
from tests.release import ROOT, changelog_faults, package_version, release_notes, tag_faults

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
SOME = "# Changelog\n\n## Unreleased\n\n## 1.2.0 - 2026-11-02\n\n### Added\n\n- more\n\n## 1.1.0 - 2026-10-01\n\n### Fixed\n\n- less\n"


def test_the_changelog_tells_of_this_package() -> None:
    assert changelog_faults(CHANGELOG, package_version()) == []


@pytest.mark.parametrize(
    ("changelog", "version", "fault"),
    [
        (SOME, "1.2.0", None),
        (SOME, "1.3.0.dev0", None),
        (SOME, "1.3.0", "the newest release is another"),
        (SOME, "1.1.0", "older than 1.2.0"),
        (SOME.replace("## Unreleased\n", ""), "1.2.0", "'Unreleased'"),
        (SOME.replace("### Fixed", "### Mended"), "1.2.0", "'Mended' is no group"),
        (SOME.replace("1.1.0", "1.3.0"), "1.2.0", "not in order"),
        (SOME.replace(" - 2026-10-01", ""), "1.2.0", "is no 'VERSION - DAY'"),
        (SOME.replace("1.1.0", "old"), "1.2.0", "Invalid version"),
    ],
)
def test_a_changelog_has_releases_in_order_and_known_groups(changelog: str, version: str, fault: str | None) -> None:
    faults = changelog_faults(changelog, version)
    assert (faults == []) if fault is None else any(fault in each for each in faults), faults


def test_a_tag_is_that_of_the_package_and_the_changelog_has_its_notes() -> None:
    assert tag_faults("v1.2.0", SOME, "1.2.0") == []
    assert release_notes(SOME, "1.2.0") == "### Added\n\n- more"
    assert tag_faults("v1.2.1", SOME, "1.2.0") == ["the tag is v1.2.1, and the package 1.2.0"]
    assert tag_faults("v1.3.0", SOME, "1.3.0") == ["the changelog says nothing of 1.3.0"]


def test_each_job_of_a_release_may_do_its_own_part_and_no_more() -> None:
    workflow = read_yaml((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    jobs = workflow["jobs"]
    assert workflow["permissions"] == {}
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "build": {"contents": "read"},
        "test": {"contents": "read"},
        "publish": {"id-token": "write"},
        "release": {"contents": "write", "id-token": "write", "attestations": "write"},
    }
    for name in ("publish", "release"):
        # What may sign or write runs nothing of the checkout.
        assert not any(step.get("uses", "").startswith("actions/checkout") for step in jobs[name]["steps"])
    # Nothing is published that was not tested.
    assert (jobs["test"]["needs"], jobs["publish"]["needs"], jobs["release"]["needs"]) == ("build", "test", "publish")


def test_the_wheel_is_tested_on_every_python_that_the_package_names() -> None:
    workflow = read_yaml((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    project = Path(ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == re.findall(
        r'"Programming Language :: Python :: (3\.\d+)"', project
    )
