"""
Sessions: a function with its resources laid out, loaded by a CPython of its runtime, and called as often as one likes.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.local.runner.calls import SANDBOXES, Call, Session
from reconciler.local.runner.distributions import DISTRIBUTIONS, link_distributions
from reconciler.local.runner.errors import FunctionNotLoadable, InterpreterUnsuitable
from reconciler.local.runner.interpreters import SERVICE_ABI, how_to_get
from reconciler.local.runner.layout import ResourceFile, prepare_directory, remove
from reconciler.local.runner.process import Worker, isolation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reconciler.local.interpreters import Interpreter
    from reconciler.local.runner.layout import Layout, Unpacking


@dataclass(frozen=True)
class Job:
    """What to run: a function as it is registered, with the local files of its resources."""

    class_path: str
    """`module.Class`, where `module.py` is one of the PY resources."""
    resources: tuple[ResourceFile, ...]
    runtime: str
    """`cp27`, `cp37` or `cp311`."""
    machine: str = "x86_64"
    """Of the workers, as `uname -m` has it: what native code among the resources was built for."""
    isolated: bool | None = None
    """Whether its SQL sets isolation, without which it runs in a sandbox; None: only where it brings native code, which needs it."""
    distributions: tuple[str, ...] | None = None
    """Distributions that the service has installed for it, as an image has; None: those of the runtime."""


def call(
    interpreter: Interpreter,
    job: Job,
    rows: Iterable[Sequence[object]],
    **options: Any,
) -> Call:
    """Load the class of `job` and return its results over `rows`, read as results are taken; options are a `session`'s."""
    return session(interpreter, job, **options).call(rows, last=True)


def session(interpreter: Interpreter, job: Job, **options: Any) -> Session:
    """Load the class of `job`, to be called as often as one likes; options are those of `start_session`."""
    return start_session(interpreter, job, **options).load()


def start_session(
    interpreter: Interpreter,
    job: Job,
    *,
    directory: Path | None = None,
    timeout: float | None = None,
    memory: int | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    origins: bool = False,
    unpack: Unpacking | None = None,
) -> Session:
    """
    Start what loads the class of `job`, and do not wait for it: `Session.load` does.

    `directory` is where the worker's files go, new or empty, and kept; without it they go to a temporary directory that
    is removed. `timeout` is how many seconds the worker may take to load the class, and then for each batch of rows;
    `memory` how many bytes of address space it may have. `cancelled` is asked while an answer is waited for, a few times
    a second; where it says yes the call ends with `Cancelled`. With `origins` a table function's rows come with the number
    of the row each came from, for `Columns`. `unpack` lays out archives, in place of `layout.extract`.
    """
    if job.runtime not in (interpreter.runtime, interpreter.stands_in_for):
        raise InterpreterUnsuitable(f"{interpreter.path} is a {interpreter.runtime}, and the job is for {job.runtime}")
    _check_module(job)
    temporary = None if directory is not None else Path(tempfile.mkdtemp(prefix="udfs-")).resolve()
    root = temporary or Path(directory or "").resolve()
    try:
        layout = prepare_directory(root, job.resources, unpack=unpack)
        _check_native(interpreter, job, layout)
        packages = root / "packages"
        absent = _link_distributions(interpreter, job, packages)
        try:
            command = [str(interpreter.path), *isolation(interpreter.version)]
            worker = Worker(command, layout.cwd, layout.tmp, root / "progress")
        except OSError as error:
            raise InterpreterUnsuitable(f"{interpreter.path} cannot be started: {error.strerror}") from error
        new_session = Session(worker, job.class_path, layout.native, timeout, cancelled, temporary)
        new_session.absent = absent
        is_isolated = bool(layout.native) if job.isolated is None else job.isolated
    except BaseException:
        if temporary is not None:
            remove(temporary)
        raise
    try:
        new_session.start(
            {
                "class": job.class_path,
                "modules": [resource.name[:-3] for resource in job.resources if resource.type == "py"],
                "resources": {resource.name: resource.type for resource in job.resources},
                "tables": {name: str(path) for name, path in layout.tables.items()},
                "installed": str(packages),
                "limits": {"memory": memory},
                "sandboxed": not is_isolated,
                "origins": origins,
            }
        )
    except BaseException:
        new_session.close()
        raise
    return new_session


def _link_distributions(interpreter: Interpreter, job: Job, folder: Path) -> dict[str, str]:
    """Link what the service has installed; return what is not here, with the command that installs it."""
    names = DISTRIBUTIONS[job.runtime] if job.distributions is None else job.distributions
    absent = link_distributions(names, interpreter.site_packages, folder)
    return {name: f"{interpreter.path} -m pip install {name}" for name in absent}


def find_sandbox(interpreter: Interpreter) -> str:
    """Return what keeps a function in the sandbox on this machine, found out by trying; raises `RunnerError`."""
    with tempfile.TemporaryDirectory(prefix="udfs-") as folder:
        source = Path(folder, "m.py")
        source.write_text(
            "import odps.udf\n@odps.udf.annotate('->bigint')\nclass F(object):\n    evaluate = id\n", "ascii"
        )
        trial = session(interpreter, Job("m.F", (ResourceFile("m.py", "py", source),), interpreter.runtime))
        trial.close()
        return SANDBOXES[str(trial.sandbox)]


def _check_native(interpreter: Interpreter, job: Job, layout: Layout) -> None:
    # An extension built for the service's ABI does not load elsewhere, or loads and then crashes.
    service_abi = SERVICE_ABI[job.runtime]
    if not layout.native:
        return
    if interpreter.machine != job.machine:
        raise InterpreterUnsuitable(
            f"{job.class_path} cannot run here: {layout.native[0]} is native code for {job.machine} Linux, and "
            f"{interpreter.path} runs on {interpreter.machine}",
            hint="run it on a machine of that kind; pure Python runs on any",
        )
    if interpreter.abi == service_abi:
        return
    # An extension of Python makes the better example; what is called lib… is most often plain C.
    example = next((name for name in layout.native if "/lib" not in name), layout.native[0])
    reason = f"{example} is native code for {service_abi}, and {interpreter.path} is {interpreter.abi}"
    if interpreter.abi == "cp27mu":
        reason += ": it was built with wide Unicode and lacks the PyUnicodeUCS2_* symbols"
    raise InterpreterUnsuitable(f"{job.class_path} cannot run here: {reason}", hint=how_to_get(job.runtime))


def _check_module(job: Job) -> None:
    module, _, name = job.class_path.rpartition(".")
    stems = [
        resource.name[:-3] for resource in job.resources if resource.type == "py" and resource.name.endswith(".py")
    ]
    if not module or not name:
        raise FunctionNotLoadable(f"{job.class_path!r} is not of the form module.Class")
    if module.split(".")[0] not in stems:
        modules = ", ".join(f"{stem}.py" for stem in stems) or "none"
        raise FunctionNotLoadable(
            f"{job.class_path} cannot be loaded: no PY resource is called {module}.py",
            hint=f"PY resources of the function: {modules}; the spelling counts",
        )
