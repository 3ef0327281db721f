"""
Workbench: a kind of target that has layers and nothing else, so that what is packed is seen without any service.

Its runtimes are of Debian 11 and 12.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from msgspec import field as key

from reconciler.base.errors import Problem, UdfsError
from reconciler.manifest import model
from reconciler.manifest.checks.packages import check_package_uses, check_packages
from reconciler.manifest.dialect import Code, Dialect, Draft
from reconciler.manifest.load import Loaded, load_manifest
from reconciler.manifest.model import Label, Names, Text
from reconciler.manifest.runtimes import Platform, Runtime, Service
from reconciler.manifest.section import NULL_IS_EMPTY
from reconciler.packages.collect import collect
from reconciler.packages.lock import use
from reconciler.packages.lock.file import Lock
from reconciler.packages.lock.make import Upgrade, make_lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reconciler.manifest.dialect import Flaw
    from reconciler.packages.artifacts import Artifacts
    from reconciler.packages.fetch.cache import Cache

SERVICE = Service("the workbench", code_folder="/code/", layer_folder="/opt/")
BASE = frozenset(
    {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libgcc_s.so.1", "libstdc++.so.6"}
)
OLD = Platform("debian11", "x86_64", (2, 31), frozenset(), BASE, suite="bullseye")
NEW = Platform("debian12", "x86_64", (2, 36), frozenset(), BASE, suite="bookworm")
RUNTIMES = {
    "python3.12": Runtime("python3.12", (3, 12), "3.12.4", "cp312", OLD, SERVICE),
    "custom.debian12": Runtime("custom.debian12", (3, 11), "3.11.2", "cp311", NEW, SERVICE),
}


class TargetKind(model.TargetKind, frozen=True, kw_only=True):
    """The workbench."""

    kind: Literal["workbench"] = "workbench"


class Function(model.Function, frozen=True, kw_only=True):
    """A function."""

    runtime: Annotated[str | None, NULL_IS_EMPTY] = None
    layers: Names = key(default_factory=list)
    environment: dict[Text, Text] = key(default_factory=dict)


class Manifest(model.Manifest, frozen=True, kw_only=True):
    """Layers and functions."""

    service: ClassVar[Service] = SERVICE
    target: Annotated[TargetKind, NULL_IS_EMPTY] = key(default_factory=TargetKind)
    python: str = "custom.debian12"
    packages: model.Packages = key(default_factory=dict)
    layers: Annotated[dict[Label, model.Layer], NULL_IS_EMPTY] = key(default_factory=dict)
    functions: Annotated[dict[str, Function], NULL_IS_EMPTY] = key(default_factory=dict)

    @cached_property
    def usable_runtimes(self) -> Mapping[str, Runtime]:
        return RUNTIMES

    def runtime(self, function: model.Function | None = None) -> Runtime:
        return RUNTIMES[getattr(function, "runtime", None) or self.python]


def conclude_code(draft: Draft[Any]) -> Iterator[Flaw]:
    for name, function in draft.manifest.functions.items():
        draft.code[name] = Code("index.handler", None, draft.manifest.runtime(function), "")
    yield from ()


DIALECT = Dialect(
    "workbench", Manifest, model.Target(), ("functions",), (check_packages, check_package_uses, conclude_code)
)


@dataclass
class Bench:
    """A manifest's folder, and a cache."""

    folder: Path
    cache: Cache
    env: Mapping[str, str]
    steps: list[str] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def write(self, manifest: str, **files: str) -> Loaded:
        """Write a manifest and files, and load it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "udfs.yaml").write_text(f"stack: s\ntarget: {{kind: workbench}}\n{manifest}")
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self.load()

    def load(self) -> Loaded:
        return load_manifest(self.folder / "udfs.yaml", {"workbench": lambda: DIALECT}, env=self.env, shown="udfs.yaml")

    def lock(self, upgrade: Upgrade | None = None, **options: bool) -> Lock:
        """Lock and write the lock."""
        loaded = self.load()
        previous = use.read_lock(loaded) or Lock()
        new = make_lock(
            loaded,
            previous,
            upgrade or Upgrade(),
            cache=self.cache,
            env=self.env,
            on_step=self.steps.append,
            on_warning=self.warnings.append,
            now=datetime.now(timezone.utc),
            **options,
        )
        use.write_lock(loaded, new)
        return new

    def collect(self) -> Artifacts:
        return collect(self.load(), cache=self.cache, env=self.env, on_step=self.steps.append)

    def problems(self) -> tuple[Problem, ...]:
        """Return what is wrong, be it with the manifest or with what is packed."""
        try:
            return self.collect().warnings
        except UdfsError as error:
            return error.problems
