"""
The contract of Function Compute, as far as udfs needs it.

The tests named ``test_sdk_*`` speak through the vendor's SDK with its public API unchanged; those named ``test_fc_*`` look at the wire
and at the server itself.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.local.fc import FcServer, FcSettings
from tests.contract.fc.calls import FunctionCompute

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = dict(os.environ)
"""It says where the CPythons are that functions run in."""

ServeFc = Callable[..., FcServer]


def pytest_configure(config: pytest.Config) -> None:
    """The SDK asks for the time in a way that Python 3.12 deprecated."""
    config.addinivalue_line("filterwarnings", r"ignore:datetime\.datetime\.utc:DeprecationWarning")


@pytest.fixture
def serve_fc(tmp_path: Path) -> Iterator[ServeFc]:
    """Start servers; the keywords are `FcSettings`. All of them end with the test."""
    with contextlib.ExitStack() as stack:

        def start(directory: Path | None = None, **settings: Any) -> FcServer:
            place = directory or tmp_path / "fc"
            return stack.enter_context(FcServer(place, FcSettings(**settings), environment=ENVIRONMENT))

        yield start


@pytest.fixture
def fc_server(serve_fc: ServeFc) -> FcServer:
    """A server that anybody may use."""
    return serve_fc()


@pytest.fixture
def fc(fc_server: FcServer) -> FunctionCompute:
    """The vendor's SDK, on that server."""
    return FunctionCompute(fc_server.authority)
