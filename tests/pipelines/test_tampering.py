"""
A pull request that tampers with what the pipeline of `examples/gitops` goes by: build requirements, handed-over wheels, the lock, the policy.

Where it is about code that runs, every secret is a canary (`tests/pipelines/test_attacks.py`). In CI runs the one about the lock.
"""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.pipelines.test_attacks import LOOK, locked
from tests.pipelines.test_gitops import SHOUT, function, outcomes, results
from tests.pipelines.test_scenarios import at_night, before_job, comment_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipelines.platform import Event, Job, Run
    from tests.pipelines.scene import Scene

pytestmark = pytest.mark.timeout(900)

BACKEND = """
import os, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "part-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in {
            "part.py": "",
            "part-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: part\\nVersion: 1.0\\n",
            "part-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: e\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
            "part-1.0.dist-info/RECORD": "",
        }.items():
            wheel.writestr(zipfile.ZipInfo(path), text)
    return name
"""

SETUP = (
    LOOK
    + """
from setuptools import setup

print(look())
print("::error::approved")
for name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH"):
    if name in os.environ:
        open(os.environ[name], "a").write("UDFS_NO_BUILD=\\n")
# Whatever lies about for later jobs: the folder that the check hands over, and what steps run.
for name in ("RUNNER_TEMP", "GITHUB_WORKSPACE", "GITHUB_ACTION_PATH"):
    if name in os.environ:
        pathlib.Path(os.environ[name], "index.json").write_text("{}")
setup(name="trap-for-udfs", version="1.0", py_modules=["trap"])
"""
)


def project(*requires: str, **more: str | bytes) -> dict[str, str | bytes]:
    """Return the files of a distribution that has to be built, with its build requirements."""
    return {
        "part/backend.py": BACKEND,
        "part/pyproject.toml": (
            f'[build-system]\nrequires = {list(requires)}\nbuild-backend = "backend"\nbackend-path = ["."]\n'
            '[project]\nname = "part"\nversion = "1.0"\n'
        ),
        **more,
    }


def source_archive(setup: str) -> bytes:
    """Return an sdist whose building runs a setup.py."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in {"setup.py": setup, "trap.py": "", "PKG-INFO": "Name: trap-for-udfs\nVersion: 1.0\n"}.items():
            member = tarfile.TarInfo(f"trap_for_udfs-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


def with_part(scene: Scene, links: str = "") -> str:
    """Return the manifest with that distribution as a package."""
    manifest = (scene.platform.origin / "udfs.yaml").read_text()
    packages = f"packages:\n  part: {{requirements: [./part]{links}}}\n"
    return manifest.replace("packages:\n", packages, 1).replace("packages: [idna]", "packages: [idna, part]")


def require_nothing_written(scene: Scene) -> None:
    assert {request.method for request in scene.server.requests} <= {"GET", "HEAD"}


@at_night
def test_a_build_requirement_finds_no_secret_and_changes_nothing_of_the_privileged_job(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, ran = tmp_path / "mark", dict[str, int]()
    trap = source_archive(SETUP.replace("MARK", repr(str(mark))))
    edits = {
        **project("trap-for-udfs"),
        "links/trap_for_udfs-1.0.tar.gz": trap,
        "udfs.yaml": with_part(scene, ", find_links: [links]"),
    }
    files = locked(edits, tmp_path / "home", monkeypatch)
    machine = scene.platform.machine

    def watch(job: Job, event: Event) -> Any:
        ran.setdefault(job.name, mark.read_text().count("ran") if mark.exists() else 0)
        return machine(job, event)

    mark.unlink(missing_ok=True)
    scene.platform.machine = watch
    scene.server.clear_requests()
    pull_request = scene.open("trap", files)
    run = scene.plan(pull_request)
    assert results(run)["plan"] == "success", run.log
    assert ran["plan"] > 0, "it ran in the check"
    assert mark.read_text().count("ran") == ran["plan"], "and nowhere else"
    assert not [command for job in run.jobs.values() for command in job.commands if command.message == "approved"]
    assert set(outcomes(run, "udfs-plan-1").values()) == {"changes"}
    require_nothing_written(scene)


@at_night
def test_a_wheel_that_is_not_the_one_of_the_lock_is_not_taken(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code of the change has the machine of the check to itself, so it can hand over another wheel than was locked."""

    def tamper(run: Run) -> None:
        wheels = [*(run.artifacts / "udfs-check-1" / "wheels").rglob("part-*.whl")]
        assert wheels
        for wheel in wheels:
            wheel.write_bytes(wheel.read_bytes() + b"more")

    # A wheel that no other test has built: by its sha256 it would be found in the cache that they share.
    backend = BACKEND.replace('"part.py": ""', '"part.py": "# tampered with"')
    files = locked(
        {**project(**{"part/backend.py": backend}), "udfs.yaml": with_part(scene)}, tmp_path / "home", monkeypatch
    )
    scene.server.clear_requests()
    pull_request = scene.open("wheel", files)
    before_job(scene, "plan", tamper)
    run = scene.plan(pull_request)
    assert results(run)["plan"] == "failure"
    assert set(outcomes(run, "udfs-plan-1").values()) == {"failed"}
    assert "part-1.0-py3-none-any.whl" in run.jobs["plan"].log
    require_nothing_written(scene)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sha256: ab7ae7", "sha256: ab7ae8"),
        pytest.param("version: \"3.20\"", "version: \"3.10\"", marks=at_night),
        pytest.param("requirements: [idna]", "requirements: [idna<3]", marks=at_night),
    ],
)  # fmt: skip
def test_a_lock_that_was_edited_by_hand_stops_the_change_before_anything_has_an_identity(
    scene: Scene, old: str, new: str
) -> None:
    lock = (scene.platform.origin / "udfs.lock").read_text()
    assert old in lock
    run = scene.plan(scene.open("lock", {"udfs.lock": lock.replace(old, new, 1)}))
    assert results(run)["check"] == "failure", run.log
    assert results(run)["plan"] == "skipped"
    assert scene.server.requests == []


@at_night
def test_a_change_of_the_policy_is_the_first_thing_that_its_pull_request_shows(
    scene: Scene,
) -> None:
    strict = scene.open("policy", {
        "policy.yaml": "names: {functions: [ascii_*]}\n",
        "udfs.yaml": (scene.platform.origin / "udfs.yaml").read_text().replace("python:", "policy: policy.yaml\npython:"),
    })  # fmt: skip
    planned = scene.plan(strict)
    assert results(planned)["plan"] == "success", planned.log
    assert "E758" not in comment_of(scene, strict)
    scene.merge(strict)
    manifest = (scene.platform.origin / "udfs.yaml").read_text() + function("shout", "udfs/shout.py")
    added = {"udfs.yaml": manifest, "udfs/shout.py": SHOUT}
    assert results(scene.plan(scene.open("against", added)))["check"] == "failure"

    loosened = scene.open("loosened", {**added, "policy.yaml": "names: {functions: ['*']}\n"})
    taken_out = scene.open("out", {**added, "udfs.yaml": manifest.replace("policy: policy.yaml\n", "")})
    for pull_request, words in ((loosened, "edits the policy"), (taken_out, "takes the policy")):
        run = scene.plan(pull_request)
        assert results(run)["plan"] == "success", run.log
        comment = comment_of(scene, pull_request)
        assert words in comment
        assert comment.index("warning E758") < comment.index("| "), "before the tables"
        assert "warning[E758]" in run.jobs["plan"].log
