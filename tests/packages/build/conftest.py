"""Real builds: real CPythons, Zig, pip and its index; projects whose build backend is a few lines of their own are quick."""

from __future__ import annotations

import os
import textwrap
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import InterpreterError
from reconciler.packages.build import BuildOptions, BuildSource, zig
from reconciler.packages.build.build import Builder
from reconciler.packages.build.sources import tree_digest
from reconciler.packages.content import read_content
from reconciler.packages.fetch.cache import Cache
from reconciler.packages.fetch.pip import PipIndex
from reconciler.targets.maxcompute.runtimes import PLATFORMS, RUNTIMES
from tests.local.conftest import found as interpreter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.build import BuiltWheel

"""Of the run, before a fixture takes names out of it: it may say where the interpreters are."""

BACKEND = """
import io, os, subprocess, sys, sysconfig, zipfile

def compiled(source):
    name = os.path.splitext(source)[0]
    suffix = sysconfig.get_config_var("EXT_SUFFIX") or sysconfig.get_config_var("SO")
    tool = os.environ.get("CC", "gcc")
    flags = ["-fPIC", "-O2", "-g", "-I" + sysconfig.get_path("include")]
    source = os.path.abspath(source)
    if source.endswith(".cpp"):  # as setuptools does it: the C compiler compiles, the C++ compiler links
        subprocess.check_call([tool, "-c"] + flags + [source, "-o", name + ".o"])
        tool, source = os.environ.get("CXX", "g++"), name + ".o"
    subprocess.check_call([tool, "-shared"] + flags + [source, "-o", name + suffix] + os.environ.get("LIBS", "").split())
    return name + suffix

def build_wheel(folder, config_settings=None, metadata_directory=None):
    sources = sorted(name for name in os.listdir(".") if name.endswith((".c", ".cpp")))
    files = [compiled(one) for one in sources]
    files += sorted(name for name in os.listdir(".") if name.endswith(".py") and name != "backend.py")
    two = sys.version_info[0] == 2
    abi = "cp27m" + ("u" if sys.maxunicode > 0xFFFF else "") if two else (sysconfig.get_config_var("SOABI").split("-")[1])
    abi = abi if abi.startswith("cp") else "cp" + abi
    tag = "cp%d%d-%s-linux_x86_64" % (sys.version_info[:2] + (abi,)) if sources else "py%d-none-any" % sys.version_info[0]
    info = "own-1.0.dist-info/"
    with zipfile.ZipFile(os.path.join(folder, "own-1.0-" + tag + ".whl"), "w") as archive:
        for name in files:
            archive.write(name)
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: own\\nVersion: 1.0\\n")
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: own\\nRoot-Is-Purelib: true\\nTag: " + tag + "\\n")
        archive.writestr(info + "RECORD", "".join(name + ",,\\n" for name in files))
    return "own-1.0-" + tag + ".whl"
"""
"""A build backend without requirements: what it makes is as careless as wheels may be."""

EXTENSION = """
#include <Python.h>
#include <string.h>
static PyObject *greet(PyObject *self, PyObject *args) {
    char text[64];
    const char *name;
    if (!PyArg_ParseTuple(args, "s", &name) || strlen(name) > 50) return NULL;
    memcpy(text, "hello ", 6);
    memcpy(text + 6, name, strlen(name) + 1);
    return Py_BuildValue("(sss)", text, __FILE__, __DATE__ " " __TIME__);
}
static PyMethodDef methods[] = {{"greet", greet, METH_VARARGS, ""}, {NULL, NULL, 0, NULL}};
#if PY_MAJOR_VERSION > 2
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "greeting", NULL, -1, methods};
PyMODINIT_FUNC PyInit_greeting(void) { return PyModule_Create(&module); }
#else
PyMODINIT_FUNC initgreeting(void) {
    PyUnicode_FromUnicode(NULL, 0);
    Py_InitModule("greeting", methods);
}
#endif
"""


def needs_zig() -> None:
    if zig.find_zig() is None or zig.why_not_here(RUNTIMES["cp37"]):
        pytest.skip("needs ziglang, on x86-64 Linux")


def digest_of(path: Path) -> str:
    return tree_digest(path) if path.is_dir() else read_content(path).sha256


@dataclass
class Workbench:
    """Builds sources of a test."""

    folder: Path
    root: Path
    environment: dict[str, str]
    has_interpreters: bool = True
    timeout: float = 900
    interpreters: dict[str, Path] = field(default_factory=dict)
    """Those to be used instead of the ones that are found."""

    started: list[str] = field(default_factory=list)

    @property
    def builder(self) -> Builder:
        return Builder(Cache(self.root), PipIndex(self.environment), self._find, self.environment, self.timeout)

    def project(self, files: Mapping[str, str | bytes], name: str = "project") -> Path:
        """Write a project; with the backend above unless it brings a pyproject.toml or a setup.py."""
        folder = self.folder / name
        if not {"pyproject.toml", "setup.py"} & set(files):
            own = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
            files = {"pyproject.toml": own, "backend.py": BACKEND, **files}
        for path, content in files.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())
        return folder

    def build(
        self,
        path: Path,
        runtime: str = "cp37",
        options: BuildOptions | None = None,
        *,
        platform: str = "rhel7",
        fresh: bool = False,
    ) -> BuiltWheel:
        if self.has_interpreters and runtime not in self.interpreters:
            interpreter(runtime)
        source = BuildSource(path, path.name, digest_of(path))
        wanted = replace(RUNTIMES[runtime], platform=PLATFORMS[platform])
        return self.builder.wheel(
            source, wanted, options, fresh=fresh, on_start=lambda label, log, doing: self.started.append(label)
        )

    def _find(self, runtime: Runtime) -> Path:
        if not self.has_interpreters:
            raise InterpreterError("E701", f"no {runtime.name}")
        if runtime.tag in self.interpreters:
            return self.interpreters[runtime.tag]
        return interpreter(runtime.tag).path


@pytest.fixture(scope="session")
def cache_of_builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache a run, whatever the number of workers: Zig compiles its parts of glibc and of C++ into it once."""
    top = tmp_path_factory.getbasetemp()
    return (top.parent if "PYTEST_XDIST_WORKER" in os.environ else top) / "builds"


@pytest.fixture
def bench(tmp_path: Path, cache_of_builds: Path) -> Workbench:
    return Workbench(tmp_path, cache_of_builds, dict(os.environ))
