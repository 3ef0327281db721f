"""init, validate, schema, explain, doctor, completion: what a user needs before there is anything to apply."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from reconciler import __version__
from reconciler.base.errors import Refused, UdfsError, UsageError, count
from reconciler.base.hints import Command
from reconciler.base.words import safe
from reconciler.cli.support.options import (
    Options,
    cache_folder,
    command,
    connected,
    format_option,
    loaded,
    manifest_options,
    prepared,
)
from reconciler.cli.support.output import print_lines
from reconciler.cli.support.several import report_options
from reconciler.targets.maxcompute.manifest import target_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.base.errors import Problem
    from reconciler.render.text import Line

STARTERS = {"udfs.yaml": "udfs.yaml", "greet.py": "udfs/greet.py"}
"""File beside this module → where `init` writes it, relative to the new manifest's folder."""


@command()
@click.option(
    "-f", "--file", type=click.Path(path_type=Path), default=Path("udfs.yaml"), show_default=True, help="The manifest."
)
def init(file: Path) -> int:
    """Write a commented starter manifest and a first function."""
    goals = {name: file if goal == "udfs.yaml" else file.parent / goal for name, goal in STARTERS.items()}
    if there := [goal for goal in goals.values() if goal.exists()]:
        raise UsageError("E903", f"{there[0]} is already there; nothing was written", hint="name another with -f")
    from importlib import resources

    starter = resources.files("reconciler.cli") / "starter"
    # All folders first: what cannot be written whole is not begun.
    for goal in goals.values():
        goal.parent.mkdir(parents=True, exist_ok=True)
    for name, goal in goals.items():
        with goal.open("x", encoding="utf-8") as new:
            new.write((starter / name).read_text(encoding="utf-8"))
        print(safe(f"wrote {goal}"))
    where = "" if file == Path("udfs.yaml") else f" -f {file}"
    print(f"Next: udfs apply{where}, then udfs call{where} greet World")
    return 0


@command()
@report_options
def validate(options: Options) -> int:
    """Check the manifest and every file it names. Pinned wheels are fetched and checked; no service is asked."""
    from reconciler.workflow import planning

    try:
        manifest = loaded(options)
        ready = prepared(manifest, options, warn=options.format == "text")
    except UdfsError as error:
        if options.format in {"text", "json"}:
            raise
        _print_report(options.invocation.complete(error.problems), options)
        return error.exit_code
    if breaches := planning.policy_breaches(ready):
        if options.format in {"text", "json"}:
            raise Refused.of(breaches)
        _print_report(options.invocation.complete(breaches), options)
        return Refused.exit_code
    if options.format != "text":
        options.told.append("valid")
        _print_report(options.invocation.complete((*manifest.warnings, *ready.warnings)), options)
        return 0
    functions = len(manifest.manifest.functions)
    objects = len(ready.desired) - functions
    told = f"valid, {count(functions, 'function')} and {count(objects, 'resource')}"
    options.told.append(told)
    print(safe(f"{options.heading}{options.file}: {told}"))
    return 0


def _print_report(found: tuple[Problem, ...], options: Options) -> None:
    if options.format == "sarif":
        from reconciler.render.sarif import sarif

        print(sarif(found), end="")
    elif options.format == "github":
        from reconciler.render.github import github

        print(github(found), end="")
    else:
        from reconciler.cli.support.output import print_document
        from reconciler.render import documents as document

        print_document(document.problems(found))


@command()
@click.argument("document", type=click.Choice(["udfs.yaml", "policy.yaml", "plan.json"]), default="udfs.yaml")
def schema(document: Literal["udfs.yaml", "policy.yaml", "plan.json"]) -> int:
    """Print the JSON Schema of the manifest or the policy (for editors), or of plan.json (for programs)."""
    if document == "udfs.yaml":
        from reconciler.manifest.schema import manifest_schema
        from reconciler.targets.maxcompute.manifest import Manifest

        content = manifest_schema(Manifest)
    elif document == "policy.yaml":
        from reconciler.manifest.policy_file import policy_schema

        content = policy_schema()
    else:
        from reconciler.engine.plan_file import plan_schema
        from reconciler.targets.maxcompute.objects import CATALOG

        content = plan_schema(CATALOG)
    import json

    print(json.dumps(content, indent=2))
    return 0


@command()
@click.argument("code", required=False)
@format_option
def explain(code: str | None, format: Literal["text", "json"]) -> int:
    """Explain an error code such as E214; without one, list them all."""
    from reconciler.base.explanations import load_explanations

    explanations = load_explanations()
    wanted = (code or "").upper()
    if wanted and wanted not in explanations:
        raise UsageError("E902", f"no code '{code}'", hint=(Command("explain"), " lists them all"))
    chosen = {wanted: explanations[wanted]} if wanted else explanations
    if format == "json":
        import json

        print(json.dumps({key: {"title": one.title, "text": one.text} for key, one in chosen.items()}, indent=2))
    elif wanted:
        import textwrap

        print(f"{wanted}: {chosen[wanted].title}\n\n{textwrap.fill(chosen[wanted].text, 80)}")
    else:
        print("\n".join(f"{key}  {one.title}" for key, one in chosen.items()))
    return 0


@command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print a completion script: `udfs completion bash >> ~/.bashrc`, or for zsh or fish."""
    from click.shell_completion import get_completion_class

    from reconciler.cli.group import group

    kind = get_completion_class(shell)
    assert kind is not None
    print(kind(group, {}, "udfs", "_UDFS_COMPLETE").source())
    return 0


@command()
@manifest_options
def doctor(options: Options) -> int:
    """Tell what is on this machine, what is missing, and how to get it. Reads the project, changes nothing.

    Exits with 1 when something that the manifest needs is missing.
    """
    findings = [*_tool(), *_packaging(), *_interpreters(options), *_project(options)]
    if options.as_json:
        keys = ("ok", "subject", "finding", "hint")
        import json

        print(json.dumps([dict(zip(keys, one, strict=True)) for one in findings], indent=2))
    else:
        print_lines(line for one in findings for line in _finding(*one))
    return 0 if all(ok is not False for ok, *_ in findings) else 1


Finding = tuple["bool | None", str, str, str]
"""Good, bad or neither; the subject; what was found; what to do."""


def _finding(ok: bool | None, subject: str, found: str, hint: str) -> Iterator[Line]:
    sign, style = {True: ("ok", "create"), False: ("missing", "error"), None: ("-", "quiet")}[ok]
    yield (style, f"{sign:<8}"), ("name", f"{subject:<16} "), ("", safe(found))
    for line in hint.splitlines():
        yield ("", " " * 25), ("help", safe(line))


def _tool() -> Iterator[Finding]:
    import platform
    from importlib import metadata

    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("pyodps", "pydantic", "PyYAML"))
    yield True, "udfs", f"{__version__} on Python {platform.python_version()}, {versions}", ""
    yield None, "cache", str(cache_folder()), ""
    names = [
        name
        for name in ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN")
        if os.environ.get(name)
    ]
    yield None, "credentials", ", ".join(names) or "none in the environment; endpoint: local needs none", ""


def _packaging() -> Iterator[Finding]:
    from importlib import metadata

    for subject, name, what, extra in (
        ("uv", "uv", "resolves requirements", "lock"),
        ("pex", "pex", "resolves for Python 2.7 and for old systems", "lock"),
        ("zig", "ziglang", "compiles what has no wheel", "build"),
    ):
        try:
            yield True, subject, f"{metadata.version(name)}, {what}", ""
        except metadata.PackageNotFoundError:
            yield None, subject, f"not installed; it {what}", f"pip install 'udfs[{extra}]'"


def _interpreters(options: Options) -> Iterator[Finding]:
    from reconciler.local.runner import SERVICE_ABI, InterpreterNotFound, how_to_get, locate
    from reconciler.targets.maxcompute.runtimes import RUNTIMES

    needed = _runtimes_of(options)
    for tag in RUNTIMES:
        try:
            found = locate(tag, os.environ)
        except InterpreterNotFound as missing:
            yield (False if tag in needed else None), tag, "no CPython of this runtime", missing.hint or ""
            continue
        told = f"CPython {'.'.join(map(str, found.version))} {found.abi}, {found.path}"
        if found.abi == SERVICE_ABI[tag]:
            yield True, tag, told, ""
        else:
            yield None, tag, f"{told}; not {SERVICE_ABI[tag]}, so it runs pure Python only", how_to_get(tag)


def _runtimes_of(options: Options) -> set[str]:
    try:
        manifest = loaded(options)
    except UdfsError:
        return set()
    return {code.runtime.tag for code in manifest.code.values()}


def _project(options: Options) -> Iterator[Finding]:
    try:
        manifest = loaded(options)
        yield True, "manifest", f"{options.file}, stack {manifest.manifest.stack}", ""
        with connected(manifest) as target:
            live = target.read().live
    except UdfsError as error:
        first = error.problems[0]
        subject = "manifest" if first.code < "E6" else "target"
        # No manifest is no fault where none was asked for.
        bad = None if first.code == "E101" and not options.file.exists() else False
        yield bad, subject, f"{first.code} {first.message}", options.invocation.spell(first.hint)
        return
    endpoint = target_of(manifest).endpoint
    told = f"{manifest.target_name}: project {target_of(manifest).project} at {endpoint}, {count(len(live), 'object')}"
    yield True, "target", told, ""


__all__ = ["completion", "doctor", "explain", "init", "schema", "validate"]
