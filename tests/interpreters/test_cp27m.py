"""The builder of the narrow Python 2.7 says why it cannot, and leaves nothing behind that looks like one."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.interpreters.cp27m import CannotBuild, build, find, place

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_not_the_release_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    other = tmp_path / "Python-2.7.18.tgz"
    other.write_bytes(b"not it")
    with pytest.raises(CannotBuild, match=r"Python-2\.7\.18\.tgz is not the source of CPython 2\.7\.18"):
        build(env, other)
    assert find(env) is None
    assert [left.suffix for left in place(env).parent.iterdir()] == [".lock"]


def test_a_machine_without_apt_is_told_of_the_other_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("gcc", "make"):
        (tools / tool).touch(0o755)
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(CannotBuild, match=r"apt-config is not installed; --source takes the source as a file"):
        build({"XDG_CACHE_HOME": str(tmp_path / "cache")})


def test_what_was_built_is_narrow(cp27m: Path) -> None:
    asked = [str(cp27m), "-E", "-s", "-S", "-c", "import sys; print(sys.maxunicode)"]
    assert int(subprocess.run(asked, check=True, capture_output=True, env={}).stdout) == 0xFFFF
    assert build(os.environ) == cp27m
