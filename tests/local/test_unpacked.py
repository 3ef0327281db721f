"""Archives that several functions bring: unpacked once, and yet each function's own."""

from __future__ import annotations

import os
import stat
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.local.runner import FunctionRaised, Job, ResourceFile, UnsafeArchive
from reconciler.local.runner.layout import extract
from reconciler.local.runner.unpacked import UnpackedArchives
from reconciler.testing.row_programs import RowProgram
from reconciler.testing.trials import Bounds

if TYPE_CHECKING:
    from tests.local.conftest import Runner


def archive(folder: Path) -> Path:
    link = zipfile.ZipInfo("pkg/latest.txt")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    tool = zipfile.ZipInfo("pkg/bin/tool")
    tool.create_system, tool.external_attr = 3, (stat.S_IFREG | 0o755) << 16
    path = folder / "pkg.zip"
    with zipfile.ZipFile(path, "w") as file:
        for member in ("pkg/__init__.py", "pkg/_x.so", "pkg/data.txt", "pkg/deep/er/data.bin", "rows/data.txt"):
            file.writestr(member, f"content of {member}")
        file.writestr("pkg/empty/", "")
        file.writestr(link, "data.txt")
        file.writestr(tool, "#!/bin/sh\n")
    return path


def tree(folder: Path) -> dict[str, tuple[str, bool]]:
    """Return what a function finds: links of the archive, contents of files, and whether one may be executed."""
    found = {}
    for parent, folders, files in os.walk(folder, followlinks=True):
        for path in (Path(parent, name) for name in (*folders, *files)):
            is_link = path.is_symlink() and not path.readlink().is_absolute()
            content = str(path.readlink()) if is_link else path.read_text() if path.is_file() else "folder"
            found[str(path.relative_to(folder))] = content, bool(path.stat().st_mode & 0o100)
    return found


def test_every_function_finds_what_extract_would_have_made(tmp_path: Path) -> None:
    zipped, archives = archive(tmp_path), UnpackedArchives()
    names = extract(zipped, tmp_path / "alone", name="pkg.zip")
    with ThreadPoolExecutor(8) as pool:
        targets = [tmp_path / str(number) for number in range(8)]
        laid = list(pool.map(lambda target: archives.lay(zipped, target, name="pkg.zip"), targets))
    assert laid == [names] * 8
    assert [tree(target) for target in targets] == [tree(tmp_path / "alone")] * 8


def test_a_function_that_goes_through_folders_finds_folders(tmp_path: Path) -> None:
    zipped, archives = archive(tmp_path), UnpackedArchives()
    assert archives.lay_without_links(zipped, tmp_path / "laid", name="pkg.zip") == extract(
        zipped, tmp_path / "alone", name="pkg.zip"
    )
    assert tree(tmp_path / "laid") == tree(tmp_path / "alone")
    assert [len(list(os.walk(tmp_path / name))) for name in ("laid", "alone")] == [7, 7]


WALKS = "import os; return str(len([1 for _ in os.walk('work')]))"
LISTS = "import os; return ' '.join(sorted(os.listdir('work/p.zip')))"


CACHED = "import odps.distcache as d; return ' '.join(sorted(f.name[-12:] for f in d.get_cache_archive('p.zip')))"


@pytest.mark.parametrize("body", [WALKS, LISTS, CACHED])
def test_a_function_sees_what_it_would_see_alone(runner: Runner, body: str) -> None:
    archives = UnpackedArchives()
    seen = [run(runner, archives, body)[0] for _ in range(2)]
    program = RowProgram(runner.interpreter, job_of(runner, body))
    tryout = program.start(Bounds(20), lambda: False)
    assert seen == [str(list(tryout.session.call([()], last=True)))] * 2


def test_what_a_function_writes_into_its_folder_no_other_function_reads(tmp_path: Path) -> None:
    zipped, archives = archive(tmp_path), UnpackedArchives()
    archives.lay(zipped, tmp_path / "first", name="pkg.zip")
    (tmp_path / "first" / "new.txt").write_text("new")
    (tmp_path / "first" / "rows" / "data.txt").write_text("changed")
    (tmp_path / "first" / "pkg").unlink()
    archives.lay(zipped, tmp_path / "second", name="pkg.zip")
    extract(zipped, tmp_path / "alone", name="pkg.zip")
    assert tree(tmp_path / "second") == tree(tmp_path / "alone")


def test_folders_with_code_may_not_be_written_to(tmp_path: Path) -> None:
    zipped, archives = archive(tmp_path), UnpackedArchives()
    archives.lay(zipped, tmp_path / "first", name="pkg.zip")
    shared = [tmp_path / "first" / "pkg", *(tmp_path / "first" / "pkg").resolve().rglob("*")]
    assert len(shared) > 5
    assert not [path for path in shared if path.stat().st_mode & 0o222]


PACKAGE = {
    "heavy/__init__.py": "from . import base\n",
    "heavy/base.py": "def fail():\n    raise KeyError('k')\n",
    "heavy/other.py": "X = 1\n",
}


def job_of(runner: Runner, body: str) -> Job:
    """Return a function that brings a package."""
    packed = runner.directory / "p.zip"
    if not packed.exists():
        with zipfile.ZipFile(packed, "w") as file:
            for name, text in PACKAGE.items():
                file.writestr(name, text)
    source = f"""
        from odps.udf import annotate
        @annotate("->string")
        class F(object):
            def evaluate(self):
                import sys
                sys.path.insert(0, "work/p.zip")
                {body}
        """
    return runner.job(source, resources=[ResourceFile("p.zip", "archive", packed)])


def run(runner: Runner, archives: UnpackedArchives, body: str) -> tuple[str, str]:
    """Call a function that brings a package, as one of several; return what came of it, and its traceback."""
    program = RowProgram(runner.interpreter, job_of(runner, body), archives)
    tryout = program.start(Bounds(20), lambda: False)
    try:
        return str(list(tryout.session.call([()]))), ""
    except FunctionRaised as error:
        return error.message, error.traceback
    finally:
        tryout.close()


def compiled_modules(archives: UnpackedArchives) -> list[str]:
    return sorted(path.name.split(".")[0] for path in Path(archives._folder).rglob("*.pyc"))


def test_what_one_function_imports_is_compiled_for_those_that_follow(runner: Runner) -> None:
    archives = UnpackedArchives()
    body = "import heavy.base; return str(getattr(heavy.base, '__cached__', heavy.base.__file__))[-4:]"
    assert run(runner, archives, body)[0] == run(runner, UnpackedArchives(), body)[0]
    assert compiled_modules(archives) == []
    assert run(runner, archives, body)[0] == "['.pyc']"
    assert compiled_modules(archives) == ["__init__", "base"]
    assert not [path for path in Path(archives._folder).rglob("heavy/**/*") if path.stat().st_mode & 0o222]


def test_a_compiled_module_fails_with_the_same_words(runner: Runner) -> None:
    archives = UnpackedArchives()
    first, *others = [run(runner, archives, "import heavy; heavy.base.fail()") for _ in range(3)]
    assert "KeyError" in first[0]
    assert "raise KeyError('k')" in first[1]
    assert others == [first] * 2


def test_a_function_chooses_nothing_that_is_compiled_but_modules_of_its_archives(runner: Runner) -> None:
    archives, outside = UnpackedArchives(), runner.directory / "outside.py"
    outside.write_text("X = 1\n")
    names = [
        str(outside),
        "work/p.zip/../../../../outside.py",
        "work/p.zip/heavy/absent.py",
        "\0.py",
        "a" * 5000 + ".py",
    ]
    body = f"import types; sys.modules.update((str(i), type('M', (), {{'__file__': n}})) for i, n in enumerate({names!r})); return ''"
    assert [run(runner, archives, body)[0] for _ in range(2)] == ["['']"] * 2
    assert compiled_modules(archives) == []
    assert sorted(path.name for path in runner.directory.glob("**/*.pyc")) == []


def test_what_cannot_be_compiled_is_imported_all_the_same(runner: Runner) -> None:
    archives = UnpackedArchives()
    run(runner, archives, "import heavy; return ''")
    archives.compile_imported(replace(runner.interpreter, path=Path("/nowhere/python")))
    assert compiled_modules(archives) == []
    assert run(runner, archives, "import heavy; return 'x'")[0] == "['x']"


def test_a_hostile_archive_is_refused_to_each_function_that_brings_it(tmp_path: Path) -> None:
    path, archives = tmp_path / "evil.zip", UnpackedArchives()
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("fine.py", "")
        file.writestr("../out.py", "")
    for number in range(2):
        with pytest.raises(UnsafeArchive, match="leaves its directory"):
            archives.lay(path, tmp_path / str(number), name="evil.zip")


def test_nothing_is_left_of_it_when_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    archives = UnpackedArchives()
    archives.lay(archive(tmp_path), tmp_path / "first", name="pkg.zip")
    assert list((tmp_path / "temporary").iterdir())
    del archives
    assert not list((tmp_path / "temporary").iterdir())
