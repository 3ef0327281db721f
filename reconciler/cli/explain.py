"""explain: what an error code means."""

from __future__ import annotations

import json
import textwrap
from typing import Literal

import click

from reconciler.base.errors import UsageError
from reconciler.base.explanations import load_explanations
from reconciler.base.hints import Command
from reconciler.cli.support.options import command, format_option
from reconciler.cli.support.output import Result


@command()
@click.argument("code", required=False)
@format_option
def explain(code: str | None, format: Literal["text", "json"]) -> Result:
    """Explain an error code such as E214; without one, list them all."""
    explanations = load_explanations()
    name = (code or "").upper()
    if name and name not in explanations:
        raise UsageError("E902", f"no code '{code}'", hint=(Command("explain"), " lists them all"))
    chosen = {name: explanations[name]} if name else explanations
    if format == "json":
        content = {key: {"title": entry.title, "text": entry.text} for key, entry in chosen.items()}
        return Result(json.dumps(content, indent=2) + "\n")
    if name:
        return Result(f"{name}: {chosen[name].title}\n\n{textwrap.fill(chosen[name].text, 80)}\n")
    return Result("".join(f"{key}  {entry.title}\n" for key, entry in chosen.items()))
