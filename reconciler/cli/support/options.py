"""
Options that many commands share, and the decorators that add them.

Everything here runs before a command does anything, so it imports little.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import shlex
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Protocol, TypeAlias, TypeVar

import click

from reconciler.base.environments import NO_BUILD, WHEELS
from reconciler.base.errors import InvalidManifest, UdfsError, UsageError
from reconciler.base.invocation import Invocation
from reconciler.base.words import quote
from reconciler.cli.support.completion import complete_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from reconciler.render.folding import View

P = ParamSpec("P")
R = TypeVar("R")

Format: TypeAlias = Literal["text", "json", "csv", "markdown", "html", "sarif", "github", "dot", "mermaid", "svg"]


@dataclass(frozen=True)
class Options:
    """The options that every command about a manifest takes."""

    file: Path
    target: str | None
    format: Format

    targets: tuple[str, ...] = ()
    """Several, in the order in which they were named; `target` is then None."""

    among: int = 1
    """How many targets the report is about; `target` is one of them."""

    view: View = "auto"
    """How much is told of a long plan."""
    no_build: bool = False
    wheels: Path | None = None
    """Where wheels lie that were built elsewhere."""

    forced: frozenset[str] = frozenset()
    """Codes of findings that are gone past."""

    @property
    def env(self) -> Mapping[str, str]:
        """The environment, with what the options say of builds."""
        said = {NO_BUILD: "1" if self.no_build else "", WHEELS: str(self.wheels or "")}
        return {**os.environ, **{name: value for name, value in said.items() if value}}

    def take_wheels(self, wheels: Path | None, *, no_build: bool) -> Options:
        """Return the options with what is said of builds."""
        return replace(self, no_build=no_build, wheels=wheels)

    @property
    def as_json(self) -> bool:
        return self.format == "json"

    @property
    def invocation(self) -> Invocation:
        """What hints are completed with: the options as they would be typed again."""
        file = "" if self.file == Path("udfs.yaml") else f" -f {shlex.quote(str(self.file))}"
        target = ",".join(self.targets) or self.target
        return Invocation(file, f" --target {shlex.quote(target)}" if target else "")

    @property
    def heading(self) -> str:
        """What has to stand before a result for a reader to know whose it is; nothing where there is one target."""
        return f"target {self.target}: " if self.among > 1 else ""

    @contextmanager
    def completing(self) -> Iterator[None]:
        """Complete the hints of an error that passes with these options."""
        try:
            yield
        except UdfsError as error:
            error.problems = self.invocation.complete(error.problems)
            raise


class TakesHandover(Protocol):
    """Options, or what has them, that can be told what a build made elsewhere."""

    def take_wheels(self, wheels: Path | None, *, no_build: bool) -> TakesHandover: ...


def manifest_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add ``-f``, ``--target``, ``--format`` and ``-v`` to a command, which gets them as its first argument."""
    return with_options(command, format_option)


def several_options(command: Callable[..., R]) -> Callable[..., R]:
    """As `manifest_options`, for a command that takes several targets and sees to them itself."""
    return with_options(command, format_option, several=True)


def handover_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add ``--no-build`` and ``--wheels`` to a command that gets `Options`, or what has them, first."""

    @click.option(
        "--no-build",
        is_flag=True,
        envvar=NO_BUILD,
        help="Build nothing, and run no code of a package: for where credentials are.",
    )
    @click.option(
        "--wheels",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        metavar="DIR",
        envvar=WHEELS,
        help="Take what has to be built from here, where udfs build --wheels DIR put it; held to the lock's sha256.",
    )
    @functools.wraps(command)
    def wrapper(options: TakesHandover, *, no_build: bool, wheels: Path | None, **arguments: Any) -> R:
        return command(options.take_wheels(wheels, no_build=no_build), **arguments)

    return wrapper


def no_check_option(command: Callable[..., R]) -> Callable[..., R]:
    """Add ``--no-check`` to a command that gets `Options` first."""

    @click.option(
        "--no-check",
        multiple=True,
        callback=_forcible_codes,
        metavar="CODE[,CODE]",
        help="Go past what is found of this code in a file that is shipped: a warning instead of an error. No guard, policy or ownership is gone past.",
    )
    @functools.wraps(command)
    def wrapper(options: Options, *, no_check: frozenset[str], **arguments: Any) -> R:
        return command(replace(options, forced=no_check), **arguments)

    return wrapper


def _forcible_codes(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> frozenset[str]:
    words = [word.strip() for value in values for word in value.split(",")]
    if not words:
        return frozenset()
    from reconciler.packages.inspect.files import FORCIBLE

    codes = frozenset(word.upper() for word in words)
    if others := [word for word in words if word.upper() not in FORCIBLE]:
        message = f"{quote(others[0])} is no finding that can be gone past"
        hint = "--no-check takes codes of what was found in files, as E650; all else has to be mended"
        raise UsageError("E657", message, hint=hint)
    return codes


def formats(*names: Format) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Return the option ``--format`` with a choice of these."""
    meanings = {
        "json": "json: one document on stdout, errors included",
        "csv": "csv: names, then rows, \\N for NULL",
        "markdown": "markdown: for a comment, cut to what GitHub takes",
        "html": "html: one page, for any browser",
        "sarif": "sarif: one document on stdout",
        "github": "github: workflow commands",
    }
    text = "; ".join(meanings[name] for name in names if name != "text")
    return click.option("--format", type=click.Choice(names), default="text", show_default=True, help=f"{text}.")


def has_renderer(format: str) -> bool:
    """Say whether what makes a format is installed."""
    return format != "html" or importlib.util.find_spec("jinja2") is not None


def require_renderer(format: str) -> None:
    """Raise `UsageError` for a format that nothing here can make, before anything is asked of a service."""
    if not has_renderer(format):
        raise UsageError("E740", "Jinja2, which makes pages, is not installed", hint="pip install 'udfs[report]'")


def format_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add ``--format`` with text and JSON."""
    return formats("text", "json")(command)


def file_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add ``-f``."""
    return click.option(
        "-f",
        "--file",
        type=click.Path(path_type=Path),
        default=(Path("udfs.yaml"),),
        multiple=True,
        callback=_only_file,
        help="The manifest.  [default: udfs.yaml]",
    )(command)


def _only_file(context: click.Context, parameter: click.Parameter, files: tuple[Path, ...]) -> Path:
    # The last of several would count, and nobody would hear that the others were not looked at.
    if len(files) > 1:
        raise click.BadParameter(f"one manifest at a time, and {len(files)} are named; udfs ci takes several")
    return files[0]


yes_option = click.option("--yes", is_flag=True, help="Do not ask.")

refresh_option = click.option(
    "--refresh",
    type=click.Choice(["changed", "full"]),
    default="changed",
    show_default=True,
    help="full: ask for the MD5 of every resource, also of those that look as the last apply left them.",
)

_FULL = click.option("--full", "view", flag_value="full", help="Name each object, however many are alike.")
_SUMMARY = click.option(
    "--summary", "view", flag_value="summary", help="Tell what is alike as one, of few objects too."
)


def view_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add ``--summary`` and ``--full``, which are `Options.view`."""
    return _SUMMARY(_FULL(command))


events_option = click.option(
    "--events",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Add a line of JSON to this file for each thing that happens, as it happens (udfs schema events).",
)


def comparing_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add what a command takes that compares a manifest, in `Options`, with what is there."""
    return view_option(events_option(handover_options(no_check_option(refresh_option(command)))))


def _recording(file: Path, options: Options) -> AbstractContextManager[Callable[[Any], None]]:
    from reconciler.cli.support.events import recording

    targets = options.targets or ((options.target,) if options.target else ())
    return recording(file, click.get_current_context().info_name or "", str(options.file), targets)


junit_option = click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write JUnit's XML too."
)


def with_options(
    command: Callable[..., R], choice: Callable[[Callable[..., R]], Callable[..., R]], *, several: bool = False
) -> Callable[..., R]:
    """Add ``-f``, ``--target``, a `choice` of formats and ``-v`` to a command; with `several`, more targets than one."""

    @file_option
    @functools.partial(_target_options, several=several)
    @choice
    @click.option("-v", "--verbose", is_flag=True, help="Log every request to stderr.")
    @functools.wraps(command)
    def wrapper(
        file: Path,
        target: str | tuple[str, ...] | None,
        format: Format,
        verbose: bool,
        all_targets: bool = False,
        view: View | None = None,
        events: Path | None = None,
        **arguments: Any,
    ) -> R:
        if verbose:
            log_requests()
        require_renderer(format)
        values = (target,) if isinstance(target, str) else target or ()
        names = _target_names(file, values, all_targets=all_targets)
        if not several and len(names) > 1:
            raise one_target_only("this command", names)
        is_several = len(names) > 1
        options = Options(file, None if is_several or not names else names[0], format, names if is_several else ())
        options = replace(options, view=view or "auto")
        from reconciler.cli.support.progress import showing

        with ExitStack() as around:
            record = around.enter_context(_recording(events, options)) if events else None
            around.enter_context(options.completing())
            around.enter_context(showing(for_people=format not in {"json", "csv", "sarif"}))
            result = command(options, **arguments)
            if record:
                record(result)
            return result

    return wrapper


def _target_options(command: Callable[..., R], *, several: bool) -> Callable[..., R]:
    if not several:
        return click.option(
            "--target",
            metavar="NAME",
            shell_complete=complete_from("targets"),
            help="A target of the manifest; 'local' or the only one when left out.",
        )(command)
    everywhere = click.option("--all-targets", is_flag=True, help="Each target of the manifest, in its order.")
    target = click.option(
        "--target",
        multiple=True,
        metavar="NAME[,NAME]",
        shell_complete=complete_from("targets"),
        help="A target of the manifest, or several, in this order; 'local' or the only one when left out.",
    )
    return target(everywhere(command))


def _target_names(file: Path, values: tuple[str, ...], *, all_targets: bool) -> tuple[str, ...]:
    """Return the targets that are meant, each once."""
    if all_targets:
        from reconciler.manifest.effective import target_names

        if values:
            raise targets_exclude()
        return target_names(file)
    return split_targets(values)


def split_targets(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the targets that ``--target a,b --target c`` names, each once."""
    targets = tuple(dict.fromkeys(name for value in values for name in value.split(",")))
    if not all(targets):
        # What a pipeline gets from a variable that is not set must not mean the default.
        hint = "is its variable set? Without --target it is 'local', or the only one"
        raise InvalidManifest("E307", "--target has an empty name", hint=hint)
    return targets


def targets_exclude() -> UsageError:
    """Return the error for targets that are named where all are meant."""
    return UsageError("E564", "--all-targets and --target exclude each other", hint="leave one of them out")


def one_target_only(what: str, targets: tuple[str, ...]) -> UsageError:
    """Return the error for what means one target, where several were named."""
    message = f"you named {len(targets)} targets, and {what} takes one"
    return UsageError("E564", message, hint=f"run it for each: --target {targets[0]}")


def value_option(name: str, make: Callable[..., Any], *fields: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Let a command get several of its options as one value."""

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        @functools.wraps(command)
        def wrapper(*args: Any, **options: Any) -> R:
            value = make(**{field: options.pop(field) for field in fields})
            return command(*args, **options, **{name: value})

        return wrapper

    return decorate


def log_requests() -> None:
    """Let the program's own log through to stderr; it names requests, never headers."""
    log, out = logging.getLogger("reconciler"), logging.StreamHandler(sys.stderr)
    out.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(out)
    log.setLevel(logging.DEBUG)


class _Command(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            # click leaves it out where an option lacks its value, and the hint would name no command.
            error.ctx = error.ctx or ctx
            raise


def command(**settings: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Declare a command; the same as click's, with ``-h``."""
    return click.command(
        cls=_Command,
        context_settings={"help_option_names": ["-h", "--help"], **settings.pop("context", {})},
        **settings,
    )
