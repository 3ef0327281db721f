"""
Functions of Flink that are called here, in the interpreter of their job's environment, laid out as by a worker of Flink.

The folder of a worker is that of archives, each unpacked under its name, and modules lie in ``python.files``, archives of packages unpacked
[Flink 1.20, "Python Dependency Management"; run].
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.local.conversation import Conversation, Died, GivenUp, Pipes, TimedOut, WorkerLog, encode_frame
from reconciler.local.runner import Cancelled, FunctionNotLoadable, FunctionRaised, WorkerDied, WorkerTimedOut
from reconciler.local.runner.process import start_talking
from reconciler.local.strays import end_strays, kill_group

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

_WORKER = Path(__file__).parent / "worker" / "__main__.py"


class FlinkFunction(Conversation):
    """A function that is loaded and answers one call after the other."""

    def __init__(
        self,
        python: Path,
        path: tuple[str, str],
        folder: Path,
        modules: Sequence[Path],
        timeout: float | None,
        cancelled: Callable[[], bool],
    ) -> None:
        """`path` is the module and the name in it, `folder` the one of archives; raises a `FunctionError` where it cannot be loaded."""
        self._name, self._timeout, self._cancelled = ".".join(path), timeout, cancelled
        pipes = Pipes()
        command = [str(python), "-B", "-u", "-s", str(_WORKER), *map(str, pipes.their_numbers), *path]
        process = start_talking(command, pipes, folder, _environment(folder, modules))
        super().__init__(process, pipes, partial(_end, process, folder))
        try:
            self.kind = str(self._answer(timeout)["function"])
        except BaseException:
            self.close()
            raise
        """udf, udtf or udaf."""

    def call(self, rows: Sequence[Sequence[object]], timeout: float | None) -> list[Any]:
        """Return the results over some rows: one value of an aggregate, the rows of a table function, or a value a row."""
        self.log = WorkerLog()
        self.send(encode_frame({"rows": [list(row) for row in rows]}))
        results: list[Any] = self._answer(timeout or self._timeout)["results"]
        return results

    def _answer(self, timeout: float | None) -> Mapping[str, Any]:
        try:
            header = self.receive(timeout, self._cancelled).header
        except Died as died:
            self.settle()
            raise WorkerDied(f"the process of {self._name} {died.ending}", log=str(self.log)) from None
        except TimedOut:
            self.close()
            raise WorkerTimedOut(f"{self._name} did not answer within {timeout:g} seconds", log=str(self.log)) from None
        except GivenUp:
            self.close()
            raise Cancelled("the call was given up") from None
        self.settle()
        if header["kind"] in ("load", "raised"):
            kind = FunctionNotLoadable if header["kind"] == "load" else FunctionRaised
            what = "cannot be loaded:" if kind is FunctionNotLoadable else "raised"
            message = f"{self._name} {what} {header['exception']}"
            seen = {"exception": header["exception"], "traceback": header["traceback"], "log": str(self.log)}
            raise kind(message, **seen)
        return header


def _environment(folder: Path, modules: Sequence[Path]) -> dict[str, str]:
    variables = {"PATH": os.defpath, "HOME": str(folder), "TMPDIR": str(folder.parent)}
    return {
        **variables,
        **dict.fromkeys(("LANG", "LC_ALL"), "C.UTF-8"),
        "PYTHONPATH": os.pathsep.join(map(str, modules)),
    }


def _end(process: subprocess.Popen[bytes], home: Path) -> None:
    """Kill the process, the group it leads and what has left that."""
    if process.returncode is None:
        kill_group(process.pid)
        process.wait()
    end_strays(process.pid, f"HOME={home}")
