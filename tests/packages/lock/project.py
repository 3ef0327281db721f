"""A manifest whose packages are resolved by the real engines, and the index that they are given."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.base.hints import spell
from reconciler.manifest.load import load_manifest
from reconciler.packages.collect import collect
from reconciler.packages.fetch.cache import Cache
from reconciler.packages.lock import use
from reconciler.packages.lock.file import Lock
from reconciler.packages.lock.make import Upgrade, make_lock
from reconciler.targets.dialects import DIALECTS

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.base.errors import UdfsError
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts
    from reconciler.packages.lock.file import Locked

_UDF = "from odps.udf import annotate\n@annotate('->string')\nclass F(object):\n    def evaluate(self):\n        return 'x'\n"


@dataclass
class Project:
    """A folder with a manifest, a cache, and an environment with nothing of this machine's settings in it."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "dist").mkdir(exist_ok=True)
        (self.folder / "f.py").write_text(_UDF)
        home = self.folder.parent
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_CACHE_DIR": str(home / "pip"),
            "PIP_NO_INDEX": "1",
            "UV_CACHE_DIR": str(home / "uv"),
            "UV_NO_CONFIG": "1",
            **self.env,
        }
        self.cache = Cache(home / "cache")

    def load(self, package: str, *pythons: str, more: str = "", links: bool = True) -> Loaded:
        """Write a manifest with one package, used by a function of each Python, and load it."""
        found = ", find_links: [dist]" if links else ""
        functions = "".join(
            f"  f{number}: {{source: f.py, class: F, python: {python}, packages: [p]}}\n"
            for number, python in enumerate(pythons or ("cp37",))
        )
        path = self.folder / "udfs.yaml"
        path.write_text(f"stack: s\n{more}packages:\n  p: {{{package}{found}}}\nfunctions:\n{functions}")
        return load_manifest(path, DIALECTS, env={}, shown="udfs.yaml")

    def make(self, loaded: Loaded, previous: Lock | None = None, upgrade: Upgrade | None = None) -> Lock:
        """Lock it and write the lock."""
        made = make_lock(
            loaded, previous or Lock(), upgrade or Upgrade(), cache=self.cache, env=self.env, on_step=lambda step: None
        )
        use.write_lock(loaded, made)
        return made

    def lock(self, package: str, *pythons: str, more: str = "") -> Lock:
        """Write a manifest and lock it."""
        return self.make(self.load(package, *pythons, more=more))

    def plan(self, loaded: Loaded) -> Artifacts:
        """Get what the lock names."""
        return collect(loaded, cache=self.cache, env=self.env, on_step=lambda step: None)


def files(lock: Lock, runtime: str = "cp37") -> list[Locked]:
    """Return the wheels of the package for a runtime."""
    group = lock.group("p", runtime)
    assert group is not None
    return list(group.files)


def names(lock: Lock, runtime: str = "cp37") -> list[str]:
    """Return ``name version`` of each."""
    return [f"{one.name} {one.version}" for one in files(lock, runtime)]


def told(error: UdfsError) -> str:
    """Return all that a person would read of an error."""
    return "\n".join(
        part for one in error.problems for part in (f"{one.at}: {one.code} {one.message}", spell(one.hint), *one.detail)
    )
