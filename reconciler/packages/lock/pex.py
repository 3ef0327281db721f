"""
Resolver pex: for Python 2.7 and for systems older than manylinux2014, of which uv knows nothing.

A *complete platform* file describes the runtime, and ``--style strict`` answers with one file a distribution. [pex 2.105;
measured]
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from reconciler.base.errors import PackageError
from reconciler.base.hints import Command
from reconciler.base.inputs import REPORT, read_input
from reconciler.base.processes import Tools
from reconciler.manifest.runtimes import supported_tags
from reconciler.packages.fetch.indexes import Remote
from reconciler.packages.fetch.pip import mask
from reconciler.packages.lock.resolver import (
    Distribution,
    Unsolvable,
    index_failure,
    run_resolver,
    write_lines,
)
from reconciler.packages.lock.uv import markers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.lock.resolver import Question

_UNSOLVABLE = re.compile(
    r"ResolutionImpossible|conflicting dependencies|No matching distribution found|Could not find a version that satisfies"
)
_TELLING = re.compile(
    r"(pip: )?\s*((ERROR|The conflict|The user requested|[\w.-]+ .*depends on|Could not find|No matching).*)"
)
_SILENT = re.compile(
    r"Max retries exceeded|Connection refused|timed out|Failed to establish|SSLError|Temporary failure", re.IGNORECASE
)
_UNREAD = re.compile(r"Could not fetch URL \S+: (?!404 |410 ).* - skipping$", re.MULTILINE)
"""404 and 410 are how an index says that it has no such distribution."""

_DENIED = re.compile(r": 40[137] Client Error")
_PATIENCE = (("--retries", ("PIP_RETRIES",)), ("--timeout", ("PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT")))
"""pex tells pip its own numbers, whatever the environment says."""


@dataclass(frozen=True)
class Pex:
    """The resolver of pex."""

    environment: Mapping[str, str] = field(repr=False)
    """What it is to see (`environments.for_resolver`), and where packages are (`Gateway.variables`)."""

    workspace: Path
    """A folder of our own."""

    root: Path
    """Where pex keeps what it downloads."""

    seconds: float = 900
    tools: Tools = field(default_factory=Tools)

    def resolve(self, question: Question) -> tuple[Distribution, ...]:
        """Answer, or raise `Unsolvable`, or PackageError if the engine itself fails."""
        output, platform = self.workspace / "lock.json", self.workspace / "platform.json"
        # Its markers, and every tag that loads: pip, which pex drives, takes no wheel beyond them.
        platform.write_text(json.dumps(complete_platform(question.runtime)), encoding="utf-8")
        ended = run_resolver(
            self.tools,
            [*pex_command(self.environment), *self._arguments(question, platform, output)],
            folder=self.workspace,
            env={**self.environment, "PEX_ROOT": str(self.root), "PIP_REQUIRE_VIRTUALENV": "0"},
            seconds=self.seconds,
        )
        if ended.code != 0:
            # pip passes over a page of an index that does not come, and then knows of no versions; only its log tells. What
            # an index withholds must not look like a conflict of requirements.
            log = read_input(self._log, REPORT).decode("utf-8", "replace") if self._log.exists() else ""
            raise _failure(ended.err, tuple(match[0] for match in _UNREAD.finditer(log)))
        return tuple(_answers(json.loads(read_input(output, REPORT)), question))

    @property
    def _log(self) -> Path:
        return self.workspace / "pip.log"

    def _arguments(self, question: Question, platform: Path, output: Path) -> Iterator[str]:
        yield from ("lock", "create", "--style", "strict", "--complete-platform", str(platform))
        yield from ("--use-pip-config", "--resolver-version", "pip-2020-resolver", "--output", str(output))
        yield from ("--pip-log", str(self._log))
        for option, names in _PATIENCE:
            numbers = [self.environment.get(name, "") for name in names]
            if number := next(filter(str.isdecimal, numbers), ""):
                yield from (option, number)
        yield from ("--requirement", write_lines(self.workspace / "requirements.in", question.lines))
        if question.constraints or question.pins:
            pins = [f"{name}=={version}" for name, version in question.pins.items()]
            yield from ("--constraint", write_lines(self.workspace / "constraints.txt", (*question.constraints, *pins)))
        for name in question.exclude:
            yield from ("--exclude", name)
        for folder in question.find_links:
            yield from ("--find-links", str(folder))
        if question.pre_release:
            yield "--pre"
        if question.prefer_binary:
            yield "--prefer-binary"
        if question.no_deps:
            yield "--no-transitive"


def pex_command(env: Mapping[str, str]) -> list[str]:
    """Return what starts pex: the one installed beside udfs, or the one on the PATH."""
    from importlib.util import find_spec

    if find_spec("pex") is not None:
        return [sys.executable, "-m", "pex.cli"]
    program = shutil.which("pex3", path=env.get("PATH", ""))
    if program is None:
        hint = ("pip install 'udfs[lock]'; only `", Command("lock"), "` needs it, plan and apply do not")
        raise PackageError(
            "E474",
            "pex, which resolves for Python 2.7 and for systems before manylinux2014, is not installed",
            hint=hint,
        )
    return [program]


def complete_platform(runtime: Runtime) -> dict[str, Any]:
    """Describe a runtime as pex wants it."""
    return {"marker_environment": markers(runtime), "compatible_tags": [str(tag) for tag in supported_tags(runtime)]}


def _answers(lock: Mapping[str, Any], question: Question) -> Iterator[Distribution]:
    from packaging.utils import canonicalize_name

    (resolved,) = lock["locked_resolves"]
    by_name = {canonicalize_name(entry["project_name"]): entry for entry in resolved["locked_requirements"]}
    needed = _needed_by({name: entry["requires_dists"] for name, entry in by_name.items()}, question)
    for name, entry in by_name.items():
        needed_by = tuple(sorted(needed[name] - {name}))
        artifact = entry["artifacts"][0]  # strict: the one file that pip took for the runtime
        parts = urlsplit(artifact["url"])
        # Files of `find_links`, which no requirement names by a path, are found by name, like those of an index.
        path = question.path_of(Path(unquote(parts.path))) if parts.scheme == "file" else None
        if path is not None:
            yield Distribution(name, entry["version"], path=path, needed_by=needed_by)
            continue
        remote = Remote.at(artifact["url"], artifact["hash"] if artifact["algorithm"] == "sha256" else None)
        wheel = remote if remote.file.endswith(".whl") else None
        yield Distribution(name, entry["version"], wheel, None if wheel else remote, needed_by=needed_by)


def _needed_by(requires: Mapping[str, list[str]], question: Question) -> dict[str, set[str]]:
    """Return for each distribution those that ask for it, extras counted where anybody asks for the extra."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    edges = [(name, Requirement(text)) for name, texts in requires.items() for text in texts]
    extras: dict[str, set[str]] = defaultdict(lambda: {""})
    for requirement in question.requirements:
        extras[requirement.name or ""].update(requirement.extras)
    for _, needs in edges:
        extras[canonicalize_name(needs.name)].update(needs.extras)
    environment, needed = markers(question.runtime), defaultdict[str, set[str]](set)
    for name, needs in edges:
        marker = needs.marker
        if marker is None or any(marker.evaluate({**environment, "extra": extra}) for extra in extras[name]):
            needed[canonicalize_name(needs.name)].add(name)
    return needed


def _failure(said: str, unread: tuple[str, ...]) -> Exception:
    matches = (_TELLING.match(line.strip()) for line in said.splitlines())
    lines = tuple(dict.fromkeys(mask(match[2]) for match in matches if match))
    pages = tuple(dict.fromkeys(map(mask, unread)))
    if any(map(_DENIED.search, unread)):
        return index_failure(is_denied=True, said=pages)
    if pages or _SILENT.search(said):
        return index_failure(is_denied=False, said=pages or lines)
    if _UNSOLVABLE.search(said):
        return Unsolvable(lines)
    detail = lines or tuple(mask(line) for line in said.splitlines()[-10:])
    hint = "a version without a wheel is built to learn what it needs; `prefer_binary: true` takes one that has a wheel"
    return PackageError("E475", "pex failed to resolve the requirements", hint=hint, detail=detail[:40])
