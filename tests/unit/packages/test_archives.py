"""What is uploaded of a package's wheels: one archive each or one for all, and what is left out of them."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.base.errors import PackageError, Position, Problem
from reconciler.packages.collect import collect_from
from reconciler.packages.fetch.cache import Cache
from reconciler.packages.inspect.contents import inspect_file
from reconciler.packages.pack import zips
from reconciler.packages.pack.archives import Shape, lay_out
from reconciler.packages.pack.zips import Packed, make_entry, write_zip, zip_entries
from reconciler.packages.wheels import Supply
from tests.builders import unchecked, wheel
from tests.natives import elf

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.packages.artifacts import Archive, Artifacts

NAMESPACE = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
CP37 = "cp37-cp37m-manylinux1_x86_64"


class NoIndex:
    """All wheels of these tests are files."""

    def fetch(self, *_: object) -> Path:
        raise AssertionError

    def direct(self, *_: object) -> None:
        return None

    def fetch_all(self, *_: object) -> list[Path]:
        raise AssertionError

    def newest(self, *_: object) -> str | None:
        raise AssertionError

    def stop(self) -> None:
        raise AssertionError


def _build(folder: Path, *wheels: Path, cache: Path | None = None, python: str = "cp37", **options: Any) -> Artifacts:
    package = {"wheels": [path.name for path in wheels], **options}
    manifest = {
        "stack": "s",
        "python": python,
        "packages": {"pack": package},
        "functions": {"f": {"class": "m.F", "packages": ["pack"]}},
    }
    return collect_from(
        unchecked(folder, manifest),
        Supply(
            cache=Cache(cache or folder / "cache"),
            index=NoIndex(),
        ),
    )


def _archive(folder: Path, *wheels: Path, **options: Any) -> Archive:
    (archive,) = _build(folder, *wheels, **options).archives["pack", options.get("python", "cp37")]
    return archive


def _problems(folder: Path, *wheels: Path, **options: Any) -> list[Problem]:
    with pytest.raises(PackageError) as caught:
        _build(folder, *wheels, **options)
    return list(caught.value.problems)


def _contents(archive: Archive) -> dict[str, bytes]:
    with ZipFile(archive.content.path) as opened:
        assert opened.testzip() is None
        return {info.filename: opened.read(info) for info in opened.infolist()}


def _is_as_its_records_say(archive: Archive, folder: Path) -> bool:
    """A wheel is judged by its RECORD, so the judge of wheels judges what became of one."""
    path = folder / "judged-1.0-py3-none-any.whl"
    shutil.copy(archive.content.path, path)
    return inspect_file(path, "wheel").faults == ()


def test_a_bundle_is_one_archive_of_all_wheels_called_after_the_package_and_its_content(tmp_path: Path) -> None:
    a = wheel(tmp_path, "a", files={"a/__init__.py": "A", "a/data.bin": b"\0" * 10_000})
    b = wheel(tmp_path, "b", files={"b.py": "B"})
    archive = _archive(tmp_path, a, b, bundle="single")
    assert archive.name == f"pack__{archive.content.sha256[:8]}.zip"
    assert [one.filename for one in archive.wheels] == [a.name, b.name]
    assert _archive(tmp_path, a, b, bundle="science.zip").name == "science.zip", "a name that somebody chose stays"
    assert _contents(archive).keys() == {
        *("a/__init__.py", "a/data.bin", "b.py"),
        *(f"{name}-1.0.dist-info/{file}" for name in "ab" for file in ("METADATA", "WHEEL", "RECORD")),
    }
    assert archive.facts.modules == ("a", "b")


@pytest.mark.parametrize(("bundle", "rollout"), [("single", "in_place"), ("pack.zip", "versioned")])
def test_another_runtime_of_the_same_package_gets_a_bundle_of_another_name(
    tmp_path: Path, bundle: str, rollout: str
) -> None:
    path = wheel(tmp_path, "a", tag="py2.py3-none-any")
    manifest = {
        "stack": "s",
        "rollout": rollout,
        "packages": {"pack": {"wheels": [path.name], "bundle": bundle}},
        "functions": {
            "f": {"class": "m.F", "packages": ["pack"]},
            "g": {"class": "m.F", "packages": ["pack"], "python": "cp27"},
        },
    }
    found = collect_from(
        unchecked(tmp_path, manifest),
        Supply(
            cache=Cache(tmp_path / "cache"),
            index=NoIndex(),
        ),
    ).archives
    assert {tag: archives[0].name for (_, tag), archives in found.items()} == {
        "cp37": "pack.zip",
        "cp27": "pack-cp27.zip",
    }


def test_the_gate_sees_into_a_bundle(tmp_path: Path) -> None:
    lib = wheel(tmp_path, "lib", tag=CP37, files={"lib/libx.so.1": elf(soname="libx.so.1")})
    user = wheel(tmp_path, "user", tag=CP37, files={"user.so": elf(needed=("libx.so.1",))})
    apart = _build(tmp_path, lib, user)
    assert [one.code for one in apart.warnings] == ["E416"], "a library of another archive may not be loaded yet"
    together = _build(tmp_path, lib, user, bundle="single")
    assert together.warnings == ()
    assert together.archives["pack", "cp37"][0].native
    (alone,) = _problems(tmp_path, user, bundle="pack.zip")
    assert (alone.code, alone.message.partition(" ")[0]) == ("E415", "'pack.zip'")


def test_data_is_copied_as_the_wheels_have_it_packed(tmp_path: Path) -> None:
    path = wheel(tmp_path, "a", files={"a.py": "x = 1\n" * 1000})
    archive = _archive(tmp_path, path, bundle="single")
    with ZipFile(path) as opened:
        info = opened.getinfo("a.py")
        start = info.header_offset + 30 + len("a.py")
        data = path.read_bytes()[start : start + info.compress_size]
    assert info.compress_type == ZIP_DEFLATED
    assert data in archive.content.path.read_bytes()


def test_the_same_wheels_give_the_same_bytes_on_every_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"z.py": "Z", "a/ü.txt": "u", "tests/t.py": "T", "a/run": "#!"}
    b = wheel(tmp_path, "b", files={"b.py": "B"})
    options: dict[str, Any] = {"bundle": "single", "slim": True}
    first = _archive(tmp_path, wheel(tmp_path, "a", files=files), b, **options)
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    before = os.umask(0o077)
    try:
        again = _archive(tmp_path, b, tmp_path / "a-1.0-py3-none-any.whl", cache=tmp_path / "other", **options)
    finally:
        os.umask(before)
        monkeypatch.undo()
        time.tzset()
    assert first.content.path != again.content.path
    assert first.content.sha256 == again.content.sha256
    with ZipFile(first.content.path) as opened:
        infos = opened.infolist()
    assert [info.filename for info in infos] == sorted(info.filename for info in infos)
    assert {(info.date_time, info.create_system, info.external_attr >> 16, info.extra) for info in infos} == {
        ((1980, 1, 1, 0, 0, 0), 3, 0o100644, b"")
    }


def test_what_may_be_run_stays_so(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "x.zip", "w") as opened:
        for name, mode in (("run", 0o100755), ("read", 0o100600), ("dos", 0)):
            info = ZipInfo(name, (2020, 2, 2, 2, 2, 2))
            info.external_attr = mode << 16
            opened.writestr(info, name)
    with (tmp_path / "y.zip").open("wb") as out:
        write_zip(out, zip_entries(tmp_path / "x.zip"))
    with ZipFile(tmp_path / "y.zip") as opened:
        assert {info.filename: info.external_attr >> 16 for info in opened.infolist()} == {
            "dos": 0o100644,
            "read": 0o100644,
            "run": 0o100755,
        }


def test_a_second_build_packs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = wheel(tmp_path, "a", files={"a.py": "", "a.c": "int a;"})
    first = _archive(tmp_path, path, slim=True)

    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("reconciler.packages.pack.archives.lay_out", fail)
    assert _archive(tmp_path, path, slim=True) == first
    for kept in (tmp_path / "cache" / "packed").rglob("*.json"):
        kept.write_text("{")
    with pytest.raises(AssertionError):
        _archive(tmp_path, path, slim=True)


# --- .data ----------------------------------------------------------------------------------------------------------------


def test_modules_in_the_data_folder_are_put_where_import_finds_them(tmp_path: Path) -> None:
    files = {
        "a/__init__.py": "",
        "a-1.0.data/purelib/pure.py": "P",
        "a-1.0.data/platlib/a/plat.py": "L",
        "a-1.0.data/data/share/a.txt": "D",
        "a-1.0.data/scripts/run": "#!python\n",
        "a-1.0.data/headers/a.h": "",
    }
    archive = _archive(tmp_path, wheel(tmp_path, "a", files=files))
    kept = {name for name in _contents(archive) if "dist-info" not in name}
    assert kept == {"a/__init__.py", "a/plat.py", "pure.py", "share/a.txt"}
    assert archive.facts.modules == ("a", "pure")
    assert [(one.why, one.files) for one in archive.left_out] == [("headers", 1), ("scripts", 1)]
    assert archive.name == f"a-1.0-0_{archive.content.sha256[:8]}-py3-none-any.zip"
    assert _is_as_its_records_say(archive, tmp_path)


def test_a_wheel_whose_data_folder_holds_no_modules_stays_byte_for_byte(tmp_path: Path) -> None:
    path = wheel(tmp_path, "a", files={"a.py": "", "a-1.0.data/scripts/run": "#!python\n"})
    archive = _archive(tmp_path, path)
    assert (archive.content.path, archive.is_packed, archive.name) == (path, False, "a-1.0-py3-none-any.zip")


def test_a_data_part_that_lands_on_another_file_is_refused(tmp_path: Path) -> None:
    path = wheel(tmp_path, "a", files={"a.py": "here", "a-1.0.data/purelib/a.py": "there"})
    (problem,) = _problems(tmp_path, path)
    assert (problem.code, problem.at) == ("E424", Position("packages/pack"))


# --- What wheels of one archive may both bring ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"x/__init__.py": "same"}, {"x/__init__.py": "same"}),
        ({"x/__init__.py": NAMESPACE}, {"x/__init__.py": "# mine\nfrom pkgutil import extend_path\n" + NAMESPACE}),
        (
            {"x/__init__.py": NAMESPACE},
            {
                "x/__init__.py": "try:\n    __import__('pkg_resources').declare_namespace(__name__)\nexcept ImportError:\n"
                "    __path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
            },
        ),
        ({"x/a.py": "A"}, {"x/b.py": "B"}),
    ],
)
def test_wheels_may_share_what_is_the_same(tmp_path: Path, one: dict[str, str], other: dict[str, str]) -> None:
    archive = _archive(
        tmp_path, wheel(tmp_path, "a", files={**one}), wheel(tmp_path, "b", files={**other}), bundle="single"
    )
    assert {*one, *other} <= _contents(archive).keys()


@pytest.mark.parametrize(
    ("one", "other", "path"),
    [
        ({"tests/t.py": "A"}, {"tests/t.py": "B"}, "tests/t.py"),
        ({"x/__init__.py": NAMESPACE}, {"x/__init__.py": NAMESPACE + "VERSION = 1\n"}, "x/__init__.py"),
        ({"x/__init__.py": NAMESPACE}, {"x/__init__.py": ""}, "x/__init__.py"),
        ({"X.py": "same"}, {"x.py": "same"}, "X.py"),
        ({"x": "a file"}, {"x/y.py": "below it"}, "x"),
    ],
)
def test_wheels_that_cannot_be_one_archive_are_named(
    tmp_path: Path, one: dict[str, str], other: dict[str, str], path: str
) -> None:
    a, b = wheel(tmp_path, "a", files={**one}), wheel(tmp_path, "b", files={**other})
    (problem,) = _problems(tmp_path, a, b, bundle="single")
    assert (problem.code, problem.at) == ("E424", Position("packages/pack"))
    assert all(part in problem.message for part in (f"'{path}'", a.name, b.name))
    _build(tmp_path, a, b)


def test_a_file_in_the_way_can_be_left_out(tmp_path: Path) -> None:
    a, b = (wheel(tmp_path, name, files={f"{name}.py": "", "tests/t.py": name}) for name in "ab")
    archive = _archive(tmp_path, a, b, bundle="single", exclude=["/tests/"])
    assert [(one.why, one.files) for one in archive.left_out] == [("exclude", 2)]
    assert "tests/t.py" not in _contents(archive)


# --- What is left out -----------------------------------------------------------------------------------------------------

FULL = {
    "a/__init__.py": "",
    "a/core.pyi": "",
    "a/py.typed": "",
    "a/inner/tests/test_x.py": "",
    "a/test/api.py": "",
    "a/include/a.h": "",
    "a/src/LICENSE.c": "kept: what is called like a licence is one",
    "a/src/fast.pyx": "",
    "a/src/fast.c": "",
    "a/old.pyc": "",
    "a/data.csv": "",
}


@pytest.mark.parametrize(
    ("options", "without"),
    [
        (
            {"slim": True},
            {
                *(
                    "a/core.pyi",
                    "a/py.typed",
                    "a/inner/tests/test_x.py",
                    "a/include/a.h",
                    "a/src/fast.pyx",
                    "a/src/fast.c",
                )
            },
        ),
        ({"byte_compile": "drop"}, {"a/old.pyc"}),
        (
            {"exclude": ["*.csv", "/a/src/*", "!LICENSE.c"]},
            {"a/data.csv", "a/src/fast.pyx", "a/src/fast.c"},
        ),
        ({"exclude": ["*.dist-info/", "METADATA", "*.csv"]}, {"a/data.csv"}),
    ],
)
def test_a_package_is_uploaded_without_what_it_does_not_want(
    tmp_path: Path, options: dict[str, Any], without: set[str]
) -> None:
    path = wheel(tmp_path, "a", files={**FULL})
    archive = _archive(tmp_path, path, **options)
    with ZipFile(path) as opened:
        sizes = {info.filename: info.compress_size for info in opened.infolist()}
    assert sizes.keys() - _contents(archive).keys() == without
    assert sum(one.size for one in archive.left_out) == sum(sizes[name] for name in without)
    assert _is_as_its_records_say(archive, tmp_path)


def test_a_pattern_that_leaves_nothing_out_is_told(tmp_path: Path) -> None:
    a, b = (wheel(tmp_path, name, files={f"{name}.py": "", f"{name}.csv": ""}) for name in "ab")
    found = _build(tmp_path, a, b, exclude=["b.csv", "c.csv", "*.csv"])
    assert [(one.code, one.severity, one.at) for one in found.warnings] == [
        ("E425", "warning", Position("packages/pack/exclude/1"))
    ]
    assert "'c.csv'" in found.warnings[0].message


# --- The format -----------------------------------------------------------------------------------------------------------

NAMES = st.from_regex(r"[a-cA-Cü]{1,2}(/[a-cA-C]{1,2}){0,2}", fullmatch=True)
FILES = st.dictionaries(NAMES, st.binary(max_size=40), max_size=5)


@settings(max_examples=50, deadline=None)
@given(st.lists(FILES, min_size=1, max_size=3), st.randoms(use_true_random=False), st.booleans())
def test_whatever_is_packed_comes_out_as_it_went_in_whatever_the_order_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, wheels: list[dict[str, bytes]], random: Any, deflated: bool
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    given: list[tuple[str, list[Packed]]] = []
    for number, files in enumerate(wheels):
        with ZipFile(folder / f"{number}.zip", "w", ZIP_DEFLATED if deflated else ZIP_STORED) as opened:
            for name, content in files.items():
                opened.writestr(name, content)
        given.append((f"{number}", list(zip_entries(folder / f"{number}.zip"))))
    merged = lay_out(given, Shape())
    shuffled = [(name, random.sample(found, len(found))) for name, found in random.sample(given, len(given))]
    assert lay_out(shuffled, Shape()) == merged
    if merged.clashes:
        return
    written = io.BytesIO(), io.BytesIO()
    write_zip(written[0], merged.members)
    write_zip(written[1], random.sample(merged.members, len(merged.members)))
    assert written[0].getvalue() == written[1].getvalue()
    with ZipFile(written[0]) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == {
            name: content for files in wheels for name, content in files.items()
        }


@pytest.mark.parametrize(("large", "many"), [(1, 1 << 16), (50, 1 << 16), (1 << 32, 2), (0, 0)])
def test_what_is_too_large_for_zip_is_written_as_zip64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int, many: int
) -> None:
    monkeypatch.setattr(zips, "_LARGE", large)
    monkeypatch.setattr(zips, "_MANY", many)
    content = {"a": b"x" * 10, "b": b"y" * 100, "c": b""}
    with (tmp_path / "x.zip").open("wb") as out:
        write_zip(out, [make_entry(name, data) for name, data in content.items()])
    with ZipFile(tmp_path / "x.zip") as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == content
    if unzip := shutil.which("unzip"):
        subprocess.run([unzip, "-tqq", "x.zip"], cwd=tmp_path, check=True)


def test_a_wheel_that_was_cut_off_since_it_was_judged_is_refused(tmp_path: Path) -> None:
    path = wheel(tmp_path, "a", files={"a.py": "x = 1\n" * 1000})
    found = list(zip_entries(path))
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(BadZipFile):
        write_zip(io.BytesIO(), found)
