"""Environments from a manifest to an archive: locked, built, checked, by the commands that people type."""

from __future__ import annotations

import os
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.builders import wheel
from tests.environments import FILE, LINK, PROGRAM, SOUND, write_archive
from tests.invariants.world import here

MANIFEST = """\
stack: risk
target: {{kind: flink}}
targets:
  local: {{engine: {engine}}}
environments:
  main: {{python: cp311, {environment}}}
"""


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}.items():
        monkeypatch.setenv(name, value)


def write(environment: str, engine: str = "flink-1.20") -> None:
    Path("udfs.yaml").write_text(MANIFEST.format(engine=engine, environment=environment))


def small_interpreter(folder: Path) -> Path:
    """Return the folder of what has the shape of a CPython, which nobody starts."""
    for name, (_, content) in {
        "bin/python3.11": SOUND["venv/bin/python3.11"],
        "lib/python3.11/os.py": (FILE, b""),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def small_wheels(folder: Path) -> None:
    folder.mkdir()
    wheel(
        folder,
        "apache_flink",
        "1.20.5",
        files={"pyflink/__init__.py": "", "pyflink/examples/a.py": ""},
        requires=("greet",),
    )
    wheel(folder, "apache_flink", "1.19.1", files={"pyflink/__init__.py": ""}, requires=("apache-flink-libraries",))
    wheel(folder, "greet", "1.0", files={"greet/__init__.py": "WORD = 'hello'", "greet/tests/a.py": ""})


def test_an_environment_is_locked_built_and_stays_the_same(tmp_path: Path) -> None:
    small_wheels(tmp_path / "dist")
    interpreter = small_interpreter(tmp_path / "cpython")
    write(f"requirements: [greet], find_links: [dist], interpreter: {interpreter}, exclude: [pyflink/examples/]")
    assert "E476" in here("validate").err
    locked = here("lock")
    assert (locked.code, locked.err.count("error")) == (0, 0), locked.err
    assert "apache-flink 1.20.5" in locked.out
    assert here("lock", "--check").code == 0
    assert here("validate").out == "udfs.yaml: valid, 1 file\n"
    first, second = here("build", "--out", "one"), here("build", "--out", "two")
    assert first.out == second.out
    digest, name = first.out.split()
    assert name == f"main__{digest[:8]}.zip"
    with ZipFile(tmp_path / "one" / name) as archive:
        names = archive.namelist()
    site = "venv/lib/python3.11/site-packages"
    assert f"{site}/greet/__init__.py" in names
    assert not [name for name in names if "tests" in name or "examples" in name]


ENGINE = """\
#!/bin/sh
echo "$@" >> "$DOCKER_CALLS"
while [ "$1" != tar ]; do shift; done
shift
for word; do
    shift
    case "$word" in /opt/python/cp311-cp311) word=$DOCKER_IMAGE ;; esac
    set -- "$@" "$word"
done
exec tar "$@"
"""
"""Stands for docker: what it is to copy lies in a folder here."""


def test_the_interpreter_of_an_image_is_copied_once_and_by_tar_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_wheels(tmp_path / "dist")
    image = small_interpreter(tmp_path / "image")
    (image / "bin" / "python3.11").chmod(0o755)
    (image / "lib" / "python3.11" / "this.py").symlink_to("os.py")
    engine, calls = tmp_path / "engine", tmp_path / "calls"
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    for name, path in {"DOCKER_PATH": engine, "DOCKER_CALLS": calls, "DOCKER_IMAGE": image}.items():
        monkeypatch.setenv(name, str(path))
    monkeypatch.setenv("UDFS_CACHE_DIR", str(tmp_path / "cache"))
    write("requirements: [greet], find_links: [dist], builder: container")
    assert here("lock").code == 0
    first, second = here("build", "--out", "out"), here("build")
    assert first.code == 0, first.err
    assert first.out == second.out
    [call] = calls.read_text().splitlines()
    assert call.startswith("run --rm --network none --platform linux/amd64 quay.io/pypa/manylinux2014_x86_64")
    with ZipFile(tmp_path / "out" / first.out.split()[1]) as archive:
        assert {"venv/bin/python3.11", "venv/lib/python3.11/this.py"} <= set(archive.namelist())


def test_an_image_that_cannot_be_had_is_told_with_what_the_engine_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_wheels(tmp_path / "dist")
    engine = tmp_path / "engine"
    engine.write_text("#!/bin/sh\necho 'no route to the registry' >&2\nexit 125\n")
    engine.chmod(0o755)
    monkeypatch.setenv("DOCKER_PATH", str(engine))
    monkeypatch.setenv("UDFS_CACHE_DIR", str(tmp_path / "cache"))
    write("requirements: [greet], find_links: [dist], builder: container")
    assert here("lock").code == 0
    told = here("build")
    assert (told.code, "error[E664]" in told.err, "no route to the registry" in told.err) == (3, True, True), told.err


def test_a_requirement_that_is_not_locked_is_told_at_its_place() -> None:
    write("requirements: [greet]")
    told = here("lock")
    assert told.code == 3
    assert "udfs.yaml:6:" in told.err


def test_an_environment_alone_is_planned_and_applied_without_a_flink(tmp_path: Path) -> None:
    write_archive(tmp_path / "venv.zip", SOUND)
    write("archive: venv.zip")
    assert "main.zip will be created: it is new" in here("plan").out
    assert here("apply", "--yes").code == 0
    assert "Nothing to do: 1 object as the manifest says" in here("plan").out
    [copy] = (tmp_path / ".udfs" / "flink" / "files" / "udfs" / "risk" / "files").glob("*/main.zip")
    assert copy.read_bytes() == (tmp_path / "venv.zip").read_bytes()


def test_an_archive_of_ones_own_is_taken_as_it_is_if_nothing_is_wrong_with_it(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "venv.zip", SOUND)
    write("archive: venv.zip")
    assert here("build", "--out", "out").code == 0
    [copy] = (tmp_path / "out").iterdir()
    assert copy.read_bytes() == path.read_bytes()


def test_what_is_wrong_with_an_archive_is_told_at_its_place_before_anything_else(tmp_path: Path) -> None:
    write_archive(tmp_path / "venv.zip", {**SOUND, "venv/bin/python": (LINK, b"/usr/bin/python3")})
    write("archive: venv.zip")
    told = here("validate")
    assert told.code == 3
    assert "udfs.yaml:6:34: error[E642]: 'venv.zip' has a link that leads out of it" in told.err
    assert "help: " in told.err


def test_what_is_gone_past_is_uploaded_with_a_warning_and_stays_an_error_for_everybody_else(tmp_path: Path) -> None:
    write_archive(tmp_path / "venv.zip", {**SOUND, "venv/bin/python": (PROGRAM, b"python3.11")})
    write("archive: venv.zip")
    assert "error[E643]" in here("apply", "--yes").err
    told = here("apply", "--yes", "--no-check", "E643")
    assert told.code == 0
    assert "warning[E643]" in told.err
    assert "`--no-check` goes on all the same" in told.err
    assert here("plan").code == 3
    assert "Nothing to do" in here("plan", "--no-check", "E643").out


def test_an_archive_that_would_fill_a_disk_or_leave_its_folder_is_not_gone_past(tmp_path: Path) -> None:
    write_archive(tmp_path / "venv.zip", {**SOUND, "../../etc/passwd": (FILE, b"")})
    write("archive: venv.zip")
    for code in ("E421", "E422", "E423"):
        told = here("plan", "--no-check", code)
        assert (told.code, "error[E657]" in told.err) == (3, True)
    assert "error[E421]" in here("plan", "--no-check", "E640").err


FLAWS = {
    "E335": ("archive: venv.zip", "flink"),
    "E337": ("archive: venv.zip", "flink-2.2"),
    "E338": ("archive: venv.zip, requirements: [a]", "flink-1.20"),
    "E339": ("interpreter: bin/python3", "flink-1.20"),
}


@pytest.mark.parametrize("code", FLAWS)
def test_flaws_of_a_manifest_are_told_with_a_way_out(code: str, tmp_path: Path) -> None:
    write_archive(tmp_path / "venv.zip", SOUND)
    environment, engine = FLAWS[code]
    write(environment.replace("cp311", "cp36"), engine)
    if code == "E337":
        Path("udfs.yaml").write_text(Path("udfs.yaml").read_text().replace("cp311", "cp38"))
    told = here("validate")
    assert (told.code, f"error[{code}]" in told.err, "help: " in told.err) == (3, True, True), told.err


def test_targets_of_one_manifest_have_engines_of_one_flink(tmp_path: Path) -> None:
    write_archive(tmp_path / "venv.zip", SOUND)
    write("archive: venv.zip")
    text = Path("udfs.yaml").read_text()
    for engine, code in (("vvr-11.7-jdk11-flink-1.20", 0), ("vvr-8.0.11-flink-1.17", 3)):
        prod = f"  prod: {{endpoint: 'http://jobs:8081', engine: {engine}}}\n"
        Path("udfs.yaml").write_text(text.replace("environments:", f"{prod}environments:"))
        told = here("validate", "--target", "local")
        assert (told.code, "E336" in told.err) == (code, code == 3), told.err


def test_an_environment_is_for_the_oldest_system_of_all_targets(tmp_path: Path) -> None:
    from tests.natives import elf

    newer = elf(needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.34",)})
    write_archive(tmp_path / "venv.zip", {**SOUND, "venv/bin/python3.11": (0o100755, newer)})
    write("archive: venv.zip")
    assert here("validate").code == 0
    text = Path("udfs.yaml").read_text()
    prod = "  prod: {endpoint: 'http://jobs:8081', engine: vvr-11.7-jdk11-flink-1.20}\n"
    Path("udfs.yaml").write_text(text.replace("environments:", f"{prod}environments:"))
    told = here("validate", "--target", "local")
    assert "E412" in told.err
    assert "GLIBC_2.31" in told.err
