"""Function Compute as `udfs serve` and `endpoint: local` start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import UsageError
from reconciler.targets.fc.embedded import EmbeddedFunctionCompute
from tests.contract.fc.calls import FunctionCompute

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = """\
stack: geo
target: {kind: fc}
targets:
  local: {endpoint: local, region: cn-beijing, account: "42"}
functions:
  read: {runtime: python3.10, source: index.py, handler: index.handler}
"""
OPTIONS = {
    "hosts": (),
    "projects": (),
    "access_id": None,
    "access_key": None,
    "page_size": 1000,
    "latency_ms": 0,
    "control": False,
    "denied": (),
    "switches": (),
}


def test_a_manifest_of_the_kind_is_served_in_its_region(tmp_path: Path) -> None:
    (tmp_path / "udfs.yaml").write_text(MANIFEST)
    (tmp_path / "index.py").write_text("def handler(event, context): return event\n")
    command = [sys.executable, "-m", "reconciler", "serve", "-f", "udfs.yaml", "--set", "defaults_on_read=false"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        fc = FunctionCompute(line.strip().removeprefix("listening on http://"))
        assert fc.create().function_arn == "acs:fc:cn-beijing:42:functions/read"
        assert fc.get().memory_size is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert (tmp_path / ".udfs" / "fc" / "fc.db").exists()
    assert (tmp_path / ".udfs" / ".gitignore").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"switches": ("nonsense=1",)}, "there is no switch 'nonsense'"),
        ({"switches": ("publish_unchanged=perhaps",)}, "switch 'publish_unchanged' does not take 'perhaps'"),
        ({"switches": ("most_tags=0",)}, "most_tags must be at least 1"),
        ({"projects": ("demo",)}, "--project means nothing to Function Compute"),
        ({"access_id": "ann"}, "--access-id and --access-key are given together"),
    ],
    ids=["an unknown switch", "an unknown value", "a bad number", "a project", "half a key"],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        EmbeddedFunctionCompute().start_service(
            None, None, {**OPTIONS, **options}, folder=tmp_path, address=("127.0.0.1", 0), environment={}
        )


def test_every_switch_is_described() -> None:
    lines = EmbeddedFunctionCompute().describe_switches().splitlines()
    assert len(lines) >= 15
    assert any(line.startswith("publish_unchanged ") and "refuse or publish" in line for line in lines)
