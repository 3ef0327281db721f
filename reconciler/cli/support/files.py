"""
Files that the user names: read whole, written whole or not at all; and the saved plans and dumps that stand in them.

A name that cannot be right is a usage error; a full or read-only disk is the machine's.
"""

from __future__ import annotations

import errno
import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from reconciler.base import files
from reconciler.base.errors import MachineError, UsageError
from reconciler.base.hints import Command
from reconciler.base.inputs import PLAN, read_named
from reconciler.base.redaction import redact_bytes
from reconciler.cli.support.output import note
from reconciler.manifest.include import digest_input

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.cli.support.options import Options
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.engine.saved_plan import Saved
    from reconciler.manifest.load import Loaded


_WRONG_NAME = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}
"""Why a file cannot be written that nobody could write."""


def read_whole(file: Path) -> bytes:
    """Return the content of a saved plan or a dump."""
    try:
        return read_named(file, PLAN)
    except OSError as error:
        plan, dump = Command("plan", "--out FILE"), Command("dump", "--out FILE")
        hint = (plan, " writes a plan, ", dump, " a dump")
        raise UsageError("E521", f"'{file}' cannot be read: {error.strerror or error}", hint=hint) from None


def write_whole(file: Path, content: bytes) -> None:
    """Write a file of text without any secret, but never over a manifest."""
    if file.suffix in {".yaml", ".yml"}:
        raise UsageError("E521", f"'{file}' is not overwritten: it looks like a manifest", hint="name a .json file")
    try:
        files.replace_file(file, redact_bytes(content), durable=True)
    except OSError as error:
        message = f"'{file}' cannot be written: {error.strerror or error}"
        if error.errno in _WRONG_NAME:
            raise UsageError("E521", message) from None
        raise MachineError("E904", message, hint=files.ROOM if files.has_no_room(error) else None) from None


_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})\Z")


def read_dump(file: Path, manifest: Loaded) -> Reading:
    """Return the reading that a dump holds, and say how old it is."""
    from reconciler.engine import dump
    from reconciler.targets import adapter_of
    from reconciler.workflow import planning

    catalog = adapter_of(manifest).catalog
    document = dump.read(read_whole(file), str(file), catalog)
    reading = dump.reading_of(
        document, manifest.manifest.stack, planning.plan_destination(manifest), str(file), catalog
    )
    note(f"planning against {file}, written on {document.taken:%Y-%m-%d %H:%MZ}")
    return reading


def save_plan(plan: Plan, reading: Reading, out: Path, manifest: str, allow_deletes: int) -> None:
    """Write a plan down, or say why not."""
    from reconciler.engine import saved_plan

    if plan.refusals:
        note(f"{out} is not written: the plan is refused")
        return
    write_whole(out, saved_plan.write(saved_plan.save(plan, reading, manifest, allow_deletes=allow_deletes)))
    note(f"wrote {out}")


def read_plan(file: Path) -> Saved:
    """Read a saved plan."""
    from reconciler.engine import saved_plan
    from reconciler.targets import catalogs

    return saved_plan.read(read_whole(file), str(file), *catalogs())


def aim_at(saved: Saved, options: Options) -> Options:
    """Return the options with the plan's own target; another one was named by mistake."""
    target = saved.plan.destination.target
    if options.target not in {None, target}:
        message = f"the plan is for target '{target}', not '{options.target}'"
        raise UsageError("E564", message, hint="leave --target out")
    return replace(options, target=target)


def manifest_digest(file: Path) -> str:
    """Return the sha256 of the bytes of a manifest and its included files; empty if one cannot be read."""
    try:
        return hashlib.sha256(digest_input(file)).hexdigest()
    except OSError:
        # Loading the manifest reports it better.
        return ""


def parse_digest(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Read ``sha256:…`` as `udfs plan` prints it."""
    if value is None:
        return None
    # Whole: a plan whose digest begins like another one can be made on purpose.
    match = _DIGEST.match(value)
    if match is None:
        raise click.BadParameter("it takes sha256: and 64 hexadecimal digits, as udfs plan prints them")
    return match[1]
