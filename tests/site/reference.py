"""
Reference pages, made from the code: keys from the models, commands from their parsers, error codes from what ``udfs explain`` says.

``python -m tests.site.reference`` writes them anew; ``tests/site/test_reference.py`` holds them in step.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.base.errors import EXIT_CODES
from reconciler.base.explanations import load_explanations
from reconciler.cli.group import group
from reconciler.cli.overview import COMMANDS
from reconciler.engine.plan_file import plan_schema
from reconciler.manifest.keys import describe_section
from reconciler.manifest.model import Package
from reconciler.manifest.policy_file import Policy
from reconciler.manifest.section import Section, keys_of
from reconciler.packages.lock import file as lock_file
from reconciler.targets import TARGETS
from reconciler.targets.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/reference"

FAMILIES = {
    "1": "YAML that cannot be read",
    "2": "The shape of the manifest",
    "3": "Names and references",
    "4": "Packages and files",
    "5": "Guards, plans and ownership",
    "6": "The service",
    "7": "Running functions",
    "8": "Python sources",
    "9": "Usage and this machine",
}
"""First digit of a code → what such codes are about."""


def commands_page() -> str:
    """Return each command with its arguments and options."""
    lines = [
        "# Commands",
        "",
        "Results go to stdout, progress and errors to stderr. With `--format json` stdout is one document, errors included. Nothing is",
        "asked where there is no terminal, nor where `CI` is set. [Exit codes](exit-codes.md) are a contract.",
        "",
        "| command | what it does |",
        "|---|---|",
        *(f"| [`udfs {name}`](#udfs-{name}) | {_cell(meaning)} |" for name, meaning in COMMANDS.items()),
    ]
    commands = group
    assert isinstance(commands, click.Group)
    context = click.Context(commands, info_name="udfs")
    for name in COMMANDS:
        command = commands.get_command(context, name)
        assert command is not None
        lines += _command(command, click.Context(command, info_name=name, parent=context), 2)
    return "\n".join(lines) + "\n"


def _command(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield from ("", f"{'#' * level} udfs {context.command_path.partition(' ')[2]}", "")
    yield from (
        "```text",
        re.sub(r"\s+", " ", " ".join([context.command_path, *command.collect_usage_pieces(context)])),
        "```",
        "",
    )
    yield _prose(command.help or "")
    options = [
        parameter for parameter in command.params if isinstance(parameter, click.Option) and not parameter.hidden
    ]
    if options:
        yield from ("", "| option | meaning | default |", "|---|---|---|")
    for option in options:
        names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        value = "" if option.is_flag or option.count else f"`{option.make_metavar(context)}`"
        variable = f" Variable: `{option.envvar}`." if isinstance(option.envvar, str) else ""
        meaning, bracket, stated = (option.help or "").partition("  [default: ")
        default = stated.rstrip("]") if bracket else str(option.default) if option.show_default else ""
        yield f"| {names} {_cell(value)} | {_cell(meaning)}{variable} | {f'`{default}`' if default else ''} |"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _command(inner, click.Context(inner, info_name=name, parent=context), level + 1)


def errors_page() -> str:
    """Return what each error code means, by families."""
    lines = ["# Error codes", "", "`udfs explain CODE` prints the same on a terminal."]
    family = ""
    for code, explanation in sorted(load_explanations().items()):
        if code[1] != family:
            family = code[1]
            lines += ["", f"## E{family}: {FAMILIES[family]}"]
        title = explanation.title[0].upper() + explanation.title[1:]
        lines += ["", f"### {code}: {_escape(title)} {{ #{code.lower()} }}", ""]
        lines += [_escape(line) for line in explanation.text.split("\n")]
    return "\n".join(lines) + "\n"


def exit_codes_page() -> str:
    """Return what the exit codes mean."""
    return "\n".join(
        [
            "# Exit codes",
            "",
            "Pipelines may rely on them. 2 means *changes or drift present*, and nothing else: a typing mistake is a 3.",
            "",
            "| code | meaning |",
            "|---|---|",
            *(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()),
            "",
            "Of several targets or manifests in one call the worst counts.",
            "",
        ]
    )


def manifest_page(kind: str) -> str:
    """Return each key of a manifest for a kind of target."""
    lead = f"""\
# Keys of udfs.yaml

For `target: {{kind: {kind}}}`{", which is what a manifest without `target:` is for" if kind == next(iter(DIALECTS)) else ""}. Unknown keys are refused.
The names that you choose, of functions, packages and targets, are left out of the headings: `functions.class` is the `class:` of each function.

`udfs explain functions.class` prints the same on a terminal, and an editor shows it where the manifest begins with
`# yaml-language-server: $schema=…/schemas/udfs.schema.json`; `udfs schema` prints that file, `udfs schema --install vscode` gives it to VS Code, with the names of your functions and packages to choose from (`--names`).
"""
    return lead + "\n".join(_keys(DIALECTS[kind]().model)) + "\n"


def policy_page() -> str:
    """Return each key of a policy."""
    lead = """\
# Keys of a policy

`policy: policy.yaml` in a manifest names one, and `UDFS_POLICY` another that no pull request can take out. `udfs explain policy.frozen` prints
what stands here. [A team's policy](../guides/policy.md) shows one at work.
"""
    return lead + "\n".join(_keys(Policy)) + "\n"


def _keys(section: type[Section]) -> Iterator[str]:
    for text in describe_section(section):
        level = "##" if "." not in text.path else "###"
        yield from ("", f"{level} {text.path} {{ #{text.path.replace('.', '-')} }}", "")
        facts = [f"`{text.kind}`", *(["**required**"] if text.is_required else [])]
        facts += [f"default `{text.default}`"] if text.default else []
        yield from (
            ", ".join(facts),
            "",
            _prose(text.meaning),
            "",
            "```yaml",
            *text.example.rstrip().splitlines(),
            "```",
        )


def lock_page() -> str:
    """Return what stands in a lock."""
    lines = [
        "# udfs.lock",
        "",
        "`udfs lock` writes it; commit it, and change it by changing the manifest. Files are named by sha256 and no index by its address, so one",
        "lock holds for every mirror. A lock that a hand or a merge changed is refused (E478), one that is older than the manifest too (E477).",
        "",
        "```yaml",
        *(ROOT / "examples/scipy/udfs.lock").read_text(encoding="utf-8").splitlines(),
        "```",
    ]
    package = {name: key.meaning for name, key in keys_of(Package).items()}
    for section in vars(lock_file).values():
        if (
            not isinstance(section, type)
            or not issubclass(section, Section)
            or section.__module__ != lock_file.__name__
        ):
            continue
        title = inspect.cleandoc(section.__doc__ or "").split(".")[0].partition(":")[0]
        lines += ["", f"## {_escape(title)}", "", "| key | meaning |", "|---|---|"]
        # The inputs of a resolution are what the manifest says of the package.
        lines += [f"| `{name}` | {_cell(meaning or package.get(name, ''))} |" for name, meaning in _attributes(section)]
    return "\n".join(lines) + "\n"


def _attributes(section: type[object]) -> Iterator[tuple[str, str]]:
    """Yield the attributes of a class with what stands below each."""
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    assert isinstance(definition, ast.ClassDef)
    following = [*definition.body[1:], None]
    for statement, below in zip(definition.body, following, strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            is_told = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            yield statement.target.id, str(below.value.value) if is_told else ""  # type: ignore[union-attr]


def plan_page() -> str:
    """Return what stands in a plan, as JSON."""
    schema = plan_schema(TARGETS[next(iter(TARGETS))]().catalog)
    lines = [
        "# plan.json",
        "",
        "What `udfs plan --format json` prints and `udfs plan --out FILE` writes; `udfs schema plan.json` prints its JSON Schema. Within",
        "`udfs.plan/1` fields are added and none changes what it means, so read those that you know. A field may be absent where the table says what",
        "that means.",
    ]
    for title, described in (("The document", schema), *schema["$defs"].items()):
        name = title.removesuffix("Document")
        lines += [
            "",
            f"## {name}",
            "",
            _cell(described.get("description", "")),
            "",
            "| field | type | absent means | meaning |",
            "|---|---|---|---|",
        ]
        for field, inner in described["properties"].items():
            default = str(inner.get("default") or "nothing").lower()
            optional = (
                "" if field in described.get("required", []) else f"`{default}`" if inner.get("default") else default
            )
            lines.append(f"| `{field}` | {_json_type(inner)} | {optional} | {_cell(inner.get('description', ''))} |")
    return "\n".join(lines) + "\n"


def _json_type(described: dict[str, Any]) -> str:
    if "$ref" in described:
        name = described["$ref"].rpartition("/")[2].removesuffix("Document")
        return f"[{name}](#{name.lower()})"
    if "anyOf" in described:
        return " or ".join(_json_type(choice) for choice in described["anyOf"] if choice.get("type") != "null")
    if "enum" in described:
        return ", ".join(f"`{word}`" for word in described["enum"])
    if described.get("type") == "array":
        return f"list of {_json_type(described['items'])}"
    return (
        f"`{described['const']}`"
        if "const" in described
        else str(described.get("format", described.get("type", "any")))
    )


def _prose(text: str) -> str:
    """Return paragraphs of a docstring, in which only what stands in backticks is code."""
    paragraphs = re.split(r"\n\s*\n", text.replace("\b", "").strip())
    return "\n\n".join(_escape(" ".join(paragraph.split())) for paragraph in paragraphs)


def _escape(text: str) -> str:
    """Return a text in which Markdown finds nothing but code in backticks."""
    parts = re.split(r"(`[^`]*`)", text.replace("``", "`"))
    return "".join(part if part.startswith("`") else _escape_prose(part) for part in parts)


def _escape_prose(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;")
    return re.sub(r"([*_\[\]#\\])", r"\\\1", text)


def _cell(text: str) -> str:
    """Return a text for a cell of a table, where a bar would end it, in code too."""
    return re.sub(r"`[^`]*`", lambda code: code[0].replace("|", "\\|"), _escape(" ".join(text.split())))


def make_pages() -> dict[Path, str]:
    """Return the content of each page that is made."""
    pages = {
        "commands": commands_page(),
        "errors": errors_page(),
        "exit-codes": exit_codes_page(),
        "policy": policy_page(),
        "lock": lock_page(),
        "plan": plan_page(),
    }
    for number, kind in enumerate(DIALECTS):
        pages[f"manifest-{kind}" if number else "manifest"] = manifest_page(kind)
    return {FOLDER / f"{name}.md": text for name, text in pages.items()}


if __name__ == "__main__":
    for path, text in make_pages().items():
        path.write_text(text, encoding="utf-8")
