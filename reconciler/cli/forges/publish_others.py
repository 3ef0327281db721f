"""
Publishing to GitLab and Codeup: the one comment, the status of the commit, and for GitLab the files of a job that it shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.files import replace_file
from reconciler.cli.forges.connection import ForgeFailure
from reconciler.cli.forges.publishing import FORGES, keep_comments, status_of

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.cli.forges.codeup import Codeup
    from reconciler.cli.forges.gitlab import GitLab
    from reconciler.cli.forges.publishing import Publishing


def publish_to_gitlab(publishing: Publishing, folder: Path) -> None:
    """Tell GitLab what a run came to; the files for ``artifacts:reports`` are written into the folder."""
    from reconciler.cli.forges.gitlab import GitLab

    _write_files(publishing, folder)
    env, options = publishing.env, publishing.options
    try:
        forge = GitLab(
            env.get("CI_API_V4_URL") or "https://gitlab.com/api/v4",
            env.get("GITLAB_TOKEN", ""),
            options.repository or env.get("CI_PROJECT_ID", ""),
        )
    except ForgeFailure as failure:
        _report_no_forge(publishing, failure, "set GITLAB_TOKEN to a project access token with the scope api")
        return
    numbers: list[int] = []
    request = options.request or publishing.around.request
    if request:
        numbers = [request]
    elif publishing.around.commit:
        commit = publishing.around.commit
        publishing.attempt("the merge request is not known", lambda: numbers.extend(forge.merge_requests_of(commit)))
    keep_comments(publishing, numbers, forge, "merge request")
    _set_status(publishing, forge)


def publish_to_codeup(publishing: Publishing) -> None:
    """Tell Codeup what a run came to."""
    from reconciler.cli.forges.codeup import API, Codeup

    env, options = publishing.env, publishing.options
    try:
        forge = Codeup(
            env.get("YUNXIAO_API_URL") or API,
            env.get("YUNXIAO_TOKEN", ""),
            options.organization,
            options.repository,
        )
    except ForgeFailure as failure:
        _report_no_forge(publishing, failure, "set YUNXIAO_TOKEN to a personal access token, and name --repository")
        return
    keep_comments(publishing, [options.request] if options.request else [], forge, "change request")
    _set_status(publishing, forge)


def _write_files(publishing: Publishing, folder: Path) -> None:
    from reconciler.render.forges import gitlab_files

    texts = {gitlab_files.QUALITY_FILE: gitlab_files.code_quality(publishing.report)}
    if publishing.report.command == "plan":
        texts[gitlab_files.COUNTS_FILE] = gitlab_files.plan_counts(publishing.report)
    for name, text in texts.items():
        try:
            replace_file(folder / name, text.encode())
        except OSError as error:
            publishing.warn("E573", f"'{name}' is not written: {error.strerror}")
        else:
            publishing.note(f"{folder / name}: written.")


def _set_status(publishing: Publishing, forge: GitLab | Codeup) -> None:
    commit = publishing.around.commit
    if not commit:
        return
    succeeded, description = status_of(publishing.report)
    name, link = f"udfs {publishing.report.command}", publishing.around.link

    def set_status() -> str:
        forge.set_status(commit, name, succeeded=succeeded, description=description, link=link)
        return f"Status of the commit: {'success' if succeeded else 'failure'}."

    publishing.attempt("the status of the commit is not set", set_status)


def _report_no_forge(publishing: Publishing, failure: ForgeFailure, hint: str) -> None:
    publishing.warn("E572", f"nothing is posted to {FORGES[publishing.options.to]}: {failure}", hint)
