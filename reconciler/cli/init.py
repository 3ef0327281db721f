"""init, schema, explain and completion: what needs no manifest."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from click.shell_completion import get_completion_class

from reconciler.base.errors import UsageError
from reconciler.base.hints import Command
from reconciler.base.words import did_you_mean, quote, safe
from reconciler.cli.support.options import command, file_option, format_option
from reconciler.cli.support.output import Result

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.targets.powers import StarterFiles

_STACK = re.compile("^stack: my-functions", re.MULTILINE)  # 19 characters; a comment stands behind them
_CODE = re.compile(r"[Ee]?[0-9]+\Z")


@command()
@click.argument("name", required=False)
@file_option
@click.option("--kind", metavar="KIND", help="The kind of target that it is for; the first one where left out.")
@click.option("--ci", type=click.Choice(["github"]), help="With NAME: a pipeline that checks each change, too.")
def init(name: str | None, file: Path, kind: str | None, ci: str | None) -> Result:
    """Write a commented starter manifest and a first function; with NAME a folder with a whole project.

    The project has a package beside the function, its lock, a schema for editors, and --ci's pipeline. No file is written over another.
    """
    from reconciler.targets import kinds_with

    starters = kinds_with(lambda adapter: adapter.starter)
    kind = known_kind(kind, starters)
    if name is None:
        if ci:
            raise UsageError(
                "E901", "--ci goes with NAME", hint=(Command("init", "NAME --ci github"), " makes a project")
            )
        starter = starters[kind]
        texts = {
            file if goal == "udfs.yaml" else file.parent / goal: _read_starter(starter.folder, source)
            for source, goal in starter.files.items()
        }
        option = "" if file == Path("udfs.yaml") else f" -f {file}"
        another = "name another with -f"
        next_step = f"udfs apply{option}, then udfs call{option} {starter.call}"
    else:
        if file != Path("udfs.yaml"):
            raise UsageError(
                "E901", "NAME and -f are not given together", hint="the manifest of a project is udfs.yaml"
            )
        texts = _project_texts(name, kind, starters[kind], ci)
        another = "choose another NAME"
        next_step = f"cd {name}, then udfs test, udfs apply and udfs call {starters[kind].project_call}"
    if existing := [goal for goal in texts if goal.exists()]:
        raise UsageError("E903", f"{existing[0]} is already there; nothing was written", hint=another)
    # All folders first: what cannot be written whole is not begun.
    for goal in texts:
        goal.parent.mkdir(parents=True, exist_ok=True)
    for goal, text in texts.items():
        with goal.open("x", encoding="utf-8") as new:
            new.write(text)
    lines = [safe(f"wrote {goal}") for goal in texts]
    if ci:
        lines.append("In the pipeline, put the repository and commit of udfs where OWNER/udfs@000… is")
    lines.append(f"Next: {next_step}")
    return Result("".join(f"{line}\n" for line in lines))


def _read_starter(folder: Path, source: str) -> str:
    return (folder / source).read_text(encoding="utf-8")


def _project_texts(name: str, kind: str, starter: StarterFiles, ci: str | None) -> dict[Path, str]:
    """Return the files of a project that is called like its folder; E745 for a name that no stack may have."""
    from reconciler.manifest.model import STACK
    from reconciler.manifest.schema import manifest_schema
    from reconciler.targets.dialects import DIALECTS

    if not re.fullmatch(STACK, name):
        hint = "it becomes the stack's: lower-case letters, digits and -, beginning with a letter, 40 at most"
        raise UsageError("E745", f"{quote(name)} cannot be the name of a project", hint=hint)
    folder = Path(name)
    texts = {folder / goal: _read_starter(starter.folder, source) for source, goal in starter.project_files.items()}
    texts[folder / "udfs.yaml"] = _STACK.sub(f"stack: {name}".ljust(19), texts[folder / "udfs.yaml"], count=1)
    texts[folder / "udfs.schema.json"] = json.dumps(manifest_schema(DIALECTS[kind]().model), indent=2) + "\n"
    texts[folder / ".gitignore"] = ".udfs/\n"
    if ci:
        texts[folder / ".github/workflows/udfs.yml"] = _read_starter(Path(__file__).with_name("starter"), f"{ci}.yml")
    return texts


def known_kind(kind: str | None, kinds: Collection[str]) -> str:
    """Return a kind of target that somebody named, the first one where nobody did; E901 for one that there is not."""
    if kind is None:
        return next(iter(kinds))
    if kind not in kinds:
        hint = did_you_mean(kind, kinds) or f"kinds: {', '.join(kinds)}"
        raise UsageError("E901", f"there is no kind of target {quote(kind)}", hint=hint)
    return kind


@command()
@click.argument(
    "document",
    type=click.Choice(["udfs.yaml", "included.yaml", "policy.yaml", "plan.json", "events"]),
    default="udfs.yaml",
)
@click.option("--kind", metavar="KIND", help="The kind of target that the file is for; the first one where left out.")
@click.option(
    "--install",
    type=click.Choice(["vscode"]),
    help="Write it into .vscode, with --names, and name it in the settings there.",
)
@click.option("--names", is_flag=True, help="Offer the names of functions and packages that udfs.yaml has.")
def schema(
    document: Literal["udfs.yaml", "included.yaml", "policy.yaml", "plan.json", "events"],
    kind: str | None,
    install: Literal["vscode"] | None,
    names: bool,
) -> Result:
    """Print the JSON Schema of the manifest, a file it includes or the policy (for editors), or of plan.json or a line of events (for programs)."""
    from reconciler.targets import TARGETS

    kind = known_kind(kind, TARGETS)
    if install and document not in ("udfs.yaml", "policy.yaml"):
        if document == "included.yaml":
            hint = "such files have no name of their own: `# yaml-language-server: $schema=FILE` in the first line names one"
            raise UsageError("E901", "an editor cannot tell included files by their names", hint=hint)
        raise UsageError("E901", f"an editor has no use for the schema of {document}", hint="leave --install out")
    if document == "udfs.yaml":
        from reconciler.manifest.schema import manifest_schema
        from reconciler.targets.dialects import DIALECTS

        content = manifest_schema(DIALECTS[kind]().model)
    elif document == "included.yaml":
        from reconciler.manifest.schema import included_schema
        from reconciler.targets.dialects import DIALECTS

        content = included_schema(DIALECTS[kind]().model)
    elif document == "policy.yaml":
        from reconciler.manifest.policy_file import policy_schema

        content = policy_schema()
    elif document == "events":
        from reconciler.render.documents.events import events_schema

        content = events_schema()
    else:
        from reconciler.engine.plan_file import plan_schema

        content = plan_schema(TARGETS[kind]().catalog)
    if (names or install) and document in ("udfs.yaml", "included.yaml"):
        from reconciler.manifest.entry_names import entry_names, offer_names

        content = offer_names(content, entry_names(Path("udfs.yaml")))
    if install:
        from reconciler.cli.support.editors import install_for_vscode

        return Result("".join(f"{line}\n" for line in install_for_vscode(document, content)))
    return Result(json.dumps(content, indent=2) + "\n")


@command()
@click.argument("subject", metavar="[CODE | KEY]", required=False)
@click.option("--kind", metavar="KIND", help="The kind of target whose keys are meant; the first one where left out.")
@format_option
def explain(subject: str | None, kind: str | None, format: Literal["text", "json"]) -> Result:
    """
    Explain an error code such as E214, or a key such as functions.tests; without either, list the codes.

    Keys are those of udfs.yaml, with dots between them and without the names that you chose; those of a policy begin with policy.
    """
    from reconciler.base.explanations import load_explanations

    if subject and not _CODE.match(subject):
        from reconciler.cli.support.keys import explain_key
        from reconciler.targets import TARGETS

        return explain_key(subject, known_kind(kind, TARGETS), as_json=format == "json")
    explanations = load_explanations()
    name = (subject or "").upper()
    if name and name not in explanations:
        hint = did_you_mean(name, explanations) or (Command("explain"), " lists them all")
        raise UsageError("E902", f"no code '{subject}'", hint=hint)
    chosen = {name: explanations[name]} if name else explanations
    if format == "json":
        content = {key: {"title": entry.title, "text": entry.text} for key, entry in chosen.items()}
        return Result(json.dumps(content, indent=2) + "\n")
    if name:
        lines = (
            textwrap.fill(line, 80, subsequent_indent="  " if line.startswith("- ") else "")
            for line in chosen[name].text.split("\n")
        )
        return Result(f"{name}: {chosen[name].title}\n\n{chr(10).join(lines)}\n")
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
