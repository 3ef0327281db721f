"""
ci publish: what `udfs ci` came to, told where people look: the pull request's comment, the run's summary, issues, deployments.

Only the folder is read. A forge that does not answer, or says no, is told of and ends nothing: a plan stands without its comment.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.support.options import command
from reconciler.cli.support.output import Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.cli.forges.publishing import Forge, Publishing
    from reconciler.cli.forges.surroundings import Surroundings


@command()
@click.option("--to", type=click.Choice(["github", "gitlab", "codeup"]), required=True, help="The forge.")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    required=True,
    help="What udfs ci check, plan, apply or drift wrote with --out.",
)
@click.option(
    "--request",
    type=click.IntRange(1),
    metavar="N",
    help="The pull, merge or change request; where the platform says which, it need not be named.",
)
@click.option(
    "--repository",
    default="",
    envvar="UDFS_FORGE_REPOSITORY",
    metavar="NAME",
    help="OWNER/NAME at GitHub, the project at GitLab, the repository's id at Codeup.  [default: the run's own]",
)
@click.option(
    "--organization", default="", envvar="UDFS_FORGE_ORGANIZATION", metavar="ID", help="At Codeup: of the organization."
)
@click.option(
    "--author",
    default="",
    envvar="UDFS_FORGE_AUTHOR",
    metavar="LOGIN",
    help="At GitHub: who the token writes as.  [default: github-actions[bot]]",
)
def publish(to: Forge, source: Path, request: int | None, repository: str, organization: str, author: str) -> Result:
    """Tell a forge what udfs ci came to: one comment a pull request, a summary, annotations, deployments, issues about drift.

    Needs a token in GITHUB_TOKEN, GITLAB_TOKEN or YUNXIAO_TOKEN, and neither the project nor a credential of it. What cannot be
    posted is said, and changes nothing of the exit code.
    """
    from reconciler.cli.forges.folder import read_folder
    from reconciler.cli.forges.publishing import FORGES, Publishing, PublishOptions

    options = PublishOptions(to, request, repository, organization, author)
    around = _look_around(to, os.environ)
    report, shortfalls = read_folder(source, around)
    publishing = Publishing(report, around, options, os.environ)
    for shortfall in shortfalls:
        publishing.warn("E570", shortfall, "hand on the whole folder")
    annotations = ""
    match to:
        case "github":
            from reconciler.cli.forges.publish_github import publish_to_github
            from reconciler.render.findings import workflow_commands

            publish_to_github(publishing)
            # What several targets have in common is said once.
            problems = dict.fromkeys(problem for target in report.targets for problem in target.problems)
            annotations = workflow_commands(problems)
        case "gitlab":
            from reconciler.cli.forges.publish_others import publish_to_gitlab

            publish_to_gitlab(publishing, source)
        case "codeup":
            from reconciler.cli.forges.publish_others import publish_to_codeup

            publish_to_codeup(publishing)
    return Result(
        "".join(_lines(publishing)) + annotations,
        summary=f"published to {FORGES[to]}",
        problems=tuple(publishing.problems),
    )


def _lines(publishing: Publishing) -> Iterator[str]:
    for line in publishing.done or [
        "Nothing was published." if publishing.problems else "There is nothing to publish."
    ]:
        yield f"{line}\n"


def _look_around(forge: Forge, env: Mapping[str, str]) -> Surroundings:
    from reconciler.cli.forges import surroundings

    look = {"github": surroundings.at_github, "gitlab": surroundings.at_gitlab, "codeup": surroundings.at_flow}
    return look[forge](env)
