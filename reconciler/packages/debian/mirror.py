"""
Mirror of Debian: where suites and packages come from, whatever its address; all that comes from it is held to the signature.

The address is the machine's (`find_mirror`), as an index of wheels is. A package is named by its file below ``pool/`` and its sha256, so
every mirror gives the same bytes, and so does the cache, when the mirror has dropped the version after a point release.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError
from reconciler.base.hints import Command
from reconciler.base.inputs import RECORD, REQUIREMENTS, SHIPPED, read_input
from reconciler.packages.debian.index import PackageIndex, reduce_index
from reconciler.packages.debian.release import (
    Release,
    parse_release,
    require_current,
    unpack_index,
    unsigned_text,
    verify_release,
)
from reconciler.packages.fetch.indexes import Remote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from reconciler.packages.content import Content
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.fetch.downloads import Downloads

MIRROR = "UDFS_DEBIAN_MIRROR"
"""The variable with the address below which ``dists/`` and ``pool/`` lie."""

SECURITY_MIRROR = "UDFS_DEBIAN_SECURITY_MIRROR"
"""The same for the suites of security updates, which lie apart."""

KEYRING = "UDFS_DEBIAN_KEYRING"
_KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg", "/etc/apt/keyrings/debian-archive-keyring.gpg")
_SOURCES = Path("/etc/apt")
_LINE = re.compile(r"^deb\s+(?:\[[^\]]*\]\s+)?(?P<address>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$", re.MULTILINE)
_KIND = "debian-indexes"
_INDEX = "main/binary-amd64/Packages.xz"
"""Of the one component and machine that layers are made for."""


@dataclass(frozen=True)
class Mirror:
    """A mirror of Debian, and how what it gives is judged."""

    address: str = field(repr=False)
    downloads: Downloads
    cache: Cache
    env: Mapping[str, str] = field(repr=False)
    allow_unsigned: bool = False

    def read_suite(self, suite: str, *, now: datetime, locked: datetime | None = None) -> tuple[Release, PackageIndex]:
        """
        Return a suite's release and its packages.

        `locked` is the date of the release in the lock: an older one is refused. Raises E450 for a release that cannot be
        trusted, E451 for an index that is not the release's, E454 for a suite that the mirror does not have.
        """
        with self.cache.workspace() as folder:
            content = self._fetch(f"dists/{suite}/InRelease", folder, f"suite '{suite}'")
            release = self._trust(content, folder)
            if not (self.allow_unsigned and locked is None):
                require_current(release, suite, now, locked)
            if _INDEX not in release.files:
                components = ", ".join(sorted(release.components)) or "none"
                raise PackageError("E454", f"'{suite}' has no main for amd64", hint=f"its components are {components}")
            return release, PackageIndex(self._index(release, suite, _INDEX, folder))

    def fetch(self, path: str, sha256: str, name: str) -> Content:
        """Return a .deb, from the cache or the mirror; raises E454 if neither has it, E451 if the mirror has other bytes."""
        if (content := self.cache.get(sha256)) is not None:
            return content
        with self.cache.workspace() as folder:
            file = self._download(path, folder, f"package '{name}'")
            try:
                return self.cache.put(file, sha256)
            except PackageError as error:
                if error.problems[0].code != "E402":
                    raise
                message = f"the mirror's file of '{name}' has other bytes than the suite's index states"
                raise PackageError(
                    "E451", message, hint="nothing of it was used; the mirror is not to be trusted"
                ) from error

    def _trust(self, content: bytes, folder: Path) -> Release:
        gpgv = shutil.which("gpgv", path=self.env.get("PATH"))
        keyring = find_keyring(self.env)
        if gpgv is None or keyring is None:
            if self.allow_unsigned:
                return parse_release(unsigned_text(content), content, is_signed=False)
            missing = "gpgv" if gpgv is None else "Debian's keys (its package debian-archive-keyring)"
            hint = (
                f"install it, or name a ring of keys in {KEYRING}; --allow-unsigned does without, and trusts the mirror"
            )
            raise PackageError(
                "E450", f"the mirror's signature cannot be checked: there is no {missing} here", hint=hint
            )
        work = folder / "release"
        work.mkdir()
        return parse_release(verify_release(content, keyring, gpgv, folder=work, env=self.env), content, is_signed=True)

    def _index(self, release: Release, suite: str, path: str, folder: Path) -> str:
        """Return the fields that are read of an index: kept by the sha256 of the file that the release states."""
        sha256, _ = release.files[path]
        record = self.cache.root / _KIND / f"{sha256}.txt"
        try:
            return read_input(record, RECORD).decode()
        except (OSError, UnicodeDecodeError):
            pass
        below = f"dists/{suite}/{path.rpartition('/')[0]}/by-hash/SHA256/{sha256}"
        try:
            packed = self._fetch(below, folder, f"index of '{suite}'")
        except PackageError:
            packed = self._fetch(f"dists/{suite}/{path}", folder, f"index of '{suite}'")
        try:
            text = reduce_index(unpack_index(packed, release, path))
        except ValueError as error:
            raise PackageError("E451", f"the index of '{suite}' cannot be read: {error}") from error
        self.cache.folder(_KIND)
        draft = folder / "index.txt"
        draft.write_text(text, encoding="utf-8")
        draft.replace(record)
        return text

    def _fetch(self, path: str, folder: Path, called: str) -> bytes:
        """Return what lies below the mirror's address."""
        return read_input(self._download(path, folder, called), SHIPPED)

    def _download(self, path: str, folder: Path, called: str) -> Path:
        """Put what lies below the mirror's address into a folder."""
        # Versions have signs that no file of an index of wheels has: ~, and a colon's %3a.
        file = re.sub(r"[^A-Za-z0-9_.+-]", "-", path.rpartition("/")[2])
        remote = Remote(file, f"{self.address.rstrip('/')}/{path}", None)
        try:
            return self.downloads.fetch(remote, folder)
        except PackageError as error:
            said = error.problems[0].message
            if "answers 404" not in said and "cannot be fetched: No such file" not in said:
                raise
            hint = (
                *(
                    "a point release drops what it replaces: run `",
                    Command("lock"),
                    "` to lock what there is now, or set ",
                ),
                f"{MIRROR} to an archive of snapshots",
            )
            raise PackageError("E454", f"the mirror does not have the {called}", hint=hint, detail=(path,)) from error


def find_mirror(env: Mapping[str, str], sources: Path = _SOURCES, *, security: bool = False) -> str:
    """
    Return the address of the machine's mirror: of the variable, or the one that apt uses here.

    Raises E454 where there is none; none is built in.
    """
    variable, ending = (SECURITY_MIRROR, "/debian-security") if security else (MIRROR, "/debian")
    if address := env.get(variable):
        return address
    # Who names a mirror means its day: updates of another day come only from a mirror that is named as well.
    files = (sources / "sources.list", *sorted((sources / "sources.list.d").glob("*")))
    for path in () if security and env.get(MIRROR) else files:
        try:
            text = read_input(path, REQUIREMENTS).decode("utf-8", "replace")
        except OSError:
            continue
        if (address := next(_addresses(text, ending), None)) is not None:
            return address
    what = "Debian's security updates" if security else "Debian"
    hint = f"set {variable} to the address below which a mirror of {what} has dists/ and pool/"
    raise PackageError("E454", f"no mirror of {what} is known on this machine", hint=hint)


def _addresses(text: str, ending: str) -> Iterator[str]:
    """Yield the addresses of Debian's own suites in a file of apt's, of either form (sources.list(5))."""
    for match in _LINE.finditer(text):
        if _is_debian(match["address"], match["components"].split(), ending):
            yield match["address"]
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", paragraph, re.MULTILINE))
        if "deb" in fields.get("Types", "").split() and fields.get("Enabled", "yes") != "no":
            for address in fields.get("URIs", "").split():
                if _is_debian(address, fields.get("Components", "").split(), ending):
                    yield address


def _is_debian(address: str, components: Iterable[str], ending: str) -> bool:
    return (
        "main" in components
        and re.match(r"(https?|file):", address) is not None
        and address.rstrip("/").endswith(ending)
    )


def find_keyring(env: Mapping[str, str]) -> Path | None:
    """Return the ring of Debian's keys on this machine."""
    named = env.get(KEYRING)
    return next((path for path in map(Path, (named,) if named else _KEYRINGS) if path.is_file()), None)
