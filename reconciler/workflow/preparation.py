"""
Preparation: from a checked manifest to the desired state, with every byte at hand.

What the steps need from outside (environment, cache folder) comes in as arguments; nothing here prints or asks.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.base.errors import InvalidManifest, UdfsError, UsageError, sort_problems
from reconciler.checks.python.project import check_sources
from reconciler.packages.artifacts import Archive
from reconciler.packages.collect import collect, fetch_wheels
from reconciler.targets import adapter_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from reconciler.base.errors import Problem
    from reconciler.core.report import Upload
    from reconciler.core.state import DesiredState
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts
    from reconciler.packages.fetch.cache import Cache


@dataclass(frozen=True)
class Prepared:
    """A manifest with every byte that it names at hand."""

    loaded: Loaded
    desired: DesiredState
    artifacts: Artifacts
    warnings: tuple[Problem, ...] = ()
    """What may go wrong and need not."""

    @property
    def contents(self) -> Mapping[str, Path]:
        """Return the files that may be uploaded, by their sha256."""
        return {content.sha256: content.path for content in self.artifacts.contents}


def prepare(loaded: Loaded, *, cache: Cache, env: Mapping[str, str], on_step: Callable[[str], None]) -> Prepared:
    """Read and fetch what a manifest names, check it, and conclude the desired state."""
    adapter = adapter_of(loaded)
    artifacts = collect(loaded, cache=cache, env=env, on_step=on_step)
    problems = check_sources(loaded, artifacts, adapter.source_rules, cache.root)
    if any(problem.severity == "error" for problem in problems):
        raise InvalidManifest.of(problems)
    warnings = (*artifacts.warnings, *problems)
    if artifacts.archives:
        from reconciler.checks.python.opened_files import opened_files
        from reconciler.checks.python.undeclared import undeclared_imports

        warnings += undeclared_imports(loaded, artifacts, cache.root)
        warnings += opened_files(loaded, artifacts, adapter.source_rules, cache.root)
    return Prepared(loaded, adapter.desired_state(loaded, artifacts), artifacts, warnings)


def look_into_lock(
    loaded: Loaded, *, cache: Cache, env: Mapping[str, str], on_step: Callable[[str], None]
) -> tuple[Problem, ...]:
    """
    Return what the wheels of a lock that was just written need and it lacks.

    They are fetched for it, into the cache, where the next command looks; what is wrong with them is for that one to say.
    """
    from reconciler.checks.python.undeclared import undeclared_in_lock

    with suppress(UdfsError):
        return undeclared_in_lock(loaded, fetch_wheels(loaded, cache=cache, env=env, on_step=on_step), cache.root)
    return ()


def policy_breaches(prepared: Prepared) -> list[Problem]:
    """Return what the manifest asks for and the policy does not allow."""
    if not prepared.loaded.policies:
        return []
    from reconciler.checks import policy

    return sort_problems(policy.of_manifest(prepared.loaded, prepared.desired, prepared.artifacts))


def test_problems(prepared: Prepared) -> list[Problem]:
    """Return what is wrong with the manifest's tests, as far as the sources tell without being run."""
    if not any(function.tests for function in prepared.loaded.manifest.functions.values()):
        return []
    return sort_problems(adapter_of(prepared.loaded).check_tests(prepared.loaded))


def list_uploads(prepared: Prepared, only: Sequence[str] = ()) -> tuple[Upload, ...]:
    """Return every file that would be uploaded to a project that has none, by name; or what some functions need of it."""
    from reconciler.core.report import Upload

    chosen = {*only} or {*prepared.artifacts.shipments}
    users: dict[str, list[str]] = defaultdict(list)
    archives: dict[str, Archive] = {}
    for name, shipment in prepared.artifacts.shipments.items():
        for item in shipment.items if name in chosen else ():
            if item.elsewhere is None:
                users[item.name.lower()].append(name)
            if isinstance(item.made_of, Archive):
                archives[item.name.lower()] = item.made_of
    contents = {content.sha256: content for content in prepared.artifacts.contents}
    modules = {m.content.sha256: (path, m.added.count("\n")) for path, m in prepared.artifacts.modules.items()}
    return tuple(
        Upload(
            wanted.object.name,
            dict(wanted.object.kind.show(wanted.object)).get("type", key.kind),
            contents[wanted.mark.sha256],
            tuple(users.get(key.name.lower(), ())),
            archives.get(key.name.lower()),
            modules.get(wanted.mark.sha256),
        )
        for key, wanted in sorted(prepared.desired.items())
        if wanted.mark and wanted.mark.sha256 and (key.name.lower() in users or not only)
    )


def entry_module(prepared: Prepared, name: str) -> Path:
    """Return the module that a function's source is uploaded as."""
    source = prepared.artifacts.shipments[name].source
    if source is None or source.content is None:
        hint = "its class is in a resource, which is uploaded as it is"
        raise UsageError("E901", f"the function '{name}' has no source", hint=hint)
    return source.content.path
