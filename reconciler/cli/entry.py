"""
Entry point: wiring and exit codes, the one place that catches, prints and exits.

What is not needed to print the help of the whole is imported when a command runs. A usage error exits with 3: every
argument parser's own choice is 2, which here means "changes present", and a typo in a pipeline must not read as that.
"""

from __future__ import annotations

import errno
import gc
import itertools
import os
import re
import sys
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, NoReturn

from reconciler.base.redaction import RedactedStream, forget_secrets
from reconciler.cli.overview import answer, spell_out
from reconciler.cli.support.interrupts import interruptible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.base.errors import MachineError, UdfsError

_NO_MEMORY = re.compile(
    "can't (start new thread|allocate lock)|failed to map segment|[Cc]annot allocate memory"
    # CPython itself: where not even the MemoryError could be made (seen under `ulimit -v`).
    "|error return without exception set|without setting an exception"
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit."""
    if arguments is None:
        _speak_utf8()
    _have_streams()
    all_is_said = Event()
    interruptible(all_is_said)
    tune_interpreter()
    try:
        code = _flush(run(sys.argv[1:] if arguments is None else arguments))
        all_is_said.set()
    except KeyboardInterrupt:
        # A second one, while the first was told: `timeout` sends two.
        all_is_said.set()
        code = _flush(130)
    # The interpreter would look for garbage once more, among everything: a sixth of the time of a small command.
    gc.freeze()
    sys.exit(code)


def _speak_utf8() -> None:
    """
    Begin again with names, arguments and streams in UTF-8, where the locale says otherwise.

    An argument would become other text, and a function would return another result, in silence: after `LC_ALL=C` with
    Python's UTF-8 mode switched off, in Latin-1, in a locale that is not installed.
    """
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "PYTHONUTF8": "1"})


def _require_text(arguments: Sequence[str]) -> None:
    for number, argument in enumerate(arguments, 1):
        if any("\ud800" <= char <= "\udfff" for char in argument):
            from reconciler.base.errors import UsageError

            shown = argument.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            raise UsageError("E907", f"argument {number} is not text in UTF-8: {shown}", hint="write it in UTF-8")


def tune_interpreter() -> None:
    """
    Look for garbage less often, and let other threads run more often than Python does.

    Of thousands of small values all stay, and going through them is a third of the time. A thread that reads from a service needs the
    interpreter a few times a request: 5 ms each time, while another one understands the page before, is a tenth of a plan at 50 ms an answer.
    """
    gc.set_threshold(250_000, 50, 50)
    sys.setswitchinterval(0.0005)


def _flush(code: int) -> int:
    """Write out what was printed, and return the exit code: that of the command, unless only the printing failed."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Do not let the interpreter complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            # A reader that has gone (head, less) is no failure; a full disk is.
            failure = _of_the_machine(error)
            _tell(failure, as_json=False)
            return code or failure.exit_code
    return code


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code."""
    arguments = spell_out(arguments)
    streams = sys.stdout, sys.stderr
    forget_secrets()
    sys.stdout, sys.stderr = RedactedStream(sys.stdout), RedactedStream(sys.stderr)
    try:
        return _run(arguments)
    finally:
        sys.stdout, sys.stderr = streams


def _run(arguments: Sequence[str]) -> int:
    try:
        _require_text(arguments)
        if (text := answer(arguments)) is not None:
            print(text, end="")
            return 0
        from reconciler.cli.group import group

        outcome = group.main(list(arguments), prog_name="udfs", standalone_mode=False)
        if isinstance(outcome, int):  # of --help
            return outcome
        from reconciler.cli.support.output import print_result

        return print_result(outcome)
    except KeyboardInterrupt:
        return _report_interrupt()
    except BrokenPipeError:
        return 1
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told and ends here
        return _ended_by(error, as_json=_wants_json(arguments))


def _report_interrupt() -> int:
    with suppress(OSError, ValueError):
        print("interrupted", file=sys.stderr)
    return 130


def _ended_by(error: Exception, *, as_json: bool) -> int:
    """Print why a command ended, and return its exit code."""
    import click

    from reconciler.base.errors import UdfsError

    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return 3
    if isinstance(error, click.Abort):
        return _report_interrupt()
    if isinstance(error, UdfsError):
        failure = error
    elif isinstance(error, click.ClickException):
        from reconciler.cli.support.usage import usage_error

        failure = usage_error(error)
    elif _is_out_of_memory(error):
        failure = _out_of_memory()
    elif isinstance(error, OSError):
        failure = _of_the_machine(error)
    else:
        import traceback

        with suppress(OSError, ValueError):
            traceback.print_exception(error)
        failure = UdfsError("E999", f"this is a bug in udfs: {type(error).__name__}, see the traceback")
    _tell(failure, as_json=as_json)
    return failure.exit_code


def _tell(failure: UdfsError, *, as_json: bool) -> None:
    """Print an error; where nothing can be printed any more, the exit code has to say it."""
    from reconciler.cli.support.output import print_error

    try:
        print_error(failure, as_json=as_json)
        if as_json:
            sys.stdout.flush()
    except (OSError, ValueError) as error:
        if as_json and not isinstance(
            error, BrokenPipeError
        ):  # the document is lost, and somebody may read the other stream
            _tell(failure, as_json=False)


def _is_out_of_memory(error: BaseException | None) -> bool:
    """Say whether memory ran out, in whatever words: of Python, the system, its threads or its loader."""
    for _ in range(10):
        if error is None:
            return False
        refused = isinstance(error, RuntimeError | ImportError | SystemError) and _NO_MEMORY.search(str(error))
        if isinstance(error, MemoryError) or refused or getattr(error, "errno", None) == errno.ENOMEM:
            return True
        error = error.__cause__ or error.__context__
    return False


def _out_of_memory() -> MachineError:
    from reconciler.base.errors import MachineError

    hint = "give it more (ulimit -v, the limit of the container), or take less at once"
    return MachineError("E906", "there is not enough memory", hint=hint)


def _of_the_machine(error: OSError) -> MachineError:
    from reconciler.base.files import machine_error

    return machine_error(error)


def _wants_json(arguments: Sequence[str]) -> bool:
    """Say whether ``--format json`` is among the arguments: an error may come before they are parsed."""
    words = list(arguments)
    return "--format=json" in words or ("--format", "json") in itertools.pairwise(words)


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
