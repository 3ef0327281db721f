"""The command as a process of its own: terminals, signals, pipes."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

from reconciler.local import Server, Settings
from tests.canary import SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping

UDFS = [sys.executable, "-m", "reconciler"]
MANIFEST = """\
stack: risk
targets: {local: {endpoint: "${env:ENDPOINT}", project: demo}}
functions:
  f: {source: f.py, class: F}
"""

SOURCE = """\
from odps.udf import annotate


@annotate("->string")
class F(object):
    def evaluate(self):
        return None
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "udfs.yaml").write_text(MANIFEST)
    (tmp_path / "f.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return tmp_path


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    with Server(folder / "store", Settings(control=True)) as running:
        monkeypatch.setenv("ENDPOINT", running.url)
        yield running


def on_a_terminal(
    *arguments: str, typed: str = "", until: str | None = None, streams: Mapping[str, IO[bytes]] | None = None
) -> tuple[int, str]:
    """
    Run a command on a terminal, type when `until` appears, and return its exit code and what the screen got.

    `streams` are those that are led elsewhere.
    """
    terminal, its_side = pty.openpty()
    ends: dict[str, Any] = {"stdin": its_side, "stdout": its_side, "stderr": its_side, **(streams or {})}
    child = subprocess.Popen([*UDFS, *arguments], **ends, start_new_session=True, close_fds=True)
    os.close(its_side)
    shown, answered, deadline = b"", not typed, time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                piece = os.read(terminal, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        if not answered and until and until.encode() in shown:
            os.write(terminal, typed.encode() + b"\n")
            answered = True
    os.close(terminal)
    return child.wait(60), shown.decode()


def run(*arguments: str, **given: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*UDFS, *arguments], capture_output=True, text=True, timeout=60, check=False, **given)  # type: ignore[call-overload, no-any-return]


def test_on_a_terminal_apply_asks_and_takes_only_yes(server: Server) -> None:
    code, shown = on_a_terminal("apply", typed="y", until="Type 'yes' to confirm")
    assert code == 5
    assert "not confirmed; nothing was changed" in shown
    code, shown = on_a_terminal("apply", typed="yes", until="Type 'yes' to confirm")
    assert code == 0, shown
    assert "2 created" in shown
    assert "\x1b[" in shown, "a terminal gets colour"
    assert SECRET not in shown


@pytest.mark.parametrize(
    ("settings", "elsewhere"),
    [({"TERM": "dumb"}, ()), ({"NO_COLOR": "1"}, ()), ({}, ("stderr",)), ({}, ("stdout",))],
    ids=["a dumb terminal", "no colour", "errors go to a file", "results go to a file"],
)
def test_who_sits_at_a_terminal_is_asked(
    settings: dict[str, str],
    elsewhere: tuple[str, ...],
    server: Server,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with (folder / "log").open("wb") as log:
        streams = dict.fromkeys(elsewhere, log)
        code, shown = on_a_terminal("apply", typed="yes", until="Type 'yes' to confirm", streams=streams)
    assert code == 0, shown


@pytest.mark.parametrize(
    ("settings", "elsewhere", "why"),
    [
        ({"CI": "true"}, (), "the environment variable CI is set"),
        ({}, ("stdin",), "standard input is no terminal"),
        ({}, ("stdout", "stderr"), "there is no terminal to ask on"),
    ],
    ids=["CI", "input", "output"],
)
def test_it_is_said_why_nobody_is_asked(
    settings: dict[str, str],
    elsewhere: tuple[str, ...],
    why: str,
    server: Server,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with (folder / "log").open("w+b") as log:
        code, shown = on_a_terminal("apply", streams=dict.fromkeys(elsewhere, log))
    assert code == 5, shown
    assert f"udfs cannot ask for confirmation: {why}" in shown + (folder / "log").read_text()


def test_a_terminal_obeys_nothing_that_a_function_says(server: Server, folder: Path) -> None:
    evil = r"\x1b]0;title\x07\x1b[2J\u202e"
    (folder / "f.py").write_text(
        "from odps.udf import annotate\n@annotate('->string')\nclass F(object):\n    def evaluate(self):\n"
        f"        print('{evil}')\n        return '{evil}'\n"
    )
    (folder / "udfs.yaml").write_text(MANIFEST + "python: cp311\n" if "python:" not in MANIFEST else MANIFEST)
    assert run("apply", "--yes").returncode == 0
    code, shown = on_a_terminal("call", "f")
    assert code == 0, shown
    assert shown.count(evil) == 2, "the result, and what was printed"
    assert not set("\x1b\x07\u202e") & set(shown)
    assert run("call", "f").stdout == evil.encode().decode("unicode_escape") + "\n", "a file gets what it is"


def test_destroy_wants_the_stacks_name(server: Server) -> None:
    assert run("apply", "--yes").returncode == 0
    code, _ = on_a_terminal("destroy", typed="yes", until="Type the stack's name (risk)")
    assert code == 5
    code, shown = on_a_terminal("destroy", typed="risk", until="Type the stack's name (risk)")
    assert code == 0, shown
    assert "2 deleted" in shown


@pytest.mark.parametrize("setting", [{"NO_COLOR": "1"}, {"CI": "true"}, {"TERM": "dumb"}])
def test_colour_is_left_out_where_it_is_not_wanted(
    setting: dict[str, str], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    _, shown = on_a_terminal("plan")
    assert "\x1b[" not in shown
    assert "will be created" in shown


def test_off_a_terminal_nothing_is_asked(server: Server) -> None:
    done = run("apply", stdin=subprocess.DEVNULL)
    assert done.returncode == 5
    assert "add --yes" in done.stderr
    assert not [sent for sent in server.requests if sent.method != "GET"]


def interrupted(server: Server, *signals: signal.Signals, seconds: float) -> tuple[int, str, str]:
    """Apply, send signals while the module is being uploaded, and return exit code, stdout and stderr."""
    # The first POST of a resource is the lease.
    server.faults.add({"action": "stall", "seconds": seconds, "method": "POST", "path": "/resources$", "nth": 2})
    process = subprocess.Popen([*UDFS, "apply", "--yes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not any(sent.method == "POST" for sent in server.requests) and time.monotonic() < deadline:
        time.sleep(0.05)
    for number in signals:
        time.sleep(0.7)
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_ended_finishes_what_is_in_flight_and_says_so(number: signal.Signals, server: Server) -> None:
    code, out, err = interrupted(server, number, seconds=3.0)
    assert code == 130, err
    assert re.search(r"created             resource f__[0-9a-f]{8}\.py", out)
    assert "not tried (create)  function f" in out
    assert "Interrupted: 1 created, 1 not done" in out
    assert "stopping: what is being sent is finished" in err
    assert err.endswith("nothing is undone; run the same command again, it carries on from what is in the project\n")
    assert "Traceback" not in err
    assert "interrupted +1, 1 not done" in run("history").stdout
    assert run("apply", "--yes").returncode == 0, "the lease was given back"


def test_a_second_ctrl_c_does_not_wait(server: Server) -> None:
    code, _, err = interrupted(server, signal.SIGINT, signal.SIGINT, seconds=30.0)
    assert code == 130, err
    assert "Traceback" not in err
    assert "interrupted 2 not known" in run("history").stdout, "the module may be there, and the record says no more"
    assert "unknown   create  resource f__" in run("show-run", "1").stdout


@pytest.mark.parametrize(
    ("command", "signals"),
    [
        ("plan", "INT"),
        ("plan", "TERM"),
        ("plan", "TERM TERM"),
        ("drift", "INT"),
        ("import", "TERM"),
        ("history", "INT"),
        ("apply --yes", "TERM"),
    ],
)
def test_a_run_that_only_reads_is_gone_at_once_when_it_is_interrupted_whatever_the_service_does(
    command: str, signals: str, folder: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        process = subprocess.Popen(
            [*UDFS, *command.split()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}/api"},
        )
        listings = [silent.accept()[0] for _ in range(2)]
        for name in signals.split():
            process.send_signal(signal.Signals[f"SIG{name}"])
        _, err = process.communicate(timeout=30)
        for connection in listings:
            connection.close()
    assert process.returncode == 130, err
    assert err.rstrip().endswith("interrupted")
    assert "Traceback" not in err


def test_a_signal_that_wakes_nobody_is_heard_all_the_same(tmp_path: Path) -> None:
    """Whichever thread the system gives it to, and however short before a wait it comes."""
    program = """
import os, signal, threading, time
from reconciler.cli.support.interrupts import interruptible
interruptible(threading.Event())
def work():
    time.sleep(0.2)
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
    time.sleep(60)
threading.Thread(target=work, daemon=True).start()
lock = threading.Lock()
lock.acquire()
try:
    lock.acquire()
except KeyboardInterrupt:
    os._exit(7)
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=30, check=False).returncode == 7


def test_signals_that_keep_coming_do_not_hide_how_it_ended(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        env = {**os.environ, "ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}/api"}
        for _ in range(5):
            process = subprocess.Popen([*UDFS, "plan"], stderr=subprocess.PIPE, text=True, env=env)
            listings = [silent.accept()[0] for _ in range(2)]
            deadline = time.monotonic() + 30
            while process.poll() is None and time.monotonic() < deadline:
                process.send_signal(signal.SIGTERM)
                time.sleep(0.0005)
            _, err = process.communicate(timeout=30)
            for connection in listings:
                connection.close()
            assert process.returncode == 130, err
            assert "Traceback" not in err


def test_ctrl_c_ends_a_plan_that_waits_for_a_silent_index(folder: Path) -> None:
    packages = f"packages: {{p: {{wheels: [{{requirement: p==1.0, sha256: {'a' * 64}}}]}}}}\n"
    (folder / "udfs.yaml").write_text(MANIFEST.replace("class: F", "class: F, packages: [p]") + packages)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        own = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index, "NO_PROXY": "127.0.0.1", "ENDPOINT": "local"}
        process = subprocess.Popen([*UDFS, "plan"], stderr=subprocess.PIPE, text=True, env={**kept, **own})
        with silent.accept()[0]:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err


def test_a_reader_that_goes_away_is_not_a_crash(folder: Path) -> None:
    done = subprocess.run(
        f"{' '.join(UDFS)} explain | head -1", shell=True, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.startswith("E101")
    assert done.stderr == ""


def test_serve_says_where_it_listens_and_ends_on_sigterm(folder: Path) -> None:
    command = [*UDFS, "serve", "--dir", "served", "--set", "name-filter=contains", "--control"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("listening on http://127.0.0.1:")
    done = run("apply", "--yes", env={**os.environ, "ENDPOINT": line.split()[-1]})
    assert done.returncode == 0, done.stderr
    process.send_signal(signal.SIGTERM)
    rest, err = process.communicate(timeout=60)
    assert (process.returncode, rest, err) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "bogus=1"], "there is no switch 'bogus'"),
        (["--set", "page_size=1"], "there is no switch 'page_size'"),
        (["--set", "name_filter=suffix"], "does not take 'suffix'"),
        (["--set", "sync=maybe"], "it takes true or false"),
        (["--set", "stale_list=x"], "it takes a number"),
        (["--access-id", "ann"], "--access-id and --access-key are given together"),
        (["--host", "0.0.0.0", "--control"], "loopback"),
        (["--host", "0.0.0.0"], "error[E905]"),
        (["--host", "::"], "error[E90"),
    ],
)
def test_serve_refuses_what_it_cannot_do(arguments: list[str], said: str, folder: Path) -> None:
    done = run("serve", "--dir", "served", *arguments)
    assert done.returncode == 3
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_takes_its_keys_from_the_environment_and_then_serves_others(folder: Path) -> None:
    keys = {**os.environ, "UDFS_SERVE_ACCESS_ID": "ann", "UDFS_SERVE_ACCESS_KEY": SECRET}
    command = [*UDFS, "serve", "--dir", "served", "--host", "0.0.0.0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=keys) as process:
        assert process.stdout is not None
        endpoint = process.stdout.readline().split()[-1]
        try:
            signed = run("apply", "--yes", env={**os.environ, "ENDPOINT": endpoint})
            other = run("plan", env={**os.environ, "ENDPOINT": endpoint, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "other"})
        finally:
            process.terminate()
    assert signed.returncode == 0, signed.stderr
    assert other.returncode == 4


def test_serve_lists_its_switches(folder: Path) -> None:
    assert "put_without_comment" in run("serve", "--list-switches").stdout


def test_init_writes_a_manifest_that_applies_and_runs(folder: Path) -> None:
    assert run("init", "-f", "new/udfs.yaml").returncode == 0
    assert run("apply", "-f", "new/udfs.yaml", "--yes").returncode == 0
    assert run("call", "-f", "new/udfs.yaml", "greet", "World").stdout == "Hello, World!\n"
    assert (folder / "new/.udfs/.gitignore").read_text().endswith("*\n"), "the store stays out of Git"
    again = run("init", "-f", "new/udfs.yaml")
    assert again.returncode == 3
    assert "E903" in again.stderr


def test_doctor_tells_what_is_there_and_what_is_missing(folder: Path, server: Server) -> None:
    done = run("doctor", "--format", "json")
    found = {one["subject"]: one for one in json.loads(done.stdout)}
    assert found["manifest"]["ok"] is True
    assert found["target"]["ok"] is True
    assert SECRET not in done.stdout
    server.close()
    done = run("doctor")
    assert done.returncode == 1
    assert "E601" in done.stdout
    without = {**os.environ, "HOME": "/nonexistent", "PATH": "/nonexistent", "PYENV_ROOT": "/nonexistent"}
    done = run("doctor", env=without)
    assert "no CPython of this runtime" in done.stdout


def test_doctor_works_without_a_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("doctor").returncode == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_command(shell: str, folder: Path) -> None:
    assert "_UDFS_COMPLETE" in run("completion", shell).stdout


def test_the_shell_completes_commands(folder: Path) -> None:
    asked = {**os.environ, "_UDFS_COMPLETE": "bash_complete", "COMP_WORDS": "udfs pl", "COMP_CWORD": "1"}
    assert run(env=asked).stdout == "plain,plan\n"


@pytest.mark.parametrize("document", ["udfs.yaml", "plan.json"])
def test_schemas_are_the_published_ones(document: str, folder: Path) -> None:
    published = (
        Path(__file__).parents[2]
        / "schemas"
        / {"udfs.yaml": "udfs.schema.json", "plan.json": "plan.schema.json"}[document]
    )
    assert run("schema", document).stdout == published.read_text()


def test_a_plan_is_what_its_schema_says(server: Server) -> None:
    import jsonschema

    schema = json.loads(run("schema", "plan.json").stdout)
    jsonschema.validate(json.loads(run("plan", "--format", "json").stdout), schema)
    run("apply", "--yes")
    jsonschema.validate(json.loads(run("plan", "--format", "json").stdout), schema)


def test_a_usage_error_is_one_document_too(folder: Path) -> None:
    done = run("plan", "--bogus", "--format", "json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["problems"][0]["code"] == "E901"


def test_an_apply_in_json_is_one_document(server: Server) -> None:
    done = run("apply", "--yes", "--format", "json")
    document = json.loads(done.stdout)
    assert document["format"] == "udfs.report/1"
    assert [one["outcome"] for one in document["outcomes"]] == ["done", "done"]


def test_verbose_names_requests_and_no_secret(server: Server) -> None:
    done = run("plan", "-v")
    assert "GET /projects/demo/resources" in done.stderr
    assert SECRET not in done.stderr
    assert "ODPS ann:" not in done.stderr


def test_the_local_service_needs_no_account_and_keeps_its_state(folder: Path) -> None:
    (folder / "udfs.yaml").write_text(MANIFEST.replace("${env:ENDPOINT}", "local"))
    bare = {name: value for name, value in os.environ.items() if not name.startswith("ALIBABA_CLOUD")}
    assert run("apply", "--yes", env=bare).returncode == 0
    assert run("plan", "--exit-code", env=bare).returncode == 0


def test_a_schema_of_the_local_service_comes_into_being(folder: Path) -> None:
    (folder / "udfs.yaml").write_text(
        MANIFEST.replace('"${env:ENDPOINT}", project: demo', "local, project: demo, schema: sales")
    )
    assert run("apply", "--yes").returncode == 0
    done = run("plan", "--exit-code")
    assert done.returncode == 0
    assert "schema sales" in done.stdout


def test_a_saved_plan_is_what_its_schema_says(server: Server, folder: Path) -> None:
    import jsonschema

    schema = json.loads(run("schema", "plan.json").stdout)
    (folder / "udfs.yaml").write_text("rollout: in_place\n" + MANIFEST)
    run("apply", "--yes")
    (folder / "f.py").write_text(SOURCE + "# changed\n")
    assert run("plan", "--out", "plan.json").returncode == 0
    document = json.loads((folder / "plan.json").read_text())
    jsonschema.validate(document, schema)
    assert [one["name"] for one in document["saved"]["kept"]] == ["f"]
    assert sorted(path.name for path in folder.glob("*plan*")) == ["plan.json"]


@pytest.mark.parametrize("seed", ["0", "1"])
def test_the_same_plan_is_the_same_file(seed: str, server: Server, folder: Path) -> None:
    assert run("plan", "--out", "one.json").returncode == 0
    other = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": "C", "TZ": "Asia/Shanghai"}
    assert run("plan", "--out", "two.json", env=other).returncode == 0
    assert (folder / "one.json").read_bytes() == (folder / "two.json").read_bytes()


def test_a_direct_apply_can_be_held_to_an_approved_digest(server: Server) -> None:
    digest = json.loads(run("plan", "--format", "json").stdout)["digest"]
    assert f"Digest: {digest}\n" in run("plan").stdout, "what a person copies is the whole of it"
    refused = run("apply", "--yes", "--digest", f"sha256:{'0' * 64}")
    assert refused.returncode == 6
    assert "E519" in refused.stderr
    assert not [sent for sent in server.requests if sent.method != "GET"]
    assert run("apply", "--yes", "--digest", digest).returncode == 0


def test_an_apply_in_between_is_seen_though_the_plan_was_confirmed(server: Server) -> None:
    """A person takes their time to answer; somebody else's apply in that time makes the plan stale."""
    assert run("plan", "--out", "plan.json").returncode == 0
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [*UDFS, "apply", "plan.json"])
    shown, deadline = b"", time.monotonic() + 60
    while b"Type 'yes' to confirm" not in shown and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 65536)
    assert run("apply", "--yes").returncode == 0
    server.clear_requests()
    os.write(terminal, b"yes\n")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 6
    assert not [sent for sent in server.requests if sent.method != "GET"]


def test_planning_against_a_dump_needs_no_credentials_and_sends_nothing(server: Server) -> None:
    run("apply", "--yes")
    assert run("dump", "--out", "dump.json").returncode == 0
    server.close()
    bare = {name: value for name, value in os.environ.items() if not name.startswith("ALIBABA_CLOUD")}
    done = run("plan", "--against", "dump.json", "--exit-code", env=bare)
    assert done.returncode == 0, done.stderr
    assert "Made against a dump" in done.stdout


def test_a_plan_that_is_not_written_is_one_document_all_the_same(server: Server, folder: Path) -> None:
    run("apply", "--yes")
    (folder / "udfs.yaml").write_text(MANIFEST.replace("functions:\n  f: {source: f.py, class: F}", "functions: {}"))
    done = run("plan", "--out", "plan.json", "--format", "json")
    assert done.returncode == 5
    told = json.loads(done.stdout)
    assert (told["format"], [one["code"] for one in told["refusals"]]) == ("udfs.plan/1", ["E504"])
    assert "plan.json is not written: the plan is refused" in done.stderr
    assert not (folder / "plan.json").exists()
