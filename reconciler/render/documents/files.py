"""Native code, dependencies and files to upload as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconciler.engine.plan_file import Model, ProblemDocument, problem_document
from reconciler.packages.inspect.gate import Where

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from reconciler.base.errors import Problem
    from reconciler.core.report import Upload
    from reconciler.packages.dependencies import Dependencies, FileReport
    from reconciler.packages.inspect.gate import Need
    from reconciler.packages.pack.archives import Omission


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
        NativeDocument.of(item, item.native, item.native.elf, needs=tuple(map(need_document, item.needs)))
        for item in file.natives
    )
    verdicts = (
        VerdictDocument(
            python=item.runtime.tag,
            platform=item.runtime.platform.name,
            loads=item.loads,
            findings=tuple(map(FindingDocument.of, item.findings)),
        )
        for item in file.verdicts
    )
    return LookedDocument.of(file, level=level_tag(file.level), natives=tuple(natives), verdicts=tuple(verdicts))


def need_document(need: Need) -> NeedDocument:
    return NeedDocument(library=need.library, where=_WHERE[need.where], at=need.holder)


def level_tag(minor: int | None) -> str | None:
    return None if minor is None else f"manylinux_2_{minor}"


class LeftOutDocument(Model):
    """What a packed archive lacks by one reason."""

    why: Literal["slim", "exclude", "byte_compile", "scripts", "headers"] = Field(
        description="The option; or the part of a wheel's .data folder that no worker needs."
    )
    files: int
    size: int = Field(description="Bytes that the upload is smaller by.")


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


def build_document(
    stack: str, uploads: Iterable[Upload], out: Path | None, warnings: Iterable[Problem]
) -> BuildDocument:
    return BuildDocument(
        stack=stack,
        out=str(out) if out is not None else None,
        files=tuple(map(_upload_document, uploads)),
        warnings=tuple(map(problem_document, warnings)),
    )


def _upload_document(upload: Upload) -> UploadDocument:
    content, archive = upload.content, upload.archive
    return UploadDocument.of(
        upload,
        content,
        wheels=tuple(wheel.filename for wheel in archive.wheels) if archive else (),
        packed=archive.is_packed if archive else False,
        left_out=left_out_documents(archive.left_out) if archive else (),
        source=upload.source[0] if upload.source else None,
        added=upload.source[1] if upload.source else 0,
    )


def left_out_documents(omissions: Iterable[Omission]) -> tuple[LeftOutDocument, ...]:
    return tuple(map(LeftOutDocument.of, omissions))


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


class DepsDocument(Model):
    """What the functions of a stack ship."""

    format: Literal["udfs.deps/1"] = "udfs.deps/1"
    stack: str
    functions: tuple[DependenciesDocument, ...]
    warnings: tuple[ProblemDocument, ...] = ()


def deps_document(stack: str, functions: Iterable[Dependencies], warnings: Iterable[Problem]) -> DepsDocument:
    return DepsDocument(
        stack=stack, functions=tuple(map(_dependencies, functions)), warnings=tuple(map(problem_document, warnings))
    )


def _dependencies(function: Dependencies) -> DependenciesDocument:
    resources = (
        ShippedDocument.of(
            resource,
            package=group.package,
            natives=resource.native,
            level=level_tag(resource.level),
            needs=tuple(map(need_document, resource.leans_on)),
            left_out=left_out_documents(resource.left_out),
        )
        for group in function.groups
        for resource in group.resources
    )
    return DependenciesDocument.of(
        function,
        python=function.runtime.tag,
        platform=function.runtime.platform.name,
        resources=tuple(resources),
    )
