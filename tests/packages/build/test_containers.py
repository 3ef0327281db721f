"""Builds in a container: the command line of the engine, carried out by a stand-in that writes down what it was told."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import PackageError
from reconciler.packages.build import BuildOptions, environment
from reconciler.packages.build.engines import Container, container
from reconciler.packages.fetch.cache import Cache
from reconciler.packages.fetch.pip import PipIndex
from reconciler.targets.maxcompute.runtimes import PLATFORMS, RUNTIMES
from tests import builders
from tests.local.conftest import found as interpreter
from tests.packages.build.conftest import EXTENSION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.packages.build.conftest import Workbench

STAND_IN = """#!{python}
import json, os, sys
with open({record!r}, "a") as stream:
    print(json.dumps(sys.argv), file=stream)
if sys.argv[1] != "run":
    sys.exit()
at = next(n for n, word in enumerate(sys.argv) if word.startswith("quay.io/"))
given = [sys.argv[n + 1] for n, word in enumerate(sys.argv[:at]) if word == "--env"]
inside = {{"PATH": "/usr/bin:/bin"}}
inside.update(one.split("=", 1) if "=" in one else (one, os.environ[one]) for one in given)
os.chdir(sys.argv[sys.argv.index("--workdir") + 1])
command = [{inside!r} if word.startswith("/opt/python/") else word for word in sys.argv[at + 1 :]]
os.execve(command[0], command, inside)
"""


@pytest.fixture
def engine(bench: Workbench) -> Callable[..., list[list[str]]]:
    """Put a stand-in for the engine on PATH; the answer gives what it was told so far."""
    record = bench.folder / "record"

    def told(name: str = "docker", script: str = STAND_IN) -> list[list[str]]:
        folder = bench.folder / "programs"
        if not folder.exists():
            folder.mkdir()
            inside = str(interpreter("cp37").path)
            text = script.format(python=sys.executable, record=str(record), inside=inside)
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
            bench.environment |= {
                "PATH": str(folder),
                "HOME": str(bench.folder),
            }
        return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []

    return told


CONTAINER = BuildOptions(builder="container")


def test_each_step_runs_in_the_image_and_no_password_is_in_a_command_line(
    bench: Workbench, engine: Callable[..., list[list[str]]]
) -> None:
    if shutil.which("gcc", path="/usr/bin:/bin") is None:
        pytest.skip("needs a C compiler: gcc")
    helper = builders.wheel(bench.folder / "links", "helper", files={"helper.py": "VALUE = 'from helper'"})
    real = PipIndex(dict(bench.environment))
    environment.unpack_pip(RUNTIMES["cp37"], real, Cache(bench.root), bench.folder / "pip")  # now in the cache
    engine()
    (bench.folder / ".netrc").write_text("machine index login me password hunter3\n")
    bench.environment |= {
        "PIP_INDEX_URL": "https://me:hunter2@127.0.0.1:9/simple",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(helper.parent),
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "hunter4",
    }
    own = '[build-system]\nrequires = ["helper"]\nbuild-backend = "mine"\nbackend-path = ["."]\n'
    mine = "import backend, helper, os\nfrom backend import *\nopen('own.py', 'w').write(repr((helper.VALUE, dict(os.environ))))"
    project = bench.project({"greeting.c": EXTENSION, "own.py": "", "mine.py": mine})
    (project / "pyproject.toml").write_text(own)

    built = bench.build(project, options=CONTAINER)

    assert built.content.path.name.startswith("own-1.0-cp37-cp37m-manylinux_2_")
    assert built.how == "container quay.io/pypa/manylinux2014_x86_64:2024.12.28-1"
    assert built.requires == ("helper==1.0",)
    install, requires, wheel = engine()
    for command in (install, requires, wheel):
        assert command[:4] == [str(bench.folder / "programs" / "docker"), "run", "--rm", "--init"]
        assert command[command.index("--platform") + 1] == "linux/amd64"
        assert "hunter" not in json.dumps(command)
        assert "/opt/python/cp37-cp37m/bin/python" in command
    assert "install" in install
    by_name = {install[n + 1] for n, word in enumerate(install) if word == "--env" and "=" not in install[n + 1]}
    assert {"PIP_FIND_LINKS", "PIP_CONFIG_FILE", "PIP_NO_INDEX"} <= by_name
    assert install[install.index("--network") + 1] == "host", "the gateway is on this machine's loopback"
    assert "--network" not in wheel
    assert f"{helper.parent}:{helper.parent}:ro" in install
    assert requires[-2] == "get_requires_for_build_wheel"
    assert wheel[-2] == "build_wheel"
    assert not [word for word in wheel if word.startswith("PIP_")]
    names = [command[command.index("--name") + 1] for command in (install, requires, wheel)]
    assert len(set(names)) == 3
    assert "hunter" not in built.log.read_text()


def test_an_engine_that_cannot_start_the_image_is_told_with_its_words(
    bench: Workbench, engine: Callable[..., list[list[str]]]
) -> None:
    engine("podman", "#!/bin/sh\necho 'Error: short-name resolution enforced' >&2\nexit 125\n")
    with pytest.raises(PackageError) as error:
        bench.build(bench.project({"own.py": ""}), options=CONTAINER)
    (problem,) = error.value.problems
    assert problem.code == "E448"
    assert problem.detail == ("Error: short-name resolution enforced",)


def test_a_container_that_takes_too_long_is_ended_by_its_name(
    bench: Workbench, engine: Callable[..., list[list[str]]]
) -> None:
    engine()
    bench.timeout = 1
    project = bench.project({"own.py": "", "backend.py": "import time\ntime.sleep(600)"})
    with pytest.raises(PackageError) as error:
        bench.build(project, options=CONTAINER)
    assert error.value.problems[0].code == "E447"
    started, ended = engine()
    assert ended[1:] == ["rm", "--force", started[started.index("--name") + 1]]


def test_without_an_engine_the_user_learns_what_was_looked_for(bench: Workbench) -> None:
    bench.environment |= {"PATH": str(bench.folder)}
    for named, words in (
        ({}, "docker and podman cannot be found"),
        ({"DOCKER_PATH": "nerdctl"}, "nerdctl cannot be found"),
    ):
        bench.environment |= named
        with pytest.raises(PackageError, match=words):
            bench.build(bench.project({"own.py": ""}), options=CONTAINER)


@pytest.mark.parametrize(
    ("tag", "platform", "image", "python"),
    [
        ("cp37", "rhel7", "manylinux2014_x86_64:2024.12.28-1", "cp37-cp37m"),
        ("cp311", "rhel7", "manylinux2014_x86_64:2024.12.28-1", "cp311-cp311"),
        ("cp37", "rhel5", "manylinux1_x86_64:2024-04-29-76807b8", "cp37-cp37m"),
        ("cp27", "rhel7", "manylinux1_x86_64:2024-04-29-76807b8", "cp27-cp27m"),
        ("cp37", "aarch64", "manylinux2014_aarch64:2024.12.28-1", "cp37-cp37m"),
    ],
)
def test_the_image_is_that_of_the_runtimes_system(
    tmp_path: Path, tag: str, platform: str, image: str, python: str
) -> None:
    from dataclasses import replace

    for name in ("docker", "podman"):
        (tmp_path / name).touch(mode=0o755)
    runtime = replace(RUNTIMES[tag], platform=PLATFORMS[platform])
    found: Container = container(runtime, {"PATH": str(tmp_path)}, tmp_path, (), "own")
    assert found.image == f"quay.io/pypa/{image}"
    assert found.python == f"/opt/python/{python}/bin/python"
    assert found.engine == str(tmp_path / "docker")
    command, _ = found.command(["true"], {}, cwd=tmp_path, gateway=None)
    assert command[command.index("--platform") + 1] == ("linux/arm64" if platform == "aarch64" else "linux/amd64")
    assert "--userns" not in command
    found = container(runtime, {"PATH": "", "DOCKER_PATH": str(tmp_path / "podman")}, tmp_path, (), "own")
    assert "keep-id" in found.command(["true"], {}, cwd=tmp_path, gateway=None)[0]
