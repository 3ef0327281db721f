"""export: the Python code by which a MaxFrame job uses a package."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import InvalidManifest, UsageError
from reconciler.base.names import Reference
from reconciler.cli.support.options import Options, command, manifest_options
from reconciler.cli.support.output import note
from reconciler.cli.support.project import open_manifest, user_cache
from reconciler.cli.support.result import Result
from reconciler.packages.collect import collect
from reconciler.packages.lock import use
from reconciler.packages.lock.inputs import read_requests
from reconciler.targets.maxcompute.manifest import target_of
from reconciler.targets.maxcompute.maxframe import MaxframeExport, export_of

if TYPE_CHECKING:
    from reconciler.manifest.load import Loaded
    from reconciler.manifest.model import Package
    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.lock.file import Group

MAXFRAME = ("cp37", "cp311")
"""The runtimes that MaxFrame jobs can be on: its client is published for Python 3.7 and later."""


@command()
@click.argument("what", metavar="maxframe", type=click.Choice(["maxframe"]))
@click.argument("package")
@click.option(
    "--requirements", is_flag=True, help="Exact versions for MaxFrame's own packaging, in place of uploaded archives."
)
@click.option("--python", type=click.Choice(MAXFRAME), help="Of which runtime, where functions of several use it.")
@manifest_options
def export(options: Options, what: str, package: str, python: str | None, requirements: bool) -> Result:
    """Print the Python code by which a MaxFrame job uses a PACKAGE of the manifest.

    The job gets the archives that `udfs apply` uploads, or with --requirements the same versions, packed by MaxFrame.
    """
    manifest = open_manifest(options)
    runtime = _runtime(manifest, package, python)
    exported = export_of((_requirements if requirements else _resources)(manifest, package, runtime))
    if options.as_json:
        from reconciler.render.documents.export import export_document

        return Result(export_document(exported))
    return Result(exported.code)


def _runtime(manifest: Loaded, package: str, python: str | None) -> Runtime:
    """Return the runtime that is meant: of those that functions use the package on, and that MaxFrame has."""
    used, default = _used_runtimes(manifest, package), manifest.manifest.python
    tags = [tag for tag in used if tag in MAXFRAME]
    if python not in {None, *tags} or not tags:
        message = f"no function on {python or 'a Python that MaxFrame has'} uses '{package}'"
        raise UsageError("E463", message, hint=f"used with: {', '.join(tags or used)}")
    if python is None and len(tags) > 1 and default not in tags:
        raise UsageError("E901", f"functions of {' and '.join(tags)} use '{package}'", hint="name one with --python")
    return manifest.runtimes[python or (default if default in tags else tags[0])]


def _used_runtimes(manifest: Loaded, package: str) -> tuple[str, ...]:
    """Return the runtimes that functions use a package on; the manifest's own if none does."""
    declared = manifest.manifest
    if package not in declared.packages:
        hint = f"it has: {', '.join(declared.packages) or 'none'}"
        raise UsageError("E901", f"the manifest has no package '{package}'", hint=hint)
    functions = declared.functions.values()
    users = [function.python or declared.python for function in functions if package in function.packages]
    return tuple(dict.fromkeys(users or [declared.python]))


def _resources(manifest: Loaded, package: str, runtime: Runtime) -> MaxframeExport:
    artifacts = collect(manifest, cache=user_cache(), env=os.environ, on_step=note)
    archives = artifacts.archives.get((package, runtime.tag))
    if archives is None:
        message = f"no function uses '{package}', so `udfs apply` does not upload it"
        raise UsageError("E463", message, hint="let a function name it, or give --requirements")
    names = [archive.name for archive in archives]
    names += [library.name for _, library in artifacts.libraries_of([package])]
    target = target_of(manifest)
    resources = tuple(str(Reference(name, target.project, target.schema_)) for name in names)
    return MaxframeExport(package, manifest.manifest.stack, runtime, resources=resources)


def _requirements(manifest: Loaded, package: str, runtime: Runtime) -> MaxframeExport:
    lock = use.read_lock(manifest)
    if problems := use.find_stale(manifest, lock, read_requests(manifest)):
        raise InvalidManifest.of(problems)
    declared = manifest.manifest.packages[package]
    group = lock.group(package, runtime.tag) if lock and declared.is_locked else None
    files = group.files if group else []
    if in_folder := [*_built_here(group), *_paths(declared)]:
        message = f"'{in_folder[0]}' lies in the manifest's folder, and MaxFrame's packaging fetches from an index"
        raise UsageError("E463", message, hint="leave out --requirements: an apply uploads it")
    pins = (wheel.requirement for wheel in declared.wheels if not isinstance(wheel, str))
    return MaxframeExport(
        package,
        manifest.manifest.stack,
        runtime,
        requirements=tuple(dict.fromkeys([*(f"{file.name}=={file.version}" for file in files), *pins])),
        prefer_binary=group is not None and group.inputs.prefer_binary,
        pre_release=group is not None and group.inputs.pre_release,
    )


def _built_here(group: Group | None) -> list[str]:
    """Return the files of a lock that lie in the manifest's folder, or are built from what lies there."""
    if group is None:
        return []
    local = group.inputs.local
    return [file.file for file in group.files if file.path or (file.source and file.source.file in local)]


def _paths(package: Package) -> list[str]:
    return [*(wheel for wheel in package.wheels if isinstance(wheel, str)), *package.libraries]
