"""sbom, export."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import __version__
from reconciler.base.errors import InvalidManifest, UsageError, count
from reconciler.base.names import Reference
from reconciler.cli.dump import write_whole
from reconciler.cli.support.options import Options, cache, command, loaded, manifest_options
from reconciler.cli.support.output import note, print_document
from reconciler.packages.collect import collect
from reconciler.packages.inventory import take_inventory
from reconciler.packages.lock import use
from reconciler.packages.lock.inputs import read_requests
from reconciler.render import documents as document
from reconciler.render import maxframe
from reconciler.targets.maxcompute.manifest import target_of

if TYPE_CHECKING:
    from reconciler.manifest.load import Loaded
    from reconciler.manifest.runtimes import Runtime

MAXFRAME = ("cp37", "cp311")
"""The runtimes that MaxFrame jobs can be on: its client is published for Python 3.7 and later."""


@command()
@manifest_options
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead of stdout.")
def sbom(options: Options, out: Path | None) -> None:
    """List everything the functions ship that others made, as CycloneDX 1.6 JSON: wheels and native libraries.

    Names, versions, sha256, licences, and what came along with what. The same manifest and lock give the same bytes.
    """
    try:
        from reconciler.render.sbom import sbom as rendered
    except ModuleNotFoundError as error:
        raise UsageError(
            "E462", f"{error.name}, which writes CycloneDX, is not installed", hint="pip install 'udfs[sbom]'"
        ) from error
    manifest = loaded(options)
    artifacts = collect(manifest, cache=cache(), env=os.environ, on_step=note)
    found = take_inventory(manifest.manifest.stack, artifacts.shipments.values(), use.read(manifest))
    text = rendered(found, __version__)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_whole(out, text.encode())
        note(f"wrote {out}: {count(len(found.parts), 'component')}")


@command()
@click.argument("what", metavar="maxframe", type=click.Choice(["maxframe"]))
@click.argument("package")
@click.option(
    "--requirements", is_flag=True, help="Exact versions for MaxFrame's own packaging, in place of uploaded archives."
)
@click.option("--python", type=click.Choice(MAXFRAME), help="Of which runtime, where functions of several use it.")
@manifest_options
def export(options: Options, what: str, package: str, python: str | None, requirements: bool) -> None:
    """Print the Python code by which a MaxFrame job uses a PACKAGE of the manifest.

    The job gets the archives that `udfs apply` uploads, or with --requirements the same versions, packed by MaxFrame.
    """
    manifest = loaded(options)
    runtime = _runtime(manifest, package, python)
    made = _requirements(manifest, package, runtime) if requirements else _resources(manifest, package, runtime)
    if options.as_json:
        print_document(document.export(made))
    else:
        click.echo(maxframe.code(made), nl=False)


def _runtime(manifest: Loaded, package: str, python: str | None) -> Runtime:
    found = manifest.manifest
    if package not in found.packages:
        hint = f"it has: {', '.join(found.packages)}" if found.packages else "it has none"
        raise UsageError("E901", f"the manifest has no package '{package}'", hint=hint)
    users = [one.python or found.python for one in found.functions.values() if package in one.packages]
    tags = [tag for tag in dict.fromkeys(users or [found.python]) if tag in MAXFRAME]
    if python is None and len(tags) > 1 and found.python not in tags:
        raise UsageError("E901", f"functions of {' and '.join(tags)} use '{package}'", hint="name one with --python")
    tag = python or (found.python if found.python in tags else next(iter(tags), None))
    if tag is None or tag not in tags:
        message = f"no function on {python or 'a Python that MaxFrame has'} uses '{package}'"
        raise UsageError("E463", message, hint=f"used with: {', '.join(tags) or ', '.join(dict.fromkeys(users))}")
    return manifest.runtimes[tag]


def _resources(manifest: Loaded, package: str, runtime: Runtime) -> maxframe.Exported:
    artifacts = collect(manifest, cache=cache(), env=os.environ, on_step=note)
    archives = artifacts.archives.get((package, runtime.tag))
    if archives is None:
        message = f"no function uses '{package}', so `udfs apply` does not upload it"
        raise UsageError("E463", message, hint="let a function name it, or give --requirements")
    names = [*(one.name for one in archives), *(library.name for _, library in artifacts.libraries_of([package]))]
    found = tuple(str(Reference(name, target_of(manifest).project, target_of(manifest).schema_)) for name in names)
    return maxframe.Exported(package, manifest.manifest.stack, runtime, resources=found)


def _requirements(manifest: Loaded, package: str, runtime: Runtime) -> maxframe.Exported:
    lock = use.read(manifest)
    if problems := use.stale(manifest, lock, read_requests(manifest)):
        raise InvalidManifest.of(problems)
    declared = manifest.manifest.packages[package]
    group = lock.group(package, runtime.tag) if lock and declared.is_locked else None
    files = group.files if group else []
    local = group.inputs.local if group else {}
    own = [one.file for one in files if one.path or (one.source and one.source.file in local)]
    own += [*(one for one in declared.wheels if isinstance(one, str)), *declared.libraries]
    if own:
        message = f"'{own[0]}' lies in the manifest's folder, and MaxFrame's packaging fetches from an index"
        raise UsageError("E463", message, hint="leave out --requirements: an apply uploads it")
    pins = (one.requirement for one in declared.wheels if not isinstance(one, str))
    return maxframe.Exported(
        package,
        manifest.manifest.stack,
        runtime,
        requirements=tuple(dict.fromkeys([*(f"{one.name}=={one.version}" for one in files), *pins])),
        prefer_binary=group is not None and group.inputs.prefer_binary,
        pre_release=group is not None and group.inputs.pre_release,
    )
