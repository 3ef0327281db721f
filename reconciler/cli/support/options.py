"""What the commands share: options, the manifest, and a connected target."""

from __future__ import annotations

import functools
import logging
import os
import secrets
import shlex
import sys
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeAlias, TypeVar

import click

from reconciler import __version__
from reconciler.base.errors import AccessError, InvalidManifest, MachineError, UdfsError, UsageError
from reconciler.base.invocation import Invocation
from reconciler.targets.maxcompute.manifest import manifest_of, target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.core.target import Target
    from reconciler.local import Server
    from reconciler.manifest.load import Loaded
    from reconciler.packages.fetch.cache import Cache
    from reconciler.workflow.preparation import Prepared

P = ParamSpec("P")
R = TypeVar("R")

Format: TypeAlias = Literal["text", "json", "csv", "markdown", "sarif", "github"]
STORE = ".udfs"
"""Beside the manifest: the store of the service built in."""


@dataclass(frozen=True)
class Options:
    """The options that every command about a manifest takes."""

    file: Path
    target: str | None
    format: Format

    targets: tuple[str, ...] = ()
    """Several, in the order in which they were named; `target` is then not given."""

    among: int = 1
    """How many targets are told of together; `target` is one of them."""

    told: list[str] = field(default_factory=list, compare=False)
    """What a command has to say in one line; for a report on several targets."""

    @property
    def as_json(self) -> bool:
        return self.format == "json"

    @property
    def invocation(self) -> Invocation:
        """What hints are completed with: the options as they would be typed again."""
        file = "" if self.file == Path("udfs.yaml") else f" -f {shlex.quote(str(self.file))}"
        target = ",".join(self.targets) or self.target
        return Invocation(file, f" --target {shlex.quote(target)}" if target else "")

    def arguments(self) -> str:
        """Return the options as they would be typed again."""
        return self.invocation.file + self.invocation.target

    @property
    def heading(self) -> str:
        """What has to stand before a result for a reader to know whose it is; nothing where there is one target."""
        return f"target {self.target}: " if self.among > 1 else ""

    @contextmanager
    def completing(self) -> Iterator[None]:
        """Spell out the hints of an error that passes, with these options."""
        try:
            yield
        except UdfsError as error:
            error.problems = self.invocation.complete(error.problems)
            raise


def manifest_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add ``-f``, ``--target``, ``--format`` and ``-v`` to a command, which gets them as its first argument."""
    return with_options(command, format_option)


def several_options(command: Callable[..., R]) -> Callable[..., R]:
    """As `manifest_options`, for a command that takes several targets and sees to them itself."""
    return with_options(command, format_option, several=True)


def query_options(command: Callable[..., R]) -> Callable[..., R]:
    """As `manifest_options`, with a format for rows."""
    return with_options(command, formats("text", "json", "csv"))


def formats(*names: Format) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Return the option ``--format`` with a choice of these."""
    meanings = {
        "json": "json: one document on stdout, errors included",
        "csv": "csv: names, then rows, \\N for NULL",
        "markdown": "markdown: for a comment, cut to what GitHub takes",
        "sarif": "sarif: one document on stdout",
        "github": "github: workflow commands",
    }
    told = "; ".join(meanings[name] for name in names if name != "text")
    return click.option("--format", type=click.Choice(names), default="text", show_default=True, help=f"{told}.")


def _target_options(command: Callable[..., R], *, several: bool) -> Callable[..., R]:
    if not several:
        return click.option(
            "--target", metavar="NAME", help="A target of the manifest; 'local' or the only one when left out."
        )(command)
    everywhere = click.option("--all-targets", is_flag=True, help="Each target of the manifest, in its order.")
    named = click.option(
        "--target",
        multiple=True,
        metavar="NAME[,NAME]",
        help="A target of the manifest, or several, in this order; 'local' or the only one when left out.",
    )
    return named(everywhere(command))


def with_options(
    command: Callable[..., R], choice: Callable[[Callable[..., R]], Callable[..., R]], *, several: bool = False
) -> Callable[..., R]:
    """Add ``-f``, ``--target``, a `choice` of formats and ``-v`` to a command; with `several`, more targets than one."""

    @click.option(
        "-f",
        "--file",
        type=click.Path(path_type=Path),
        default=Path("udfs.yaml"),
        show_default=True,
        help="The manifest.",
    )
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
        **given: Any,
    ) -> R:
        log_requests(enabled=verbose)
        given_targets = (target,) if isinstance(target, str) else target or ()
        names = _named(file, given_targets, all_targets=all_targets)
        if not several and len(names) > 1:
            message = f"this command is about one target, and {len(names)} were named"
            raise UsageError("E564", message, hint=f"once for each: --target {names[0]}")
        one = names[0] if len(names) == 1 else None
        options = Options(file, one, format, names if len(names) > 1 else ())
        with options.completing():
            return command(options, **given)

    return wrapper


def _named(file: Path, given: tuple[str, ...], *, all_targets: bool) -> tuple[str, ...]:
    """Return the targets that are meant, each once."""
    if all_targets:
        from reconciler.manifest.effective import names

        if given:
            raise UsageError("E564", "--all-targets and --target exclude each other", hint="leave one of them out")
        return names(file)
    named = tuple(dict.fromkeys(name for one in given for name in one.split(",")))
    if not all(named):
        # What a pipeline gets from a variable that is not set must not mean the default.
        hint = "is its variable set? Without --target it is 'local', or the only one"
        raise InvalidManifest("E307", "--target has an empty name", hint=hint)
    return named


def format_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add ``--format``."""
    return click.option(
        "--format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="json: one document on stdout, errors included.",
    )(command)


def log_requests(*, enabled: bool) -> None:
    """Let the program's own log through to stderr; it names requests, never headers."""
    if enabled:
        log, out = logging.getLogger("reconciler"), logging.StreamHandler(sys.stderr)
        out.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(out)
        log.setLevel(logging.DEBUG)


def loaded(options: Options, *, warn: bool = True) -> Loaded:
    """Read and check the manifest; its warnings go to stderr, unless the caller tells them."""
    from reconciler.cli.support.output import print_lines
    from reconciler.manifest.load import load_manifest
    from reconciler.render.text import problems
    from reconciler.targets.dialects import DIALECTS

    found = load_manifest(options.file, DIALECTS, target=options.target, env=os.environ)
    if found.warnings and warn and options.format == "text":
        print_lines(problems(options.invocation.complete(found.warnings)), sys.stderr)
    return found


def declared_function(manifest: Loaded, name: str) -> str:
    """Return a function's name as the manifest spells it."""
    spelled = {known.lower(): known for known in manifest.manifest.functions}
    if name.lower() not in spelled:
        raise UsageError(
            "E901", f"the manifest has no function '{name}'", hint=f"it has: {', '.join(spelled.values())}"
        )
    return spelled[name.lower()]


def prepared(manifest: Loaded, options: Options, *, warn: bool = True) -> Prepared:
    """Read, fetch and check everything that the manifest names; warnings go to stderr, unless the caller tells them."""
    from reconciler.cli.support.output import note, print_lines
    from reconciler.render.text import problems
    from reconciler.workflow import preparation

    ready = preparation.prepare(manifest, cache=cache(), env=os.environ, on_step=note)
    if ready.warnings and warn:
        print_lines(problems(options.invocation.complete(ready.warnings)), sys.stderr)
    return ready


def cache() -> Cache:
    """Return the cache: UDFS_CACHE_DIR, or ``udfs`` in the user's cache folder."""
    from reconciler.packages.fetch.cache import Cache

    return Cache(cache_folder())


def cache_folder() -> Path:
    """Return where wheels are kept between runs; absolute, because pip and uv run in folders of their own."""
    if named := os.environ.get("UDFS_CACHE_DIR"):
        return Path(named).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return ((Path(base) if base else Path.home() / ".cache") / "udfs").absolute()


@contextmanager
def connected(manifest: Loaded) -> Iterator[Target]:
    """Reach the manifest's target; ``endpoint: local`` starts the service built in for as long as the command runs."""
    from reconciler.targets import TARGETS

    with _endpoint(manifest) as (endpoint, credentials):
        yield TARGETS["maxcompute"](
            endpoint=endpoint,
            project=target_of(manifest).project,
            schema=target_of(manifest).schema_,
            stack=manifest.manifest.stack,
            credentials=credentials,
            # The local service can be told to kill the client of a request, for tests of what a crash leaves behind.
            user_agent=f"udfs/{__version__} udfs-pid/{os.getpid()}",
            token=lambda: secrets.token_hex(3),
        )


def require_sql(manifest: Loaded) -> None:
    """See that what a statement needs is installed, where it is the local service that runs it."""
    from importlib.util import find_spec

    from reconciler.local import SQL_NEEDS

    if target_of(manifest).endpoint == "local" and (missing := [one for one in SQL_NEEDS if find_spec(one) is None]):
        raise UsageError(
            "E734",
            f"SQL on the local service needs {', '.join(missing)}, not installed here",
            hint="pip install 'udfs[sql]'",
        )


@contextmanager
def _endpoint(manifest: Loaded) -> Iterator[tuple[str, tuple[str, str, str | None] | None]]:
    if target_of(manifest).endpoint != "local":
        yield target_of(manifest).endpoint, _credentials()
        return
    server = _local_server(manifest)
    try:
        yield server.url, ("local", "local", None)
    finally:
        server.close()


def _local_server(manifest: Loaded) -> Server:
    """Start the local service; a store that it cannot read is told as a damaged file, not as a bug."""
    from reconciler.local import Server

    store = local_store(manifest.folder)
    try:
        with ExitStack() as undo:
            server = undo.enter_context(Server(store, environment=os.environ))
            server.provide(target_of(manifest).project, target_of(manifest).schema_)
            provide_tables(server, manifest)
            undo.pop_all()
    except OSError:
        raise
    except Exception as error:
        raise MachineError(
            "E904", f"{store}: the local service's store cannot be opened: {error}", hint="delete it to begin anew"
        ) from error
    return server


def provide_tables(server: Server, manifest: Loaded) -> None:
    """Give the local service the manifest's `tables:`, in the project of its target."""
    from reconciler.local import ProvidedTable
    from reconciler.testing.jobs import load_fixtures

    if manifest_of(manifest).tables:
        for name, one in load_fixtures(manifest).items():
            server.provide_table(target_of(manifest).project, name, ProvidedTable(one.columns, one.rows, one.version))


def local_store(folder: Path) -> Path:
    """Return the folder of the local service's store, and keep it out of Git."""
    store = folder / STORE
    store.mkdir(exist_ok=True)
    ignore = store / ".gitignore"
    # Made anew or not at all: a link that leads somewhere is not written through.
    with suppress(FileExistsError), ignore.open("x", encoding="utf-8") as file:
        file.write("# Made by udfs: the store of `endpoint: local`.\n*\n")
    return store / "maxcompute"


def _credentials() -> tuple[str, str, str | None] | None:
    """Return the access key of the environment, or None for PyODPS to look for its own."""
    access_id = os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_ID")
    secret = os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    if access_id and secret:
        return access_id, secret, os.environ.get("ALIBABA_CLOUD_SECURITY_TOKEN") or None
    if access_id or secret:
        missing = "ALIBABA_CLOUD_ACCESS_KEY_SECRET" if access_id else "ALIBABA_CLOUD_ACCESS_KEY_ID"
        raise AccessError("E607", f"{missing} is not set, its other half is", hint="set both or neither")
    return None


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
