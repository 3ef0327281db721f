"""
A pytest fixture that calls the functions of a manifest, each in its own CPython.

    def test_psi(udf):
        assert udf.my_psi(1.0) == pytest.approx(-0.5772156649015329)

    def test_split(udf):
        assert udf.split("to be") == [("to", 2), ("be", 2)]         # a table function gives a list of rows

    def test_total(udf):
        assert udf.total([1, 2, None]) == 3                         # an aggregate takes one

    def test_read(udf):
        assert udf.read({"page": 1}) == {"text": "Function 3912"}   # a function of Function Compute takes an event

Nothing is deployed: a function runs over the files that an apply would upload, as `udfs test` does. Its process lives until the
run of pytest ends; each call gets a new instance of the class. What the function prints is captured like a test's own output.

The manifest is the nearest ``udfs.yaml`` from the test's folder upwards, or what ``udfs_manifest`` of pytest's ini file names.

pytest imports this module in every environment that has both, so it imports the rest of udfs only when the fixture is used.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from reconciler.base.errors import UdfsError
    from reconciler.local.runner import FunctionError, Session
    from reconciler.targets.powers import EventCalls
    from reconciler.testing.event_programs import EventFunction
    from reconciler.workflow.preparation import Prepared

MANIFEST = "udfs.yaml"


class UdfFailed(Exception):
    """
    A function raised, died, ran out of time, or gave what its signature does not allow.

    The text has the reason, the function's own traceback, and what it printed.
    """


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings of an ini file."""
    parser.addini("udfs_manifest", f"The manifest of the fixture `udf`; the nearest {MANIFEST} when left out.")
    parser.addini("udfs_timeout", "Seconds after which the fixture `udf` gives up a call.", default="60")


@pytest.fixture(scope="session")
def _udfs_by_manifest(pytestconfig: pytest.Config) -> Iterator[Callable[[Path], Udfs]]:
    opened: dict[Path, Udfs] = {}
    timeout = float(pytestconfig.getini("udfs_timeout"))

    def open_(manifest: Path) -> Udfs:
        if manifest not in opened:
            opened[manifest] = Udfs(manifest, timeout)
        return opened[manifest]

    yield open_
    for udfs in opened.values():
        udfs._workshop.close()


@pytest.fixture
def udf(request: pytest.FixtureRequest, _udfs_by_manifest: Callable[[Path], Udfs]) -> Udfs:
    """Call the functions of the manifest: ``udf.NAME(…)``, or ``udf["NAME"](…)``."""
    config = request.config
    named = config.getini("udfs_manifest")
    if named:
        return _udfs_by_manifest((config.inipath.parent if config.inipath else config.rootpath) / named)
    here = request.path.parent
    manifest = next((folder / MANIFEST for folder in (here, *here.parents) if (folder / MANIFEST).is_file()), None)
    if manifest is None:
        pytest.fail(
            f"no {MANIFEST} in {here} or above it; udfs_manifest in pytest's ini file names another", pytrace=False
        )
    return _udfs_by_manifest(manifest)


class Udfs:
    """The functions of one manifest, by name."""

    def __init__(self, manifest: Path, timeout: float) -> None:
        self._workshop = _Workshop(manifest, timeout)

    def __getattr__(self, name: str) -> Udf | EventUdf:
        __tracebackhide__ = True
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Udf | EventUdf:
        __tracebackhide__ = True
        name, events = self._workshop.name_in_manifest(name), self._workshop.events
        return Udf(self._workshop, name) if events is None else EventUdf(self._workshop, events, name)

    def __repr__(self) -> str:
        return f"<udfs of {self._workshop.manifest}>"


class Udf:
    """One function, to be called."""

    def __init__(self, workshop: _Workshop, name: str) -> None:
        self._workshop = workshop
        self._name = name

    def __call__(self, *args: Any) -> Any:
        """
        Return what the function gives for one row: a value; of a table function the list of its rows.

        An aggregate takes one argument, its rows; a row is a tuple, or the value itself where there is one column.
        """
        __tracebackhide__ = True
        kind = self._workshop.session(self._name).description.kind
        if kind == "udtf":
            return self._run([args])
        if kind == "udf":
            return self._run([args])[0]
        if len(args) != 1:
            raise TypeError(f"{self._name} is an aggregate and takes one argument, the list of its rows")
        return self.over(args[0])[0]

    def over(self, rows: Iterable[Any]) -> list[Any]:
        """Return the results over many rows, each a tuple or, where there is one column, the value itself."""
        __tracebackhide__ = True
        return self._run([row if isinstance(row, tuple) else (row,) for row in rows])

    def _run(self, rows: Sequence[Sequence[Any]]) -> list[Any]:
        __tracebackhide__ = True
        from reconciler.local.runner import FunctionError

        call = self._workshop.session(self._name).call(rows)
        try:
            results = list(call)
        except FunctionError as error:
            _fail(error)
        sys.stdout.write(call.log)
        return results

    def __repr__(self) -> str:
        return f"<udf {self._name}>"


class EventUdf:
    """One function that takes events, to be called."""

    def __init__(self, workshop: _Workshop, calls: EventCalls, name: str) -> None:
        self._workshop, self._calls, self._name = workshop, calls, name

    def __call__(self, event: object = "", *, timeout: float | None = None) -> Any:
        """
        Return what the function makes of an event: the value of its JSON, or a text.

        An event is sent as `udfs test` sends it: bytes and a text as they are, anything else as JSON. `timeout` is in seconds; left out, the
        manifest's holds.
        """
        __tracebackhide__ = True
        payload = self.raw(event, timeout=timeout)
        try:
            return json.loads(payload)
        except ValueError:
            return payload.decode("utf-8", "backslashreplace")

    def raw(self, event: object = "", *, timeout: float | None = None) -> bytes:
        """Return the bytes that the function answers with."""
        __tracebackhide__ = True
        from reconciler.testing.event_programs import encode_event, failure_of

        content = event if isinstance(event, bytes) else encode_event(event)
        with self._workshop.running_here():
            answer = self._workshop.event_function(self._calls, self._name).invoke(content, timeout)
        if answer.error is not None:
            _fail(failure_of(self._name, answer))
        sys.stdout.write(answer.log)
        return answer.payload

    def __repr__(self) -> str:
        return f"<udf {self._name}>"


class _Workshop:
    """What the functions of one manifest are made of, and the processes that run them."""

    def __init__(self, manifest: Path, timeout: float) -> None:
        self.manifest = os.path.relpath(manifest)
        self._timeout = timeout
        self._ready = _prepare(manifest, self.manifest)
        self._sessions: dict[str, Session] = {}
        self._functions: dict[str, EventFunction] = {}

    @property
    def events(self) -> EventCalls | None:
        """What calls functions that take events, if those of the manifest do."""
        from reconciler.targets import adapter_of

        return adapter_of(self._ready.loaded).event_calls

    def name_in_manifest(self, name: str) -> str:
        """Return a function's name as the manifest writes it."""
        __tracebackhide__ = True
        from reconciler.base.words import did_you_mean, quote

        spelling = {function.lower(): function for function in self._ready.loaded.manifest.functions}
        if name.lower() not in spelling:
            hint = did_you_mean(name, spelling.values()) or f"it has: {', '.join(spelling.values())}"
            raise AttributeError(f"the manifest has no function {quote(name)}; {hint}")
        return spelling[name.lower()]

    def session(self, name: str) -> Session:
        """Return the running function, started if it is not."""
        __tracebackhide__ = True
        session = self._sessions.get(name)
        if session is None or not session.alive:
            with self.running_here():
                self._sessions[name] = self._start(name)
        return self._sessions[name]

    def event_function(self, calls: EventCalls, name: str) -> EventFunction:
        """Return a function that takes events, made ready when it is called for the first time."""
        from reconciler.cli.support.interpreter import bounds_of, this_machine

        if name not in self._functions:
            ready, bounds = self._ready, bounds_of(self._timeout, None)
            self._functions[name] = calls.manifest_function(
                ready.loaded, ready.desired, ready.artifacts, name, this_machine(), bounds
            )
        return self._functions[name]

    @contextmanager
    def running_here(self) -> Iterator[None]:
        """Tell what goes wrong as pytest shows it."""
        __tracebackhide__ = True
        from reconciler.base.errors import UdfsError
        from reconciler.cli.support.interpreter import explain_failure
        from reconciler.local import runner

        try:
            yield
        except runner.FunctionError as error:
            _fail(error)
        except runner.RunnerError as error:
            _stop(explain_failure(error))
        except UdfsError as error:
            _stop(error)

    def _start(self, name: str) -> Session:
        from reconciler.cli.support.interpreter import row_calls, this_machine
        from reconciler.local import runner

        calls = row_calls(self._ready.loaded)
        job = calls.manifest_job(self._ready.loaded, self._ready.desired, self._ready.artifacts, name)
        return runner.session(calls.locate_interpreter(job, this_machine()), job, timeout=self._timeout)

    def close(self) -> None:
        """End all processes."""
        for session in self._sessions.values():
            session.close()
        for function in self._functions.values():
            function.close()


def _prepare(manifest: Path, shown: str) -> Prepared:
    from reconciler.base.errors import UdfsError
    from reconciler.cli.support.options import Options
    from reconciler.cli.support.project import prepare_files
    from reconciler.manifest.load import load_manifest
    from reconciler.targets.dialects import DIALECTS

    try:
        loaded = load_manifest(manifest, DIALECTS, env=os.environ, shown=shown)
        return prepare_files(loaded, Options(manifest, None, "text"), warn=False)
    except UdfsError as error:
        _stop(error)


def _stop(error: UdfsError) -> NoReturn:
    """Fail for a reason that is not the function's."""
    from reconciler.cli.support.output import with_source
    from reconciler.render.styled import plain_text, problems_lines

    raise pytest.fail.Exception(
        plain_text(problems_lines(with_source(error.problems))).rstrip(), pytrace=False
    ) from None


def _fail(error: FunctionError) -> NoReturn:
    """Raise what pytest shows: the function's own lines, and none of ours."""
    __tracebackhide__ = True
    parts = [error.message, error.traceback.rstrip()]
    if error.log:
        parts.append("printed:\n" + error.log.rstrip())
    if error.hint:
        parts.append(f"help: {error.hint}")
    raise UdfFailed("\n".join(part for part in parts if part)) from None
