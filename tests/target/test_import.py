"""What was made by hand becomes a manifest by which the next plan is empty; a service is not trusted with names."""

from __future__ import annotations

import itertools
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from reconciler.cli.entry import run as udfs
from reconciler.local import Server

if TYPE_CHECKING:
    import pytest

SOURCES = {
    "one": 'from odps.udf import annotate\n@annotate("->bigint")\nclass F(object):\n    def evaluate(self):\n        return 1\n',
    "old": 'from odps.udf import annotate\n@annotate("->bigint")\nclass F(object):\n    def evaluate(self):\n        print "old"\n',
    "new": 'from odps.udf import annotate\n@annotate("->bigint")\nclass F:\n    def evaluate(self) -> int:\n        return f"{1}"\n',
    "none": "x = 1\n",
    "broken": "def (:\n",
    "bytes": "\x00\x01",
}
MODULES = st.sampled_from(["a.py", "B.py", "con.py", "class.py", "two words.py", "1.py", "ä.py"])
FILES = st.sampled_from(
    ["x.csv", "nul", "aux.txt", "-x", "..", ".x", "no", "1e5", "y.whl", "udfs.z.json", "q.zip", "j.jar", "ü"]
)
COMMENTS = st.sampled_from(
    ["", "plain", '"quoted": {x}', "# '", "${env:HOME}", "é", "[udfs/1 other on=00000000]", "\\"]
)
TABLES = st.sampled_from(
    ["demo.t", "demo.t partition(pt='1',b='x y')", "other.t", "demo.s.t", "demo.t partition(pt='1'/c=2)", "t-1"]
)


@dataclass(frozen=True)
class Project:
    """What somebody has made by hand."""

    modules: dict[str, str]
    files: dict[str, tuple[str, bytes]]
    tables: dict[str, str]
    comments: list[str]
    functions: dict[str, tuple[str, list[str]]]


@st.composite
def projects(draw: st.DrawFn) -> Project:
    modules = draw(st.dictionaries(MODULES, st.sampled_from([*SOURCES])))
    files = draw(st.dictionaries(FILES, st.tuples(st.sampled_from(["file", "archive", "jar"]), st.binary(max_size=9))))
    tables = draw(st.dictionaries(st.sampled_from(["rates", "T"]), TABLES))
    known = [*modules, *files, *tables, "other/resources/far.csv", "demo/resources/x.csv"]
    classes = st.sampled_from([*(f"{name[:-3]}.F" for name in modules), "a.G", "pkg.mod.F", "F", "com.x.Y$Z", ""])
    functions = draw(
        st.dictionaries(
            st.sampled_from(["f", "G", "on", "two words", "ns.f", "h"]),
            st.tuples(classes, st.lists(st.sampled_from(known), unique=True, max_size=4)),
            max_size=5,
        )
    )
    return Project(modules, files, tables, draw(st.lists(COMMENTS, min_size=1, max_size=9)), functions)


def make(project: Project, server: Server) -> None:
    base, left = f"{server.url}/projects/demo", itertools.cycle(project.comments)

    def resource(name: str, kind: str, content: bytes, **more: str) -> None:
        headers: dict[str, str | bytes] = {
            "x-odps-resource-type": kind,
            "x-odps-resource-name": name.encode(),
            "Authorization": "ODPS bob:x",
        }
        if comment := next(left):
            headers["x-odps-comment"] = comment.encode()
        requests.post(f"{base}/resources", data=content, headers={**headers, **more}, timeout=10)

    for name, source in project.modules.items():
        resource(name, "py", SOURCES[source].encode())
    for name, (kind, content) in project.files.items():
        resource(name, kind, content)
    for name, table in project.tables.items():
        resource(name, "table", b"", **{"x-odps-copy-table-source": table})
    for name, (class_path, listed) in project.functions.items():
        items = "".join(f"<ResourceName>{item}</ResourceName>" for item in listed)
        body = f"<Function><Alias>{name}</Alias><ClassType>{class_path}</ClassType><Resources>{items}</Resources></Function>"
        requests.post(f"{base}/registration/functions", data=body.encode(), timeout=10)


def sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "key")


def there(server: Server) -> dict[str, Any]:
    """Return what queries see: functions, and the bytes of resources."""
    base = f"{server.url}/projects/demo"
    functions = ET.fromstring(requests.get(f"{base}/registration/functions", timeout=10).content)
    listed = ET.fromstring(requests.get(f"{base}/resources", timeout=10).content)
    found = {one.findtext("Name") or "": one.findtext("ResourceType") for one in listed.iter("Resource")}
    return {
        "functions": [
            (one.findtext("Alias"), one.findtext("ClassType"), [ref.text for ref in one.iter("ResourceName")])
            for one in functions.iter("Function")
        ],
        "resources": {
            # What would ask for .. asks for something else.
            name: answer.content if (answer := requests.get(f"{base}/resources/{name}", timeout=10)).ok else None
            for name, kind in found.items()
            if not name.startswith("udfs.risk.") and kind != "table" and name != ".."
        },
    }


@settings(
    max_examples=20, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(project=projects(), is_new=st.booleans())
def test_after_an_import_and_an_adoption_the_plan_is_empty(
    project: Project, is_new: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "store") as server:
        work = Path(folder) / "work"
        work.mkdir()
        monkeypatch.chdir(work)
        sign(monkeypatch)
        make(project, server)
        before = there(server)
        capsys.readouterr()
        where = ["--project", "demo", "--endpoint", server.url, "--stack", "risk"]
        if not is_new:
            where = []
            target = f"targets: {{there: {{endpoint: '{server.url}', project: demo}}}}"
            Path("udfs.yaml").write_text(f"stack: risk  # ours\n{target}\nfunctions:\n  # none yet\n")
        assert udfs(["import", "--resource", "*", "*", *where, "--format", "json"]) in {0, 3}
        told = capsys.readouterr().out
        answer = json.loads(told)
        if answer["format"] == "udfs.problems/1":
            assert {one["code"] for one in answer["problems"]} == {"E560"}, told
            return
        found = [(one["name"], "function") for one in answer["functions"]] + [
            (one["name"], "resource") for one in answer["resources"]
        ]
        left = [(one["name"], one["kind"]) for one in answer["left_out"]]
        assert len({*found, *left}) == len(found) + len(left) >= len(before["functions"])
        assert {path for path in work.rglob("*") if path.is_file()} == {
            work / path
            for path in ["udfs.yaml"] * bool(found or not is_new)
            + [one["file"] for one in answer["resources"] if "file" in one]
        }
        if not found:
            return
        assert udfs(["adopt", "*", "--yes"]) == 0
        assert udfs(["plan", "--exit-code"]) == 0, capsys.readouterr().out
        assert there(server) == before


def test_what_arrives_otherwise_than_the_service_says_is_not_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sign(monkeypatch)
    Path("there").mkdir()
    make(Project({"a.py": "one"}, {}, {}, [""], {"f": ("a.F", ["a.py"])}), server)
    server.faults.add(
        {"action": "truncate", "when": "after", "method": "GET", "path": "/resources/a.py$", "query": "^$", "times": 2}
    )
    where = ["--project", "demo", "--endpoint", server.url, "--out", "there"]
    assert udfs(["import", *where]) == 0, "broken twice, whole the third time"
    assert Path("there/udfs/a.py").read_text() == SOURCES["one"]
    assert not [*Path("there").rglob(".*")]


def test_nothing_is_written_through_a_link(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sign(monkeypatch)
    for folder in ("there", "else"):
        Path(folder).mkdir()
    Path("there/udfs").symlink_to(tmp_path / "else")
    make(Project({"a.py": "one"}, {}, {}, [""], {"f": ("a.F", ["a.py"])}), server)
    assert udfs(["import", "--project", "demo", "--endpoint", server.url, "--out", "there", "--overwrite"]) == 5
    assert "by a symbolic link" in capsys.readouterr().err
    assert [*Path("else").iterdir()] == []
    assert not Path("there/udfs.yaml").exists()
