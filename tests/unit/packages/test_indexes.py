"""An index that was set for one tool counts for the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.packages.fetch.indexes import Indexes, all_of, pip_environment, pip_settings, uv_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ONE, TWO, TEAM = "https://one.test/simple", "https://two.test/simple", "https://team.test/simple"
CANARY = "hunter2-canary"


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment whose home and pip's own folders are empty."""
    return {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path / "etc")}


def settings(env: Mapping[str, str], tmp_path: Path) -> Indexes:
    return pip_settings(env, tmp_path / "prefix")


def test_pips_files_count_in_pips_order(home: dict[str, str], tmp_path: Path) -> None:
    for place, text in (
        ("etc/pip/pip.conf", f"[global]\nindex-url = {ONE}\n"),
        (".config/pip/pip.conf", f"[global]\nindex-url = {TWO}\nextra-index-url = {ONE}\n  {TEAM}\ncert = /all.pem\n"),
        (
            "prefix/pip.conf",
            "[global]\nindex-url = https://global.test\ntrusted-host = one.test\n two.test\n[download]\nindex-url = https://venv.test\n",
        ),
        ("own.conf", "[global]\nfind-links = /wheels /more\nno-index = true\n"),
    ):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = settings({**home, "PIP_CONFIG_FILE": str(tmp_path / "own.conf")}, tmp_path)
    assert found == Indexes(
        "https://venv.test", (ONE, TEAM), ("/wheels", "/more"), "/all.pem", None, ("one.test", "two.test"), True
    )
    assert settings({**home, "PIP_INDEX_URL": TWO}, tmp_path).default == TWO
    assert settings({**home, "PIP_CONFIG_FILE": "/dev/null"}, tmp_path) == Indexes()


def test_a_file_that_pip_could_not_read_either_is_passed_over(home: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "own.conf").write_bytes(b"index-url = \xff\n[global\n")
    env = {**home, "PIP_CONFIG_FILE": str(tmp_path / "own.conf"), "PIP_INDEX_URL": ONE}
    assert settings(env, tmp_path).default == ONE


ASKED_BY_UV = {
    "nothing set": ({}, (), {}),
    "pip's index": ({"PIP_INDEX_URL": ONE}, (), {"UV_DEFAULT_INDEX": ONE}),
    "pip looks everywhere": (
        {"PIP_INDEX_URL": ONE, "PIP_EXTRA_INDEX_URL": TWO},
        (),
        {"UV_INDEX": ONE, "UV_DEFAULT_INDEX": TWO, "UV_INDEX_STRATEGY": "unsafe-best-match"},
    ),
    "uv's own setting wins": (
        {"PIP_INDEX_URL": ONE, "UV_DEFAULT_INDEX": TWO, "PIP_EXTRA_INDEX_URL": TEAM},
        (),
        {"UV_DEFAULT_INDEX": TWO},
    ),
    "a file of uv's": ({"PIP_INDEX_URL": ONE, "UV_CONFIG_FILE": "/uv.toml"}, (), {"UV_CONFIG_FILE": "/uv.toml"}),
    "a package's index comes first": (
        {"UV_INDEX": TWO, "UV_DEFAULT_INDEX": ONE},
        (TEAM,),
        {"UV_INDEX": f"{TEAM} {TWO}", "UV_DEFAULT_INDEX": ONE},
    ),
    "no index, folders, certificates": (
        {"PIP_NO_INDEX": "yes", "PIP_FIND_LINKS": "/a /b", "PIP_CERT": "/c.pem", "PIP_TRUSTED_HOST": "x y", "PIP_INDEX_URL": ONE},
        (),
        {"UV_NO_INDEX": "1", "UV_FIND_LINKS": "/a,/b", "SSL_CERT_FILE": "/c.pem", "UV_INSECURE_HOST": "x y", "UV_DEFAULT_INDEX": ONE},
    ),
    "what uv has is not overwritten": (
        {"PIP_FIND_LINKS": "/a", "PIP_CERT": "/c.pem", "UV_FIND_LINKS": "/b", "SSL_CERT_FILE": "/d.pem", "PIP_INDEX_URL": ONE},
        (),
        {"UV_FIND_LINKS": "/b", "SSL_CERT_FILE": "/d.pem", "UV_DEFAULT_INDEX": ONE},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("env", "more", "made"), ASKED_BY_UV.values(), ids=ASKED_BY_UV)
def test_uv_is_told_what_was_set_for_pip(
    home: dict[str, str], tmp_path: Path, env: dict[str, str], more: tuple[str, ...], made: dict[str, str]
) -> None:
    pip = Indexes(default=ONE) if not env else settings({**home, "PIP_CONFIG_FILE": "/dev/null", **env}, tmp_path)
    found = {name: value for name, value in uv_environment(env, pip, more).items() if not name.startswith("PIP_")}
    assert found == (made or {"UV_DEFAULT_INDEX": ONE})


ASKED_BY_PIP = {
    "nothing set": ({}, (), (), {}),
    "uv's index": ({"UV_DEFAULT_INDEX": ONE}, (), (), {"PIP_INDEX_URL": ONE}),
    "uv's older name, and a named one": ({"UV_INDEX_URL": f"main={ONE}"}, (), (), {"PIP_INDEX_URL": ONE}),
    "a query is no name": ({"UV_DEFAULT_INDEX": f"{ONE}?a=b"}, (), (), {"PIP_INDEX_URL": f"{ONE}?a=b"}),
    "uv's other indexes": (
        {"UV_INDEX": f"team={TEAM} {TWO}", "UV_EXTRA_INDEX_URL": ONE},
        (),
        (),
        {"PIP_EXTRA_INDEX_URL": f"{TEAM} {TWO} {ONE}"},
    ),
    "pip's own setting wins": (
        {"PIP_INDEX_URL": ONE, "UV_DEFAULT_INDEX": TWO, "UV_INDEX": TEAM},
        (),
        (),
        {"PIP_INDEX_URL": ONE},
    ),
    "a package's indexes and folders come on top": (
        {"PIP_INDEX_URL": ONE, "PIP_EXTRA_INDEX_URL": TWO, "PIP_FIND_LINKS": "/a"},
        (TEAM,),
        ("/b",),
        {"PIP_INDEX_URL": ONE, "PIP_EXTRA_INDEX_URL": f"{TWO} {TEAM}", "PIP_FIND_LINKS": "/a /b"},
    ),
}


@pytest.mark.parametrize(("env", "more", "links", "made"), ASKED_BY_PIP.values(), ids=ASKED_BY_PIP)
def test_pip_is_told_what_was_set_for_uv(
    env: dict[str, str], more: tuple[str, ...], links: tuple[str, ...], made: dict[str, str]
) -> None:
    found = {name: value for name, value in pip_environment(env, more, links).items() if name.startswith("PIP_")}
    assert found == made


def test_without_a_setting_both_ask_where_pip_asks() -> None:
    (only,) = all_of(Indexes())
    assert uv_environment({}, Indexes(), ())["UV_DEFAULT_INDEX"] == only
    assert all_of(Indexes(ONE, (TWO,))) == (ONE, TWO)


def test_what_holds_addresses_does_not_show_them() -> None:
    assert CANARY not in repr(Indexes(f"https://me:{CANARY}@one.test", (f"https://me:{CANARY}@two.test",)))
