"""Files to upload as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconciler.engine.plan_file import (
    Model,
    ProblemDocument,
    problem_document,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from reconciler.base.errors import Problem
    from reconciler.core.report import Upload
    from reconciler.packages.pack.archives import Omission


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
    return UploadDocument(
        name=upload.name,
        type=upload.type,
        size=content.size,
        sha256=content.sha256,
        md5=content.md5,
        functions=upload.functions,
        wheels=tuple(wheel.filename for wheel in archive.wheels) if archive else (),
        packed=archive.is_packed if archive else False,
        left_out=left_out_documents(archive.left_out) if archive else (),
        source=upload.source[0] if upload.source else None,
        added=upload.source[1] if upload.source else 0,
    )


def left_out_documents(omissions: Iterable[Omission]) -> tuple[LeftOutDocument, ...]:
    return tuple(LeftOutDocument(why=omission.why, files=omission.files, size=omission.size) for omission in omissions)
