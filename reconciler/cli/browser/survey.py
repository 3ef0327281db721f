"""
Survey: one look at manifest and project, and the pages that are made of it.

What cannot be had is told in its place, and the rest is shown: a project that does not answer still has a manifest, and a
manifest that is being written still has a project. Nothing is kept between two looks.
"""

from __future__ import annotations

import json
import shlex
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import UdfsError, UsageError
from reconciler.base.hints import Command
from reconciler.base.words import moment, safe
from reconciler.cli.drift import judge_snapshot
from reconciler.cli.support.plans import complete_plan, read_snapshot, read_sources
from reconciler.cli.support.project import connect, open_manifest, prepare_files
from reconciler.core.history import entry_changes
from reconciler.core.picture import desired_picture, entry_picture, plan_picture
from reconciler.core.plan import restoring
from reconciler.core.sizes import measure
from reconciler.engine.ledger import KEPT, require_free
from reconciler.render.page.columns import place_nodes
from reconciler.render.page.parts import ROOM, drift_part, history_part, plan_part
from reconciler.render.page.project import (
    MOST_ROWS,
    FormField,
    PageAnswer,
    PageForm,
    PageSection,
    ProjectPage,
    ResultTable,
    part_section,
    picture_section,
    problem_section,
    run_page,
    size_section,
)
from reconciler.targets import adapter_of, require_power
from reconciler.workflow import planning
from reconciler.workflow.records import LedgerEntries, load_entry
from reconciler.workflow.sources import entry_sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.base.errors import Problem
    from reconciler.cli.browser.commands import CommandResult, Commands
    from reconciler.cli.drift import DriftVerdict
    from reconciler.cli.support.options import Options
    from reconciler.cli.support.plans import Snapshot
    from reconciler.core.record import Entry
    from reconciler.manifest.load import Loaded
    from reconciler.render.page.columns import Drawing
    from reconciler.workflow.preparation import Prepared

_PART_ROOM = ROOM // 3
"""Characters of drift, plan and history."""

_LONGEST = 2_000
"""Characters of a cell."""


@dataclass
class Survey:
    """What one look came to."""

    loaded: Loaded
    prepared: Prepared | None = None
    snapshot: Snapshot | None = None
    entries: tuple[Entry, ...] = ()
    problems: list[Problem] = field(default_factory=list)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note what is in the way of a step, and go on without it."""
        try:
            yield
        except UdfsError as error:
            self.problems += error.problems


def require_forms(loaded: Loaded, *, allow_calls: bool, allow_sql: bool) -> None:
    """Raise where a form is asked for that the kind of target has nothing for."""
    if allow_calls and not adapter_of(loaded).event_calls:
        require_power(loaded, lambda adapter: adapter.row_calls, "call of functions")
    if allow_sql:
        require_power(loaded, lambda adapter: adapter.queries, "SQL").require_query(loaded)


@dataclass
class ProjectPages:
    """The pages of one manifest and target."""

    options: Options
    commands: Commands
    allow_calls: bool
    allow_sql: bool

    def show(self, path: str) -> ProjectPage | None:
        """Return the page of the whole, or of one run."""
        word, _, epoch = path.partition("/")
        with_epoch = word == "run" and epoch.isascii() and epoch.isdigit() and len(epoch) < 10
        if path and not with_epoch:
            return None
        try:
            loaded = open_manifest(self.options, warn=False)
            return self._run_page(loaded, int(epoch)) if with_epoch else self._first_page(loaded)
        except UdfsError as error:
            return self._failure_page(error, home="../" if path else "")

    def submit(self, path: str, fields: Mapping[str, str]) -> ProjectPage | None:
        """Call a function or run a statement, where that is allowed."""
        if not (path == "call" and self.allow_calls) and not (path == "sql" and self.allow_sql):
            return None
        try:
            loaded = open_manifest(self.options, warn=False)
        except UdfsError as error:
            return self._failure_page(error, home="./")
        section = self._answer_call(loaded, fields) if path == "call" else self._answer_sql(loaded, fields)
        sections = (section,) if section else ()
        return ProjectPage(f"{path} · {safe(loaded.manifest.stack)}", *_heading(loaded), sections, home="./")

    def stop(self) -> None:
        """End what forms asked for."""
        self.commands.stop()

    # The first page

    def _first_page(self, loaded: Loaded) -> ProjectPage:
        survey = self._look(loaded)
        verdict = self._judge(survey)
        problems = self.options.invocation.complete(survey.problems)
        sections = (
            *((problem_section(problems),) if problems else ()),
            picture_section(_draw(survey, verdict)),
            *self._sizes(survey),
            *self._comparison(survey, verdict),
            *self._history(survey),
            *filter(None, (self._call_form(loaded, {}), self._sql_form(loaded, ""))),
        )
        headline, facts = _heading(loaded)
        read = (("read", moment(survey.snapshot.now)),) if survey.snapshot else ()
        return ProjectPage(f"Stack {safe(loaded.manifest.stack)}", headline, (*facts, *read), sections)

    def _look(self, loaded: Loaded) -> Survey:
        survey = Survey(loaded, problems=[*loaded.warnings])
        with survey.noting():
            survey.prepared = prepare_files(loaded, self.options, warn=False)
            survey.problems += survey.prepared.warnings
        with survey.noting(), connect(loaded) as target:
            survey.snapshot = read_snapshot(loaded, target, full=False)
            survey.entries = tuple(LedgerEntries(loaded, target, survey.snapshot.reading.epochs[-KEPT:]))
        return survey

    def _sizes(self, survey: Survey) -> Iterator[PageSection]:
        if survey.prepared:
            yield size_section(measure(want.object for want in survey.prepared.desired.values()))
        elif survey.snapshot:
            reading, stack = survey.snapshot.reading, survey.loaded.manifest.stack
            yield size_section(
                measure(live.object for key, live in reading.live.items() if reading.holder(key) == stack)
            )

    def _judge(self, survey: Survey) -> DriftVerdict | None:
        """Return how project and manifest differ; None where the one or the other could not be had."""
        verdict = None
        with survey.noting():
            if survey.prepared and survey.snapshot:
                verdict = judge_snapshot(survey.prepared, survey.snapshot, self.options)
        return verdict

    def _comparison(self, survey: Survey, verdict: DriftVerdict | None) -> Iterator[PageSection]:
        """Yield what drifted, and what an apply would do."""
        prepared, snapshot = survey.prepared, survey.snapshot
        if prepared is None or snapshot is None or verdict is None:
            return
        invocation = self.options.invocation
        try:
            # While somebody applies, what is there is neither as it was nor as it will be.
            require_free(snapshot.rival, snapshot.now)
            yield self._drift_section(prepared, snapshot, verdict)
        except UdfsError as error:
            yield problem_section(invocation.complete(error.problems), "drift", "Drift")
        plan = complete_plan(verdict.plan, self.options)
        command = invocation.command(Command("apply")) if plan.changes else None
        part = plan_part(plan, command, room=_PART_ROOM)
        yield part_section("plan", "What an apply would do", part, folded=len(part.items) > 3)

    def _drift_section(self, prepared: Prepared, snapshot: Snapshot, verdict: DriftVerdict) -> PageSection:
        keys = {deviation.key for deviation in verdict.drift.drifted}
        drifted = [change for change in verdict.plan.changes if change.key in keys]
        sources = read_sources(drifted, snapshot, prepared, self.options) if drifted else ()
        invocation = self.options.invocation
        again = (
            invocation.command(Command("apply", "--restore"))
            if restoring(verdict.plan, verdict.drift).changes
            else None
        )
        part = drift_part(
            verdict.drift,
            verdict.plan,
            again,
            invocation,
            sources=[source.backwards for source in sources],
            room=_PART_ROOM,
        )
        return part_section("drift", "Drift", part)

    def _history(self, survey: Survey) -> Iterator[PageSection]:
        if survey.snapshot:
            stack = survey.loaded.manifest.stack
            part = history_part(survey.entries, survey.snapshot.now, stack, _PART_ROOM, run_address="run/")
            yield part_section("history", "History", part)

    # A run

    def _run_page(self, loaded: Loaded, epoch: int) -> ProjectPage:
        downloads = tempfile.TemporaryDirectory(prefix="udfs-", ignore_cleanup_errors=True)
        with connect(loaded) as target, downloads as folder:
            reading = target.read()
            entry = load_entry(loaded, target, epoch)
            earlier = LedgerEntries(loaded, target, [number for number in reading.epochs if number < epoch])
            before = next((each for each in earlier if each.outcome == "committed"), None)
            sources = entry_sources(before, entry, reading.live, target, Path(folder)) if before else ()
            return run_page(entry, entry_changes(before, entry), sources, target.store.now(), before)

    # Forms

    def _call_form(self, loaded: Loaded, fields: Mapping[str, str]) -> PageSection | None:
        adapter = adapter_of(loaded)
        names = tuple(loaded.manifest.functions)
        if not self.allow_calls or not names or not (adapter.row_calls or adapter.event_calls):
            return None
        function = FormField("function", "Function", fields.get("function", names[0]), choices=names)
        if adapter.event_calls:
            input_field = FormField("event", "Event", fields.get("event", "{}"), lines=5)
            note = "runs here, as an apply would upload it"
        else:
            hint = "As on a command line: 1 'two words' NULL"
            input_field = FormField("arguments", "Arguments", fields.get("arguments", ""), hint=hint)
            note = "runs here, as it is deployed"
        return PageSection("call", "Call a function", form=PageForm("call", "Call", (function, input_field), note))

    def _sql_form(self, loaded: Loaded, statement: str) -> PageSection | None:
        if not self.allow_sql or not adapter_of(loaded).queries:
            return None
        text = FormField("statement", "Statement", statement, lines=5)
        note = f"runs in {planning.plan_destination(loaded)}"
        return PageSection("sql", "SQL", form=PageForm("sql", "Run", (text,), note))

    def _answer_call(self, loaded: Loaded, fields: Mapping[str, str]) -> PageSection | None:
        section = self._call_form(loaded, fields)
        if section is None:
            return None
        try:
            result = self.commands.call(
                fields.get("function", ""), _split(fields.get("arguments", "")), fields.get("event")
            )
        except UdfsError as error:
            return _with_failure(section, self.options.invocation.complete(error.problems))
        answer = PageAnswer(
            result.command, _headline(result), not result.code, result.shown_results, result.shown_messages
        )
        return replace(section, answer=answer)

    def _answer_sql(self, loaded: Loaded, fields: Mapping[str, str]) -> PageSection | None:
        section = self._sql_form(loaded, fields.get("statement", ""))
        if section is None:
            return None
        try:
            result = self.commands.sql(fields.get("statement", ""))
        except UdfsError as error:
            return _with_failure(section, self.options.invocation.complete(error.problems))
        return replace(section, answer=_sql_answer(result))

    def _failure_page(self, error: UdfsError, home: str) -> ProjectPage:
        problems = self.options.invocation.complete(error.problems)
        return ProjectPage("udfs", "udfs", (), (problem_section(problems),), home=home)


def _draw(survey: Survey, verdict: DriftVerdict | None) -> Drawing | None:
    """Return the picture of what there is and what an apply would do to it; else of what the manifest asks for, or of the last apply."""
    if verdict is not None:
        return place_nodes(plan_picture(verdict.plan))
    if survey.prepared is not None:
        return place_nodes(desired_picture(survey.prepared.desired))
    last = next((entry for entry in survey.entries if entry.outcome == "committed"), None)
    return place_nodes(entry_picture(last)) if last else None


def _heading(loaded: Loaded) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return what stands above every page: which stack, and where."""
    destination = planning.plan_destination(loaded)
    parts = tuple((label, safe(words)) for label, words in destination.parts.items())
    return f"Stack {safe(loaded.manifest.stack)}", (*parts, ("target", safe(destination.target)))


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        raise UsageError("E901", "the arguments leave a quote open", hint="close it") from None


def _headline(result: CommandResult) -> str:
    return "done" if not result.code else f"failed, exit code {result.code}"


def _with_failure(section: PageSection, problems: tuple[Problem, ...]) -> PageSection:
    return replace(section, problems=problem_section(problems).problems)


def _sql_answer(result: CommandResult) -> PageAnswer:
    """Return rows as a table, and problems as lines."""
    answer = PageAnswer(result.command, _headline(result), not result.code, messages=result.shown_messages)
    try:
        document = json.loads(result.results)
    except ValueError:
        return answer._replace(results=result.shown_results)
    if result.code:
        return answer._replace(results="\n".join(map(_problem_line, document["problems"])))
    columns = tuple(safe(column["name"]) for column in document["columns"])
    rows = document["rows"]
    notes = [f"{len(rows):,} rows, of which {MOST_ROWS} are shown"] if len(rows) > MOST_ROWS else []
    notes += ["There are more rows than the service gives out: add LIMIT"] if document["truncated"] else []
    table = ResultTable(columns, tuple(tuple(map(_cell, row)) for row in rows[:MOST_ROWS]), "; ".join(notes))
    return answer._replace(table=table if columns else None)


def _cell(value: object) -> str:
    """Return a value as a cell has it, cut where it is long."""
    if value is None:
        return "NULL"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _problem_line(problem: Mapping[str, object]) -> str:
    """Return a problem of a document as a terminal shows it, without colour."""
    place = f"{problem.get('file')}:{problem['line']}:{problem.get('column')}: " if problem.get("line") else ""
    hint = f"\n  help: {problem['hint']}" if problem.get("hint") else ""
    return f"{place}{problem['severity']}[{problem['code']}]: {problem['message']}{hint}"
