"""From a manifest to the problems of its sources: which files, for whom, and remembered."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from reconciler.checks.python import check
from reconciler.checks.python.project import check_sources
from reconciler.manifest.load import load_manifest
from reconciler.packages.collect import collect_from
from reconciler.packages.fetch.cache import Cache
from reconciler.packages.fetch.pip import PipIndex
from reconciler.packages.inspect.contents import top_level
from reconciler.packages.wheels import Supply
from reconciler.targets.dialects import DIALECTS
from reconciler.targets.maxcompute.source_rules import SOURCE_RULES

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.base.errors import Problem

GOOD = "from odps.udf import annotate\n@annotate('->bigint')\nclass {}(object):\n    def evaluate(self):\n        {}\n"


def tell(folder: Path, manifest: str, **files: str) -> tuple[Problem, ...]:
    """Write a project, and return what its sources tell."""
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    (folder / "udfs.yaml").write_text(manifest)
    loaded = load_manifest(folder / "udfs.yaml", DIALECTS, env={}, shown="here/udfs.yaml")
    cache = Cache(folder / "cache")
    artifacts = collect_from(loaded, Supply(cache, PipIndex({})))
    return check_sources(loaded, artifacts, SOURCE_RULES, cache.root)


def codes(found: tuple[Problem, ...]) -> list[tuple[str, str]]:
    return [(one.code, str(one.at)) for one in found]


def wheel(folder: Path, name: str, *members: str) -> None:
    (folder / "dist").mkdir(exist_ok=True)
    stem = "-".join(name.split("-")[:2])
    files = dict.fromkeys(members, "") | {f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\n"}
    digests = {file: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()) for file, text in files.items()}
    rows = [f"{file},sha256={digest.decode().rstrip('=')},{len(files[file])}\n" for file, digest in digests.items()]
    with ZipFile(folder / "dist" / name, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        archive.writestr(f"{stem}.dist-info/RECORD", "".join(rows) + f"{stem}.dist-info/RECORD,,\n")


def test_places_are_named_from_where_the_manifest_is(tmp_path: Path) -> None:
    found = tell(tmp_path, "stack: s\nfunctions:\n  f: {source: f.py, class: F}\n", f__py="class F: pass\n")
    assert codes(found) == [("E805", "here/f.py:1:7")]
    assert found[0].source == "class F: pass"


def test_wheels_provide_what_is_in_them(tmp_path: Path) -> None:
    wheel(tmp_path, "a-1-py3-none-any.whl", "alpha/__init__.py", "space/inner/x.py", "single.py")
    text = GOOD.format("F", "import alpha, space.inner, single, beta")
    manifest = """
stack: s
packages: {a: {wheels: [dist/a-1-py3-none-any.whl]}}
functions: {f: {source: f.py, class: F, packages: [a]}}
"""
    (found,) = tell(tmp_path, manifest, f__py=text)
    assert (found.code, "'beta'" in found.message) == ("E816", True)
    assert tell(tmp_path, manifest, f__py=GOOD.format("F", "return 'work/a-1-py3-none-any.zip'")) == ()


def test_what_is_importable_is_told_by_names_alone() -> None:
    members = [
        "a/__init__.py",
        "b.py",
        "c.cpython-37m-x86_64-linux-gnu.so",
        "d.so",
        "e/data.csv",
        "f-1.dist-info/WHEEL",
    ]
    assert top_level(members) == {"a", "b", "c", "d"}


def test_class_of_a_resource_and_its_helpers_are_read_too(tmp_path: Path) -> None:
    manifest = """
stack: s
resources:
  main.py: {file: m.txt}
  helper.py: {file: h.txt}
  data.csv: {file: h.txt}
functions:
  f: {class: main.F, resources: [main.py, helper.py, other/resources/x.zip]}
  java: {class: a.B, resources: [b.jar]}
"""
    manifest = manifest.replace("  data.csv", "  b.jar: {file: h.txt}\n  data.csv")
    found = tell(tmp_path, manifest, m__txt=GOOD.format("F", "import helper, gdal"), h__txt="from . import x\n")
    assert codes(found) == [("E817", "here/h.txt:1:1"), ("E816", "here/m.txt:5:9")]
    assert [one.severity for one in found] == ["error", "warning"]  # the other project's archive may hold it


def test_functions_that_share_a_module_answer_for_their_own_classes(tmp_path: Path) -> None:
    reading = "from odps.distcache import get_cache_file; get_cache_file('a.csv')"
    text = GOOD.format("F", reading) + GOOD.format("G", "shared()")
    text += f"def shared():\n    {reading}\nclass H(F): pass\n"
    manifest = """
stack: s
resources: {a.csv: {file: a.csv}}
functions:
  f: {source: f.py, class: F, resources: [a.csv]}
  g: {source: f.py, class: G}
"""
    assert tell(tmp_path, manifest, f__py=text, a__csv="") == ()
    found = tell(tmp_path, manifest.replace(", resources: [a.csv]", ""), f__py=text)
    assert {code for code, _ in codes(found)} == {"E813"}
    assert sorted({one.at.line for one in found if one.at}) == [5, 12]
    found = tell(tmp_path, manifest + "  h: {source: f.py, class: H}\n", f__py=text)
    # H reads what its base reads, and has no signature that could be seen.
    assert {code for code, _ in codes(found)} == {"E807", "E813"}


def test_one_source_for_two_runtimes(tmp_path: Path) -> None:
    manifest = """
stack: s
functions:
  old: {source: f.py, class: F, python: cp27}
  new: {source: f.py, class: F, python: cp311}
"""
    found = tell(tmp_path, manifest, f__py=GOOD.format("F", "return f'{1}'"))
    assert codes(found) == [("E802", "here/f.py:5:16")]


MANIFEST = "stack: s\nfunctions:\n  f: {source: f.py, class: F}\n"


def test_results_are_remembered_until_something_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tell(tmp_path, MANIFEST, f__py="class F: pass\n")
    kept = next((tmp_path / "cache" / "sources").iterdir())
    written = kept.stat().st_mtime_ns
    with monkeypatch.context() as patch:
        patch.setattr(check, "check_module", lambda *_: pytest.fail("checked again"))
        assert tell(tmp_path, MANIFEST, f__py="class F: pass\n") == first
        assert kept.stat().st_mtime_ns == written
    assert tell(tmp_path, MANIFEST, f__py=GOOD.format("F", "return 1")) == ()
    assert len(json.loads(kept.read_text())) == 1, "only the last run's"
    assert codes(tell(tmp_path, MANIFEST.replace("F}", "G}"), f__py="class F: pass\n")) == [("E804", "here/f.py:1:1")]


@pytest.mark.parametrize(
    "rubbish",
    [
        "",
        "[]",
        "{",
        '{"KEY": 1}',
        '{"KEY": [[1]]}',
        '{"KEY": ["x"]}',
        '{"KEY": [["1", 1, "E805", "m", null, 1, "", "error"]]}',
        "[" * 100_000,
    ],
)
def test_a_damaged_memory_is_forgotten(tmp_path: Path, rubbish: str) -> None:
    first = tell(tmp_path, MANIFEST, f__py="class F: pass\n")
    kept = next((tmp_path / "cache" / "sources").iterdir())
    (name,) = json.loads(kept.read_text())
    kept.write_text(rubbish.replace("KEY", name))
    assert tell(tmp_path, MANIFEST, f__py="class F: pass\n") == first


def test_a_memory_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder would be")
    assert [one.code for one in tell(tmp_path, MANIFEST, f__py="class F: pass\n")] == ["E805"]
