"""
Calls of a function over many rows or columns: batches out, batches in, memory that does not grow with their number.

Over rows, some batches are always on their way, so that this process writes the next and reads the last while the worker is at
work. A batch starts small, that the first result is there at once, and grows to a few thousand rows or a megabyte.
A database asks for columns in the middle of a query: there is no next batch before the last is answered. Columns of BIGINT
and DOUBLE without NULL pass as the machine writes them, and no value of theirs becomes an object of Python on this side.
"""

from __future__ import annotations

import itertools
import re
import weakref
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from reconciler.base.barrier import run_before_barrier
from reconciler.local.conversation import Died, Frame, GivenUp, TimedOut, WorkerLog, encode_frame
from reconciler.local.runner import wire
from reconciler.local.runner.errors import (
    ArgumentsRejected,
    Cancelled,
    FunctionError,
    FunctionNotLoadable,
    FunctionRaised,
    RunnerError,
    SignatureInvalid,
    WorkerDied,
    WorkerTimedOut,
    WrongResult,
)
from reconciler.local.runner.layout import remove
from reconciler.local.runner.process import WORKER, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self

    from reconciler.local.runner.wire import Column

FIRST_ROWS = 64
MOST_ROWS = 4096
BATCH_BYTES = 1 << 20
IN_FLIGHT = 3

SANDBOXES = {"seccomp": "replaced functions and seccomp", "Python": "replaced functions, for want of seccomp"}
"""What keeps a function in the sandbox of a service without isolation."""

Arguments: TypeAlias = "Callable[[int | None], tuple[object, ...] | None]"
"""What the row of a number was given, as far as that is known."""

_STAGES = {
    0: "while its module was imported",
    1: "while its class was constructed",
    3: "after the last row",
    4: "between two rows",
}
_IN_ROW = 2

_FAILURES: dict[str, tuple[type[FunctionError], str]] = {
    "load": (FunctionNotLoadable, "{path} cannot be loaded: {message}"),
    "signature": (SignatureInvalid, "{path} cannot be loaded: {message}"),
    "arguments": (ArgumentsRejected, "{path} cannot take its arguments {where}: {message}"),
    "raised": (FunctionRaised, "{path} raised {message} {where}"),
    "result": (WrongResult, "{path}: {message}, {where}"),
}


@dataclass(frozen=True)
class Description:
    """What the loaded class says of itself."""

    kind: Literal["udf", "udtf", "udaf"]
    signature: str | None
    """As written in `@annotate`; None for a UDTF that has none."""
    inputs: tuple[str, ...] | None
    """The types of the arguments; None when any are taken."""
    outputs: tuple[str, ...] | None
    """The types of the results; None when `forward` decides."""
    closes: bool = False
    """Whether it is a UDTF with a `close` of its own."""


@dataclass(frozen=True)
class _Batch:
    start: int
    rows: list[Sequence[object]]


class Session:
    """
    A function that is loaded and answers one call after the other, each with a new instance of its class.

    The module stays imported between calls, as it does between the tasks of a worker on the service. A session ends with the
    first call that runs out of time or kills the process, with `close`, or when nobody holds it any more.
    """

    def __init__(
        self,
        worker: Worker,
        class_path: str,
        native: tuple[str, ...],
        timeout: float | None,
        cancelled: Callable[[], bool],
        temporary: Path | None,
    ) -> None:
        self.worker = worker
        self.class_path = class_path
        self.native = native
        """Shared objects among the resources."""
        self._timeout = self._call_timeout = timeout
        self._cancelled = cancelled
        self.absent: Mapping[str, str] = {}
        """Distributions that the service has installed and this machine has not → the command that installs each."""
        self._fresh = True
        self.is_last = True
        """Whether nothing comes after the call at hand; so it is for a class that cannot be loaded."""
        self.close = weakref.finalize(self, run_before_barrier, partial(_clean_up, worker, temporary))
        """End the process and remove its directory. Harmless twice."""
        self.description: Description
        self.sandbox: str | None = None
        """A key of `SANDBOXES`; None where the function is isolated."""

    @property
    def alive(self) -> bool:
        """Whether it can be called."""
        return self.close.alive

    def start(self, job: dict[str, object]) -> None:
        """Have the worker load the class, and do not wait for it."""
        self.worker.send(encode_frame(job))

    def load(self) -> Self:
        """Wait until the class is loaded, and return the session; what it fails with ends it."""
        try:
            header = self.receive(lambda row: None).header
        except BaseException:
            self.close()
            raise
        inputs, outputs = header["inputs"], header["outputs"]
        self.sandbox = header["sandbox"]
        self.description = Description(
            header["function"],
            header["signature"],
            None if inputs is None else tuple(inputs),
            None if outputs is None else tuple(outputs),
            header["closes"],
        )
        return self

    def call(self, rows: Iterable[Sequence[object]], *, last: bool = False, timeout: float | None = None) -> Call:
        """
        Return the results over `rows`, to be read before the next call; after the `last` one the session ends.

        A `timeout` is for this call alone, in place of the session's.
        """
        self.is_last = last
        self._call_timeout = timeout or self._timeout
        if self._fresh:
            self._fresh = False  # the class was constructed when it was loaded
        else:
            self.worker.log = WorkerLog()
            self.worker.send(encode_frame({"kind": "begin"}))
        return Call(self, rows)

    def settle(self) -> None:
        """A call is over: take the rest of its log, and let the process end after the last."""
        if self.is_last:
            self.worker.dismiss(encode_frame({"kind": "bye"}))
            self.close()
        else:
            self.worker.settle()

    def find_imported(self) -> list[str]:
        """Return the files of the modules that its process has imported, between two calls, as that names them; none if it answers no more."""
        if not self.alive:
            return []
        self.worker.send(encode_frame({"kind": "imported"}))
        try:
            files = self.receive(lambda row: None).header.get("files")
        except RunnerError:
            return []
        return [name for name in files if isinstance(name, str)] if isinstance(files, list) else []

    def receive(self, arguments: Arguments) -> Frame:
        """Return the next answer; whatever else comes becomes the error it means, with what `arguments` a row had."""
        try:
            frame = self.worker.receive(self._call_timeout, self._cancelled)
        except Died as died:
            hints = {
                "SIGKILL": "the system may have run out of memory",
                "SIGSEGV": "native code failed; the log shows the Python stack on 3.x",
            }
            hint = hints.get(died.ending.signal, "")
            text = f"the process of {self.class_path} {died.ending}"
            raise self._lost_error(WorkerDied, text, hint, arguments, self._users_part) from None
        except TimedOut:
            text = f"{self.class_path} did not answer in {self._call_timeout:g} s,"
            raise self._lost_error(WorkerTimedOut, text, "", arguments, str) from None
        except GivenUp:
            self.close()
            raise Cancelled(f"the call of {self.class_path} was given up") from None
        except BaseException:
            self.close()
            raise
        if frame.header["kind"] == "error":
            raise self._failure_error(frame.header, arguments)
        return frame

    def _failure_error(self, header: dict[str, Any], arguments: Arguments) -> FunctionError:
        self.settle()
        what, message, row = header["what"], header["message"], header["row"]
        where = "after the last row" if row is None else f"at row {row + 1}"
        failure, text = _FAILURES[what]
        return failure(
            text.format(path=self.class_path, message=message, where=where),
            hint=_sandbox_hint(header["sandbox"]) or _import_hint(message, self.absent),
            row=row,
            arguments=arguments(row),
            exception=message if what == "raised" else "",
            traceback=header["traceback"],
            log=str(self.worker.log),
        )

    def _lost_error(
        self, kind: type[FunctionError], text: str, hint: str, arguments: Arguments, shorten: Callable[[str], str]
    ) -> FunctionError:
        """End what is left of the process; return the error of a worker that will not answer."""
        row, where = self._where()
        self.close()
        log = shorten(str(self.worker.log))
        return kind(f"{text} {where}", hint=hint, row=row, arguments=arguments(row), log=log)

    def _users_part(self, log: str) -> str:
        """Leave the worker's own frames out of the stack that Python prints when it crashes."""
        lines = (line for line in log.splitlines(keepends=True) if f'"{WORKER.parent}/' not in line)
        return "".join(lines).replace(f"{self.worker.cwd}/", "")

    def _where(self) -> tuple[int | None, str]:
        row, stage = self.worker.where()
        # The two numbers lie in a file that the function can reach, and may be anything by now.
        if stage == _IN_ROW and row >= 0:
            return row, f"at row {row + 1}"
        return None, _STAGES.get(stage, "at no known row")


class Call:
    """
    The results of one call, as they come.

    Iterating gives one value a row for a UDF, one tuple a forwarded row for a UDTF, one value in all for a UDAF. The
    results of the rows before a failing one come first, then its error. A `Call` is a context manager: leaving it ends
    its session, whose process ends and whose directory is removed; so does reading the last call of a session to the end.
    """

    def __init__(self, session: Session, rows: Iterable[Sequence[object]]) -> None:
        self._session = session
        self._rows = iter(rows)
        self._sent: deque[_Batch] = deque()
        self._count = 0
        self._size = FIRST_ROWS
        self._refused: ArgumentsRejected | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        return itertools.chain.from_iterable(self.batches())

    @property
    def description(self) -> Description:
        """What the class says of itself."""
        return self._session.description

    @property
    def log(self) -> str:
        """The end of what the function has written to stdout and stderr so far."""
        return str(self._session.worker.log)

    def close(self) -> None:
        """End the process and remove its directory. Harmless twice."""
        self._session.close()

    def batches(self) -> Iterator[list[Any]]:
        """Yield the results in lists, as they travel; to be called once."""
        session, done = self._session, False
        try:
            while self._fill():
                frame = session.receive(self._arguments)
                yield self._results(frame)
                if frame.header["last"]:
                    self._sent.popleft()
            if self._refused is not None:
                raise self._refused
            session.worker.send(encode_frame({"kind": "end"}))
            while (frame := session.receive(self._arguments)).header["kind"] == "values":
                yield self._results(frame)
            session.settle()
            done = True
        except FunctionError:
            done = True
            raise
        finally:
            if session.is_last or not done:
                # Of a call that was left half way, answers are still to come: nothing else can be asked any more.
                self.close()

    def _fill(self) -> bool:
        """Keep batches on their way; return whether answers are to come."""
        while len(self._sent) < IN_FLIGHT and self._refused is None:
            rows = list(itertools.islice(self._rows, self._size))
            if not rows:
                break
            try:
                frame = self._encode(_Batch(self._count, rows))
            except ArgumentsRejected as error:
                # Whoever reads gets the result of every row before the bad one, then its error.
                self._refused = error
                rows = rows[: (error.row or 0) - self._count]
                if not rows:
                    break
                frame = self._encode(_Batch(self._count, rows))
            self._session.worker.send(frame)
            self._sent.append(_Batch(self._count, rows))
            self._count += len(rows)
            self._size = max(1, min(self._size * 4, MOST_ROWS, BATCH_BYTES * len(rows) // len(frame)))
        return bool(self._sent)

    def _encode(self, batch: _Batch) -> bytes:
        """Return the frame of a batch; a row that does not fit is named."""
        types = self.description.inputs
        expected = len(batch.rows[0]) if types is None else len(types)
        if set(map(len, batch.rows)) != {expected}:
            index, row = next((index, row) for index, row in enumerate(batch.rows) if len(row) != expected)
            actual = "1 argument is" if expected == 1 else f"{expected} arguments are"
            raise self._rejection(batch.start + index, f"{len(row)} given where {actual} expected")
        try:
            return wire.rows_frame(batch.rows, types)
        except ValueError:
            index, reason = next(
                (index, reason) for index, row in enumerate(batch.rows) if (reason := wire.unwritable(row))
            )
            raise self._rejection(batch.start + index, reason) from None

    def _rejection(self, row: int, reason: str) -> ArgumentsRejected:
        signature = f"; the signature is {self.description.signature}" if self.description.signature else ""
        text = f"{self._session.class_path} cannot take its arguments at row {row + 1}: {reason}{signature}"
        return ArgumentsRejected(text, row=row)

    def _results(self, frame: Frame) -> list[Any]:
        columns = wire.read_columns(frame.header["columns"], frame.body)
        if self.description.kind == "udtf":
            return list(zip(*columns, strict=True))
        return columns[0]

    def _arguments(self, row: int | None) -> tuple[object, ...] | None:
        for batch in self._sent if row is not None else ():
            if row is not None and batch.start <= row < batch.start + len(batch.rows):
                return tuple(batch.rows[row - batch.start])
        return None


@dataclass(frozen=True)
class Forwarded:
    """What a table function made of a batch."""

    origins: list[int]
    """For each row, the row of the batch from which it came."""
    columns: list[list[Any]]


class Columns:
    """One call of a session, fed batch by batch; the same instance of the class sees them all."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._call = session.call(())
        self.count = 0
        """How many rows were sent."""

    def values(self, columns: Sequence[Column], count: int) -> Column:
        """Return what a function gives for each row of a batch."""
        [frame] = self._answers(columns, count)
        [column] = wire.split_columns(frame.header["columns"], frame.body)
        return column

    def forward(self, columns: Sequence[Column], count: int) -> Forwarded:
        """Return what a table function forwards for the rows of a batch."""
        first = self.count
        frames = self._answers(columns, count)
        origins = [row - first for frame in frames for row in frame.header["origins"]]
        return Forwarded(origins, _join_frames(frames))

    def finish(self) -> Forwarded:
        """Say that there are no more rows; return what a table function forwards now, and the last row as its origin."""
        session = self._session
        session.worker.send(encode_frame({"kind": "end"}))
        frames = []
        while (frame := session.receive(self._arguments)).header["kind"] == "values":
            frames.append(frame)
        session.settle()
        columns = _join_frames(frames)
        return Forwarded([self.count - 1] * (len(columns[0]) if columns else 0), columns)

    def _answers(self, columns: Sequence[Column], count: int) -> list[Frame]:
        session = self._session
        self._batch = (self.count, columns)
        session.worker.send(wire.columns_frame(columns, count))
        frames = [session.receive(self._arguments)]
        while not frames[-1].header["last"]:
            frames.append(session.receive(self._arguments))
        self.count += count
        return frames

    def _arguments(self, row: int | None) -> tuple[object, ...] | None:
        first, columns = self._batch
        return None if row is None else tuple(wire.read_column(*column)[row - first] for column in columns)


def _import_hint(message: str, absent: Mapping[str, str]) -> str:
    if message.startswith(("ImportError: No module named", "ModuleNotFoundError")):
        for name, command in absent.items():
            if re.search(rf"\b{re.escape(name)}\b", message):
                return f"MaxCompute has {name} installed, and this machine not: {command}"
        return (
            "the worker sees the standard library and the function's own resources; "
            "an archive is on sys.path only after sys.path.insert(0, 'work/<its name>'), which udfs adds for `packages:` and not for "
            "`resources:`"
        )
    return ""


def _join_frames(frames: Iterable[Frame]) -> list[list[Any]]:
    """Return the columns of the rows of all frames."""
    batch: list[list[Any]] = []
    for frame in frames:
        read = wire.read_columns(frame.header["columns"], frame.body)
        batch = [[*old, *new] for old, new in zip(batch, read, strict=True)] if batch else read
    return batch


def _sandbox_hint(layer: str | None) -> str:
    """Say how to lift what a function ran into, where a layer of the sandbox was behind it."""
    if layer is None:
        return ""
    return (
        "without odps.isolation.session.enable a function has no files, processes, threads and sockets, and in Python 2 no other "
        f"C extensions than the documented; `isolation: true` at the function sets it (kept here by {SANDBOXES[layer]})"
    )


def _clean_up(worker: Worker, temporary: Path | None) -> None:
    worker.close()
    if temporary is not None:
        remove(temporary)
