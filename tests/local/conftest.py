"""Real interpreters of the machine, found as the product finds them, and functions written where the test reads."""

from __future__ import annotations

import os
import textwrap
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.local.runner import RUNTIMES, Interpreter, InterpreterNotFound, Job, ResourceFile, call, locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from reconciler.local.runner import Call

# The environment of the run, before a fixture takes names out of it: it may say where the interpreters are.
ENVIRONMENT = dict(os.environ)


@lru_cache
def interpreter_or_reason(runtime: str) -> Interpreter | str:
    try:
        return locate(runtime, ENVIRONMENT)
    except InterpreterNotFound as missing:
        return str(missing)


def found(runtime: str) -> Interpreter:
    """Return the interpreter of the runtime, or skip the test."""
    answer = interpreter_or_reason(runtime)
    if isinstance(answer, str):
        pytest.skip(answer)
    return answer


@dataclass(frozen=True)
class Runner:
    """Runs functions in one runtime; `source` is a module called `m`."""

    interpreter: Interpreter
    directory: Path
    isolated: bool | None = True
    """As most tests here need: they are about the worker, and ask the machine by way of the function."""

    @property
    def runtime(self) -> str:
        return self.interpreter.runtime

    def job(self, source: str, name: str = "F", resources: Sequence[ResourceFile] = ()) -> Job:
        path = self.directory / "m.py"
        path.write_text("# coding: utf-8\n" + textwrap.dedent(source), encoding="utf-8")
        return Job(f"m.{name}", (ResourceFile("m.py", "py", path), *resources), self.runtime, isolated=self.isolated)

    def start(
        self,
        source: str,
        rows: Iterable[Sequence[object]] = ((),),
        *,
        resources: Sequence[ResourceFile] = (),
        **options: Any,
    ) -> Call:
        return call(self.interpreter, self.job(source, resources=resources), rows, **options)

    def results(
        self,
        source: str,
        rows: Iterable[Sequence[object]] = ((),),
        *,
        resources: Sequence[ResourceFile] = (),
        **options: Any,
    ) -> list[Any]:
        with self.start(source, rows, resources=resources, **options) as running:
            return list(running)

    def file(self, name: str, content: str | bytes, kind: str = "file") -> ResourceFile:
        path = self.directory / f"source of {name}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return ResourceFile(name, kind, path)  # type: ignore[arg-type]


@pytest.fixture(params=RUNTIMES)
def runner(request: pytest.FixtureRequest, tmp_path: Path) -> Runner:
    """Each runtime of the service in turn; skipped with the reason where the machine has none."""
    return Runner(found(request.param), tmp_path)


@pytest.fixture(params=[runtime for runtime in RUNTIMES if runtime != "cp27"])
def runner3(request: pytest.FixtureRequest, tmp_path: Path) -> Runner:
    """Each Python 3 of the service in turn."""
    return Runner(found(request.param), tmp_path)


@pytest.fixture
def runner2(tmp_path: Path) -> Runner:
    """CPython 2.7."""
    return Runner(found("cp27"), tmp_path)


@pytest.fixture
def some_runner(tmp_path: Path) -> Runner:
    """Any one runtime, for what does not depend on it."""
    for runtime in reversed(list(RUNTIMES)):
        answer = interpreter_or_reason(runtime)
        if isinstance(answer, Interpreter):
            return Runner(answer, tmp_path)
    pytest.skip("no CPython of any runtime is on this machine")


@pytest.fixture
def pretend(tmp_path: Path) -> Callable[[str, Mapping[str, object]], Path]:
    """Make a program that answers the finder's question with the given facts: a PyPy, a build no one has here."""

    def make(path: str, facts: Mapping[str, object]) -> Path:
        import json

        program = tmp_path / path
        program.parent.mkdir(parents=True, exist_ok=True)
        answer = {
            "implementation": "cpython",
            "version": [3, 7, 17],
            "maxunicode": 0x10FFFF,
            "soabi": "cpython-37m-x86_64-linux-gnu",
            "pymalloc": True,
            "machine": "x86_64",
            "site": [],
            "prefix": "/usr",
            "program": "/usr/bin/python3.7",
            **facts,
        }
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
        program.chmod(0o755)
        return program

    return make
