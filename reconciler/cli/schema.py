"""schema: the JSON Schema of a file."""

from __future__ import annotations

import json
from typing import Literal

import click

from reconciler.base.errors import UsageError
from reconciler.cli.support.options import command
from reconciler.cli.support.output import Result


@command()
@click.argument("document", type=click.Choice(["udfs.yaml", "policy.yaml", "plan.json"]), default="udfs.yaml")
@click.option("--kind", metavar="KIND", help="The kind of target that the file is for; the first one where left out.")
def schema(document: Literal["udfs.yaml", "policy.yaml", "plan.json"], kind: str | None) -> Result:
    """Print the JSON Schema of the manifest or the policy (for editors), or of plan.json (for programs)."""
    from reconciler.targets import TARGETS

    if kind is None:
        kind = next(iter(TARGETS))
    elif kind not in TARGETS:
        raise UsageError("E901", f"there is no kind of target '{kind}'", hint=f"kinds: {', '.join(TARGETS)}")
    if document == "udfs.yaml":
        from reconciler.manifest.schema import manifest_schema
        from reconciler.targets.dialects import DIALECTS

        content = manifest_schema(DIALECTS[kind].model)
    elif document == "policy.yaml":
        from reconciler.manifest.policy_file import policy_schema

        content = policy_schema()
    else:
        from reconciler.engine.plan_file import plan_schema

        content = plan_schema(TARGETS[kind]().catalog)
    return Result(json.dumps(content, indent=2) + "\n")
