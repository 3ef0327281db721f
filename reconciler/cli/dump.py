"""dump, and the files of saved plans and dumps: read whole, written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.base import files as whole
from reconciler.base.errors import MachineError, UsageError
from reconciler.base.hints import Command
from reconciler.cli.support.options import Options, command, connected, loaded, manifest_options
from reconciler.cli.support.output import note, print_document
from reconciler.workflow import planning

if TYPE_CHECKING:
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.engine.saved_plan import Saved
    from reconciler.manifest.load import Loaded

_WRONG_NAME = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}
"""Why a file cannot be written that somebody else could write neither; a full or read-only disk is the machine's."""

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})\Z")


refresh_option = click.option(
    "--refresh",
    type=click.Choice(["changed", "full"]),
    default="changed",
    show_default=True,
    help="full: ask for the MD5 of every resource, also of those that look as the last apply left them.",
)


@command()
@manifest_options
@refresh_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead of stdout.")
def dump(options: Options, refresh: str, out: Path | None) -> int:
    """Write down what the project holds, for `udfs plan --against FILE` where there are no credentials."""
    from reconciler.engine import dump as dumps
    from reconciler.engine.plan_file import to_json

    manifest = loaded(options)
    with connected(manifest) as target:
        reading = target.read(full=refresh == "full")
        taken = target.store.now()
    made = dumps.write(reading, manifest.manifest.stack, planning.destination(manifest), taken)
    if out is None:
        print_document(made)
    else:
        write_whole(out, to_json(made).encode())
        note(f"wrote {out}")
    return 0


def dumped(file: Path, manifest: Loaded) -> Reading:
    """Return the reading that a dump holds, and tell how old it is."""
    from reconciler.engine import dump as dumps
    from reconciler.targets.maxcompute.objects import CATALOG

    told = dumps.read(read_whole(file), str(file), CATALOG)
    reading = dumps.reading_of(told, manifest.manifest.stack, planning.destination(manifest), str(file), CATALOG)
    note(f"planning against {file}, written on {told.taken:%Y-%m-%d %H:%MZ}")
    return reading


def save(made: Plan, reading: Reading, out: Path, manifest: str, allow_deletes: int) -> None:
    """Write a plan down, or say why not."""
    from reconciler.engine import saved_plan as saved

    if made.refusals:
        note(f"{out} is not written: the plan is refused")
        return
    write_whole(out, saved.write(saved.save(made, reading, manifest, allow_deletes=allow_deletes)))
    note(f"wrote {out}")


def saved_plan(file: Path) -> Saved:
    """Read a saved plan."""
    from reconciler.engine import saved_plan as saved
    from reconciler.targets.maxcompute.objects import CATALOG

    return saved.read(read_whole(file), str(file), CATALOG)


def aimed(options: Options, found: Saved) -> Options:
    """Return the options with the plan's own target, and aim at it; another one was named by mistake."""
    target = found.plan.destination.target
    if options.target not in {None, target}:
        raise UsageError(
            "E520", f"the plan is for target '{target}', not '{options.target}'", hint="leave --target out"
        )
    return replace(options, target=target)


def next_command(made: Plan, out: Path, options: Options, allow_deletes: int) -> str:
    """Return how a plan that was just written is performed."""
    deletes = f" --allow-deletes {made.deletes}" if made.deletes > allow_deletes else ""
    return f"udfs apply {shlex.quote(str(out))}{replace(options, target=None).arguments()}{deletes}"


def manifest_digest(file: Path) -> str:
    """Return the sha256 of the manifest's bytes; empty if it cannot be read, which loading it then tells better."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def digest_of(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Read ``sha256:…`` as `udfs plan` prints it, whole: a beginning of it could be met on purpose."""
    if value is None:
        return None
    found = _DIGEST.match(value)
    if found is None:
        raise click.BadParameter("it takes sha256: and 64 hexadecimal digits, as udfs plan prints them")
    return found[1]


def read_whole(file: Path) -> bytes:
    """Return what a file holds."""
    try:
        return file.read_bytes()
    except OSError as error:
        hint = (Command("plan", "--out FILE"), " writes a plan, ", Command("dump", "--out FILE"), " a dump")
        raise UsageError("E521", f"'{file}' cannot be read: {error.strerror or error}", hint=hint) from None


def write_whole(file: Path, content: bytes) -> None:
    """Write a file that the user named; E521 for a name that cannot be right, `MachineError` if the disk says no."""
    if file.suffix in {".yaml", ".yml"}:
        raise UsageError("E521", f"'{file}' is not overwritten: it looks like a manifest", hint="name a .json file")
    try:
        whole.put(file, content, durable=True)
    except OSError as error:
        told = f"'{file}' cannot be written: {error.strerror or error}"
        if error.errno in _WRONG_NAME:
            raise UsageError("E521", told) from None
        raise MachineError("E904", told) from None
