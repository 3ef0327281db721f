"""What is started cannot read the environment or the memory of the processes around it: as root, and as an ordinary user."""

from __future__ import annotations

import gc
import os
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.base import barrier
from reconciler.cli.support import secrecy
from reconciler.local.conversation import Conversation, Pipes
from reconciler.local.runner.process import start_talking
from reconciler.local.strays import kill_group
from tests.local.test_calls import udf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.local.conftest import Runner

ROOT = Path(__file__).parents[2]
SECRET = f"canary-{secrets.token_hex(12)}"
NOBODY = 65534

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has /proc and a barrier")

LOOK = r"""
import gc
import os
def look():
    seen, above, process = [], [], os.getppid()
    while process:
        above.append(str(process))
        with open("/proc/%d/stat" % process) as file:
            process = int(file.read().rpartition(")")[2].split()[1])
    for folder in os.listdir("/proc"):
        if folder.isdigit() and int(folder) != os.getpid():
            for name in ("environ", "mem", "maps"):
                try:
                    with open("/proc/%s/%s" % (folder, name), "rb") as file:
                        if name == "mem":
                            if folder in above:
                                seen.append("memory of %s" % folder)
                        elif b"CANARY" in file.read():
                            seen.append("canary in %s of %s" % (name, folder))
                except (IOError, OSError):
                    pass
    return " ".join(seen)
"""
"""In the syntax of every runtime."""

PARENT = """
import subprocess, sys
sys.path.insert(0, sys.argv[1])
from reconciler.base import barrier
if sys.argv[2] == "nothing":
    barrier.find_barrier = lambda: None
elif sys.argv[2] == "hidden":
    barrier._kernel().landlock_version = lambda: 0
    barrier._find_unshare = lambda: None
elif sys.argv[2] != "all":
    have = barrier.find_barrier()
    only = {sys.argv[2]: barrier._find_unshare() if sys.argv[2] == "unshare" else getattr(have, sys.argv[2])}
    barrier.find_barrier = lambda: barrier.Barrier(**only)
process = barrier.start([sys.executable, "-I", "-S", "-c", sys.argv[3]], env={}, stdout=subprocess.PIPE)
print(process.communicate()[0].decode().strip() or "nothing")
"""


def everybodys_python() -> str:
    """Return a Python that an ordinary user can start: root's own may lie in root's home."""
    python = shutil.which("python3", path=os.defpath)
    if python is None:
        pytest.skip("needs a Python that every user can start")
    return python


def run_beside_secret(means: str, user: int | None) -> str:
    """Return what a program sees whose parent and grandparent have a canary in their environment."""
    look = f"{LOOK}\nprint(look())"
    python = everybodys_python()
    who: Mapping[str, object] = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    if user is not None and not os.access(ROOT, os.X_OK):
        pytest.skip("an ordinary user cannot read this checkout")
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@"; exit $?', "sh", python, "-c", PARENT, str(ROOT), means, look],
        env={"CANARY": SECRET, "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **who,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout.strip())


def users() -> list[int | None]:
    return [None, NOBODY] if os.getuid() == 0 else [None]


@pytest.mark.parametrize("user", users(), ids=lambda user: "this user" if user is None else "an ordinary user")
def test_a_program_sees_nothing_of_what_started_it(user: int | None) -> None:
    assert "canary in environ" in run_beside_secret("nothing", user), "or this test could not fail"
    assert run_beside_secret("all", user) == "nothing"


@pytest.mark.parametrize("means", ["landlock", "capabilities", "unshare"])
def test_each_means_is_enough(means: str) -> None:
    """For the user that it is for: capabilities are root's, and root's right to trace is not bound by the others."""
    user = None if means == "capabilities" or os.getuid() != 0 else NOBODY
    has = {
        "landlock": bool(barrier._kernel().landlock_version() >= 2),
        "capabilities": barrier._has_capabilities(),
        "unshare": barrier._find_unshare() is not None,
    }
    if not has[means]:
        pytest.skip(f"this kernel or user has no {means}")
    assert run_beside_secret(means, user) == "nothing"


def test_where_there_is_nothing_udfs_hides_itself() -> None:
    """Root can read what is hidden, and is kept by its lack of capabilities."""
    user = NOBODY if os.getuid() == 0 else None
    assert run_beside_secret("nothing", user).count("canary in environ") == 2, "of udfs and of the shell"
    assert run_beside_secret("hidden", user).count("canary in environ") == 1, "of the shell"


def test_a_function_sees_nothing_of_what_called_it(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", SECRET)
    body = "return ' '.join([look(), repr(dict(os.environ)), open('/proc/self/environ').read()])"
    [seen] = runner.results(udf("->string", body, LOOK))
    assert seen.startswith(" {"), seen
    assert SECRET not in seen


def test_a_program_keeps_what_it_needs_to_work(tmp_path: Path) -> None:
    script = "mkdir a b && touch a/x && mv a/x b/y && ln b/y a/z && ls a b && echo ok"
    process = barrier.start(["/bin/sh", "-ec", script], env={"PATH": os.defpath}, cwd=tmp_path, stdout=subprocess.PIPE)
    assert process.communicate()[0].split()[-1] == b"ok"


def test_what_cannot_be_started_is_told_as_ever(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        barrier.start([str(tmp_path / "nothing")], env={})


def test_doctor_finds_out_by_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(barrier, "find_barrier", barrier.Barrier)  # a kernel that has nothing
    assert os.getpid() in (barrier.find_leaks() or set())
    is_complete, finding = secrecy.describe_barrier()
    assert not is_complete
    assert "can read the environment of udfs itself" in finding
    monkeypatch.setattr(barrier, "find_barrier", lambda: None)
    assert secrecy.describe_barrier()[0] is False


def test_who_runs_functions_beside_secrets_without_a_barrier_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    monkeypatch.setenv("PIP_INDEX_URL", f"https://me:{SECRET}@index.test/simple")
    monkeypatch.setattr(barrier, "find_barrier", barrier.Barrier)
    secrecy.warn_of_secrets.cache_clear()
    secrecy.warn_of_secrets()
    secrecy.warn_of_secrets()
    said = capsys.readouterr().err
    assert said.count("GITHUB_TOKEN") == 1
    assert "PIP_INDEX_URL" in said
    assert SECRET not in said
    secrecy.warn_of_secrets.cache_clear()


@pytest.mark.skipif(sys.platform != "linux", reason="there is nothing of the kind elsewhere")
def test_what_the_kernel_names_and_refuses_is_not_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under a container's filter of system calls: then it is something else, or nothing, and nobody is told otherwise."""
    monkeypatch.setattr(barrier._Kernel, "enter_domain", lambda *_: False)
    monkeypatch.setattr(barrier._Kernel, "drop_capabilities", lambda *_: False)
    monkeypatch.setattr(barrier._Kernel, "set_process", lambda *_: True)  # or the tests themselves would be hidden
    barrier.find_barrier.cache_clear()
    try:
        means = barrier.find_barrier()
        assert means is not None
        assert (means.landlock, means.capabilities) == (0, False)
    finally:
        barrier.find_barrier.cache_clear()


def test_a_process_that_is_collected_while_another_starts_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end falls to a thread that has no right to end it."""
    pipes, env = Pipes(), {"PATH": os.defpath}
    process = start_talking(["sleep", "60"], pipes, tmp_path, env)

    def end() -> None:
        kill_group(process.pid)
        process.wait(10)

    circle: list[object] = [Conversation(process, pipes, end)]
    circle.append(circle)
    del circle
    popen = subprocess.Popen

    def collect_and_start(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        gc.collect()
        return popen(*args, **options)

    monkeypatch.setattr(subprocess, "Popen", collect_and_start)
    assert barrier.start(["true"], env=env).wait(10) == 0
    assert process.returncode == -signal.SIGKILL
