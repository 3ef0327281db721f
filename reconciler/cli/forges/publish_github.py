"""
Publishing to GitHub: step summary, the one comment, deployment records, issues about drift.

A push to a pull request takes at most five calls however many targets there are: its comments, and one change.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import count
from reconciler.cli.forges.connection import ForgeFailure
from reconciler.cli.forges.github import ACTIONS_BOT, GitHub, merged_by
from reconciler.cli.forges.publishing import keep_comments
from reconciler.render.forges.comment import compose_section
from reconciler.render.forges.drift_issue import (
    decide,
    issue_body,
    issue_key,
    issue_news,
    issue_title,
    read_drift_mark,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.cli.forges.github import Issue
    from reconciler.cli.forges.publishing import Publishing
    from reconciler.render.forges.drift_issue import DriftMark
    from reconciler.render.forges.reports import TargetReport

_SUMMARY = 1024 * 1024
"""Bytes of a step's summary; of a longer one GitHub keeps nothing [docs.github.com, "Workflow commands"]."""

_SUMMARY_ROOM = 400_000
"""Characters that we write at most."""

_MOST_COMMITS = 10
"""Commits of a push whose pull requests are looked for: each is a call."""


def publish_to_github(publishing: Publishing) -> None:
    """Tell GitHub what a run came to."""
    _write_summary(publishing)
    env, options = publishing.env, publishing.options
    command = publishing.report.command
    if command == "check" and not env.get("GITHUB_TOKEN"):
        # What runs the code of a change has no token, and its summary is enough.
        return
    try:
        forge = GitHub(
            env.get("GITHUB_API_URL") or "https://api.github.com",
            env.get("GITHUB_TOKEN", ""),
            options.repository or env.get("GITHUB_REPOSITORY", ""),
            options.author or ACTIONS_BOT,
        )
    except ForgeFailure as failure:
        hint = "set GITHUB_TOKEN, and GITHUB_API_URL and GITHUB_REPOSITORY where it is not GitHub that runs this"
        publishing.warn("E572", f"nothing is posted to GitHub: {failure}", hint)
        return
    if command == "drift":
        _keep_issues(publishing, forge)
        return
    numbers: list[int] = []
    publishing.attempt("the pull request is not known", lambda: numbers.extend(_pull_requests(publishing, forge)))
    keep_comments(publishing, numbers, forge, "pull request")
    if command == "apply":
        _record_deployments(publishing, forge)


def _write_summary(publishing: Publishing) -> None:
    path = publishing.env.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    file, room = Path(path), _SUMMARY_ROOM
    try:
        present = file.stat().st_size if file.exists() else 0
        text = compose_section(publishing.report, room)
        while len(text.encode()) + present + 1 > _SUMMARY:
            room //= 2
            if room < 1_000:
                raise OSError(0, "the step has written as much as there is place for")
            text = compose_section(publishing.report, room)
        with file.open("a", encoding="utf-8") as out:
            out.write(f"{text}\n")
    except OSError as error:
        publishing.warn("E573", f"the step's summary is not written: {error.strerror}")
    else:
        publishing.note("Summary of the step: written.")


def _pull_requests(publishing: Publishing, forge: GitHub) -> list[int]:
    """Return the numbers of the pull requests that a run is about."""
    around, request = publishing.around, publishing.options.request
    if request or around.request:
        return [request or around.request or 0]
    if around.branch:
        return _at_head(around.commit, forge.pull_requests_from(around.branch))
    if not around.commit:
        return []
    if publishing.report.command != "apply":
        return _at_head(around.commit, forge.pull_requests_of(around.commit))
    commits = sorted(around.commits - {around.commit, ""})[: _MOST_COMMITS - 1]
    numbers = [
        number
        for commit in [around.commit, *commits]
        for number in merged_by(around.commits, forge.pull_requests_of(commit))
    ]
    return list(dict.fromkeys(numbers))


def _at_head(commit: str, pulls: list[Mapping[str, Any]]) -> list[int]:
    """Return the numbers of open pull requests whose newest commit this is."""
    return [
        pull["number"]
        for pull in pulls
        if pull.get("state") == "open" and isinstance(pull.get("head"), dict) and pull["head"].get("sha") == commit
    ]


def _record_deployments(publishing: Publishing, forge: GitHub) -> None:
    """Record a deployment a target, whose name is that of the environment; manifests with a target of one name share it."""
    around = publishing.around
    if not around.commit:
        return
    by_target: dict[str, list[TargetReport]] = {}
    for target in publishing.report.targets:
        if target.target and target.entry.outcome != "skipped":
            by_target.setdefault(target.target, []).append(target)
    for name, targets in by_target.items():
        good = [target for target in targets if target.entry.outcome in {"clean", "changes"}]
        is_good = len(good) == len(targets)
        description = targets[0].entry.summary if len(targets) == 1 else f"{len(good)} of {len(targets)} stacks applied"

        def record(name: str = name, description: str = description, *, is_good: bool = is_good) -> str:
            run = f"{around.number.run}.{around.number.attempt}"
            forge.record_deployment(
                name, around.commit, run, succeeded=is_good, description=description, log=around.link
            )
            return f"Deployment to {name}: recorded as {'a success' if is_good else 'a failure'}."

        publishing.attempt(f"the deployment to {name} is not recorded", record)


def _keep_issues(publishing: Publishing, forge: GitHub) -> None:
    """Bring the issue of each target up to date."""
    targets = {issue_key(target): target for target in publishing.report.targets}
    issues: dict[str, tuple[Issue, DriftMark]] = {}

    def look() -> None:
        # The newest come first, and of two with one mark the older is ours: see to all of them.
        for issue in forge.issues():
            mark = read_drift_mark(issue.body)
            if mark and mark.key in targets:
                issues[mark.key] = issue, mark

    attempt_count = len(publishing.problems)
    publishing.attempt("the issues about drift are not up to date", look)
    if len(publishing.problems) > attempt_count:
        # Without the list a second issue would be opened for what has one.
        return
    for key, target in targets.items():
        what = f"the issue about {target.title} is not up to date"
        publishing.attempt(what, _issue_writer(publishing, forge, target, issues.get(key)))
    silent = [target for target in targets.values() if target.entry.outcome not in {"clean", "changes", "skipped"}]
    if silent:
        message = f"no verdict about {count(len(silent), 'target')}, whose issues stay as they are"
        detail = tuple(f"{target.title}: {target.entry.summary}" for target in silent)
        hint = "somebody applies there, or the service did not answer; the next run looks again"
        publishing.warn("E574", message, hint, detail)


def _issue_writer(
    publishing: Publishing, forge: GitHub, target: TargetReport, present: tuple[Issue, DriftMark] | None
) -> Callable[[], str | None]:
    link = publishing.around.link
    body = issue_body(target, link)

    def write() -> str | None:
        if present is None:
            if decide(target, None, is_open=False, is_dismissed=False) != "open":
                return None
            _open_once(forge, target, body)
            return f"Issue about {target.title}: opened."
        issue, mark = present
        step = decide(target, mark, is_open=issue.is_open, is_dismissed=issue.is_dismissed)
        if step == "leave":
            return None
        state = {"reopen": "open", "close": "closed"}.get(step)
        forge.change_issue(issue.number, body, "open" if state == "open" else "closed" if state else None)
        _comment_once(forge, issue.number, issue_news(target, link))
        return f"Issue {issue.number} about {target.title}: {_DONE[step]}."

    return write


_DONE = {"reopen": "reopened", "close": "closed", "update": "brought up to date"}


def _open_once(forge: GitHub, target: TargetReport, body: str) -> None:
    try:
        forge.open_issue(issue_title(target), body)
    except ForgeFailure as failure:
        if failure.outcome != "unknown":
            raise
        if not any(mark.key == issue_key(target) for issue in forge.issues() for mark in _marks(issue)):
            forge.open_issue(issue_title(target), body)


def _marks(issue: Issue) -> Iterator[DriftMark]:
    mark = read_drift_mark(issue.body)
    if mark and issue.is_open:
        yield mark


def _comment_once(forge: GitHub, number: int, body: str) -> None:
    try:
        forge.add_comment(number, body)
    except ForgeFailure as failure:
        if failure.outcome != "unknown":
            raise
        comments = forge.comments(number)
        if not any(comment.author == forge.author and comment.body == body for comment in comments):
            forge.add_comment(number, body)
