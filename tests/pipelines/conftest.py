"""The scene of whole pipelines, and a look for secrets at its end."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import pytest

from reconciler.local import Server, Settings
from tests.forges import openapi
from tests.pipelines.hub import Hub
from tests.pipelines.scene import USERS, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    settings = Settings(control=True, users=USERS, access_id="root", access_key=secrets.token_hex(12))
    with Server(tmp_path / "store", settings, environment=os.environ) as server:
        scene = Scene.begin(tmp_path, server)
        with Hub(openapi.load(), scene.platform) as hub:
            scene.connect(hub)
            yield scene
            assert hub.complaints == []
        assert [*scene.leaks()] == []
