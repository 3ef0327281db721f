"""
Secrets that exist in this run alone, and a watch over everything that could give them away.

The tests of whole commands run with these as access key and security token, those of locking with one as a package index's
password. What commands print, in this process or in another, every argument a process is started with, what is logged, and
every file that is left under a test's folder, the service's store with ledgers and resources included, is searched for
them; a test in which one turns up fails.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET, TOKEN, PASSWORD = (f"canary-{what}-{secrets.token_hex(12)}" for what in ("key", "token", "password"))
WATCHED = ("acceptance", "cli", "target", "invariants", "locking", "forges")
"""Folders of tests."""

_SIGNATURE = re.compile(rb"\bODPS [^\s:]+:[\w+/=-]{20,}")


class GaveAway(AssertionError):
    """A secret was found where it must not be."""


def require_absent(where: str, text: str | bytes | None) -> None:
    """Raise if a text holds a secret, or a signed header."""
    content = text.encode(errors="replace") if isinstance(text, str) else text or b""
    for what, secret in {"access key": SECRET, "security token": TOKEN, "index's password": PASSWORD}.items():
        if secret.encode() in content:
            raise GaveAway(f"{where} holds the {what}")
    if found := _SIGNATURE.search(content):
        raise GaveAway(f"{where} holds a signature: {found[0]!r}")


def require_absent_under(folder: Path) -> None:
    """Raise if a file holds a secret."""
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            with contextlib.suppress(OSError):
                require_absent(str(file), file.read_bytes())


def watched(item: pytest.Item) -> bool:
    """Say whether a test is one of whole commands."""
    parts = item.path.parts
    return "tests" in parts and parts[parts.index("tests") + 1] in WATCHED


@pytest.fixture(autouse=True)
def _canary(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not watched(request.node):
        yield
        return
    monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", TOKEN)
    _watch_streams(monkeypatch)
    _watch_processes(monkeypatch)
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    if folder is not None:
        require_absent_under(folder)


def _watch_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """See what is printed here: where a test redirects the streams, and where it asks pytest for them."""
    redirected: Any = contextlib.redirect_stdout.__mro__[1]
    leave, read = redirected.__exit__, pytest.CaptureFixture.readouterr

    def left(stream: Any, *why: Any) -> None:
        leave(stream, *why)
        if hasattr(stream._new_target, "getvalue"):
            require_absent("the output", stream._new_target.getvalue())

    def was_read(capture: Any) -> Any:
        found = read(capture)
        for text in found:
            require_absent("the output", text)
        return found

    monkeypatch.setattr(redirected, "__exit__", left)
    monkeypatch.setattr(pytest.CaptureFixture, "readouterr", was_read)


def _watch_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """See what processes are started with, and what they print."""
    begin, talk = subprocess.Popen.__init__, subprocess.Popen.communicate

    def begun(process: Any, args: Any, *more: Any, **named: Any) -> None:
        require_absent("a process's arguments", repr(args))
        begin(process, args, *more, **named)

    def talked(process: Any, *args: Any, **named: Any) -> Any:
        said = talk(process, *args, **named)
        for text in said:
            require_absent("a process's output", text)
        return said

    monkeypatch.setattr(subprocess.Popen, "__init__", begun)
    monkeypatch.setattr(subprocess.Popen, "communicate", talked)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """See what was captured and logged, and what a failing test would show."""
    outcome: Any = yield
    report = outcome.get_result()
    if watched(item) and report.passed:
        try:
            for title, text in report.sections:
                require_absent(title, text)
        except GaveAway as error:
            report.outcome, report.longrepr = "failed", str(error)
