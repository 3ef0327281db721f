"""The scene of whole pipelines, and a look for secrets at its end."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

import pytest

from reconciler.local import Server, Settings
from tests.forges import openapi
from tests.pipelines.cloud import Cloud
from tests.pipelines.hub import Hub
from tests.pipelines.scene import Identity, Scene
from tests.sts import serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def files() -> dict[str, str] | None:
    """What is in the repository; None: the example."""
    return None


@pytest.fixture
def scene(tmp_path: Path, files: dict[str, str] | None) -> Iterator[Scene]:
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    cloud = Cloud(folder=certificates)
    console = Identity("root", secrets.token_hex(12))
    settings = Settings(control=True, users=cloud.users, access_id=console.key, access_key=console.secret)
    served = contextlib.contextmanager(serve)(cloud)
    with served, Server(tmp_path / "store", settings, environment=os.environ) as server:
        scene = Scene.begin(tmp_path, server, files, cloud)
        scene.console = console
        with Hub(openapi.load(), scene.platform) as hub:
            scene.connect(hub)
            yield scene
            assert hub.complaints == []
        assert cloud.refused == []
        assert [*scene.leaks()] == []
