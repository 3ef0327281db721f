"""adopt and disown: whose an object is."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.support.completion import complete_from
from reconciler.cli.support.confirm import Consent, carry_out
from reconciler.cli.support.options import Options, command, manifest_options, view_option, yes_option
from reconciler.cli.support.perform import Proposal, writers_option
from reconciler.cli.support.project import connect, prepare_project
from reconciler.workflow import adoption

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.cli.support.output import Result
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.core.target import Target
    from reconciler.workflow.preparation import Prepared

    Make = Callable[[Prepared, Reading, Target, tuple[str, ...], Path], tuple[Plan, Mapping[str, Path]]]


names_argument = click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_from("functions", "resources")
)


def _owner_options(command: Callable[..., Result]) -> Callable[..., Result]:
    return names_argument(manifest_options(view_option(yes_option(writers_option(command)))))


@command()
@_owner_options
def adopt(options: Options, names: tuple[str, ...], yes: bool, writers: int) -> Result:
    """Take over functions and resources that the manifest lists and that are in the project without a mark.

    Shows first what each is, whose, and in what it differs. Nothing changes but whose it is: what differs is changed by
    the next apply. A name that is both a function's and a resource's means both; '*' and '?' stand for other characters,
    and '*' for everything that nobody manages.
    """
    return change_owner(options, names, adoption.make_adoption, Consent(yes, writers=writers))


def change_owner(options: Options, names: tuple[str, ...], make: Make, consent: Consent) -> Result:
    """Make the plan of an adoption or a release, and carry it out."""
    prepared = prepare_project(options)
    # What is dropped may still be on its way into the folder.
    downloads = tempfile.TemporaryDirectory(prefix="udfs-", ignore_cleanup_errors=True)
    with connect(prepared.loaded) as target, downloads as folder:
        reading = target.read()
        plan, contents = make(prepared, reading, target, names, Path(folder))
        return carry_out(Proposal(plan, reading, target, contents), options, consent)


@command()
@_owner_options
def disown(options: Options, names: tuple[str, ...], yes: bool, writers: int) -> Result:
    """Stop managing functions and resources, and leave them in the project as they are.

    Take them out of the manifest first; another stack may then adopt them. '*' and '?' stand for other characters, and
    '*' for everything that this stack manages and the manifest no longer lists, old versions aside.
    """
    return change_owner(options, names, adoption.make_release, Consent(yes, writers=writers))
