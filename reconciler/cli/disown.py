"""disown: stop managing objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.cli.adopt import change_owner, names_argument
from reconciler.cli.support.confirm import Consent
from reconciler.cli.support.options import Options, command, manifest_options, yes_option
from reconciler.cli.support.perform import writers_option
from reconciler.workflow import adoption

if TYPE_CHECKING:
    from reconciler.cli.support.output import Result


@command()
@names_argument
@manifest_options
@yes_option
@writers_option
def disown(options: Options, names: tuple[str, ...], yes: bool, writers: int) -> Result:
    """Stop managing functions and resources, and leave them in the project as they are.

    Take them out of the manifest first; another stack may then adopt them. '*' and '?' stand for other characters, and
    '*' for everything that this stack manages and the manifest no longer lists, old versions aside.
    """
    return change_owner(options, names, adoption.make_release, Consent(yes, writers=writers))
