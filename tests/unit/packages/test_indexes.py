"""An index that was set for one tool counts for the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.packages.fetch.indexes import (
    Indexes,
    NamedIndex,
    all_of,
    find_indexes,
    pip_environment,
    pip_settings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ONE, TWO, TEAM = "https://one.test/simple", "https://two.test/simple", "https://team.test/simple"
PUBLIC = all_of(Indexes())[0].rstrip("/")
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


ORDER = {
    "nothing set": ({}, False, ["default PyPI"]),
    "pip's main index": ({"PIP_INDEX_URL": ONE}, False, [f"default {ONE}"]),
    "a further one comes first": (
        {"PIP_INDEX_URL": ONE, "PIP_EXTRA_INDEX_URL": f"{TWO} {TEAM}"},
        False,
        [f"extra-1 {TWO}", f"extra-2 {TEAM}", f"default {ONE}"],
    ),
    "the public one comes after all": (
        {"PIP_INDEX_URL": ONE, "PIP_EXTRA_INDEX_URL": f"{PUBLIC}/"},
        False,
        [f"default {ONE}", "extra-1 PyPI"],
    ),
    "folders come last": (
        {"PIP_EXTRA_INDEX_URL": f"file:///simple {TWO}"},
        False,
        [f"extra-2 {TWO}", "default PyPI", "extra-1 file:///simple"],
    ),
    "uv's where nothing is set for pip": (
        {"UV_INDEX": f"team={TEAM} {TWO}", "UV_DEFAULT_INDEX": ONE},
        False,
        [f"team {TEAM}", f"extra-2 {TWO}", f"default {ONE}"],
    ),
    "uv's first for what uv resolves": (
        {"UV_INDEX": f"team={TEAM}", "PIP_INDEX_URL": ONE},
        True,
        [f"team {TEAM}", "default PyPI"],
    ),
    "pip's first for what pip resolves": ({"UV_INDEX": f"team={TEAM}", "PIP_INDEX_URL": ONE}, False, [f"default {ONE}"]),
    "uv's older names": (
        {"UV_INDEX_URL": f"main={ONE}", "UV_EXTRA_INDEX_URL": TWO},
        True,
        [f"extra-1 {TWO}", f"default {ONE}"],
    ),
    "a query is no name": ({"UV_DEFAULT_INDEX": f"{ONE}?a=b"}, True, [f"default {ONE}?a=b"]),
    "a password beside the address": (
        {"UV_INDEX": "my-team=https://team.test/simple", "UV_INDEX_MY_TEAM_USERNAME": "me", "UV_INDEX_MY_TEAM_PASSWORD": "p@w"},
        True,
        ["my-team https://me:p%40w@team.test/simple", "default PyPI"],
    ),
    "none": ({"PIP_NO_INDEX": "yes", "PIP_INDEX_URL": ONE}, False, []),
}  # fmt: skip


@pytest.mark.parametrize(("env", "of_uv", "order"), ORDER.values(), ids=ORDER)
def test_indexes_are_asked_in_an_order(
    home: dict[str, str], tmp_path: Path, env: dict[str, str], of_uv: bool, order: list[str]
) -> None:
    indexes = find_indexes({**home, **env}, tmp_path / "prefix", of_uv=of_uv)
    assert [f"{index.name} {index.address.rstrip('/').replace(PUBLIC, 'PyPI')}" for index in indexes] == order
    own = NamedIndex("CORP", f"{TEAM}/own")
    first, *_ = find_indexes(
        {**home, "PIP_INDEX_URL": ONE, **env, "PIP_NO_INDEX": ""}, tmp_path / "prefix", [own], of_uv=of_uv
    )
    assert first is own


def test_indexes_of_a_file_of_uvs_count(home: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / ".config" / "uv" / "uv.toml"
    file.parent.mkdir(parents=True)
    file.write_text(
        f'[[index]]\nname = "team"\nurl = "{TEAM}"\n[[index]]\nurl = "{ONE}"\ndefault = true\n'
        f'[[index]]\nname = "rare"\nurl = "{TWO}"\nexplicit = true\n'
    )
    order = [("team", TEAM), ("default", ONE)]
    assert [(index.name, index.address) for index in find_indexes(home, tmp_path / "prefix")] == order
    other = file.rename(tmp_path / "other.toml")
    env = {**home, "UV_CONFIG_FILE": str(other)}
    assert [(index.name, index.address) for index in find_indexes(env, tmp_path / "prefix")] == order
    assert [index.name for index in find_indexes({**env, "UV_NO_CONFIG": "1"}, tmp_path / "prefix")] == ["default"]
    other.write_text("[[index\n")
    assert [index.name for index in find_indexes(env, tmp_path / "prefix")] == ["default"]


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


def test_what_holds_addresses_does_not_show_them() -> None:
    assert CANARY not in repr(Indexes(f"https://me:{CANARY}@one.test", (f"https://me:{CANARY}@two.test",)))
