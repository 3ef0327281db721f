"""
Draft of an import: the new entries as a manifest of their own, in a folder where nothing else is.

The draft is read by the checks of any manifest; an entry that does not pass is left out with the reason.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from reconciler.base.errors import InvalidManifest, PackageError
from reconciler.checks.python.project import findings_by_runtime
from reconciler.core.plan import needs
from reconciler.manifest.editing import ManifestEntry, add_entries, entry_lines, literally, scalar
from reconciler.manifest.load import parse_manifest
from reconciler.manifest.section import as_written
from reconciler.packages.collect import collect
from reconciler.targets.maxcompute.dialect import MAXCOMPUTE
from reconciler.targets.maxcompute.importing.files import link_or_copy, resource_of
from reconciler.targets.maxcompute.importing.selection import (
    Present,
    function_entry,
    path_of,
    resource_entry,
)
from reconciler.targets.maxcompute.importing.sources import SourceForms
from reconciler.targets.maxcompute.manifest import manifest_of, target_of
from reconciler.targets.maxcompute.names import wheel_archive
from reconciler.targets.maxcompute.objects import function_key, resource_key
from reconciler.targets.maxcompute.source_rules import SOURCE_RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from reconciler.base.errors import Position
    from reconciler.checks import Finding
    from reconciler.core.kind import Key
    from reconciler.core.state import Live
    from reconciler.manifest.editing import Value
    from reconciler.manifest.load import Loaded
    from reconciler.targets.maxcompute.importing.selection import Selection
    from reconciler.targets.maxcompute.manifest import Resource as Declared
    from reconciler.targets.powers import ImportMeans, OpenManifest

T = TypeVar("T")

DIALECTS = {MAXCOMPUTE.kind: lambda: MAXCOMPUTE}
MANIFEST = "udfs.yaml"
_PREFERENCE = ("cp37", "cp27", "cp311")
"""Of runtimes that fit alike, the first is taken."""
_PRESENT = "present"
_KEPT = ("table", "partition", "type", "exclude")
"""Where a draft has the files that the manifest has already."""


def names_in(loaded: Loaded) -> Present:
    """Return what a manifest has already."""
    manifest = loaded.manifest
    names = {function_key(name) for name in manifest.functions} | {resource_key(name) for name in manifest.resources}
    derived = [code.entry for code in loaded.code.values() if code.entry]
    derived += [
        wheel_archive(wheel)
        for package in manifest.packages.values()
        for wheel in package.wheels
        if isinstance(wheel, str)
    ]
    derived += [f"{name}.zip" for name, package in manifest.packages.items() if package.bundle]
    return Present(manifest.stack, frozenset(names), {resource_key(name) for name in derived} - names)


@dataclass
class ImportDraft:
    """The new entries as a manifest of their own, in a folder where nothing else is."""

    manifest: OpenManifest
    selection: Selection
    means: ImportMeans
    sources: SourceForms = field(default_factory=SourceForms)
    """The functions that are written with ``source:``; one that cannot be is written as it is in the project."""

    usual: str = "cp37"
    pythons: dict[Key, str] = field(default_factory=dict)

    def judge(self) -> None:
        """Leave out what no manifest can have, and find each function's Python."""
        self.usual = self.manifest.loaded.manifest.python
        for _, declared in self._present():
            if declared.file is not None:
                _copy_present(
                    (self.manifest.loaded.folder / declared.file).resolve(),
                    self.means.staging / _PRESENT / declared.file,
                )
        findings_of, refused = self._find_refused()
        while self.sources.give_up(refused.keys(), self.selection):
            findings_of, refused = self._find_refused()
        self.selection = self.selection.without(refused)
        for key, findings in findings_of.items():
            fewest = min(map(_weight, findings.values()))
            findings_of[key] = {tag: finding for tag, finding in findings.items() if _weight(finding) == fewest}
        if self.manifest.is_new:
            votes = Counter(tag for best in findings_of.values() for tag in best)
            self.usual = max(_PREFERENCE, key=lambda tag: votes[tag])
        for key, best in findings_of.items():
            self.pythons[key] = min(best, key=lambda tag: (tag != self.usual, _PREFERENCE.index(tag)))
        self._without_refused(self.means.prepare)

    def _find_refused(self) -> tuple[dict[Key, dict[str, tuple[Finding, ...]]], dict[Key, str]]:
        """Return what the sources of each function tell, by runtime, and which no runtime takes, with the reason."""
        findings_of = self._find()
        worst = {key: min(findings.values(), key=_weight) for key, findings in findings_of.items()}
        return findings_of, {
            key: f"{finding[0].message} ({finding[0].code})" for key, finding in worst.items() if _weight(finding)[0]
        }

    def _find(self) -> dict[Key, dict[str, tuple[Finding, ...]]]:
        """Return what the sources of each function tell, by runtime."""
        loaded, artifacts = self._without_refused(
            # A draft has no packages, so there is no step to tell of.
            partial(collect, cache=self.means.cache, env=self.means.env, on_step=lambda step: None)
        )
        return {
            live.object.key: findings_by_runtime(live.object.name, loaded, artifacts, SOURCE_RULES)
            for live in self.selection.functions
        }

    def python_of(self, live: Live) -> str:
        return self.pythons.get(live.object.key, self.usual)

    def render(self) -> str:
        """Return the manifest with the new entries in it."""
        text = self.manifest.text
        if self.manifest.is_new:
            text += f"python: {self.usual}  # a guess from the sources: the service does not keep it\n\n"
            text += "resources:\n\nfunctions:\n"
        resources, functions = self._entries()
        return add_entries(add_entries(text, "resources", resources), "functions", functions)

    def _entries(self) -> tuple[list[ManifestEntry], list[ManifestEntry]]:
        target = target_of(self.manifest.loaded)
        names = {live.object.key: live.object.name for live in self.selection.resources}
        names |= {resource_key(name): name for name in self.manifest.loaded.manifest.resources}
        absorbed, sources = self.sources.absorbed_keys(self.selection), self.sources.entries(self.selection)
        resources = [
            resource_entry(live, target.project, target.schema_)
            for live in self.selection.resources
            if live.object.key not in absorbed
        ]
        pythons = {key: tag for key, tag in self.pythons.items() if tag != self.usual}
        functions = [
            function_entry(live, names, pythons.get(live.object.key), sources.get(live.object.key))
            for live in self.selection.functions
        ]
        return resources, functions

    def _present(self) -> list[tuple[str, Declared]]:
        """Return the resources that the manifest has and the chosen functions list: these are judged with them."""
        listed = {need for live in self.selection.functions for need in needs(live.object)}
        declared = manifest_of(self.manifest.loaded).resources
        return [(name, resource) for name, resource in declared.items() if resource_key(name) in listed]

    def _without_refused(self, step: Callable[[Loaded], T]) -> tuple[Loaded, T]:
        """Take a step over the draft, without what the step finds wrong."""
        while True:
            text, owners = self._draft_text()
            try:
                loaded = parse_manifest(
                    text.encode(), MANIFEST, self.means.staging, DIALECTS, target=None, env=self.means.env
                )
                return loaded, step(loaded)
            except (InvalidManifest, PackageError) as error:
                refused = {
                    key: f"{problem.message} ({problem.code})"
                    for problem in reversed(error.problems)
                    if problem.severity == "error" and problem.at and (key := self._owner_of(problem.at, owners))
                }
                if not refused:
                    raise
                if self.sources.give_up(refused, self.selection):
                    continue
                self.selection = self.selection.without(refused)

    def _draft_text(self) -> tuple[str, list[Key | None]]:
        """Return the draft, and for each of its lines whose it is."""
        manifest, target = manifest_of(self.manifest.loaded), target_of(self.manifest.loaded)
        draft_lines = [f"stack: {manifest.stack}", f"python: {self.usual}", "runtimes:"]
        for tag, settings in as_written(manifest.runtimes).items():
            draft_lines.append(
                f"  {tag}: {{{', '.join(f'{key}: {scalar(value)}' for key, value in settings.items())}}}"
            )
        fields = {"project": target.project, **({"schema": target.schema_} if target.schema_ else {})}
        draft_lines.append(
            f"targets: {{local: {{{', '.join(f'{key}: {scalar(value)}' for key, value in fields.items())}}}}}"
        )
        owners: list[Key | None] = [None] * len(draft_lines)
        resources, functions = self._entries()
        resources += [_present_entry(name, declared) for name, declared in self._present()]
        for section, entries, key_of in (
            ("resources", resources, resource_key),
            ("functions", functions, function_key),
        ):
            draft_lines.append(f"{section}:")
            owners.append(None)
            for entry in entries:
                added = list(entry_lines(entry))
                draft_lines += added
                owners += [key_of(entry.name)] * len(added)
        return "\n".join(draft_lines) + "\n", owners

    def _owner_of(self, position: Position, owners: Sequence[Key | None]) -> Key | None:
        if position.file == MANIFEST:
            return owners[position.line - 1] if position.line <= len(owners) else None
        files = {path_of(resource_of(live)): live.object.key for live in self.selection.resources}
        files |= {f"{_PRESENT}/{declared.file}": resource_key(name) for name, declared in self._present()}
        return files.get(position.file)


def _copy_present(source: Path, goal: Path) -> None:
    goal.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, goal, symlinks=True, dirs_exist_ok=True)
    elif not goal.exists():
        link_or_copy(source, goal)


def _present_entry(name: str, declared: Declared) -> ManifestEntry:
    """Return a resource of the manifest as it stands in a draft."""
    options = {key: value for key, value in as_written(declared).items() if key in _KEPT}
    if declared.file is not None:
        options["file"] = f"{_PRESENT}/{declared.file}"
    fields: dict[str, Value] = {
        key: [*map(literally, value)] if isinstance(value, list) else literally(value) for key, value in options.items()
    }
    return ManifestEntry(name, fields)


def _weight(findings: Iterable[Finding]) -> tuple[int, int]:
    """Return how many errors and warnings there are: the Python that a source has fewest for is the one it is for."""
    severities = Counter(finding.severity for finding in findings)
    return severities["error"], severities["warning"]
