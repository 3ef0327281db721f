"""
Read the live state: one listing of jobs, one of the shared folder, and the newest entry of the ledger; nothing is asked job by job.

What a job is made of stands in its record; what it does, and which version of it, the overview of the cluster tells: the digest of its
definition is in its name. A job that ended is known to have ended well only if that was seen: a cluster forgets jobs an hour after their end
[Flink 1.20, ``jobstore.expiration-time``], and all of them when it is started anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.base.activity import activity
from reconciler.core.kind import Mark
from reconciler.core.record import Reading
from reconciler.core.state import Live
from reconciler.engine.ledger import fetch_listed
from reconciler.targets.flink.objects import (
    FINISHED,
    KINDS,
    RUNNING,
    UNKNOWN,
    DeployedJob,
    SharedFile,
    definition_digest,
    parse_pipeline_name,
    read_job,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.core.kind import Key
    from reconciler.targets.flink.cluster import Cluster
    from reconciler.targets.flink.entries import FolderEntries
    from reconciler.targets.flink.folder import JobRecord, SharedFolder, StoredFile

_ENDED = frozenset({"FINISHED", "FAILED", "CANCELED"})
_STATES = {
    "FINISHED": FINISHED,
    "FAILED": "failed",
    "FAILING": "failed",
    "CANCELED": "cancelled",
    "CANCELLING": "cancelled",
    "SUSPENDED": "suspended",
}
"""Of Flink's states those that are none of a job that runs or is about to."""

GONE = "gone"
INTERRUPTED = "half changed"
OLDER = "running as another version"
TWICE = "running twice"


class ClusterJob(NamedTuple):
    """A job as the overview of a cluster tells it."""

    number: str
    name: str
    """Without what udfs adds."""

    stack: str
    """Empty for a job that no udfs started."""

    digest: str
    state: str
    """As Flink calls it."""

    @property
    def is_alive(self) -> bool:
        return self.state not in _ENDED


class DigestBook:
    """What is known of the contents of files that nobody wrote to since they were put there."""

    def __init__(self) -> None:
        self._digests: dict[tuple[str, int], str] = {}

    def note(self, name: str, size: int, digest: str) -> None:
        self._digests[name, size] = digest

    def digest_of(self, file: StoredFile, folder: SharedFolder) -> str:
        """Return the sha256 of a file, which is read unless it is known."""
        if file.is_stamped and (remembered := self._digests.get((file.name, file.size))):
            return remembered
        digest = folder.digest(file.name)
        if file.is_stamped:
            self.note(file.name, file.size, digest)
        return digest


def read_cluster(
    cluster: Cluster, folder: SharedFolder, store: FolderEntries, book: DigestBook, *, full: bool = False
) -> Reading:
    """Return every file and function of the stack, and every job of the cluster; with `full` each file is read."""
    with activity(f"reading {cluster.location}") as reading:
        jobs = parse_overview(cluster.jobs())
        reading.count("jobs", len(jobs))
        epochs = store.epochs(folder.stack)
        last = fetch_listed(store, folder.stack, epochs[-1], KINDS) if epochs else None
        if last is not None and not full:
            for applied in last.objects.values():
                if isinstance(applied.object, SharedFile) and applied.object.digest:
                    book.note(applied.object.name, applied.object.size, applied.object.digest)
        lives: list[Live] = [_live_file(file, folder, DigestBook() if full else book) for file in folder.list_files()]
        reading.count("files", len(lives))
        lives += [Live(function, mark=Mark(folder.stack)) for function in folder.functions()]
        lives += judge_jobs(jobs, folder.records(), folder.stack)
        return Reading({live.object.key: live for live in lives}, epochs, last)


def find_live(cluster: Cluster, folder: SharedFolder, book: DigestBook, key: Key) -> Live | None:
    """Return one object as it is now, or None."""
    match key.kind:
        case "file":
            file = folder.find_file(key.name)
            return None if file is None else _live_file(file, folder, book)
        case "function":
            function = folder.find_function(key.folded)
            return None if function is None else Live(function, mark=Mark(folder.stack))
        case _:
            record = folder.find_record(key.name)
            records = {} if record is None else {key.name: record}
            lives = judge_jobs(parse_overview(cluster.jobs()), records, folder.stack)
            return next((live for live in lives if live.object.key == key), None)


def _live_file(file: StoredFile, folder: SharedFolder, book: DigestBook) -> Live:
    digest = book.digest_of(file, folder)
    # The mark says what was put there: what the file is called by.
    is_itself = digest.startswith(file.name.partition("/")[0])
    mark = Mark(folder.stack, digest if is_itself else None, digest if is_itself else None)
    return Live(SharedFile(file.name, digest, file.size), mark=mark)


# --- Jobs -------------------------------------------------------------------------------------------------------------------


def parse_overview(answer: Iterable[Mapping[str, Any]]) -> list[ClusterJob]:
    """Return the jobs of ``GET /jobs/overview``."""
    jobs = []
    for each in answer:
        text, number, state = (str(each.get(label, "")) for label in ("name", "jid", "state"))
        parsed = parse_pipeline_name(text)
        name, stack, digest = parsed or (text, "", "")
        jobs.append(ClusterJob(number, name, stack, digest, state))
    return jobs


def judge_jobs(jobs: Iterable[ClusterJob], records: Mapping[str, JobRecord], stack: str) -> list[Live]:
    """Return the jobs of a stack as their records and the cluster tell them, and those of others that run under other names."""
    jobs = list(jobs)
    lives = {name: _live_job(name, record, jobs, stack) for name, record in records.items()}
    for job in jobs:
        if job.is_alive and job.name not in lives:
            mark = Mark(job.stack) if job.stack and job.stack != stack else None
            lives[job.name] = Live(DeployedJob(job.name, UNKNOWN), mark=mark)
    return list(lives.values())


def own_jobs(name: str, record: JobRecord, jobs: Iterable[ClusterJob], stack: str) -> list[ClusterJob]:
    """Return the jobs of the cluster that a record is about: that of its number, and those that its name marks."""
    return [job for job in jobs if job.number == record.job or (job.stack == stack and job.name == name)]


def _live_job(name: str, record: JobRecord, jobs: Iterable[ClusterJob], stack: str) -> Live:
    matches = own_jobs(name, record, jobs, stack)
    running = [job for job in matches if job.is_alive]
    job = _pick_job(record, running) or _pick_job(record, matches, only_recorded=True)
    versions = [read_job(form) for form in (record.definition, record.pending) if form is not None]
    current = next((each for each in versions if job is not None and definition_digest(each) == job.digest), None)
    definition = current or next(iter(versions), DeployedJob(name, UNKNOWN))
    return Live(definition._replace(state=_state(record, job, running, current is not None)), mark=Mark(stack))


def _pick_job(record: JobRecord, jobs: list[ClusterJob], *, only_recorded: bool = False) -> ClusterJob | None:
    """Return the job of a record's number, or else the first."""
    first = jobs[0] if jobs and not only_recorded else None
    return next((job for job in jobs if job.number == record.job), first)


def _state(record: JobRecord, job: ClusterJob | None, running: list[ClusterJob], is_declared: bool) -> str:
    """Return what a job does, in words that a plan can show."""
    if record.steps is not None:
        return INTERRUPTED
    if len(running) > 1:
        return TWICE
    if job is None:
        return FINISHED if record.is_over else GONE
    if job.digest and not is_declared:
        return OLDER
    return _STATES.get(job.state, RUNNING)
