"""
Pinned wheels from the index that pip is configured for on this machine: straight where that is easy, else by pip.

A pin is a hash, and an index lists the hashes of its files (PEP 503, PEP 691), so where a file lies takes one look and no
resolving, while pip takes seconds to start and fetches one file after another. pip stays the one that counts: whatever is unusual (an
index that lists no hashes, wants a keyring, does not answer) is left to it, and so is explaining what is wrong. It runs in a
process of its own: what people have set for it (``pip config``, ``PIP_*``, proxies, certificates, ``.netrc``) then counts here
too, and nothing of it must be said twice. It checks the sha256 itself.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from reconciler.base import environments
from reconciler.base.activity import activity
from reconciler.base.errors import PackageError, count
from reconciler.base.processes import CutOff, Output, Tools
from reconciler.packages.fetch.indexes import IndexSilent, Remote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import Self

    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.fetch.downloads import Downloads
    from reconciler.packages.fetch.indexes import Pin

_OURS = re.compile(
    r"PIP_(ABI|BUILD_CONSTRAINT|CONSTRAINT|DEST|IMPLEMENTATION|LOG|PLATFORM|PYTHON|PYTHON_VERSION|QUIET|REQUIREMENT"
    r"|VERBOSE)\Z"
)
"""Settings that pip would mix with the ones given here: which wheel is wanted is not the environment's to say."""

_SILENT = re.compile(
    r"connection (broken|error)|Failed to establish|Max retries exceeded|timed out|ProxyError|SSLError|ssl certificate"
    r"|: 5\d\d Server Error",
    re.IGNORECASE,
)
_MISMATCH = re.compile(r"Expected sha256 (?P<wanted>[0-9a-f]{64})\s+Got\s+(?P<found>[0-9a-f]{64})")
_LINK = re.compile(r"/(?P<file>[^/\s#]+\.whl)(#sha256=(?P<declared>[0-9a-f]{64}))?\S* \(from ")
_OFFERED = re.compile(r"\(from versions: (?P<versions>[^()]+)\)")
_NEWEST = re.compile(r"^\S+ \((?P<version>[0-9][^()\s]*)\)\s*$", re.MULTILINE)
_TELLING = re.compile(
    r"(?!ERROR: No matching distribution)(ERROR|WARNING|\w+(Error|Exception)): |Could not fetch URL|.*No module named"
)


@dataclass
class PipIndex:
    """The index that pip uses."""

    environment: Mapping[str, str] = field(repr=False)
    """Of the command; it may hold passwords. pip gets what is for it (`environments.for_fetcher`) but for a few settings (`_OURS`)."""

    python: str = sys.executable
    """An interpreter that has pip."""

    timeout: float = 900
    """Seconds for one run of pip. pip's own timeouts end a silent connection much earlier; this ends a dripping one."""

    shortcut: DirectIndex | None = None
    """A way to most wheels that is faster than pip. Who made it closes it."""

    on_wait: Callable[[str], None] = lambda called: None
    """Is told what a run of pip still waits for, once, when that takes longer than `quiet` seconds."""

    quiet: float = 30
    patience: float = 10
    """Seconds for what is only nice to know."""

    _tools: Tools = field(default_factory=Tools, init=False, repr=False)

    def direct(self, pin: Pin, folder: Path) -> Path | None:
        return self.shortcut.fetch(pin, folder) if self.shortcut is not None else None

    def fetch(self, pin: Pin, runtime: Runtime, folder: Path) -> Path:
        return self.fetch_all([pin], runtime, folder)[0]

    def fetch_all(self, pins: Sequence[Pin], runtime: Runtime, folder: Path) -> list[Path]:
        wheels, requirements = folder / "wheels", folder / "requirements.txt"
        lines = (f"{pin} --hash=sha256:{pin.sha256}\n" for pin in pins)
        requirements.write_text("".join(lines), encoding="utf-8")
        called = str(pins[0]) if len(pins) == 1 else f"{pins[0]} and {count(len(pins) - 1, 'other wheel')}"
        # Very verbose, because pip otherwise keeps to itself that an index does not answer. Of many wheels it would tell so
        # much that it takes twice as long; should they not come, one of them is asked for alone, and explained.
        command = [
            *(self.python, "-m", "pip", "download", "-vv" if len(pins) == 1 else "-q", *_QUIETLY),
            *("--progress-bar", "off", "--no-deps"),
            *("--require-hashes", *_target(runtime), "--requirement", str(requirements), "--dest", str(wheels)),
        ]
        code, said = self._run(command, folder, called, self.timeout)
        if code != 0:
            raise pip_failure(pins[0], runtime, said)
        files = sorted(wheels.glob("*.whl"))
        if len(files) != len(pins):
            raise PackageError("E403", f"pip left {count(len(files), 'wheel')} for {called}")
        return files

    def newest(self, name: str, runtime: Runtime, folder: Path) -> str | None:
        command = [self.python, "-m", "pip", "index", "versions", *_QUIETLY, *_target(runtime), "--retries", "0", name]
        try:
            code, said = self._run(command, folder, name, self.patience)
        except PackageError:
            return None
        match = _NEWEST.search(said)
        return match["version"] if code == 0 and match else None

    def stop(self) -> None:
        self._tools.stop()
        if self.shortcut is not None:
            self.shortcut.stop()

    def _run(self, command: list[str], folder: Path, called: str, timeout: float) -> tuple[int, str]:
        # In a folder of our own: `python -m` imports from the working directory first, and a checkout must not be able
        # to bring its own pip. Relative paths in pip's settings are therefore not found.
        # "download" installs nothing, so a rule that pip only runs in virtual environments has no point here.
        kept = {
            name: value for name, value in environments.for_fetcher(self.environment).items() if not _OURS.match(name)
        }
        environment = {**kept, "PIP_REQUIRE_VIRTUALENV": "0", "PYTHONIOENCODING": "utf-8"}
        with activity("waiting for pip") as waiting, waiting.at(called), Output(folder) as output:
            try:
                code = self._tools.run(
                    command,
                    cwd=folder,
                    environment=environment,
                    timeout=timeout,
                    out=output,
                    on_wait=partial(self.on_wait, called),
                    quiet=self.quiet,
                )
            except CutOff as error:
                if error.stopped:
                    raise PackageError("E403", f"fetching {called} was stopped") from None
                hint = "try again; 'pip config list' shows which index pip uses"
                message = f"{called} did not arrive within {timeout:g} seconds"
                raise PackageError("E403", message, hint=hint) from None
            return code, output.text()


_QUIETLY = ("--no-input", "--no-color", "--disable-pip-version-check")


def _target(runtime: Runtime) -> list[str]:
    """Return the options that tell pip for which Python, and that wheels alone will do."""
    # A source archive would be built, that is, run.
    platforms = [part for platform in runtime.platforms for part in ("--platform", platform)]
    python = ("--implementation", "cp", "--python-version", runtime.full_version, "--abi", runtime.abi)
    return ["--only-binary", ":all:", *python, *platforms]


def pip_failure(pin: Pin, runtime: Runtime, said: str) -> PackageError:
    """Turn pip's words into ours."""
    if mismatch := _MISMATCH.search(said):
        return _mismatch(pin, runtime, mismatch["found"], said)
    words = f"; pip says: {' | '.join(lines)}" if (lines := readable_lines(said)) else ""
    if "No module named pip" in said:
        return PackageError(
            "E403",
            f"{pin} cannot be fetched: the Python that runs udfs has no pip",
            hint="install pip into the environment of udfs: python -m ensurepip",
        )
    if _SILENT.search(said):
        return IndexSilent(
            "E403",
            f"{pin} cannot be fetched: the package index does not answer{words}",
            hint="check network and proxy; 'pip config list' shows which index pip uses",
        )
    return PackageError(
        "E403",
        f"{pin} cannot be fetched for {runtime.label}{words}",
        hint=f"{_instead(pin, said)} a wheel for {runtime.name} ({runtime.abi}, {runtime.machine}, glibc up to "
        f"{runtime.glibc[0]}.{runtime.glibc[1]}); 'pip config list' shows which index pip uses",
    )


def _instead(pin: Pin, said: str) -> str:
    """Begin the hint about a version that has no fitting wheel: with the newest one that has, if pip has listed them."""
    from packaging.version import InvalidVersion, Version

    offered = _OFFERED.search(said)
    try:
        versions = [Version(number) for number in (offered["versions"] if offered else "").split(",")]
    except InvalidVersion:  # "none"
        versions = []
    released = [version for version in versions if not version.is_prerelease]
    if not released:
        return "check that the version exists and has"
    return f"{max(released)} is the newest version of {pin.name} that has"


def _mismatch(pin: Pin, runtime: Runtime, sha256: str, said: str) -> PackageError:
    link = _LINK.search(said, said.find("DO NOT MATCH THE HASHES"))
    declared = link and link["declared"]
    if declared and declared != sha256:
        return PackageError(
            "E403",
            f"{pin} arrived damaged: the index announces sha256 {declared} and sent {sha256}",
            hint="nothing was kept; try again",
        )
    file = f"'{link['file']}'" if link else "the wheel"
    return PackageError(
        "E402",
        f"no wheel of {pin} that the index has for {runtime.label} has sha256 {pin.sha256}; {file} has {sha256}",
        hint="the pin is of another file (another Python or platform, perhaps), or the index has other bytes than it had; "
        "correct the sha256 only if you trust the index",
    )


def readable_lines(said: str) -> list[str]:
    """Return the last lines of pip's output that tell what is wrong, without credentials and control characters."""
    # They may hold the password of an index.
    lines = [line.strip() for line in said.splitlines() if _TELLING.match(line.strip())]
    return [mask(line) for line in dict.fromkeys(lines)][-2:]


def mask(line: str) -> str:
    """Return a line of another program as it may be shown: no credentials, no control characters, not too long."""
    line = mask_secrets(line).strip()
    return line if len(line) <= 300 else f"{line[:120]} … {line[-170:]}"  # the newest versions, the cause: at the end


def mask_secrets(line: str) -> str:
    """Return such a line whole, as a log may keep it."""
    # Greedy up to the last @ before the path: passwords may hold an @. Queries may be signatures.
    line = re.sub(r"://[^/\s]*@", "://***@", line)
    line = re.sub(r"(://[^\s?#]*)\?[^\s#]*", r"\1?***", line)
    return "".join(char if char.isprintable() else " " for char in line)


_SOON = 5.0
"""Seconds without a byte after which pip, which knows this machine's settings and has more patience, is asked instead."""


@dataclass
class DirectIndex:
    """
    Finds wheels by their hashes. Use it in a ``with``, which closes the connections; from any thread.

    What it takes is imported when the first wheel is missing: most runs find all of theirs in the cache.
    """

    environment: Mapping[str, str] = field(repr=False)
    """Of the command, as pip is to see it."""

    downloads: Downloads | None = field(default=None, init=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _silent: bool = field(default=False, init=False)
    """An index did not answer, or nobody wants an answer any more: the next wheel need not find that out again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.downloads is not None:
            self.downloads.close()

    def fetch(self, pin: Pin, folder: Path) -> Path | None:
        """Put the wheel into `folder` and return its path; None if pip has to see to it. Who calls compares the hash."""
        if self._silent:
            return None
        try:
            downloads = self._open()
            remote = _find(pin, downloads)
            return downloads.fetch(remote, folder) if remote is not None else None
        except IndexSilent:
            self._silent = True
        except PackageError:
            pass
        return None

    def stop(self) -> None:
        """End what is being fetched."""
        self._silent = True
        if self.downloads is not None:
            self.downloads.stop()

    def _open(self) -> Downloads:
        from reconciler.packages.fetch import indexes
        from reconciler.packages.fetch.downloads import Downloads

        with self._lock:
            if self.downloads is None:
                pip = indexes.pip_settings(self.environment, Path(sys.prefix))
                addresses = () if pip.no_index else indexes.all_of(pip)
                self.downloads = Downloads(pip, addresses, timeout=_SOON)
            return self.downloads


def _find(pin: Pin, downloads: Downloads) -> Remote | None:
    from packaging.utils import canonicalize_name

    from reconciler.packages.fetch.downloads import ACCEPTED, link_with

    for index in downloads.addresses:
        try:
            kind, text, base = downloads.page(f"{index.rstrip('/')}/{canonicalize_name(pin.name)}/", ACCEPTED)
        except IndexSilent:
            raise
        except PackageError:  # it has nothing of this name, or wants to know who asks
            continue
        link = link_with(pin.sha256, kind, text)
        if link is not None:
            url = urljoin(base, link).partition("#")[0]
            return Remote.at(url, pin.sha256) if urlsplit(url).path.endswith(".whl") else None
    return None
