"""schema: the JSON Schema of a file."""

from __future__ import annotations

import json
from typing import Literal

import click

from reconciler.cli.support.options import command
from reconciler.cli.support.output import Result


@command()
@click.argument("document", type=click.Choice(["udfs.yaml", "policy.yaml", "plan.json"]), default="udfs.yaml")
def schema(document: Literal["udfs.yaml", "policy.yaml", "plan.json"]) -> Result:
    """Print the JSON Schema of the manifest or the policy (for editors), or of plan.json (for programs)."""
    if document == "udfs.yaml":
        from reconciler.manifest.schema import manifest_schema
        from reconciler.targets.dialects import DIALECTS

        content = manifest_schema(next(iter(DIALECTS.values())).model)
    elif document == "policy.yaml":
        from reconciler.manifest.policy_file import policy_schema

        content = policy_schema()
    else:
        from reconciler.engine.plan_file import plan_schema
        from reconciler.targets import catalogs

        content = plan_schema(catalogs()[0])
    return Result(json.dumps(content, indent=2) + "\n")
