"""
Import check: which modules a CPython can import from archives, unpacked as a worker of the service has them.

Each name is imported in a process of its own, a fork of one interpreter, so that none helps or harms another: a module
that crashes, hangs or ends its process fails alone. As with a call, this is no sandbox: importing is running.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.barrier import start
from reconciler.local.runner.layout import ResourceFile, prepare_directory
from reconciler.local.runner.process import environment, isolation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.local.interpreters import Interpreter

SECONDS = 60
"""For one import."""

# In the syntax that 2.7 and 3.x share. The alarm ends a child that waits for ever.
_SCRIPT = """
import json, os, signal, sys
question = json.load(sys.stdin)

def attempt(name):
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    signal.alarm(question["seconds"])
    sys.path[:0] = question["paths"]
    try:
        __import__(name)
    except BaseException as error:
        return "%s: %s" % (type(error).__name__, error)
    return ""

answers = {}
for name in question["names"]:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        why = "ended its process"
        try:
            why = attempt(name)
        finally:
            os.write(writing, json.dumps(why[:1000]).encode("utf-8"))
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        reply = answer.read()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        late = number == signal.SIGALRM
        answers[name] = "took longer than %d s" % question["seconds"] if late else "died of signal %d" % number
    else:
        answers[name] = json.loads(reply.decode("utf-8")) if reply else "ended its process"
json.dump(answers, sys.stdout)
"""


def failures(
    interpreter: Interpreter, archives: Sequence[tuple[str, Path]], names: Sequence[str], *, seconds: int = SECONDS
) -> Mapping[str, str] | None:
    """
    Return which modules cannot be imported, and why; None if the interpreter did not answer at all.

    `archives` are given by the names of their resources, and come first on ``sys.path`` in this order.
    """
    with tempfile.TemporaryDirectory(prefix="udfs-", ignore_cleanup_errors=True) as root:
        layout = prepare_directory(
            Path(root).resolve(), [ResourceFile(name, "archive", path) for name, path in archives]
        )
        question = {
            "paths": [str(layout.cwd / "work" / name) for name, _ in archives],
            "names": list(names),
            "seconds": seconds,
        }
        try:
            with start(
                [str(interpreter.path), *isolation(interpreter.version), "-c", _SCRIPT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=layout.cwd,
                env=environment(layout.cwd, layout.tmp),
            ) as process:
                try:
                    text, _ = process.communicate(json.dumps(question).encode(), (seconds + 5) * (len(names) + 1))
                finally:
                    process.kill()
            answers = json.loads(text)
        except (OSError, ValueError, subprocess.SubprocessError):
            return None
    return {name: why for name, why in answers.items() if why}
