"""What a package leaves out must not be missed by what can be imported from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from reconciler.base.errors import PackageError, Position, Problem
from reconciler.packages.collect import collect_from
from reconciler.packages.fetch.cache import Cache
from reconciler.packages.fetch.pip import PipIndex
from reconciler.packages.wheels import Supply
from tests.builders import unchecked, wheel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reconciler.manifest.runtimes import Runtime

NEEDY = {
    "needy/__init__.py": "from needy.tests import helper",
    "needy/tests/helper.py": "",
    "needy/tests/__init__.py": "",
}


class Judge:
    """Imports by looking: a module can be imported if every file that it wants is in the archives."""

    def __init__(self, **wants: str) -> None:
        self.wants, self.asked = wants, list[list[str]]()

    def __call__(
        self, runtime: Runtime, archives: Sequence[tuple[str, Path]], names: Sequence[str]
    ) -> Mapping[str, str] | None:
        self.asked.append([*names])
        there = {member for _, path in archives for member in ZipFile(path).namelist()}
        return {name: "ImportError: no" for name in names if not {*self.wants.get(name, "").split()} <= there}


def _problems(folder: Path, importer: Any, *wheels: Path, **options: Any) -> list[Problem]:
    manifest = {
        "stack": "s",
        "packages": {"p": {"wheels": [path.name for path in wheels], **options}},
        "functions": {"f": {"class": "m.F", "packages": ["p"]}},
    }
    try:
        return [
            *collect_from(
                unchecked(folder, manifest),
                Supply(
                    cache=Cache(folder / "cache"),
                    index=PipIndex({}),
                    importer=importer,
                ),
            ).warnings
        ]
    except PackageError as error:
        return [*error.problems]


@pytest.fixture
def needy(tmp_path: Path) -> Path:
    return wheel(tmp_path, "needy", files={**NEEDY})


def test_a_module_that_misses_what_was_left_out_is_an_error(tmp_path: Path, needy: Path) -> None:
    judge = Judge(needy="needy/tests/helper.py")
    (problem,) = _problems(tmp_path, judge, needy, slim=True)
    assert (problem.code, problem.at, problem.detail) == ("E427", Position("packages/p"), ("needy: ImportError: no",))
    assert judge.asked == [["needy"], ["needy"]]


def test_what_needs_nothing_of_it_is_fine_and_asked_once(tmp_path: Path, needy: Path) -> None:
    judge = Judge()
    assert _problems(tmp_path, judge, needy, slim=True) == []
    assert _problems(tmp_path, judge, needy, slim=True) == []
    assert judge.asked == [["needy"], ["needy"]]
    for kept in (tmp_path / "cache" / "imports").rglob("*.json"):
        kept.write_text("[]")
    assert _problems(tmp_path, judge, needy, slim=True) == []
    assert len(judge.asked) == 4


def test_nothing_is_asked_about_a_package_that_lacks_nothing(tmp_path: Path, needy: Path) -> None:
    judge = Judge()
    assert _problems(tmp_path, judge, needy) == []
    assert _problems(tmp_path, judge, needy, bundle="single") == []
    assert [one.code for one in _problems(tmp_path, judge, needy, exclude=["*.x"])] == ["E425"]
    assert judge.asked == []


def test_what_cannot_be_imported_anyway_tells_nothing(tmp_path: Path, needy: Path) -> None:
    other = wheel(tmp_path, "other", files={"other.py": "", "other.pyi": ""})
    judge = Judge(other="of another package", needy="needy/tests/helper.py")
    problems = _problems(tmp_path, judge, needy, other, slim=True)
    assert [(one.code, one.severity, one.detail) for one in problems] == [
        ("E427", "error", ("needy: ImportError: no",)),
        ("E428", "warning", ("other: ImportError: no",)),
    ]
    assert judge.asked == [["needy", "other"], ["needy"]]


def test_without_a_cpython_it_is_said_each_time_that_nobody_tried(tmp_path: Path, needy: Path) -> None:
    for _ in range(2):
        (problem,) = _problems(tmp_path, lambda *_: None, needy, slim=True)
        assert (problem.code, problem.severity) == ("E428", "warning")
    assert _problems(tmp_path, Judge(), needy, slim=True) == []


def test_a_module_that_somebody_left_out_as_a_whole_is_not_missed(tmp_path: Path) -> None:
    a, b = (wheel(tmp_path, name, files={f"{name}.py": "", "tests/t.py": name}) for name in "ab")
    judge = Judge()
    assert _problems(tmp_path, judge, a, b, bundle="single", exclude=["/tests/"]) == []
    assert judge.asked == [["a", "b"], ["a", "b"]]
