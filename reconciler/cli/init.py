"""init, schema, explain and completion: what needs no manifest."""

from __future__ import annotations

import json
import textwrap
from importlib import resources
from pathlib import Path
from typing import Literal

import click
from click.shell_completion import get_completion_class

from reconciler.base.errors import UsageError
from reconciler.base.explanations import load_explanations
from reconciler.base.hints import Command
from reconciler.base.words import safe
from reconciler.cli.support.options import command, file_option, format_option
from reconciler.cli.support.output import Result

STARTERS = {"udfs.yaml": "udfs.yaml", "greet.py": "udfs/greet.py"}
"""File of the folder `starter` → where it goes, relative to the new manifest's folder."""


@command()
@file_option
def init(file: Path) -> Result:
    """Write a commented starter manifest and a first function."""
    goals = {name: file if goal == "udfs.yaml" else file.parent / goal for name, goal in STARTERS.items()}
    if existing := [goal for goal in goals.values() if goal.exists()]:
        raise UsageError("E903", f"{existing[0]} is already there; nothing was written", hint="name another with -f")
    starter = resources.files("reconciler.cli") / "starter"
    # All folders first: what cannot be written whole is not begun.
    for goal in goals.values():
        goal.parent.mkdir(parents=True, exist_ok=True)
    for name, goal in goals.items():
        with goal.open("x", encoding="utf-8") as new:
            new.write((starter / name).read_text(encoding="utf-8"))
    option = "" if file == Path("udfs.yaml") else f" -f {file}"
    lines = [safe(f"wrote {goal}") for goal in goals.values()]
    lines.append(f"Next: udfs apply{option}, then udfs call{option} greet World")
    return Result("".join(f"{line}\n" for line in lines))


@command()
@click.argument("document", type=click.Choice(["udfs.yaml", "policy.yaml", "plan.json", "events"]), default="udfs.yaml")
@click.option("--kind", metavar="KIND", help="The kind of target that the file is for; the first one where left out.")
@click.option(
    "--install", type=click.Choice(["vscode"]), help="Write it into .vscode, and name it in the settings there."
)
def schema(
    document: Literal["udfs.yaml", "policy.yaml", "plan.json", "events"],
    kind: str | None,
    install: Literal["vscode"] | None,
) -> Result:
    """Print the JSON Schema of the manifest or the policy (for editors), or of plan.json or a line of events (for programs)."""
    from reconciler.targets import TARGETS

    if kind is None:
        kind = next(iter(TARGETS))
    elif kind not in TARGETS:
        raise UsageError("E901", f"there is no kind of target '{kind}'", hint=f"kinds: {', '.join(TARGETS)}")
    if install and not document.endswith(".yaml"):
        raise UsageError("E901", f"an editor has no use for the schema of {document}", hint="leave --install out")
    if document == "udfs.yaml":
        from reconciler.manifest.schema import manifest_schema
        from reconciler.targets.dialects import DIALECTS

        content = manifest_schema(DIALECTS[kind].model)
    elif document == "policy.yaml":
        from reconciler.manifest.policy_file import policy_schema

        content = policy_schema()
    elif document == "events":
        from reconciler.render.documents.events import events_schema

        content = events_schema()
    else:
        from reconciler.engine.plan_file import plan_schema

        content = plan_schema(TARGETS[kind]().catalog)
    if install:
        from reconciler.cli.support.editors import install_for_vscode

        return Result("".join(f"{line}\n" for line in install_for_vscode(document, content)))
    return Result(json.dumps(content, indent=2) + "\n")


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


@command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> Result:
    """Print a completion script: `udfs completion bash >> ~/.bashrc`, or for zsh or fish."""
    # Here, because the group imports the commands.
    from reconciler.cli.group import group

    kind = get_completion_class(shell)
    assert kind is not None
    return Result(kind(group, {}, "udfs", "_UDFS_COMPLETE").source() + "\n")
