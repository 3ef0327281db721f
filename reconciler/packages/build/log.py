"""
Log of one build: everything that its tools said.

It is kept, so no credentials may get into it: tools write into a file without a name, and what is copied from there is
masked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError
from reconciler.base.processes import CutOff, Output
from reconciler.packages.fetch.pip import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from reconciler.base.processes import Tools


@dataclass(frozen=True)
class BuildLog:
    """The file in which it is kept."""

    path: Path

    def start(self) -> None:
        """Begin anew: in a new file, because another process may be writing into one of this name."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        self.path.touch(mode=0o600)

    def add(self, text: str) -> None:
        with self.path.open("a", encoding="utf-8") as stream:
            stream.writelines(f"{mask_secrets(line)}\n" for line in text.splitlines())

    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")


def run_logged(
    tools: Tools,
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    log: BuildLog,
    label: str,
    timeout: float,
    on_abandon: Callable[[], None] = lambda: None,
) -> tuple[int, str]:
    """
    Return a command's exit code and what it said, which is in the log too; raises E447 where it is cut off.

    `on_abandon` is called when the command was ended before it was done.
    """
    log.add(f"$ {' '.join(command)}")
    code: int | None = None
    with Output(log.path.parent) as output:  # not in the working directory: that is the project's
        try:
            code = tools.run(command, cwd=cwd, environment=environment, timeout=timeout, out=output)
        except CutOff as error:
            if error.stopped:
                raise PackageError("E447", f"building {label} was stopped") from None
            message = f"building {label} did not end within {timeout:g} seconds"
            raise PackageError("E447", message, hint=f"what it was doing is in {log.path}") from None
        finally:
            said = output.text()
            log.add(said)
            if code is None:
                on_abandon()
    return code, said
