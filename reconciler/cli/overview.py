"""
Help of the whole: what ``udfs --help`` and ``udfs --version`` print.

Neither needs a parser of arguments, so neither imports one: click alone takes three times as long as a bare interpreter.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.base.numbers import whole_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMMANDS = {
    "init": "Write a starter manifest and a function, or a whole project.",
    "validate": "Check the manifest and every file it names, without contacting a service.",
    "fmt": "Format manifests, with their comments and what they mean as they were.",
    "targets": "Show what each target comes to, and the line that each value comes from.",
    "lock": "Resolve the packages' requirements for their runtimes, and write udfs.lock.",
    "list": "List the functions and where each stands: applied, changed, not applied.",
    "plan": "Show what differs between the manifest and the project.",
    "render": "Show a plan that was written down, in any format.",
    "apply": "Make the project match the manifest.",
    "ci": "Check, plan and apply the manifests of a repository in a pipeline.",
    "drift": "Show what in the project is not as the manifest says, and who changed it.",
    "destroy": "Delete everything that this stack manages.",
    "rollback": "Bring the functions back to what an earlier apply left.",
    "gc": "Delete versions that no function lists any more and whose grace is over.",
    "import": "Write functions of the project, and what they list, into a manifest, and fetch their files.",
    "adopt": "Take over objects of the manifest that are in the project and that nobody manages.",
    "disown": "Stop managing objects, and leave them in the project.",
    "dump": "Write down what the project holds, to plan against without credentials.",
    "history": "Show the last applies: when, by whom, from which commit, with what outcome.",
    "show-run": "Show one apply of the history, step by step.",
    "unlock": "End the lease of a run that is dead.",
    "show": "Show the deployed functions, their resources, and the SET lines SQL needs.",
    "call": "Run a deployed function here, in the CPython it was written for.",
    "test": "Run the manifest's tests here, without deploying or contacting a service.",
    "sql": "Run a SELECT that calls functions, with the SET lines they need, and print its rows.",
    "verify": "Run the manifest's tests by SQL in the project, over what is deployed.",
    "libs": "Show what is native in wheels and libraries, what it needs, and where it loads.",
    "deps": "Show what each function ships: wheels, native libraries, sizes, and who shares them.",
    "graph": "Draw functions, their packages and what lies in these, by Graphviz or Mermaid.",
    "build": "Make the bytes that would be uploaded, and list them with their sha256.",
    "sbom": "List what the functions ship that others made, as CycloneDX JSON.",
    "export": "Print the Python code by which a MaxFrame job uses a package.",
    "ui": "Show the project on one page in a browser; on request, call functions and run SQL there.",
    "serve": "Run a service of your own on loopback: MaxCompute, or with -f another.",
    "runtime": "List the runtimes that functions run in here, and make root file systems for them.",
    "schema": "Print the JSON Schema of the manifest or of plan.json.",
    "explain": "Explain an error code, or a key of the manifest.",
    "doctor": "Tell what is on this machine, what is missing, and how to get it.",
    "completion": "Print the shell's completion script.",
}
"""Command → what ``--help`` says of it; its module is named like it."""

EXIT_CODES = """\
Exit codes:
    0  done, or nothing to do          5  refused by a guard or ownership
    1  service or unexpected error     6  the plan is stale
    2  changes or drift present        7  another apply holds the lease
    3  invalid manifest or usage       8  partly applied
    4  authentication or permission    9  a test failed
                                     130  interrupted
"""

_HEAD = """\
Usage: udfs [OPTIONS] COMMAND [ARGS]...

  Keep the Python functions of MaxCompute, Function Compute and Flink in Git.

"""
_ABOUT = (
    "udfs.yaml lists the functions; `udfs plan` shows what differs from the project, `udfs apply` makes it so, and "
    "`udfs drift` shows what somebody changed behind Git's back."
)
_OPTIONS = {"--version": "Show the version and exit.", "-h, --help": "Show this message and exit."}


_ALSO = {"ls": "list", "status": "list"}
"""Other words for a command."""


def spell_out(arguments: Sequence[str]) -> Sequence[str]:
    """Return arguments as they are written in full: ``help plan`` is ``plan --help``, and ``ls`` is ``list``."""
    word, *others = arguments or ("",)
    if word == "help":
        return [*others, "--help"]
    if word == "version" and not others:
        return ["--version"]
    return [_ALSO.get(word, word), *others] if arguments else []


def answer(arguments: Sequence[str]) -> str | None:
    """Return what is printed for arguments that ask for the whole's help or version, and for nothing else."""
    if len(arguments) != 1:
        return None
    if arguments[0] in {"-h", "--help"}:
        return overview(_columns())
    return f"udfs {__version__}\n" if arguments[0] == "--version" else None


def overview(columns: int) -> str:
    """Return the help of the whole for a terminal of so many columns."""
    width = max(min(columns, 80) - 2, 50)  # as click has it, which prints the help of each command
    parts = (
        "".join(f"  {line}\n" for line in _wrap(_ABOUT, width - 2)),
        "Options:\n" + _definitions(_OPTIONS, width),
        "Commands:\n" + _definitions(COMMANDS, width),
        "".join(f"  {line}\n" for line in EXIT_CODES.splitlines()),
    )
    return _HEAD + "\n".join(parts)


def _definitions(meanings: dict[str, str], width: int) -> str:
    """Return names, and behind them what they mean."""
    indent = max(map(len, meanings)) + 4
    lines = []
    for name, text in meanings.items():
        first, *continuation = _wrap(text, width - indent)
        lines += [f"  {name:<{indent - 2}}{first}", *(" " * indent + line for line in continuation)]
    return "".join(f"{line}\n" for line in lines)


def _wrap(text: str, width: int) -> Iterator[str]:
    """Yield lines of whole words; `textwrap` would import `re`."""
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = word
        else:
            line = f"{line} {word}".lstrip()
    yield line


def _columns() -> int:
    """Return the terminal's width as `shutil.get_terminal_size` would."""
    columns = os.environ.get("COLUMNS", "")
    if width := whole_number(columns, digits=9):
        return width
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):
        return 80
