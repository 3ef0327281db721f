"""Native libraries of files as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconciler.engine.plan_file import (
    Model,
)
from reconciler.packages.inspect.closure import Where

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.packages.dependencies import FileReport
    from reconciler.packages.inspect.closure import Need
    from reconciler.packages.inspect.members import FileFinding


_WHERE: dict[Where, Literal["base", "same", "library", "other", "unknown", "missing"]] = {
    Where.BASE: "base",
    Where.SAME: "same",
    Where.LIBRARY: "library",
    Where.OTHER: "other",
    Where.UNKNOWN: "unknown",
    Where.MISSING: "missing",
}


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


def libs_document(files: Iterable[FileReport]) -> LibsDocument:
    return LibsDocument(files=tuple(map(_file_document, files)))


def _file_document(file: FileReport) -> LookedDocument:
    natives = (
        NativeDocument(
            path=item.native.path,
            machine=item.native.elf.machine,
            bits=item.native.elf.bits,
            soname=item.native.elf.soname,
            newest=item.newest,
            needs=tuple(map(need_document, item.needs)),
        )
        for item in file.natives
    )
    verdicts = (
        VerdictDocument(
            python=item.runtime.tag,
            platform=item.runtime.platform.name,
            loads=item.loads,
            findings=tuple(map(_finding_document, item.findings)),
        )
        for item in file.verdicts
    )
    return LookedDocument(
        name=file.name,
        size=file.size,
        kind=file.kind,
        level=level_tag(file.level),
        natives=tuple(natives),
        verdicts=tuple(verdicts),
    )


def _finding_document(finding: FileFinding) -> FindingDocument:
    return FindingDocument(
        code=finding.code, severity=finding.severity, message=finding.message, hint=finding.hint, detail=finding.detail
    )


def need_document(need: Need) -> NeedDocument:
    return NeedDocument(library=need.library, where=_WHERE[need.where], at=need.holder)


def level_tag(minor: int | None) -> str | None:
    return None if minor is None else f"manylinux_2_{minor}"
