"""Environments of real CPythons: they start wherever they are unpacked, with nothing of what they were made of within reach."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from reconciler.base.errors import PackageError
from reconciler.local.runner import InterpreterNotFound, locate
from reconciler.packages.content import Content, read_content
from reconciler.packages.environment.assembly import PROGRAM, Ingredients, assemble
from reconciler.packages.environment.findings import find_program_faults
from reconciler.packages.environment.prefix import Prefix, find_prefix, prefix_files, relocate_program
from reconciler.packages.fetch.cache import Cache
from reconciler.packages.pack.archives import Shape
from tests.builders import wheel
from tests.environments import look_into, unpack
from tests.natives import elf

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Made:
    """An environment, and what it was made of."""

    archive: Content
    ingredients: Ingredients
    cache: Cache


@pytest.fixture(scope="module")
def prefix() -> Prefix:
    try:
        return find_prefix(locate("cp311", os.environ).path)
    except InterpreterNotFound as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def made(prefix: Prefix, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    file = wheel(folder, "greet", files={"greet/__init__.py": "WORD = 'hello'", "greet/tests/test_it.py": "1 / 0"})
    ingredients = Ingredients(prefix, (read_content(file),), Shape(slim=True))
    cache = Cache(folder / "cache")
    return Made(assemble("venv.zip", ingredients, cache).content, ingredients, cache)


def test_an_environment_that_was_moved_runs_without_the_prefix_and_its_first_folder(made: Made, tmp_path: Path) -> None:
    unpack(made.archive.path, tmp_path / "first")
    (tmp_path / "first").rename(tmp_path / "second")
    python = tmp_path / "second" / PROGRAM
    code = (
        "import sys, os, greet, ssl, ctypes, bz2, sqlite3, json, decimal; "
        "print(greet.WORD, sys.executable, sys.prefix, os.path.exists(sys.argv[1]))"
    )
    hidden = made.ingredients.prefix.folder
    script = 'mount -t tmpfs none "$1" && exec "$2" -c "$3" "$1/lib"'
    command = ["unshare", "--mount", "sh", "-c", script, "-", str(hidden), str(python), code]
    try:
        tried = subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs unshare")
    if tried.returncode or str(hidden) == "/usr":
        pytest.skip("needs the right to hide the interpreter's folder, which is not the system's")
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert ended.returncode == 0, ended.stderr
    venv = tmp_path / "second" / "venv"
    assert ended.stdout.split() == ["hello", str(python), str(venv), "False"]


def test_an_environment_has_relative_links_alone_modes_and_nothing_twice(made: Made) -> None:
    archive = look_into(made.archive.path)
    links = {name: member.target for name, member in archive.members.items() if member.target is not None}
    assert links == {"venv/bin/python": "python3.11", "venv/bin/python3": "python3.11"}
    assert list(find_program_faults(archive, PROGRAM)) == []
    assert not any("/test/" in name or name.endswith(".pyc") or "/tests/" in name for name in archive.members)


def small_prefix(folder: Path, program: bytes) -> Prefix:
    for name, content in (("bin/python3.11", program), ("lib/python3.11/os.py", b"")):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(content)
    return find_prefix(folder)


def small_ingredients(folder: Path, **files: str) -> Ingredients:
    wheels = [
        wheel(folder, name, files={f"{name}/__init__.py": text, f"{name}/tests/test_it.py": "1 / 0"})
        for name, text in files.items()
    ]
    prefix = small_prefix(folder / "prefix", elf(needed=("libc.so.6",)))
    return Ingredients(prefix, tuple(map(read_content, wheels)), Shape(slim=True))


def test_the_same_ingredients_give_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    digests = set()
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        ingredients = small_ingredients(folder, greet="WORD = 'hello'", part="")
        reversed_wheels = ingredients.wheels[::-1] if number == 2 else ingredients.wheels
        again = Ingredients(ingredients.prefix, reversed_wheels, ingredients.shape)
        digests.add(assemble("venv.zip", again, Cache(folder / "cache")).content.sha256)
    assert len(digests) == 1


def test_a_second_build_reads_no_wheel(tmp_path: Path) -> None:
    ingredients, cache = small_ingredients(tmp_path, greet="WORD = 'hello'"), Cache(tmp_path / "cache")
    first = assemble("venv.zip", ingredients, cache)
    for content in ingredients.wheels:
        content.path.unlink()
    assert assemble("venv.zip", ingredients, cache) == first
    assert first.left_out[0].why == "slim"


def test_other_wishes_and_another_interpreter_make_another_environment(tmp_path: Path) -> None:
    slim, cache = small_ingredients(tmp_path, greet="WORD = 'hello'"), Cache(tmp_path / "cache")
    archives = [
        assemble("venv.zip", of, cache).content for of in (slim, Ingredients(slim.prefix, slim.wheels, Shape()))
    ]
    (slim.prefix.folder / "lib" / "python3.11" / "this.py").write_text("import antigravity")
    archives.append(assemble("venv.zip", slim, cache).content)
    names = [set(ZipFile(archive.path).namelist()) for archive in archives]
    assert names[1] - names[0] == {"venv/lib/python3.11/site-packages/greet/tests/test_it.py"}
    assert names[2] - names[0] == {"venv/lib/python3.11/this.py"}


def test_wheels_that_bring_different_files_of_one_path_are_refused(tmp_path: Path) -> None:
    ingredients = small_ingredients(tmp_path, greet="WORD = 'hello'")
    other = wheel(tmp_path, "other", files={"greet/__init__.py": "WORD = 'bye'"})
    both = Ingredients(ingredients.prefix, (*ingredients.wheels, read_content(other)), ingredients.shape)
    with pytest.raises(PackageError) as caught:
        assemble("venv.zip", both, Cache(tmp_path / "cache"))
    assert caught.value.problems[0].code == "E424"


def test_an_interpreter_is_named_by_its_folder_or_its_program_and_never_by_a_venv(prefix: Prefix) -> None:
    assert find_prefix(prefix.folder).version >= prefix.version
    assert find_prefix(prefix.folder / "bin" / "python3.11") == prefix
    if sys.prefix != sys.base_prefix:
        with pytest.raises(PackageError) as caught:
            find_prefix(prefix.folder.__class__(sys.executable))
        assert caught.value.problems[0].code == "E661"


def test_what_is_no_interpreter_is_refused_with_what_one_looks_like(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for path in (tmp_path, tmp_path / "gone"):
        with pytest.raises(PackageError, match="there is no"):
            find_prefix(path)
    (tmp_path / "bin" / "python3.11").write_bytes(elf())
    with pytest.raises(PackageError, match="standard library beside it"):
        find_prefix(tmp_path)


def test_a_search_path_is_written_over_the_old_one_and_nothing_else_changes(tmp_path: Path) -> None:
    old = elf(needed=("libpython3.11.so.1.0",), runpath="/opt/python/3.11/lib")
    [program, _] = prefix_files(small_prefix(tmp_path, old))
    new = relocate_program(program)
    assert new.replace(b"$ORIGIN/../lib\0\0\0\0\0\0", b"/opt/python/3.11/lib") == old


@pytest.mark.parametrize("runpath", [None, "/lib"])
def test_a_search_path_without_room_is_refused_with_the_command_that_makes_some(
    tmp_path: Path, runpath: str | None
) -> None:
    [program, _] = prefix_files(small_prefix(tmp_path, elf(needed=("libpython3.11.so.1.0",), runpath=runpath)))
    with pytest.raises(PackageError) as caught:
        relocate_program(program)
    assert caught.value.problems[0].code == "E662"
    assert "patchelf --set-rpath '$ORIGIN/../lib' python3.11" in str(caught.value.problems[0].hint)


@pytest.mark.parametrize("program", [elf(needed=("libc.so.6",)), elf(runpath="$ORIGIN/../lib"), b"#!/bin/sh\n"])
def test_a_program_that_can_be_moved_stays_as_it_is(tmp_path: Path, program: bytes) -> None:
    [file, _] = prefix_files(small_prefix(tmp_path, program))
    assert relocate_program(file) == program
