"""The vendor's SDK for JavaScript as a second judge: what one SDK overlooks the other may not."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.local.fc.checksums import crc64_by_table
from tests.contract.fc.calls import HELLO

if TYPE_CHECKING:
    from tests.contract.fc.conftest import ServeFc

PACKAGE = "@alicloud/fc20230330@4.7.6"
SCRIPT = Path(__file__).with_name("judge.js")


def installed() -> Path:
    """Return the folder of the package with what it needs, kept among the caches of the machine; without npm, skip."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "udfs-tests"
    folder = caches / "alicloud-fc20230330-4.7.6"
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("needs npm and node, for the vendor's SDK for JavaScript")
    if not folder.exists():
        caches.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=caches))
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE]
        try:
            done = subprocess.run(command, cwd=draft, capture_output=True, text=True, timeout=300, check=False)
            if done.returncode:
                pytest.skip(f"npm cannot fetch the vendor's SDK: {done.stderr.strip()[-200:]}")
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return folder


def test_the_road_of_an_apply_is_right_to_the_sdk_for_javascript(serve_fc: ServeFc) -> None:
    modules = installed() / "node_modules"
    server = serve_fc(access_id="ann", access_key="right")
    zipped = base64.b64encode(HELLO).decode()
    done = subprocess.run(
        ["node", str(SCRIPT), server.authority, "ann", "right", zipped],
        env={"NODE_PATH": str(modules), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "layer": 1,
        "checksum": str(crc64_by_table(HELLO)),
        "timeout": 9,
        "version": "1",
        "names": ["read"],
        "tags": 1,
        "refused": [404, "AliasNotFound"],
    }
    assert {exchange.actor for exchange in server.requests} == {"ann"}
