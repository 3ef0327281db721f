"""
Clients that nobody here wrote, unmodified, from the package index, against the local service: what each of them can do.

    python -m tests.clients            # try them all, in an environment of their own that is kept
    python -m tests.clients --page     # and write tests/fidelity.md

The environment is made by uv, once for a set of requirements, in ``UDFS_CLIENTS_DIR`` or the system's folder of temporary files.
A client that cannot be installed is told with the reason, and is no failure; one that fails ends this with 1.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from reconciler.local import Server, Settings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "tests" / "fidelity.md"
SECONDS = 600

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
        missing="the statement that gives a view its name",
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


def page(outcomes: list[Outcome]) -> str:
    """Return the page: a table of clients. Those of examples and of refused statements stand behind it."""
    lines = [
        "# How faithful the local MaxCompute is",
        "",
        "Made by `python -m tests.clients --page`; not to be edited. Whether the service itself answers so could not be tried.",
        "",
        "## Clients",
        "",
        "| client | use | before | now |",
        "|---|---|---|---|",
        *(f"| {o.judge.client} | {o.judge.use} | {o.judge.before} | {o.text.replace('|', '/')} |" for o in outcomes),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    outcomes = []
    for judge in JUDGES:
        outcomes.append(consult(judge))
        print(f"{judge.client}: {judge.use}: {outcomes[-1].text}", flush=True)
    if "--page" in sys.argv[1:]:
        PAGE.write_text(page(outcomes), encoding="utf-8")
    return int(any(outcome.is_failure for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
