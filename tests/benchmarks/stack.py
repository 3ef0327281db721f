"""A stack of any size, in a folder and in the local service, which is a process of its own as the real one is."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = 'from odps.udf import annotate\n\n\n@annotate("->bigint")\nclass F(object):\n    def evaluate(self):\n        return {}\n'


def write(folder: Path, functions: int, *, files: bool = True) -> None:
    """Write a manifest with functions, each with a source and, with `files`, a file."""
    (folder / "f").mkdir(parents=True, exist_ok=True)
    text = ["stack: bench", "targets: {there: {endpoint: '${env:ENDPOINT}', project: '${env:PROJECT}'}}"]
    if files:
        text.append("resources:")
        for number in range(functions):
            (folder / f"f/d{number:05}.csv").write_text(f"{number}\n")
            text.append(f"  d{number:05}.csv: {{file: f/d{number:05}.csv}}")
    text.append("functions:")
    for number in range(functions):
        (folder / f"f/f{number:05}.py").write_text(SOURCE.format(number))
        listed = f", resources: [d{number:05}.csv]" if files else ""
        text.append(f"  f{number:05}: {{source: f/f{number:05}.py, class: F{listed}}}")
    (folder / "udfs.yaml").write_text("\n".join(text) + "\n")


class Service:
    """A running service."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.control = url.removesuffix("/api") + "/_control/requests"

    def env(self, project: str = "demo") -> dict[str, str]:
        """Return the environment in which the manifest's target is this service."""
        keys = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "ann", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "key"}
        return {**os.environ, **keys, "ENDPOINT": self.url, "PROJECT": project}

    def forget(self) -> None:
        requests.delete(self.control, timeout=60).raise_for_status()

    def log(self) -> list[dict[str, Any]]:
        """Return the requests since the last `forget`."""
        found: list[dict[str, Any]] = requests.get(self.control, timeout=60).json()["requests"]
        return found


@contextmanager
def service(store: Path, latency_ms: int = 0) -> Iterator[Service]:
    """Run the local service on a store."""
    command = [sys.executable, "-m", "reconciler", "serve", "--dir", str(store), "--control"]
    process = subprocess.Popen([*command, "--latency-ms", str(latency_ms)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Service(process.stdout.readline().split()[-1])
    finally:
        process.terminate()
        process.communicate(timeout=60)


def udfs(folder: Path, env: dict[str, str], *arguments: str) -> str:
    """Run a command in a folder and return what it printed."""
    command = [sys.executable, "-m", "reconciler", *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 2}:
        raise SystemExit(f"udfs {' '.join(arguments)} exits with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def python(script: str, *arguments: str, env: dict[str, str] | None = None) -> str:
    """Run a script in a process of its own and return what it printed."""
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], env=env, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def is_page(one: dict[str, Any]) -> bool:
    """Say whether a request was for a page of a listing."""
    return bool(one["method"] == "GET" and str(one["path"]).endswith(("/registration/functions", "/resources")))
