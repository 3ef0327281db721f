"""
Objects of Flink: files in the folder that a cluster shares with this machine, functions that are registered, and jobs.

A file is called by its content, ``3fa9c1d2/udfs.py``, and never written again: other content is another file, and a job that runs goes on with
the one that it has. A function is what a job's head registers it as. A job has a life: it is started, it may end by itself, and a change of it is
a restart. What a job is made of, its definition, has a digest, which its name on the cluster tells (`pipeline_name`).
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec

from reconciler.base.names import versioned_name
from reconciler.base.words import size
from reconciler.core.kind import CONTENT, Catalog, Difference, Key, Kind, Mark, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RUNNING = "running"
"""The state of a job that is as it should be; one whose sources came to their end is that too."""

FINISHED = "finished"
UNKNOWN = "?"
"""The program of a job whose definition nobody here has: it was adopted."""

_MARK = re.compile(r"udfs/1 (?P<stack>[a-z][a-z0-9-]*)(?: (?P<sha256>[0-9a-f]{64}))?\Z")
_PIPELINE = re.compile(r"(?P<name>.+) \(udfs (?P<stack>[a-z][a-z0-9-]*) (?P<digest>[0-9a-f]{12})\)\Z", re.DOTALL)


class SharedFile(NamedTuple):
    """A file in the folder that the cluster reads."""

    name: str
    """``3fa9c1d2/udfs.py``."""

    digest: str | None
    """SHA-256; None where nobody has told it."""

    size: int = 0
    """Bytes."""

    @property
    def key(self) -> Key:
        return file_key(self.name)

    @property
    def kind(self) -> Kind[SharedFile]:
        return FILE


class RegisteredFunction(NamedTuple):
    """A function as the heads of jobs register it."""

    name: str
    language: str
    """PYTHON or JAVA."""

    path: str
    """``udfs.near``, or the class in Java."""

    file: str
    """The source or the jar that it is in."""

    @property
    def key(self) -> Key:
        return registration_key(self.name)

    @property
    def kind(self) -> Kind[RegisteredFunction]:
        return FUNCTION


class DeployedJob(NamedTuple):
    """A job: its definition, and what it is doing."""

    name: str
    program: str
    """The file of its Python or of its SQL."""

    arguments: tuple[str, ...] = ()
    functions: tuple[tuple[str, str], ...] = ()
    """Each with what registers it: ``PYTHON udfs.near``; in the manifest's order."""

    interpreter: str = ""
    """Of its workers, in one of its archives: ``main.zip/venv/bin/python``; empty for the engine's own."""

    imports: tuple[str, ...] = ()
    """The files that its workers import from."""

    archives: tuple[tuple[str, str], ...] = ()
    """Each with the folder that it is unpacked into."""

    jars: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """Those that functions open."""

    conf: tuple[tuple[str, str], ...] = ()
    """Flink's options that the manifest names."""

    on_change: str = "savepoint"
    """What a change does to it: no part of the definition."""

    state: str = RUNNING
    engine: str = ""
    """On the vendor's service: each job has its own there."""

    labels: tuple[tuple[str, str], ...] = ()
    """On the vendor's service, without the one of udfs."""

    @property
    def key(self) -> Key:
        return job_key(self.name)

    @property
    def kind(self) -> Kind[DeployedJob]:
        return JOB

    @property
    def needed_files(self) -> tuple[str, ...]:
        """Every file of it, once."""
        archives = (file for file, _ in self.archives)
        files = (self.program, *self.imports, *archives, *self.jars, *self.files)
        return tuple(dict.fromkeys(file for file in files if file != UNKNOWN))


def file_key(name: str) -> Key:
    """Return the key of a file: names that differ in case are different files."""
    return Key("file", name, name)


def registration_key(name: str) -> Key:
    """Return the key of a function: Flink takes names that differ in case for one."""
    return Key("function", name.lower(), name)


def job_key(name: str) -> Key:
    """Return the key of a job: names that differ in case are different jobs."""
    return Key("job", name, name)


def shared_name(name: str, sha256: str) -> str:
    """Return how one content of a file is called in the shared folder; what imports or opens it still finds the name."""
    return f"{sha256[:8]}/{name}"


def plain_name(file: str) -> str:
    """Return the name that a file has in the manifest."""
    return file.partition("/")[2] or file


def definition_digest(job: DeployedJob) -> str:
    """Return the digest of what a job is made of, 12 hex digits: another digest is another job to Flink."""
    parts = [job.program, job.arguments, job.functions, job.interpreter, job.imports, job.archives, job.jars, job.files]
    more = [[job.engine, job.labels]] if job.engine or job.labels else []
    text = json.dumps([*parts, job.conf, *more], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class PipelineName(NamedTuple):
    """What the name of a job on a cluster tells."""

    name: str
    stack: str
    digest: str
    """Of the definition."""


def pipeline_name(job: DeployedJob, stack: str) -> str:
    """Return the name of a job on the cluster: whose it is and which version, in what a listing of jobs has anyway."""
    return f"{job.name} (udfs {stack} {definition_digest(job)})"


def parse_pipeline_name(text: str) -> PipelineName | None:
    """Return what a job's name on a cluster tells; None for a job that no udfs started."""
    match = _PIPELINE.match(text)
    return PipelineName(match["name"], match["stack"], match["digest"]) if match else None


def text_of_mark(mark: Mark, name: str) -> str:
    """Return a mark as text; on the cluster itself the folder that an object is in tells as much."""
    return f"udfs/1 {mark.stack}{f' {mark.sha256}' if mark.sha256 else ''}"


def mark_of_text(text: str, name: str) -> Mark:
    """Return the mark of a text; ValueError for what udfs does not write."""
    match = _MARK.match(text)
    if match is None:
        raise ValueError("a mark that udfs does not write")
    return Mark(match["stack"], match["sha256"], match["sha256"])


# --- Files ------------------------------------------------------------------------------------------------------------------


class _FileRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    digest: Annotated[str | None, msgspec.Meta(description="SHA-256 of the content.")] = None
    size: Annotated[int, msgspec.Meta(description="Bytes.")] = 0


def _file_differences(new: SharedFile, old: SharedFile) -> list[Difference]:
    return [Difference(CONTENT, str(old.digest), str(new.digest))] if new.digest != old.digest else []


def _plain_version(name: str, sha256: str) -> str | None:
    return plain_name(name) if name.startswith(f"{sha256[:8]}/") else None


FILE = Kind[SharedFile](
    name="file",
    key=file_key,
    record=_FileRecord,
    write_down=lambda file: file._asdict(),
    read_back=lambda record: SharedFile(record.name, record.digest, record.size),
    differences=_file_differences,
    observe=lambda file: (file.digest, file.size),
    show=lambda file: (("type", "file"), ("holds", size(file.size))),
    update="new version",
    version_of=_plain_version,
    write_mark=text_of_mark,
    read_mark=mark_of_text,
    tells_updater=False,
    holds_content=lambda file: True,
    file_name=lambda file: versioned_name(plain_name(file.name), f"{file.name.partition('/')[0]:0<8}"),
    size=lambda file: file.size,
    digest=lambda file: file.digest,
    checksum=lambda content: content.sha256,
    comes_back=False,
    leads=False,
)


# --- Functions --------------------------------------------------------------------------------------------------------------


class _FunctionRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    language: Annotated[str, msgspec.Meta(description="PYTHON or JAVA.")]
    path: Annotated[str, msgspec.Meta(description="What registers it: module and name, or the class in Java.")]
    file: Annotated[str, msgspec.Meta(description="The source or the jar that it is in.")]


def _function_differences(new: RegisteredFunction, old: RegisteredFunction) -> list[Difference]:
    pairs = (
        ("language", old.language, new.language),
        ("path", old.path, new.path),
        ("file", _file_text(old.file), _file_text(new.file)),
    )
    return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]


def _function_effect(new: RegisteredFunction | None, old: RegisteredFunction) -> str:
    """Return that the file of a function changed, where it is else what it was."""
    if (
        new is None
        or new.file == old.file
        or new._replace(file=plain_name(new.file)) != old._replace(file=plain_name(old.file))
    ):
        return ""
    return f"{plain_name(old.file)} changed"


FUNCTION = Kind[RegisteredFunction](
    name="function",
    key=registration_key,
    record=_FunctionRecord,
    write_down=lambda function: function._asdict(),
    read_back=lambda record: RegisteredFunction(record.name, record.language, record.path, record.file),
    differences=_function_differences,
    observe=tuple,
    show=lambda function: (
        ("language", function.language),
        ("path", function.path),
        ("file", _file_text(function.file)),
    ),
    brief=lambda function: f"{function.path} of {plain_name(function.file)}",
    effect=_function_effect,
    needs=lambda function: (file_key(function.file),),
    rank=1,
    write_mark=text_of_mark,
    read_mark=mark_of_text,
    tells_updater=False,
)


# --- Jobs -------------------------------------------------------------------------------------------------------------------


class JobForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A job as it is written down."""

    name: str
    program: Annotated[str, msgspec.Meta(description="The file of its Python or of its SQL.")]
    arguments: tuple[str, ...] = ()
    functions: Annotated[tuple[tuple[str, str], ...], msgspec.Meta(description="Each with what registers it.")] = ()
    interpreter: Annotated[str | None, msgspec.Meta(description="Of its workers, in one of its archives.")] = None
    imports: Annotated[tuple[str, ...], msgspec.Meta(description="Files that its workers import from.")] = ()
    archives: Annotated[
        tuple[tuple[str, str], ...], msgspec.Meta(description="Each with the folder that it is unpacked into.")
    ] = ()
    jars: tuple[str, ...] = ()
    files: Annotated[tuple[str, ...], msgspec.Meta(description="Files that its functions open.")] = ()
    conf: Annotated[dict[str, str], msgspec.Meta(description="Options of Flink that the manifest names.")] = {}
    on_change: str = "savepoint"
    state: Annotated[str, msgspec.Meta(description="What it is doing: running, finished, failed, …")] = RUNNING
    engine: Annotated[str | None, msgspec.Meta(description="On the vendor's service: the engine that it runs on.")] = (
        None
    )
    labels: Annotated[
        dict[str, str], msgspec.Meta(description="On the vendor's service: labels of the deployment.")
    ] = {}


def write_job(job: DeployedJob) -> dict[str, Any]:
    """Return the fields of a job's form."""
    return {**job._asdict(), "conf": dict(job.conf), "labels": dict(job.labels)}


def read_job(form: Any) -> DeployedJob:
    """Return the job of a form."""
    fields = {name: getattr(form, name) for name in DeployedJob._fields}
    texts = {"interpreter": form.interpreter or "", "engine": form.engine or ""}
    pairs = {name: tuple(sorted(getattr(form, name).items())) for name in ("conf", "labels")}
    return DeployedJob(**{**fields, **texts, **pairs})


def _job_differences(new: DeployedJob, old: DeployedJob) -> list[Difference]:
    if old.program == UNKNOWN != new.program:
        return [Difference("program", "not known here", _file_text(new.program))]
    texts = (
        ("program", _file_text(old.program), _file_text(new.program)),
        ("interpreter", old.interpreter, new.interpreter),
        ("engine", old.engine, new.engine),
    )
    lists = (
        ("arguments", old.arguments, new.arguments),
        ("functions", _registrations(old), _registrations(new)),
        ("imports", _file_texts(old.imports), _file_texts(new.imports)),
        ("archives", _archives(old), _archives(new)),
        ("jars", _file_texts(old.jars), _file_texts(new.jars)),
        ("files", _file_texts(old.files), _file_texts(new.files)),
        ("conf", _pairs(old.conf), _pairs(new.conf)),
        ("labels", _pairs(old.labels), _pairs(new.labels)),
    )
    differences = [Difference(*pair) for pair in texts if pair[1] != pair[2]]
    differences += [
        Difference(field, ", ".join(old_texts), ", ".join(new_texts), "list")
        for field, old_texts, new_texts in lists
        if old_texts != new_texts
    ]
    if _is_well(new) != _is_well(old):
        differences.append(Difference("state", old.state, new.state))
    return differences


def _is_well(job: DeployedJob) -> bool:
    return job.state in {RUNNING, FINISHED}


def _file_text(file: str) -> str:
    """Return a file as people read it: its name, and which content of it."""
    digest, _, name = file.partition("/")
    return f"{name} ({digest})" if name else file


def _file_texts(files: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(_file_text, files))


def _archives(job: DeployedJob) -> tuple[str, ...]:
    return tuple(
        _file_text(file) + (f" as {folder}" if folder != plain_name(file) else "") for file, folder in job.archives
    )


def _registrations(job: DeployedJob) -> tuple[str, ...]:
    return tuple(f"{name} as {registration.partition(' ')[2]}" for name, registration in job.functions)


def _pairs(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{name}={value}" for name, value in pairs)


def _reasons(new: DeployedJob, old: DeployedJob) -> Iterator[str]:
    """Yield what differs in a job, in the words of who changed it: files by their names."""
    if old.program == UNKNOWN:
        yield "what it runs is not known here"
        return
    files = sorted({plain_name(file) for file in {*new.needed_files} ^ {*old.needed_files}})
    fields = {difference.field for difference in _job_differences(new, old)}
    names = [*files, *sorted(fields & {"arguments", "functions", "interpreter", "engine", "conf"})]
    if "archives" in fields and not files:
        names.append("archives")
    if names:
        *most, last = names
        yield f"{', '.join(most)} and {last} changed" if most else f"{last} changed"
    if not _is_well(old):
        yield f"it is {old.state}"


def _effect(new: DeployedJob | None, old: DeployedJob) -> str:
    """Return what becomes of a job that runs, and of its state."""
    keeps = (new or old).on_change == "savepoint"
    if new is None:
        return "it is stopped with a savepoint, which stays" if keeps else "it is cancelled"
    because = ", and ".join(_reasons(new, old))
    if not because:
        return "its labels are written, and it runs on"
    if old.state == FINISHED:
        return f"run once more, because {because}"
    if not _is_well(old):
        verb = "start from its last savepoint" if keeps else "start without state"
    else:
        verb = "restart from a savepoint" if keeps else "restart without its state"
    return f"{verb}, because {because}"


_REFUSAL = Rule[DeployedJob](
    "E496",
    "would be restarted, and its manifest says `on_change: refuse`",
    "on_change: savepoint keeps its state, on_change: stateless begins anew; or leave the job as it is",
    applies=lambda job: job.on_change == "refuse",
)
DEFINITION = (
    "program",
    "arguments",
    "functions",
    "interpreter",
    "imports",
    "archives",
    "jars",
    "files",
    "conf",
    "engine",
)

JOB = Kind[DeployedJob](
    name="job",
    key=job_key,
    record=JobForm,
    write_down=write_job,
    read_back=read_job,
    differences=_job_differences,
    observe=lambda job: (definition_digest(job), _is_well(job)),
    show=lambda job: (
        ("program", _file_text(job.program)),
        *((("functions", ", ".join(name for name, _ in job.functions)),) if job.functions else ()),
        ("on change", job.on_change),
        ("state", job.state),
    ),
    brief=lambda job: f"it runs {plain_name(job.program)}",
    needs=lambda job: (
        *(file_key(file) for file in job.needed_files),
        *(registration_key(name) for name, _ in job.functions),
    ),
    rank=2,
    forms=dict.fromkeys(("arguments", "functions", "imports", "archives", "jars", "files", "conf", "labels"), "list"),
    fixed=dict.fromkeys(DEFINITION, _REFUSAL),
    write_mark=text_of_mark,
    read_mark=mark_of_text,
    effect=_effect,
)

PLACE = {"endpoint": True, "folder": False, "workspace": False, "namespace": False}
CATALOG = Catalog("flink", {"job": JOB, "function": FUNCTION, "file": FILE}, PLACE)
KINDS = CATALOG.kinds
