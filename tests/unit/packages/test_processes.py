"""What a resolver may see of this machine, and that it ends when nobody waits any more."""

from __future__ import annotations

import os
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.base import environments
from reconciler.base.errors import PackageError
from reconciler.base.processes import Tools
from reconciler.packages.fetch.indexes import Remote
from reconciler.packages.lock.resolver import Steps, run_resolver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def waited_for(condition: Callable[[], bool]) -> bool:
    for _ in range(100):
        if condition():
            return True
        time.sleep(0.05)
    return False


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


SECRETS = (
    *("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "AWS_SECRET_ACCESS_KEY", "CORP_INDEX", "GITHUB_TOKEN", "LADYBIRD"),
    *("PIP_PASSWORDS", "UDFS_PASS_ENV", "GIT_ASKPASS", "GIT_TOKEN", "LCX", "PATHS"),
)
"""What nobody needs; some begin as what somebody does."""

INDEXES = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "UV_INDEX",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_TEAM_PASSWORD",
    "https_proxy",
    "NETRC",
)


@pytest.mark.parametrize(
    ("choose", "needs"),
    [
        (
            environments.for_fetcher,
            {"PATH", "HOME", "LC_ALL", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "https_proxy", "NETRC"},
        ),
        (environments.for_resolver, {"PATH", "LC_ALL", "UV_CACHE_DIR"}),
        (environments.for_git, {"PATH", "HOME", "LC_ALL"}),
        (environments.for_container_engine, {"PATH", "HOME", "LC_ALL", "DOCKER_HOST", "https_proxy", "NETRC"}),
    ],
)
def test_what_is_started_sees_what_it_needs_by_name(
    choose: Callable[[Mapping[str, str]], dict[str, str]], needs: set[str]
) -> None:
    env = dict.fromkeys((*SECRETS, *INDEXES, "PATH", "HOME", "LC_ALL", "UV_CACHE_DIR", "DOCKER_HOST"), "x")
    seen = set(choose(env))
    assert seen >= needs
    assert not seen & {*SECRETS} - ({"PIP_PASSWORDS"} if choose is environments.for_fetcher else set())
    if choose in (environments.for_resolver, environments.for_git):
        assert not seen & {*INDEXES}


def test_who_owns_the_machine_names_what_builds_see_beside() -> None:
    env = {"UDFS_PASS_ENV": "VERSION, LICENCE UNSET", "VERSION": "1", "LICENCE": "2", "OTHER": "3"}
    assert environments.for_resolver(env) == {"VERSION": "1", "LICENCE": "2"}


LEAVES_ONE_BEHIND = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid)
"""


def test_what_a_build_script_leaves_behind_ends_with_the_resolver(tmp_path: Path) -> None:
    ended = run_resolver(
        Tools(), [sys.executable, "-c", LEAVES_ONE_BEHIND], folder=tmp_path, env=os.environ, seconds=30
    )
    assert ended.code == 0
    assert waited_for(lambda: not is_alive(int(ended.out)))


SAYS_WHAT_IT_BUILDS = """
import pathlib, sys, time
print("DEBUG Building: numpy==1.21.3\\nDEBUG Selecting: wheel==1 [x]", file=sys.stderr, flush=True)
while not pathlib.Path("seen").exists():
    time.sleep(0.02)
"""


def test_who_watches_a_resolver_learns_what_it_builds(tmp_path: Path) -> None:
    steps, command = Steps(), [sys.executable, "-c", SAYS_WHAT_IT_BUILDS]
    work = partial(run_resolver, Tools(), command, folder=tmp_path, env=os.environ, seconds=60, steps=steps)
    thread = threading.Thread(target=work)
    thread.start()
    assert waited_for(lambda: steps.last() == "building numpy==1.21.3")
    (tmp_path / "seen").touch()
    thread.join(10)
    assert steps.last() == ""


def test_stopping_ends_a_resolver_that_works_in_another_thread(tmp_path: Path) -> None:
    tools, said = Tools(), list[str]()
    command = [sys.executable, "-c", f"open({str(tmp_path / 'begun')!r}, 'w').close(); import time; time.sleep(60)"]

    def work() -> None:
        with pytest.raises(PackageError) as error:
            run_resolver(tools, command, folder=tmp_path, env=os.environ, seconds=60)
        said.append(str(error.value))

    thread = threading.Thread(target=work)
    thread.start()
    assert waited_for((tmp_path / "begun").exists)
    tools.stop()
    thread.join(10)
    assert said == ["resolving was stopped"]
    with pytest.raises(PackageError):
        run_resolver(tools, command, folder=tmp_path, env=os.environ, seconds=60)


@pytest.mark.parametrize(
    "name", ["", "..", "../a-1.tar.gz", "/etc/passwd", "a\\b.whl", "a\0.whl", ".hidden.whl", "a b.zip"]
)
def test_an_index_cannot_name_a_file_that_lies_elsewhere(name: str) -> None:
    with pytest.raises(PackageError, match="which no wheel or source archive is called"):
        Remote(name, "https://index.example/a", None)
