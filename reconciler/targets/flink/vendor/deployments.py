"""
Deployments: how a job is one, and what of a job a deployment tells. Pure.

A deployment shows its files, options, arguments, engine and labels, and those are read back from it. What it does not show, the functions that are
registered and which file is the program, has a digest; the label ``udfs`` holds stack and digest, `stack.3fa9c1d2e4f5`, and so one of at most three
labels is ours [doc "Deploy a job"]. An option that nobody here named is the service's [the public Terraform provider calls them computed], and is left
out of what is read.

Guesses: that an archive takes ``#name`` as in Flink; that ``python.files`` of SQL may name files in ``/flink/usrlib``; that arguments are split as a
shell does.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from reconciler.base.numbers import whole_number
from reconciler.core.kind import Mark
from reconciler.targets.flink.head import Registration, program_text
from reconciler.targets.flink.job_options import VENDOR_FOLDER
from reconciler.targets.flink.objects import UNKNOWN, DeployedJob, plain_name
from reconciler.targets.flink.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reconciler.targets.flink.vendor.bucket import StackLayout

LABEL = "udfs"
ADOPTED = "0" * 12
"""The digest of a deployment that was taken over as it is."""

_LABEL = re.compile(r"(?P<stack>[a-z][a-z0-9-]*)\.(?P<digest>[0-9a-f]{12})\Z")
_WORKED_OUT = ("python.executable", "python.files", "python.archives", "pipeline.classpaths")
_TIMES = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True)
class JobBody:
    """What a deployment runs."""

    main: str
    """The address of its Python, or the text of its SQL."""

    is_sql: bool = False


def is_sql(job: DeployedJob) -> bool:
    return job.program.lower().endswith(".sql")


def registrations_of(job: DeployedJob) -> list[Registration]:
    return [Registration(name, *text.split(" ", 1)) for name, text in job.functions]  # type: ignore[arg-type]


def head_text(job: DeployedJob) -> str:
    """Return the program that registers a job's functions and then runs its own as a module, since only that has a place that is known."""
    module = plain_name(job.program).removesuffix(".py")
    return program_text(registrations_of(job), main=module, sql=None, is_module=True)


def script_text(job: DeployedJob, sql: str) -> str:
    """Return the script of a deployment in SQL: registrations, and the statements of the file, of which INSERTs are one job."""
    statements = read_statements(sql, plain_name(job.program))
    inserts = [insert for statement in statements if (insert := statement.insert)]
    definitions = [statement.text for statement in statements if not statement.insert]
    lines = [registration.sql for registration in registrations_of(job)] + definitions
    if len(inserts) > 1:
        lines += ["BEGIN STATEMENT SET", *inserts, "END"]
    else:
        lines += inserts
    return "".join(f"{line};\n" for line in lines)


def body_digest(job: DeployedJob, body: JobBody) -> str:
    """Return the digest of what a deployment does not show: twelve hex digits."""
    parts = [job.program, job.functions, [name for name, _ in job.conf], body.main]
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()[:12]


def label_of(stack: str, digest: str) -> str:
    return f"{stack}.{digest}"


def read_label(deployment: Mapping[str, Any]) -> tuple[Mark | None, str]:
    """Return whose a deployment is and the digest of its label; None for one that no udfs made."""
    match = _LABEL.match(str((deployment.get("labels") or {}).get(LABEL, "")))
    return (Mark(match["stack"]), match["digest"]) if match else (None, "")


# --- From a job to a deployment ---------------------------------------------------------------------------------------------


def deployment_fields(job: DeployedJob, body: JobBody, layout: StackLayout) -> dict[str, Any]:
    """Return the fields of a deployment that a job decides, in the API's own form."""
    archives = [_archive_uri(layout.file_uri(file), file, folder) for file, folder in job.archives]
    imports, jars, files = (list(map(layout.file_uri, names)) for names in (job.imports, job.jars, job.files))
    conf = dict(job.conf)
    if job.interpreter:
        conf["python.executable"] = job.interpreter
    if job.jars:
        conf["pipeline.classpaths"] = ";".join(f"file://{VENDOR_FOLDER}{plain_name(jar)}" for jar in job.jars)
    if body.is_sql:
        if job.imports:
            conf["python.files"] = ",".join(f"{VENDOR_FOLDER}{plain_name(file)}" for file in job.imports)
        if job.archives:
            texts = (_archive_uri(f"{VENDOR_FOLDER}{plain_name(file)}", file, folder) for file, folder in job.archives)
            conf["python.archives"] = ",".join(texts)
        dependencies = [*imports, *map(layout.file_uri, (file for file, _ in job.archives)), *jars, *files]
        artifact: dict[str, Any] = {
            "kind": "SQLSCRIPT",
            "sqlArtifact": {"sqlScript": body.main, "additionalDependencies": dependencies},
        }
    else:
        program = [layout.file_uri(job.program)] if body.main != layout.file_uri(job.program) else []
        python = {
            "pythonArtifactUri": body.main,
            "mainArgs": shlex.join(job.arguments),
            "additionalPythonLibraries": [*program, *imports],
            "additionalPythonArchives": archives,
            "additionalDependencies": [*jars, *files],
        }
        artifact = {"kind": "PYTHON", "pythonArtifact": python}
    digest = body_digest(job, body)
    return {
        "name": job.name,
        "engineVersion": job.engine,
        "executionMode": execution_mode(job),
        "labels": {**dict(job.labels), LABEL: label_of(layout.stack, digest)},
        "flinkConf": conf,
        "artifact": artifact,
    }


def execution_mode(job: DeployedJob) -> str:
    return "BATCH" if dict(job.conf).get("execution.runtime-mode", "").lower() == "batch" else "STREAMING"


def changed_fields(
    before: Mapping[str, Any], after: Mapping[str, Any], *, own_options: Collection[str]
) -> dict[str, Any]:
    """
    Return the fields of an update, those alone that differ; options and labels as a whole, with what others put there.

    `own_options` are those that udfs wrote: one of them that is not wanted any more is left out.
    """
    changes: dict[str, Any] = {}
    for name in ("engineVersion", "artifact"):
        if not _covers(before.get(name), after[name]):
            changes[name] = after[name]
    options = {name: str(value) for name, value in (before.get("flinkConf") or {}).items()}
    conf = {name: value for name, value in options.items() if name not in {*own_options, *_WORKED_OUT}}
    conf |= after["flinkConf"]
    if conf != options:
        changes["flinkConf"] = conf
    if (before.get("labels") or {}) != after["labels"]:
        changes["labels"] = after["labels"]
    return changes


def _covers(before: Any, after: Any) -> bool:
    """Say whether a value is there already: what the service adds, and what is empty, does not count."""
    if isinstance(after, dict):
        return isinstance(before, dict) and all(_covers(before.get(name), value) for name, value in after.items())
    return (before or None) == (after or None)


def _archive_uri(address: str, file: str, folder: str) -> str:
    return address if folder == plain_name(file) else f"{address}#{folder}"


# --- From a deployment to a job ---------------------------------------------------------------------------------------------


def body_of(deployment: Mapping[str, Any]) -> JobBody:
    """Return what a deployment runs."""
    artifact = deployment.get("artifact") or {}
    if artifact.get("kind") == "SQLSCRIPT":
        return JobBody(str((artifact.get("sqlArtifact") or {}).get("sqlScript") or ""), is_sql=True)
    return JobBody(str((artifact.get("pythonArtifact") or {}).get("pythonArtifactUri") or ""))


def job_of_deployment(
    deployment: Mapping[str, Any],
    definition: DeployedJob | None,
    layout: StackLayout,
    options: Collection[str],
) -> DeployedJob:
    """
    Return a deployment as a job; `definition` is what its digest stands for, and `options` are those of Flink that the manifest names.

    Without a definition its program is not known here.
    """
    name, engine = str(deployment.get("name")), str(deployment.get("engineVersion") or "")
    if definition is None:
        return DeployedJob(name, UNKNOWN, engine=engine)
    conf = {str(key): str(value) for key, value in (deployment.get("flinkConf") or {}).items()}
    own_options = {*options, *(key for key, _ in definition.conf)}
    has_own_interpreter = "python.executable" in dict(definition.conf)
    imports, archives, dependencies = _files_of(deployment, definition, layout, conf)
    return definition._replace(
        name=name,
        program=_program_of(deployment, definition),
        arguments=_split_arguments(str(_artifact_detail(deployment).get("mainArgs") or "")),
        interpreter="" if has_own_interpreter else conf.get("python.executable", ""),
        imports=imports,
        archives=archives,
        jars=tuple(file for file in dependencies if file.endswith(".jar")),
        files=tuple(file for file in dependencies if not file.endswith(".jar")),
        conf=tuple(sorted((key, value) for key, value in conf.items() if key in own_options)),
        engine=engine,
        labels=_foreign_labels(deployment),
    )


def _foreign_labels(deployment: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    labels = deployment.get("labels") or {}
    return tuple(sorted((str(key), str(value)) for key, value in labels.items() if key != LABEL))


def _artifact_detail(deployment: Mapping[str, Any]) -> Mapping[str, Any]:
    artifact = deployment.get("artifact") or {}
    detail: Mapping[str, Any] = artifact.get("sqlArtifact" if body_of(deployment).is_sql else "pythonArtifact") or {}
    return detail


def _program_of(deployment: Mapping[str, Any], definition: DeployedJob) -> str:
    """Return the program of a definition, or, where another runs, what that is called."""
    body, program = body_of(deployment), definition.program
    if body_digest(definition, body) == read_label(deployment)[1]:
        return program
    digest = hashlib.sha256(body.main.encode()).hexdigest()[:8]
    return f"{digest}/{plain_name(program) if body.is_sql else body.main.rpartition('/')[2]}"


def _files_of(
    deployment: Mapping[str, Any], definition: DeployedJob, layout: StackLayout, conf: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], list[str]]:
    """Return what a deployment's workers import, the archives that they have beside them, and other files of it."""
    detail = _artifact_detail(deployment)
    dependencies = [layout.file_of(str(uri)) for uri in detail.get("additionalDependencies") or []]
    if body_of(deployment).is_sql:
        return _split_sql(dependencies, conf)
    libraries = [layout.file_of(str(uri)) for uri in detail.get("additionalPythonLibraries") or []]
    archives = tuple(_archive_of(str(uri), layout) for uri in detail.get("additionalPythonArchives") or [])
    return tuple(file for file in libraries if file != definition.program), archives, dependencies


def _archive_of(uri: str, layout: StackLayout) -> tuple[str, str]:
    address, _, folder = uri.partition("#")
    file = layout.file_of(address)
    return file, folder or plain_name(file)


def _split_sql(
    dependencies: list[str], options: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], list[str]]:
    """Return imports, archives and the rest of a script's files: its options say which is which."""
    by_name = {plain_name(file): file for file in dependencies}
    names = [text.rpartition("/")[2] for text in options.get("python.files", "").split(",") if text]
    imports = tuple(by_name.get(name, name) for name in names)
    archives = []
    for text in filter(None, options.get("python.archives", "").split(",")):
        address, _, folder = text.partition("#")
        name = address.rpartition("/")[2]
        archives.append((by_name.get(name, name), folder or name))
    in_options = {*imports, *(file for file, _ in archives)}
    return imports, tuple(archives), [file for file in dependencies if file not in in_options]


def _split_arguments(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return (text,)


def read_time(value: Any) -> datetime | None:
    """
    Return a time of the service, to the second: milliseconds as a number or as a text, or a date; None for what is none.

    Which of them it writes is not settled.
    """
    number = whole_number(str(value))
    if number is not None:
        return datetime.fromtimestamp(number // 1000, timezone.utc)
    for form in _TIMES:
        try:
            return datetime.strptime(str(value), form).replace(microsecond=0, tzinfo=timezone.utc)
        except ValueError:
            continue
    return None
