"""adopt, disown: whose an object is."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.support.confirm import Consent, carry_out, writers_option
from reconciler.cli.support.options import Options, command, connected, loaded, manifest_options, prepared
from reconciler.workflow import adoption

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.core.target import Target
    from reconciler.workflow.preparation import Prepared

    Make = Callable[[Prepared, Reading, Target, tuple[str, ...], Path], tuple[Plan, Mapping[str, Path]]]

_names = click.argument("names", nargs=-1, required=True, metavar="NAME...")
_yes = click.option("--yes", is_flag=True, help="Do not ask.")


@command()
@_names
@manifest_options
@_yes
@writers_option
def adopt(options: Options, names: tuple[str, ...], yes: bool, writers: int) -> int:
    """Take over functions and resources that the manifest lists and that are in the project without a mark.

    Shows first what each is, whose, and in what it differs. Nothing changes but whose it is: what differs is changed by
    the next apply. A name that is both a function's and a resource's means both; '*' and '?' stand for other characters,
    and '*' for everything that nobody manages.
    """
    return _own(options, names, adoption.make_adoption, yes=yes, writers=writers)


@command()
@_names
@manifest_options
@_yes
@writers_option
def disown(options: Options, names: tuple[str, ...], yes: bool, writers: int) -> int:
    """Stop managing functions and resources, and leave them in the project as they are.

    Take them out of the manifest first; another stack may then adopt them. '*' and '?' stand for other characters, and
    '*' for everything that this stack manages and the manifest no longer lists, old versions aside.
    """
    return _own(options, names, adoption.make_release, yes=yes, writers=writers)


def _own(options: Options, names: tuple[str, ...], make: Make, *, yes: bool, writers: int) -> int:
    ready = prepared(loaded(options), options)
    # What is dropped may still be on its way into the folder.
    kept = tempfile.TemporaryDirectory(prefix="udfs-", ignore_cleanup_errors=True)
    with connected(ready.loaded) as target, kept as folder:
        reading = target.read()
        made, contents = make(ready, reading, target, names, Path(folder))
        return carry_out(made, reading, target, contents, options, Consent(yes, allow_deletes=0), writers)
