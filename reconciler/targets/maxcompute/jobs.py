"""
Jobs for the runner: a function's class, the bytes of its resources and the rows of its tables, from the manifest or from a
project.
"""

from __future__ import annotations

from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING

from reconciler.base.errors import UsageError
from reconciler.base.hints import Command
from reconciler.local import runner
from reconciler.local.runner import Job, Json, ResourceFile, ResourceUnusable, RunnerError, TableResource
from reconciler.targets.maxcompute.manifest import manifest_of
from reconciler.targets.maxcompute.objects import WITH_CONTENT, Function, Resource, function_key, resource_key
from reconciler.targets.maxcompute.signature import parse_signature
from reconciler.testing.row_files import RowFile
from reconciler.testing.row_programs import RowProgram

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reconciler.core.state import DesiredState
    from reconciler.core.target import Target
    from reconciler.local import ProvidedTable
    from reconciler.local.runner import Interpreter
    from reconciler.manifest.load import Loaded
    from reconciler.manifest.model import Table
    from reconciler.packages.artifacts import Artifacts, Item
    from reconciler.targets.maxcompute.names import Reference
    from reconciler.targets.powers import Machine
    from reconciler.testing.types import Type


def manifest_program(
    loaded: Loaded, desired: DesiredState, artifacts: Artifacts, name: str, machine: Machine
) -> RowProgram:
    """Return what runs a function of the manifest, and the CPython for it; each is looked for once."""
    job = manifest_job(loaded, desired, artifacts, name)
    kind = job.runtime, is_pure(job)
    if kind not in machine.interpreters:
        try:
            machine.interpreters[kind] = locate_interpreter(job, machine)
        except RunnerError as error:
            machine.interpreters[kind] = error
    interpreter = machine.interpreters[kind]
    if isinstance(interpreter, Exception):
        raise interpreter
    return RowProgram(interpreter, job, machine.archives)


def locate_interpreter(job: Job, machine: Machine) -> Interpreter:
    """
    Return the CPython of a job.

    For pure code of the newest runtime the Python that runs this program may stand in, and a note says so.
    """
    # What the two understand differs little. An older runtime is never replaced: finding its differences is the point.
    substitute = machine.own_python if job.runtime == "cp311" and is_pure(job) else None
    interpreter = runner.locate(job.runtime, machine.environment, machine.python, substitute)
    if interpreter.stands_in_for:
        machine.note(
            f"no CPython for {job.runtime} is on this machine; Python {interpreter.release} stands in (see: udfs doctor)"
        )
    return interpreter


def is_pure(job: Job) -> bool:
    """Say whether nothing that a function ships can hold compiled code."""
    return not any(
        resource.type in {"archive", "jar"} or runner.is_extension(resource.name) for resource in job.resources
    )


def manifest_job(loaded: Loaded, desired: DesiredState, artifacts: Artifacts, name: str) -> Job:
    """
    Return what runs a function of the manifest: the bytes and names that an apply would upload, without any target.

    Raises `ResourceUnusable` where that is not enough to run it here.
    """
    function = desired[function_key(name)].object
    assert isinstance(function, Function)
    shipment = artifacts.shipments[function.name]
    files = tuple(_resource_file(item, loaded) for item in shipment.items)
    declared = loaded.manifest.functions[function.name]
    distributions = tuple(loaded.manifest.installed_distributions(declared))
    runtime = shipment.runtime
    return Job(function.class_path, files, runtime.tag, runtime.machine, declared.is_contained or None, distributions)


def _resource_file(item: Item, loaded: Loaded) -> ResourceFile:
    if item.type is None:
        raise ResourceUnusable(
            f"resource {item.elsewhere or item.name} is in another project, and only what the manifest declares can be laid out here",
            hint="declare a copy of it under resources:",
        )
    if item.type == "table":
        return _table(item.name, loaded)
    return ResourceFile(item.name, item.type, item.content.path if item.content else None)  # type: ignore[arg-type]


def deployed_job(loaded: Loaded, target: Target, name: str, folder: Path) -> Job | None:
    """
    Return what runs a deployed function, its resources downloaded to `folder`; None if it is not deployed.

    What is run is what the service holds, not what the manifest says: `call` after `apply` proves the road.
    """
    live = target.read_one(function_key(name))
    if live is None:
        return None
    assert isinstance(live.object, Function)
    files = tuple(
        _download(ref, loaded, target, folder / str(index)) for index, ref in enumerate(live.object.resources)
    )
    runtime = loaded.runtime_of(name)
    declared = loaded.function(name)
    is_contained = declared is not None and declared.is_contained
    distributions = None if declared is None else tuple(loaded.manifest.installed_distributions(declared))
    return Job(live.object.class_path, files, runtime.tag, runtime.machine, is_contained or None, distributions)


def _download(ref: Reference, loaded: Loaded, target: Target, path: Path) -> ResourceFile:
    """Fetch a resource to `path`, which is ours to choose: the names of a service never become paths of this machine."""
    if not ref.is_own:
        raise UsageError(
            "E705",
            f"resource {ref} is in another project, and only this project's can be fetched",
            hint="declare a copy of it under resources:",
        )
    live = target.read_one(resource_key(ref.name))
    if live is None:
        raise UsageError(
            "E705", f"resource {ref.name} is not in the project", hint=(Command("plan"), " shows what is missing")
        )
    assert isinstance(live.object, Resource)
    name = live.object.name
    # Whether it can name a file in the function's folder, and nothing outside it.
    if not name.isprintable() or not name.strip(".") or any(mark in name for mark in ("/", "\\", "..")):
        raise UsageError("E705", f"the resource's name {name!r} is not one that a file here can have")
    if live.object.type == "table":
        return _table(live.object.name, loaded)
    if live.object.type not in WITH_CONTENT:
        raise UsageError("E705", f"resource {ref.name} is of type {live.object.type}, which cannot be laid out here")
    target.download(live.object.key, path)
    return ResourceFile(live.object.name, live.object.type, path)  # type: ignore[arg-type]


def _table(name: str, loaded: Loaded) -> ResourceFile:
    """Return a table resource with the rows of its fixture, if the manifest has one; the service is not asked for rows."""
    declared = loaded.spelled.get(name.lower())
    source = (manifest_of(loaded).resources[declared].table or "").lower() if declared else ""
    tables = {label.lower(): table for label, table in manifest_of(loaded).tables.items()}
    fixture = tables.get(source) or tables.get(source.rpartition(".")[2])
    return ResourceFile(name, "table", None, _rows(fixture, loaded) if fixture else None)


def _rows(fixture: Table, loaded: Loaded) -> TableResource:
    types, names, rows = tuple(fixture.columns.values()), tuple(fixture.columns), fixture.rows
    if fixture.file is not None:
        label = str(PurePath(loaded.at().file).parent / fixture.file)
        file = RowFile(loaded.file(fixture.file), label, header=True)
        return TableResource(types, lambda: file.read(parse_types(types), names))
    return TableResource(types, lambda: ([Json(cell) for cell in row] for row in rows or ()))


def provided_tables(loaded: Loaded) -> dict[str, ProvidedTable]:
    """Return the manifest's `tables:` as the service built in takes them."""
    from reconciler.local import ProvidedTable

    def version(table: Table) -> object:
        """Return something else whenever the table's file is."""
        status = loaded.file(table.file).stat() if table.file is not None else None
        return status and (status.st_mtime_ns, status.st_size)

    return {
        name: ProvidedTable(tuple(table.columns.items()), _rows(table, loaded).rows, partial(version, table))
        for name, table in manifest_of(loaded).tables.items()
    }


def parse_types(texts: Sequence[str] | None) -> list[Type] | None:
    return None if texts is None else [parse_signature(f"->{text}").outputs[0] for text in texts]
