"""
What a program reads: versioned JSON documents, and their schema.

The models here are the one source of both. A field is only ever added; anything else is a new version. Readers should
ignore fields they do not know.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime  # noqa: TC003 - pydantic reads the annotation
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from reconciler.engine.plan_file import (
    Action,
    DifferenceDocument,
    LiveDocument,
    Model,
    ObjectDocument,
    Open,
    PlanDocument,
    ProblemDocument,
    difference_documents,
    live_document,
    object_fields,
    plan_document,
    problem_document,
)
from reconciler.packages.inspect.closure import Where
from reconciler.render.maxframe import code
from reconciler.targets.maxcompute.objects import Function, Resource
from reconciler.targets.maxcompute.selection import is_file, path_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from reconciler.base.errors import Problem
    from reconciler.core.drift import Drift
    from reconciler.core.plan import Destination, Plan
    from reconciler.core.record import Entry
    from reconciler.core.report import Deployed, Report, Upload
    from reconciler.manifest.effective import Value
    from reconciler.packages.dependencies import Dependencies, Looked
    from reconciler.packages.inspect.closure import Need
    from reconciler.packages.inspect.members import Finding
    from reconciler.packages.lock.changes import Move
    from reconciler.packages.pack.layout import LeftOut
    from reconciler.render.maxframe import Exported
    from reconciler.targets.maxcompute.selection import Imported


_WHERE: dict[Where, Literal["base", "same", "library", "other", "unknown", "missing"]] = {
    Where.BASE: "base",
    Where.SAME: "same",
    Where.LIBRARY: "library",
    Where.OTHER: "other",
    Where.UNKNOWN: "unknown",
    Where.MISSING: "missing",
}


class ProblemsDocument(Model):
    """What went wrong, or what `validate` found."""

    format: Literal["udfs.problems/1"] = "udfs.problems/1"
    problems: tuple[ProblemDocument, ...]


class DriftedDocument(Model):
    """One object that was changed outside."""

    kind: str
    name: str
    what: Literal["edited", "deleted", "recreated", "type changed", "list changed", "name taken"]
    who: str | None = Field(None, description="As far as the service tells.")
    when: datetime | None = None
    file: str
    line: int
    column: int
    differences: tuple[DifferenceDocument, ...] = Field((), description="`old` is what is wanted, `new` what is there.")
    restorable: bool = Field(description="Whether `udfs apply --restore` brings it back.")
    why_not: str | None = Field(None, description="Why it does not.")


class DriftDocument(Open):
    """What was changed outside since the last apply."""

    behind: ClassVar[str] = "target"

    format: Literal["udfs.drift/1"] = "udfs.drift/1"
    stack: str
    target: str
    drifted: tuple[DriftedDocument, ...]
    waiting: int = Field(description="Objects that the manifest has changed since, and that no apply has brought yet.")
    unchanged: int


class OutcomeDocument(Model):
    """What became of one change."""

    kind: str
    name: str
    action: Action
    outcome: Literal["done", "failed", "not tried", "unknown"]


class ReportDocument(Model):
    """What an apply did."""

    format: Literal["udfs.report/1"] = "udfs.report/1"
    plan: PlanDocument
    outcomes: tuple[OutcomeDocument, ...]
    interrupted: bool = False
    problems: tuple[ProblemDocument, ...] = ()
    verification: VerifyDocument | None = Field(None, description="With --verify, if everything was applied.")


class FunctionDocument(Model):
    """One function as `show` tells it."""

    function: LiveDocument
    resources: tuple[LiveDocument, ...]
    absent: tuple[str, ...] = Field((), description="Listed by the function and not in the project.")
    settings: dict[str, str] = Field(description="SET lines that an SQL script needs before it calls the function.")
    description: str | None = None


class ShowDocument(Open):
    """What a stack has in a project."""

    behind: ClassVar[str] = "target"

    format: Literal["udfs.show/1"] = "udfs.show/1"
    stack: str
    target: str
    functions: tuple[FunctionDocument, ...]


class FindingDocument(Model):
    """Something to say about a file."""

    code: str
    severity: Literal["error", "warning"]
    message: str = Field(description="Continues a sentence that begins with the file's name.")
    hint: str | None = None
    detail: tuple[str, ...] = ()


class NeedDocument(Model):
    """A library that is needed, and where it is."""

    library: str
    where: Literal["base", "same", "library", "other", "unknown", "missing"]
    at: str | None = Field(None, description="A path in the same file, or the name of another.")


class NativeDocument(Model):
    """One ELF file."""

    path: str
    machine: str
    bits: int
    soname: str | None = None
    newest: tuple[str, ...] = Field(description="The newest version of each family of symbols it takes.")
    needs: tuple[NeedDocument, ...]


class VerdictDocument(Model):
    """Whether a file loads in one Python."""

    python: str
    platform: str
    loads: bool
    findings: tuple[FindingDocument, ...] = ()


class LookedDocument(Model):
    """One file, looked through."""

    name: str
    size: int = Field(description="Bytes.")
    kind: Literal["wheel", "zip", "tar", "library", "file"]
    level: str | None = Field(None, description="The lowest manylinux level that has every symbol version taken.")
    natives: tuple[NativeDocument, ...]
    verdicts: tuple[VerdictDocument, ...]


class LibsDocument(Model):
    """What is native in files, what it needs, and where it loads."""

    format: Literal["udfs.libs/1"] = "udfs.libs/1"
    files: tuple[LookedDocument, ...]


class LockMoveDocument(Model):
    """A distribution of a package group that is new, gone, or another file."""

    package: str
    runtime: str
    name: str
    before: str | None = Field(None, description="Its version in the lock as it was.")
    after: str | None = Field(None, description="Its version in the lock as it is.")
    file: str | None = None
    sha256: str | None = None
    size: int | None = Field(None, description="Bytes, if the index says so.")


class LockDocument(Model):
    """What `udfs lock` did."""

    format: Literal["udfs.lock-changes/1"] = "udfs.lock-changes/1"
    stack: str
    lock: str
    written: bool
    changes: tuple[LockMoveDocument, ...]


class LeftOutDocument(Model):
    """What a packed archive lacks by one reason."""

    why: Literal["slim", "exclude", "byte_compile", "scripts", "headers"] = Field(
        description="The option; or the part of a wheel's .data folder that no worker needs."
    )
    files: int
    size: int = Field(description="Bytes that the upload is smaller by.")


class ShippedDocument(Model):
    """One resource of a function."""

    name: str
    size: int = Field(description="Bytes; 0 for what is not a file of this manifest.")
    package: str | None = None
    natives: int = 0
    level: str | None = None
    brings: tuple[str, ...] = Field((), description="SONAMEs of the libraries in it.")
    needs: tuple[NeedDocument, ...] = Field((), description="What is neither in it nor in the base system.")
    also_in: tuple[str, ...] = Field((), description="Other functions that list it.")
    wheels: tuple[str, ...] = Field((), description="Of an archive that was packed here: what it is made of.")
    left_out: tuple[LeftOutDocument, ...] = ()
    file: str | None = Field(
        None, description="Of a library that is uploaded under its SONAME: the file, if named otherwise."
    )


class DependenciesDocument(Model):
    """What one function ships."""

    function: str
    python: str
    platform: str
    size: int = Field(description="Bytes in all.")
    resources: tuple[ShippedDocument, ...]


class UploadDocument(Model):
    """One file as it would be uploaded."""

    name: str = Field(description="Of the resource, and of the file in `out`.")
    type: str
    size: int = Field(description="Bytes.")
    sha256: str
    md5: str
    functions: tuple[str, ...] = Field((), description="Those that list it.")
    wheels: tuple[str, ...] = Field((), description="Of an archive of a package: what it is made of.")
    packed: bool = Field(False, description="Whether it was packed here; else it is a file, byte for byte.")
    left_out: tuple[LeftOutDocument, ...] = ()
    source: str | None = Field(None, description="Of a module that is a source with lines added behind it: the source.")
    added: int = Field(0, description="How many lines.")


class BuildDocument(Model):
    """Every file that would be uploaded."""

    format: Literal["udfs.build/1"] = "udfs.build/1"
    stack: str
    out: str | None = Field(None, description="The folder that they were written to.")
    files: tuple[UploadDocument, ...]
    warnings: tuple[ProblemDocument, ...] = ()


class ExportDocument(Model):
    """What a MaxFrame job needs to use a package."""

    format: Literal["udfs.export/1"] = "udfs.export/1"
    stack: str
    package: str
    python: str
    resources: tuple[str, ...]
    requirements: tuple[str, ...]
    prefer_binary: bool
    pre_release: bool
    code: str = Field(description="A Python module.")


class DepsDocument(Model):
    """What the functions of a stack ship."""

    format: Literal["udfs.deps/1"] = "udfs.deps/1"
    stack: str
    functions: tuple[DependenciesDocument, ...]
    warnings: tuple[ProblemDocument, ...] = ()


class PersonDocument(Model):
    """Who ended a lease, and where."""

    user: str
    host: str
    pipeline: str


class RunDocument(Model):
    """One apply, as the ledger keeps it."""

    format: Literal["udfs.run/1"] = "udfs.run/1"
    epoch: int
    outcome: Literal["running", "committed", "failed", "interrupted"]
    user: str
    host: str
    pipeline: str
    commit: str
    dirty: bool
    run: str = Field("", description="A random name of the run.")
    started: datetime
    expires: datetime = Field(description="When the lease ends, or when the run ended.")
    digest: str
    back_to: int | None = Field(None, description="The epoch that a rollback went back to.")
    ended_by: PersonDocument | None = Field(None, description="Who ended the lease by unlock.")
    steps: tuple[OutcomeDocument, ...]
    objects: tuple[ObjectDocument, ...] | None = Field(
        None, description="What the stack managed afterwards; of one run."
    )


class TrialDocument(Model):
    """One test of a function."""

    function: str
    number: int = Field(description="Among the function's tests, from 1.")
    title: str = Field(description="The call as a person reads it.")
    verdict: Literal["passed", "failed", "not run"]
    seconds: float
    python: str = Field(description="The version of the CPython; empty if none was started.")
    file: str
    line: int
    column: int
    reason: str | None = Field(None, description="Why it did not pass.")
    hint: str | None = None
    traceback: tuple[str, ...] = ()
    log: str = Field("", description="The end of what the function printed.")


class TestDocument(Model):
    """What `udfs test --format json` prints."""

    format: Literal["udfs.test/1"] = "udfs.test/1"
    stack: str
    passed: int
    failed: int
    not_run: int
    tests: tuple[TrialDocument, ...]


class VerifyDocument(Open):
    """What `udfs verify --format json` prints, and `udfs apply --verify` inside its report."""

    behind: ClassVar[str] = "target"

    format: Literal["udfs.verify/1"] = "udfs.verify/1"
    stack: str
    target: str
    passed: int
    failed: int
    not_run: int
    rolled_back: bool = Field(False, description="Whether the functions were brought back to what they were before.")
    tests: tuple[TrialDocument, ...]


class ColumnDocument(Model):
    """One column of a result."""

    name: str
    type: str | None = Field(description="null where the service does not say.")


class QueryDocument(Open):
    """What `udfs sql --format json` prints."""

    behind: ClassVar[str] = "target"

    format: Literal["udfs.query/1"] = "udfs.query/1"
    target: str
    instance: str
    settings: dict[str, str] = Field(description="What was SET for the functions that are called.")
    columns: tuple[ColumnDocument, ...]
    rows: tuple[tuple[str | int | float | bool | None, ...], ...] = Field(
        description="Numbers and booleans as such; all else as text, as the service writes it."
    )
    truncated: bool = Field(description="Whether there are more rows than the service gives out.")


class ImportedFunctionDocument(Model):
    """A function as it was written into the manifest."""

    name: str
    class_path: str
    python: str = Field(description="A guess from its source: the service does not keep it.")
    resources: tuple[str, ...]


class ImportedResourceDocument(Model):
    """A resource as it was written into the manifest."""

    name: str
    type: str
    file: str | None = Field(None, description="Relative to the manifest; a table has none.")
    size: int
    md5: str | None = None


class NotImportedDocument(Model):
    """What was asked for and is not in the manifest."""

    kind: str
    name: str
    reason: str


class ImportDocument(Model):
    """What `udfs import` wrote."""

    format: Literal["udfs.import/1"] = "udfs.import/1"
    manifest: str
    functions: tuple[ImportedFunctionDocument, ...]
    resources: tuple[ImportedResourceDocument, ...]
    left_out: tuple[NotImportedDocument, ...]
    present: tuple[str, ...] = Field(description="Functions and resources that the manifest had already.")


class TargetDocument(Model):
    """What came of a command for one of several targets."""

    target: str
    exit_code: int | None = Field(None, description="Absent: it was not begun, because a target before it failed.")
    summary: str
    document: dict[str, Any] | None = Field(None, description="What the command prints for this target alone.")


class TargetsDocument(Model):
    """What came of a command for several targets, in the order given."""

    format: Literal["udfs.targets/1"] = "udfs.targets/1"
    exit_code: int = Field(description="The worst of them.")
    targets: tuple[TargetDocument, ...]


class ValueDocument(Model):
    """One value as a target has it."""

    key: str
    value: str | None = Field(
        None, description="Absent for what the environment does not set, and for variables from it."
    )
    written: str | None = None
    at: str | None = Field(None, description="file:line:column; absent for a default.")
    instead_of: str | None = Field(None, description="Where the top level has another value of this variable.")


class EffectiveDocument(Model):
    """What one target comes to."""

    target: str
    values: tuple[ValueDocument, ...]
    variables: tuple[ValueDocument, ...]


class EffectiveTargetsDocument(Model):
    """What each target of a manifest comes to."""

    format: Literal["udfs.effective/1"] = "udfs.effective/1"
    targets: tuple[EffectiveDocument, ...]


class HistoryDocument(Model):
    """The last applies of a stack, the newest first."""

    format: Literal["udfs.history/1"] = "udfs.history/1"
    runs: tuple[RunDocument, ...]


def imported(done: Imported) -> ImportDocument:
    functions = (
        ImportedFunctionDocument(
            name=live.object.name,
            class_path=live.object.class_path,
            python=python,
            resources=tuple(map(str, live.object.resources)),
        )
        for live, python in done.functions
        if isinstance(live.object, Function)
    )
    resources = (
        ImportedResourceDocument(
            name=one.name,
            type=one.type,
            file=path_of(one) if is_file(live) else None,
            size=one.size,
            md5=one.md5,
        )
        for live in done.resources
        if isinstance(one := live.object, Resource)
    )
    return ImportDocument(
        manifest=done.manifest,
        functions=tuple(functions),
        resources=tuple(resources),
        left_out=tuple(
            NotImportedDocument(kind=one.key.kind, name=one.key.name, reason=one.reason) for one in done.left_out
        ),
        present=tuple(map(str, done.present)),
    )


def targets(code: int, told: Iterable[tuple[str, int | None, str, dict[str, Any] | None]]) -> TargetsDocument:
    return TargetsDocument(
        exit_code=code,
        targets=tuple(
            TargetDocument(target=name, exit_code=ended, summary=summary, document=found)
            for name, ended, summary, found in told
        ),
    )


def effective(found: Mapping[str, Iterable[Value]]) -> EffectiveTargetsDocument:
    return EffectiveTargetsDocument(
        targets=tuple(
            EffectiveDocument(
                target=name,
                values=tuple(_value(one) for one in values if not one.is_variable),
                variables=tuple(_value(one) for one in values if one.is_variable),
            )
            for name, values in ((name, tuple(values)) for name, values in found.items())
        )
    )


def _value(one: Value) -> ValueDocument:
    return ValueDocument(
        key=one.key,
        value=one.shown,
        written=one.written,
        at=str(one.at) if one.at else None,
        instead_of=str(one.instead_of[1]) if one.instead_of else None,
    )


def history(entries: Iterable[Entry]) -> HistoryDocument:
    return HistoryDocument(runs=tuple(run(entry, objects=False) for entry in entries))


def run(entry: Entry, *, objects: bool = True) -> RunDocument:
    by = entry.ended_by
    return RunDocument(
        epoch=entry.epoch,
        outcome=entry.outcome,
        **asdict(entry.holder),
        started=entry.started,
        expires=entry.expires,
        digest=f"sha256:{entry.digest}",
        back_to=entry.back_to,
        ended_by=by and PersonDocument(user=by.user, host=by.host, pipeline=by.pipeline),
        steps=tuple(OutcomeDocument.model_validate(asdict(step)) for step in entry.steps),
        objects=tuple(ObjectDocument(**object_fields(one.object)) for one in entry.objects.values())
        if objects
        else None,
    )


def problems(found: Iterable[Problem]) -> ProblemsDocument:
    return ProblemsDocument(problems=tuple(map(problem_document, found)))


def drift(found: Drift, made: Plan) -> DriftDocument:
    return DriftDocument(
        stack=made.stack,
        target=made.destination.target,
        **made.destination.parts,
        drifted=tuple(
            DriftedDocument(
                kind=one.key.kind,
                name=one.key.name,
                what=one.kind.value,
                who=one.who or None,
                when=one.when,
                file=one.origin.file,
                line=one.origin.line,
                column=one.origin.column,
                differences=difference_documents(found.turned for found in one.differences),
                restorable=not one.left,
                why_not=one.left or None,
            )
            for one in found.drifted
        ),
        waiting=found.waiting,
        unchanged=found.unchanged,
    )


def report(made: Plan, done: Report, verification: VerifyDocument | None = None) -> ReportDocument:
    return ReportDocument(
        verification=verification,
        plan=plan_document(made),
        outcomes=tuple(
            OutcomeDocument(kind=c.key.kind, name=c.key.name, action=c.action.value, outcome=outcome.value)
            for c, outcome in done.outcomes
        ),
        interrupted=done.interrupted,
        problems=tuple(map(problem_document, done.error.problems)) if done.error else (),
    )


def show(stack: str, destination: Destination, found: Iterable[Deployed]) -> ShowDocument:
    return ShowDocument(
        stack=stack,
        target=destination.target,
        **destination.parts,
        functions=tuple(
            FunctionDocument(
                function=live_document(one.function),
                resources=tuple(map(live_document, one.resources)),
                absent=one.absent,
                settings=dict(one.settings),
                description=one.description or None,
            )
            for one in found
        ),
    )


def libs(found: Iterable[Looked]) -> LibsDocument:
    return LibsDocument(files=tuple(map(_looked, found)))


def lock(stack: str, place: str, moves: Iterable[Move], *, written: bool) -> LockDocument:
    return LockDocument(stack=stack, lock=place, written=written, changes=tuple(map(_move, moves)))


def build(stack: str, found: Iterable[Upload], out: Path | None, warnings: Iterable[Problem]) -> BuildDocument:
    return BuildDocument(
        stack=stack,
        out=str(out) if out is not None else None,
        files=tuple(map(_upload, found)),
        warnings=tuple(map(problem_document, warnings)),
    )


def export(one: Exported) -> ExportDocument:
    return ExportDocument(
        stack=one.stack,
        package=one.package,
        python=one.runtime.tag,
        resources=one.resources,
        requirements=one.requirements,
        prefer_binary=one.prefer_binary,
        pre_release=one.pre_release,
        code=code(one),
    )


def _upload(one: Upload) -> UploadDocument:
    content, archive = one.content, one.archive
    return UploadDocument(
        name=one.name,
        type=one.type,
        size=content.size,
        sha256=content.sha256,
        md5=content.md5,
        functions=one.functions,
        wheels=tuple(wheel.filename for wheel in archive.wheels) if archive else (),
        packed=archive.is_packed if archive else False,
        left_out=_left_out(archive.left_out) if archive else (),
        source=one.source[0] if one.source else None,
        added=one.source[1] if one.source else 0,
    )


def _left_out(found: Iterable[LeftOut]) -> tuple[LeftOutDocument, ...]:
    return tuple(LeftOutDocument(why=one.why, files=one.files, size=one.size) for one in found)


def deps(stack: str, found: Iterable[Dependencies], warnings: Iterable[Problem]) -> DepsDocument:
    return DepsDocument(
        stack=stack, functions=tuple(map(_dependencies, found)), warnings=tuple(map(problem_document, warnings))
    )


def _looked(one: Looked) -> LookedDocument:
    natives = (
        NativeDocument(
            path=found.native.path,
            machine=found.native.elf.machine,
            bits=found.native.elf.bits,
            soname=found.native.elf.soname,
            newest=found.newest,
            needs=tuple(map(_need, found.needs)),
        )
        for found in one.natives
    )
    verdicts = (
        VerdictDocument(
            python=found.runtime.tag,
            platform=found.runtime.platform.name,
            loads=found.loads,
            findings=tuple(map(_finding, found.findings)),
        )
        for found in one.verdicts
    )
    return LookedDocument(
        name=one.name,
        size=one.size,
        kind=one.kind,
        level=_level(one.level),
        natives=tuple(natives),
        verdicts=tuple(verdicts),
    )


def _move(one: Move) -> LockMoveDocument:
    before, after = one.before, one.after
    return LockMoveDocument(
        package=one.package,
        runtime=one.runtime,
        name=one.name,
        before=before.version if before else None,
        after=after.version if after else None,
        file=after.file if after else None,
        sha256=after.sha256 if after else None,
        size=after.size if after else None,
    )


def _finding(found: Finding) -> FindingDocument:
    return FindingDocument(
        code=found.code, severity=found.severity, message=found.message, hint=found.hint, detail=found.detail
    )


def _need(found: Need) -> NeedDocument:
    return NeedDocument(library=found.library, where=_WHERE[found.where], at=found.at)


def _level(minor: int | None) -> str | None:
    return None if minor is None else f"manylinux_2_{minor}"


def _dependencies(one: Dependencies) -> DependenciesDocument:
    resources = (
        ShippedDocument(
            name=found.name,
            size=found.size,
            package=group.package,
            natives=found.native,
            level=_level(found.level),
            brings=found.brings,
            needs=tuple(map(_need, found.leans_on)),
            also_in=found.also_in,
            file=found.file,
            wheels=found.wheels,
            left_out=_left_out(found.left_out),
        )
        for group in one.groups
        for found in group.resources
    )
    return DependenciesDocument(
        function=one.function,
        python=one.runtime.tag,
        platform=one.runtime.platform.name,
        size=one.size,
        resources=tuple(resources),
    )
