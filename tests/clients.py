"""
Clients that nobody here wrote, unmodified, from the package index, against the local service: what each of them can do.

    python -m tests.clients            # try them all, in an environment of their own that is kept
    python -m tests.clients --page     # and write tests/fidelity.md, with what the documentation's examples come to

The environment is made by uv, once for a set of requirements, in ``UDFS_CLIENTS_DIR`` or the system's folder of temporary files.
A client that cannot be installed is told with the reason, and is no failure; one that fails ends this with 1.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from reconciler.local import Server, Settings
from reconciler.local.sql.problems import SqlFailed
from tests.contract.documented.examples import FAMILIES, outcomes
from tests.contract.test_sql_refusals import REFUSED, ask

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "tests" / "fidelity.md"
SECONDS = 600
KINDS_OF_OUTCOME = ("equal", "refused", "different")

SELECT = "SELECT a, s FROM VALUES (1L, 'x'), (2L, 'y') t(a, s) ORDER BY a LIMIT 5"


@dataclass(frozen=True)
class Judge:
    """A client, and a script in which it is used; the script gets the service's address, and fails if an answer is wrong."""

    client: str
    use: str
    before: str
    """What came of it when the issue was written."""
    requirements: tuple[str, ...]
    script: str
    missing: str = ""
    """What is known to be missing here, so that it fails; where it does not, this is out of date, and told."""


PYODPS = """
import sys
from odps import ODPS
odps = ODPS("alice", "secret", "demo", sys.argv[1])
"""

PYTHON_FUNCTION = f"""{PYODPS}
odps.create_resource("shout.py", "py", file_obj='''
from odps.udf import annotate
@annotate("string->string")
class Shout(object):
    def evaluate(self, text):
        return text.upper() + "!"
''')
odps.create_function("shout", class_type="shout.Shout", resources=["shout.py"])
"""

DBT = """
import os, pathlib, subprocess, sys, tempfile
with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    (folder / "models").mkdir()
    (folder / "dbt_project.yml").write_text("name: shop\\nversion: '1.0'\\nprofile: shop\\n")
    (folder / "models/two.sql").write_text("{{ config(materialized='HOW') }} select 1 as a, 'x' as b union all select 2 as a, 'y' as b\\n")
    (folder / "profiles.yml").write_text(
        "shop: {target: dev, outputs: {dev: {type: maxcompute, project: demo, schema: default, endpoint: '%s', "
        "auth_type: access_key, access_key_id: alice, access_key_secret: secret, threads: 1}}}\\n" % sys.argv[1])
    dbt = pathlib.Path(sys.executable).with_name("dbt")
    environment = dict(os.environ, DO_NOT_TRACK="1", DBT_SEND_ANONYMOUS_USAGE_STATS="false")
    command = [dbt, *COMMAND, "--profiles-dir", "."]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and EXPECTED in done.stdout, done.stdout[-2000:] + done.stderr[-500:]
"""

MCP = """
import asyncio, json, os, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def use(session):
    async def call(tool, **arguments):
        answer = json.loads((await session.call_tool(tool, arguments)).content[0].text)
        assert answer["success"], answer
        return answer
CALLS

async def main(endpoint):
    environment = dict(
        os.environ, MAXCOMPUTE_MCP_MODE="local", MAXCOMPUTE_ENDPOINT=endpoint, MAXCOMPUTE_CATALOG_API_ENDPOINT=endpoint.removesuffix("/api"), MAXCOMPUTE_DEFAULT_PROJECT="demo",
        ALIBABA_CLOUD_ACCESS_KEY_ID="alice", ALIBABA_CLOUD_ACCESS_KEY_SECRET="secret")
    command = StdioServerParameters(command=sys.executable, args=["-m", "maxcompute_catalog_mcp"], env=environment)
    async with stdio_client(command) as streams, ClientSession(*streams) as session:
        await session.initialize()
        await use(session)

asyncio.run(main(sys.argv[1]))
"""
MCP_REQUIREMENTS = ("alibabacloud-maxcompute-mcp-server[local]<0.2",)

DBT_REQUIREMENTS = ("dbt-core>=1.11,<1.12", "dbt-maxcompute>=1.11,<1.12")

JUDGES = (
    Judge(
        "PyODPS",
        "`execute_sql(q).open_reader()`, records and Arrow",
        "404 on the tunnel",
        ("pyodps>=0.13.2", "pyarrow"),
        f"""{PYODPS}
instance = odps.execute_sql({SELECT!r})
with instance.open_reader() as reader:
    assert [list(record.values) for record in reader] == [[1, "x"], [2, "y"]]
with instance.open_reader(tunnel=True, arrow=True) as reader:
    assert reader.read_all().to_pydict() == {{"a": [1, 2], "s": ["x", "y"]}}
""",
    ),
    Judge(
        "PyODPS with pandas",
        "`to_pandas()`",
        "404 on the tunnel",
        ("pyodps>=0.13.2", "pandas", "pyarrow"),
        f"{PYODPS}\nassert odps.execute_sql({SELECT!r}).to_pandas().values.tolist() == [[1, 'x'], [2, 'y']]\n",
    ),
    Judge(
        "IPython with PyODPS's magic",
        "`%%sql`",
        "404 on the tunnel",
        ("pyodps>=0.13.2", "pandas", "pyarrow", "ipython"),
        f"""
import sys
from IPython.core.interactiveshell import InteractiveShell
from odps import ODPS
odps = ODPS("alice", "secret", "demo", sys.argv[1])
odps.to_global()
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "odps")
frame = shell.run_cell_magic("sql", "", {SELECT!r})
assert frame.values.values.tolist() == [[1, "x"], [2, "y"]], frame
""",
    ),
    Judge(
        "DB-API of PyODPS",
        "`cursor.execute`, `fetchall`",
        "404 on the tunnel",
        ("pyodps>=0.13.2",),
        f"""{PYODPS}
from odps import dbapi
cursor = dbapi.connect(odps).cursor()
cursor.execute({SELECT!r})
assert [tuple(row) for row in cursor.fetchall()] == [(1, "x"), (2, "y")]
""",
    ),
    Judge(
        "SQLAlchemy",
        "`odps://`, `connection.execute(text(q))`",
        "404 on the tunnel",
        ("pyodps>=0.13.2", "sqlalchemy>=2"),
        f"""
import sys
import sqlalchemy
engine = sqlalchemy.create_engine("odps://alice:secret@demo/?endpoint=" + sys.argv[1])
with engine.connect() as connection:
    rows = connection.execute(sqlalchemy.text({SELECT!r})).fetchall()
assert [tuple(row) for row in rows] == [(1, "x"), (2, "y")], rows
""",
    ),
    Judge(
        "dbt-core 1.11 with dbt-maxcompute 1.11",
        "`dbt show`",
        "404 on the tunnel",
        DBT_REQUIREMENTS,
        DBT.replace("*COMMAND", '"show", "--select", "two"').replace("HOW", "view").replace("EXPECTED", '"| 2 | y |"'),
    ),
    Judge(
        "dbt-core 1.11 with dbt-maxcompute 1.11",
        "`dbt build` of a table",
        "stops at CREATE TABLE",
        DBT_REQUIREMENTS,
        DBT.replace("*COMMAND", '"build"').replace("HOW", "table").replace("EXPECTED", '"Completed successfully"'),
    ),
    Judge(
        "dbt-core 1.11 with dbt-maxcompute 1.11",
        "`dbt build` of a view",
        "stops at CREATE VIEW",
        DBT_REQUIREMENTS,
        DBT.replace("*COMMAND", '"build"').replace("HOW", "view").replace("EXPECTED", '"Completed successfully"'),
    ),
    Judge(
        "dbt-core 1.11 with dbt-maxcompute 1.11",
        "`dbt build` twice, of a view and a table that call a Python function",
        "404 on the tunnel",
        DBT_REQUIREMENTS,
        PYTHON_FUNCTION
        + DBT.replace("*COMMAND", '"build"')
        .replace("HOW", "view")
        .replace("as b union", "as b, shout('x') as c union")
        .replace("'y' as b", "'y' as b, shout('y') as c")
        .replace(
            "    dbt = pathlib",
            "    (folder / \"models/three.sql\").write_text(\"{{ config(materialized='table') }} select shout(c) as d from {{ ref('two') }}\\n\")\n"
            "    dbt = pathlib",
        )
        .replace(
            "    done = ", "    subprocess.run(command, cwd=folder, env=environment, capture_output=True)\n    done = "
        )
        .replace("EXPECTED", '"Completed successfully"')
        + """
with odps.execute_sql("SELECT d FROM three ORDER BY d LIMIT 5").open_reader() as reader:
    assert [record[0] for record in reader] == ["X!!", "Y!!"]
""",
    ),
    Judge(
        "MCP server of MaxCompute 0.1",
        "`create_table`, `insert_values`, `execute_sql`",
        "404 on the tunnel",
        MCP_REQUIREMENTS,
        MCP.replace(
            "CALLS",
            """
    await call("create_table", project="demo", table="made", columns=[{"name": "a", "type": "BIGINT"}])
    await call("insert_values", project="demo", table="made", columns=["a"], values=[[1], [2]])
    answer = await call("execute_sql", project="demo", sql="SELECT SUM(a) AS total FROM made", **{"async": False})
    assert answer["data"] == [{"total": 3}], answer
""",
        ),
    ),
    Judge(
        "MCP server of MaxCompute 0.1",
        "`list_tables`, `get_table_schema`",
        "404",
        MCP_REQUIREMENTS,
        MCP.replace(
            "CALLS",
            """
    columns = [{"name": "a", "type": "BIGINT"}, {"name": "s", "type": "STRING"}]
    await call("create_table", project="demo", table="made", columns=columns)
    listed = await call("list_tables", project="demo")
    assert [table["tableName"] for table in listed["data"]["tables"]] == ["made"], listed
    table = (await call("get_table_schema", project="demo", table="made"))["data"]
    assert [(column["name"], column["type"]) for column in table["columns"]] == [("a", "BIGINT"), ("s", "STRING")], table
    assert [project["projectId"] for project in (await call("list_projects"))["data"]["projects"]] == ["demo"]
""",
        ),
    ),
    Judge("MaxFrame", "`import maxframe`", "imports", ("maxframe",), "import maxframe.dataframe\n"),
)


@dataclass(frozen=True)
class Outcome:
    """What came of a judge."""

    judge: Judge
    text: str
    is_failure: bool


def install(requirements: tuple[str, ...]) -> Path | str:
    """Return the Python of an environment with all of `requirements`, or why there is none."""
    base = Path(os.environ.get("UDFS_CLIENTS_DIR") or tempfile.gettempdir())
    digest = hashlib.sha256(json.dumps([sys.version, sorted(requirements)]).encode()).hexdigest()[:12]
    folder = base / f"udfs-clients-{digest}"
    python, ready = folder / "bin" / "python", folder / "ready"
    if ready.exists():
        return python
    uv = [sys.executable, "-m", "uv", "--quiet"]
    for command in (
        [*uv, "venv", "--clear", "--python", sys.executable, str(folder)],
        [*uv, "pip", "install", "--python", str(python), *requirements],
    ):
        installed = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        if installed.returncode:
            return (installed.stderr.strip().splitlines() or ["uv says nothing"])[-1]
    ready.touch()
    return python


def consult(judge: Judge) -> Outcome:
    """Let a client judge a server of its own."""
    python = install(judge.requirements)
    if isinstance(python, str):
        return Outcome(judge, f"not installed: {python}", is_failure=False)
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(Path(folder), Settings(), environment=dict(os.environ)) as server,
    ):
        command = [str(python), "-c", judge.script, server.url]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if finished.returncode and judge.missing:
        return Outcome(judge, f"is missing here: {judge.missing}", is_failure=False)
    if finished.returncode:
        return Outcome(judge, f"fails: {(finished.stderr.strip().splitlines() or ['?'])[-1][:200]}", is_failure=True)
    return Outcome(
        judge, f"works{', and is said to be missing' if judge.missing else ''}", is_failure=bool(judge.missing)
    )


def client_lines(consulted: list[Outcome]) -> list[str]:
    """Return the table of clients."""
    return [
        "## Clients",
        "",
        "| client | use | before | now |",
        "|---|---|---|---|",
        *(f"| {o.judge.client} | {o.judge.use} | {o.judge.before} | {o.text.replace('|', '/')} |" for o in consulted),
    ]


def example_lines() -> list[str]:
    """Return what the examples of the documentation of built-in functions come to, a line a family."""
    lines = ["## Examples of the documentation", "", "| functions | equal | refused | different |", "|---|--:|--:|--:|"]
    total = dict.fromkeys(KINDS_OF_OUTCOME, 0)
    missing = set()
    for family in FAMILIES:
        counts = dict.fromkeys(KINDS_OF_OUTCOME, 0)
        for outcome in outcomes(family):
            counts[outcome.kind] += 1
            total[outcome.kind] += 1
            missing |= {
                name.upper() for name in re.findall(r"'(\w+)' cannot be resolved: missing here", outcome.actual)
            }
        lines.append("| " + " | ".join((family, *map(str, counts.values()))) + " |")
    lines.append("| all | " + " | ".join(map(str, total.values())) + " |")
    lines += ["", "Refused, and told as missing here: " + ", ".join(sorted(missing)) + "."] if missing else []
    return lines


def refusal_lines() -> list[str]:
    """Return the statements that DuckDB alone would run and the service refuses, with what is told here."""
    lines = ["## What the service refuses", "", "| statement | here |", "|---|---|"]
    for statement in REFUSED:
        with tempfile.TemporaryDirectory() as folder:
            try:
                ask(statement, Path(folder))
                answer = "**runs**"
            except SqlFailed as failure:
                answer = str(failure).partition("\n")[0]
        lines.append("| " + " | ".join(f"`{_cell(text)}`" for text in (statement, answer[:160])) + " |")
    return lines


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def page(consulted: list[Outcome]) -> str:
    """Return the page: clients, the documentation's examples, and what is refused."""
    head = [
        "# How faithful the local MaxCompute is",
        "",
        "Made by `python -m tests.clients --page`; not to be edited. Whether the service itself answers so could not be tried.",
    ]
    parts = (head, client_lines(consulted), example_lines(), refusal_lines())
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def main() -> int:
    consulted = []
    for judge in JUDGES:
        consulted.append(consult(judge))
        print(f"{judge.client}: {judge.use}: {consulted[-1].text}", flush=True)
    if "--page" in sys.argv[1:]:
        PAGE.write_text(page(consulted), encoding="utf-8")
    return int(any(outcome.is_failure for outcome in consulted))


if __name__ == "__main__":
    sys.exit(main())
