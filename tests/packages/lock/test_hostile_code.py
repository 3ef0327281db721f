"""
Code of a change looks for secrets wherever it is run: it gets none.

Build backends, the build scripts of what they need, ``.pth`` files that come with it and functions write down their own environment and all
that they can read of other processes; every secret is a canary, and no canary is among it.
"""

from __future__ import annotations

import io
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.packages.build.environment import unpack_pip
from reconciler.packages.fetch.cache import Cache
from reconciler.packages.fetch.pip import PipIndex
from reconciler.targets.maxcompute.runtimes import RUNTIMES
from tests.builders import wheel
from tests.canary import PASSWORD
from tests.local.conftest import found as interpreter
from tests.packages.lock.index import serving
from tests.packages.lock.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parents[3]
CANARY = f"canary-{secrets.token_hex(12)}"
NAMES = (
    *("GITHUB_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "CI_JOB_TOKEN"),
    *("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALICLOUD_SECRET_KEY", "ODPS_SECRET_KEY"),
    *("AWS_SECRET_ACCESS_KEY", "UV_INDEX_TEAM_PASSWORD", "PEX_CANARY", "XDG_CANARY", "LADYBIRD"),
)
PASSED = "SETUPTOOLS_SCM_PRETEND_VERSION"

LOOK = r"""
import os
def look(kind):
    seen = [repr(sorted(os.environ.items()))]
    for folder in os.listdir("/proc") if os.path.isdir("/proc") else []:
        if folder.isdigit():
            for name in ("environ", "cmdline"):
                try:
                    with open("/proc/%s/%s" % (folder, name), "rb") as file:
                        seen.append(repr(file.read()))
                except (IOError, OSError):
                    pass
    for name in ("~/.netrc", "~/.config/pip/pip.conf"):
        try:
            with open(os.path.expanduser(name)) as file:
                seen.append(file.read())
        except (IOError, OSError):
            pass
    with open(os.path.join(DUMPS, "%s-%d" % (kind, os.getpid())), "a") as file:
        file.write("\n".join(seen))
"""
"""In the syntax of every runtime."""

BACKEND = r"""
import zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    look(KIND)
    info = NAME + "-1.0.dist-info/"
    file = NAME + "-1.0-py2.py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, file), "w") as archive:
        archive.writestr(NAME + ".py", "")
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n" % NAME)
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: own\nRoot-Is-Purelib: true\nTag: py2-none-any\nTag: py3-none-any\n")
        archive.writestr(info + "RECORD", "".join("%s,,\n" % name for name in archive.namelist() + [info + "RECORD"]))
    return file
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    look(KIND)
    info = NAME + "-1.0.dist-info"
    os.mkdir(os.path.join(folder, info))
    for name, text in (("METADATA", "Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n" % NAME), ("WHEEL", "Wheel-Version: 1.0\n")):
        with open(os.path.join(folder, info, name), "w") as file:
            file.write(text)
    return info
look(KIND)
"""

FUNCTION = """
from odps.udf import annotate
@annotate("->string")
class F(object):
    def __init__(self):
        look("function")
    def evaluate(self):
        look("function")
        return "done"
"""


def sdist(folder: Path, name: str, kind: str, dumps: Path, requires: str) -> None:
    """Write a source archive with a build backend of its own."""
    project = f'[build-system]\nrequires = [{requires}]\nbuild-backend = "hostile"\nbackend-path = ["."]\n'
    files = {
        "pyproject.toml": project,
        "PKG-INFO": f"Metadata-Version: 1.1\nName: {name}\nVersion: 1.0\n",
        "hostile.py": f"DUMPS, KIND, NAME = {str(dumps)!r}, {kind!r}, {name!r}\n{LOOK}\n{BACKEND}",
    }
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / f"{name}-1.0.tar.gz", "w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}-1.0/{path}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))


def udfs(folder: Path, env: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command below a shell, which has the secrets too."""
    line = ["/bin/sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-m", "reconciler", *arguments]
    done = subprocess.run(line, cwd=folder, env=dict(env), capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.parametrize("python", ["cp27", "cp37", "cp311"])
def test_code_of_a_change_gets_no_secret(tmp_path: Path, python: str, fetch: Callable[..., Path]) -> None:
    project, dumps, served = Project(tmp_path / "repository"), tmp_path / "dumps", tmp_path / "served"
    dumps.mkdir()
    project.env |= {
        **{name: f"{CANARY}-{name}" for name in NAMES},
        PASSED: "1.0",
        "UDFS_PASS_ENV": PASSED,
        "PYTHONPATH": str(ROOT),
        f"UDFS_PYTHON_{python.upper()}": str(interpreter(python).path),
    }
    del project.env["PIP_NO_INDEX"], project.env["PIP_CONFIG_FILE"]
    for path, text in (
        (".netrc", f"machine 127.0.0.1 login ann password {CANARY}\n"),
        (".config/pip/pip.conf", f"[global]\nproxy =\nextra-index-url = http://ann:{CANARY}@127.0.0.1:1/simple\n"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    script = f"DUMPS = {str(dumps)!r}\n{LOOK}\nlook('pth')"
    pth = f"import os; exec({script!r}, {{}})\n"
    wheel(served, "pthreq", tag="py2.py3-none-any", files={"pthreq.pth": pth, "pthreq.py": ""})
    if python == "cp27":  # what pex needs to build for it
        shutil.copy(fetch("wheel==0.37.1", "3.7", "cp37m", "manylinux2014_x86_64"), served)
    sdist(served, "evilreq", "requirement", dumps, "")
    sdist(served, "evil", "backend", dumps, '"evilreq"')
    (project.folder / "f.py").write_text(f"DUMPS = {str(dumps)!r}\n{LOOK}\n{FUNCTION}")
    (project.folder / "udfs.yaml").write_text(
        "stack: s\npackages:\n  p: {requirements: [evil], build: {requires: [pthreq]}}\nfunctions:\n"
        f"  f: {{source: f.py, class: F, python: {python}, packages: [p], isolation: true, tests: [{{args: [], returns: done}}]}}\n"
    )
    with serving(served, password=PASSWORD) as index:
        project.env["PIP_INDEX_URL"] = index.url
        project.env["PIP_EXTRA_INDEX_URL"] = index.url.replace("/simple/", "/simple")
        for number, steps in enumerate((["lock"], ["plan"], ["test", "sbom"])):
            cache = tmp_path / f"cache{min(number, 1)}"  # that of `lock` is not there for `plan`
            unpack_pip(RUNTIMES[python], PipIndex(dict(os.environ)), Cache(cache), tmp_path / f"pip{number}")
            for step in steps:
                udfs(project.folder, {**project.env, "UDFS_CACHE_DIR": str(cache)}, step)

    seen = {dump.name: dump.read_text(errors="replace") for dump in dumps.iterdir()}
    kinds = {name.partition("-")[0] for name in seen}
    assert kinds == {"backend", "requirement", "pth", "function"}
    for name, text in seen.items():
        lines = [line[:2000] for line in text.splitlines() if CANARY in line or PASSWORD in line]
        assert not lines, (name, lines)
        assert (PASSED in text) == (not name.startswith("function")), name
    for file in project.folder.rglob("*"):
        assert not file.is_file() or CANARY.encode() not in file.read_bytes(), file
