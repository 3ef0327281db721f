"""
Index of a pipeline's folder: what `udfs ci` writes into ``--out DIR`` and later steps read, one entry a manifest and target.

Each entry names the files of its folder by their kinds; whoever reads the index needs neither the project nor a credential.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field, ValidationError

from reconciler.base.errors import UsageError
from reconciler.base.inputs import PLAN, read_named
from reconciler.engine.plan_file import Model

if TYPE_CHECKING:
    from pathlib import Path

INDEX = "index.json"

CiCommand: TypeAlias = Literal["check", "plan", "apply", "drift"]
EntryOutcome: TypeAlias = Literal["clean", "changes", "refused", "failed", "unknown", "skipped"]


class _Tolerant(Model):
    """A document of which a reader takes what it knows: fields are added as time goes by."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class EntryDocument(_Tolerant):
    """What came of one manifest and target."""

    manifest: str = Field(description="From the top of the repository.")
    target: str | None
    stack: str | None = Field(description="null where the manifest could not be read.")
    outcome: EntryOutcome
    exit_code: int = Field(description="As the command alone ends with; 2 where there are changes.")
    folder: str = Field(description="Of its files, in the folder of the index.")
    fingerprint: str | None = Field(
        None, description="The sha256 of what came out, whatever the commit, the path and the line."
    )
    digest: str | None = Field(None, description="Of the plan, as `udfs apply --digest` takes it.")
    counts: dict[str, int] = Field(description="Operations by their actions, and problems.")
    summary: str = Field(description="One line.")
    files: dict[str, str] = Field(description="Kind → name of the file in `folder`.")


class IndexDocument(_Tolerant):
    """What came of all."""

    format: Literal["udfs-ci/1"] = "udfs-ci/1"
    command: CiCommand
    commit: str | None = None
    base: str | None = Field(None, description="The commit that changes were counted from.")
    run: dict[str, Any] = Field(description="Who ran it, and where.")
    entries: tuple[EntryDocument, ...]
    unchanged: tuple[str, ...] = Field((), description="Manifests of which nothing changed since `base`.")
    exit_code: int = Field(description="The worst of the entries; 2 where there are only changes.")
    files: dict[str, str] = Field(default_factory=dict, description="Of the whole: kind → name of the file.")

    def text(self) -> str:
        """Return the document; what is not known is null."""
        return self.model_dump_json(indent=2) + "\n"


def read_index(folder: Path) -> IndexDocument:
    """Read the index of a folder that ``udfs ci --out`` wrote. Raises `UsageError` for anything else."""
    file = folder / INDEX
    hint = "udfs ci plan --out DIR writes one"
    try:
        return IndexDocument.model_validate_json(read_named(file, PLAN))
    except OSError as error:
        message = f"'{file}' cannot be read: {error.strerror or error}"
        raise UsageError("E568", message, hint=hint) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError("E568", f"'{file}' is no index of udfs ci: {where}: {first['msg']}", hint=hint) from None
