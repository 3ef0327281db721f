"""
Run of a `udfs ci` command: work on each manifest and target, what came of it, and the folder that keeps it.

One plan is made an entry, and written in every format that can be written here; what cannot is told and keeps nothing else back.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.base.activity import announce
from reconciler.base.errors import UdfsError
from reconciler.base.files import machine_error
from reconciler.base.words import safe
from reconciler.cli.pipeline.results import failure_result, skipped_result
from reconciler.cli.support import identity
from reconciler.cli.support.files import write_whole
from reconciler.cli.support.output import (
    Result,
    findings_output,
    from_top,
    note,
    output_text,
    print_lines,
    print_output,
)
from reconciler.cli.support.several import worst
from reconciler.core.report import EntryBegun, EntryEnded
from reconciler.render.findings import SarifLog
from reconciler.workflow.ci.manifests import unique_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from reconciler.cli.pipeline.entries import CiEntry
    from reconciler.cli.pipeline.results import EntryResult
    from reconciler.cli.support.options import Options
    from reconciler.cli.support.output import Output
    from reconciler.workflow.ci.index import CiCommand, EntryDocument, IndexDocument
    from reconciler.workflow.ci.manifests import Repository

FILES = {
    "text": "{}.txt",
    "json": "{}.json",
    "markdown": "{}.md",
    "sarif": "{}.sarif",
    "github": "annotations.txt",
    "html": "{}.html",
}
"""Format → the name of its file, with the command in it."""

_KINDS = {"github": "annotations"}
"""Formats whose files are called otherwise in the index."""


@dataclass(frozen=True)
class CiRun:
    """What a `udfs ci` command is about, and where it leaves what came of it."""

    repository: Repository
    entries: tuple[CiEntry, ...]
    command: CiCommand
    options: Options
    """Of a single command; file and target are those of each entry."""

    out: Path | None
    passed_over: tuple[tuple[CiEntry, str], ...] = ()
    """Entries that cannot be, and why: the manifest has no such target."""

    unchanged: tuple[str, ...] = ()
    """Manifests of which nothing changed since `base`."""

    base: str | None = None
    before: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """For the name of each manifest, those of the manifests that come before it."""

    def predecessors(self, entry: CiEntry) -> tuple[CiEntry, ...]:
        """Return what has to have gone well before an entry: the same manifest's earlier targets, and what its `after:` names."""
        earlier = self.entries[: self.entries.index(entry)]
        before = self.before.get(entry.manifest.name, frozenset())
        return tuple(
            other
            for other in earlier
            if other.manifest == entry.manifest or (other.manifest.name in before and other.target == entry.target)
        )

    def take_wheels(self, wheels: Path | None, *, no_build: bool) -> CiRun:
        """Return the same with what is said of builds."""
        return replace(self, options=self.options.take_wheels(wheels, no_build=no_build))

    def options_of(self, entry: CiEntry) -> Options:
        """Return the options of a command about one entry."""
        options = replace(self.options, file=entry.manifest.path, target=entry.target, format="text")
        if options.wheels is None:
            return options
        # `ci check --wheels` gives each manifest a folder of its own: two may build another wheel of one name.
        folder = options.wheels / unique_folders([(entry.manifest.name, None)])[entry.manifest.name, None]
        return replace(options, wheels=folder if folder.is_dir() else options.wheels)

    def each(self, work: Callable[[Options], EntryResult]) -> Result:
        """Do a piece of work for each entry, tell and keep what comes of it, and return the whole."""
        results = []
        for entry in self.entries:
            results.append((entry, self.attempt(entry, work)))
            self.tell(*results[-1])
        return self.conclude(results)

    def wheels_folder(self, wheels: Path, file: Path) -> Path:
        """Return the folder of one manifest's wheels in that of all."""
        names = [(entry.manifest.name, None) for entry in self.entries if entry.manifest.path == file]
        return wheels / unique_folders(names[:1])[names[0]]

    def attempt(
        self, entry: CiEntry, work: Callable[[Options], EntryResult], doing: CiCommand | None = None
    ) -> EntryResult:
        """Do a piece of work; what is in its way is what came of it."""
        options, doing = self.options_of(entry), doing or self.command
        announce(EntryBegun(doing, entry.manifest.name, entry.target))
        try:
            with options.completing():
                result = work(options)
        except (UdfsError, OSError) as error:
            result = failure_result(error if isinstance(error, UdfsError) else machine_error(error))
        announce(EntryEnded(doing, entry.manifest.name, entry.target, result.outcome, result.code))
        return result

    def tell(self, entry: CiEntry, result: EntryResult) -> None:
        """Print what came of an entry, where people read it."""
        if self.options.format == "text":
            print_lines([(("name", f"{safe(entry.label)}:"),)])
            print_output(result.render("text"))
            print_lines([()])
            sys.stdout.flush()
        for line in result.notes:
            note(f"{entry.label}: {line}")

    def conclude(self, results: Sequence[tuple[CiEntry, EntryResult]]) -> Result:
        """Write down what came of all, and return it."""
        results = [*results, *((entry, skipped_result(why)) for entry, why in self.passed_over)]
        index = self._index(results)
        code = index.exit_code
        match self.options.format:
            case "json":
                output: Output = index.text()
            case "markdown":
                from reconciler.render.pipeline import index_markdown

                output = index_markdown(index)
            case "text":
                from reconciler.render.pipeline import index_lines

                output = index_lines(index)
            case _:
                # What several have in common is said once, and a step shows ten of each kind.
                problems = dict.fromkeys(problem for _, result in results for problem in from_top(result.problems))
                output = findings_output(problems, "github")
        return Result(output, code, index_summary(index))

    def _index(self, results: Sequence[tuple[CiEntry, EntryResult]]) -> IndexDocument:
        from reconciler.workflow.ci.index import INDEX, EntryDocument, IndexDocument

        folders = unique_folders((entry.manifest.name, entry.target) for entry, _ in results)
        documents: list[EntryDocument] = []
        for entry, result in results:
            folder = folders[entry.manifest.name, entry.target]
            files = self._write(entry, result, folder) if self.out is not None else {}
            documents.append(
                EntryDocument.of(
                    result,
                    manifest=entry.manifest.name,
                    target=entry.target,
                    exit_code=result.code,
                    folder=folder,
                    counts=dict(result.counts),
                    files=files,
                )
            )
        holder = asdict(identity.holder(self.repository.top))
        index = IndexDocument(
            command=self.command,
            commit=holder.pop("commit") or None,
            base=self.base,
            run=holder,
            unchanged=self.unchanged,
            entries=tuple(documents),
            exit_code=worst(document.exit_code for document in documents),
            files={"summary": "summary.md"} if self.out is not None else {},
        )
        if self.out is not None:
            from reconciler.render.pipeline import index_markdown

            write_whole(self.out / "summary.md", index_markdown(index).encode())
            # Last, so that who finds an index finds the rest.
            write_whole(self.out / INDEX, index.text().encode())
        return index

    def _write(self, entry: CiEntry, result: EntryResult, folder: str) -> dict[str, str]:
        """Write the files of an entry, and return their names by kinds."""
        assert self.out is not None
        into = self.out / folder
        into.mkdir(parents=True, exist_ok=True)
        category = f"udfs {self.command}/{entry.manifest.name}{f'@{entry.target}' if entry.target else ''}/"
        contents: dict[str, tuple[str, bytes]] = {}
        for form in result.formats:
            try:
                output = result.render(form)
            except UdfsError as error:
                # A format that needs something more leaves the others as they are.
                note(f"{folder}: no {form}: {error}; {error.problems[0].hint or ''}".rstrip("; "))
                continue
            if isinstance(output, SarifLog):
                output = replace(output, category=category)
            contents[_KINDS.get(form, form)] = FILES[form].format(self.command), output_text(output).encode()
        if result.saved is not None:
            contents["saved"] = "plan.udfs.json", result.saved
        contents["junit"] = "junit.xml", self._junit(entry, result).encode()
        for name, content in contents.values():
            write_whole(into / name, content)
        return {kind: name for kind, (name, _) in contents.items()}

    def _junit(self, entry: CiEntry, result: EntryResult) -> str:
        from reconciler.render.junit import entry_junit

        name = f"{result.stack or entry.manifest.name}{f'@{entry.target}' if entry.target else ''}"
        problems = from_top(result.other_problems)
        return entry_junit(name, self.command, result.outcome, result.summary, problems, result.trials)


def index_summary(index: IndexDocument) -> str:
    """Return the one line that counts."""
    from reconciler.render.pipeline import headline

    return headline(index)
