"""The watch over secrets sees what it is there to see; everything else runs under it."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.canary import PASSWORD, SECRET, TOKEN, GaveAway, require_absent, require_absent_under

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "secret",
    [SECRET, TOKEN, PASSWORD, "ODPS ann:gk3mX2TqQkLr0s9vYwZpE4b1c2I="],
    ids=["key", "token", "password", "signature"],
)
def test_a_secret_is_seen_wherever_it_turns_up(
    secret: str, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(GaveAway), contextlib.redirect_stderr(io.StringIO()):
        print(secret, file=sys.stderr)
    print(secret)
    with pytest.raises(GaveAway):
        capsys.readouterr()
    with pytest.raises(GaveAway):
        subprocess.run([sys.executable, "-c", "", secret], check=True)
    with pytest.raises(GaveAway):
        subprocess.run(
            [sys.executable, "-c", "print(input())"], input=secret, capture_output=True, text=True, check=True
        )
    folder: Path = tmp_path_factory.mktemp("another")
    (folder / "blob").write_bytes(b"\0" + secret.encode())
    with pytest.raises(GaveAway):
        require_absent_under(folder)


def test_what_is_no_secret_is_let_through() -> None:
    require_absent("a ledger", "ALIYUN$ann applied, 2 created; a canary is a bird")
