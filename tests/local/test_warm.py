"""Workers that are forks: they are quicker, and nothing that a function can do comes out otherwise."""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from reconciler.local.runner import FunctionError, Job, ResourceFile, WorkerTimedOut, session
from reconciler.local.runner.warm import RunCache

if TYPE_CHECKING:
    from tests.local.conftest import Runner

PACKAGES = {
    "heavy/__init__.py": "import os, logging.handlers\nfrom . import base\nPROCESS = os.getpid()\nSTATE = []\n",
    "heavy/base.py": "import light\nX = 1\n",
    "heavy/part.py": "import heavy.base\nY = heavy.base.X + 1\n",
    "heavy/other.py": "from .part import Y\nfrom . import part\n",
    "heavy/data.txt": "text of a package",
    "light.py": "NAME = 'light'\n",
    "broken.py": "raise ValueError('no good')\n",
    "loud.py": "print('here I am')\n",
    "busy.py": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n",
    "spaced/inner.py": "Z = 3\n",
}
ALL = "import heavy, heavy.part, light, xml.dom.minidom, concurrent.futures\nfrom heavy import other\n"
IN_PATH = "import sys; sys.path.insert(0, 'work/p.zip')\n"
FOLDER = re.compile(r"/[\w/.-]*/udfs-\w+/")
PROCESS = IN_PATH + "import heavy, os\nreturn str(heavy.PROCESS == os.getpid())"


class Functions:
    """Functions of one run, each with a source of its own, and the same archive."""

    def __init__(self, runner: Runner, folder: Path) -> None:
        self.runner, self.folder, self.count = runner, folder, 0
        with ZipFile(folder / "p.zip", "w") as packed:
            for name, text in PACKAGES.items():
                packed.writestr(name, text)
        self.archive = ResourceFile("p.zip", "archive", folder / "p.zip")

    def job(self, body: str, top: str = "", *more: ResourceFile) -> Job:
        self.count += 1
        path = self.folder / f"m{self.count}.py"
        indented = textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
        path.write_text(
            f"from odps.udf import annotate\n{top}\n@annotate('->string')\nclass F:\n    def evaluate(self):\n{indented}\n"
        )
        return Job("m.F", (ResourceFile("m.py", "py", path), self.archive, *more), self.runner.runtime, isolated=True)

    def outcome(self, job: Job, cache: RunCache | None) -> tuple[str, str]:
        """Return what came of a call, and what was printed; the folder that it ran in goes by no name."""
        try:
            call = session(self.runner.interpreter, job, shared=cache, timeout=20).call([()], last=True)
            return FOLDER.sub("", str(list(call))), call.log
        except FunctionError as error:
            return FOLDER.sub("", f"{type(error).__name__}: {error.message}\n{error.traceback}"), error.log

    def warm_cache(self, imports: str = ALL) -> RunCache:
        """Return one in which what all functions here import was imported for other functions."""
        cache = RunCache()
        for _ in range(2):
            self.outcome(self.job(IN_PATH + imports + "return ''"), cache)
        return cache


@pytest.fixture
def functions(runner: Runner, tmp_path: Path) -> Functions:
    if runner.interpreter.version[0] == 2:
        pytest.skip("Python 2 has no warm interpreters")
    return Functions(runner, tmp_path)


def test_the_second_function_with_an_archive_finds_it_imported(functions: Functions) -> None:
    cache = RunCache()
    seen = [functions.outcome(functions.job(PROCESS), cache)[0] for _ in range(4)]
    assert seen == ["['True']", "['False']", "['False']", "['False']"]


BODIES = {
    "imports a package": "import heavy\nreturn repr((heavy.base.X, heavy.__file__, heavy.__spec__.name, heavy.__package__))",
    "imports a module of a package": "from heavy.part import Y\nreturn str(Y)",
    "imports nothing": "return 'x'",
    "forgets to import a module of a package": "import heavy\nreturn heavy.part.Y",
    "forgets to import a module of the standard library": "import xml\nreturn xml.dom.minidom.__name__",
    "forgets one that a package imports": "import logging\nreturn logging.handlers.__name__",
    "gets one by a package": "import logging, heavy\nreturn logging.handlers.__name__",
    "forgets one of another package": "import concurrent\nreturn concurrent.futures.__name__",
    "looks what is imported": "import sys\nreturn ' '.join(sorted(n for n in sys.modules if n[:5] in ('heavy', 'light', 'xml.d', 'loggi')))",
    "looks what a package imports": "import sys, heavy\nreturn ' '.join(sorted(n for n in sys.modules if n[:5] in ('heavy', 'light')))",
    "looks what a module imports": "import sys, heavy.other\nreturn ' '.join(sorted(n for n in sys.modules if n[:5] in ('heavy', 'light')))",
    "looks into a package": "import heavy\nreturn ' '.join(n for n in sorted(vars(heavy)) if n != 'PROCESS')",
    "changes a package": "import heavy\nheavy.STATE.append(1)\nreturn str(len(heavy.STATE))",
    "imports a package anew": "import sys, heavy\nheavy.STATE.append(1)\ndel sys.modules['heavy']\nimport heavy\nreturn str(heavy.STATE)",
    "reloads": "import importlib, heavy\nheavy.STATE.append(1)\nimportlib.reload(heavy)\nreturn str(heavy.STATE)",
    "reads data of a package": "import pkgutil\nreturn pkgutil.get_data('heavy', 'data.txt').decode()",
    "pickles": "import pickle, heavy.part\nreturn str(pickle.loads(pickle.dumps(heavy.part.__loader__.path)))[-20:]",
    "imports what fails": "import broken",
    "imports what prints": "import loud\nreturn 'x'",
    "imports what starts a thread": "import busy, threading\nreturn str(threading.active_count())",
    "imports a package without a file": "import spaced.inner\nreturn str(spaced.inner.Z)",
    "prints": "print('said')\nreturn 'x'",
    "prints at its end": "import atexit\natexit.register(print, 'at the end')\nreturn 'x'",
    "raises": "import heavy\nraise KeyError('k')",
    "exits": "import sys\nsys.exit(3)",
    "ends its process": "import os\nos._exit(3)",
    "crashes": "import os, signal, faulthandler\nfaulthandler.disable()\nos.kill(os.getpid(), signal.SIGSEGV)",
    "asks where it is": "import os\nreturn str([os.getcwd() == os.environ['HOME'], sorted(os.environ), sorted(os.listdir('.'))])",
    "asks for its arguments": "import sys, __main__\nreturn repr((sys.argv, sys.path[1:2], sys.flags))",
    "starts a program": "import subprocess\nreturn subprocess.check_output(['/bin/sh', '-c', 'basename $HOME $TMPDIR']).decode()",
    "writes beside its packages": "open('new.txt', 'w').write('x')\nopen('work/p.zip/new.txt', 'w').write('y')\nreturn 'x'",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=[*BODIES])
def test_a_fork_does_what_a_process_of_its_own_does(functions: Functions, body: str) -> None:
    cache, job = functions.warm_cache(), functions.job(IN_PATH + body)
    alone = functions.outcome(job, None)
    assert [functions.outcome(job, cache) for _ in range(2)] == [alone] * 2


@pytest.mark.parametrize("module", ["broken", "loud", "busy", "spaced.inner", "heavy.absent"])
def test_what_cannot_be_imported_ahead_keeps_no_other_function_from_it(functions: Functions, module: str) -> None:
    cache = functions.warm_cache("try:\n    import " + module + "\nexcept Exception:\n    pass\n")
    seen = [functions.outcome(functions.job(PROCESS), cache)[0] for _ in range(3)]
    assert seen == ["['False']"] * 3


@pytest.mark.parametrize(
    "top",
    ["import heavy", "import light", "import logging.handlers as h; assert 'heavy' not in __import__('sys').modules"],
)
def test_before_its_archives_are_on_the_path_a_function_finds_nothing_of_them(functions: Functions, top: str) -> None:
    cache, job = functions.warm_cache(), functions.job("return 'x'", top)
    assert functions.outcome(job, cache) == functions.outcome(job, None)


def test_a_source_called_like_a_module_of_a_package_comes_first(functions: Functions, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("NAME = 'own'\n")
    own = ResourceFile("light.py", "py", tmp_path / "own.py")
    cache = functions.warm_cache()
    job = functions.job(
        "import sys; sys.path.append('work/p.zip')\nimport heavy.base\nreturn heavy.base.light.NAME", "", own
    )
    assert functions.outcome(job, cache)[0] == "['own']"


def test_functions_share_no_state(functions: Functions) -> None:
    cache = functions.warm_cache()
    body = IN_PATH + "import heavy, random\nheavy.STATE.append(1)\nreturn '%d %r' % (len(heavy.STATE), random.random())"
    seen = [functions.outcome(functions.job(body), cache)[0] for _ in range(3)]
    assert {text.split()[0] for text in seen} == {"['1"}
    assert len(set(seen)) == 3


def test_no_function_can_change_the_code_of_another(functions: Functions) -> None:
    cache = functions.warm_cache()
    for path in ("heavy/part.py", "heavy/new.py", "heavy/data.txt", "light.py"):
        job = functions.job(f"open('work/p.zip/{path}', 'w').write('x')\nreturn 'written'")
        assert "PermissionError" in functions.outcome(job, cache)[0]


def test_a_function_with_less_memory_imports_by_itself(functions: Functions) -> None:
    cache = functions.warm_cache()
    call = session(functions.runner.interpreter, functions.job(PROCESS), shared=cache, memory=1 << 30).call([()])
    assert list(call) == ["True"]


def test_what_takes_too_long_is_ended(functions: Functions) -> None:
    cache = functions.warm_cache()
    seconds = "97" + functions.runner.runtime[2:]  # no other process of this machine sleeps as long
    body = (
        f"import heavy, subprocess\nsubprocess.Popen(['sleep', '{seconds}'], start_new_session=True)\nwhile True: pass"
    )
    job = functions.job(IN_PATH + body)
    loaded = session(functions.runner.interpreter, job, shared=cache, timeout=1)
    process = loaded.worker._process.pid
    with pytest.raises(WorkerTimedOut):
        list(loaded.call([()]))
    assert not Path(f"/proc/{process}").exists()
    assert not [
        entry for entry in Path("/proc").glob("[0-9]*/cmdline") if read(entry) == f"sleep\0{seconds}\0".encode()
    ]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def children() -> set[int]:
    return {int(number) for number in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def test_the_process_that_is_forked_ends_with_the_run(functions: Functions) -> None:
    before = children()
    cache = functions.warm_cache()
    assert len(children() - before) == 1
    del cache
    assert children() == before


def test_a_run_goes_on_when_the_process_that_is_forked_is_killed(functions: Functions) -> None:
    before = children()
    cache = functions.warm_cache()
    [process] = children() - before
    os.kill(process, 9)
    seen = [functions.outcome(functions.job(PROCESS), cache)[0] for _ in range(2)]
    assert "['True']" in seen
