"""Packages are unpacked without running anything of them, and what is hostile in one is refused with all of it."""

from __future__ import annotations

import gzip
import io
import lzma
import random
import tarfile
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import PackageError
from reconciler.packages.debian import archive
from reconciler.packages.debian.archive import unpack_deb

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Entry = tuple[str, bytes | None, dict[str, object]]


def entry(name: str, content: bytes | None = None, **facts: object) -> Entry:
    return name, content, facts


def make_tar(entries: Sequence[Entry]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content, facts in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content or b"")
            info.mode = 0o644
            for key, value in facts.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content) if content is not None else None)
    return out.getvalue()


def make_deb(
    path: Path,
    data: Sequence[Entry],
    *,
    control: Sequence[Entry] = (),
    parts: Sequence[tuple[str, bytes]] | None = None,
) -> Path:
    if parts is None:
        parts = (
            ("debian-binary", b"2.0\n"),
            ("control.tar.gz", gzip.compress(make_tar(control))),
            ("data.tar.xz", lzma.compress(make_tar(data))),
        )
    content = b"!<arch>\n"
    for name, part in parts:
        content += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(part):<10}`\n".encode() + part + b"\n" * (len(part) % 2)
        )
    path.write_bytes(content)
    return path


def unpack(path: Path) -> archive.Deb:
    folder = path.parent / "unpacked"
    folder.mkdir()
    return unpack_deb(path, "p", folder)


LINK = {"type": tarfile.SYMTYPE}
HARD = {"type": tarfile.LNKTYPE}


def test_files_links_modes_and_what_scripts_would_have_done(tmp_path: Path) -> None:
    data = [
        entry("./usr/lib/", type=tarfile.DIRTYPE),
        entry("./usr/lib/libp.so.1.2", b"\x7fELF"),
        entry("./usr/lib/libp.so.1", linkname="libp.so.1.2", **LINK),
        entry("./usr/bin/p", b"#!/bin/sh\n", mode=0o4755),
        entry("./usr/bin/q", linkname="./usr/bin/p", **HARD),
        entry("./etc/alternatives/p", linkname="../../usr/bin/p", **LINK),
    ]
    script = b"#!/bin/sh\n# ldconfig is not needed\nupdate-alternatives --install /a b c 10\nadduser --system p\n"
    deb = unpack(
        make_deb(tmp_path / "p.deb", data, control=[entry("./postinst", script), entry("./control", b"ldconfig")])
    )
    assert [(file.path, file.is_executable, file.source.read_bytes()) for file in deb.files] == [
        ("usr/lib/libp.so.1.2", False, b"\x7fELF"),
        ("usr/bin/p", True, b"#!/bin/sh\n"),
        ("usr/bin/q", True, b"#!/bin/sh\n"),
    ]
    assert deb.links == (("etc/alternatives/p", "usr/bin/p"), ("usr/lib/libp.so.1", "usr/lib/libp.so.1.2"))
    assert deb.undone == ("update-alternatives", "a user of the system")
    assert not any(path.stat().st_mode & 0o7000 for path in (tmp_path / "unpacked").iterdir())


HOSTILE = {
    "an absolute path": [entry("/etc/passwd", b"x")],
    "a way up": [entry("./usr/../../etc/passwd", b"x")],
    "a link that leads out": [entry("./usr/x", linkname="../../etc", **LINK)],
    "a file behind a link": [entry("./usr/x", linkname="lib", **LINK), entry("./usr/x/y", b"x")],
    "a file in a link's place": [entry("./x", linkname="y", **LINK), entry("./x", b"x")],
    "a file twice": [entry("./x", b"1"), entry("./x", b"2")],
    "a file below a file": [entry("./x", b"1"), entry("./x/y", b"2")],
    "a file in a folder's place": [entry("./x", type=tarfile.DIRTYPE), entry("./x", b"2")],
    "another name of what is not there": [entry("./x", linkname="/etc/shadow", **HARD)],
    "another name of a later file": [entry("./x", linkname="./y", **HARD), entry("./y", b"1")],
    "a device": [entry("./dev/sda", type=tarfile.BLKTYPE, devmajor=8)],
    "a terminal": [entry("./dev/tty", type=tarfile.CHRTYPE, devmajor=5)],
    "a pipe": [entry("./x", type=tarfile.FIFOTYPE)],
    "a line end in a name": [entry("./x\n::error::y", b"x")],
    "a bidirectional name": [entry("./x\u202ey", b"x")],
    "a path of another system": [entry("./C:\\x", b"x")],
    "a name without end": [entry("./" + "x/" * 600 + "y", b"x")],
    "a link to nowhere but up": [entry("./x", linkname="..", **LINK), entry("./z", linkname="/..", **LINK)],
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_is_hostile_is_refused_with_all_of_the_package(tmp_path: Path, data: list[Entry]) -> None:
    with pytest.raises(PackageError) as raised:
        unpack(make_deb(tmp_path / "p.deb", [entry("./ok", b"x"), *data]))
    (problem,) = raised.value.problems
    assert (problem.code, "'p'" in problem.message) == ("E455", True)
    assert problem.detail
    assert {*tmp_path.glob("*")} == {tmp_path / "p.deb", tmp_path / "unpacked"}


TAR = make_tar([entry("./x", b"x")])
DAMAGED = {
    "no archive": b"PK\3\4",
    "nothing": b"",
    "no debian-binary": [("control.tar.gz", gzip.compress(TAR)), ("data.tar.xz", lzma.compress(TAR))],
    "another format": [("debian-binary", b"3.0\n"), ("control.tar", TAR), ("data.tar", TAR)],
    "no data": [("debian-binary", b"2.0\n"), ("control.tar", TAR)],
    "data twice": [
        ("debian-binary", b"2.0\n"),
        ("control.tar", TAR),
        ("data.tar", TAR),
        ("data.tar.xz", lzma.compress(TAR)),
    ],
    "Ubuntu's compression": [("debian-binary", b"2.0\n"), ("control.tar", TAR), ("data.tar.zst", b"\x28\xb5\x2f\xfd")],
    "no compression that it says": [("debian-binary", b"2.0\n"), ("control.tar", TAR), ("data.tar.xz", TAR)],
    "too many members": [("debian-binary", b"2.0\n"), *[(f"m{number}", b"x") for number in range(40)]],
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_what_is_no_package_is_refused(tmp_path: Path, content: bytes | list[tuple[str, bytes]]) -> None:
    path = tmp_path / "p.deb"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        make_deb(path, (), parts=content)
    with pytest.raises(PackageError, match="damaged") as raised:
        unpack(path)
    assert raised.value.problems[0].code == "E455"


def test_more_than_any_library_needs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED", 10_000)
    with pytest.raises(PackageError, match="unpacks to more"):
        unpack(make_deb(tmp_path / "p.deb", [entry(f"./{number}", b"\0" * 900) for number in range(12)]))


def test_whatever_bytes_change_it_is_the_same_package_or_refused(tmp_path: Path) -> None:
    """Never another error, and never a file outside."""
    good = make_deb(
        tmp_path / "p.deb", [entry("./usr/x", b"x" * 2000), entry("./y", linkname="usr/x", **LINK)]
    ).read_bytes()
    draw = random.Random(455)
    outcomes: set[str] = set()
    for number in range(300):
        content = bytearray(good)
        for _ in range(draw.randrange(1, 4)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        path = tmp_path / f"{number}" / "p.deb"
        path.parent.mkdir()
        path.write_bytes(content[: draw.choice((len(content), draw.randrange(len(content))))])
        try:
            unpack(path)
            outcomes.add("unpacked")
        except PackageError as error:
            outcomes.add(error.problems[0].code)
    assert outcomes == {"unpacked", "E455"}


def test_a_real_package_is_unpacked(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    index, mirror = request.getfixturevalue("bookworm"), request.getfixturevalue("mirror")
    stanza = index.stanza("libmagic1")
    content = mirror.fetch(stanza.path, stanza.sha256, stanza.name)
    (tmp_path / "unpacked").mkdir()
    deb = unpack_deb(content.path, stanza.name, tmp_path / "unpacked")
    names = {file.path for file in deb.files}
    assert "usr/share/doc/libmagic1/copyright" in names
    assert any(name.startswith("usr/lib/x86_64-linux-gnu/libmagic.so.1.") for name in names)
    assert ("usr/lib/x86_64-linux-gnu/libmagic.so.1", True) in {(path, target in names) for path, target in deb.links}
