"""Wheels that rely on what an installer does beyond copying, imported as a worker has them."""

from __future__ import annotations

import json
import os
import shutil
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.base.errors import PackageError
from reconciler.cli.entry import run
from reconciler.local.runner import InterpreterNotFound, failures, locate
from reconciler.packages.collect import collect_from
from reconciler.packages.fetch.cache import Cache
from reconciler.packages.fetch.pip import PipIndex
from reconciler.packages.inspect.site import hidden_packages
from reconciler.packages.wheels import Supply
from tests.builders import unchecked, wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from reconciler.local.runner import Interpreter
    from reconciler.packages.artifacts import Archive, Artifacts

    Fetch = Callable[[str, str, str, str], Path]

PYTHONS = {"cp27": (2, 7), "cp37": (3, 7), "cp311": (3, 11)}
ANY = "py2.py3-none-any"
INITS = {
    "extends": "from pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)\n",
    "declares": "__import__('pkg_resources').declare_namespace(__name__)\n",
    "closed": "VERSION = 1\n",
}
"""Of a package that several archives have; it may be open, without one, and its wheel may make up for that by a .pth."""


def _collect(folder: Path, python: str, wheels: Sequence[Path], **function: Any) -> Artifacts:
    manifest = {
        "stack": "real",
        "python": python,
        "packages": {"p": {"wheels": [path.name for path in wheels]}},
        "functions": {"f": {"class": "m.F", "packages": ["p"], **function}},
    }
    return collect_from(unchecked(folder, manifest), Supply(cache=Cache(folder / "cache"), index=PipIndex({})))


def _interpreter(python: str) -> Interpreter:
    try:
        return locate(python, os.environ)
    except InterpreterNotFound as missing:
        pytest.skip(str(missing))


def _fetched(fetch: Fetch, folder: Path, requirement: str) -> Path:
    return Path(shutil.copy(fetch(requirement, "27", "cp27m", "any"), folder))


def _failures(python: str, archives: Sequence[Archive], names: Sequence[str]) -> Mapping[str, str]:
    answer = failures(_interpreter(python), [(archive.name, archive.content.path) for archive in archives], names)
    assert answer is not None
    return answer


def _codes(artifacts: Artifacts) -> list[str]:
    return [problem.code for problem in artifacts.warnings]


WHOLE = os.environ.get("UDFS_PROOF") == "whole"
WAYS = [
    ways
    for ways in product(("open", "nspkg", *INITS), repeat=2)
    # pkg_resources takes half a second to import, and is tried in every pair at night.
    if WHOLE
    or ways.count("declares") == 0
    or ways in {("open", "declares"), ("declares", "nspkg"), ("closed", "declares")}
]


def _portions(module: str, position: int) -> Iterator[tuple[str, str]]:
    """Yield the files of one archive: its part of a package for every way in which two archives can share one."""
    for ways in WAYS:
        package, how = "_".join(ways), ways[position]
        yield f"{package}/{module}.py", ""
        if how in INITS:
            yield f"{package}/__init__.py", INITS[how]


def _namespaces(stem: str, names: Sequence[str]) -> dict[str, str]:
    return {f"{stem}-nspkg.pth": "import sys\n", f"{stem}.dist-info/namespace_packages.txt": "\n".join(names)}


@pytest.mark.parametrize("python", PYTHONS if WHOLE else ["cp27", "cp37"])
def test_of_a_shared_package_is_imported_what_nobody_says_is_hidden(fetch: Fetch, tmp_path: Path, python: str) -> None:
    setuptools = _fetched(fetch, tmp_path, "setuptools==44.1.1")
    wheels = []
    for position, name in enumerate(("left", "right")):
        declared = _namespaces(f"{name}-1.0", ["_".join(ways) for ways in WAYS if ways[position] == "nspkg"])
        wheels.append(wheel(tmp_path, name, tag=ANY, files=dict(_portions(name, position)) | declared))
    archives = _collect(tmp_path, python, [*wheels, setuptools]).archives["p", python]
    hidden = hidden_packages([(archive.name, archive.facts.site) for archive in archives], PYTHONS[python])
    modules = {
        f"{'_'.join(ways)}.{name}": "_".join(ways) in hidden.get(archive.name, {})
        for ways in WAYS
        if ways != ("closed", "closed")  # E432 tells of those
        for archive, name in zip(archives, ("left", "right"), strict=False)
    }
    assert {name for name, is_hidden in modules.items() if is_hidden} == {*_failures(python, archives, [*modules])}


@pytest.mark.parametrize("python", ["cp27", "cp37"])
def test_an_archive_of_which_nothing_can_be_imported_is_refused(tmp_path: Path, python: str) -> None:
    whole = wheel(tmp_path, "whole", tag=ANY, files={"corp/__init__.py": "", "corp/whole.py": ""})
    part = wheel(tmp_path, "part", tag=ANY, files={"corp/part/__init__.py": ""} | _namespaces("part-1.0", ["corp"]))
    with pytest.raises(PackageError) as caught:
        _collect(tmp_path, python, [whole, part])
    (problem,) = caught.value.problems
    assert (problem.code, "whole-1.0" in problem.message) == ("E434", True)
    assert "bundle: single" in str(problem.hint)


def test_a_folder_without_init_is_no_package_to_python_27(tmp_path: Path) -> None:
    open_package = wheel(tmp_path, "open", tag=ANY, files={"corp/part.py": ""})
    assert _codes(_collect(tmp_path, "cp27", [open_package])) == ["E434"]
    assert _codes(_collect(tmp_path, "cp37", [open_package])) == []


def test_what_only_site_packages_do_is_told(tmp_path: Path) -> None:
    start = wheel(tmp_path, "start", tag=ANY, files={"start.py": "", "start.pth": "import start; start.begin()\n"})
    programs = wheel(tmp_path, "programs", tag=ANY, files={"programs-1.0.data/scripts/run": "#!python\n"})
    prefix = "import sys\nROOT = sys.prefix + '/share/p'\n"
    asking = wheel(
        tmp_path, "asking", tag=ANY, files={"asking.py": prefix, "asking-1.0.data/data/share/p/words.txt": "a"}
    )
    manual = wheel(
        tmp_path, "manual", tag=ANY, files={"manual.py": prefix, "manual-1.0.data/data/share/man/man1/p.1": "a"}
    )
    artifacts = _collect(tmp_path, "cp37", [start, programs, asking, manual])
    told = {(problem.code, problem.message.split("-")[0].strip("'")) for problem in artifacts.warnings}
    assert told == {("E435", "start"), ("E436", "programs"), ("E436", "asking")}


def test_an_unwired_function_is_told_of_the_folders_of_a_pth_file(tmp_path: Path) -> None:
    path = wheel(
        tmp_path, "path", tag=ANY, files={"path.pth": "# comment\npath/lib\nelsewhere\n", "path/lib/inner.py": ""}
    )
    (problem,) = _collect(tmp_path, "cp37", [path], wire=False).warnings
    assert (problem.code, problem.hint) == ("E435", "sys.path.insert(0, 'work/path-1.0-py2.py3-none-any.zip/path/lib')")
    assert _codes(_collect(tmp_path, "cp37", [path])) == []


MANIFEST = """\
stack: site
packages: {p: {wheels: WHEELS}}
functions:
  f27: {source: f.py, class: F, packages: [p], isolation: true, python: cp27}
  f37: {source: f.py, class: F, packages: [p], isolation: true, python: cp37}
  f311: {source: f.py, class: F, packages: [p], isolation: true, python: cp311}
"""
FUNCTION = """\
from odps.udf import annotate

@annotate("->string")
class F(object):
    def evaluate(self):
        import beside, inner, zope.event, zope.ours
        try:
            from importlib.metadata import entry_points, version
        except ImportError:
            from pkg_resources import get_distribution, iter_entry_points
            (point,), has_version = iter_entry_points("site.plugs"), bool(get_distribution("zope.event").version)
        else:
            (point,), has_version = entry_points(group="site.plugs"), bool(version("zope.event"))
        return "%s %s %s %s" % (beside.TABLE, inner.NAME, point.load().NAME, has_version)
"""
LOCAL = {
    "path": {"path.pth": "lib\n", "lib/inner.py": "NAME = 'inner'\n"},
    "beside": {
        "beside/__init__.py": "import os\nTABLE = open(os.path.join(os.path.dirname(__file__), 'table.txt')).read()\n",
        "beside-1.0.data/data/beside/table.txt": "table",
    },
    "plug": {
        "plug-1.0.data/purelib/plug.py": "NAME = 'plug'\n",
        "plug-1.0.dist-info/entry_points.txt": "[site.plugs]\np = plug\n",
    },
    "ours": {"zope/ours.py": ""} | _namespaces("ours-1.0", ["zope"]),
}


def test_what_an_installer_would_set_up_is_there_in_a_call(
    fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Namespace packages over archives, folders of a .pth, data beside modules, entry points and metadata of other archives."""
    wheels = [_fetched(fetch, tmp_path, requirement) for requirement in ("setuptools==44.1.1", "zope.event==4.6")]
    wheels += [wheel(tmp_path, name, tag=ANY, files=files) for name, files in LOCAL.items()]
    (tmp_path / "udfs.yaml").write_text(MANIFEST.replace("WHEELS", json.dumps([path.name for path in wheels])))
    (tmp_path / "f.py").write_text(FUNCTION)
    monkeypatch.chdir(tmp_path)
    assert run(["apply", "--yes"]) == 0, capsys.readouterr().err
    capsys.readouterr()
    for function, runtime in (("f27", "cp27"), ("f37", "cp37"), ("f311", "cp311")):
        _interpreter(runtime)
        code, answer = run(["call", function]), capsys.readouterr()
        assert (code, answer.out.strip()) == (0, "table inner plug True"), answer.err
