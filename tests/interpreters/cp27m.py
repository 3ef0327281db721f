"""
Build the CPython 2.7 that MaxCompute has: 2.7.18 with narrow Unicode, whose ABI is cp27m.

No one offers it ready for Linux any more. What pyenv builds is cp27mu, wide, and loads no extension that was compiled for
MaxCompute. This builds one from the source in Debian's package `python2.7`, once, in about two minutes:

    $ python3 tests/interpreters/cp27m.py
    /home/you/.cache/udfs-tests/cp27m-2.7.18-1/bin/python2.7

It needs apt with a Debian mirror, or the source as a file (`--source Python-2.7.18.tgz`), and gcc and make; root rights are
not needed, and the system's apt is only read. The tests use what is there (`find`); in a pipeline, where CI is set, they build it.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VERSION = "2.7.18"
SHA256 = "da3080e3b488f648a3d7a4560ddee895284c3380b11d6de75edb986526b9a814"
"""Of the release's source, which Debian carries unchanged."""

RECIPE = 1
"""Counted up when the build changes, so that an older one is not taken for it."""

SUITE = "bullseye"
"""The last Debian release that has Python 2."""

OPTIONS = ("--enable-unicode=ucs2", "--without-ensurepip")
OPT = "-DNDEBUG -O1 -fwrapv"
"""Half the time of -O3, and fast enough for tests. Without -fwrapv, 2.7 computes wrongly."""


class CannotBuild(Exception):
    """Why there will be none on this machine."""


def place(env: Mapping[str, str]) -> Path:
    """Return the folder that the interpreter lives in, or would."""
    caches = Path(env.get("XDG_CACHE_HOME") or Path(env.get("HOME", "/nonexistent"), ".cache"))
    return caches / "udfs-tests" / f"cp27m-{VERSION}-{RECIPE}"


def find(env: Mapping[str, str]) -> Path | None:
    """Return the interpreter if it has been built."""
    python = place(env) / "bin" / "python2.7"
    return python if python.exists() else None


def build(env: Mapping[str, str], source: Path | None = None) -> Path:
    """Return the interpreter, building it if it is not there. A second run waits for the first and takes its result."""
    prefix = place(env)
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with _alone(prefix.with_name(prefix.name + ".lock")):
        if found := find(env):
            return found
        for tool in ("gcc", "make"):
            if shutil.which(tool) is None:
                raise CannotBuild(f"{tool} is not installed")
        # Beside the goal, so that putting it in place is one rename: a build that was cut off leaves nothing that looks whole.
        with tempfile.TemporaryDirectory(prefix=".cp27m-", dir=prefix.parent) as folder:
            work = Path(folder)
            _compile(_unpacked(source or _fetched(work), work), prefix, work / "installed")
            _check(work / "installed" / prefix.relative_to("/") / "bin" / "python2.7")
            (work / "installed" / prefix.relative_to("/")).rename(prefix)
    return prefix / "bin" / "python2.7"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetched(work: Path) -> Path:
    """
    Fetch the source from the Debian mirror that apt is set up with.

    apt runs on a copy of the machine's settings (proxies and credentials stay), with folders of its own and without the
    commands that the machine runs after an update.
    """
    settings = _run(["apt-config", "dump"]).splitlines()
    for name in ("state/lists/partial", "cache/archives/partial", "source"):
        (work / name).mkdir(parents=True)
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    signed = f"[signed-by={keyring}] " if keyring.exists() else ""
    (work / "sources.list").write_text(f"deb-src {signed}{_mirror()} {SUITE} main\n")
    config = work / "apt.conf"
    config.touch(0o600)
    config.write_text(
        "\n".join(
            [
                *(
                    line
                    for line in settings
                    if not line.startswith(("APT::Update::", "DPkg::", "Dir::State", "Dir::Cache"))
                ),
                *('Dir::Etc::main "/dev/null";', 'Dir::Etc::parts "/dev/null";', 'Dir::Etc::sourceparts "/dev/null";'),
                f'Dir::Etc::sourcelist "{work}/sources.list";',
                *(f'Dir::State "{work}/state";', 'Dir::State::status "/dev/null";', f'Dir::Cache "{work}/cache";'),
                'APT::Sandbox::User "root";',  # of no meaning unless root calls; then these folders are root's alone
                "",
            ]
        )
    )
    env = {**os.environ, "APT_CONFIG": str(config)}
    _run(["apt-get", "-q", "update"], env=env)
    _run(["apt-get", "-q", "--download-only", "source", f"python2.7/{SUITE}"], env=env, cwd=work / "source")
    found = list((work / "source").glob("*.orig.tar.*"))
    if len(found) != 1:
        raise CannotBuild(f"Debian's package python2.7 has {len(found)} source archives")
    return found[0]


def _mirror() -> str:
    """Return the address of the Debian archive in the machine's apt sources."""
    told = _run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(SUITE) $(REPO_URI)"])
    for line in told.splitlines():
        origin, component, suite, address = line.split(" ", 3)
        # The archive of security updates is another tree, whose suites end in -security.
        if (origin, component) == ("Debian", "main") and "security" not in f"{suite} {address}":
            return address
    raise CannotBuild(
        "apt is not set up for a Debian mirror, or has never been updated; --source takes the source as a file"
    )


def _unpacked(archive: Path, work: Path) -> Path:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SHA256:
        raise CannotBuild(f"{archive.name} is not the source of CPython {VERSION}: its sha256 is {digest}")
    with tarfile.open(archive) as opened:
        opened.extractall(work / "unpacked")  # the bytes are known
    (root,) = (work / "unpacked").iterdir()
    return root


def _compile(source: Path, prefix: Path, root: Path) -> None:
    jobs = f"-j{os.cpu_count() or 1}"
    _run(["./configure", "--quiet", f"--prefix={prefix}", *OPTIONS, f"OPT={OPT}"], cwd=source)
    _run(["make", "--silent", jobs], cwd=source)
    _run(
        ["make", "--silent", "bininstall", "libinstall", "sharedinstall", "inclinstall", f"DESTDIR={root}"], cwd=source
    )


def _check(python: Path) -> None:
    """Have it say that it is narrow, and load what the worker and scientific packages need."""
    question = "import sys, ctypes, hashlib, json, zlib; hashlib.sha256(); print(sys.maxunicode)"
    if _run([str(python), "-E", "-s", "-S", "-c", question]).strip() != "65535":
        raise CannotBuild("what was built has wide Unicode")


def _run(command: list[str], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    given = {name: value for name, value in (env or os.environ).items() if not name.startswith("PYTHON")}
    try:
        done = subprocess.run(
            command, cwd=cwd, env=given, capture_output=True, text=True, errors="replace", check=False
        )
    except FileNotFoundError:
        raise CannotBuild(f"{command[0]} is not installed; --source takes the source as a file") from None
    if done.returncode != 0:
        told = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise CannotBuild(f"{' '.join(command)} ended with {done.returncode}:\n{told}")
    return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description="Build CPython 2.7.18 with narrow Unicode and print where it is.")
    parser.add_argument("--source", type=Path, metavar="FILE", help=f"Python-{VERSION}.tgz, if apt shall not be asked")
    arguments = parser.parse_args()
    try:
        print(build(os.environ, arguments.source))
    except CannotBuild as reason:
        print(f"CPython 2.7 with narrow Unicode cannot be built here: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
