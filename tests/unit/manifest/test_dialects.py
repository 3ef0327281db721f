"""Another kind of target brings a model, checks and runtimes of its own; the manifest room knows none of them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import pytest
from msgspec import Meta, field

from reconciler.base.errors import InvalidManifest
from reconciler.base.hints import spell
from reconciler.manifest import model
from reconciler.manifest.checks.names import check_names
from reconciler.manifest.checks.packages import check_package_uses, check_packages
from reconciler.manifest.dialect import Dialect, Draft, Flaw
from reconciler.manifest.effective import effective_targets
from reconciler.manifest.load import load_manifest
from reconciler.manifest.model import Label, Text
from reconciler.manifest.runtimes import Platform, Runtime, Service
from reconciler.manifest.schema import manifest_schema
from reconciler.manifest.section import NULL_IS_EMPTY, Section
from reconciler.targets.dialects import DIALECTS
from tests.unit.manifest.folder import brief

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reconciler.manifest.dialect import Dialects

SHELF = Service("Shelf", max_resource=100)
LINUX = Platform("new", "x86_64", (2, 34), frozenset({"py312"}), frozenset({"libc.so.6"}), is_assumed=True)


class ShelfKind(model.TargetKind, frozen=True, kw_only=True):
    kind: Literal["shelf"] = "shelf"


class ShelfTarget(model.Target, frozen=True, kw_only=True):
    region: Text
    rack: Text | None = None


class Book(Section, frozen=True, kw_only=True):
    file: Text
    labels: Annotated[dict[Label, Text], Meta(description="What readers find it by.")] = field(default_factory=dict)


class ShelfManifest(model.Manifest, frozen=True, kw_only=True):
    service: ClassVar[Service] = SHELF
    target: ShelfKind
    python: str = "py312"
    packages: model.Packages = field(default_factory=dict)
    targets: Annotated[dict[Label, ShelfTarget], NULL_IS_EMPTY] = field(default_factory=dict)
    books: Annotated[dict[str, Book], Meta(description="Name → book.")]

    @cached_property
    def usable_runtimes(self) -> Mapping[str, Runtime]:
        return {"py312": Runtime("py312", (3, 12), "3.12.1", "cp312", LINUX, SHELF)}


def check_books(draft: Draft[ShelfManifest]) -> Iterator[Flaw]:
    yield from check_names(draft, "books", draft.manifest.books, lambda name: "no digits" if "1" in name else None)
    for name, book in draft.manifest.books.items():
        if not book.labels:
            yield Flaw("E201", f"the book '{name}' has no label", ("books", name), "labels: {shelf: top}", at_key=True)


DIALECT = Dialect(
    "shelf", ShelfManifest, ShelfTarget(region="here"), ("books",), (check_books, check_packages, check_package_uses)
)
BOTH: Dialects = {**DIALECTS, "shelf": lambda: DIALECT}
GOOD = """\
stack: s
target: {kind: shelf}
targets: {local: {region: '${var:where}', variables: {where: north}}}
moved: [{from: old, to: atlas}]
books: {atlas: {file: a.txt, labels: {shelf: top}}}
"""


def written(folder: Path, text: str) -> Path:
    (folder / "a.txt").touch()
    (folder / "udfs.yaml").write_text(text)
    return folder / "udfs.yaml"


def says(folder: Path, text: str) -> list[str]:
    with pytest.raises(InvalidManifest) as caught:
        load_manifest(written(folder, text), BOTH, env={}, shown="udfs.yaml")
    return [brief(problem) for problem in caught.value.problems]


def test_the_kind_chooses_the_model(tmp_path: Path) -> None:
    loaded = load_manifest(written(tmp_path, GOOD), BOTH, env={})
    assert isinstance(loaded.manifest, ShelfManifest)
    assert loaded.manifest.books["atlas"].labels == {"shelf": "top"}
    assert loaded.target == ShelfTarget(region="north", variables={"where": "north"})
    assert loaded.manifest.runtime().service.max_resource == 100


def test_without_targets_the_kind_says_where(tmp_path: Path) -> None:
    text = GOOD.replace(GOOD.splitlines(keepends=True)[2], "")
    loaded = load_manifest(written(tmp_path, text), BOTH, env={})
    assert (loaded.target_name, loaded.target) == ("local", ShelfTarget(region="here"))


def test_checks_of_the_kind_and_common_ones_meet(tmp_path: Path) -> None:
    text = GOOD.replace("to: atlas", "to: atlsa") + "packages: {p: {wheels: [p.zip]}}\n"
    text = text.replace("a.txt, labels: {shelf: top}}", "a.txt}, Atlas: {file: a.txt}, x1: {file: a.txt}")
    assert says(tmp_path, text) == [
        "4:25 E530 there is no 'atlsa' that anything could be called now",
        "5:9 E201 the book 'atlas' has no label",
        "5:31 E201 the book 'Atlas' has no label",
        "5:31 E303 the books 'atlas' and 'Atlas' differ only in case",
        "5:53 E201 the book 'x1' has no label",
        "5:53 E302 'x1' cannot be the name of a book",
        "6:12 E312 no function uses the package 'p'",
        "6:25 E406 'p.zip' is not a wheel",
    ]


def test_keys_of_another_kind_are_unknown_and_the_hints_name_its_own(tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest) as caught:
        load_manifest(written(tmp_path, GOOD + "tables: {}\n"), BOTH, env={})
    assert [problem.message for problem in caught.value.problems] == ["unknown key 'tables'"]
    assert spell(caught.value.problems[0].hint) == "did you mean 'variables'?"
    assert says(tmp_path, GOOD.replace("file: a.txt", "flie: a.txt"))[0] == ("5:17 E214 unknown key 'flie'")


@pytest.mark.parametrize(
    ("kind", "hint"),
    [("shelv", "did you mean 'shelf'?"), ("x", "kinds: maxcompute, fc, flink, shelf")],
)
def test_an_unknown_kind_is_an_error_with_its_place(tmp_path: Path, kind: str, hint: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        load_manifest(written(tmp_path, GOOD.replace("shelf}", f"{kind}}}", 1)), BOTH, env={}, shown="udfs.yaml")
    (problem,) = caught.value.problems
    assert (brief(problem), problem.hint) == (f"2:16 E203 there is no kind of target '{kind}'", hint)


@pytest.mark.parametrize("target", ["", "target:\n", "target: {}\n", "target: {kind: maxcompute}\n"])
def test_maxcompute_is_the_kind_of_a_manifest_that_names_none(tmp_path: Path, target: str) -> None:
    loaded = load_manifest(written(tmp_path, f"stack: s\n{target}functions:\n"), BOTH, env={})
    assert loaded.manifest.target.kind == "maxcompute"


@pytest.mark.parametrize(
    ("target", "message"),
    [("[a]", "'target' takes a mapping"), ("{kind: [a]}", "a list or mapping is not allowed for 'kind'")],
)
def test_a_kind_that_is_no_text_is_refused_by_the_model(tmp_path: Path, target: str, message: str) -> None:
    assert [one.partition(" ")[2] for one in says(tmp_path, f"stack: s\ntarget: {target}\nfunctions:\n")] == [
        f"{'E202' if 'takes a' in message else 'E203'} {message}"
    ]


def test_the_schema_and_the_targets_are_those_of_the_kind(tmp_path: Path) -> None:
    schema = manifest_schema(ShelfManifest)
    assert {"books", "packages"} <= schema["properties"].keys()
    assert "tables" not in schema["properties"]
    found = effective_targets(written(tmp_path, GOOD), BOTH, {})
    assert [(value.key, value.text) for value in found["local"]] == [("region", "north"), ("where", "north")]


def test_where_a_service_has_no_folder_for_it_nothing_of_debian_is_taken(tmp_path: Path) -> None:
    text = GOOD + "packages: {p: {debian: [libz1]}}\n"
    assert "6:16 E457 Shelf has no place for Debian's libraries, programs and data" in says(tmp_path, text)


def test_an_environment_that_is_given_as_an_archive_uses_no_package(tmp_path: Path) -> None:
    (tmp_path / "venv.zip").touch()
    text = (
        "stack: s\ntarget: {kind: flink}\ntargets: {local: {endpoint: local, engine: flink-1.20}}\n"
        "environments: {made: {python: cp311, requirements: [six]}, given: {python: cp311, archive: venv.zip}}\n"
    )
    loaded = load_manifest(written(tmp_path, text), BOTH, env={})
    assert [(package, runtime.tag) for package, runtime in loaded.package_runtimes] == [("made", "cp311")]
