"""
Instance of a function: a process in a sandbox that answers one event after the other, and is warm in between.

A call that runs out of time, or whose process dies, ends the instance; the next event needs a new one, as on the service. How long
starting may take is not part of a call's time-out: a guess.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import uuid
import weakref
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.local import runner
from reconciler.local.conversation import Conversation, Died, Pipes, TimedOut, WorkerLog, encode_frame
from reconciler.local.invoke.description import UNHANDLED, EventRequest, FunctionAnswer, InstanceDescription
from reconciler.local.invoke.environment import Folders, make_environment
from reconciler.local.invoke.layers import merge_layers
from reconciler.local.invoke.pythons import NotInvocable, find_glibc, find_python
from reconciler.local.invoke.runtimes import RUNTIMES
from reconciler.local.sandbox import Bind, Road, Sandbox, find_road, start_in_sandbox
from reconciler.local.strays import end_strays

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.local.interpreters import Interpreter
    from reconciler.local.sandbox import SandboxedProcess

LOG_BYTES = 1 << 20
"""How much of a call's log is kept, its end; of that the service's header carries the last 4 KB."""

_WORKER = Path(__file__).parent / "worker"
_SHARED = Path(runner.__file__).parent / "worker"
_RUNTIME_FOLDER = "/var/fc"
"""Where the function sees what is ours: the documented place of the runtimes' Pythons is /var/fc/lang."""

_NO_CREDENTIALS = ("", "", "")


@dataclass(frozen=True)
class _Ground:
    """What an instance stands on."""

    command: tuple[str, ...]
    sandbox: Sandbox
    folders: Folders


class FunctionInstance:
    """One process at most, from the first event to `close`, a time-out or its death."""

    def __init__(
        self,
        description: InstanceDescription,
        python: Interpreter | None = None,
        *,
        root: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """
        Prepare an instance; raises `NotInvocable`. Nothing of the function has run yet.

        `root` is a root file system whose own Python runs it; `python` one of this machine, looked for in `env` if it is None.
        """
        for folder in (description.code, *description.layers):
            if not folder.is_dir():
                raise NotInvocable(f"{folder} is no folder", hint="code and layers are given as unpacked folders")
        self.description = description
        self.id = f"c-{uuid.uuid4().hex[:24]}"
        self._python = None if root is not None else python or find_python(description.runtime, env or {})
        self._root = root
        self._road = find_road()
        self._conversation: Conversation | None = None
        self._running: SandboxedProcess | None = None
        self._is_over = False
        temporary = Path(tempfile.mkdtemp(prefix="udfs-")).resolve()
        self._close = weakref.finalize(self, shutil.rmtree, temporary, ignore_errors=True)
        self._temporary = temporary

    @property
    def sandbox(self) -> str:
        """What keeps the function apart: bubblewrap, namespaces or none."""
        return self._road.value

    @property
    def is_alive(self) -> bool:
        """Whether it can take an event."""
        return not self._is_over

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the sandbox does not keep; complete after the first event."""
        return self._running.warnings if self._running else ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not as on the service, in words for people; complete after the first event."""
        runtime = RUNTIMES[self.description.runtime]
        notes = list(self.warnings)
        if self._python is not None:
            glibc = find_glibc()
            if glibc != runtime.glibc:
                number = "{}.{}".format(*glibc) if glibc else "no glibc"
                notes.append("{} has glibc {}.{}; it ran on {}".format(runtime.name, *runtime.glibc, number))
        return tuple(notes)

    def invoke(self, event: bytes, request: EventRequest | None = None) -> FunctionAnswer:
        """Return what the function makes of an event; raises `NotInvocable` if the instance is over, or cannot be started."""
        if self._is_over:
            raise NotInvocable("the instance is over", hint="make another")
        request = request or EventRequest()
        identity = request.id or str(uuid.uuid4())
        is_cold = self._conversation is None
        started = time.monotonic()
        if self._conversation is None:
            self._conversation = self._start()
            answer = self._ask("start", b"", identity, self.description.initializer_timeout, started)
            if answer.error is not None:
                self.close()
                return answer
        log = str(self._conversation.log) if is_cold else ""
        self._conversation.log = WorkerLog(LOG_BYTES)
        self._conversation.log.add(log.encode())
        timeout = min(self.description.timeout, request.timeout or self.description.timeout)
        return self._ask("invoke", event, identity, timeout, time.monotonic(), is_cold=is_cold)

    def close(self) -> None:
        """End the process, with all that it started. Harmless twice."""
        self._is_over = True
        if self._conversation is not None:
            self._conversation.close()
        self._close()

    def _ask(
        self, kind: str, event: bytes, identity: str, timeout: float, started: float, *, is_cold: bool = True
    ) -> FunctionAnswer:
        conversation, running = self._conversation, self._running
        assert conversation is not None
        assert running is not None
        self._note_in_log("Invoke Start" if kind == "invoke" else "Initialize Start", identity)
        conversation.send(encode_frame({"kind": kind, "id": identity}, event))
        try:
            frame = conversation.receive(timeout, lambda: False)
        except TimedOut:
            # The documentation quotes the beginning: "Function time out after".
            return self._give_up(
                "FunctionTimeoutError", f"Function time out after {timeout:g} seconds", identity, started
            )
        except Died as died:
            return self._give_up(*self._ending(died, started), identity, started)
        except BaseException:
            self.close()
            raise
        conversation.settle()
        self._note_in_log("Invoke End" if kind == "invoke" else "Initialize End", identity)
        header = frame.header
        error = UNHANDLED if header["kind"] == "error" else None
        milliseconds = 1000 * (time.monotonic() - started)
        # Its own word costs nothing; a server is another process, and only the group knows of it.
        memory = (running.peak() if self.description.command else 0) or int(header["memory"])
        log = str(conversation.log)
        return FunctionAnswer(
            bytes(frame.body), error, header.get("type", ""), log, milliseconds, memory, identity, is_cold
        )

    def _note_in_log(self, what: str, identity: str) -> None:
        """Put the runtime's own line between what the function prints: servers of custom runtimes print theirs, and not all are printed."""
        assert self._conversation is not None
        is_initializer = what.startswith("Initialize")
        if not self.description.command and (self.description.initializer or not is_initializer):
            self._conversation.log.add(f"FC {what} RequestId: {identity}\n".encode("utf-8", "replace"))

    def _ending(self, died: Died, started: float) -> tuple[str, str]:
        """Return type and message of the death of a process; the message is the documented one, the types are guesses."""
        assert self._running is not None
        peak = self._running.peak() / (1 << 20)
        kind = "FunctionOOMError" if self._running.was_out_of_memory() else "FunctionUnhandledError"
        figures = f"duration: {1000 * (time.monotonic() - started):.0f}ms, maxMemoryUsage: {peak:.2f}MB"
        return kind, f"Process exited unexpectedly before completing request ({figures})"

    def _give_up(self, kind: str, message: str, identity: str, started: float) -> FunctionAnswer:
        """End what is left of the process; return the answer of an instance that will give none."""
        assert self._conversation is not None
        assert self._running is not None
        milliseconds = 1000 * (time.monotonic() - started)
        self._conversation.settle()
        memory, log = self._running.peak(), str(self._conversation.log)
        self.close()
        payload = json.dumps({"errorMessage": message, "errorType": kind}).encode("ascii")
        return FunctionAnswer(payload, UNHANDLED, kind, log, milliseconds, memory, identity, is_cold=False)

    def _start(self) -> Conversation:
        ground = self._prepare()
        pipes = Pipes()
        try:
            running = start_in_sandbox(
                [*ground.command, *map(str, pipes.their_numbers)],
                ground.sandbox,
                road=self._road,
                stdout=pipes.their_output,
                stderr=pipes.their_output,
                pass_fds=pipes.their_numbers,
            )
        except BaseException as error:
            pipes.close_ours()
            self.close()
            if isinstance(error, OSError):
                raise NotInvocable(f"{ground.command[0]} cannot be started: {error.strerror}") from error
            raise
        finally:
            pipes.close_theirs()
        self._running = running
        conversation = Conversation(running.process, pipes, partial(_end, running, f"FC_INSTANCE_ID={self.id}"))
        conversation.log = WorkerLog(LOG_BYTES)
        conversation.send(encode_frame(self._facts(ground)))
        return conversation

    def _facts(self, ground: _Ground) -> dict[str, object]:
        description = self.description
        return {
            "code": ground.folders.code,
            "handler": description.handler,
            "initializer": description.initializer,
            "name": description.name,
            "memory": description.memory,
            "timeout": description.timeout,
            "account": description.account,
            "region": description.region,
            "version": description.version,
            "qualifier": description.qualifier,
            "log_project": description.log_project,
            "log_store": description.log_store,
            "has_credentials": RUNTIMES[description.runtime].has_credentials,
            "credentials": description.credentials or _NO_CREDENTIALS,
            "command": self._command(),
            "environment": dict(ground.sandbox.environment) if description.command else {},
            "port": description.port,
        }

    def _prepare(self) -> _Ground:
        description = self.description
        temporary = self._temporary
        opt = merge_layers(description.layers, temporary / "opt")
        if self._road is Road.PLAIN:
            scratch = temporary / "tmp"
            scratch.mkdir()
            folders = Folders(str(description.code.resolve()), str(opt), str(scratch))
            worker, shared, program = str(_WORKER), str(_SHARED), str(self._python.path if self._python else "")
        else:
            folders = Folders(python=f"{self._home}/lib" if self._home else None)
            worker, shared, program = f"{_RUNTIME_FOLDER}/worker", f"{_RUNTIME_FOLDER}/shared", self._program()
        environment = make_environment(description, folders, self.id)
        sandbox = Sandbox(
            binds=self._binds(opt),
            root=self._root,
            environment=environment,
            cwd=folders.code,
            network=description.network,
            memory=description.memory << 20,
            scratch=description.disk << 20,
        )
        command = (program, "-S", "-s", "-B", "-u", f"{worker}/__main__.py", shared)
        return _Ground(command, sandbox, folders)

    def _command(self) -> list[str]:
        """Return what starts the server of a custom runtime; its Python is the one that was found here, wherever the service has it."""
        command = list(self.description.command)
        if command and self._root is None and Path(command[0]).name in {"python", "python3"}:
            command[0] = str(self._python.path) if self._python and self._road is Road.PLAIN else self._program()
        if self._road is Road.PLAIN:
            code = str(self.description.code.resolve())
            command = [code + word[5:] if word.startswith("/code/") else word for word in command]
        return command

    def _program(self) -> str:
        home = self._home or "/usr"
        return "{}/bin/python{}.{}".format(home, *RUNTIMES[self.description.runtime].python)

    @property
    def _home(self) -> str | None:
        """Where the function sees a Python that is not the one in /usr."""
        if self._python is None or self._python.prefix == Path("/usr"):
            return None
        return "{}/lang/python{}.{}".format(_RUNTIME_FOLDER, *self._python.version)

    def _binds(self, opt: Path) -> tuple[Bind, ...]:
        binds = [Bind(_WORKER, f"{_RUNTIME_FOLDER}/worker"), Bind(_SHARED, f"{_RUNTIME_FOLDER}/shared")]
        if self._python is not None and self._home is not None:
            binds.append(Bind(self._python.prefix, self._home))
        return (*binds, Bind(self.description.code, "/code"), Bind(opt, "/opt"))


def _end(running: SandboxedProcess, mark: str) -> None:
    running.close()
    if running.road is Road.PLAIN:
        end_strays(running.process.pid, mark)
