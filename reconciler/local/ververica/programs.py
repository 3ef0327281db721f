"""
Programs: what Flink is told to run for a deployment, with its files where Flink can read them.

Files come out of OSS into a folder under their own names. What the service itself does with them in its containers is documented only as
far as ``/flink/usrlib`` goes ("Use Python dependencies"); the rest is how Flink's own options have it ("Python Dependency Management").
"""

from __future__ import annotations

import os
import shlex
import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.local.storage.blobs import Segment
from reconciler.local.ververica.flink_api import ENTRY_CLASS

if TYPE_CHECKING:
    from reconciler.local.fc.database import StoredDocument
    from reconciler.local.ververica.service import VervericaService

_SCHEME = "oss://"
_USRLIB = "/flink/usrlib/"
_LISTS = {"python.files": ",", "python.archives": ","}
_KEPT = {"execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION"}
"""So that there is a latest state of a job that failed."""

_BACKEND = {"state.backend.type": "rocksdb"}
"""In the place of the service's own, which is not here: on Flink's heap aggregates in Python keep one count of all [run on 1.20.5]."""


class StartFailure(Exception):
    """Why a deployment cannot be started; it is what the job's failure says."""


@dataclass
class _Files:
    """The files of one start."""

    service: VervericaService
    dependencies: dict[str, Path] = field(default_factory=dict)
    """Additional dependencies by their last names, as ``/flink/usrlib`` has them."""

    def fetch(self, uri: str) -> Path:
        """Return a file of OSS as one that Flink can read, under its own name."""
        bucket, _, key = uri.removeprefix(_SCHEME).partition("/")
        with self.service.store.reading() as rows:
            record = rows.find("object", key, bucket) if uri.startswith(_SCHEME) else None
        if record is None:
            raise StartFailure(f"{uri} does not exist")
        sha256 = record.code.sha256
        goal = self.service.folder / "files" / (sha256 or "empty")[:16] / key.rpartition("/")[2]
        if not goal.exists():
            goal.parent.mkdir(parents=True, exist_ok=True)
            draft = goal.with_name(f".{uuid.uuid4().hex}")
            with draft.open("wb") as out:
                for file in self.service.store.blobs.open([Segment(sha256, record.code.size)] if sha256 else []):
                    with file:
                        shutil.copyfileobj(file, out, 1 << 20)
            draft.replace(goal)
        return goal

    def depend(self, uris: list[str]) -> None:
        """Take in additional dependencies; those that are no jars go to where functions open them."""
        for uri in uris:
            path = self.fetch(uri)
            self.dependencies[path.name] = path
        others = [path for path in self.dependencies.values() if path.suffix not in {".jar", ".py", ".zip"}]
        folder = Path(self.service.settings.usrlib)
        try:
            for path in others:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / path.name).unlink(missing_ok=True)
                os.link(path, folder / path.name)
        except OSError as error:
            text = f"{folder} cannot be written on this machine, where additional dependencies lie: {error.strerror}"
            raise StartFailure(text) from error

    def locate(self, text: str) -> str:
        """Return where a file lies that an option names, by OSS or by ``/flink/usrlib``, perhaps with ``#name``."""
        address, sign, name = text.strip().partition("#")
        if address.startswith(_SCHEME):
            path = self.fetch(address)
        elif address.startswith(_USRLIB):
            dependency = self.dependencies.get(address.removeprefix(_USRLIB))
            if dependency is None:
                raise StartFailure(f"{address} is none of the additional dependencies")
            path = dependency
        else:
            return text.strip()
        return f"{path}{sign}{name}"


def flink_request(
    service: VervericaService,
    job: StoredDocument,
    deployment: StoredDocument,
    state: str | None,
    strategy: dict[str, Any],
) -> dict[str, Any]:
    """Return the body of ``POST /jars/…/run``; `StartFailure` for what cannot be run."""
    files, document = _Files(service), deployment.document
    conf = {str(name): str(value) for name, value in (document.get("flinkConf") or {}).items()}
    arguments = _arguments(files, document, conf)
    _locate_files(files, conf)
    # Without an interpreter of its own a job has the one that the engine has, on the service as here.
    if python := conf.get("python.executable") or service.engine.client:
        conf.setdefault("python.executable", python)
        conf.setdefault("python.client.executable", python)
    if document["executionMode"] == "BATCH":
        conf.setdefault("execution.runtime-mode", "BATCH")
    settings = {"pipeline.name": document["name"], **_KEPT, **_BACKEND, **conf}
    body: dict[str, Any] = {
        "entryClass": ENTRY_CLASS,
        "programArgsList": arguments,
        "flinkConfiguration": settings,
        "jobId": job.document["_number"],
    }
    if state is not None:
        allows = bool(strategy.get("allowNonRestoredState"))
        body |= {"savepointPath": state, "allowNonRestoredState": allows}
    return body


def _arguments(files: _Files, document: dict[str, Any], conf: dict[str, str]) -> list[str]:
    artifact = document["artifact"]
    if artifact["kind"] == "PYTHON":
        return _python_arguments(files, artifact["pythonArtifact"], conf)
    if artifact["kind"] == "SQLSCRIPT":
        return ["-py", _sql_program(files, artifact["sqlArtifact"], document["executionMode"])]
    raise StartFailure(f"a deployment of kind {artifact['kind']} is not run by this local service")


def _locate_files(files: _Files, conf: dict[str, str]) -> None:
    """Turn the files that options name into those that are here."""
    for name, separator in _LISTS.items():
        if name in conf:
            conf[name] = separator.join(files.locate(part) for part in conf[name].split(separator) if part)
    if "pipeline.classpaths" in conf:
        jars = conf["pipeline.classpaths"].split(";")
        conf["pipeline.classpaths"] = ";".join(_class_path(files, jar) for jar in jars)


def _python_arguments(files: _Files, artifact: dict[str, Any], conf: dict[str, str]) -> list[str]:
    """``-py`` or, with an entry module, ``-pym`` (documented for Flink); that arguments are split as a shell does is a guess."""
    files.depend(artifact.get("additionalDependencies") or [])
    main = files.fetch(str(artifact.get("pythonArtifactUri")))
    libraries = [str(files.fetch(uri)) for uri in artifact.get("additionalPythonLibraries") or []]
    archives = [files.locate(uri) for uri in artifact.get("additionalPythonArchives") or []]
    module = artifact.get("entryModule")
    modules = [str(main), *libraries] if module else libraries
    for name, paths in (("python.files", modules), ("python.archives", archives)):
        if paths:
            conf[name] = ",".join((*paths, *([conf[name]] if conf.get(name) else [])))
    try:
        arguments = shlex.split(artifact.get("mainArgs") or "")
    except ValueError as error:
        raise StartFailure(f"mainArgs cannot be split: {error}") from error
    return [*(("-pym", module) if module else ("-py", str(main))), *arguments]


def _class_path(files: _Files, text: str) -> str:
    """Return a jar of ``file:///flink/usrlib/`` as one that is here (documented in "Use Python dependencies")."""
    address = text.strip()
    if not address.startswith(f"file://{_USRLIB}"):
        return address
    return Path(files.locate(address.removeprefix("file://"))).as_uri()


def _sql_program(files: _Files, artifact: dict[str, Any], mode: str) -> str:
    """Write the program in Python that runs a script of SQL, and return where it lies: Flink's REST interface takes no SQL."""
    files.depend(artifact.get("additionalDependencies") or [])
    folder = files.service.folder / "scripts"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / f"{uuid.uuid4().hex}.py"
    description = {"script": str(artifact.get("sqlScript") or ""), "is_batch": mode == "BATCH"}
    program.write_text(_SQL_PROGRAM.replace("{}", repr(description), 1), encoding="utf-8")
    return str(program)


_SQL_PROGRAM = '''\
"""The program of a script of SQL: written by the local service."""

import re

from pyflink.table import EnvironmentSettings, TableEnvironment

JOB = {}
TOKEN = re.compile(r"'(?:[^']|'')*'|`[^`]*`|--[^\\\\n]*|/\\\\*.*?\\\\*/|;|[^'`;/-]+|.", re.DOTALL)


def statements(text):
    part = ""
    for token in TOKEN.findall(text):
        if token == ";":
            yield part.strip()
            part = ""
        elif not token.startswith(("--", "/*")):
            part += token
    yield part.strip()


mode = EnvironmentSettings.in_batch_mode if JOB["is_batch"] else EnvironmentSettings.in_streaming_mode
environment = TableEnvironment.create(mode())
inserts, has_inserts = environment.create_statement_set(), False
for statement in filter(None, statements(JOB["script"])):
    word = statement.upper()
    setting = re.match(r"SET\\\\s+'([^']*)'\\\\s*=\\\\s*'([^']*)'$", statement, re.IGNORECASE)
    if setting:
        environment.get_config().set(*setting.groups())
    elif re.match(r"BEGIN\\\\s+STATEMENT\\\\s+SET$|END$", word):
        continue
    elif word.startswith("INSERT"):
        inserts.add_insert_sql(statement)
        has_inserts = True
    else:
        environment.execute_sql(statement)
if has_inserts:
    inserts.execute()
'''.replace("\\\\", "\\")
