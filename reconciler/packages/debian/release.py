"""
Release of a Debian suite: what a signature vouches for, down to the sha256 of every package.

``InRelease`` is text inside a signature. gpgv checks it and writes out the text that was signed; only that is read, never the file
itself, in which anything may stand before and behind. The text holds the sha256 of each index, and an index that of each .deb.
The keys are those of the machine: Debian's own are in its package debian-archive-keyring.
"""

from __future__ import annotations

import hashlib
import lzma
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from reconciler.base.environments import for_verifier
from reconciler.base.errors import PackageError
from reconciler.base.inputs import REPORT, read_input
from reconciler.base.processes import CutOff, Output, Tools
from reconciler.packages.inspect.xz import MEMORY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_INDEX = 512 << 20
"""Bytes of an unpacked index; that of Debian 12 has 47 MiB."""

_SECONDS = 60.0
_ENTRY = re.compile(r"^ ([0-9a-f]{64}) +([0-9]+) +(\S+)$", re.MULTILINE)
_STATUS = re.compile(r"^\[GNUPG:\] ([A-Z_]+)", re.MULTILINE)
_BAD = frozenset(("BADSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG"))


@dataclass(frozen=True)
class Release:
    """What a release file says, signed or not."""

    suite: str
    """The code name: bookworm."""

    version: str
    date: datetime
    valid_until: datetime | None
    components: frozenset[str]
    sha256: str
    """Of the InRelease file itself."""

    files: Mapping[str, tuple[str, int]]
    """Path below the suite's folder → sha256 and bytes."""

    is_signed: bool


def verify_release(content: bytes, keyring: Path, gpgv: str, *, folder: Path, env: Mapping[str, str]) -> str:
    """
    Return the text that was signed with a key of the keyring; `folder` is one for work, empty.

    Raises E450 unless at least one signature is good and none is bad. A signature by a key that the ring does not have counts
    for nothing: Debian signs with the keys of two releases.
    """
    (folder / "InRelease").write_bytes(content)
    command = (gpgv, "--status-fd", "1", "--keyring", str(keyring), "--output", str(folder / "Release"), "InRelease")
    try:
        with Output(folder) as out, Output(folder) as err:
            Tools().run(command, cwd=folder, environment=for_verifier(env), timeout=_SECONDS, out=out, err=err)
            states = set(_STATUS.findall(out.text()))
            messages = tuple(err.text().splitlines()[-8:])
    except (OSError, CutOff) as error:
        raise PackageError("E450", f"gpgv did not run: {error}", hint="install gpgv, of Debian's GnuPG") from error
    if "VALIDSIG" not in states or states & _BAD or not (folder / "Release").is_file():
        reason = "a signature is bad" if states & _BAD else "none of its signatures is by a key of the ring"
        hint = f"nothing was read of it. The keys are those in {keyring}: a newer debian-archive-keyring may be needed"
        raise PackageError("E450", f"the release of the mirror cannot be trusted: {reason}", hint=hint, detail=messages)
    return read_input(folder / "Release", REPORT).decode("utf-8", "replace")


def unsigned_text(content: bytes) -> str:
    """Return the text of a release that nobody checks: what stands between the lines of its signature."""
    text = content.decode("utf-8", "replace")
    match = re.search(
        r"-----BEGIN PGP SIGNED MESSAGE-----\n.*?\n\n(.*?)\n-----BEGIN PGP SIGNATURE-----", text, re.DOTALL
    )
    return match[1] if match else text


def parse_release(text: str, content: bytes, *, is_signed: bool) -> Release:
    """Read a release; raises E450 where it lacks what every release has."""
    fields = dict(re.findall(r"^([A-Za-z0-9-]+): *(.*)$", text, re.MULTILINE))
    _, _, listing = text.partition("\nSHA256:\n")
    listing = re.split(r"^\S", listing, maxsplit=1, flags=re.MULTILINE)[0]
    files = {path: (sha256, int(size)) for sha256, size, path in _ENTRY.findall(listing)}
    try:
        date = _moment(fields["Date"])
        until = _moment(fields["Valid-Until"]) if "Valid-Until" in fields else None
        suite = fields["Codename"]
    except (KeyError, ValueError) as error:
        raise PackageError(
            "E450", f"the mirror's release is none: {error}", hint="is it the address of a mirror of Debian?"
        ) from error
    if not files:
        raise PackageError("E450", "the mirror's release lists no files by their sha256")
    components = frozenset(fields.get("Components", "").split())
    sha256 = hashlib.sha256(content).hexdigest()
    return Release(suite, fields.get("Version", ""), date, until, components, sha256, files, is_signed)


def require_current(release: Release, suite: str, now: datetime, locked: datetime | None) -> None:
    """Raise E450 for another suite than was asked for, for a release that has expired, or that is older than the one in the lock."""
    if release.suite != suite:
        raise PackageError("E450", f"the mirror answers with '{release.suite}' where the manifest says '{suite}'")
    if release.valid_until is not None and release.valid_until < now:
        hint = "the mirror is behind, or somebody keeps it there; with --allow-unsigned udfs takes a snapshot as it is"
        raise PackageError(
            "E450", f"the release of '{suite}' was valid until {release.valid_until:%Y-%m-%d}", hint=hint
        )
    if locked is not None and release.date < locked:
        message = (
            f"the mirror has '{suite}' of {release.date:%Y-%m-%d}, and the lock was made with that of {locked:%Y-%m-%d}"
        )
        hint = "take a mirror that is up to date; what is older may be old on purpose"
        raise PackageError("E450", message, hint=hint)


def unpack_index(content: bytes, release: Release, path: str) -> bytes:
    """Return the unpacked index of a suite; raises E451 unless it is the one that the release states."""
    sha256, size = release.files[path]
    if len(content) != size or hashlib.sha256(content).hexdigest() != sha256:
        message = f"'{path}' of '{release.suite}' has other bytes than the release states"
        raise PackageError(
            "E451", message, hint="nothing was read of it: the mirror is being updated, or is not to be trusted"
        )
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY)
    try:
        text = unpacker.decompress(content, MAX_INDEX)
    except lzma.LZMAError as error:
        raise PackageError("E451", f"'{path}' of '{release.suite}' is damaged: {error}") from error
    if not unpacker.eof:
        raise PackageError("E451", f"'{path}' of '{release.suite}' unpacks to more than any index")
    return text


def _moment(text: str) -> datetime:
    return parsedate_to_datetime(text.replace(" UTC", " +0000")).astimezone(timezone.utc)
