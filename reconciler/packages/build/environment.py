"""
Build environment: what the project's backend needs, installed for the runtime's CPython, and nothing else.

pip does it, in that CPython: which version of setuptools still runs under 3.7 is for the index to say, and pip to read. The
pip is one of two releases that are pinned here by sha256, the last for their Pythons; an interpreter need not bring any.

Everything goes into one folder, and ``PYTHONPATH`` leads there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING
from zipfile import ZipFile

from reconciler.base.errors import PackageError
from reconciler.base.inputs import SHIPPED, open_input
from reconciler.packages.fetch.indexes import Pin
from reconciler.packages.fetch.pip import readable_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.fetch.indexes import Index

_PIPS = {
    2: Pin("pip", "20.3.4", "217ae5161a0e08c0fb873858806e3478c9775caffce5168b50ec885e358c199d"),
    3: Pin("pip", "24.0", "ba0d021a166865d2265246961bec0152ff124de910c5cc39f1156ce3fa7c69dc"),
}
"""Major version of Python → pip. 20.3.4 is the last for 2.7, 24.0 the last for 3.7, and 3.11 is content with it."""

# Packages that this machine's interpreter has are hidden the way pip does it for its own isolated builds: 2.7 has no venv.
SITE = """\
import site
import sys
import sysconfig

# The packages of this interpreter are not the build's.
_OWN = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
_OWN.update(getattr(site, "getsitepackages", list)())
sys.path[:] = [p for p in sys.path if not any(p == one or p.startswith(one + "/") for one in _OWN)]
site.addsitedir(%r)
"""

_PIP_OPTIONS = (
    *("--no-input", "--no-color", "--progress-bar", "off", "--disable-pip-version-check", "--no-warn-script-location"),
    *("--prefer-binary", "--no-compile"),
)
_PIP_SETTINGS = {
    "PIP_USER": "0",
    "PIP_REQUIRE_VIRTUALENV": "0",
    "PIP_ROOT_USER_ACTION": "ignore",
    "PYTHONNOUSERSITE": "1",
}
"""They overrule what a file of pip's may hold and what contradicts ``--target``."""

_UNMET = re.compile(r"(?m)^ERROR: No matching distribution found for (?P<what>.*?)(?= \(from |$)")
_QUESTION = """
import json, sys, sysconfig
json.dump({"version": "%d.%d.%d" % sys.version_info[:3], "include": sysconfig.get_path("include"),
    "multiarch": sysconfig.get_config_var("MULTIARCH") or ""}, sys.stdout)
"""


@dataclass(frozen=True)
class InterpreterFacts:
    """What an interpreter says of itself."""

    version: str
    include: str
    """The folder of its headers."""

    multiarch: str
    """Debian's name of the system, after which it calls a second folder of headers."""


def ask_interpreter(run: Callable[..., str], python: str) -> InterpreterFacts:
    """Ask an interpreter what it is."""
    return InterpreterFacts(**json.loads(run([python, "-E", "-S", "-c", _QUESTION], {}).strip().splitlines()[-1]))


def unpack_pip(runtime: Runtime, index: Index, cache: Cache, target: Path) -> Path:
    """Put a pip that runs in the runtime's Python into `target`, once, and return what starts it."""
    program = target / "pip"
    if program.exists():
        return program
    pin = _PIPS[runtime.python_version[0]]
    content = cache.get(pin.sha256)
    if content is None:
        with cache.workspace() as folder:
            content = cache.put(index.fetch(pin, runtime, folder), pin.sha256)
    with open_input(content.path, SHIPPED) as file, ZipFile(file) as archive:
        archive.extractall(target)
    return program


def pip_of(runtime: Runtime) -> str:
    """Return which pip that is."""
    return str(_PIPS[runtime.python_version[0]])


def install_requirements(
    run: Callable[..., tuple[int, str]],
    *,
    python: str,
    pip: Path,
    requires: Iterable[str],
    constraints: Iterable[str],
    target: Path,
    label: str,
    log: Path,
) -> tuple[str, ...]:
    """Install build requirements into `target` and return what is there as pins."""
    requirements, bounds = target.with_suffix(".requires"), target.with_suffix(".constraints")
    requirements.write_text("".join(f"{line}\n" for line in sorted(set(requires))), encoding="utf-8")
    bounds.write_text("".join(f"{line}\n" for line in constraints), encoding="utf-8")
    files = ["--target", str(target), "--requirement", str(requirements), "--constraint", str(bounds)]
    code, said = run([python, str(pip), "install", *files, *_PIP_OPTIONS], _PIP_SETTINGS)
    if code != 0:
        raise _install_failure(said, label, log)
    return installed_pins(target)


def _install_failure(said: str, label: str, log: Path) -> PackageError:
    unmet = _UNMET.search(said)
    if unmet and "Retrying" not in said:  # the index did answer
        message = f"{label} needs {unmet['what']} to be built, and the index has none for its Python"
        hint = f"take a release that was made for this Python; the whole log is in {log}"
        return PackageError("E443", message, hint=hint)
    words = f"; pip says: {' | '.join(lines)}" if (lines := readable_lines(said)) else ""
    hint = f"the whole log is in {log}; 'pip config list' shows which index pip uses"
    if "ssl module" in said:
        hint = f"this Python cannot reach the index: it was built without ssl; {hint}"
    return PackageError("E443", f"what {label} needs to be built cannot be installed{words}", hint=hint)


def installed_pins(folder: Path) -> tuple[str, ...]:
    """Return what a folder of packages holds: ``setuptools==68.0.0``, sorted."""
    return tuple(
        sorted(
            f"{distribution.metadata['Name']}=={distribution.version}"
            for distribution in metadata.distributions(path=[str(folder)])
        )
    )
