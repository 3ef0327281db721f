"""
Entries of a pipeline: each manifest and target that a `udfs ci` command is about, what came of it, and the folder that keeps it.

One plan is made an entry, and written in every format that can be written here; what cannot is told and keeps nothing else back.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from reconciler.base.errors import InvalidManifest, Refused, UdfsError, count
from reconciler.base.files import machine_error
from reconciler.base.words import did_you_mean, quote, safe
from reconciler.cli.support import identity
from reconciler.cli.support.files import write_whole
from reconciler.cli.support.git import list_changes, list_files
from reconciler.cli.support.options import Options, log_requests, split_targets, targets_exclude
from reconciler.cli.support.output import (
    Result,
    findings_output,
    note,
    output_text,
    print_lines,
    print_output,
    with_source,
)
from reconciler.cli.support.several import worst
from reconciler.manifest.effective import target_names
from reconciler.render.findings import SarifLog, without_lines
from reconciler.render.styled import problems_lines
from reconciler.workflow.ci.manifests import MANIFEST, Repository, repository_at, unique_folders
from reconciler.workflow.ci.order import order_manifests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.base.errors import Problem
    from reconciler.cli.support.output import Output
    from reconciler.render.styled import Line
    from reconciler.workflow.ci.index import CiCommand, EntryDocument, EntryOutcome, IndexDocument
    from reconciler.workflow.ci.manifests import ManifestFile

FILES = {
    "text": "{}.txt",
    "json": "{}.json",
    "markdown": "{}.md",
    "sarif": "{}.sarif",
    "github": "annotations.txt",
    "junit": "junit.xml",
    "html": "{}.html",
}
"""Format → the name of its file, with the command in it."""

_KINDS = {"github": "annotations"}
"""Formats whose files are called otherwise in the index."""

Rendering: TypeAlias = Callable[[str], "Output"]
"""Returns what came of an entry in a format."""


@dataclass(frozen=True)
class EntryResult:
    """What came of one manifest and target."""

    outcome: EntryOutcome
    code: int
    summary: str
    render: Rendering
    formats: tuple[str, ...]
    stack: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    fingerprint: str | None = None
    digest: str | None = None
    problems: tuple[Problem, ...] = ()
    saved: bytes | None = None
    """The plan as `udfs apply --approved` reads it."""

    extra: Mapping[str, bytes] = field(default_factory=dict)
    """Further files: kind → content; the kind is the file's name."""

    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CiEntry:
    """A manifest and one of its targets."""

    manifest: ManifestFile
    target: str | None
    """None: the usual one."""

    @property
    def label(self) -> str:
        return f"{self.manifest.name}{f' → {self.target}' if self.target else ''}"


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

    def attempt(self, entry: CiEntry, work: Callable[[Options], EntryResult]) -> EntryResult:
        """Do a piece of work; what is in its way is what came of it."""
        options = self.options_of(entry)
        try:
            with options.completing():
                return work(options)
        except (UdfsError, OSError) as error:
            return failure_result(error if isinstance(error, UdfsError) else machine_error(error))

    def tell(self, entry: CiEntry, result: EntryResult) -> None:
        """Print what came of an entry, where people read it."""
        if self.options.format == "text":
            print_lines([(("name", f"{safe(entry.label)}:"),)])
            print_output(result.render("text"))
            print_lines([()])
            sys.stdout.flush()
        elif self.options.format == "github":
            print_output(result.render("github"))
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
                output = ()
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
        contents |= {name.rpartition(".")[0]: (name, content) for name, content in result.extra.items()}
        for name, content in contents.values():
            write_whole(into / name, content)
        return {kind: name for kind, (name, _) in contents.items()}


def index_summary(index: IndexDocument) -> str:
    """Return the one line that counts."""
    from reconciler.render.pipeline import headline

    return headline(index)


# --- Results --------------------------------------------------------------------------------------------------------------

PROBLEM_FORMATS = ("text", "json", "markdown", "sarif", "github")


def failure_result(error: UdfsError) -> EntryResult:
    """Return the result of an entry that an error ended."""
    problems = tuple(with_source(error.problems))
    first, others = problems[0], len(problems) - 1
    return EntryResult(
        "refused" if isinstance(error, Refused) else "failed",
        error.exit_code,
        f"{first.code}: {first.message}{f' and {others} more' if others else ''}",
        functools.partial(problems_output, problems),
        PROBLEM_FORMATS,
        counts={"problems": len(problems)},
        fingerprint=fingerprint_of(problems),
        problems=problems,
    )


def skipped_result(why: str) -> EntryResult:
    """Return the result of an entry that was not begun."""
    return EntryResult("skipped", 0, why, lambda form: problems_output((), form, why), PROBLEM_FORMATS)


def problems_output(problems: tuple[Problem, ...], form: str, headline: str = "") -> Output:
    """Return problems in any of `PROBLEM_FORMATS`."""
    if form == "text":
        lines: list[Line] = [(("name", safe(headline)),)] if headline else []
        return (*lines, *problems_lines(problems))
    if form == "markdown":
        from reconciler.render.markdown import problems_markdown

        return problems_markdown(headline or count(len(problems), "problem"), problems)
    return findings_output(problems, form)


def fingerprint_of(problems: Sequence[Problem], *more: object) -> str:
    """Return a sha256 of what was said, whatever the lines on which it stands."""
    said = sorted((problem.code, without_lines(problem.message)) for problem in problems)
    return hashlib.sha256(json.dumps([said, *more], default=str).encode()).hexdigest()


# --- Options --------------------------------------------------------------------------------------------------------------


def ci_options(command: CiCommand) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Return what adds the options of `CiRun` to a command, which gets one first."""

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        @click.option(
            "-f",
            "--file",
            "files",
            type=click.Path(path_type=Path),
            multiple=True,
            help="A manifest, a folder with some below it, or a pattern; may be given often.  [default: each udfs.yaml of the repository]",
        )
        @click.option(
            "--target",
            "targets",
            multiple=True,
            metavar="NAME[,NAME]",
            help="The targets of each manifest, in this order; 'local' or the only one when left out.",
        )
        @click.option("--all-targets", is_flag=True, help="Each target of each manifest.")
        @click.option(
            "--changed-since",
            metavar="BASE",
            help="Only manifests that read something which changed since this commit or branch; auto: since the base that "
            "the pipeline gives for its pull request or push.",
        )
        @click.option(
            "--out",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help="Write what came of each into this folder, in every format, with an index.json.",
        )
        @click.option(
            "--format",
            type=click.Choice(["text", "json", "markdown", "github"]),
            default="text",
            show_default=True,
            help="json: the index on stdout; markdown: the summary; github: workflow commands.",
        )
        @click.option("-v", "--verbose", is_flag=True, help="Log every request to stderr.")
        @functools.wraps(function)
        def wrapper(
            files: tuple[Path, ...],
            targets: tuple[str, ...],
            all_targets: bool,
            changed_since: str | None,
            out: Path | None,
            format: Any,
            verbose: bool,
            **arguments: Any,
        ) -> Result:
            if verbose:
                log_requests()
            repository = repository_at(Path.cwd(), list_files)
            manifests = repository.manifests(files)
            order = order_manifests(manifests, repository)
            entries, passed_over = choose_entries(order.manifests, targets, all_targets=all_targets)
            options = Options(Path("udfs.yaml"), None, format)
            from reconciler.cli.support.progress import showing

            with showing(for_people=format in {"text", "markdown"}):
                run = CiRun(repository, entries, command, options, out, passed_over, before=order.before)
                return function(run if changed_since is None else keep_changed(run, changed_since), **arguments)

        return wrapper

    return decorate


def _pipeline_base() -> str:
    """Return what the pipeline says that the change is to be compared with; empty outside of one, and of a first push."""
    facts = identity.pipeline()
    commit = facts.base if facts.base.strip("0") else ""
    return commit or (f"origin/{facts.base_branch}" if facts.base_branch else "")


def keep_changed(run: CiRun, since: str) -> CiRun:
    """Return a run of those entries only whose manifests read something that changed since a base."""
    from reconciler.targets.dialects import DIALECTS
    from reconciler.workflow.ci.changes import reads_changes

    if since == "auto" and not (since := _pipeline_base()):
        note("the pipeline names no base, so every manifest is looked at")
        return run
    base, changed = list_changes(run.repository.top, since)
    targets: dict[ManifestFile, list[str | None]] = {}
    for entry in run.entries:
        targets.setdefault(entry.manifest, []).append(entry.target)
    kept = {
        manifest
        for manifest, names in targets.items()
        if reads_changes(manifest, names, changed, run.repository, DIALECTS, os.environ)
    }
    for name in sorted(changed):
        if name.rpartition("/")[2] == MANIFEST and not (run.repository.top / name).exists():
            note(
                f"{name} is gone, and what it managed stays where it is; the manifest of {base[:10]} still says what that is"
            )
    return replace(
        run,
        entries=tuple(entry for entry in run.entries if entry.manifest in kept),
        passed_over=tuple((entry, why) for entry, why in run.passed_over if entry.manifest in kept),
        unchanged=tuple(manifest.name for manifest in targets if manifest not in kept),
        base=base,
    )


def choose_entries(
    manifests: Sequence[ManifestFile], named: tuple[str, ...], *, all_targets: bool
) -> tuple[tuple[CiEntry, ...], tuple[tuple[CiEntry, str], ...]]:
    """
    Return each manifest with each of its targets that is meant, target by target, and those that have no such target.

    So everything goes to the first target before anything goes to the second.
    """
    if all_targets and named:
        raise targets_exclude()
    targets = split_targets(named)
    if not targets and not all_targets:
        return tuple(CiEntry(manifest, None) for manifest in manifests), ()
    declared = {manifest: _targets_of(manifest) for manifest in manifests}
    everything = tuple(dict.fromkeys(itertools.chain.from_iterable(filter(None, declared.values()))))
    if None not in declared.values():
        _require_known(targets, everything)
    entries: list[CiEntry] = []
    passed_over: list[tuple[CiEntry, str]] = []
    for target, manifest in itertools.product(targets or everything, manifests):
        if target in (declared[manifest] or (target,)):
            entries.append(CiEntry(manifest, target))
        elif targets:
            passed_over.append((CiEntry(manifest, target), f"it has no target {quote(target)}"))
    return tuple(entries), tuple(passed_over)


def _require_known(targets: Sequence[str], everything: Sequence[str]) -> None:
    """Raise for a target that no manifest has: that one lacks it is in order, that all do is a slip."""
    for name in targets:
        if name not in everything:
            hint = did_you_mean(name, everything) or f"declared: {', '.join(sorted(everything))}"
            raise InvalidManifest("E307", f"no manifest has a target {quote(name)}", hint=hint)


def _targets_of(manifest: ManifestFile) -> tuple[str, ...] | None:
    """Return the targets of a manifest; None of one that cannot be read, which is told when it is its turn."""
    try:
        return target_names(manifest.path)
    except UdfsError:
        return None
