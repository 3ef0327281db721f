"""
From a manifest and its lock to artifacts, and from its requirements to a lock: where packages meet this machine.

Environment, cache and interpreters come together here; `locking` and `building` are loaded only where a package has
requirements, or a wheel has to be built.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.artifacts.build import Locks, build
from reconciler.artifacts.digests import Digests
from reconciler.artifacts.fetch import PipIndex
from reconciler.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.artifacts import Artifacts
    from reconciler.artifacts.build import LockedWheel
    from reconciler.artifacts.cache import Cache
    from reconciler.artifacts.content import Content
    from reconciler.artifacts.runtime import Runtime
    from reconciler.locking.inputs import Request
    from reconciler.locking.lockfile import Lock
    from reconciler.locking.making import Made, Means, Upgrade
    from reconciler.manifest.load import Loaded


def artifacts_of(loaded: Loaded, *, cache: Cache, env: Mapping[str, str], on_step: Callable[[str], None]) -> Artifacts:
    """Read and fetch what a manifest and its lock name, and check it; `on_step` is told of everything that takes long."""
    packages = loaded.manifest.packages.values()
    digests = Digests(cache.root, str(loaded.folder))
    cache = replace(cache, read=digests.read)
    locks, found = Locks(), env
    if any(package.is_locked for package in packages):  # resolving and building are not loaded for nothing
        from reconciler.locking.indexes import for_pip
        from reconciler.locking.use import locks as locks_of

        locks = locks_of(loaded, partial(_rebuilt, loaded, cache, env, on_step))
        more = [env[name] for package in packages for name in package.extra_index if env.get(name)]
        found = for_pip(env, more, [str(loaded.folder / path) for package in packages for path in package.find_links])
    try:
        return build(
            loaded.manifest,
            folder=loaded.folder,
            cache=cache,
            index=PipIndex(found),
            at=loaded.at,
            locks=locks,
            on_fetch=lambda requirement: on_step(f"fetching {requirement}"),
        )
    finally:
        digests.save()


def make_lock(
    loaded: Loaded,
    previous: Lock,
    upgrade: Upgrade,
    *,
    cache: Cache,
    env: Mapping[str, str],
    on_step: Callable[[str], None],
) -> Lock:
    """Resolve what the manifest requires, build what has no wheel, and return the lock."""
    from reconciler.locking.making import make
    from reconciler.locking.use import requests

    return make(requests(loaded), previous, _means(loaded, cache, env, on_step), upgrade)


def _means(loaded: Loaded, cache: Cache, env: Mapping[str, str], on_step: Callable[[str], None]) -> Means:
    from reconciler.locking.making import Means

    return Means(
        loaded.folder,
        env,
        Path(sys.prefix),
        cache,
        partial(_built, cache, env),
        partial(_python, env),
        on_step,
    )


def _python(env: Mapping[str, str], runtime: Runtime) -> Path | None:
    """Return the CPython of a runtime on this machine, if there is one."""
    from reconciler.runner import InterpreterNotFound, locate

    try:
        return locate(runtime.tag, env).path
    except InterpreterNotFound:
        return None


def _built(cache: Cache, env: Mapping[str, str], source: Path, sha256: str, label: str, request: Request) -> Made:
    """Build a wheel."""
    raise PackageError("E474", f"{label} has no wheel for {request.runtime.tag}")


def _rebuilt(
    loaded: Loaded,
    cache: Cache,
    env: Mapping[str, str],
    on_step: Callable[[str], None],
    request: Request,
    wheel: LockedWheel,
) -> Content:
    """Return a wheel that was built when the lock was made: from the cache, or built again to the very same bytes."""
    raise PackageError("E474", f"{wheel.name} was built")
