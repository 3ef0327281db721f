"""From a manifest to artifacts: everything once, every problem told, nothing unfit let through."""

from __future__ import annotations

import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from reconciler.base.errors import PackageError, Problem
from reconciler.base.hints import spell
from reconciler.packages.collect import collect_from
from reconciler.packages.fetch.cache import Cache
from reconciler.packages.inspect import contents as inspection
from reconciler.packages.wheels import Supply
from reconciler.targets.maxcompute.runtimes import SERVICE
from tests.builders import sha256, unchecked, wheel
from tests.natives import elf

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.artifacts import Artifacts
    from reconciler.packages.fetch.indexes import Pin

CP37 = "cp37-cp37m-manylinux1_x86_64"


class ShelfIndex:
    """An index of given files, found by their hash. It remembers who asked."""

    def __init__(self, *wheels: Path) -> None:
        self.wheels = {sha256(path): path for path in wheels}
        self.asked: Counter[str] = Counter()
        self.versions: dict[str, str] = {}
        self.stopped = False

    def fetch(self, pin: Pin, runtime: Runtime, folder: Path) -> Path:
        self.asked[f"{pin} {runtime.tag}"] += 1
        if pin.sha256 not in self.wheels:
            raise PackageError("E403", f"{pin} cannot be fetched for {runtime.tag}")
        shutil.copy(self.wheels[pin.sha256], folder)
        return folder / self.wheels[pin.sha256].name

    def direct(self, *_: object) -> None:
        return None

    def fetch_all(self, pins: Sequence[Pin], runtime: Runtime, folder: Path) -> list[Path]:
        return [self.fetch(pin, runtime, folder) for pin in pins]

    def newest(self, name: str, runtime: Runtime, folder: Path) -> str | None:
        self.asked[f"newest {name} {runtime.tag}"] += 1
        return self.versions.get(name)

    def stop(self) -> None:
        self.stopped = True


class World:
    """A manifest's folder, a cache and an index."""

    def __init__(self, root: Path) -> None:
        self.folder, self.shelf, self.cache = root / "stack", root / "shelf", Cache(root / "cache")
        self.folder.mkdir()
        self.index = ShelfIndex()
        self.fetched: list[str] = []

    def on_shelf(self, *wheels: Path) -> None:
        self.index = ShelfIndex(*wheels)

    def build(self, **manifest: Any) -> Artifacts:
        manifest.setdefault("functions", {"f": {"class": "m.F", "packages": [*manifest.get("packages", {})]}})
        return collect_from(
            unchecked(self.folder, manifest),
            Supply(
                cache=self.cache,
                index=self.index,
                on_fetch=self.fetched.append,
            ),
        )

    def problems(self, **manifest: Any) -> list[Problem]:
        with pytest.raises(PackageError) as caught:
            self.build(**manifest)
        return list(caught.value.problems)

    def problem(self, **manifest: Any) -> Problem:
        (problem,) = self.problems(**manifest)
        return problem


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _group(*wheels: Any) -> dict[str, Any]:
    return {"wheels": list(wheels)}


def _pin(requirement: str, path: Path) -> dict[str, str]:
    return {"requirement": requirement, "sha256": sha256(path)}


def test_sources_and_resource_files_are_read_under_the_path_of_the_manifest(world: World) -> None:
    (world.folder / "f.py").write_bytes(b"code")
    (world.folder / "data").mkdir()
    (world.folder / "data" / "a.csv").write_bytes(b"a,b")
    artifacts = world.build(
        resources={"a.csv": {"file": "data/a.csv"}, "t": {"table": "x"}},
        functions={"f": {"class": "F", "source": "f.py"}, "g": {"class": "G", "source": "f.py"}},
    )
    assert {name: found.size for name, found in artifacts.files.items()} == {"f.py": 4, "data/a.csv": 3}
    assert artifacts.files["f.py"].path == world.folder / "f.py"


def test_a_wheel_becomes_an_archive_with_zip_for_whl(world: World) -> None:
    path = wheel(world.folder / "dist", "my-package", "1.2", tag="py2.py3-none-any")
    artifacts = world.build(packages={"mine": _group(f"dist/{path.name}")})
    (found,) = artifacts.archives["mine", "cp37"]
    (made_of,) = found.wheels
    assert (made_of.filename, found.name) == (path.name, "my_package-1.2-py2.py3-none-any.zip")
    assert (found.native, made_of.requirement, found.content.sha256) == (False, None, sha256(path))
    assert not found.is_packed


@pytest.mark.parametrize(
    ("tag", "files", "native"),
    [
        ("py3-none-any", {"a.py": ""}, False),
        ("py3-none-any", {"a/b.so": b""}, True),
        ("py3-none-any", {"a/b.so.1.2": b""}, True),
        ("py3-none-any", {"a/b.source": b""}, False),
        ("py3-none-manylinux1_x86_64", {"a.py": ""}, True),
        (CP37, {"a.py": ""}, True),
    ],
)
def test_compiled_code_is_known_by_the_tag_or_by_what_is_inside(
    world: World, tag: str, files: dict[str, bytes | str], native: bool
) -> None:
    path = wheel(world.folder, "a", tag=tag, files=files)
    artifacts = world.build(packages={"p": _group(path.name)})
    assert artifacts.archives["p", "cp37"][0].native is native


def test_wheels_keep_the_order_of_the_manifest(world: World) -> None:
    names = [wheel(world.folder, name).name for name in ("c", "a", "d", "b", "e", "f")]
    artifacts = world.build(packages={"p": _group(*names)})
    assert [found.wheels[0].filename for found in artifacts.archives["p", "cp37"]] == names


def test_a_pinned_wheel_is_fetched_once_however_many_functions_and_packages_name_it(world: World) -> None:
    pure = wheel(world.shelf, "pure", "2.0")
    world.on_shelf(pure)
    functions = {
        name: {"class": "m.F", "packages": ["p", "q"], "python": python}
        for name, python in (("f", "cp37"), ("g", "cp37"), ("h", "cp311"))
    }
    packages = {"p": _group(_pin("pure==2.0", pure)), "q": _group(_pin("pure==2.0", pure))}
    artifacts = world.build(packages=packages, functions=functions)
    assert set(artifacts.archives) == {("p", "cp37"), ("q", "cp37"), ("p", "cp311"), ("q", "cp311")}
    assert {found for archives in artifacts.archives.values() for found in archives} == {
        artifacts.archives["p", "cp37"][0]
    }
    assert artifacts.archives["p", "cp37"][0].wheels[0].requirement == "pure==2.0"
    assert world.index.asked == {"pure==2.0 cp37": 1}
    assert world.fetched == ["pure==2.0"]


def test_the_second_build_fetches_nothing(world: World) -> None:
    pure = wheel(world.shelf, "pure")
    world.on_shelf(pure)
    packages = {"p": _group(_pin("pure==1.0", pure))}
    first = world.build(packages=packages)
    world.on_shelf()
    assert world.build(packages=packages) == first
    assert world.fetched == ["pure==1.0"]


def test_a_package_that_no_function_uses_is_not_fetched(world: World) -> None:
    pure = wheel(world.shelf, "pure")
    assert (
        world.build(packages={"p": _group(_pin("pure==1.0", pure))}, functions={"f": {"class": "m.F"}}).archives == {}
    )
    assert world.index.asked == {}


def test_a_pin_that_one_runtime_cannot_find_is_looked_for_with_the_others(world: World) -> None:
    native = wheel(world.shelf, "native", tag=CP37)

    class OnlyFor37(ShelfIndex):
        def fetch(self, pin: Pin, runtime: Runtime, folder: Path) -> Path:
            if runtime.tag != "cp37":
                raise PackageError("E403", f"{pin} cannot be fetched for {runtime.tag}")
            return super().fetch(pin, runtime, folder)

    world.index = OnlyFor37(native)
    functions = {
        name: {"class": "m.F", "packages": ["p"], "python": python} for name, python in (("f", "cp311"), ("g", "cp37"))
    }
    problem = world.problem(packages={"p": _group(_pin("native==1.0", native))}, functions=functions)
    assert problem.code == "E401"
    assert "does not load in cp311" in problem.message
    assert spell(problem.hint).startswith("what fits ends in cp311-cp311-manylinux1_x86_64.whl, up to")


def test_for_a_pin_that_does_not_load_the_newest_version_that_does_is_named(world: World) -> None:
    native = wheel(world.shelf, "native", tag=CP37)
    world.on_shelf(native)
    world.index.versions["native"] = "2.1"
    functions = {
        name: {"class": "m.F", "packages": ["p", "q"], "python": python}
        for name, python in (("f", "cp37"), ("g", "cp311"))
    }
    groups = {name: _group(_pin("native==1.0", native)) for name in "pq"}
    for problem in world.problems(packages=groups, functions=functions):
        assert spell(problem.hint).startswith("2.1 is the newest version of native that has a wheel for it; what fits")
    assert world.index.asked["newest native cp311"] == 1
    assert world.index.asked["newest native cp37"] == 0


def test_the_index_is_not_told_the_names_of_wheels_that_lie_in_the_folder(world: World) -> None:
    assert world.problem(packages={"p": _group(wheel(world.folder, "own", tag="cp38-cp38-any").name)}).code == "E401"
    assert world.index.asked == {}


def test_a_wheel_for_another_python_is_refused_where_the_manifest_names_it(world: World) -> None:
    path = wheel(world.folder, "a", tag="cp38-cp38-manylinux1_x86_64")
    good = wheel(world.folder, "good")
    problem = world.problem(packages={"p": _group(good.name, path.name)})
    assert problem.code == "E401"
    assert (
        problem.message == f"'{path.name}' does not load in cp37: it is for CPython 3.8, and the runtime is CPython 3.7"
    )
    assert str(problem.at) == "packages/p/wheels/1:1:1"
    assert problem.hint is not None
    assert "cp37-cp37m-manylinux2014_x86_64.whl" in spell(problem.hint)


def test_every_problem_is_told_at_once_in_the_order_of_the_places(world: World) -> None:
    wide = wheel(world.folder, "a", tag="cp27-cp27mu-manylinux1_x86_64")
    (world.folder / "broken-1.0-py3-none-any.whl").write_bytes(b"PK")
    absent = {"requirement": "absent==1.0", "sha256": "0" * 64}
    problems = world.problems(
        packages={
            "one": _group(wide.name, {"requirement": "loose>=1", "sha256": "0" * 64}),
            "two": _group("broken-1.0-py3-none-any.whl", absent, "gone-1.0-py3-none-any.whl"),
        },
        functions={"f": {"class": "F", "source": "gone.py", "packages": ["one", "two"]}},
    )
    assert [(str(problem.at), problem.code) for problem in problems] == [
        ("functions/f/source:1:1", "E305"),
        ("packages/one/wheels/0:1:1", "E401"),
        ("packages/one/wheels/1:1:1", "E404"),
        ("packages/two/wheels/0:1:1", "E406"),
        ("packages/two/wheels/1:1:1", "E403"),
        ("packages/two/wheels/2:1:1", "E305"),
    ]


def test_one_problem_of_a_wheel_is_told_once_for_all_functions(world: World) -> None:
    (world.folder / "broken-1.0-py3-none-any.whl").write_bytes(b"PK")
    functions = {
        name: {"class": "m.F", "packages": ["p"], "python": python} for name, python in (("f", "cp311"), ("g", "cp37"))
    }
    problem = world.problem(packages={"p": _group("broken-1.0-py3-none-any.whl")}, functions=functions)
    assert problem.code == "E406"


@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_a_cut_off_wheel_is_not_a_wheel(world: World, keep: int) -> None:
    path = wheel(world.folder, "a")
    path.write_bytes(path.read_bytes()[:keep])
    problem = world.problem(packages={"p": _group(path.name)})
    assert problem.code == "E406"
    assert path.name in problem.message


@pytest.mark.parametrize("filename", ["a.whl", "a-1.0.whl", "a-one-py3-none-any.whl", "a-1.0-py3-none-any.WHL"])
def test_a_wheel_with_another_name_is_not_a_wheel(world: World, filename: str) -> None:
    wheel(world.folder, "a").rename(world.folder / filename)
    problem = world.problem(packages={"p": _group(filename)})
    assert problem.code == "E406"
    assert f"'{filename}' is not the name of a wheel" in problem.message


def test_a_zip_without_a_wheels_metadata_is_not_a_wheel(world: World) -> None:
    shutil.make_archive(str(world.folder / "a"), "zip", world.folder)
    (world.folder / "a.zip").rename(world.folder / "a-1.0-py3-none-any.whl")
    assert "has no .dist-info/WHEEL" in world.problem(packages={"p": _group("a-1.0-py3-none-any.whl")}).message


def test_a_local_version_can_be_a_resource_name_and_an_epoch_cannot(world: World) -> None:
    local = wheel(world.folder, "a", "1.0+cpu.1")
    assert (
        world.build(packages={"p": _group(local.name)}).archives["p", "cp37"][0].name == "a-1.0+cpu.1-py3-none-any.zip"
    )
    epoch = wheel(world.folder, "a", "1!1.0")
    problem = world.problem(packages={"p": _group(epoch.name)})
    assert problem.code == "E302"
    assert "'a-1!1.0-py3-none-any.zip' cannot be the name of a resource" in problem.message


def test_what_is_larger_than_a_resource_may_be_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = wheel(world.folder, "a")
    (world.folder / "big.csv").write_bytes(b"x" * 200)
    monkeypatch.setitem(vars(SERVICE), "max_resource", 100)
    problems = world.problems(packages={"p": _group(path.name)}, resources={"big.csv": {"file": "big.csv"}})
    assert [(problem.code, str(problem.at)) for problem in problems] == [
        ("E405", "packages/p/wheels/0:1:1"),
        ("E405", "resources/big.csv/file:1:1"),
    ]


def test_a_hash_that_belongs_to_another_package_is_refused_even_from_the_cache(world: World) -> None:
    other = wheel(world.shelf, "other")
    world.on_shelf(other)
    world.build(packages={"p": _group(_pin("other==1.0", other))})
    for requirement in ("pure==1.0", "other==1.1"):
        problem = world.problem(packages={"p": _group(_pin(requirement, other))})
        assert problem.code == "E402"
        assert problem.message == f"the sha256 of {requirement} is that of '{other.name}'"


def test_two_files_for_one_archive_name_are_refused_whatever_the_case(world: World) -> None:
    first = wheel(world.folder / "a", "same")
    second = wheel(world.folder / "b", "Same", files={"other.py": ""})
    problem = world.problem(packages={"p": _group(f"a/{first.name}"), "q": _group(f"b/{second.name}")})
    assert (problem.code, str(problem.at)) == ("E309", "packages/q/wheels/0:1:1")


def test_the_same_bytes_under_one_name_are_one_archive(world: World) -> None:
    first = wheel(world.folder / "a", "same")
    second = wheel(world.folder / "b", "same")
    artifacts = world.build(packages={"p": _group(f"a/{first.name}"), "q": _group(f"b/{second.name}")})
    assert artifacts.archives["p", "cp37"][0].name == artifacts.archives["q", "cp37"][0].name


def test_an_interruption_stops_the_index_and_is_passed_on(world: World) -> None:
    class Interrupted(ShelfIndex):
        def fetch(self, pin: Pin, runtime: Runtime, folder: Path) -> Path:
            raise KeyboardInterrupt

    index = world.index = Interrupted()
    packages = {"p": _group({"requirement": "a==1.0", "sha256": "0" * 64})}
    with pytest.raises(KeyboardInterrupt):
        world.build(packages=packages)
    assert index.stopped
    assert list(world.cache.root.iterdir()) == []


# --- The gate and libraries -----------------------------------------------------------------------------------------------


def _library(world: World, path: str, **given: Any) -> str:
    (world.folder / path).parent.mkdir(parents=True, exist_ok=True)
    (world.folder / path).write_bytes(elf(**given))
    return path


def _binding(world: World, *needed: str, tag: str = CP37, **given: Any) -> str:
    return wheel(world.folder, "binding", tag=tag, files={"binding/_b.so": elf(needed=needed, **given)}).name


def test_a_library_is_named_by_its_soname_whatever_its_file_is_called(world: World) -> None:
    path = _library(world, "build/libgeos-3.8.so", soname="libgeos_c.so.1")
    artifacts = world.build(packages={"p": {**_group(_binding(world, "libgeos_c.so.1")), "libraries": [path]}})
    (found,) = artifacts.libraries["p"]
    assert (found.name, found.path, found.content.size) == ("libgeos_c.so.1", path, len(elf(soname="libgeos_c.so.1")))
    assert artifacts.files[path] == found.content
    assert artifacts.warnings == ()


def test_a_library_without_a_soname_keeps_the_name_of_its_file(world: World) -> None:
    path = _library(world, "build/libplain.so")
    artifacts = world.build(packages={"p": {**_group(_binding(world, "libplain.so")), "libraries": [path]}})
    assert artifacts.libraries["p"][0].name == "libplain.so"


def test_libraries_are_given_after_those_they_need_and_once(world: World) -> None:
    proj = _library(world, "proj.so", soname="libproj.so.15")
    gdal = _library(world, "gdal.so", soname="libgdal.so.26", needed=("libproj.so.15",))
    pure = _group(wheel(world.folder, "pure").name)
    artifacts = world.build(packages={"p": {**pure, "libraries": [gdal, proj]}, "q": {**pure, "libraries": [proj]}})
    found = artifacts.libraries_of(["p", "q"])
    assert [(package, one.name) for package, one in found] == [("p", "libproj.so.15"), ("p", "libgdal.so.26")]
    assert artifacts.shipments["f"].of("library")


def test_libraries_of_packages_that_no_function_uses_are_not_read(world: World) -> None:
    packages = {"p": {**_group("no.whl"), "libraries": ["no.so"]}}
    assert world.build(packages=packages, functions={"f": {"class": "m.F"}}).libraries == {}


def test_a_library_that_cannot_be_used_is_told_at_its_place_in_the_list(world: World) -> None:
    (world.folder / "script.so").write_text("GROUP ( libreal.so.1 )")
    (world.folder / "cut.so").write_bytes(elf()[:50])
    libraries = [
        "script.so",
        "cut.so",
        _library(world, "new.so", versions={"libc.so.6": ("GLIBC_2.34",)}),
        _library(world, "odd.so", soname="/opt/lib/odd.so"),
        "gone.so",
    ]
    found = world.problems(packages={"p": {**_group(wheel(world.folder, "pure").name), "libraries": libraries}})
    assert [(str(one.at).partition(":")[0], one.code) for one in found] == [
        ("packages/p/libraries/0", "E411"),
        ("packages/p/libraries/1", "E411"),
        ("packages/p/libraries/2", "E412"),
        ("packages/p/libraries/3", "E302"),
        ("packages/p/libraries/4", "E305"),
    ]


@pytest.mark.parametrize("taken", ["resource", "table", "source", "library", "wheel"])
def test_a_soname_that_is_something_elses_name_is_a_clash(world: World, taken: str) -> None:
    name = {"source": "f.py", "wheel": "pure-1.0-py3-none-any.zip"}.get(taken, "libx.so.1")
    path = _library(world, "x.so", soname=name)
    other = _library(world, "other/x.so", soname="libx.so.1", needed=("libc.so.6",))
    (world.folder / "f.py").write_text("")
    resources = {"resource": {"libx.so.1": {"file": other}}, "table": {"LIBX.so.1": {"table": "t"}}}.get(taken, {})
    libraries = [path, *([other] if taken == "library" else [])]
    found = world.problem(
        packages={"p": {**_group(wheel(world.folder, "pure").name), "libraries": libraries}},
        resources=resources,
        functions={"f": {"class": "F", "packages": ["p"], "source": "f.py"}},
    )
    assert found.code == "E309"
    assert f"would be uploaded as '{name}', its SONAME" in found.message


def test_one_library_named_twice_with_the_same_bytes_is_no_clash(world: World) -> None:
    path = _library(world, "x.so", soname="libx.so.1")
    group = {**_group(wheel(world.folder, "pure").name), "libraries": [path]}
    artifacts = world.build(packages={"p": group, "q": group}, resources={"libx.so.1": {"file": path}})
    assert len(artifacts.libraries_of(["p", "q"])) == 1


def test_a_wheel_that_would_not_load_is_refused_at_its_place(world: World) -> None:
    found = world.problem(packages={"p": _group(_binding(world, versions={"libc.so.6": ("GLIBC_2.34",)}))})
    assert (found.code, str(found.at)) == ("E412", "packages/p/wheels/0:1:1")
    assert found.message.startswith(
        "'binding-1.0-cp37-cp37m-manylinux1_x86_64.whl' needs a newer system than cp37 has: "
    )


def test_a_wheel_without_a_level_in_its_name_is_judged_by_what_is_inside(world: World) -> None:
    fits = world.build(packages={"p": _group(_binding(world, "libc.so.6", tag="cp37-cp37m-linux_x86_64"))})
    assert fits.archives["p", "cp37"][0].name == "binding-1.0-cp37-cp37m-linux_x86_64.zip"
    tag = "cp37-cp37m-linux_x86_64"
    name = _binding(world, tag=tag, versions={"libc.so.6": ("GLIBC_2.28",)})
    assert world.problem(packages={"p": _group(name)}).code == "E412"


def test_a_wheel_that_was_changed_is_refused(world: World) -> None:
    path = wheel(world.folder, "a")
    with ZipFile(path, "a") as archive:
        archive.writestr("extra.py", "")
    found = world.problem(packages={"p": _group(path.name)})
    assert (found.code, found.detail) == ("E420", ("extra.py: in the wheel and not in RECORD",))


def test_what_a_wheel_misses_is_told_where_the_wheel_stands(world: World) -> None:
    found = world.problem(packages={"p": _group(wheel(world.folder, "u").name, _binding(world, "libgdal.so.26"))})
    assert (found.code, str(found.at), found.detail) == ("E415", "packages/p/wheels/1:1:1", ())
    assert "'libgdal.so.26'" in found.message


def test_what_only_some_functions_miss_names_them(world: World) -> None:
    path = _library(world, "g.so", soname="libgdal.so.26")
    groups = {
        "p": _group(_binding(world, "libgdal.so.26")),
        "g": {**_group(wheel(world.folder, "u").name), "libraries": [path]},
    }
    functions = {"f": {"class": "m.F", "packages": ["p", "g"]}, "h": {"class": "m.H", "packages": ["p"]}}
    assert world.problem(packages=groups, functions=functions).detail == ("in h",)


@pytest.mark.parametrize("name", ["libgdal.so.26", "libgdal.so"])
def test_the_vendors_pattern_of_a_library_as_a_resource_is_understood(world: World, name: str) -> None:
    path = _library(world, "g.so", soname="libgdal.so.26")
    functions = {"f": {"class": "m.F", "packages": ["p"], "resources": [name]}}
    packages, resources = {"p": _group(_binding(world, "libgdal.so.26"))}, {name: {"file": path}}
    assert world.build(packages=packages, resources=resources, functions=functions).warnings == ()


def test_what_another_projects_resource_may_bring_is_a_warning(world: World) -> None:
    functions = {"f": {"class": "m.F", "packages": ["p"], "resources": ["other/resources/libs.zip"]}}
    artifacts = world.build(packages={"p": _group(_binding(world, "libgdal.so.26"))}, functions=functions)
    assert [one.code for one in artifacts.warnings] == ["E416"]


def test_a_native_resource_is_judged_for_the_runtimes_of_its_functions(world: World) -> None:
    resources = {"x.so": {"file": _library(world, "x.so", names=("PyUnicodeUCS2_FromString",))}}
    functions = {"f": {"class": "m.F", "python": "cp27", "resources": ["x.so"]}, "g": {"class": "m.G"}}
    assert world.build(resources=resources, functions=functions).warnings == ()
    functions["g"] = {"class": "m.G", "python": "cp37", "resources": ["x.so"]}
    found = world.problem(resources=resources, functions=functions)
    assert (found.code, str(found.at)) == ("E414", "resources/x.so/file:1:1")


def test_archives_under_resources_may_be_data_so_what_would_not_load_is_a_warning(world: World) -> None:
    with ZipFile(world.folder / "x.zip", "w") as archive:
        archive.writestr("x.so", elf(versions={"libc.so.6": ("GLIBC_2.34",)}, needed=("libno.so",)))
    artifacts = world.build(
        resources={"x.zip": {"file": "x.zip"}}, functions={"f": {"class": "m.F", "resources": ["x.zip"]}}
    )
    assert sorted((one.code, one.severity) for one in artifacts.warnings) == [("E412", "warning"), ("E415", "warning")]
    assert artifacts.facts["x.zip"].kind == "zip"


def test_archives_under_resources_that_must_not_be_unpacked_are_refused(world: World) -> None:
    with ZipFile(world.folder / "x.zip", "w") as archive:
        archive.writestr("../x", b"")
    (world.folder / "y.tgz").write_bytes(b"no archive")
    found = world.problems(resources={"x.zip": {"file": "x.zip"}, "y.tgz": {"file": "y.tgz"}}, functions={})
    assert [one.code for one in found] == ["E421", "E423"]


def test_one_distribution_in_two_versions_is_refused_at_the_function(world: World) -> None:
    names = [wheel(world.folder, "a", version).name for version in ("1.0", "2.0")]
    found = world.problem(packages={"p": _group(*names)})
    assert (found.code, str(found.at)) == ("E433", "functions/f:1:1")


def test_a_python_resource_that_is_called_like_a_package_is_a_warning(world: World) -> None:
    (world.folder / "a.py").write_text("")
    functions = {"f": {"class": "m.F", "packages": ["p"], "resources": ["a.py", "data"]}}
    resources = {"a.py": {"file": "a.py"}, "data": {"file": "a.py"}}
    artifacts = world.build(
        packages={"p": _group(wheel(world.folder, "a").name)}, resources=resources, functions=functions
    )
    (warning,) = artifacts.warnings
    assert (warning.code, warning.detail) == ("E432", ("a-1.0-py3-none-any.zip", "a.py"))


def test_warnings_are_left_with_the_artifacts(world: World) -> None:
    files = {"tests/__init__.py": ""}
    names = [wheel(world.folder, name, files=files).name for name in ("a", "b")]
    artifacts = world.build(packages={"p": _group(*names)})
    assert [(one.code, one.severity) for one in artifacts.warnings] == [("E432", "warning")]


def test_a_wheel_is_looked_through_once_however_often_it_is_planned(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = wheel(world.folder, "a", files={"a.so": elf()})
    world.build(packages={"p": _group(path.name)})
    monkeypatch.setattr(inspection, "inspect_file", lambda path, kind: pytest.fail("it was looked through before"))
    assert world.build(packages={"p": _group(path.name)}).archives["p", "cp37"][0].facts.natives[0].path == "a.so"


def test_a_package_of_ones_own_has_the_same_bytes_whatever_lies_beside_its_files(world: World) -> None:
    package = world.folder / "udfs" / "common"
    (package / "deep").mkdir(parents=True)
    for name, text in (("__init__.py", ""), ("deep/x.py", "X = 1\n"), ("words.txt", "a\n")):
        (package / name).write_text(text)
    functions = {"f": {"class": "F", "source": "f.py", "modules": ["udfs/common"]}}
    (world.folder / "f.py").write_text("class F: pass\n")
    first = world.build(functions=functions).packages["udfs/common"]
    with ZipFile(first.content.path) as archive:
        assert archive.namelist() == ["common/__init__.py", "common/deep/x.py", "common/words.txt"]
        assert {one.compress_type for one in archive.infolist()} == {0}
    (package / "__pycache__").mkdir()
    for name in ("__pycache__/x.pyc", "deep/x.pyc", ".DS_Store"):
        (package / name).write_text("junk")
    assert world.build(functions=functions).packages["udfs/common"] == first
    assert first.name == f"common__{first.content.sha256[:8]}.zip"
    in_place = world.build(functions=functions, rollout="in_place").packages["udfs/common"]
    assert (in_place.name, in_place.content) == ("common.zip", first.content)
    (package / "link.py").symlink_to("words.txt")
    assert world.problem(functions=functions).code == "E421"


def test_what_is_added_to_a_source_goes_where_the_source_goes(world: World) -> None:
    """A source that is declared under `resources:`, too, is one module; under another name it is a file of its own."""
    path = wheel(world.folder / "dist", "geo", tag="py2.py3-none-any")
    (world.folder / "f.py").write_bytes(b"class F: pass")
    (world.folder / "g.py").write_bytes(b"class G: pass")
    artifacts = world.build(
        packages={"geo": _group(f"dist/{path.name}")},
        resources={"f.py": {"file": "f.py"}, "copy.py": {"file": "f.py"}},
        functions={"f": {"class": "F", "source": "f.py", "packages": ["geo"]}, "g": {"class": "G", "source": "g.py"}},
    )
    assert artifacts.module("g.py") == artifacts.files["g.py"]
    wired = artifacts.module("f.py")
    assert wired is not None
    assert wired is not None
    assert artifacts.resource("f.py", "f.py") == wired
    assert artifacts.resource("copy.py", "f.py") == artifacts.files["f.py"]
    assert {wired.sha256, artifacts.files["f.py"].sha256} <= {one.sha256 for one in artifacts.contents}
