"""What all tests share: no real home, no real credentials, nothing but loopback and the package index."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.canary import _canary, pytest_runtest_makereport
from tests.interpreters import cp27m as narrow

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["_canary", "pytest_runtest_makereport"]

# How long an example takes, or takes to think of, says how busy the machine is.
settings.register_profile("udfs", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("udfs")

_FOREIGN = ("ALIBABA_CLOUD_", "ODPS_", "UDFS_", "MC_")


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Shells start what goes to the background deaf to Ctrl-C, and children inherit that: those that are interrupted here
    # would never end.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write what happened into the acceptance sessions")


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of fetched wheels for the whole run."""
    return tmp_path_factory.mktemp("udfs-cache")


@pytest.fixture(scope="session")
def cp27m() -> Path:
    """The Python 2.7 that MaxCompute has. It takes two minutes to build: a pipeline does so, a person is told how."""
    found = narrow.find(os.environ)
    if found is None and os.environ.get("CI"):
        try:
            return narrow.build(os.environ)
        except narrow.CannotBuild as reason:
            pytest.skip(f"a CPython 2.7 with narrow Unicode cannot be built here: {reason}")
    if found is None:
        pytest.skip("needs a CPython 2.7 with narrow Unicode: python3 tests/interpreters/cp27m.py builds one")
    return found


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, shared_cache: Path) -> None:
    """Keep the user's credentials and settings out of the tests, and the tests out of the user's cache."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("UDFS_CACHE_DIR", str(shared_cache))
    # What takes a second on a slow machine would say so among what is compared.
    monkeypatch.setenv("UDFS_PROGRESS", "off")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
