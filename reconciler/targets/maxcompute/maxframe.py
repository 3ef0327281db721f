"""
A package as Python code for MaxFrame jobs: one decorator, which says what a job's functions are to find.

MaxFrame has two ways [maxframe 2.9, udf.py]: ``with_resources`` names what lies in the project already, and
``with_python_requirements`` has the service resolve, fetch and pack by itself ["Automated packaging service"]. Both come
from the same lock here, so that a job computes with the versions that the SQL functions have.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from reconciler.base.errors import InvalidManifest, UsageError
from reconciler.base.words import did_you_mean, quote
from reconciler.core.report import PackageExport
from reconciler.packages.lock import use
from reconciler.packages.lock.inputs import read_requests
from reconciler.targets.maxcompute.manifest import target_of
from reconciler.targets.maxcompute.names import Reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.manifest.load import Loaded
    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.artifacts import Artifacts
    from reconciler.packages.lock.file import Group

PYTHONS = ("cp37", "cp311")
"""The runtimes that MaxFrame jobs can be on: its client is published for Python 3.7 and later."""


_WHERE = """
Archives are unpacked below work/, each into a folder of its name; that MaxFrame puts these on sys.path is not
documented. If an import fails: sys.path.insert(0, "work/NAME.zip") inside the function.
"""


def export_package(
    loaded: Loaded, package: str, python: str | None, *, as_requirements: bool, collect: Callable[[], Artifacts]
) -> PackageExport:
    runtime = _runtime(loaded, package, python)
    return _requirements(loaded, package, runtime) if as_requirements else _resources(loaded, package, runtime, collect)


def _runtime(loaded: Loaded, package: str, python: str | None) -> Runtime:
    """Return the runtime that is meant: of those that functions use the package on, and that MaxFrame has."""
    used, default = _used_runtimes(loaded, package), loaded.manifest.python
    tags = [tag for tag in used if tag in PYTHONS]
    if python not in {None, *tags} or not tags:
        message = f"no function on {python or 'a Python that MaxFrame has'} uses '{package}'"
        raise UsageError("E463", message, hint=f"used with: {', '.join(tags or used)}")
    if python is None and len(tags) > 1 and default not in tags:
        raise UsageError("E901", f"functions of {' and '.join(tags)} use '{package}'", hint="name one with --python")
    return loaded.runtimes[python or (default if default in tags else tags[0])]


def _used_runtimes(loaded: Loaded, package: str) -> tuple[str, ...]:
    """Return the runtimes that functions use a package on; the manifest's own if none does."""
    declared = loaded.manifest
    if package not in declared.packages:
        hint = did_you_mean(package, declared.packages) or f"it has: {', '.join(declared.packages) or 'none'}"
        raise UsageError("E901", f"the manifest has no package {quote(package)}", hint=hint)
    functions = declared.functions.values()
    users = [function.python or declared.python for function in functions if package in function.packages]
    return tuple(dict.fromkeys(users or [declared.python]))


def _resources(loaded: Loaded, package: str, runtime: Runtime, collect: Callable[[], Artifacts]) -> PackageExport:
    artifacts = collect()
    archives = artifacts.archives.get((package, runtime.tag))
    if archives is None:
        message = f"no function uses '{package}', so `udfs apply` does not upload it"
        raise UsageError("E463", message, hint="let a function name it, or give --requirements")
    names = [archive.name for archive in archives]
    names += [library.name for _, library in artifacts.libraries_of([package])]
    target = target_of(loaded)
    resources = tuple(str(Reference(name, target.project, target.schema_)) for name in names)
    return _export(loaded, package, runtime, resources=resources)


def _requirements(loaded: Loaded, package: str, runtime: Runtime) -> PackageExport:
    lock = use.read_lock(loaded)
    if problems := use.find_stale(loaded, lock, read_requests(loaded)):
        raise InvalidManifest.of(problems)
    declared = loaded.manifest.packages[package]
    group = lock.group(package, runtime.tag) if lock and declared.is_locked else None
    files = [file for file in group.files if file.carries is None] if group else []
    wheels = (wheel for wheel in declared.wheels if isinstance(wheel, str))
    if in_folder := [*_built_here(group), *wheels, *declared.library_files, *_taken_from_wheels(group)]:
        message = f"'{in_folder[0]}' is no file of an index, and MaxFrame's packaging fetches from one"
        raise UsageError("E463", message, hint="leave out --requirements: an apply uploads it")
    pins = (wheel.requirement for wheel in declared.wheels if not isinstance(wheel, str))
    return _export(
        loaded,
        package,
        runtime,
        requirements=tuple(dict.fromkeys([*(f"{file.name}=={file.version}" for file in files), *pins])),
        prefer_binary=group is not None and group.inputs.prefer_binary,
        pre_release=group is not None and group.inputs.pre_release,
    )


def _taken_from_wheels(group: Group | None) -> list[str]:
    """Return the libraries that are taken out of wheels."""
    return [file.carries for file in group.files if file.carries] if group else []


def _built_here(group: Group | None) -> list[str]:
    """Return the files of a lock that lie in the manifest's folder, or are built from what lies there."""
    if group is None:
        return []
    local = group.inputs.local
    return [file.file for file in group.files if file.path or (file.source and file.source.file in local)]


def _export(
    loaded: Loaded,
    package: str,
    runtime: Runtime,
    *,
    resources: tuple[str, ...] = (),
    requirements: tuple[str, ...] = (),
    prefer_binary: bool = False,
    pre_release: bool = False,
) -> PackageExport:
    """Return an export with its code: a module that defines the decorator."""
    stack, function = loaded.manifest.stack, "with_resources" if resources else "with_python_requirements"
    # Not as the package, which a job may import by that name.
    decorator = "with_" + re.sub(r"\W", "_", package, flags=re.ASCII)
    options = {"prefer_binary": prefer_binary, "pre_release": pre_release} if requirements else {}
    arguments = [json.dumps(text, ensure_ascii=False) for text in (resources or requirements)]
    arguments += [f"{key}=True" for key, is_set in options.items() if is_set]
    code = "".join((
        f'"""\nPackage {package} of stack {stack}, as it is for {runtime.tag} ({runtime.name}).\n',
        *([] if requirements else [_WHERE]),
        '"""\n\n',
        f"from maxframe.udf import {function}\n\n",
        f"{decorator} = {function}(\n",
        *(f"    {argument},\n" for argument in arguments),
        ")\n",
        f'"""Decorates functions of a job: @{decorator}"""\n',
    ))  # fmt: skip
    return PackageExport(stack, package, runtime.tag, resources, requirements, prefer_binary, pre_release, code)
