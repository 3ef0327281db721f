"""Runtimes and what stands for them on this machine, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconciler.engine.plan_file import Model

if TYPE_CHECKING:
    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.debian.root import RootRecord


class RootDocument(Model):
    """A root file system, and of what it was made."""

    key: str = Field(description="The sha256 of what it is made of; its folder in the cache has this name.")
    suite: str
    released: str
    packages: dict[str, str]
    size: int
    is_signed: bool


class RuntimeDocument(Model):
    """One runtime."""

    name: str
    python: str
    system: str
    interpreter: str | None = Field(description="The CPython of this machine that has its version.")
    root: RootDocument | None


class RuntimesDocument(Model):
    """What `udfs runtime list --format json` prints."""

    format: Literal["udfs.runtimes/1"] = "udfs.runtimes/1"
    runtimes: tuple[RuntimeDocument, ...]


def runtime_document(runtime: Runtime, interpreter: str | None, root: RootRecord | None) -> RuntimeDocument:
    return RuntimeDocument(
        name=runtime.tag,
        python=runtime.full_version,
        system=runtime.platform.name,
        interpreter=interpreter,
        root=root and RootDocument.of(root, packages=dict(root.packages)),
    )
