"""
Subjects: what reads bytes from outside, each with seeds and with one attempt that must end in a value or in an error of ours.

Files and libraries are read by their readers; everything that a command reads is read by the command, in this process and against the
real local service, because what a reader lets pass may fail in what compares, counts or prints it.
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from unittest import mock
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import requests
from requests.adapters import HTTPAdapter

from reconciler.base.errors import UdfsError
from reconciler.engine import saved_plan
from reconciler.engine.ledger import dump, parse
from reconciler.packages.build import BuildSource
from reconciler.packages.build.sources import copy_source
from reconciler.packages.content import read_content
from reconciler.packages.inspect.contents import inspect_file
from reconciler.packages.inspect.files import file_kind
from reconciler.packages.inspect.gate import Part, find_needs, misfits, missing_libraries
from reconciler.packages.inventory import licences
from reconciler.targets.maxcompute.jobs import parse_types
from reconciler.targets.maxcompute.objects import KINDS
from reconciler.targets.maxcompute.runtimes import RUNTIMES
from reconciler.testing.row_files import RowFile
from tests.builders import wheel
from tests.invariants.world import SOURCE, World, here
from tests.natives import elf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CODES = frozenset({0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
"""How a command may end, if it does not end by a signal."""


class Fault(AssertionError):
    """What a subject did that none may do."""


class Subject(Protocol):
    """A reader of bytes; a context manager, for all need a folder and some a service."""

    folder: Path

    def __enter__(self) -> Any: ...

    def __exit__(self, *_: object) -> None: ...

    def seeds(self) -> list[bytes]:
        """Return inputs that are right, to begin with."""
        ...

    def attempt(self, data: bytes) -> None:
        """Read the bytes; raises for what no bytes may cause."""
        ...


class _InFolder:
    """A subject with a folder of its own, in memory where there is room for files."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Any:
        room = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(dir=room)))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


# --- Files that are shipped ---------------------------------------------------------------------------------------------


class Shipped(_InFolder):
    """A file under some name, as it is looked at before it is uploaded."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def attempt(self, data: bytes) -> None:
        path = self.folder / self.name
        path.write_bytes(data)
        facts = inspect_file(path, file_kind(path))
        for runtime in RUNTIMES.values():
            list(misfits(facts, runtime))
            part = Part(self.name, facts)
            list(missing_libraries(part, [part], runtime))
            list(find_needs(part, [part], runtime))
        with suppress(UdfsError):
            licences(path)

    def seeds(self) -> list[bytes]:
        if self.name.endswith(".so"):
            return [library(), elf(bits=32, machine=3, needed=("libc.so.6",)), library(rpath="/a:/b")]
        if self.name.endswith(".whl"):
            return [self._wheel({"a/__init__.py": "import b\n", "a/x.so": library()}), self._wheel(None)]
        return [tarred("w"), tarred("w:gz")]

    def _wheel(self, files: Mapping[str, bytes | str] | None) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            return wheel(Path(folder), "a", files=files).read_bytes()


class SourceArchive(_InFolder):
    """An sdist, as it is unpacked to be built."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def attempt(self, data: bytes) -> None:
        room = self.folder / "room"
        room.mkdir(exist_ok=True)
        path, target = room / self.name, room / "out"
        path.write_bytes(data)
        try:
            with suppress(UdfsError):
                copy_source(BuildSource(path, "a", read_content(path).sha256), target)
        finally:
            _remove(target)
        if outside := {entry.name for entry in room.iterdir()} - {self.name}:
            raise Fault(f"written outside: {outside}")

    def seeds(self) -> list[bytes]:
        if self.name.endswith(".zip"):
            return [zipped(ZIP_STORED), zipped(ZIP_DEFLATED), zipped(ZIP_BZIP2), zipped(ZIP_DEFLATED, streamed=True)]
        return [tarred("w:gz"), tarred("w"), tarred("w:bz2"), tarred("w:xz")]


def zipped(compression: int, *, streamed: bool = False) -> bytes:
    """Return a source archive with a folder, a name that is not ASCII, a program, a link and a comment; `streamed`, with sizes behind."""
    content = io.BytesIO()
    with ZipFile(_Stream(content) if streamed else content, "w", compression) as archive:
        archive.writestr("a-1.0/", "")
        archive.writestr("a-1.0/setup.py", "from setuptools import setup\nsetup(name='a')\n" * 9)
        archive.writestr("a-1.0/ü.txt", "ü")
        for name, mode, text in (("run.sh", 0o100755, "#!/bin/sh\n"), ("link", 0o120777, "setup.py")):
            entry = ZipInfo(f"a-1.0/{name}")
            entry.create_system, entry.external_attr, entry.compress_type = 3, mode << 16, compression
            archive.writestr(entry, text)
        archive.comment = b"made here"
    return content.getvalue()


class _Stream(io.RawIOBase):
    """A file that cannot be gone back in, so that sizes stand behind each member."""

    def __init__(self, content: io.BytesIO) -> None:
        super().__init__()
        self._content = content

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        return self._content.write(piece)


def library(**more: Any) -> bytes:
    """Return a shared library with everything that is read of one."""
    versions = {"libc.so.6": ("GLIBC_2.2.5", "GLIBC_2.14"), "libb.so.2": ("B_1",)}
    names = ("PyUnicodeUCS4_FromString",)
    return elf(soname="liba.so.1", needed=("libb.so.2", "libc.so.6"), versions=versions, names=names, **more)


def tarred(mode: Any) -> bytes:
    """Return a tar archive with a file, a folder, and a link."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as archive:
        for name, kind in (
            ("a-1.0", tarfile.DIRTYPE),
            ("a-1.0/setup.py", tarfile.REGTYPE),
            ("a-1.0/l", tarfile.SYMTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.linkname = kind, 0o755, "setup.py" if kind == tarfile.SYMTYPE else ""
            info.size = 4 if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(b"1+1\n"))
    return content.getvalue()


def _remove(folder: Path) -> None:
    """Remove a folder whatever the modes of what is in it."""
    for path, folders, files in os.walk(folder, topdown=False):
        for name in (*files, *folders):
            entry = Path(path, name)
            if entry.is_dir() and not entry.is_symlink():
                entry.chmod(0o700)
                entry.rmdir()
            else:
                entry.unlink()
    if folder.exists():
        folder.rmdir()


# --- The ledger ---------------------------------------------------------------------------------------------------------


class LedgerEntry(_InFolder):
    """An entry of a ledger: what is read is written again as it was read."""

    def attempt(self, data: bytes) -> None:
        try:
            entry = parse(data, "udfs.risk.1.json", KINDS)
        except UdfsError:
            return
        if parse(dump(entry), "udfs.risk.1.json", KINDS) != entry:
            raise Fault("what was read is written otherwise")

    def seeds(self) -> list[bytes]:
        from tests.unit.engine.test_ledger import entry

        return [dump(entry(1))]


# --- What commands read -------------------------------------------------------------------------------------------------

MANIFEST = """\
stack: risk
targets: {local: {endpoint: "${env:ENDPOINT}", project: demo}}
grace: 0m
resources: {a.csv: {file: a.csv, comment: rates}}
functions:
  f: {source: f.py, class: F, resources: [a.csv], tests: [{args: [x], returns: x1}]}
  old: {source: old.py, class: Old, protect: true}
"""
POLICY = """\
names: {functions: ["*"]}
max_functions: 10
freeze: [{zone: UTC, days: [sat], from: '18:00', to: '06:00', why: weekend}]
"""


def require_coded(arguments: tuple[str, ...]) -> None:
    """Run a command; raises `Fault` unless it ends as commands do."""
    ended = here(*arguments)
    # Between brackets or at the beginning of a line: an input that says it is quoted behind a margin.
    is_uncoded = re.search(r"\[E999\]|^Traceback", ended.out + ended.err, re.MULTILINE)
    if ended.code not in CODES or is_uncoded:
        raise Fault(f"udfs {' '.join(arguments)}: {ended}")


class _InWorld(_InFolder):
    """A subject with a project that is set up, and changed by others since."""

    def __enter__(self) -> Any:
        super().__enter__()
        self._stack.enter_context(mock.patch.dict(os.environ))
        os.environ["UDFS_CACHE_DIR"] = str(self.folder / "cache")
        os.environ.update(ALIBABA_CLOUD_ACCESS_KEY_ID="ann", ALIBABA_CLOUD_ACCESS_KEY_SECRET="secret-0123456789")
        before = Path.cwd()
        self.world = self._stack.enter_context(World(self.folder / "world"))
        self._stack.callback(os.chdir, before)
        self.world.write(f_py=SOURCE.format("F", "1"), old_py=SOURCE.format("Old", ""), a_csv="1\n", udfs_yaml=MANIFEST)
        self.prepare()
        return self

    def prepare(self) -> None:
        """Set up what the subject reads."""


class ReadFile(_InWorld):
    """A file that a command reads."""

    def __init__(self, name: str, *command: str, before: tuple[str, ...] = (), text: str = "") -> None:
        super().__init__()
        self.name, self.command, self.before, self.text = name, command, before, text

    def prepare(self) -> None:
        self.world.write(udfs_yaml=MANIFEST)
        if self.name == "policy.yaml":
            self.world.write(udfs_yaml=self.path("udfs.yaml").read_text() + "policy: policy.yaml\n")
        if self.before:
            self.world.must("apply", "--yes")
            self.world.put_function("f", "evil.F", "a.csv")
            self.world.must(*self.before)

    def path(self, name: str) -> Path:
        return self.world.project / name

    def attempt(self, data: bytes) -> None:
        self.path(self.name).write_bytes(data)
        require_coded(self.command)

    def seeds(self) -> list[bytes]:
        if self.text:
            return [self.text.encode()]
        return [self.path(self.name).read_bytes()]


class SavedPlanFile(ReadFile):
    """A saved plan whose checksum is right, whoever wrote it: what is behind the checksum is read, too."""

    def __init__(self) -> None:
        super().__init__("p.json", "apply", "p.json", before=("plan", "--out", "p.json"))

    def attempt(self, data: bytes) -> None:
        with suppress(ValueError, RecursionError, TypeError):
            values = json.loads(data)
            if isinstance(values, dict) and isinstance(values.get("saved"), dict):
                values["saved"]["checksum"] = saved_plan._checksum(values)
                data = json.dumps(values).encode()
        super().attempt(data)


class Rows(_InFolder):
    """A file of arguments for a function."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__()
        self.name, self.text = name, text

    def attempt(self, data: bytes) -> None:
        path = self.folder / self.name
        path.write_bytes(data)
        for types in (
            None,
            ("bigint", "double", "string", "datetime", "decimal(38,18)", "array<bigint>", "boolean", "date"),
        ):
            for header in (False, True):
                with suppress(UdfsError):
                    list(RowFile(path, self.name, header=header).read(parse_types(types)))

    def seeds(self) -> list[bytes]:
        return [self.text.encode()]


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("plan",),
    ("plan", "--format", "json"),
    ("plan", "--format", "markdown"),
    ("drift",),
    ("drift", "--format", "json"),
    ("show",),
    ("history",),
    ("gc",),
    ("dump", "--out", "d.json"),
    ("unlock", "--epoch", "1", "--yes"),
    ("apply",),
    ("destroy",),
)


class ServiceAnswer(_InWorld):
    """
    One answer of the service, in place of the real one.

    The first byte chooses the command, the second which of its requests, modulo their count; then come the status and the headers
    up to an empty line, and the body.
    """

    def prepare(self) -> None:
        self.world.write(udfs_yaml=MANIFEST)
        self.world.apply()
        self.world.put_function("f", "evil.F", "a.csv")
        self.world.put_resource("a.csv", b"2\n")
        self.world.put_resource("theirs.py", b"theirs", kind="py")
        self._due, self._count = -1, 0
        self._answer: requests.Response | None = None
        self._recorded: list[bytes] = []
        send = HTTPAdapter.send

        def answer(adapter: HTTPAdapter, request: requests.PreparedRequest, *args: Any, **named: Any) -> Any:
            number, self._count = self._count, self._count + 1
            if number == self._due and self._answer is not None:
                return self._answer
            response = send(adapter, request, *args, **named)
            if self._due == -2:
                self._recorded.append(_written(response))
            return response

        self._stack.enter_context(mock.patch.object(HTTPAdapter, "send", answer))
        self._stack.enter_context(mock.patch("reconciler.targets.maxcompute.client._PAUSES", ()))

    def attempt(self, data: bytes) -> None:
        command = COMMANDS[(data[:1] or b"\0")[0] % len(COMMANDS)]
        number = (data[1:2] or b"\0")[0] % 8
        response = _response(data[2:])
        if response is None:
            return
        self._due, self._count, self._answer = number, 0, response
        require_coded(command)
        self._due = -1

    def seeds(self) -> list[bytes]:
        seeds = []
        for index, command in enumerate(COMMANDS[:9]):
            self._recorded, self._due = [], -2
            here(*command)
            self._due = -1
            seeds += [bytes([index, number]) + answer for number, answer in enumerate(self._recorded[:8])]
        return seeds


def _written(response: requests.Response) -> bytes:
    headers = "".join(f"{name}: {value}\n" for name, value in response.headers.items())
    return f"{response.status_code}\n{headers}\n".encode() + response.content


def _response(data: bytes) -> requests.Response | None:
    """Return the answer that is written so; None for what no HTTP library hands on."""
    head, _, body = data.partition(b"\n\n")
    status, *lines = head.decode("latin-1").split("\n")
    if not status.isascii() or not status.isdigit() or not 200 <= int(status[:4] or "0") <= 599:
        return None
    response = requests.Response()
    response.status_code = int(status[:4])
    for line in lines:
        name, colon, value = line.partition(": ")
        if colon and name.lower() not in {"content-encoding", "transfer-encoding", "content-length"}:
            response.headers[name] = value
    response.raw = io.BytesIO(body)
    return response


class RequestToService(_InWorld):
    """The body of a request to the local service: a function, a job, a resource's name."""

    REQUESTS = (
        ("post", "/registration/functions"),
        ("put", "/registration/functions/f"),
        ("post", "/instances"),
        ("post", "/resources"),
        ("put", "/resources/a.csv"),
    )

    def prepare(self) -> None:
        self.world.put_resource("a.csv", b"1\n")
        self.world.put_function("f", "f.F", "a.csv")

    def attempt(self, data: bytes) -> None:
        method, path = self.REQUESTS[(data[:1] or b"\0")[0] % len(self.REQUESTS)]
        headers = {"Content-Type": "application/xml"}
        if path.startswith("/resources"):
            name, _, data = data[1:].partition(b"\n")
            words = name.decode("latin-1").split("|")
            values = [word for word in words if word.isprintable() and word.isascii()] + ["x", "file"]
            headers |= {"x-odps-resource-name": values[0].strip(), "x-odps-resource-type": values[1].strip()}
        else:
            data = data[1:]
        try:
            self.world.client().send(method, path, headers=headers, body=data)
        except UdfsError as error:
            # Ours is a service whose every refusal has a code: a 500 is a fault.
            if any("InternalServerError" in problem.message for problem in error.problems):
                raise Fault(f"{method} {path}: {error}") from error

    def seeds(self) -> list[bytes]:
        function = b"<Function><Alias>g</Alias><ClassType>f.F</ClassType><Resources><ResourceName>a.csv</ResourceName></Resources></Function>"
        job = (
            b'<?xml version="1.0" encoding="utf-8"?><Instance><Job><Name>j</Name><Comment/><Priority>9</Priority><Tasks><SQL>'
            b'<Name>AnonymousSQLTask</Name><Config><Property><Name>settings</Name><Value>{"odps.sql.python.version": "cp37"}</Value>'
            b"</Property></Config><Query><![CDATA[SELECT 1;]]></Query></SQL></Tasks></Job></Instance>"
        )
        return [b"\0" + function, b"\1" + function, b"\2" + job, b"\3n.csv|file\n1\n", b"\4a.csv|file\n1\n"]


SUBJECTS: Mapping[str, Callable[[], Subject]] = {
    "library": lambda: Shipped("liba.so"),
    "wheel": lambda: Shipped("a-1.0-py3-none-any.whl"),
    "tar": lambda: Shipped("a.tar.gz"),
    "sdist": lambda: SourceArchive("a-1.0.tar.gz"),
    "sdist-zip": lambda: SourceArchive("a-1.0.zip"),
    "ledger": LedgerEntry,
    "answer": ServiceAnswer,
    "request": RequestToService,
    "manifest": lambda: ReadFile("udfs.yaml", "validate"),
    "source": lambda: ReadFile("f.py", "validate"),
    "policy": lambda: ReadFile("policy.yaml", "plan", text=POLICY),
    "plan": SavedPlanFile,
    "dump": lambda: ReadFile("d.json", "plan", "--against", "d.json", before=("dump", "--out", "d.json")),
    "rows-csv": lambda: Rows("r.csv", '1,2.5,x,2026-01-02 03:04:05,1.5,"[1,2]",true,2026-01-02\n'),
    "rows-json": lambda: Rows("r.jsonl", '[1,2.5,"x","2026-01-02 03:04:05","1.5",[1,2],true,"2026-01-02"]\n'),
}
"""By the names under which `python -m tests.fuzz` knows them."""
