"""
From a living project to a manifest and its files: what is chosen is fetched, judged as a manifest would be, and then put there.

Nothing of the folder is touched before everything is at hand: files are fetched into a folder beside, the new entries are
read there by the same checks as any manifest, and what does not pass is left out with the reason. Then files are put in
their places, each whole, and the manifest last. A run that is cut off leaves files that the next one finds and keeps.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from reconciler.base.errors import InvalidManifest, PackageError, Problem, Refused, ServiceError, UsageError, count
from reconciler.base.names import function_key, resource_key, wheel_archive
from reconciler.base.threads import Readers
from reconciler.base.words import size
from reconciler.checks.python.project import fitting
from reconciler.core.plan import needs
from reconciler.core.state import Resource
from reconciler.manifest.editing import Entry, add, lines, literally, scalar
from reconciler.manifest.load import understand
from reconciler.manifest.paths import Folder, Refusal
from reconciler.packages.assemble import artifacts_of
from reconciler.packages.content import read
from reconciler.targets.maxcompute.selection import (
    Imported,
    Present,
    function_entry,
    is_file,
    path_of,
    resource_entry,
    select,
)
from reconciler.workflow import steps as workflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from reconciler.base.errors import Position
    from reconciler.base.names import Key
    from reconciler.checks import Finding
    from reconciler.core.record import Reading
    from reconciler.core.state import Live
    from reconciler.core.target import Target
    from reconciler.manifest.editing import Value
    from reconciler.manifest.load import Loaded
    from reconciler.manifest.model import Resource as Declared
    from reconciler.packages import Artifacts
    from reconciler.packages.fetch.cache import Cache
    from reconciler.targets.maxcompute.selection import Selection

T = TypeVar("T")

_READERS = 8
_ATTEMPTS = 3
_PREFERENCE = ("cp37", "cp27", "cp311")
"""Of runtimes that fit alike, the first is taken."""

MANIFEST = "udfs.yaml"

_PRESENT = "present"
"""Where a draft has the files that the manifest has already."""


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    functions: tuple[str, ...] = ()
    """Patterns; none means all."""

    resources: tuple[str, ...] = ()
    """Patterns of resources that are wanted although no function lists them."""

    overwrite: bool = False
    """Whether local files with another content may be replaced."""


@dataclass(frozen=True)
class Ground:
    """The manifest that is written into, which need not be a file yet."""

    file: Path
    shown: str
    text: str
    loaded: Loaded
    is_new: bool

    @property
    def folder(self) -> Path:
        return self.loaded.folder

    @property
    def present(self) -> Present:
        """What the manifest has already."""
        manifest = self.loaded.manifest
        names = {function_key(name) for name in manifest.functions} | {resource_key(n) for n in manifest.resources}
        made = [code.entry for code in self.loaded.code.values() if code.entry]
        made += [wheel_archive(w) for p in manifest.packages.values() for w in p.wheels if isinstance(w, str)]
        made += [f"{name}.zip" for name, package in manifest.packages.items() if package.bundle]
        return Present(manifest.stack, frozenset(names), {resource_key(name) for name in made} - names)


def head(*, stack: str, target: str, endpoint: str, project: str, schema: str | None) -> str:
    """Return the beginning of a new manifest."""
    place = {"endpoint": endpoint, "project": project, **({"schema": schema} if schema else {})}
    told = ", ".join(f"{key}: {scalar(value)}" for key, value in place.items())
    return (
        f"# Written by `udfs import` from the project {scalar(project)}. Everything is under `resources:` by the name it has\n"
        "# there. To have a module under a name with its digest, and switched to in one request, name it as a function's\n"
        "# `source:` instead; see `udfs explain E550`.\n"
        f"stack: {scalar(stack)}\n"
        f"targets:\n  {scalar(target)}: {{{told}}}\n"
    )


def bring(
    ground: Ground,
    reading: Reading,
    target: Target,
    request: Request,
    staging: Path,
    *,
    cache: Cache,
    env: Mapping[str, str],
    on_step: Callable[[str], None],
) -> Imported:
    """Write what is asked for into the manifest, with its files; `staging` is an empty folder in the manifest's."""
    chosen, idle = select(reading, request.functions, request.resources, ground.present)
    if idle:
        raise UsageError.of(
            Problem("E560", f"the project has no {kind} that '{pattern}' fits") for kind, pattern in idle
        )
    chosen = _looked_at(chosen, target, ground.loaded.manifest.stack)
    _require_places(ground, chosen, request)
    _fetch(ground, chosen, target, staging, on_step)
    draft = _Draft(ground, chosen, staging, cache, env)
    draft.judge()
    chosen = draft.chosen
    result = Imported(
        ground.shown,
        tuple((live, draft.python_of(live)) for live in chosen.functions),
        chosen.resources,
        chosen.left_out,
        chosen.present,
        tuple(one.object.key for one in chosen.resources if not _resource(one).comment.isascii()),
        tuple(one.object.key for one in chosen.resources if is_file(one) and not _resource(one).md5),
    )
    if not result.is_empty:
        text = draft.whole()
        _place(ground, chosen, staging, request)
        # Of names that come together only in the whole manifest it is told before that is written.
        understand(text.encode(), ground.shown, ground.folder, target=ground.loaded.target_name, env=env)
        _write(ground.file, text)
    return result


def _resource(live: Live) -> Resource:
    assert isinstance(live.object, Resource)
    return live.object


def _looked_at(chosen: Selection, target: Target, stack: str) -> Selection:
    """Ask for each resource by itself: a listing has no MD5 of what is not ours."""
    with Readers(_READERS) as readers:
        found = readers.ask(lambda one: target.read_one(one.object.key), chosen.resources)
    gone: dict[Key, str] = {}
    seen: list[Live] = []
    for listed, now in zip(chosen.resources, found, strict=True):
        key, marker = listed.object.key, listed.marker
        if now is None:
            gone[key] = "it went away meanwhile"
        elif marker and marker.stack != stack and _resource(now).md5 != marker.md5:
            gone[key] = f"stack '{marker.stack}' manages it, and it was changed outside"
        # A comment is whole in a listing; what a header makes of it is not known.
        kept = _resource(now)._replace(comment=_resource(listed).comment) if now else listed.object
        seen.append(now._replace(object=kept) if now else listed)
    return replace(chosen, resources=tuple(seen)).without(gone)


def _require_places(ground: Ground, chosen: Selection, request: Request) -> None:
    """Refuse before anything is fetched if a file is in the way, or if a folder leads elsewhere."""
    folder = Folder(ground.folder)
    problems = []
    for one in filter(is_file, chosen.resources):
        path = path_of(_resource(one))
        place = ground.folder / path
        found = folder.find(path) if place.exists() or place.is_symlink() else None
        if isinstance(found, Refusal) or place.is_symlink() or place.parent.is_symlink():
            message = found.message if isinstance(found, Refusal) else f"'{path}' is reached by a symbolic link"
            problems.append(Problem("E561", f"{one.object.key} cannot be written: {message}", hint="move it away"))
        elif found is not None and not request.overwrite and not _holds(place, one):
            hint = "move it away, or have it replaced with --overwrite"
            problems.append(Problem("E561", f"'{path}' holds something else than {one.object.key}", hint=hint))
    if problems:
        raise Refused.of(problems)


def _holds(place: Path, one: Live) -> bool:
    """Say whether a file is what the service has; of a resource without MD5 that is not known."""
    resource = _resource(one)
    return place.is_file() and place.stat().st_size == resource.size and read(place).md5 == resource.md5


def _fetch(ground: Ground, chosen: Selection, target: Target, staging: Path, on_step: Callable[[str], None]) -> None:
    """Put the files of all resources into `staging`, those that are there already without asking for them again."""
    missing = []
    for one in filter(is_file, chosen.resources):
        path = path_of(_resource(one))
        (staging / path).parent.mkdir(exist_ok=True)
        if _holds(ground.folder / path, one):
            _link(ground.folder / path, staging / path)
        else:
            missing.append(one)
    if missing:
        on_step(f"fetching {count(len(missing), 'file')}, {size(sum(_resource(one).size for one in missing))}")
    with Readers(_READERS) as readers:
        readers.ask(lambda one: _fetch_one(one, target, staging / path_of(_resource(one))), missing)


def _fetch_one(one: Live, target: Target, place: Path) -> None:
    resource, left = _resource(one), _ATTEMPTS
    while True:
        left -= 1
        try:
            target.download(resource.name, place)
        except ServiceError as error:
            if error.outcome == "final" or not left:
                raise
            continue
        got = read(place)
        if got.size == resource.size and resource.md5 in {None, got.md5}:
            return
        if not left:
            told = f"{got.size:,} bytes, md5 {got.md5}, and it has {resource.size:,}, md5 {resource.md5}"
            raise ServiceError("E562", f"{resource.key} was not received as the service describes it: {told}")


@dataclass
class _Draft:
    """The new entries as a manifest of their own, in a folder where nothing else is."""

    ground: Ground
    chosen: Selection
    staging: Path
    cache: Cache
    env: Mapping[str, str]
    usual: str = "cp37"
    pythons: dict[Key, str] = field(default_factory=dict)

    def judge(self) -> None:
        """Leave out what no manifest can have, and find each function's Python."""
        self.usual = self.ground.loaded.manifest.python
        for _, declared in self._present():
            if declared.file is not None:
                _bring((self.ground.folder / declared.file).resolve(), self.staging / _PRESENT / declared.file)
        loaded, artifacts = self._passing(self._artifacts)
        found = {live.object.key: fitting(live.object.name, loaded, artifacts) for live in self.chosen.functions}
        wrong = {key: min(findings.values(), key=_weight) for key, findings in found.items()}
        self.chosen = self.chosen.without({key: _told(one[0]) for key, one in wrong.items() if _weight(one)[0]})
        for key, findings in found.items():
            fewest = min(map(_weight, findings.values()))
            found[key] = {tag: one for tag, one in findings.items() if _weight(one) == fewest}
        if self.ground.is_new:
            votes = Counter(tag for best in found.values() for tag in best)
            self.usual = max(_PREFERENCE, key=lambda tag: votes[tag])
        for key, best in found.items():
            self.pythons[key] = min(best, key=lambda tag: (tag != self.usual, _PREFERENCE.index(tag)))
        self._passing(lambda loaded: workflow.prepare(loaded, cache=self.cache, env=self.env, on_step=_quiet))

    def _artifacts(self, loaded: Loaded) -> Artifacts:
        return artifacts_of(loaded, cache=self.cache, env=self.env, on_step=_quiet)

    def python_of(self, live: Live) -> str:
        return self.pythons.get(live.object.key, self.usual)

    def whole(self) -> str:
        """Return the manifest with the new entries in it."""
        text = self.ground.text
        if self.ground.is_new:
            text += f"python: {self.usual}  # a guess from the sources: the service does not keep it\n\n"
            text += "resources:\n\nfunctions:\n"
        resources, functions = self._entries()
        return add(add(text, "resources", resources), "functions", functions)

    def _entries(self) -> tuple[list[Entry], list[Entry]]:
        target = self.ground.loaded.target
        names = {one.object.key: one.object.name for one in self.chosen.resources}
        names |= {resource_key(name): name for name in self.ground.loaded.manifest.resources}
        resources = [resource_entry(one, target.project, target.schema_) for one in self.chosen.resources]
        pythons = {key: tag for key, tag in self.pythons.items() if tag != self.usual}
        functions = [function_entry(one, names, pythons.get(one.object.key)) for one in self.chosen.functions]
        return resources, functions

    def _present(self) -> list[tuple[str, Declared]]:
        """Return the resources that the manifest has and the chosen functions list: these are judged with them."""
        listed = {need for one in self.chosen.functions for need in needs(one.object)}
        return [(n, one) for n, one in self.ground.loaded.manifest.resources.items() if resource_key(n) in listed]

    def _passing(self, step: Callable[[Loaded], T]) -> tuple[Loaded, T]:
        """Take a step over the draft, without what the step finds wrong."""
        while True:
            text, owners = self._text()
            try:
                loaded = understand(text.encode(), MANIFEST, self.staging, target=None, env=self.env)
                return loaded, step(loaded)
            except (InvalidManifest, PackageError) as error:
                dropped = {
                    key: f"{found.message} ({found.code})"
                    for found in reversed(error.problems)
                    if found.severity == "error" and found.at and (key := self._owner(found.at, owners))
                }
                if not dropped:
                    raise
                self.chosen = self.chosen.without(dropped)

    def _text(self) -> tuple[str, list[Key | None]]:
        """Return the draft, and for each of its lines whose it is."""
        manifest, target = self.ground.loaded.manifest, self.ground.loaded.target
        told = [f"stack: {manifest.stack}", f"python: {self.usual}", "runtimes:"]
        for tag, settings in manifest.runtimes.model_dump(exclude_none=True).items():
            told.append(f"  {tag}: {{{', '.join(f'{key}: {scalar(value)}' for key, value in settings.items())}}}")
        place = {"project": target.project, **({"schema": target.schema_} if target.schema_ else {})}
        told.append(f"targets: {{local: {{{', '.join(f'{key}: {scalar(value)}' for key, value in place.items())}}}}}")
        owners: list[Key | None] = [None] * len(told)
        resources, functions = self._entries()
        resources += [_again(name, declared) for name, declared in self._present()]
        for section, entries, key_of in (
            ("resources", resources, resource_key),
            ("functions", functions, function_key),
        ):
            told.append(f"{section}:")
            owners.append(None)
            for entry in entries:
                these = list(lines(entry))
                told += these
                owners += [key_of(entry.name)] * len(these)
        return "\n".join(told) + "\n", owners

    def _owner(self, at: Position, owners: Sequence[Key | None]) -> Key | None:
        if at.file == MANIFEST:
            return owners[at.line - 1] if at.line <= len(owners) else None
        files = {path_of(_resource(one)): one.object.key for one in self.chosen.resources}
        files |= {f"{_PRESENT}/{declared.file}": resource_key(name) for name, declared in self._present()}
        return files.get(at.file)


def _again(name: str, declared: Declared) -> Entry:
    """Return a resource of the manifest as it stands in a draft."""
    told = declared.model_dump(include={"table", "partition", "type", "exclude"}, exclude_defaults=True)
    if declared.file is not None:
        told["file"] = f"{_PRESENT}/{declared.file}"
    fields: dict[str, Value] = {
        key: [*map(literally, value)] if isinstance(value, list) else literally(value) for key, value in told.items()
    }
    return Entry(name, fields)


def _quiet(step: str) -> None:
    """Tell nothing: a draft has no packages."""


def _told(finding: Finding) -> str:
    return f"{finding.message} ({finding.code})"


def _weight(findings: Iterable[Finding]) -> tuple[int, int]:
    """Return how many errors and warnings there are: the Python that a source has fewest for is the one it is for."""
    severities = Counter(one.severity for one in findings)
    return severities["error"], severities["warning"]


def _bring(source: Path, goal: Path) -> None:
    goal.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, goal, symlinks=True, dirs_exist_ok=True)
    elif not goal.exists():
        _link(source, goal)


def _link(source: Path, goal: Path) -> None:
    try:
        os.link(source, goal)
    except OSError:
        shutil.copyfile(source, goal)


def _place(ground: Ground, chosen: Selection, staging: Path, request: Request) -> None:
    """Move the files to where the manifest names them, each in one step."""
    for one in filter(is_file, chosen.resources):
        path = path_of(_resource(one))
        staged, goal = staging / path, ground.folder / path
        goal.parent.mkdir(exist_ok=True)
        if request.overwrite:
            staged.replace(goal)
            continue
        try:
            os.link(staged, goal)
        except FileExistsError:
            # It is what was fetched, or came there in the meantime.
            if not filecmp.cmp(staged, goal, shallow=False):
                raise Refused(
                    "E561", f"'{path}' holds something else than {one.object.key}", hint="move it away"
                ) from None
        except OSError:
            staged.replace(goal)


def _write(file: Path, text: str) -> None:
    """Put a manifest in its place in one step, through a link to where it really is."""
    real = file.resolve()
    part = real.with_name(f".{real.name}.part")
    try:
        part.write_bytes(text.encode())
        if real.exists():
            shutil.copymode(real, part)
        part.replace(real)
    finally:
        part.unlink(missing_ok=True)
