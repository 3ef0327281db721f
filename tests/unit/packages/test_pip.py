"""pip fetches a pinned wheel or the user learns why not, from an index of our own on loopback."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.base.errors import PackageError
from reconciler.base.hints import spell
from reconciler.packages.collect import collect_from
from reconciler.packages.fetch.cache import Cache
from reconciler.packages.fetch.indexes import Pin, parse_pin
from reconciler.packages.fetch.pip import PipIndex, pip_failure, readable_lines
from reconciler.packages.wheels import Supply
from reconciler.targets.maxcompute.runtimes import RUNTIMES
from tests.builders import sha256, unchecked, wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CP37 = RUNTIMES["cp37"]
CP37_TAG = "cp37-cp37m-manylinux1_x86_64"


@dataclass
class Simple:
    """A package index of one level of pages and some files; what it sends may differ from what it announces."""

    files: dict[str, bytes] = field(default_factory=dict)
    announced: dict[str, str] = field(default_factory=dict)
    """File name → sha256 in its link; none where there is no entry."""

    cut: int | None = None
    """Send so many bytes of a file and hang up, with the length of the whole in the head."""

    hold: Event = field(default_factory=Event)
    """Files are sent when it is set."""

    status: int = 200
    """Of every answer, unless there is nothing of that name."""

    asked: Event = field(default_factory=Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://user:pa55word@127.0.0.1:{self.port}/simple"

    def add(self, path: Path, *, announced: str | None = None) -> Pin:
        self.files[path.name] = path.read_bytes()
        self.announced[path.name] = announced or sha256(path)
        name, version = path.name.split("-")[:2]
        return Pin(name, version, sha256(path))

    def page(self, project: str) -> bytes | None:
        names = [name for name in self.files if name.lower().startswith(f"{project}-")]
        links = [f'<a href="/files/{name}#sha256={self.announced[name]}">{name}</a>' for name in names]
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode() if names else None


@pytest.fixture
def simple() -> Iterator[Simple]:
    state = Simple()
    state.hold.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, _, name = self.path.strip("/").partition("/")
            body = state.page(name) if kind == "simple" else state.files.get(name)
            self.send_response(404 if body is None and state.status == 200 else state.status)
            self.send_header("Content-Type", "text/html" if kind == "simple" else "application/octet-stream")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if kind == "files":
                state.asked.set()
                state.hold.wait()
                body = (body or b"")[: state.cut]
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: pytest's output is for failures."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield state
    state.hold.set()
    server.shutdown()
    thread.join()
    server.server_close()


def _environment(url: str, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("PIP_")}
    own = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": url, "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0"}
    return {**kept, **own, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **more}


def _index(simple: Simple, **more: str) -> PipIndex:
    return PipIndex(_environment(simple.url, **more))


def _failure(index: PipIndex, wanted: Pin, folder: Path) -> tuple[str, str, str]:
    with pytest.raises(PackageError) as caught:
        index.fetch(wanted, CP37, folder)
    (problem,) = caught.value.problems
    return problem.code, problem.message, spell(problem.hint)


def test_the_wheel_of_the_runtime_is_fetched_and_not_this_machines(simple: Simple, tmp_path: Path) -> None:
    ours = f"cp{sys.version_info.major}{sys.version_info.minor}"
    simple.add(wheel(tmp_path / "shelf", "native", tag=f"{ours}-{ours}-manylinux1_x86_64"))
    wanted = simple.add(
        wheel(tmp_path / "shelf", "native", tag="cp37-cp37m-manylinux_2_17_x86_64.manylinux2014_x86_64")
    )
    found = _index(simple).fetch(wanted, CP37, tmp_path)
    assert sha256(found) == wanted.sha256
    assert found.name.startswith("native-1.0-cp37-cp37m-")


@pytest.mark.parametrize("runtime", RUNTIMES.values(), ids=RUNTIMES)
def test_every_runtime_gets_its_own_wheel(simple: Simple, tmp_path: Path, runtime: object) -> None:
    assert isinstance(runtime, type(CP37))
    pins = {
        tag: simple.add(wheel(tmp_path / "shelf", "native", tag=f"{tag}-{one.abi}-manylinux1_x86_64"))
        for tag, one in RUNTIMES.items()
    }
    found = _index(simple).fetch(pins[runtime.tag], runtime, tmp_path)
    assert found.name == f"native-1.0-{runtime.tag}-{runtime.abi}-manylinux1_x86_64.whl"


def test_the_full_version_of_the_runtime_counts(simple: Simple, tmp_path: Path) -> None:
    wanted = simple.add(wheel(tmp_path / "shelf", "later", requires_python=">=3.7.1,<3.8"))
    assert _index(simple).fetch(wanted, CP37, tmp_path).is_file()


def test_what_the_wheel_requires_is_not_fetched(simple: Simple, tmp_path: Path) -> None:
    wanted = simple.add(wheel(tmp_path / "shelf", "needy", requires=("absent>=2",)))
    assert _index(simple).fetch(wanted, CP37, tmp_path).is_file()


def test_a_wrong_pin_is_answered_with_the_hash_that_the_index_has(simple: Simple, tmp_path: Path) -> None:
    there = simple.add(wheel(tmp_path / "shelf", "pure"))
    code, message, _ = _failure(_index(simple), Pin("pure", "1.0", "0" * 64), tmp_path)
    assert code == "E402"
    assert message == (
        f"no wheel of pure==1.0 that the index has for cp37 has sha256 {'0' * 64}; "
        f"'pure-1.0-py3-none-any.whl' has {there.sha256}"
    )


@pytest.mark.parametrize("cut", [0, 1, 200])
def test_a_download_that_is_cut_off_is_not_taken_for_another_file(simple: Simple, tmp_path: Path, cut: int) -> None:
    wanted = simple.add(wheel(tmp_path / "shelf", "pure"))
    simple.cut = cut
    code, message, _ = _failure(_index(simple, PIP_RESUME_RETRIES="0"), wanted, tmp_path)
    assert code == "E403"
    assert "pure==1.0" in message


def test_damaged_bytes_are_not_taken_for_a_wrong_pin(simple: Simple, tmp_path: Path) -> None:
    wanted = simple.add(wheel(tmp_path / "shelf", "pure"))
    (name,) = simple.files
    simple.files[name] = simple.files[name][:-1] + b"!"
    code, message, _ = _failure(_index(simple), wanted, tmp_path)
    assert code == "E403"
    assert "arrived damaged" in message


def test_after_a_failed_download_the_cache_is_empty(simple: Simple, tmp_path: Path) -> None:
    wanted = simple.add(wheel(tmp_path / "shelf", "pure"))
    simple.cut = 100
    cache = Cache(tmp_path / "cache")
    manifest = {
        "stack": "s",
        "packages": {"p": {"wheels": [{"requirement": str(wanted), "sha256": wanted.sha256}]}},
        "functions": {"f": {"class": "m.F", "packages": ["p"]}},
    }
    with pytest.raises(PackageError):
        collect_from(
            unchecked(tmp_path, manifest),
            Supply(
                cache=cache,
                index=_index(simple, PIP_RESUME_RETRIES="0"),
            ),
        )
    assert list(cache.root.iterdir()) == []


def test_a_version_that_is_not_there_says_what_pip_says(simple: Simple, tmp_path: Path) -> None:
    simple.add(wheel(tmp_path / "shelf", "pure"))
    code, message, hint = _failure(_index(simple), Pin("pure", "2.0", "0" * 64), tmp_path)
    assert code == "E403"
    assert "from versions: 1.0" in message
    assert hint.startswith(
        "1.0 is the newest version of pure that has a wheel for CPython 3.7 (cp37m, x86_64, glibc up to"
    )


def test_versions_without_a_fitting_wheel_and_previews_are_not_advised(simple: Simple, tmp_path: Path) -> None:
    for version, tag in (
        ("1.9", CP37_TAG),
        ("1.10", CP37_TAG),
        ("2.0rc1", CP37_TAG),
        ("3.0", "cp38-cp38-manylinux1_x86_64"),
    ):
        simple.add(wheel(tmp_path / "shelf", "native", version, tag=tag))
    index = _index(simple)
    assert index.newest("native", CP37, tmp_path) == "1.10"
    assert _failure(index, Pin("native", "3.0", "0" * 64), tmp_path)[2].startswith(
        "1.10 is the newest version of native"
    )
    assert index.newest("native", RUNTIMES["cp27"], tmp_path) is None
    hint = _failure(index, Pin("absent", "3.0", "0" * 64), tmp_path)[2]
    assert hint.startswith("check that the version exists and has a wheel for CPython 3.7")


def test_an_index_that_is_down_or_does_not_answer_advises_nothing(tmp_path: Path) -> None:
    assert PipIndex(_environment("http://127.0.0.1:9/simple")).newest("pure", CP37, tmp_path) is None
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        assert PipIndex(_environment(url), patience=2).newest("pure", CP37, tmp_path) is None


def test_a_source_archive_is_not_built(simple: Simple, tmp_path: Path) -> None:
    (tmp_path / "pure-1.0.tar.gz").write_bytes(b"")
    wanted = simple.add(tmp_path / "pure-1.0.tar.gz")
    assert _failure(_index(simple), Pin("pure", "1.0", wanted.sha256), tmp_path)[0] == "E403"


def test_an_index_that_is_down_is_said_to_be_down_without_its_password(tmp_path: Path) -> None:
    index = PipIndex(_environment("http://user:pa55word@127.0.0.1:9/simple"))
    code, message, hint = _failure(index, Pin("pure", "1.0", "0" * 64), tmp_path)
    assert code == "E403"
    assert "the package index does not answer" in message
    assert "Connection refused" in message
    assert "pip config list" in hint
    assert "pa55word" not in message + hint


@pytest.mark.parametrize("status", [401, 404, 503])
def test_an_index_that_answers_with_an_error_is_quoted(simple: Simple, tmp_path: Path, status: int) -> None:
    simple.status = status
    code, message, _ = _failure(_index(simple), Pin("pure", "1.0", "0" * 64), tmp_path)
    assert code == "E403"
    assert f" {status} " in message
    assert ("does not answer" in message) == (status == 503)
    assert "pa55word" not in message


def test_settings_that_would_change_which_wheel_is_wanted_are_not_passed_on(simple: Simple, tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text("pure==9.9\n")
    meddling = {
        "PIP_CONSTRAINT": str(tmp_path / "constraints.txt"),
        "PIP_PYTHON_VERSION": "2.7",
        "PIP_PLATFORM": "win32",
        "PIP_REQUIREMENT": str(tmp_path / "absent.txt"),
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_NO_BINARY": ":all:",
        "PIP_QUIET": "3",
    }
    wanted = simple.add(wheel(tmp_path / "shelf", "pure"))
    assert _index(simple, **meddling).fetch(wanted, CP37, tmp_path).is_file()


def test_a_checkout_cannot_bring_its_own_pip(simple: Simple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "pip.py").write_text("raise SystemExit('this is not pip')")
    monkeypatch.chdir(tmp_path / "checkout")
    wanted = simple.add(wheel(tmp_path / "shelf", "pure"))
    assert _index(simple).fetch(wanted, CP37, tmp_path).is_file()


def test_a_download_that_never_ends_is_ended(simple: Simple, tmp_path: Path) -> None:
    wanted = simple.add(wheel(tmp_path / "shelf", "pure"))
    simple.hold.clear()
    told: list[str] = []
    index = PipIndex(_environment(simple.url), timeout=1, on_wait=told.append, quiet=0.1)
    code, message, _ = _failure(index, wanted, tmp_path)
    assert (code, message) == ("E403", "pure==1.0 did not arrive within 1 seconds")
    assert told == ["pure==1.0"]


def test_stop_ends_a_download_under_way_and_lets_no_other_begin(simple: Simple, tmp_path: Path) -> None:
    wanted = simple.add(wheel(tmp_path / "shelf", "pure"))
    simple.hold.clear()
    index = _index(simple)
    found: list[tuple[str, str, str]] = []
    thread = Thread(target=lambda: found.append(_failure(index, wanted, tmp_path)))
    thread.start()
    assert simple.asked.wait(60)
    index.stop()
    thread.join(60)
    assert [code for code, _, _ in found] == ["E403"]
    assert "was stopped" in _failure(index, wanted, tmp_path)[1]


def test_a_python_without_pip_is_said_to_have_none() -> None:
    said = "/somewhere/bin/python: No module named pip\n"
    (problem,) = pip_failure(Pin("pure", "1.0", "0" * 64), CP37, said).problems
    assert problem.code == "E403"
    assert "has no pip" in problem.message


def test_a_pip_that_leaves_no_wheel_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "python").chmod(0o755)
    index = PipIndex(_environment("http://127.0.0.1:9/simple"), python=str(tmp_path / "python"))
    code, message, _ = _failure(index, Pin("pure", "1.0", "0" * 64), tmp_path)
    assert (code, message) == ("E403", "pip left 0 wheels for pure==1.0")


def test_silence_is_reported_as_plainly_as_words() -> None:
    (problem,) = pip_failure(Pin("pure", "1.0", "0" * 64), CP37, "").problems
    assert problem.message == "pure==1.0 cannot be fetched for cp37"


@given(
    st.text(st.characters(exclude_characters="/\\?#", exclude_categories=("C", "Z")), min_size=1).map(
        lambda s: f"S3{s}"
    ),
    st.sampled_from(
        ["https://{}@host.example/simple", "http://me:{}@host.example:8080", "socks5h://{}:x@host.example"]
    ),
)
def test_for_any_credentials_in_an_address_pips_words_are_shown_without_them(secret: str, address: str) -> None:
    line = f"WARNING: 401 Error, Credentials not correct for {address.format(secret)}/pure/?token={secret}"
    (shown,) = readable_lines(line)
    assert "S3" not in shown
    assert "host.example" in shown


def test_pips_words_are_short_and_printable() -> None:
    said = "Looking in indexes: x\n\nERROR: \x1b[31mred\x1b[0m\x07\n" + "WARNING: again\n" * 9 + f"ERROR: {'v' * 999}\n"
    lines = readable_lines(said)
    assert [len(line) <= 300 and line.isprintable() for line in lines] == [True] * 2
    assert not any("Looking in" in line for line in lines)


@pytest.mark.parametrize("requirement", ["numpy==1.19.2", "NumPy == 1.19.2", "a.b-c==1!2.0+cpu.1"])
def test_a_name_and_an_exact_version_are_a_pin(requirement: str) -> None:
    assert str(parse_pin(requirement, "0" * 64)) == requirement.replace(" ", "")


@pytest.mark.parametrize(
    "requirement",
    [
        "numpy",
        "numpy>=1.19",
        "numpy==1.19.*",
        "numpy===1.19.2",
        "numpy==1.19.2,!=1.19.3",
        "numpy[extra]==1.19.2",
        "numpy==1.19.2; python_version < '3'",
        "numpy @ https://host.example/numpy-1.19.2-py3-none-any.whl",
        "numpy==1.19.2 --index-url https://host.example",
        "numpy==1.19.2\n--index-url https://host.example",
        "-e .",
        "",
    ],
)
def test_what_leaves_something_open_or_says_something_else_is_not_a_pin(requirement: str) -> None:
    with pytest.raises(PackageError) as caught:
        parse_pin(requirement, "0" * 64)
    assert caught.value.problems[0].code == "E404"


@pytest.mark.parametrize(
    ("requirement", "filename", "same"),
    [
        ("numpy==1.19.2", "numpy-1.19.2-cp37-cp37m-manylinux1_x86_64.whl", True),
        ("NumPy==1.19.2", "numpy-1.19.2-cp37-cp37m-manylinux1_x86_64.whl", True),
        ("ruamel.yaml==1.0", "ruamel_yaml-1.0-py3-none-any.whl", True),
        ("a==1.0rc1", "a-1.0rc1-py3-none-any.whl", True),
        ("a==1", "a-1.0.0-py3-none-any.whl", True),
        ("numpy==1.19.2", "numpy-1.19.3-cp37-cp37m-manylinux1_x86_64.whl", False),
        ("numpy==1.19.2", "scipy-1.19.2-cp37-cp37m-manylinux1_x86_64.whl", False),
    ],
)
def test_a_pin_knows_the_names_of_its_wheels(requirement: str, filename: str, same: bool) -> None:
    assert parse_pin(requirement, "0" * 64).is_named_by(filename) is same
