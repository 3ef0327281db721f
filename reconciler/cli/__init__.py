"""
Arguments, wiring, exit codes: the one place that catches, prints and exits.

Commands are loaded when they are called, so that ``udfs --version`` and ``--help`` import nothing but click. A usage
error exits with 3: every argument parser's own choice is 2, which here means "changes present", and a typo in a
pipeline must not read as that.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import keyword
import os
import re
import sys
import traceback
from contextlib import suppress
from contextvars import copy_context
from threading import Event
from typing import TYPE_CHECKING, NoReturn

import click

from reconciler import __version__
from reconciler.base.errors import MachineError, UdfsError, UsageError
from reconciler.cli.support.interrupts import interruptible

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "init": ("init", "Write a commented starter manifest and a first function."),
    "validate": ("init", "Check the manifest and every file it names; no service is asked."),
    "targets": ("targets", "Show what each target comes to, and the line that each value comes from."),
    "lock": ("lock", "Resolve the packages' requirements for their runtimes, and write udfs.lock."),
    "plan": ("plan", "Show what differs between the manifest and the project."),
    "apply": ("plan", "Make the project match the manifest."),
    "drift": ("plan", "Show what in the project is not as the manifest says, and who changed it."),
    "destroy": ("plan", "Delete everything that this stack manages."),
    "rollback": ("rollback", "Bring the functions back to what an earlier apply left."),
    "gc": ("rollback", "Delete versions that no function lists any more and whose grace is over."),
    "import": (
        "import_",
        "Write functions of the project, and what they list, into a manifest, and fetch their files.",
    ),
    "adopt": ("adopt", "Take over objects of the manifest that are in the project and that nobody manages."),
    "disown": ("adopt", "Stop managing objects, and leave them in the project."),
    "dump": ("dump", "Write down what the project holds, to plan against without credentials."),
    "history": ("history", "Show the last applies: when, by whom, from which commit, with what outcome."),
    "show-run": ("history", "Show one apply of the history, step by step."),
    "unlock": ("history", "End the lease of a run that is dead."),
    "show": ("call", "Show the deployed functions, their resources, and the SET lines SQL needs."),
    "call": ("call", "Run a deployed function here, in the CPython it was written for."),
    "test": ("test", "Run the manifest's tests here; nothing is deployed and no service is asked."),
    "sql": ("sql", "Run a SELECT that calls functions, with the SET lines they need, and print its rows."),
    "verify": ("verify", "Run the manifest's tests by SQL in the project, over what is deployed."),
    "libs": ("libs", "Show what is native in wheels and libraries, what it needs, and where it loads."),
    "deps": ("libs", "Show what each function ships: wheels, native libraries, sizes, and who shares them."),
    "build": ("build", "Make the bytes that would be uploaded, and list them with their sha256."),
    "sbom": ("sbom", "List what the functions ship that others made, as CycloneDX JSON."),
    "export": ("sbom", "Print the Python code by which a MaxFrame job uses a package."),
    "serve": ("call", "Run a MaxCompute of your own on loopback."),
    "schema": ("init", "Print the JSON Schema of the manifest or of plan.json."),
    "explain": ("init", "Explain an error code."),
    "doctor": ("init", "Tell what is on this machine, what is missing, and how to get it."),
    "completion": ("init", "Print the shell's completion script."),
}
"""Command → the module it lives in and what ``--help`` says of it."""

EPILOG = """\b
Exit codes:
    0  done, or nothing to do          5  refused by a guard or ownership
    1  service or unexpected error     6  the plan is stale
    2  changes or drift present        7  another apply holds the lease
    3  invalid manifest or usage       8  partly applied
    4  authentication or permission    9  a test failed
                                     130  interrupted
"""


class _Group(click.Group):
    """Commands by name, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"reconciler.cli.{COMMANDS[cmd_name][0]}")
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(module, f"{name}_" if keyword.iskeyword(name) else name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f", did you mean '{close[0]}'?" if close else ""
            ctx.fail(f"no command '{args[0]}'{hint}")
        return super().resolve_command(ctx, args)


@click.command(cls=_Group, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="udfs", message="%(prog)s %(version)s")
def group() -> None:
    """Keep the Python UDFs of a MaxCompute project in Git.

    udfs.yaml lists the functions; `udfs plan` shows what differs from the project, `udfs apply` makes it so, and
    `udfs drift` tells what somebody changed behind Git's back.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit."""
    _have_streams()
    all_is_said = Event()
    interruptible(all_is_said)
    collect_rarely()
    try:
        code = _flushed(run(sys.argv[1:] if arguments is None else arguments))
        all_is_said.set()
    except KeyboardInterrupt:
        # A second one, while the first was told: `timeout` sends two.
        all_is_said.set()
        code = _flushed(130)
    sys.exit(code)


def collect_rarely() -> None:
    """Look for garbage less often: of thousands of small values all stay, and going through them is a third of the time."""
    gc.set_threshold(250_000, 50, 50)


def _flushed(code: int) -> int:
    """Write out what was printed, and return the exit code: that of the command, unless only the printing failed."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Do not let the interpreter complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            # A reader that has gone (head, less) is no failure; a full disk is.
            _tell(_of_the_machine(error), as_json=False)
            return code or MachineError.exit_code
    return code


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code; what it is aimed at does not outlive it."""
    return copy_context().run(_run, arguments)


def _run(arguments: Sequence[str]) -> int:
    try:
        outcome = group.main(list(arguments), prog_name="udfs", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 3
    except click.ClickException as error:
        failure: UdfsError = _usage(error)
    except (click.Abort, KeyboardInterrupt):
        with suppress(OSError, ValueError):
            print("interrupted", file=sys.stderr)
        return 130
    except UdfsError as error:
        failure = error
    except BrokenPipeError:
        return 1
    except OSError as error:
        failure = _of_the_machine(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told and ends here
        with suppress(OSError, ValueError):
            traceback.print_exc()
        failure = UdfsError("E999", f"this is a bug in udfs: {type(error).__name__}, see the traceback")
    else:
        return outcome if isinstance(outcome, int) else 0
    _tell(failure, as_json=_wants_json(arguments))
    return failure.exit_code


def _tell(failure: UdfsError, *, as_json: bool) -> None:
    """Print an error; where nothing can be printed any more, the exit code has to say it."""
    from reconciler.cli.support.output import print_error

    with suppress(OSError, ValueError):
        print_error(failure, as_json=as_json)


def _of_the_machine(error: OSError) -> MachineError:
    reason = error.strerror or str(error) or type(error).__name__
    named = error.filename.decode(errors="replace") if isinstance(error.filename, bytes) else error.filename
    return MachineError("E904", f"{named}: {reason}" if named is not None else reason)


def _usage(error: click.ClickException) -> UsageError:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "udfs"
    message = _plainly(error.format_message().rstrip("."))
    return UsageError("E901", message[:1].lower() + message[1:], hint=f"{command} --help")


def _plainly(message: str) -> str:
    """Return a message of click's without its own names for types, and without brackets about an argument's name."""
    for named, plain in (("integer range", "whole number"), ("float range", "number")):
        message = message.replace(f"is not a valid {named}", f"is not a {plain}")
    return re.sub(r"(Invalid value for )'\[(\w+)\]'", r"\1\2", message)


def _wants_json(arguments: Sequence[str]) -> bool:
    """Say whether ``--format json`` is among the arguments: an error may come before they are parsed."""
    given = list(arguments)
    return "--format=json" in given or ("--format", "json") in itertools.pairwise(given)


def _have_streams() -> None:
    """
    Make sure that there is something to print to, and that every character can be printed there.

    Behind a closed descriptor the next file that is opened would get its number, and the output of others with it. What
    the locale cannot write is shown as an escape: a name from a service must not end a command.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))
        getattr(sys, name).reconfigure(errors="backslashreplace")
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
