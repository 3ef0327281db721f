"""
The contract of MaxCompute, as far as udfs needs it: what is said here is true of the service.

The tests named ``test_pyodps_*`` speak through PyODPS, an ordinary client with its public API unchanged, and need nothing
but `odps` and `connect`. They can be run against a real project: set ``UDFS_CONTRACT_ENDPOINT``, ``UDFS_CONTRACT_PROJECT``,
``UDFS_CONTRACT_ACCESS_ID`` and ``UDFS_CONTRACT_ACCESS_KEY``. Everything they create has a name of its own and is deleted.
The tests named ``test_service_*`` look at the wire and at the server itself, and always use the local one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import uuid
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

with warnings.catch_warnings():
    # PyODPS asks for the time in a way that Python 3.12 deprecated, and does so while it is imported.
    warnings.filterwarnings("ignore", message=r"datetime\.datetime\.utc", category=DeprecationWarning)
    from odps import ODPS, errors, options

from reconciler.local import Server, Settings
from tests.contract.rawhttp import Client

if TYPE_CHECKING:
    from pathlib import Path

# Read before the tests' own environment takes them away.
REAL = {key: os.environ.get(f"UDFS_CONTRACT_{key}") for key in ("ENDPOINT", "PROJECT", "ACCESS_ID", "ACCESS_KEY")}

ENVIRONMENT = dict(os.environ)
"""It says where the CPythons are that functions run in."""

Serve = Callable[..., Server]
Connect = Callable[..., Any]
Unique = Callable[[str], str]


def pytest_configure(config: pytest.Config) -> None:
    """The same deprecation, when PyODPS signs a request."""
    config.addinivalue_line("filterwarnings", r"ignore:datetime\.datetime\.utc:DeprecationWarning")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start servers; the keywords are `Settings`. All of them end with the test."""
    if REAL["ENDPOINT"]:
        pytest.skip("needs a server of its own")
    with contextlib.ExitStack() as stack:

        def start(directory: Path | None = None, **settings: Any) -> Server:
            place = directory or tmp_path / "service"
            return stack.enter_context(Server(place, Settings(**settings), environment=ENVIRONMENT))

        yield start


@pytest.fixture
def server(serve: Serve) -> Server:
    """A server that anybody may use."""
    return serve()


@pytest.fixture
def raw(server: Server) -> Iterator[Client]:
    """A plain HTTP connection to it."""
    with Client(server.url) as client:
        yield client


@pytest.fixture
def connect(request: pytest.FixtureRequest) -> Connect:
    """Make PyODPS entry objects; each has caches of its own."""
    if REAL["ENDPOINT"]:

        def real(project: str | None = None, **more: Any) -> Any:
            target = project or REAL["PROJECT"]
            return ODPS(REAL["ACCESS_ID"], REAL["ACCESS_KEY"], target, REAL["ENDPOINT"], overwrite_global=False, **more)

        return real
    server: Server = request.getfixturevalue("server")

    def local(project: str = "demo", *, access_id: str = "alice", url: str = server.url, **more: Any) -> Any:
        return ODPS(access_id, "secret", project, url, overwrite_global=False, **more)

    return local


@pytest.fixture
def odps(connect: Connect) -> Any:
    """The project under test, as PyODPS sees it."""
    return connect()


@pytest.fixture
def unique(connect: Connect) -> Iterator[Unique]:
    """Turn a name into one that nobody else uses; what has it at the end is deleted."""
    made: list[str] = []

    def name(stem: str) -> str:
        head, dot, tail = stem.partition(".")
        made.append(f"{head}_{uuid.uuid4().hex[:8]}{dot}{tail}")
        return made[-1]

    yield name
    if REAL["ENDPOINT"]:
        project = connect()
        for delete in (project.delete_function, project.delete_resource, project.delete_schema):
            for left in made:
                with contextlib.suppress(errors.ODPSError):
                    delete(left)


@pytest.fixture
def small_chunks() -> Iterator[int]:
    """Make PyODPS upload in parts of ten bytes, as it does with parts of 64 MiB."""
    before = options.resource_chunk_size
    options.resource_chunk_size = 10
    yield 10
    options.resource_chunk_size = before


class Process:
    """A server in a process of its own, which can be killed."""

    def __init__(self, directory: Path) -> None:
        script = (
            "import pathlib, sys; from reconciler.local import Server\n"
            "server = Server(pathlib.Path(sys.argv[1])); print(server.url, flush=True); server.serve_forever()"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", script, str(directory)], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()

    def kill(self) -> None:
        """What a power switch does to a process; twice is once."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@pytest.fixture
def spawn() -> Iterator[Callable[[Path], Process]]:
    """Start servers in processes of their own."""
    with contextlib.ExitStack() as stack:

        def start(directory: Path) -> Process:
            process = Process(directory)
            stack.callback(process.kill)
            return process

        yield start
