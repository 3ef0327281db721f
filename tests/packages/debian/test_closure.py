"""Closures of Debian packages are those of apt, which is asked with a system of its own and installs nothing."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import PackageError
from reconciler.packages.debian.closure import find_base, find_closure
from reconciler.packages.debian.index import PackageIndex
from reconciler.packages.debian.mirror import find_keyring
from reconciler.packages.debian.relations import compare_versions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reconciler.packages.debian.mirror import Mirror

needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt")
needs_dpkg = pytest.mark.skipif(shutil.which("dpkg") is None, reason="needs dpkg")

NAMED = (
    ("libgdal32",),
    ("libmagic1", "tesseract-ocr"),
    ("libzbar0", "libmagic1", "file"),
    ("ghostscript",),
    ("wkhtmltopdf",),
)
WHOLE = os.environ.get("UDFS_PROOF") == "whole"
SAMPLE, SEED = 40 if WHOLE else 6, 16


class Apt:
    """apt-get over one suite, with a state folder in which the base is what is installed."""

    def __init__(self, folder: Path, address: str, suite: str, index: PackageIndex, base: frozenset[str]) -> None:
        for name in ("state/lists/partial", "cache/archives/partial", "etc", "dpkg"):
            (folder / name).mkdir(parents=True)
        keyring = find_keyring({})
        source = f"deb [signed-by={keyring} arch=amd64] {address} {suite} main\n"
        (folder / "etc/sources.list").write_text(source)
        (folder / "dpkg/status").write_text("")
        self._options = [
            *("-o", f"Dir::State={folder}/state", "-o", f"Dir::State::status={folder}/dpkg/status"),
            *("-o", f"Dir::Cache={folder}/cache", "-o", f"Dir::Etc={folder}/etc"),
            *("-o", "Dir::Cache::pkgcache=all.bin", "-o", "Dir::Cache::srcpkgcache=sources.bin"),
            *("-o", "APT::Architecture=amd64", "-o", "APT::Architectures=amd64", "-o", "Debug::NoLocking=1"),
            *("-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none", "-o", "Acquire::GzipIndexes=false"),
        ]
        self.run("update")
        (listing,) = (folder / "state/lists").glob("*_Packages")
        stanzas = listing.read_text().split("\n\n")
        installed = (text for text in stanzas if text[len("Package: ") : text.find("\n")] in base)
        # As they stand in the index: apt takes a stanza that lacks a field for another build of the version, and upgrades it.
        status = "".join(text.replace("\n", "\nStatus: install ok installed\n", 1) + "\n\n" for text in installed)
        (folder / "dpkg/status").write_text(status)

    def run(self, *arguments: str) -> str:
        command = ["apt-get", *self._options, *arguments]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
        if done.returncode:
            raise LookupError((done.stdout + done.stderr)[-500:])
        return done.stdout

    def closure(self, names: Sequence[str], *, recommends: bool = False) -> set[str]:
        switch = "--install-recommends" if recommends else "--no-install-recommends"
        listing = self.run("-qq", "-y", switch, "--print-uris", "install", *names)
        return {line.split()[1].partition("_")[0] for line in listing.splitlines() if line.startswith("'")}


@needs_apt
def test_the_closure_is_that_of_apt(mirror: Mirror, bookworm: PackageIndex, tmp_path: Path) -> None:
    """For five sets that people want, and packages that a seed chose: forty of them every night."""
    base = find_base(bookworm)
    apt = Apt(tmp_path, mirror.address, "bookworm", bookworm, base)
    drawn = random.Random(SEED).sample([*bookworm.names], SAMPLE)
    different: list[str] = []
    for names in (*NAMED, *((name,) for name in drawn)):
        try:
            expected = apt.closure(names)
        except LookupError:
            with pytest.raises(PackageError):
                find_closure(bookworm, names, base)
            continue
        ours = {chosen.stanza.name for chosen in find_closure(bookworm, names, base)}
        if ours != expected:
            different.append(f"{names}: apt alone {sorted(expected - ours)}, ours alone {sorted(ours - expected)}")
    assert not different, "\n".join(different)


INDEX = """\
Package: a
Version: 1.0-1
Depends: b (>= 2) | c, v

Package: b
Version: 1.0

Package: c
Version: 1.0
Conflicts: w

Package: p
Version: 3
Provides: v (= 2.0), w

Package: q
Version: 3
Provides: v

Package: s
Version: 1
Depends: v (>= 1)

Package: t
Version: 1
Depends: nowhere

Package: u
Version: 1
Depends: t | q, p | b
Recommends: t, c

Package: x
Version: 1
Conflicts: y

Package: y
Version: 1
"""


def closure(*names: str, base: tuple[str, ...] = (), recommends: bool = False) -> list[str]:
    return [chosen.stanza.name for chosen in find_closure(PackageIndex(INDEX), names, base, recommends=recommends)]


def test_an_alternative_of_the_wrong_version_is_passed_over_and_so_is_what_would_exclude_a_choice() -> None:
    """b is too old, and c excludes p, which provides what is in its way: q stands for v."""
    assert closure("a") == ["a", "c", "q"]


def test_a_provided_name_has_the_version_that_is_stated_or_none() -> None:
    assert closure("s") == ["s", "p"]


def test_what_cannot_be_had_is_taken_back_with_all_that_came_with_it() -> None:
    assert closure("u") == ["u", "q", "p"]


def test_what_is_recommended_comes_only_if_it_is_asked_for_and_can_be_had() -> None:
    assert closure("u", recommends=True) == ["u", "q", "p"]
    assert closure("u", base=("q", "b"), recommends=True) == ["u", "c"]


def test_the_base_meets_needs_and_is_not_part_of_the_closure() -> None:
    assert closure("a", base=("c", "q")) == ["a"]


@pytest.mark.parametrize(
    ("names", "code", "words"),
    [
        (("t",), "E453", "t needs nowhere, which this suite does not have"),
        (("x", "y"), "E453", "'y' cannot be had: y 1 and x exclude each other"),
        (("bb",), "E452", "the suite has no package 'bb'"),
        (("a (>= 2)",), "E452", "the suite has a 1.0-1, and the manifest asks for 'a (>= 2)'"),
        (("A B",), "E452", "'A B' names no Debian package"),
        (("a, b",), "E452", "'a, b' names no Debian package"),
    ],
)
def test_what_cannot_be_had_says_why(names: tuple[str, ...], code: str, words: str) -> None:
    with pytest.raises(PackageError) as raised:
        closure(*names)
    (problem,) = raised.value.problems
    assert (problem.code, words in problem.message) == (code, True), problem.message
    assert problem.hint


@needs_dpkg
def test_versions_sort_as_dpkg_sorts_them() -> None:
    draw = random.Random(12)
    versions = ["1.0", "1.0-1", "1.0~rc1", "1:0", "0:1.0", "1.0+b1", "1.0-1~deb12u1", "1.0.", "1.0a", "1.0~~", "1.0-0"]
    versions += ["1" + "".join(draw.choices("0123456789ab~.+", k=draw.randrange(7))) for _ in range(30)]
    pairs = [(one, other) for one in versions[:11] for other in versions[:11]]
    pairs += [(draw.choice(versions), draw.choice(versions)) for _ in range(250)]
    signs = {"lt": -1, "eq": 0, "gt": 1}
    script = "while read -r a op b; do dpkg --compare-versions $a $op $b || echo $a $op $b; done"
    lines = "".join(
        f"{one} {next(word for word, sign in signs.items() if sign == compare_versions(one, other))} {other}\n"
        for one, other in pairs
    )
    done = subprocess.run(["sh", "-c", script], input=lines, capture_output=True, text=True, check=True)
    assert done.stdout == ""
