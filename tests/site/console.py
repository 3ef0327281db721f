"""
Console blocks of Markdown pages: what is typed, and what then appears.

A page is played from top to bottom in one fresh folder. A fence with a ``title`` is a file, written there; a fence ``console`` holds
commands (``$ …``) with their output, in which a line ``…`` stands for any lines. Comments, which a browser does not show, say the rest::

    <!-- run: cp -r $EXAMPLES/numpy . -->     typed, and not shown; `hand …` is somebody else (`hand.py`)
    <!-- exits with 3 -->                      what the last command of the next block exits with, where that is not 0
    <!-- not run: why -->                      the next block is not run, and says why

What differs from run to run is compared as a placeholder, so that a page keeps what it shows until something else is so.
"""

from __future__ import annotations

import contextlib
import getpass
import io
import linecache
import os
import re
import shlex
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.entry import run as udfs
from tests.site.hand import act

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

ROOT = Path(__file__).parents[2]
_PART = re.compile(
    r"^<!-- (?P<word>run:|exits with|not run:) (?P<rest>.*?) -->$"
    r'|^(?P<indent> *)```(?P<language>[a-z]+)(?: title="(?P<title>[^"]+)")?[^\n]*\n(?P<body>.*?)^(?P=indent)```$',
    re.MULTILINE | re.DOTALL,
)
_SHELL = re.compile(r"[|&;<>$*`]")
_VARIES = (
    (re.compile(r"\d{4}-\d{2}-\d{2}( \d{2}:\d{2}(:\d{2})?Z)?"), "TIME"),
    (re.compile(r"\b\d{2}:\d{2}Z"), "TIME"),
    (re.compile(r"(?<![0-9a-z])(sha256:)?([0-9a-f]{8}|[0-9a-f]{16,64})(?![0-9a-z])"), "DIGEST"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"^(  (?:ok|FAIL) .*)  \d+\.\d s$"), r"\1"),
    (re.compile(r"\b\d+\.\d s\b"), "SECONDS"),
    (re.compile(r"\b20\d{15}g[0-9a-z]{10}\b"), "INSTANCE"),
    (re.compile(r"CPython (\d\.\d+)\.\d+|/\S+/python\d\.\d+"), r"CPython \1"),
    (re.compile(r"Python 3\.\d+\.\d+"), "PYTHON"),
    (re.compile(r"\bCRC-64 \d+"), "CHECKSUM"),
)


_BY_THE_WAY = ("fetching ", "building ")
"""How lines begin that appear once: what is fetched or built then lies in the cache."""


class CannotPlay(Exception):
    """This machine lacks what a page needs: a package index that answers, or a CPython."""


@dataclass(frozen=True)
class Block:
    """A console block of a page."""

    start: int
    end: int
    """Where its lines are in the page."""

    indent: str
    text: str

    @property
    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each command with the lines that the page shows of its output."""
        command, shown = "", list[str]()
        for line in self.text.splitlines():
            if line.startswith("$ "):
                if command:
                    yield command, shown
                command, shown = line[2:], []
            elif command.endswith("\\") and not shown:
                command += f"\n{line}"
            else:
                shown.append(line)
        if command:
            yield command, shown


def blocks_of(page: str) -> list[Block]:
    """Return the console blocks of a page that begin with a command."""
    return [_block(match) for match in _PART.finditer(page) if _is_console(match)]


def _is_console(match: re.Match[str]) -> bool:
    return match["language"] == "console" and match["body"].lstrip().startswith("$ ")


def _block(match: re.Match[str]) -> Block:
    return Block(match.start("body"), match.end("body"), match["indent"], _dedent(match["body"], match["indent"]))


def _dedent(text: str, indent: str) -> str:
    return re.sub(f"^{indent}", "", text, flags=re.MULTILINE)


@dataclass
class Terminal:
    """A folder in which a page is played."""

    folder: Path
    patch: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.patch.chdir(self.folder)
        self.patch.setenv("UDFS_WRITERS", "1")  # in one order each time
        self.patch.setenv("COLUMNS", "100")
        self.patch.setenv("UDFS_PROGRESS", "off")  # how long something takes says how busy the machine is
        self.patch.setenv("EXAMPLES", str(ROOT / "examples"))
        self.patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        for name in list(os.environ):
            if name == "CI" or name.startswith(("GITHUB_", "GITLAB_", "CI_", "BUILD_", "JENKINS_")):
                self.patch.delenv(name)

    def play(self, page: str) -> str:
        """Return the page with what really appears."""
        parts, position, code, is_run = [], 0, 0, True
        for match in _PART.finditer(page):
            if match["word"] == "run:":
                self._run(match["rest"], 0)
            elif match["word"]:
                code, is_run = (int(match["rest"]), True) if match["word"] == "exits with" else (0, False)
            elif match["title"]:
                self._write(match["title"], _dedent(match["body"], match["indent"]))
            elif _is_console(match):
                block = _block(match)
                if is_run:
                    parts += [page[position : block.start], *self._lines(block, code)]
                    position = block.end
                code, is_run = 0, True
        return "".join([*parts, page[position:]])

    def _lines(self, block: Block, code: int) -> Iterator[str]:
        commands = list(block.commands)
        for number, (command, shown) in enumerate(commands):
            printed = self._run(command, code if number == len(commands) - 1 else 0).splitlines()
            lines = [
                f"$ {command}".replace("\n", f"\n{block.indent}"),
                *(shown if is_as_shown(printed, shown) else printed),
            ]
            yield from (f"{block.indent}{line}".rstrip() + "\n" for line in lines)

    def _run(self, command: str, code: int) -> str:
        linecache.clearcache()
        if command.startswith("hand "):
            act(shlex.split(command)[1:])
            return ""
        if command.startswith("udfs ") and not _SHELL.search(command):
            both = io.StringIO()
            with contextlib.redirect_stdout(both), contextlib.redirect_stderr(both):
                ended = udfs(shlex.split(command)[1:])
            text = both.getvalue()
        else:
            process = subprocess.run(
                ["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
            text, ended = process.stdout, process.returncode
        if lacking := re.search(r"error\[(E403|E701|E475|E450|E454)\].*", text):
            raise CannotPlay(lacking[0])
        assert ended == code, f"$ {command}\n{text}\n[exit {ended}, not {code}]"
        return self._tidy(text)

    def _write(self, name: str, content: str) -> None:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")

    def _tidy(self, text: str) -> str:
        """Return a text as if somebody else had seen it, at home."""
        text = text.replace(str(self.folder), f"~/{self.folder.name}")
        text = text.replace(os.environ["UDFS_CACHE_DIR"], "~/.cache/udfs")
        return text.replace(f"{getpass.getuser()} on {socket.gethostname()}", "ann on laptop")


def is_as_shown(printed: list[str], shown: list[str]) -> bool:
    """Say whether lines are those of a page, but for what differs from run to run."""
    printed, shown = (
        [_placeholders(line) for line in lines if not line.startswith(_BY_THE_WAY)] for lines in (printed, shown)
    )
    pattern = "\n".join(".*" if line == "…" else re.escape(line) for line in shown)
    return re.fullmatch(pattern, "\n".join(printed), re.DOTALL) is not None


def _placeholders(line: str) -> str:
    line = line.rstrip()
    for varying, placeholder in _VARIES:
        line = varying.sub(placeholder, line)
    return line
