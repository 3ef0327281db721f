"""
Acceptance sessions: one readable file a case, with what is typed and what then appears.

    $ udfs plan                      a command; its arguments are read as a shell would
    | text                           lines that are handed to the command above (only `write` takes them)
    Stack demo → project demo        what it printed to stdout
    ! error[E301]: …                 what it printed to stderr
    [exit 5]                         its exit code, when it is not 0

Each case has its own folder, its own empty service and a target `local` that points at it. Besides ``udfs`` there are
the hands of others: ``write``, ``edit``, ``line-ends``, ``rm``, ``link``, ``cat``, ``requests``, ``hand`` (somebody with the console client), ``fc`` (the same
at Function Compute), ``fault``.
``native`` writes a library and ``wheel`` a wheel around one: needs=A,B soname=S versions=LIBRARY:VERSION,… machine=M;
``sha256:PLANNED`` is the digest that the last ``udfs plan`` printed. ``pure`` writes a wheel of the files given: path=text … ``release`` writes one of a version and what it needs.
What differs from run to run (dates, digests, ports) is replaced before the comparison. ``pytest --update`` writes what
happened into the file; the diff is then read like any other.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import linecache
import os
import re
import shlex
import socket
import time
import traceback
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from reconciler.cli.entry import run as udfs
from reconciler.local.fc import FcServer
from tests import builders, natives
from tests.canary import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from reconciler.local import Server

_PLANNED = re.compile(r"sha256:[0-9a-f]{64}")
_REPLACED = (
    (re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}Z"), "[TIME]"),
    (re.compile(r"(?<=, )\d{4}-\d{2}-\d{2}$|(?<=, created )\d{4}-\d{2}-\d{2}$", re.MULTILINE), "[DAY]"),
    (re.compile(r"since \d{2}:\d{2}Z"), "since [TIME]"),
    (re.compile(rf" on {re.escape(socket.gethostname())}\b"), " on [HOST]"),
    (re.compile(rf'"host": "{re.escape(socket.gethostname())}"'), '"host": "[HOST]"'),
    (re.compile(r'"\d{4}-\d{2}-\d{2}T[0-9:.+Z]+"'), '"[TIME]"'),
    (re.compile(r"sha256:[0-9a-f]{16,64}"), "sha256:[DIGEST]"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "[SHA256]"),
    (re.compile(r"[\d,]+ bytes, CRC-64 \d+"), "[BYTES], CRC-64 [CHECKSUM]"),
    (re.compile(r"(?<=greet/)[0-9a-f]{8}\b|(?<=leading to version )[0-9a-f]{8}\b"), "[VERSION]"),
    (re.compile(r"(?<=^      version    )[0-9a-f]{8} → [0-9a-f]{8}$", re.MULTILINE), "[VERSION] → [VERSION]"),
    (re.compile(r"urn:uuid:[0-9a-f-]{36}"), "urn:uuid:[UUID]"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:[PORT]"),
    (re.compile(r"it is \w{3} \d{4}-\d{2}-\d{2} \d{2}:\d{2} in"), "it is [TIME] in"),
    (re.compile(r"Because .+ unsatisfiable\."), "[the words of the resolver]"),
    (re.compile(r"-0_[0-9a-f]{8}-"), "-0_[DIGEST]-"),
    (re.compile(r'"run": "[0-9a-f]{8}"'), '"run": "[RUN]"'),
    (re.compile(r"\b20\d{15}g[0-9a-z]{10}\b"), "[INSTANCE]"),
    (re.compile(r"\(request [0-9A-Za-z-]+\)"), "(request [ID])"),
    (re.compile(r'"seconds": [0-9.]+'), '"seconds": "[SECONDS]"'),
    (re.compile(r"^(  (?:ok|FAIL) .*|Tests: .*)(?:  |, )\d+\.\d s$", re.MULTILINE), r"\1"),
    (re.compile(r'"python": "3\.[0-9.]+"'), '"python": "[VERSION]"'),
)


@dataclass
class Step:
    """One command of a session with what is handed to it."""

    command: str
    given: list[str] = field(default_factory=list)


@dataclass
class Session:
    """A folder, a service, and the commands that may be typed."""

    folder: Path
    server: Server
    patch: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        self.patch.chdir(self.folder)
        self.patch.setenv("ENDPOINT", self.server.url)
        # One after the other, so that a session is the same each time it is played.
        self.patch.setenv("UDFS_WRITERS", "1")
        # Why nobody is asked has to be the same reason in CI.
        self.patch.delenv("CI", raising=False)
        # Nor who runs what: a session says so itself.
        for name in list(os.environ):
            if name.startswith(("GITHUB_", "GITLAB_", "GITEE_", "CI_", "BUILD_", "JENKINS_", "CIRCLE_")):
                self.patch.delenv(name)
        self.patch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
        self.patch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
        self._planned = ""
        self.commands: dict[str, Callable[[list[str], list[str]], int | None]] = {
            "udfs": lambda args, _: udfs([arg.replace("sha256:PLANNED", self._planned) for arg in args]),
            "write": self._write,
            "link": lambda args, _: Path(args[0]).symlink_to(args[1]),
            "rm": lambda args, _: Path(args[0]).unlink(),
            "cat": lambda args, _: print(Path(args[0]).read_text(), end=""),
            "requests": self._requests,
            "hand": self._hand,
            "fc": self._fc,
            "fault": self._fault,
            "env": self._env,
            "native": lambda args, _: self._native(Path(args[0]), args[1:]),
            "wheel": self._wheel,
            "pure": self._pure,
            "release": self._release,
            "edit": self._edit,
            "line-ends": self._line_ends,
            "lease": self._lease,
            # The service's times are in whole seconds.
            "next-second": lambda *_: time.sleep(1.05),
            "stop-server": lambda *_: self.server.close(),
        }

    def run(self, step: Step) -> Iterator[str]:
        """Run one command and yield the lines of its part of the session."""
        yield f"$ {step.command}"
        yield from (f"| {line}".rstrip() for line in step.given)
        name, *arguments = shlex.split(step.command)
        linecache.clearcache()  # what a person types is each a process of its own
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = self.commands[name](arguments, step.given)
            except Exception:  # noqa: BLE001 - a traceback in a session is a finding, not the end of the test run
                code = 1
                traceback.print_exc()
        if (digest := _PLANNED.search(out.getvalue())) and name == "udfs" and arguments[0] == "plan":
            self._planned = digest[0]
        # What begins like a line of the case itself is set off.
        yield from (f" {line}" if line.startswith("#") else line for line in self._tidy(out.getvalue()).splitlines())
        yield from (f"! {line}".rstrip() for line in self._tidy(err.getvalue()).splitlines())
        if code:
            yield f"[exit {code}]"

    def _tidy(self, text: str) -> str:
        text = text.replace(str(self.folder), "[FOLDER]")
        for pattern, replacement in _REPLACED:
            text = pattern.sub(replacement, text)
        return text

    def _env(self, args: list[str], given: list[str]) -> None:
        for arg in args:
            name, _, value = arg.partition("=")
            self.patch.setenv(name, value)

    def _write(self, args: list[str], given: list[str]) -> None:
        path = Path(args[0])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(given) + "\n")

    def _native(self, path: Path, told: list[str]) -> None:
        given = {key: value.split(",") for key, _, value in (arg.partition("=") for arg in told)}
        versions: dict[str, tuple[str, ...]] = {}
        for library, _, version in (one.partition(":") for one in given.get("versions", [])):
            versions[library] = (*versions.get(library, ()), version)
        content = natives.elf(
            needed=tuple(given.get("needs", ())),
            soname=given.get("soname", [None])[0],
            versions=versions,
            machine={"x86_64": natives.X86_64, "aarch64": natives.AARCH64}[given.get("machine", ["x86_64"])[0]],
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def _wheel(self, args: list[str], given: list[str]) -> None:
        """Write a wheel: name, tag, the path of the library in it, and what that is like."""
        name, tag, member, *told = args
        inside = Path("inside.so")
        self._native(inside, told)
        builders.wheel(Path("dist"), name, tag=tag, files={member: inside.read_bytes()})
        inside.unlink()

    def _pure(self, args: list[str], given: list[str]) -> None:
        """Write a wheel: name, and path=text of each file in it."""
        name, *files = args
        texts = {path: text for path, _, text in (one.partition("=") for one in files)}
        builders.wheel(Path("dist"), name, tag="py2.py3-none-any", files={**texts})

    def _release(self, args: list[str], given: list[str]) -> None:
        """Write a wheel that a folder of `find_links` offers: name, version, and the requirements it has."""
        name, version, *requires = args
        builders.wheel(Path("dist"), name, version, tag="py2.py3-none-any", requires=(*requires,))

    def _edit(self, args: list[str], given: list[str]) -> None:
        """Put one text in the place of another, which must be there; in the new one \\n begins a line."""
        path, old, new = args[0], args[1], args[2].replace("\\n", "\n")
        text = Path(path).read_text()
        assert old in text, f"{path} has no {old!r}"
        Path(path).write_text(text.replace(old, new))

    def _line_ends(self, args: list[str], given: list[str]) -> None:
        """Give files the line ends of a system, as an editor does: CRLF or LF."""
        for path in map(Path, args[1:]):
            text = path.read_bytes().replace(b"\r\n", b"\n")
            path.write_bytes(text.replace(b"\n", b"\r\n") if args[0] == "CRLF" else text)

    def _requests(self, args: list[str], given: list[str]) -> None:
        """Print what was asked of the service since the last time; with --writes only what changes something."""
        reads = {"GET", "HEAD"}
        for is_read, run in itertools.groupby(self.server.requests, lambda sent: sent.method in reads):
            lines = [f"{sent.method} {sent.path} {sent.status}" for sent in run]
            # Reads in a row are sent side by side, in no order.
            if not is_read or "--writes" not in args:
                print(*(sorted(lines) if is_read else lines), sep="\n")
        self.server.clear_requests()

    def _fault(self, args: list[str], given: list[str]) -> None:
        """Add a fault rule from key=value arguments."""
        numbers = {"nth", "times", "status", "after_bytes", "pid", "retry_after"}
        rule = dict(arg.split("=", 1) for arg in args)
        self.server.faults.add({key: int(value) if key in numbers else value for key, value in rule.items()})

    def _lease(self, args: list[str], given: list[str]) -> None:
        """Leave behind what a run of somebody leaves that was killed a minute ago."""
        epoch, who = args
        began = datetime.now(timezone.utc) - timedelta(minutes=1)
        times = {
            "started": f"{began:%Y-%m-%dT%H:%M:%SZ}",
            "expires": f"{began + timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}",
        }
        holder = {"user": who, "host": "ci", "pipeline": "", "commit": "", "dirty": False}
        entry = {"format": "udfs.ledger/1", "stack": "risk", "epoch": int(epoch), "outcome": "running", "digest": ""}
        url = f"{self.server.url}/projects/demo/resources"
        headers = {"x-odps-resource-type": "file", "x-odps-resource-name": f"udfs.risk.{epoch}.json"}
        newest = requests.get(f"{url}/udfs.risk.{int(epoch) - 1}.json", timeout=10).json()
        content = json.dumps({**entry, **times, "holder": holder, "steps": [], "objects": newest["objects"]})
        assert requests.post(url, data=content, headers=headers, timeout=10).ok

    def _fc(self, args: list[str], given: list[str]) -> int:
        """Do what somebody with the console of Function Compute does, to the service of `endpoint: local`: METHOD PATH [JSON]."""
        method, path, *body = args
        with FcServer(Path(".udfs/fc")) as server:
            answer = requests.request(
                method, f"{server.url}/2023-03-30{path}", data=body[0] if body else None, timeout=10
            )
        if not answer.ok or method == "GET":
            print(answer.text)
        return 0 if answer.ok else 1

    def _hand(self, args: list[str], given: list[str]) -> int:
        """Do what somebody with the console client does: put, create, drop, function."""
        verb, name, *rest = args
        base = f"{self.server.url}/projects/demo"
        headers = {"Authorization": "ODPS bob:unsigned"}
        if verb in {"put", "create"}:
            told = dict(arg.split("=", 1) for arg in rest[1:])
            headers |= {"x-odps-resource-type": told.get("type", "py"), "x-odps-resource-name": name}
            headers |= {"x-odps-comment": told["comment"]} if "comment" in told else {}
            headers |= {"x-odps-copy-table-source": told["table"]} if "table" in told else {}
            url = f"{base}/resources/{name}" if verb == "put" else f"{base}/resources"
            send = requests.put if verb == "put" else requests.post
            answer = send(url, data=Path(rest[0]).read_bytes() if rest[0] else b"", headers=headers, timeout=10)
        elif verb in {"function", "change-function"}:
            listed = "".join(f"<ResourceName>{item}</ResourceName>" for item in rest[1].split(","))
            body = f"<Function><Alias>{name}</Alias><ClassType>{rest[0]}</ClassType><Resources>{listed}</Resources></Function>"
            headers["Content-Type"] = "application/xml"
            url = f"{base}/registration/functions"
            send, url = (requests.post, url) if verb == "function" else (requests.put, f"{url}/{name}")
            answer = send(url, data=body, headers=headers, timeout=10)
        else:
            kind = {"drop": "resources", "drop-function": "registration/functions"}[verb]
            answer = requests.delete(f"{base}/{kind}/{name}", headers=headers, timeout=10)
        self.server.clear_requests()
        if not answer.ok:
            print(answer.text)
        return 0 if answer.ok else 1


def steps(text: str) -> Iterator[Step | str]:
    """Yield a session's commands, and its comments and blank lines as they stand; what was printed is left out."""
    step: Step | None = None
    for line in text.splitlines():
        if line.startswith("$ "):
            if step:
                yield step
            step = Step(line[2:])
        elif line.startswith("|") and step and step.command.startswith("write "):
            step.given.append(line[2:])
        elif line.startswith("#"):
            if step:
                yield step
                step = None
            yield line
    if step:
        yield step


def replay(text: str, session: Session) -> str:
    """Return the session as it really goes."""
    lines: list[str] = []
    for step in steps(text):
        if isinstance(step, str):
            if lines and not lines[-1].startswith("#"):
                lines.append("")
            lines.append(step)
        else:
            lines += session.run(step)
    return "\n".join(lines) + "\n"
