"""
Calls of a function over columns: a batch in, its results out, one answer at a time.

A database asks in the middle of a query: there is no next batch before the last is answered. Columns of BIGINT and DOUBLE
without NULL pass as the machine writes them, and no value of theirs becomes an object of Python on this side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.local.runner import wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.local.runner.calls import Session
    from reconciler.local.runner.process import Frame
    from reconciler.local.runner.wire import Column


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
        self._count = 0

    def values(self, columns: Sequence[Column], count: int) -> Column:
        """Return what a function gives for each row of a batch."""
        [frame] = self._answers(columns, count)
        [column] = wire.split_columns(frame.header["columns"], frame.body)
        return column

    def forward(self, columns: Sequence[Column], count: int) -> Forwarded:
        """Return what a table function forwards for the rows of a batch."""
        first = self._count
        origins: list[int] = []
        batch: list[list[Any]] = []
        for frame in self._answers(columns, count):
            origins += [row - first for row in frame.header["origins"]]
            read = wire.read_columns(frame.header["columns"], frame.body)
            batch = [[*old, *new] for old, new in zip(batch, read, strict=True)] if batch else read
        return Forwarded(origins, batch)

    def finish(self) -> int:
        """Say that there are no more rows; return how many more a table function forwards."""
        session = self._session
        session.worker.send(wire.encode_frame({"kind": "end"}))
        more = 0
        while (frame := session.receive(self._arguments)).header["kind"] == "values":
            more += frame.header["count"]
        session.settle()
        return more

    def _answers(self, columns: Sequence[Column], count: int) -> list[Frame]:
        session = self._session
        self._batch = (self._count, columns)
        session.worker.send(wire.columns_frame(columns, count))
        frames = [session.receive(self._arguments)]
        while not frames[-1].header["last"]:
            frames.append(session.receive(self._arguments))
        self._count += count
        return frames

    def _arguments(self, row: int | None) -> tuple[object, ...] | None:
        first, columns = self._batch
        return None if row is None else tuple(wire.read_column(*column)[row - first] for column in columns)
