"""Checks of jobs in a manifest: what they name is there, and nothing in `conf` says otherwise than their own keys."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, TypeAlias

from reconciler.base.words import did_you_mean, quote
from reconciler.manifest.checks.functions import check_expectations
from reconciler.manifest.checks.names import (
    check_file,
    check_files,
    check_names,
    check_repeated,
    is_identifier,
    undeclared_name,
)
from reconciler.manifest.dialect import Draft, Flaw
from reconciler.packages.environment.bundles import find_twins
from reconciler.targets.flink.job_options import KEYS_BEHIND, derive_options, last_name
from reconciler.targets.flink.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.manifest.dialect import Keys
    from reconciler.targets.flink.sections import FlinkJob, JobPackage

_Draft: TypeAlias = Draft[Manifest]

MOST_ARGUMENTS = 1_024
"""Characters of a program's arguments on the vendor's service ["Deploy a job"]."""

MOST_LABELS = 3
"""Of a deployment on the vendor's service ["Deploy a job"]; one is udfs's own."""

_JAVA_CLASS = re.compile(r"[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*\Z")


def check_functions_of_jobs(draft: _Draft) -> Iterator[Flaw]:
    """Yield functions that are neither Python's nor Java's, and such that no job uses."""
    functions = draft.manifest.registered
    yield from check_names(draft, "functions", functions, _why_no_name)
    used = {name for job in draft.manifest.jobs.values() for name in job.functions}
    for name, function in functions.items():
        here = ("functions", name)
        yield from _either(draft, here, "source", "jar")
        yield from check_expectations(draft, function.tests, here)
        if function.source is not None:
            yield from _file_ending(draft, function.source, (".py",), *here, "source")
            module = last_name(function.source).removesuffix(".py")
            if function.source.endswith(".py") and not is_identifier(module):
                message, hint = f"{quote(module)} cannot be imported", "a module's name has letters, digits and _ only"
                yield Flaw("E310", message, (*here, "source"), hint)
            if not is_identifier(function.class_):
                hint = "the name alone that the source binds: near"
                yield Flaw("E343", f"{quote(function.class_)} is no name of Python", (*here, "class"), hint)
        elif function.jar is not None:
            yield from _file_ending(draft, function.jar, (".jar",), *here, "jar")
            if not _JAVA_CLASS.match(function.class_):
                hint = "as in com.example.Upper"
                yield Flaw("E343", f"{quote(function.class_)} is no name of a class in Java", (*here, "class"), hint)
        if name not in used:
            hint = "name it under a job's `functions:`"
            yield Flaw("E312", f"no job uses the function {quote(name)}", here, hint, True, True)


def check_package_archives(draft: _Draft) -> Iterator[Flaw]:
    """Yield archives of packages that are not there, and such that no job uses."""
    used = {name for job in draft.manifest.jobs.values() for name in job.packages}
    for name, package in draft.manifest.archived.items():
        if name in draft.manifest.environments:
            message = f"{quote(name)} cannot be the name of a package"
            hint = f"an environment has it, at {draft.where('environments', name, at_key=True)}"
            yield Flaw("E302", message, ("packages", name), hint, at_key=True)
        yield from _made_of(draft, name, package)
        if name not in used:
            hint = "name it under a job's `packages:`"
            yield Flaw("E312", f"no job uses the package {quote(name)}", ("packages", name), hint, True, True)


def _made_of(draft: _Draft, name: str, package: JobPackage) -> Iterator[Flaw]:
    """Yield what is wrong with the keys that say what a package is made of."""
    here, written = ("packages", name), draft.document.value("packages", name)
    if package.archive is not None:
        yield from _file_ending(draft, package.archive, (".zip",), *here, "archive")
        for key in written:
            if key != "archive":
                message = f"{quote(key)} has no use beside 'archive': nothing is made there"
                yield Flaw("E338", message, (*here, key), "leave out the one or the other", at_key=True)
    elif not package.names_wheels:
        message = f"the package {quote(name)} names nothing to ship"
        yield Flaw("E201", message, here, "write `archive:`, `requirements:`, `requirements_file:` or `wheels:`")
    if package.python is not None:
        yield from check_python(draft, package.python, *here, "python")


def _unknown_pythons(draft: _Draft, job: FlinkJob, here: Keys) -> Iterator[Flaw]:
    """Yield packages that are made here for a Python that nothing names."""
    for index, name in enumerate(job.packages):
        package = draft.manifest.archived.get(name)
        if package is None or not package.names_wheels or job.environment is not None:
            continue
        if draft.manifest.python_of(job, name) is None:
            message = f"which Python imports {quote(name)} is not known: the job names no environment"
            hint = f"name the Python of the cluster's workers: packages: {{{name}: {{python: cp311}}}}"
            yield Flaw("E349", message, (*here, "packages", index), hint)


def check_python(draft: _Draft, tag: str, *keys: str | int) -> Iterator[Flaw]:
    """Yield that the engine's PyFlink is not made for a Python."""
    runtimes = draft.manifest.usable_runtimes
    if tag not in runtimes:
        hint = did_you_mean(tag, runtimes) or f"it is for {', '.join(runtimes)}"
        yield Flaw("E337", f"PyFlink of {draft.manifest.engine.name} is not made for {quote(tag)}", keys, hint)


def check_jobs(draft: _Draft) -> Iterator[Flaw]:
    """Yield what is wrong with each job by itself."""
    jobs = draft.manifest.jobs
    for name, job in jobs.items():
        here = ("jobs", name)
        yield from _either(draft, here, "main", "sql")
        if job.main is not None:
            yield from _file_ending(draft, job.main, (".py",), *here, "main")
        if job.sql is not None:
            yield from check_file(draft, job.sql, *here, "sql")
        yield from _names(draft, job, here)
        yield from _unknown_pythons(draft, job, here)
        yield from check_files(draft, job.jars, *here, "jars")
        yield from check_files(draft, job.files, *here, "files")
        for index, archive in enumerate(job.archive_entries):
            is_text = isinstance(job.archives[index], str)
            yield from check_file(draft, archive.file, *here, "archives", index, *(() if is_text else ("file",)))
        yield from _twins(draft, job, here)
        yield from _options(draft, job, here)
        yield from _limits(draft, job, here)


def _why_no_name(name: str) -> str | None:
    return None if is_identifier(name) else "letters, digits and _ only, as SQL has it"


def _either(draft: _Draft, here: Keys, first: str, second: str) -> Iterator[Flaw]:
    present = draft.document.value(*here).keys() & {first, second}
    if len(present) == 2:
        message = f"{quote(first)} and {quote(second)} exclude each other"
        yield Flaw("E204", message, (*here, second), "leave out the one or the other", at_key=True)
    elif not present:
        message = f"the {str(here[0])[:-1]} {quote(str(here[1]))} needs the key {quote(first)} or {quote(second)}"
        yield Flaw("E201", message, here, f"write {first}: PATH, or {second}: PATH")


def _file_ending(draft: _Draft, path: str, endings: tuple[str, ...], *keys: str | int) -> Iterator[Flaw]:
    if path.endswith(endings):
        yield from check_file(draft, path, *keys)
    else:
        yield Flaw("E203", f"{quote(path)} has another ending than {' or '.join(endings)}", keys, "name another file")


def _names(draft: _Draft, job: FlinkJob, here: Keys) -> Iterator[Flaw]:
    lists: tuple[tuple[str, list[str], Iterable[str]], ...] = (
        ("functions", job.functions, draft.manifest.registered.keys()),
        ("packages", job.packages, draft.manifest.archived.keys()),
    )
    for section, texts, declared in lists:
        yield from check_repeated(texts, *here, section)
        for index, text in enumerate(texts):
            if text not in declared:
                yield undeclared_name(draft, text, (*here, section, index), declared)
    if job.environment is not None and job.environment not in draft.manifest.environments:
        names = ", ".join(draft.manifest.environments)
        otherwise = f"declared: {names}" if names else "declare it under `environments:`"
        hint = did_you_mean(job.environment, draft.manifest.environments) or otherwise
        message = f"the environment {quote(job.environment)} is not declared under `environments:`"
        yield Flaw("E301", message, (*here, "environment"), hint)


def _twins(draft: _Draft, job: FlinkJob, here: Keys) -> Iterator[Flaw]:
    """Yield files that would lie under one name: in the folder of files, in that of archives, or where modules are looked for."""
    files: dict[str, Keys] = {path: (*here, "files", index) for index, path in enumerate(job.files)}
    files |= {path: (*here, "jars", index) for index, path in enumerate(job.jars)}
    modules: dict[str, Keys] = {job.main: (*here, "main")} if job.main else {}
    for path, keys in _shipped_by_name(job, draft.manifest, here):
        (files if path.endswith(".jar") else modules).setdefault(path, keys)
    for places in (files, modules):
        yield from _same_names({path: last_name(path) for path in places}, places)
    yield from _same_folders(draft, job, here)


def _shipped_by_name(job: FlinkJob, manifest: Manifest, here: Keys) -> Iterator[tuple[str, Keys]]:
    """Yield the files of the functions and packages that a job names."""
    for index, name in enumerate(job.functions):
        function = manifest.registered.get(name)
        path = function and (function.jar or function.source)
        if path:
            yield path, (*here, "functions", index)
    for index, name in enumerate(job.packages):
        if name in manifest.archived:
            yield manifest.archived[name].file(name), (*here, "packages", index)


def _same_folders(draft: _Draft, job: FlinkJob, here: Keys) -> Iterator[Flaw]:
    folders: dict[str, str] = {}
    places: dict[str, Keys] = {}
    if job.environment is not None and job.environment in draft.manifest.environments:
        environment = draft.manifest.environments[job.environment]
        folders["the environment"] = last_name(environment.archive or f"{job.environment}.zip")
        places["the environment"] = (*here, "environment")
    for index, archive in enumerate(job.archive_entries):
        label = f"{archive.file} as {archive.folder}"
        folders[label], places[label] = archive.folder, (*here, "archives", index)
    yield from _same_names(folders, places)


def _same_names(names: Mapping[str, str], places: Mapping[str, Keys]) -> Iterator[Flaw]:
    for origin, finding in find_twins(names):
        other = finding.detail[0]
        hint = f"the other is {quote(other)}; {finding.hint}"
        yield Flaw(finding.code, f"{quote(origin)} {finding.message}", places[origin], hint)


def _options(draft: _Draft, job: FlinkJob, here: Keys) -> Iterator[Flaw]:
    derived = derive_options(job, draft.manifest)
    for name, text in job.conf.items():
        keys = (*here, "conf", name)
        if name in derived and not derived[name].agrees(text):
            message = f"{quote(name)} is {quote(text)} here, and {quote(derived[name].value)} by the job's own keys"
            hint = f"leave it out; `{KEYS_BEHIND[name]}:` decides it"
            yield Flaw("E340", message, keys, hint)
        elif name == "python.executable" and name not in derived and not text.startswith("/") and "/" in text:
            folders = [archive.folder for archive in job.archive_entries]
            if text.partition("/")[0] not in folders:
                message = f"{quote(text)} lies in no archive of the job"
                has = f"it has {', '.join(map(quote, folders))}; " if folders else ""
                yield Flaw("E346", message, keys, f"{has}name an environment instead: `environment: NAME`")


def _limits(draft: _Draft, job: FlinkJob, here: Keys) -> Iterator[Flaw]:
    vendor = draft.manifest.vendor_engines
    if not vendor:
        return
    if (length := len(shlex.join(job.args))) > MOST_ARGUMENTS:
        message = f"the arguments have {length:,} characters, and {vendor[0].name} takes {MOST_ARGUMENTS:,}"
        yield Flaw("E341", message, (*here, "args"), "put them into a file under `files:`", at_key=True)
    if len(job.labels) >= MOST_LABELS:
        count = len(job.labels)
        message = f"{count} labels and the one of udfs are {count + 1}, and {vendor[0].name} takes {MOST_LABELS}"
        yield Flaw("E342", message, (*here, "labels"), f"keep {MOST_LABELS - 1} of them", at_key=True)
