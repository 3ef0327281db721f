"""A layer of Debian packages: each library once under its SONAME, programs, data and licences, no links."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import PackageError
from reconciler.packages.debian.archive import Deb, DebFile, unpack_deb
from reconciler.packages.debian.closure import find_base, find_closure
from reconciler.packages.debian.layout import make_layer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reconciler.packages.debian.index import PackageIndex
    from reconciler.packages.debian.layout import LayerFile
    from reconciler.packages.debian.mirror import Mirror

WHOLE = os.environ.get("UDFS_PROOF") == "whole"
IS_DEBIAN_12 = platform.machine() == "x86_64" and platform.libc_ver()[1] == "2.36"
"""So that libraries of Debian 12 load here as they are."""


class Real:
    """Packages of Debian 12, laid out."""

    def __init__(self, mirror: Mirror, index: PackageIndex) -> None:
        self.mirror, self.index = mirror, index

    def debs(self, names: Sequence[str], folder: Path) -> list[Deb]:
        debs = []
        for chosen in find_closure(self.index, names, find_base(self.index)):
            stanza = chosen.stanza
            content = self.mirror.fetch(stanza.path, stanza.sha256, stanza.name)
            (folder / stanza.name).mkdir(parents=True)
            debs.append(unpack_deb(content.path, stanza.name, folder / stanza.name))
        return debs


@pytest.fixture
def real(mirror: Mirror, bookworm: PackageIndex) -> Real:
    return Real(mirror, bookworm)


def write_out(layer: tuple[LayerFile, ...], folder: Path) -> None:
    for file in layer:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.file.source, path)
        path.chmod(0o755 if file.file.is_executable else 0o644)


def run_with(layer: Path, program: str) -> str:
    environment = {"LD_LIBRARY_PATH": f"{layer}/lib", "PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout.strip()


def made_up(folder: Path, package: str, files: dict[str, bytes], links: dict[str, str] | None = None) -> Deb:
    made: list[DebFile] = []
    for path, content in files.items():
        source = folder / f"{package}-{len(made)}"
        source.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        made.append(DebFile(path, source, len(content), "bin/" in path, digest))
    return Deb(package, tuple(made), tuple((links or {}).items()), ())


def test_a_library_lies_once_under_its_soname_and_loads_from_there(real: Real, tmp_path: Path) -> None:
    layer = make_layer(real.debs(["libmagic1"], tmp_path / "debs"), slim=True)
    paths = {file.path for file in layer}
    assert {"lib/libmagic.so.1", "share/doc/libmagic1/copyright"} <= paths
    assert not any(path.startswith("lib/libmagic.so.1.") for path in paths)
    write_out(layer, tmp_path / "opt")
    if IS_DEBIAN_12:
        program = "import ctypes; print(ctypes.CDLL('libmagic.so.1').magic_version())"
        assert run_with(tmp_path / "opt", program) == "544"


@pytest.mark.skipif(not WHOLE, reason="fetches and unpacks a hundred packages: every night")
def test_gdal_registers_its_drivers(real: Real, tmp_path: Path) -> None:
    """libblas.so.3 lies in a folder of its own, which Debian leaves to update-alternatives."""
    layer = make_layer(real.debs(["libgdal32"], tmp_path / "debs"), slim=True)
    write_out(layer, tmp_path / "opt")
    program = "import ctypes; g = ctypes.CDLL('libgdal.so.32'); g.GDALAllRegister(); print(g.GDALGetDriverCount())"
    assert run_with(tmp_path / "opt", program) == "210"


def test_links_to_data_and_programs_become_what_they_lead_to(tmp_path: Path) -> None:
    files = {
        "usr/share/p/data": b"1",
        "usr/bin/p": b"#!",
        "usr/share/doc/p/copyright": b"c",
        "usr/share/fonts/a/b": b"f",
    }
    links = {
        "usr/bin/q": "etc/alternatives/q",
        "etc/alternatives/q": "usr/bin/p",
        "usr/share/p/again": "usr/share/p/data",
        "usr/share/doc/q": "usr/share/doc/p",
        "usr/share/ttf": "usr/share/fonts",
        "usr/share/round": "usr/share/round",
        "usr/share/gone": "usr/share/nowhere",
    }
    layer = make_layer([made_up(tmp_path, "p", files, links)])
    assert {file.path: file.file.source.read_bytes() for file in layer} == {
        "bin/p": b"#!",
        "bin/q": b"#!",
        "etc/alternatives/q": b"#!",
        "share/p/data": b"1",
        "share/p/again": b"1",
        "share/doc/p/copyright": b"c",
        "share/doc/q/copyright": b"c",
        "share/fonts/a/b": b"f",
        "share/ttf/a/b": b"f",
    }


def test_what_no_function_reads_is_left_out_and_licences_are_not(tmp_path: Path) -> None:
    files = {
        "usr/share/man/man1/p.1.gz": b"",
        "usr/share/doc/p/copyright": b"",
        "usr/share/doc/p/changelog.gz": b"",
        "usr/share/locale/de/p.mo": b"",
        "usr/include/p.h": b"",
        "usr/share/p/data": b"",
        "usr/share/p/more": b"",
    }
    debs = [made_up(tmp_path, "p", files)]
    paths = [file.path for file in make_layer(debs, slim=True, exclude=["more"], keep=["usr/share/locale/de/"])]
    assert paths == ["share/doc/p/copyright", "share/locale/de/p.mo", "share/p/data"]
    assert len(make_layer(debs)) == len(files)


def test_the_tree_keeps_the_paths_of_debian(tmp_path: Path) -> None:
    files = {"usr/bin/p": b"", "lib/x86_64-linux-gnu/p.conf": b""}
    layer = make_layer([made_up(tmp_path, "p", files)], tree=True)
    assert {file.path for file in layer} == set(files)


def test_two_files_of_one_place_are_refused_unless_they_are_the_same(tmp_path: Path) -> None:
    one, other = ({"usr/bin/p": b"1", "bin/q": b"x"}, {"bin/p": b"2", "usr/bin/q": b"x"})
    with pytest.raises(PackageError) as raised:
        make_layer([made_up(tmp_path, "a", one), made_up(tmp_path, "b", other)])
    (problem,) = raised.value.problems
    assert (problem.code, problem.detail) == ("E456", ("bin/p: usr/bin/p of a, bin/p of b",))
