"""Forges on loopback, and a step of a pipeline in front of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.cli.forges import connection
from tests.canary import TOKEN
from tests.forges import openapi
from tests.forges.fakes import COMMIT, FakeCodeup, FakeGitHub, FakeGitLab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_VARIABLES = ("GITHUB_", "GITLAB_", "CI_", "YUNXIAO_", "PIPELINE_ID", "BUILD_NUMBER")


@pytest.fixture(scope="session")
def description() -> openapi.Description:
    return openapi.load()


@pytest.fixture(autouse=True)
def _no_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith(_VARIABLES):
            monkeypatch.delenv(name)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited for a forge, without waiting."""
    pauses: list[float] = []
    monkeypatch.setattr(connection, "sleep", pauses.append)
    return pauses


@pytest.fixture
def github(
    description: openapi.Description, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, waits: list[float]
) -> Iterator[FakeGitHub]:
    with FakeGitHub(description) as forge:
        for name, value in {
            "GITHUB_API_URL": forge.url,
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_REPOSITORY": "acme/functions",
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_SHA": COMMIT,
            "GITHUB_RUN_ID": "1000",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        }.items():
            monkeypatch.setenv(name, value)
        yield forge
        assert forge.complaints == []


@pytest.fixture
def gitlab(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> Iterator[FakeGitLab]:
    with FakeGitLab() as forge:
        for name, value in {
            "CI_API_V4_URL": f"{forge.url}/api/v4",
            "CI_PROJECT_ID": "42",
            "GITLAB_TOKEN": TOKEN,
            "CI_COMMIT_SHA": COMMIT,
            "CI_PIPELINE_ID": "1000",
            "CI_JOB_ID": "5000",
            "CI_JOB_URL": "https://gitlab.example/acme/functions/-/jobs/5000",
        }.items():
            monkeypatch.setenv(name, value)
        yield forge
        assert forge.complaints == []


@pytest.fixture
def codeup(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> Iterator[FakeCodeup]:
    with FakeCodeup() as forge:
        for name, value in {
            "YUNXIAO_API_URL": forge.url,
            "YUNXIAO_TOKEN": TOKEN,
            "CI_COMMIT_SHA": COMMIT,
            "PIPELINE_ID": "9",
            "BUILD_NUMBER": "1000",
        }.items():
            monkeypatch.setenv(name, value)
        yield forge
        assert forge.complaints == []
