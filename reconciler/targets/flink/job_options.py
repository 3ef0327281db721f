"""
Job options: what a job's keys say, as Flink's configuration has it.

Names of files are those of the manifest here, without folders and digests. Where jars lie is known of the vendor's service alone ["Use Python
dependencies"]; elsewhere they are compared by their names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.packages.environment.assembly import PROGRAM

if TYPE_CHECKING:
    from reconciler.targets.flink.manifest import Manifest
    from reconciler.targets.flink.sections import FlinkJob

VENDOR_FOLDER = "/flink/usrlib/"
"""Where the vendor's service puts a job's files and jars."""

_SEPARATORS = {"python.files": ",", "python.archives": ",", "pipeline.classpaths": ";"}
KEYS_BEHIND = {
    "python.executable": "environment",
    "python.files": "packages",
    "python.archives": "archives",
    "pipeline.classpaths": "jars",
}
"""Option → the key of a job that it is worked out of."""


@dataclass(frozen=True)
class DerivedOption:
    """An option of Flink that the keys of a job decide."""

    name: str
    value: str

    def agrees(self, text: str) -> bool:
        """Say whether a text that somebody wrote means the same: folders and the order of a list do not count."""
        return self._parts(text) == self._parts(self.value)

    def _parts(self, text: str) -> list[str]:
        separator = _SEPARATORS.get(self.name)
        if separator is None:
            return [text.strip()]
        parts = [part.strip() for part in re.split(re.escape(separator), text)]
        return sorted(part.rpartition("/")[2] for part in parts if part)


def derive_options(job: FlinkJob, manifest: Manifest) -> dict[str, DerivedOption]:
    """Return the options that a job's keys decide, those alone that have a value."""
    values: dict[str, list[str]] = {name: [] for name in KEYS_BEHIND}
    if job.environment is not None and (environment := manifest.environments.get(job.environment)) is not None:
        archive = last_name(environment.archive) if environment.archive else f"{job.environment}.zip"
        program = environment.program if environment.archive else PROGRAM
        values["python.executable"] = [f"{archive}/{program}"]
        values["python.archives"] = [archive]
    values["python.archives"] += [
        last_name(archive.file) + (f"#{archive.as_}" if archive.as_ else "") for archive in job.archive_entries
    ]
    sources, jars = functions_of(job, manifest)
    archives = (manifest.archived[name].file(name) for name in job.packages if name in manifest.archived)
    values["python.files"] = [last_name(path) for path in dict.fromkeys((*sources, *archives))]
    folder = f"file://{VENDOR_FOLDER}" if manifest.vendor_engines else ""
    values["pipeline.classpaths"] = [f"{folder}{last_name(path)}" for path in dict.fromkeys((*job.jars, *jars))]
    return {name: DerivedOption(name, _SEPARATORS.get(name, "").join(parts)) for name, parts in values.items() if parts}


def functions_of(job: FlinkJob, manifest: Manifest) -> tuple[list[str], list[str]]:
    """Return the sources and the jars of the functions that a job names."""
    declared = [manifest.registered[name] for name in job.functions if name in manifest.registered]
    sources = [function.source for function in declared if function.source is not None]
    return sources, [function.jar for function in declared if function.jar is not None]


def last_name(path: str) -> str:
    """Return the name of a file without its folders."""
    return path.rpartition("/")[2]
