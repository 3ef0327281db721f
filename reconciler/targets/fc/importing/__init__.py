"""
Import of living functions into a manifest: their code unpacked, a folder each, and what the service says of them as keys.

Each function is checked by itself in a staging folder, as an apply would check it. Then folders are put in their places and the manifest
last; a run that is cut off leaves folders that the next one finds and keeps. What the next apply would change of a function although
nobody has edited it is told with its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from reconciler.base.errors import InvalidManifest, PackageError, Problem, UsageError, count
from reconciler.base.files import replace_file
from reconciler.base.words import did_you_mean, quote
from reconciler.core.diff import differences
from reconciler.core.report import Imported, ImportedObject, LeftOut
from reconciler.manifest.editing import add_entries, entry_lines, scalar
from reconciler.manifest.load import parse_manifest
from reconciler.manifest.variables import looks_secret
from reconciler.packages.collect import collect
from reconciler.targets.fc.desired import desired_state
from reconciler.targets.fc.dialect import FUNCTION_COMPUTE
from reconciler.targets.fc.importing.code import (
    FOLDER,
    fetch_code,
    place_folder,
    require_free_folders,
    why_not_unpacked,
)
from reconciler.targets.fc.importing.entries import LiveFunction, describe_function, look_at
from reconciler.targets.fc.manifest import fc_manifest, fc_target
from reconciler.targets.fc.names import why_not_a_name
from reconciler.targets.fc.objects import FcFunction
from reconciler.targets.fc.runtimes import RUNTIMES
from reconciler.targets.fc.target import FunctionCompute
from reconciler.targets.powers import Importing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from reconciler.core.kind import Key
    from reconciler.core.record import Reading
    from reconciler.core.state import Live
    from reconciler.core.target import Target
    from reconciler.manifest.editing import ManifestEntry
    from reconciler.manifest.load import Loaded
    from reconciler.targets.powers import ImportMeans, ImportRequest, NewProject, OpenManifest

DIALECTS = {FUNCTION_COMPUTE.kind: lambda: FUNCTION_COMPUTE}
_MANIFEST = "udfs.yaml"


@dataclass
class FunctionImport(Importing):
    """The import of a region."""

    def begin_manifest(self, new_project: NewProject, source: Loaded | None, folder: Path, *, as_sources: bool) -> str:
        # Code of a function is its source however it is asked for.
        if source is None:
            hint = "write a manifest with `target: {kind: fc}` and targets:, or make one with `udfs init --kind fc`"
            raise UsageError("E563", "there is no manifest that says which region is meant", hint=hint)
        target, stack = fc_target(source), new_project.stack or f"{source.manifest.stack}-imported"
        if target.endpoint == "local" and folder != source.folder:
            message = (
                f"the target '{source.target_name}' lies beside its manifest, and one elsewhere would not reach it"
            )
            raise UsageError("E563", message, hint="leave --out out, or choose another target")
        if stack == source.manifest.stack:
            message = f"two manifests of one stack would each delete what the other has: '{stack}'"
            raise UsageError("E563", message, hint="name the new one with --stack, or leave --out out")
        address = {"endpoint": target.endpoint, "region": target.region, "account": target.account}
        settings = ", ".join(f"{key}: {scalar(value)}" for key, value in address.items() if value is not None)
        return (
            f"# Written by `udfs import` from {scalar(target.region)}.\n"
            f"stack: {scalar(stack)}\ntarget: {{kind: fc}}\ntargets:\n  {scalar(source.target_name)}: {{{settings}}}\n"
        )

    def is_of(self, manifest: Loaded, project: NewProject) -> bool:
        # There are no projects here, nor schemas in them.
        named = (
            project.endpoint in {None, fc_target(manifest).endpoint},
            project.stack in {None, manifest.manifest.stack},
        )
        return all(named) and project.project is None and project.schema is None

    def import_objects(
        self,
        manifest: OpenManifest,
        reading: Reading,
        target: Target,
        request: ImportRequest,
        means: ImportMeans,
    ) -> Imported:
        assert isinstance(target, FunctionCompute)
        chosen, present = _choose(reading, request, manifest.loaded)
        reasons = {live.object.key: why for live in chosen if (why := _why_not(live, reading, manifest.loaded))}
        importable = [live for live in chosen if live.object.key not in reasons]
        require_free_folders(manifest.loaded.folder, [live.object.name for live in importable], request)
        draft = _Draft(manifest, target, means)
        imported = []
        for live in importable:
            means.on_step(f"fetching {live.object.name}")
            entry = draft.judge(live)
            if isinstance(entry, str):
                reasons[live.object.key] = entry
            else:
                imported.append(entry)
        left_out = tuple(LeftOut(key, reason) for key, reason in sorted(reasons.items()))
        functions = tuple(function.summary for function in imported)
        result = Imported(str(manifest.file), functions, (), left_out, present)
        if imported:
            text = manifest.text + ("\nfunctions:\n" if manifest.is_new else "")
            text = add_entries(text, "functions", [function.entry for function in imported])
            for function in imported:
                place_folder(manifest.loaded.folder, means.staging, function.entry.name, overwrite=request.overwrite)
            replace_file(manifest.file.resolve(), text.encode())
        return result


@dataclass(frozen=True)
class _Function:
    """A function that goes into the manifest."""

    entry: ManifestEntry
    summary: ImportedObject


@dataclass
class _Draft:
    """A manifest with one function in an empty folder, where each is checked."""

    manifest: OpenManifest
    target: FunctionCompute
    means: ImportMeans

    def judge(self, live: Live) -> _Function | str:
        """Return a function as it goes into the manifest; a text says why it does not."""
        name = live.object.name
        seen = look_at(self.target, name, fc_manifest(self.manifest.loaded))
        if seen is None:
            return "it went away meanwhile"
        archive = fetch_code(self.target, live, self.means.staging)
        if (why := why_not_unpacked(archive, self.means.staging / FOLDER / name)) is not None:
            return why
        if secret := next(filter(looks_secret, seen.variables), None):
            return f"its variable {secret} is called like a credential, which no manifest holds: let a role give it, or import without it"
        entry = describe_function(seen, self.means.staging / FOLDER / name)
        try:
            changes = self._changes(seen, entry, archive)
        except (InvalidManifest, PackageError) as error:
            problem = next(problem for problem in error.problems if problem.severity == "error")
            return f"{problem.message} ({problem.code})"
        return _Function(entry, _summary(seen, entry, changes))

    def _changes(self, seen: LiveFunction, entry: ManifestEntry, archive: Path) -> list[str]:
        """Return what an apply would change of a function that is adopted as the entry has it."""
        fields = dict(entry.fields)
        # Layers that the manifest makes are not made here: they are named in it, and were judged there.
        foreign = [layer for layer in seen.layers if layer.startswith("acs:")]
        if foreign:
            fields["layers"] = foreign
        else:
            fields.pop("layers", None)
        goal = fc_target(self.manifest.loaded)
        account = f", account: {scalar(goal.account)}" if goal.account else ""
        lines = [
            f"stack: {self.manifest.loaded.manifest.stack}",
            "target: {kind: fc}",
            f"targets: {{local: {{endpoint: local, region: {scalar(goal.region)}{account}}}}}",
            "functions:",
            *entry_lines(type(entry)(entry.name, fields)),
        ]
        text = "\n".join(lines) + "\n"
        loaded = parse_manifest(text.encode(), _MANIFEST, self.means.staging, DIALECTS, target=None, env=self.means.env)
        self.means.prepare(loaded)
        artifacts = collect(loaded, cache=self.means.cache, env=self.means.env, on_step=lambda step: None)
        code = artifacts.code[entry.name].content.path
        changes = []
        for key, want in sorted(desired_state(loaded, artifacts).items()):
            have = seen.objects.get(key)
            if have is None:
                changes.append(key.kind)
                continue
            same = {"marker"}
            if key.kind == "function" and want.object.kind.same_files(archive, code):
                same.add("content")
            if len(foreign) < len(seen.layers):
                same.add("layers")
            changes += [each.field for each in differences(want, have) if each.field not in same]
        return list(dict.fromkeys(changes))


def _summary(seen: LiveFunction, entry: ManifestEntry, changes: list[str]) -> ImportedObject:
    function = seen.function
    parts = [f" → {FOLDER}/{function.name}/", function.runtime, function.handler]
    if seen.triggers:
        parts.append(count(len(seen.triggers), "trigger"))
    text = ", ".join(parts)
    if seen.notes:
        text += f"; {'; '.join(seen.notes)}"
    if changes:
        text += f"; once it is adopted, an apply writes anew: {', '.join(changes)}"
    fields = {
        "name": function.name,
        "runtime": function.runtime,
        "handler": function.handler,
        "source": entry.fields["source"],
        "triggers": [trigger.object.name.partition("/")[2] for trigger in seen.triggers],
        "notes": list(seen.notes),
        "written_anew": changes,
    }
    return ImportedObject(function.key, text, fields, function.size)


def _idle_patterns(request: ImportRequest, functions: Iterable[Key]) -> Iterator[Problem]:
    """Yield a problem for each pattern that fits nothing."""
    names = [key.name for key in functions]
    for pattern in request.functions:
        if not any(fnmatchcase(name, pattern) for name in names):
            message = f"the region has no function that {quote(pattern)} fits"
            yield Problem("E560", message, hint=did_you_mean(pattern, names))
    for pattern in request.resources:
        hint = "Function Compute has functions, and layers that they list"
        yield Problem("E560", f"the region has no resource that '{pattern}' fits", hint=hint)


def _choose(reading: Reading, request: ImportRequest, loaded: Loaded) -> tuple[list[Live], tuple[Key, ...]]:
    """Return the functions that are asked for and do not stand in the manifest yet, and those that do; E560 for what fits nothing."""
    functions = [key for key in sorted(reading.live) if key.kind == "function"]
    patterns = request.functions or ("*",)
    problems = list(_idle_patterns(request, functions))
    if problems:
        raise UsageError.of(problems)
    named = [key for key in functions if any(fnmatchcase(key.name, pattern) for pattern in patterns)]
    present = tuple(key for key in named if key.name in loaded.manifest.functions)
    return [reading.live[key] for key in named if key not in present], present


def _why_not(live: Live, reading: Reading, loaded: Loaded) -> str | None:
    """Return why no manifest can have a function, or None."""
    function = live.object
    assert isinstance(function, FcFunction)
    holder = reading.holder(function.key)
    if holder not in {None, loaded.manifest.stack}:
        return f"stack '{holder}' manages it"
    if function.checksum is None:
        return "it is of API 2.0, or a container: there is no code that could be fetched"
    if function.runtime not in RUNTIMES:
        return f"udfs has no runtime {function.runtime or 'without a name'}"
    return why_not_a_name(function.name)
