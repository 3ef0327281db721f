"""
Files of jobs before they are uploaded: jars, archives of packages, and sources, each read and none run.

Whatever can be told of them without a cluster is; where a finding comes from says its own module.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from reconciler.base.errors import Position, Problem
from reconciler.base.inputs import SOURCE, read_input
from reconciler.checks.python.text import Page, decode, parse_source
from reconciler.packages.environment.bundles import find_depth_faults
from reconciler.packages.environment.contents import EnvironmentMember, read_environment
from reconciler.packages.environment.findings import find_pandas_faults
from reconciler.packages.inspect.files import FileFinding, shorten
from reconciler.packages.inspect.jars import find_jar_faults
from reconciler.packages.inspect.members import UNREADABLE, TooMuch, zip_members
from reconciler.packages.judged import problem_of
from reconciler.targets.flink.engines import parse_engine
from reconciler.targets.flink.job_options import functions_of, last_name
from reconciler.targets.flink.job_sources import find_opened_paths, find_paths_in_sql, judge_name, judge_path
from reconciler.targets.flink.manifest import flink_manifest

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reconciler.checks import Finding
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts
    from reconciler.targets.flink.manifest import Manifest

_OWN_CLASSES = tuple(
    f"org/apache/flink/{part}/" for part in ("api/common", "core", "runtime", "streaming/api", "table/api")
)
"""Of the engine alone: formats, connectors and catalogs, which jobs bring, have folders beside these. The choice is ours."""


def check_job_files(loaded: Loaded, artifacts: Artifacts, inspections: Path) -> Iterator[Problem]:
    """Yield what is wrong with the files of jobs and functions; `inspections` is where what archives hold is kept."""
    manifest = flink_manifest(loaded)
    yield from _judge_jars(manifest, loaded)
    members: dict[str, list[str]] = {}
    for name, package in manifest.archived.items():
        if package.archive is None:
            archives = [archive for (called, _), of in artifacts.archives.items() if called == name for archive in of]
            members[name] = [path for archive in archives for path in _list_members(archive.content.path)[1]]
            continue
        findings, members[name] = _list_members(loaded.file(package.archive))
        for finding in (*findings, *find_depth_faults(members[name])):
            yield problem_of(package.archive, finding, loaded.at("packages", name, "archive"), loaded.forced)
    modules: dict[str, _Module] = {}
    yield from _read_modules(manifest, loaded, modules)
    over_pandas: set[str] = set()
    yield from _judge_functions(manifest, loaded, modules, over_pandas)
    yield from _judge_pandas(loaded, artifacts, inspections, over_pandas, members)
    for name in manifest.jobs:
        yield from _judge_paths(name, loaded, modules)


class _Module(NamedTuple):
    page: Page
    tree: ast.Module


def _read_modules(manifest: Manifest, loaded: Loaded, modules: dict[str, _Module]) -> Iterator[Problem]:
    """Read sources and programs, by their paths; those that no Python reads are told."""
    sources = {function.source for function in manifest.registered.values()}
    python = list(manifest.usable_runtimes)[-1]  # the newest: what it does not read, none does
    for path in sorted(filter(None, {*sources, *(job.main for job in manifest.jobs.values())})):
        page, misread = decode(read_input(loaded.file(path), SOURCE), python)
        tree, refused = parse_source(page, python)
        yield from (_problem_in(path, finding, loaded) for finding in (misread or refused,) if finding is not None)
        if tree is not None:
            modules[path] = _Module(page, tree)


def _judge_functions(
    manifest: Manifest, loaded: Loaded, modules: Mapping[str, _Module], over_pandas: set[str]
) -> Iterator[Problem]:
    for name, function in manifest.registered.items():
        if function.source is None or function.source not in modules:
            continue
        shape, message, hint = judge_name(function.class_, function.source, modules[function.source].tree)
        if shape == "pandas":
            over_pandas.add(name)
        if message:
            yield loaded.problem("E344", message, "functions", name, "class", hint=hint)


def _judge_pandas(
    loaded: Loaded,
    artifacts: Artifacts,
    inspections: Path,
    over_pandas: set[str],
    members: Mapping[str, list[str]],
) -> Iterator[Problem]:
    """Yield what functions over pandas lack; what the Python of an engine has is not known here."""
    manifest = flink_manifest(loaded)
    for name, job in manifest.jobs.items():
        users = over_pandas & {*job.functions}
        packed = artifacts.environments.get(job.environment) if users and job.environment is not None else None
        if packed is None:
            continue
        archive = read_environment(packed.content.path, packed.content.sha256, inspections)
        beside = {f"{package}/{path}": EnvironmentMember(0) for package in job.packages for path in members[package]}
        whole = replace(archive, members={**archive.members, **beside})
        shown = manifest.environments[packed.name].archive or f"{packed.name}.zip"
        for finding in find_pandas_faults(whole, users):
            yield problem_of(shown, finding, loaded.at("jobs", name, "environment"), loaded.forced)


def _judge_paths(name: str, loaded: Loaded, modules: Mapping[str, _Module]) -> Iterator[Problem]:
    manifest = flink_manifest(loaded)
    job = manifest.jobs[name]
    sources, jars = functions_of(job, manifest)
    files = [last_name(path) for path in dict.fromkeys((*job.files, *job.jars, *jars))]
    folders = [archive.folder for archive in job.archive_entries]
    if job.environment is not None:
        folders.append(last_name(manifest.environments[job.environment].archive or f"{job.environment}.zip"))
    opened = [
        (path, modules[path].page, opened_path)
        for path in dict.fromkeys(filter(None, (job.main, *sources)))
        if path in modules
        for opened_path in find_opened_paths(modules[path].tree, modules[path].page)
    ]
    if job.sql is not None:
        page = Page(read_input(loaded.file(job.sql), SOURCE).decode("utf-8", "replace").replace("\r\n", "\n"))
        opened += [(job.sql, page, opened_path) for opened_path in find_paths_in_sql(page)]
    for path, page, opened_path in opened:
        for finding in judge_path(opened_path, folders, files, name, page):
            yield _problem_in(path, finding, loaded)


def _problem_in(path: str, finding: Finding, loaded: Loaded) -> Problem:
    position = Position(str(PurePath(loaded.at().file).parent / path), finding.line, finding.column)
    return Problem(
        finding.code, finding.message, position, finding.hint, finding.source, finding.width, finding.severity
    )


def _judge_jars(manifest: Manifest, loaded: Loaded) -> Iterator[Problem]:
    names = [target.engine for target in manifest.targets.values()]
    engines = [engine for name in names if (engine := parse_engine(name)) is not None] or [manifest.flink_engine]
    java = min(engine.java for engine in engines)
    for path, keys in _list_jars(manifest).items():
        for finding in find_jar_faults(loaded.file(path), java, _OWN_CLASSES):
            yield problem_of(path, finding, loaded.at(*keys), loaded.forced)


def _list_jars(manifest: Manifest) -> dict[str, tuple[str | int, ...]]:
    """Return every jar, and where the manifest names it first."""
    jars: dict[str, tuple[str | int, ...]] = {}
    for name, function in manifest.registered.items():
        if function.jar is not None:
            jars.setdefault(function.jar, ("functions", name, "jar"))
    for name, job in manifest.jobs.items():
        for index, path in enumerate(job.jars):
            jars.setdefault(path, ("jobs", name, "jars", index))
    return jars


def _list_members(path: Path) -> tuple[list[FileFinding], list[str]]:
    unsafe: list[str] = []
    try:
        names = [member.name for member in zip_members(path, unsafe)]
    except (TooMuch, *UNREADABLE) as error:
        return [FileFinding("E423", f"is not a zip archive: {error}", "pack it anew")], []
    hint = "pack it anew, without what is named"
    return [FileFinding("E421", "holds what must not be unpacked", hint, shorten(unsafe))] if unsafe else [], names
