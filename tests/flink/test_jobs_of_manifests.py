"""Jobs of a manifest: what they name, what is worked out of it, and what is told before anything is uploaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.manifest.load import load_manifest
from reconciler.targets.dialects import DIALECTS
from reconciler.targets.flink.job_options import derive_options
from reconciler.targets.flink.manifest import flink_manifest
from tests.environments import SOUND, write_archive
from tests.invariants.world import here

if TYPE_CHECKING:
    from collections.abc import Mapping

MANIFEST = """\
stack: risk
target: {kind: flink}
targets:
  local: {endpoint: local, engine: flink-1.20}
  prod: {endpoint: "http://jobs:8081", engine: vvr-11.7-jdk11-flink-1.20}
environments:
  main: {python: cp311, archive: venv.zip}
packages:
  edit: {archive: dist/deps.zip}
functions:
  near: {source: udfs.py, class: near}
  upper: {jar: upper.jar, class: com.example.Upper}
jobs:
  near-job:
    main: main.py
    args: [--day, "1"]
    functions: [near, upper]
    environment: main
    packages: [edit]
    archives: [{file: mydata.zip, as: data}]
    jars: [lookup.jar]
    files: [rates.csv]
    labels: {team: risk}
    conf: {execution.checkpointing.interval: 3 s}
"""
PANDAS = "from pyflink.table.udf import udf\n\n\n@udf(result_type='INT')\ndef near(a):\n    return a\n"


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("dist", "b"):
        (tmp_path / folder).mkdir()
    (tmp_path / "udfs.py").write_text(PANDAS)
    for name in ("main.py", "rates.csv", "b/rates.csv", "b/udfs.py", "job.sql"):
        (tmp_path / name).write_text("")
    write_archive(tmp_path / "venv.zip", SOUND)
    for name in ("mydata.zip", "upper.jar", "lookup.jar"):
        write_archive(tmp_path / name, {"names.txt": (0o100644, b"")})
    write_archive(tmp_path / "dist" / "deps.zip", {"edit/__init__.py": (0o100644, b"")})
    (tmp_path / "udfs.yaml").write_text(MANIFEST)


def rewrite(old: str, new: str) -> None:
    text = Path("udfs.yaml").read_text()
    assert old in text
    Path("udfs.yaml").write_text(text.replace(old, new))


def check() -> tuple[int, str]:
    told = here("validate", "--target", "local")
    return told.code, told.err


def test_a_target_of_the_vendors_service_is_checked_without_being_asked_and_refused_where_it_does_not_say_where_it_is() -> (
    None
):
    code, text = check()
    assert (code, text.count("[E")) == (0, 0), text
    assert "[E" not in here("validate", "--target", "prod").err
    refused = here("apply", "--target", "prod")
    assert (
        refused.code,
        "error[E656]: the target 'prod' of vvr-11.7-jdk11-flink-1.20 does not say its" in refused.err,
    ) == (
        3,
        True,
    )


def test_flinks_options_follow_from_the_keys_of_a_job() -> None:
    manifest = flink_manifest(load_manifest(Path("udfs.yaml"), DIALECTS, target="local", env={}))
    assert {option.name: option.value for option in derive_options(manifest.jobs["near-job"], manifest).values()} == {
        "python.executable": "venv.zip/venv/bin/python",
        "python.archives": "venv.zip,mydata.zip#data",
        "python.files": "udfs.py,deps.zip",
        "pipeline.classpaths": "file:///flink/usrlib/lookup.jar;file:///flink/usrlib/upper.jar",
    }


@pytest.mark.parametrize(
    ("name", "same", "other"),
    [
        ("python.executable", "venv.zip/venv/bin/python", "venv.zip/bin/python"),
        ("python.archives", "mydata.zip#data,venv.zip", "venv.zip,mydata.zip"),
        ("python.files", "deps.zip, lib/udfs.py", "udfs.py"),
        ("pipeline.classpaths", "file:///opt/upper.jar;file:///opt/lookup.jar", "file:///flink/usrlib/upper.jar"),
    ],
)
def test_an_option_that_is_worked_out_may_stand_there_with_the_same_value_alone(
    name: str, same: str, other: str
) -> None:
    rewrite("conf: {", f"conf: {{{name}: '{same}', ")
    assert check()[0] == 0
    rewrite(f"'{same}'", f"'{other}'")
    code, text = check()
    assert (code, f"error[E340]: '{name}' is '{other}' here, and '" in text) == (3, True), text


MISTAKES: Mapping[str, tuple[str, str, str]] = {
    "both programs": ("main: main.py", "main: main.py\n    sql: job.sql", "error[E204]: 'main' and 'sql' exclude each other"),
    "no program": ("    main: main.py\n", "", "error[E201]: the job 'near-job' needs the key 'main' or 'sql'"),
    "neither Python nor Java": ("source: udfs.py, ", "", "error[E201]: the function 'near' needs the key 'source' or 'jar'"),
    "a role that is none": (
        "flink-1.20}\nenv",
        "flink-1.20, credentials: {oidc: {role_arn: ci, provider_arn: 'acs:ram::1:oidc-provider/a'}}}\nenv",
        "error[E203]: the role_arn of the target 'prod' cannot be used",
    ),
    "a test that expects nothing": ("class: near}", "class: near, tests: [{args: [1]}]}", "error[E201]: item 1 of 'tests' needs the key 'returns' or 'raises'"),
    "a test that expects two things": ("class: near}", "class: near, tests: [{args: [1], returns: 1, raises: x}]}", "error[E204]: 'returns' and 'raises' exclude each other"),
    "no such function": ("[near, upper]", "[naer, upper]", "error[E301]: the function 'naer' is not declared"),
    "no such package": ("packages: [edit]", "packages: [edits]", "error[E301]: the package 'edits' is not declared"),
    "no such environment": ("environment: main", "environment: mian", "error[E301]: the environment 'mian' is not declared"),
    "no such file": ("[rates.csv]", "[rate.csv]", "error[E305]: there is no file 'rate.csv'"),
    "two files of one name": ("[rates.csv]", "[rates.csv, b/rates.csv]", "error[E655]: 'b/rates.csv' has the name of another file"),
    "two modules of one name": ("main: main.py", "main: b/udfs.py", "error[E655]: 'udfs.py' has the name of another file"),
    "two archives in one folder": ("as: data", "as: venv.zip", "error[E655]: 'mydata.zip as venv.zip' has the name of another"),
    "a program in no archive": (
        "    environment: main\n    packages: [edit]\n",
        "    packages: [edit]\n    conf: {python.executable: v.zip/bin/python}\n",
        "error[E346]: 'v.zip/bin/python' lies in no archive of the job",
    ),
    "long arguments": ('"1"]', f'"{"1" * 1020}"]', "error[E341]: the arguments have 1,026 characters, and vvr-11.7-jdk11-flink-1.20 takes 1,024"),
    "many labels": ("{team: risk}", "{a: x, b: x, c: x}", "error[E342]: 3 labels and the one of udfs are 4"),
    "a name that Python cannot have": ("class: near", "class: udfs.near", "error[E343]: 'udfs.near' is no name of Python"),
    "a name that Java cannot have": ("com.example.Upper", "com/example/Upper", "error[E343]: 'com/example/Upper' is no name of a class"),
    "a function that no job uses": ("[near, upper]", "[near]", "warning[E312]: no job uses the function 'upper'"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_job_is_told_at_its_place_with_a_way_out(mistake: str) -> None:
    old, new, words = MISTAKES[mistake]
    if mistake == "a program in no archive":
        rewrite("    conf: {execution.checkpointing.interval: 3 s}\n", "")
    rewrite(old, new)
    code, text = check()
    assert code == (0 if words.startswith("warning") else 3), text
    assert words in text
    assert "help: " in text.partition(words)[2]


def test_limits_of_the_vendors_service_do_not_hold_on_a_cluster_of_ones_own() -> None:
    rewrite("{team: risk}", "{a: x, b: x, c: x}")
    rewrite('  prod: {endpoint: "http://jobs:8081", engine: vvr-11.7-jdk11-flink-1.20}\n', "")
    assert check()[0] == 0
