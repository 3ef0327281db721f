"""
*Start*, walked through as somebody would who has nothing yet: an empty home, an environment of their own, and the built wheel.

It takes a minute and an index, so it is run at night; it says what took how long.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.site.console import ROOT, CannotPlay, Terminal

pytestmark = pytest.mark.skipif(os.environ.get("UDFS_PROOF") != "whole", reason="a long walk: UDFS_PROOF=whole")
PAGE = ROOT / "docs" / "start.md"
KEPT = re.compile(r"PIP_\w+|UV_\w+|SSL_CERT_\w+|\w+_(?i:proxy)|LOGNAME|USER")
"""Variables that say how this machine reaches its index, and who is at it."""


@dataclass
class Newcomer(Terminal):
    """A terminal in which each command is a process of the installed wheel."""

    home: Path = field(kw_only=True)
    seconds: list[tuple[float, str]] = field(default_factory=list)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a bash, and keep how long it took."""
        kept = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)}
        environment = {
            **kept,
            "HOME": str(self.home),
            "PATH": f"{self.home / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "COLUMNS": "100",
            "PYTHONUNBUFFERED": "1",  # what is printed comes in its order
        }
        active = f"source {self.home / 'udfs/.venv/bin/activate'} 2>/dev/null; "
        begun = time.perf_counter()
        done = subprocess.run(
            ["bash", "-c", active + command],
            env=environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.seconds.append((time.perf_counter() - begun, command.splitlines()[0]))
        return done

    def _run(self, command: str, code: int) -> str:
        done = self.run(command)
        if lacking := re.search(r"error\[E701\].*", done.stdout):
            raise CannotPlay(lacking[0])
        assert done.returncode == code, f"$ {command}\n{done.stdout}\n[exit {done.returncode}, not {code}]"
        return self._tidy(done.stdout)


def test_start_is_walked_through_from_an_empty_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wheels, home = tmp_path / "wheels", tmp_path / "home"
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), str(ROOT)]
    subprocess.run(pip, check=True, capture_output=True)
    [wheel] = wheels.glob("*.whl")
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python3").symlink_to(Path(sys.executable).resolve())
    (home / "udfs").mkdir()
    text = PAGE.read_text(encoding="utf-8")
    terminal = Newcomer(tmp_path / "work", monkeypatch, home=home)
    [install] = re.findall(r"## Install\n.*?```sh\n(.*?)```", text, re.DOTALL)
    assert "pip install .\n" in install
    done = terminal.run(f"cd {home}/udfs && set -e\n" + install.replace("pip install .\n", f"pip install -q {wheel}\n"))
    assert done.returncode == 0, done.stdout
    try:
        happened = terminal.play(text)
    except CannotPlay as lacking:
        pytest.skip(str(lacking))
    assert happened == text
    with capsys.disabled():
        print(f"\n{PAGE.name} from nothing: {sum(seconds for seconds, _ in terminal.seconds):.1f} s")
        for seconds, command in terminal.seconds:
            print(f"  {seconds:6.1f} s  {command}")
