"""render: a plan that was written down, in any format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.support.files import read_plan
from reconciler.cli.support.options import Options, command, formats, require_renderer
from reconciler.cli.support.output import Result
from reconciler.cli.support.plans import plan_output
from reconciler.render import text

if TYPE_CHECKING:
    from reconciler.cli.support.options import Format


@command()
@click.argument("planfile", type=click.Path(path_type=Path, dir_okay=False))
@formats("text", "json", "markdown", "html")
def render(planfile: Path, format: Format) -> Result:
    """Show a plan that udfs plan --out wrote. Neither the manifest nor the project is read.

    What was warned of when the plan was made is not in the file.
    """
    require_renderer(format)
    plan = read_plan(planfile).plan
    return Result(plan_output(plan, Options(planfile, None, format)), summary=text.plan_summary(plan))
