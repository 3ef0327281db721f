"""One command moves a living project in: what PyODPS made is written down, adopted, and switched to sources with a way back."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from odps import ODPS
from odps.models import TableSchema

from reconciler.cli.entry import run as udfs
from reconciler.local import Server, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = "from odps.udf import annotate\n"
COMMON = "def shift(x, by):\n    return x + by\n"
TEXTS = "import common\n\n\ndef mark(text, by):\n    return '%s:%d' % (text, common.shift(len(text), by))\n"
SOURCES = {
    "number": HEAD
    + "import common\n\n\n@annotate('bigint->bigint')\nclass Shift(object):\n    def evaluate(self, x):\n        return common.shift(x, {n})\n",
    "text": HEAD
    + "from texts import mark\n\n\n@annotate('string->string')\nclass Mark(object):\n    def evaluate(self, x):\n        return mark(x, {n})\n",
    "archive": HEAD
    + "import sys\nsys.path.insert(0, 'work/deep.zip')\n\n\n@annotate('bigint->bigint')\nclass Deep(object):\n"
    "    def evaluate(self, x):\n        from deep import power\n        return power(x, {n})\n",
    "table": HEAD + "from odps.distcache import get_cache_table\n\n\n@annotate('bigint->bigint')\nclass Rate(object):\n"
    "    def evaluate(self, x):\n        return x * {n} * sum(row[1] for row in get_cache_table('rates'))\n",
}
"""Of each sort, the source of the function with number n."""

SORTS = {
    "number": ("Shift", ["common.py"]),
    "text": ("Mark", ["texts.py", "common.py"]),
    "archive": ("Deep", ["deep.zip"]),
    "table": ("Rate", ["rates"]),
}
FUNCTIONS = {f"{sort}_{n}": (sort, n) for n in range(1, 16) for sort in SORTS}
CALLS = {"number_3(4)": "7", "text_2('abc')": "abc:5", "archive_2(5)": "25", "table_4(2)": "8"}
WHERE = ("--project", "demo", "--stack", "risk")


def make(client: ODPS, functions: dict[str, tuple[str, int]] = FUNCTIONS) -> None:
    """Make a project as people do by hand: PyODPS alone, modules that functions share, an archive and a table."""
    client.create_resource("common.py", "py", fileobj=io.BytesIO(COMMON.encode()))
    client.create_resource("texts.py", "py", fileobj=io.BytesIO(TEXTS.encode()))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("deep/__init__.py", "def power(x, n):\n    return x ** n\n")
    client.create_resource("deep.zip", "archive", fileobj=io.BytesIO(packed.getvalue()))
    client.create_table("exchange_rates", TableSchema.from_lists(["name", "rate"], ["string", "bigint"]))
    client.execute_sql("INSERT INTO exchange_rates VALUES ('one', 1)")
    client.create_resource("rates", "table", table_name="exchange_rates")
    for name, (sort, n) in functions.items():
        class_name, listed = SORTS[sort]
        source = SOURCES[sort].replace("{n}", str(n))
        client.create_resource(f"{name}.py", "py", fileobj=io.BytesIO(source.encode()))
        client.create_function(name, class_type=f"{name}.{class_name}", resources=[f"{name}.py", *listed])


def definitions(client: ODPS) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {
        function.name: (function.class_type, tuple(sorted(resource.name for resource in function.resources)))
        for function in client.list_functions()
    }


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A service that finds the CPythons of this machine, as the one of `endpoint: local` does."""
    with Server(tmp_path / "store", Settings(control=True), environment=os.environ) as running:
        yield running


@pytest.fixture
def client(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ODPS:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "key")
    return ODPS("bob", "secret", "demo", server.url, overwrite_global=False)


def answers(client: ODPS) -> dict[str, str]:
    flags = {"odps.sql.python.version": "cp37"}
    with client.execute_sql(f"SELECT {', '.join(CALLS)}", hints=flags).open_reader() as reader:
        return dict(zip(CALLS, map(str, next(iter(reader)).values), strict=True))


def move_in(server: Server, *more: str) -> int:
    return udfs(["import", "--adopt", "--as-sources", "--yes", *WHERE, "--endpoint", server.url, *more])


def test_sixty_functions_that_pyodps_made_move_in_by_one_command(
    client: ODPS, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    make(client)
    before = definitions(client)
    assert len(before) == 60
    assert answers(client) == CALLS

    assert move_in(server) == 0, capsys.readouterr().err
    assert capsys.readouterr().out.splitlines()[-2].startswith("Nothing to do: 124 objects as the manifest says")
    assert udfs(["plan", "--exit-code"]) == 0
    assert answers(client) == CALLS
    after = definitions(client)
    for name, (sort, _) in FUNCTIONS.items():
        assert after[name][0].startswith(f"{name}__"), "a version of its own"
        assert {*SORTS[sort][1]} < {*after[name][1]}
    manifest = Path("udfs.yaml").read_text()
    assert manifest.count("source: udfs/") == 60
    assert "modules: [udfs/texts.py, udfs/common.py]" in manifest
    assert {path.name for path in Path("udfs").iterdir()} == {
        *(f"{name}.py" for name in before),
        "common.py",
        "texts.py",
    }

    assert udfs(["rollback", "--yes"]) == 0, capsys.readouterr().err
    assert definitions(client) == before
    assert answers(client) == CALLS
    assert udfs(["plan", "--exit-code"]) == 2, "and the manifest leads there again"


SMALL = {name: FUNCTIONS[name] for name in ("number_3", "text_2", "archive_2", "table_4")}


@pytest.mark.parametrize(
    ("method", "path", "nth"),
    [
        ("GET", r"/resources/text_2\.py$", 1),
        ("PUT", r"/resources/common\.py$", 1),
        ("PUT", r"/resources/deep\.zip$", 1),
        ("PUT", r"/functions/table_4$", 1),
    ],
    ids=["while fetching", "while adopting", "while switching", "switching the last function"],
)
def test_what_fails_half_way_is_gone_on_with_by_the_same_command(
    client: ODPS, server: Server, method: str, path: str, nth: int, capsys: pytest.CaptureFixture[str]
) -> None:
    make(client, SMALL)
    fault = {"action": "fail", "status": 403, "method": method, "path": path, "nth": nth, "times": 1}
    server.faults.add(fault)
    assert move_in(server) not in {0, 1}, capsys.readouterr().out
    assert answers(client) == CALLS, "whatever is done"
    assert move_in(server) == 0, capsys.readouterr().err
    assert udfs(["plan", "--exit-code"]) == 0
    assert answers(client) == CALLS
    assert len(definitions(client)) == len(SMALL)
    assert move_in(server) == 0, "and again changes nothing"


def test_nothing_changes_in_the_project_without_consent(
    client: ODPS, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    make(client, SMALL)
    before = definitions(client)
    command = ["import", "--adopt", "--as-sources", *WHERE, "--endpoint", server.url]
    assert udfs(command) == 5
    assert "E507" in capsys.readouterr().err
    assert definitions(client) == before
    assert not [resource for resource in client.list_resources() if "udfs" in (resource.comment or "")]
    assert udfs([*command, "--yes", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [len(report["outcomes"]) for report in document["reports"]] == [8, 8]


def test_a_file_that_is_there_stops_it_before_anything_is_written(
    client: ODPS, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    make(client, SMALL)
    Path("udfs").mkdir()
    Path("udfs/common.py").write_text("mine = 1\n")
    assert move_in(server) == 5
    assert "E561" in capsys.readouterr().err
    assert [*Path().rglob("*.py")] == [Path("udfs/common.py")]
    assert Path("udfs/common.py").read_text() == "mine = 1\n"
    assert not Path("udfs.yaml").exists()
    assert not [resource for resource in client.list_resources() if resource.comment]


def test_what_cannot_be_a_source_stays_as_it_is(
    client: ODPS, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """A module that imports its caller by name, and a function whose code is in an archive of somebody."""
    make(client, {"number_3": ("number", 3)})
    back = "def other():\n    import caller\n    return caller.N\n"
    client.create_resource("helper.py", "py", fileobj=io.BytesIO(back.encode()))
    source = SOURCES["number"].replace("import common", "import common, helper\nN = 1").replace("{n}", "helper.other()")
    client.create_resource("caller.py", "py", fileobj=io.BytesIO(source.encode()))
    client.create_function("calls", class_type="caller.Shift", resources=["caller.py", "helper.py", "common.py"])
    assert move_in(server) == 0, capsys.readouterr().err
    assert udfs(["plan", "--exit-code"]) == 0
    manifest = Path("udfs.yaml").read_text()
    assert "class: caller.Shift" in manifest
    assert "source: udfs/number_3.py" in manifest
    assert definitions(client)["calls"][0] == "caller.Shift"


def test_what_else_a_manifest_wants_is_not_applied_along(
    client: ODPS, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    make(client, SMALL)
    Path("own.py").write_text(SOURCES["text"].replace("from texts import mark", "mark = max").replace("{n}", "'a'"))
    Path("udfs.yaml").write_text(
        f"stack: risk\ntargets: {{there: {{endpoint: '{server.url}', project: demo}}}}\n"
        "functions:\n  own: {source: own.py, class: Mark}\n"
    )
    before = definitions(client)
    assert udfs(["import", "--adopt", "--as-sources", "--yes"]) == 5
    assert "E751" in capsys.readouterr().err
    assert definitions(client) == before
    assert udfs(["apply", "--yes"]) == 5, "until it is taken over"
    assert udfs(["adopt", "*", "--yes"]) == 0
    assert udfs(["apply", "--yes"]) == 0
    assert udfs(["import", "--adopt", "--as-sources", "--yes"]) == 0


def test_a_plan_that_ends_the_way_back_says_so(
    client: ODPS, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """By hand, from a plain import: the module that a function had goes, and with it the way back to what was adopted."""
    make(client, {"number_3": ("number", 3)})
    assert udfs(["import", "--adopt", "--yes", *WHERE, "--endpoint", server.url]) == 0
    assert udfs(["plan", "--exit-code"]) == 0
    manifest = Path("udfs.yaml").read_text()
    manifest = manifest.replace("  number_3.py: {file", "  #").replace(
        "class: number_3.Shift", "class: Shift\n    source: udfs/number_3.py"
    )
    Path("udfs.yaml").write_text(manifest.replace("[number_3.py, ", "["))
    capsys.readouterr()
    assert udfs(["plan"]) == 0
    assert "warning[E750]: function number_3 will have no way back to epoch 1" in capsys.readouterr().err
    assert udfs(["apply", "--yes", "--allow-deletes", "1"]) == 0
    assert udfs(["rollback", "--yes"]) == 5
    assert "E552" in capsys.readouterr().err
