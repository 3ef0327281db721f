"""
Programs of jobs: what Flink is told of one, with what is generated for it written down.

Options that files decide are worked out here, where it is known where those lie: all paths are the JobManager's, which sees the folder under the name
that it has here.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from reconciler.base.inputs import SHIPPED, SOURCE, open_input, read_input
from reconciler.targets.flink.entries import folder_refuses
from reconciler.targets.flink.head import FILES_FOLDER, Registration, program_text
from reconciler.targets.flink.life import JobRun
from reconciler.targets.flink.objects import definition_digest, pipeline_name, plain_name
from reconciler.targets.flink.rest import PythonProgram

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.targets.flink.folder import SharedFolder
    from reconciler.targets.flink.objects import DeployedJob

_EPOCH = (1980, 1, 1, 0, 0, 0)
_BLOCK = 1 << 20
_WHOLE_STATE = {"state.backend.type": "rocksdb"}
"""Unless the job says otherwise: of aggregates in Python what is on the heap comes back with one key [run on 1.20.5]."""


def lay_out_job(job: DeployedJob, folder: SharedFolder, client: str | None) -> JobRun:
    """Return a job as it is run over a folder that has its files; `client` is the Python that plans and works where the job brings none."""
    files, conf = folder.path, _options(job)
    archives = [
        f"{files(file)}#{name}" if plain_name(file) != name else str(files(file)) for file, name in job.archives
    ]
    main, packed = _write_program(job, folder)
    worker = conf.pop("python.executable", None) or job.interpreter or client
    program = PythonProgram(
        str(main),
        job.arguments,
        pipeline_name(job, folder.stack),
        conf.pop("python.client.executable", None) or (job.interpreter or client),
        worker,
        tuple(str(files(file)) for file in job.imports),
        (*archives, *packed),
        tuple(files(file).as_uri() for file in job.jars),
        conf,
    )
    return JobRun(job.name, program, str(folder.savepoints(job.name)))


def _options(job: DeployedJob) -> dict[str, str]:
    """Return the options of a job, with what keeps the state of its Python."""
    conf = dict(job.conf)
    is_python = not _is_sql(job) or any(registration.startswith("PYTHON ") for _, registration in job.functions)
    return {**_WHOLE_STATE, **conf} if is_python and "state.backend" not in conf else conf


def _is_sql(job: DeployedJob) -> bool:
    return job.program.lower().endswith(".sql")


def _write_program(job: DeployedJob, folder: SharedFolder) -> tuple[Path, tuple[str, ...]]:
    """Write down what is generated for a job, and return its program, and the archive of its files if there are any."""
    generated, source = folder.program(job.name, definition_digest(job)), folder.path(job.program)
    text = program_text(
        [Registration(name, *registration.split(" ", 1)) for name, registration in job.functions],  # type: ignore[arg-type]
        main=None if _is_sql(job) else str(source),
        sql=read_input(source, SOURCE).decode("utf-8") if _is_sql(job) else None,
        name=plain_name(job.program),
        batch=dict(job.conf).get("execution.runtime-mode", "").lower() == "batch",
    )
    main, archive = generated / f"{generated.name}.py", generated / f"{FILES_FOLDER}.zip"
    try:
        generated.mkdir(parents=True, exist_ok=True)
        main.write_text(text, encoding="utf-8")
        if job.files:
            write_files_archive(archive, {plain_name(file): folder.path(file) for file in job.files})
        folder.savepoints(job.name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise folder_refuses(generated, error) from error
    return main, (f"{archive}#{FILES_FOLDER}",) if job.files else ()


def write_files_archive(path: Path, files: Mapping[str, Path]) -> None:
    """Write a zip of a job's files, by the names under which functions open them; the same files give the same bytes. None is held in memory whole."""
    with ZipFile(path, "w") as archive:
        for name, file in sorted(files.items()):
            entry = ZipInfo(name, _EPOCH)
            entry.create_system, entry.external_attr, entry.compress_type = 3, 0o100644 << 16, ZIP_DEFLATED
            entry.file_size = file.stat().st_size
            with open_input(file, SHIPPED) as source, archive.open(entry, "w") as member:
                shutil.copyfileobj(source, member, _BLOCK)
