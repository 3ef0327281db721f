"""
Preparation: from a checked manifest to the desired state, with every byte at hand.

What the steps need from outside (environment, cache folder) comes in as arguments; nothing here prints or asks.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.base.errors import InvalidManifest, PackageError, Problem, UdfsError, UsageError, sort_problems
from reconciler.checks.python.project import check_each_alone, check_sources
from reconciler.packages.artifacts import Archive
from reconciler.packages.collect import collect, fetch_wheels, look_into_scripts
from reconciler.targets import adapter_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import date
    from pathlib import Path

    from reconciler.core.kind import Key
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

    forced: tuple[Problem, ...] = ()
    """What is wrong, and was to be gone past: warnings that a plan takes along, whatever becomes of it."""

    @property
    def contents(self) -> Mapping[str, Path]:
        """Return the files that may be uploaded, by their sha256."""
        return {content.sha256: content.path for content in self.artifacts.contents}


def prepare(
    loaded: Loaded, *, cache: Cache, env: Mapping[str, str], on_step: Callable[[str], None], day: date | None = None
) -> Prepared:
    """
    Read and fetch what a manifest names, check it, and conclude the desired state.

    `day` is today's; without one nothing is judged by it.
    """
    adapter = adapter_of(loaded)
    try:
        artifacts = collect(loaded, cache=cache, env=env, on_step=on_step)
    except (InvalidManifest, PackageError) as error:
        # What is wrong with packages is not in the way of what is wrong with sources.
        sources = check_each_alone(loaded, adapter.source_rules, loaded.manifest.functions)
        error.problems = tuple(sort_problems((*error.problems, *sources)))
        raise
    problems = (
        *check_sources(loaded, artifacts, adapter.source_rules, cache.root),
        *adapter.check_contents(loaded, artifacts, cache.inspections, day),
    )
    if any(problem.severity == "error" for problem in problems):
        raise InvalidManifest.of(problems)
    warnings = (*artifacts.warnings, *problems)
    if artifacts.archives:
        from reconciler.checks.python.opened_files import opened_files
        from reconciler.checks.python.undeclared import undeclared_imports

        warnings += undeclared_imports(loaded, artifacts, cache.root)
        warnings += opened_files(loaded, artifacts, adapter.source_rules, cache.root)
    forced = tuple(warning for warning in warnings if warning.is_forced)
    others = tuple(warning for warning in warnings if warning not in forced)
    idle = _idle_codes(loaded, {problem.code for problem in forced})
    return Prepared(loaded, adapter.desired_state(loaded, artifacts), artifacts, (*others, *idle), forced)


def _idle_codes(loaded: Loaded, used: AbstractSet[str]) -> Iterator[Problem]:
    """Yield a warning for each code that nothing was found of that could be gone past."""
    for code in sorted(loaded.forced - used):
        message = f"`--no-check {code}` goes past nothing: there is no such finding"
        yield Problem("E658", message, hint="leave it out", severity="warning")


def rest_problems(rest: Loaded, touched: AbstractSet[str]) -> tuple[Problem, ...]:
    """
    Return what is wrong with the lock and the sources of a manifest that is broken: of its rest, as far as that is certain.

    `touched` are the keys of the manifest that something was taken out of. Nothing is fetched.
    """
    from reconciler.packages.lock.inputs import read_requests
    from reconciler.packages.lock.use import find_stale, read_lock

    if touched & _OF_ALL:
        return ()
    problems: list[Problem] = []
    try:
        lock, requests = read_lock(rest), read_requests(rest)
        # That there is no lock is certain; for which Pythons it is needed depends on all functions.
        problems += find_stale(rest, lock, requests) if lock is None or not touched else ()
    except UdfsError as error:
        problems += error.problems
    problems += check_each_alone(rest, adapter_of(rest).source_rules, rest.manifest.functions)
    return tuple(problems)


_OF_ALL = frozenset({"python", "runtimes", "target"})
"""Keys of a manifest on which it depends how sources and locks are read."""


def look_into_lock(
    loaded: Loaded, *, cache: Cache, env: Mapping[str, str], on_step: Callable[[str], None]
) -> tuple[Problem, ...]:
    """
    Return what the wheels of a lock that was just written need and it lacks, and what scripts of Debian packages would have done.

    They are fetched for it, into the cache, where the next command looks; what is wrong with them is for that one to say.
    """
    from reconciler.checks.python.undeclared import undeclared_in_lock

    warnings: tuple[Problem, ...] = ()
    with suppress(UdfsError):
        warnings += look_into_scripts(loaded, cache=cache, env=env, on_step=on_step)
    with suppress(UdfsError):
        wheels = fetch_wheels(loaded, cache=cache, env=env, on_step=on_step)
        warnings += undeclared_in_lock(loaded, wheels, cache.root)
    return warnings


def policy_breaches(prepared: Prepared) -> list[Problem]:
    """Return what the manifest asks for and the policy does not allow."""
    if not prepared.loaded.policies:
        return []
    from reconciler.checks import policy

    return sort_problems(policy.of_manifest(prepared.loaded, prepared.desired, prepared.artifacts))


def test_problems(prepared: Prepared, cache: Path) -> list[Problem]:
    """Return what is wrong with the manifest's tests, as far as the sources tell without being run."""
    if not any(prepared.loaded.manifest.tests.values()):
        return []
    return sort_problems(adapter_of(prepared.loaded).check_tests(prepared.loaded, prepared.artifacts, cache))


def list_uploads(prepared: Prepared, only: Sequence[str] = ()) -> tuple[Upload, ...]:
    """Return every file that would be uploaded to a project that has none, by name; or what some functions need of it."""
    from reconciler.core.report import Upload

    users = _users(prepared.desired, only)
    items = [item for shipment in prepared.artifacts.shipments.values() for item in shipment.items]
    archives = {item.name.lower(): item.made_of for item in items if isinstance(item.made_of, Archive)}
    contents = {content.sha256: content for content in prepared.artifacts.contents}
    modules = {m.content.sha256: (path, m.added.count("\n")) for path, m in prepared.artifacts.modules.items()}
    return tuple(
        Upload(
            wanted.object.kind.file_name(wanted.object),
            dict(wanted.object.kind.show(wanted.object)).get("type", key.kind),
            contents[wanted.mark.sha256],
            tuple(users.get(key, ())),
            archives.get(key.name.lower()),
            modules.get(wanted.mark.sha256),
        )
        for key, wanted in sorted(prepared.desired.items())
        if wanted.mark and wanted.mark.sha256 in contents and (key in users or not only)
    )


def _users(desired: DesiredState, only: Sequence[str]) -> Mapping[Key, list[str]]:
    """Return the functions that need an object, of some or of all; a function needs itself."""
    users: dict[Key, list[str]] = defaultdict(list)
    for key, function in desired.items():
        if function.object.kind.leads and (not only or key.name in only):
            for need in (key, *function.object.kind.needs(function.object)):
                users[need].append(key.name)
    return users


def entry_module(prepared: Prepared, name: str) -> Path:
    """Return the module that a function's source is uploaded as."""
    source = prepared.artifacts.shipments[name].source
    if source is None or source.content is None:
        hint = "its class is in a resource, which is uploaded as it is"
        raise UsageError("E901", f"the function '{name}' has no source", hint=hint)
    return source.content.path
