"""What a resolver may see of this machine, and that it ends when nobody waits any more."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import PackageError
from reconciler.base.processes import Tools
from reconciler.packages.fetch.indexes import Remote, allowed_environment
from reconciler.packages.lock.resolver import run_resolver

if TYPE_CHECKING:
    from collections.abc import Callable


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


def test_a_resolver_sees_where_packages_are_and_no_other_secret() -> None:
    given = {
        "PATH": "/bin",
        "PIP_INDEX_URL": "i",
        "UV_INDEX": "u",
        "https_proxy": "p",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "s",
        "AWS_SECRET_ACCESS_KEY": "s",
        "CORP_INDEX": "s",
        "GITHUB_TOKEN": "s",
    }
    assert "s" not in allowed_environment(given).values()
    assert {"PATH", "PIP_INDEX_URL", "UV_INDEX", "https_proxy"} <= set(allowed_environment(given))


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
