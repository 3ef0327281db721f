"""
Commands of a page: `udfs call` and `udfs sql` in a process of their own, as somebody would type them.

So a page has no road of its own to a function or to SQL: the same checks, messages and ends, and a clock that ends the process
and all that it started. One runs at a time, and what it says is taken up to a bound.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import FunctionFailed, UsageError
from reconciler.base.hints import Command
from reconciler.base.processes import CutOff, Output, Tools
from reconciler.base.words import size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.cli.support.options import Options

_MOST_BYTES = 4_000_000
"""Of what a command says; a page shows less."""

_SHOWN = 100_000
"""Characters of it that a page shows."""

_LOOK_SECONDS = 0.05

_START = "import sys; sys.path[:] = filter(None, sys.path); from reconciler.cli.entry import main; main()"
"""Without the working directory among the places of modules, as the console script starts it."""


@dataclass(frozen=True)
class CommandResult:
    """What a command said."""

    command: str
    """As it would be typed."""

    code: int
    results: str
    messages: str

    @property
    def shown_results(self) -> str:
        """Return as much of the results as a page shows."""
        return _cut(self.results)

    @property
    def shown_messages(self) -> str:
        """Return as much of the messages as a page shows."""
        return _cut(self.messages)


def _cut(text: str) -> str:
    if len(text) <= _SHOWN:
        return text
    return f"{text[:_SHOWN]}\n… and {len(text) - _SHOWN:,} characters more"


@dataclass
class Commands:
    """The commands that pages run."""

    options: Options
    seconds: float
    _busy: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _running: Tools | None = field(default=None, init=False, repr=False)
    _is_stopped: bool = field(default=False, init=False, repr=False)

    def call(self, function: str, arguments: Sequence[str], event: str | None) -> CommandResult:
        """Call a function with arguments, or with an event where there is one."""
        limit = ["--timeout", f"{self.seconds:g}"]
        if event is None:
            return self._run("call", limit, [function, *arguments])
        with tempfile.TemporaryDirectory(prefix="udfs-") as folder:
            # From a file: a text that begins with @ would be one's name.
            file = Path(folder) / "event"
            file.write_text(event, encoding="utf-8")
            return self._run("call", [*limit, "--event", f"@{file}"], [function], ["--event", event])

    def sql(self, statement: str) -> CommandResult:
        """Run a statement; results are a document of JSON, of rows or of problems."""
        if statement.strip() in {"", "-"}:
            raise UsageError("E732", "there is no statement", hint="write one: SELECT …")
        return self._run("sql", ["--format", "json"], [statement])

    def stop(self) -> None:
        """End what runs, and run nothing more."""
        self._is_stopped = True
        if (running := self._running) is not None:
            running.stop()

    def _run(
        self, command: str, options: Sequence[str], arguments: Sequence[str], typed: Sequence[str] = ()
    ) -> CommandResult:
        """Run a command; `typed` is what a person would type behind its arguments."""
        if any("\0" in argument for argument in arguments):
            raise UsageError("E901", "there is a NUL in it, which no argument can hold", hint="leave it out")
        chosen = [*options, "-f", str(self.options.file)]
        if self.options.target:
            chosen += ["--target", self.options.target]
        # Behind the two dashes nothing is an option, whatever it looks like.
        line = [sys.executable, "-c", _START, command, *chosen, "--", *arguments]
        if not self._busy.acquire(blocking=False):
            raise UsageError("E576", "another call or statement of this page is still running", hint="wait for it")
        try:
            code, results, messages = self._start(line)
        finally:
            self._busy.release()
        words = self.options.invocation.command(Command(command, shlex.join([*arguments, *typed])))
        return CommandResult(words, code, results, messages)

    def _start(self, line: Sequence[str]) -> tuple[int, str, str]:
        environment = {**self.options.env, "NO_COLOR": "1", "UDFS_PROGRESS": "off", "PYTHONUTF8": "1"}
        tools = Tools()
        self._running = tools
        if self._is_stopped:
            tools.stop()
        with tempfile.TemporaryDirectory(prefix="udfs-") as name, Output(Path(name)) as out, Output(Path(name)) as err:
            with _bound_output(tools, out, err) as overflow:
                try:
                    # It is udfs itself, which builds its own barriers around what it runs.
                    code = tools.run(
                        line,
                        cwd=Path.cwd(),
                        environment=environment,
                        timeout=self.seconds,
                        out=out,
                        err=err,
                        trusted=True,
                    )
                except CutOff as error:
                    raise self._cut_off(error, too_much=overflow.is_set()) from error
            return code, out.text(), err.text()

    def _cut_off(self, error: CutOff, *, too_much: bool) -> FunctionFailed:
        if too_much:
            message = f"it says more than {size(_MOST_BYTES)}: udfs ended it"
            return FunctionFailed("E577", message, hint="let it return less, or write to a file on the command line")
        if error.stopped:
            return FunctionFailed("E575", "udfs ui stops, and ended it")
        hint = "udfs ui --timeout SECONDS lets it take longer; what a service began on its behalf may go on there"
        return FunctionFailed("E575", f"it takes longer than {self.seconds:g} seconds: udfs ended it", hint=hint)


@contextmanager
def _bound_output(tools: Tools, *outputs: Output) -> Iterator[threading.Event]:
    """End tools that write more than anybody reads, and say so."""
    overflow, done = threading.Event(), threading.Event()

    def watch() -> None:
        while not done.wait(_LOOK_SECONDS):
            if sum(output.size for output in outputs) > _MOST_BYTES:
                overflow.set()
                tools.stop()
                return

    thread = threading.Thread(target=watch, name="udfs-ui-bound", daemon=True)
    thread.start()
    try:
        yield overflow
    finally:
        done.set()
        thread.join()
