"""
The contract of Realtime Compute for Apache Flink, as far as udfs needs it, over the fake of Flink's REST interface.

What a Flink makes of the same requests is in the nightly tests of ``tests/flink``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.local.ververica import VervericaServer, VervericaSettings
from reconciler.local.ververica.engines import FlinkAtAddress
from tests.contract.ververica.sdk import RealtimeCompute
from tests.flink.fake_flink import FakeFlink

if TYPE_CHECKING:
    from pathlib import Path

ServeVerverica = Callable[..., VervericaServer]


@pytest.fixture
def flink() -> Iterator[FakeFlink]:
    cluster = FakeFlink()
    yield cluster
    cluster.close()


@pytest.fixture
def serve_ververica(tmp_path: Path, flink: FakeFlink) -> Iterator[ServeVerverica]:
    """Start servers; the keywords are `VervericaSettings`. All of them end with the test."""
    with contextlib.ExitStack() as stack:

        def start(**settings: Any) -> VervericaServer:
            server = VervericaServer(tmp_path / "service", FlinkAtAddress(flink.url), VervericaSettings(**settings))
            return stack.enter_context(server)

        yield start


@pytest.fixture
def sdk(serve_ververica: ServeVerverica) -> RealtimeCompute:
    """The vendor's SDK, on a server that anybody may use."""
    return RealtimeCompute(serve_ververica().authority)
