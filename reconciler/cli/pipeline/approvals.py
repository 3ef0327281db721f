"""ci approvals: the plans by which what was merged may be applied, fetched from where the pull requests' runs kept them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from reconciler.base.errors import UdfsError, count
from reconciler.cli.support.files import write_whole
from reconciler.cli.support.git import GitRefused, run_git
from reconciler.cli.support.options import command
from reconciler.cli.support.output import Result, note


@command()
@click.option("--from", "forge", type=click.Choice(["github"]), required=True, help="The forge.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    required=True,
    help="Write the plans of each pull request into a folder of this one, and a folder without any.",
)
@click.option("--artifact", default="udfs-plan", show_default=True, metavar="NAME", help="What the runs called them.")
@click.option(
    "--commits",
    type=click.IntRange(1, 500),
    default=50,
    show_default=True,
    metavar="N",
    help="How far back pull requests are looked for; the checkout has to have as many.",
)
def approvals(forge: str, out: Path, artifact: str, commits: int) -> Result:
    """Fetch the plans of the pull requests that were merged, for udfs ci apply --approved DIR/NAME of each.

    Needs GITHUB_TOKEN with the right to read pull requests and actions. A pull request without a plan is told of; what it wants is
    then refused by the apply, and no more.
    """
    from reconciler.cli.forges import approvals as kept
    from reconciler.cli.forges.connection import ForgeFailure
    from reconciler.cli.forges.github import GitHub

    repository = os.environ.get("GITHUB_REPOSITORY", "")
    workflow = os.environ.get("GITHUB_WORKFLOW_REF", "").partition("@")[0].removeprefix(f"{repository}/")
    try:
        hub = GitHub(os.environ.get("GITHUB_API_URL", ""), os.environ.get("GITHUB_TOKEN", ""), repository)
        merges = set(_last_commits(commits))
        plans = 0
        for plan in kept.find_plans(hub, repository, os.environ.get("GITHUB_REF_NAME", ""), merges, artifact, workflow):
            if isinstance(plan, str):
                note(plan)
                continue
            number = kept.fetch_plan(hub, repository, plan, out / f"pull-request-{plan.number}")
            plans += number
            note(f"pull request {plan.number}: {count(number, 'plan')} of run {plan.run}")
    except ForgeFailure as failure:
        message = f"the plans that were approved cannot be fetched: GitHub says {failure}"
        raise UdfsError("E571", message, hint="run the job again; nothing has been changed") from None
    _write_nothing(out / "nothing")
    return Result("", summary=f"{count(plans, 'approved plan')} in {out}")


def _write_nothing(folder: Path) -> None:
    """Write an index without plans: where nothing was approved, what needs no approval still goes through."""
    from reconciler.workflow.ci.index import INDEX, IndexDocument

    folder.mkdir(parents=True, exist_ok=True)
    index = IndexDocument(command="plan", run={}, entries=(), exit_code=0)
    write_whole(folder / INDEX, index.model_dump_json(indent=2).encode() + b"\n")


def _last_commits(number: int) -> list[str]:
    """Return the last commits of the checkout that were merged into its branch."""
    try:
        listing = run_git(Path.cwd(), "rev-list", "--first-parent", f"--max-count={number}", "HEAD")
    except GitRefused as refusal:
        message = f"the commits of the checkout are not known: {refusal}"
        raise UdfsError("E571", message, hint="check the repository out with fetch-depth: 50") from None
    return re.findall(r"[0-9a-f]{40,64}", listing)
