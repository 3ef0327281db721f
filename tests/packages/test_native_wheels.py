"""Real native wheels from the package index, and auditwheel as the judge of the judge."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from reconciler.manifest.runtimes import LEVELS
from reconciler.packages.dependencies import inspect_together
from reconciler.packages.inspect import gate
from reconciler.packages.inspect.contents import FileFacts, inspect_file
from reconciler.packages.inspect.elf import version_key
from reconciler.packages.inspect.files import file_kind
from reconciler.packages.inspect.gate import Part
from reconciler.targets.maxcompute.runtimes import RUNTIMES
from tests import builders
from tests.natives import compiled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


NUMPY_37 = ("numpy==1.19.2", "37", "cp37m", "manylinux1_x86_64")
NUMPY_27 = ("numpy==1.16.6", "27", "cp27m", "manylinux1_x86_64")
NUMPY_WIDE = ("numpy==1.16.6", "27", "cp27mu", "manylinux1_x86_64")
NUMPY_MAC = ("numpy==1.19.2", "37", "cp37m", "macosx_10_9_x86_64")
NUMPY_NEW = ("numpy==2.3.5", "311", "cp311", "manylinux_2_28_x86_64")
NUMPY_ARM = ("numpy==1.21.6", "37", "cp37m", "manylinux2014_aarch64")
REGEX_MUSL = ("regex==2024.4.16", "37", "cp37m", "musllinux_1_1_x86_64")
ABI3 = ("cryptography==41.0.0", "37", "abi3", "manylinux2014_x86_64")
BINARY_PSYCOPG = ("psycopg2-binary==2.9.9", "37", "cp37m", "manylinux2014_x86_64")
LINUX = [NUMPY_37, NUMPY_27, ABI3, BINARY_PSYCOPG, NUMPY_NEW]


def _looked(path: Path) -> FileFacts:
    return inspect_file(path, file_kind(path))


@pytest.mark.parametrize(
    ("wanted", "runtime"),
    [(NUMPY_37, "cp37"), (NUMPY_27, "cp27"), (ABI3, "cp37"), (ABI3, "cp311"), (BINARY_PSYCOPG, "cp37")],
)
def test_a_wheel_that_loads_is_found_whole_closed_and_old_enough(
    fetch: Callable[[str, str, str, str], Path], wanted: tuple[str, str, str, str], runtime: str
) -> None:
    path = fetch(*wanted)
    (found,) = inspect_together([(Part(path.name, _looked(path)), 0)], [RUNTIMES[runtime]], RUNTIMES[runtime])
    assert found.verdicts[0].findings == ()
    assert found.level in (5, 12, 17)


@pytest.mark.parametrize(
    ("wanted", "runtime", "code"),
    [
        (NUMPY_WIDE, "cp27", "E414"),
        (NUMPY_NEW, "cp311", "E412"),
        (NUMPY_ARM, "cp37", "E410"),
        (REGEX_MUSL, "cp37", "E413"),
    ],
)
def test_what_is_inside_tells_the_same_as_the_tag_it_came_with(
    fetch: Callable[[str, str, str, str], Path], wanted: tuple[str, str, str, str], runtime: str, code: str
) -> None:
    facts = _looked(fetch(*wanted))
    assert facts.faults == ()
    assert code in [one.code for one in gate.misfits(facts, RUNTIMES[runtime])]
    assert facts.natives


def test_a_wheel_for_macos_has_no_elf_file_and_is_refused_by_its_tag(
    fetch: Callable[[str, str, str, str], Path],
) -> None:
    path = fetch(*NUMPY_MAC)
    facts = _looked(path)
    (found,) = inspect_together([(Part(path.name, facts), 0)], [RUNTIMES["cp37"]], RUNTIMES["cp37"])
    assert (facts.natives, facts.faults, facts.has_compiled_code) == ((), (), True)
    assert [one.code for one in found.verdicts[0].findings] == ["E401"]


def test_libraries_grafted_into_a_wheel_are_found_on_the_rpath(fetch: Callable[[str, str, str, str], Path]) -> None:
    path = fetch(*BINARY_PSYCOPG)
    (found,) = inspect_together([(Part(path.name, _looked(path)), 0)], [], RUNTIMES["cp37"])
    needs = {need.library: need.holder or "" for native in found.natives for need in native.needs}
    (libpq,) = (at for library, at in needs.items() if library.startswith("libpq-"))
    assert libpq.startswith("psycopg2_binary.libs/libpq-")


@pytest.mark.parametrize("wanted", LINUX, ids=lambda wanted: f"{wanted[0]}-{wanted[2]}")
def test_the_level_is_the_one_that_auditwheel_finds(
    fetch: Callable[[str, str, str, str], Path], wanted: tuple[str, str, str, str]
) -> None:
    path = fetch(*wanted)
    assert gate.glibc_level(_looked(path)) == _audited(path)


def _audited(wheel: Path) -> int:
    """Return the glibc 2.x whose systems a wheel loads on, as auditwheel says."""
    command = [sys.executable, "-m", "auditwheel", "show", wheel.name]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=wheel.parent)
    if sys.platform != "linux":
        pytest.skip("auditwheel judges on Linux only")
    assert done.returncode == 0, done.stderr
    said = re.search(r"constrains the platform\s+tag to\s+\"manylinux_2_(\d+)_", done.stdout) or re.search(
        r"manylinux_2_(\d+)_x86_64", done.stdout
    )
    assert said is not None, done.stdout
    return int(said[1])


def test_the_table_of_levels_is_that_of_the_manylinux_policy() -> None:
    policy = json.loads((resources.files("auditwheel.policy") / "manylinux-policy.json").read_text())
    named = {int(one["name"].removeprefix("manylinux_2_")): one for one in policy if one["priority"]}
    for machine, levels in LEVELS.items():
        promised = {
            minor: one["symbol_versions"][machine] for minor, one in named.items() if machine in one["symbol_versions"]
        }
        assert set(levels) == {minor for minor in promised if minor <= max(levels)}
        for minor, families in levels.items():
            said = {family: _newest(versions) for family, versions in promised[minor].items()}
            assert said == {**said, **families, **({"ZLIB": None} if minor == 5 else {})}


def _newest(versions: list[str]) -> tuple[int, ...] | None:
    numbers = [version_key(f"_{version}")[1] for version in versions]
    return max((number for number in numbers if number), default=None)


# Functions of glibc by the version from which it has them in this form [glibc's NEWS], and what takes them.
_TAKES = {
    "strlen": "#include <string.h>\nsize_t f(const char *a) { return strlen(a); }",  # 2.2.5, the first on x86_64
    "pipe2": "#define _GNU_SOURCE\n#include <unistd.h>\nint f(int *a) { return pipe2(a, 0); }",  # 2.9
    "memcpy": "#include <string.h>\nvoid *f(void *a, void *b, size_t n) { return memcpy(a, b, n); }",  # 2.14
    "secure_getenv": '#define _GNU_SOURCE\n#include <stdlib.h>\nchar *f(void) { return secure_getenv("A"); }',  # 2.17
    "getrandom": "#include <sys/random.h>\nssize_t f(void *a) { return getrandom(a, 1, 0); }",  # 2.25
    "pthread_create": "#include <pthread.h>\nint f(pthread_t *t) { return pthread_create(t, 0, 0, 0); }",  # 2.34 or 2.2.5
}


@pytest.mark.parametrize("name", _TAKES)
def test_what_is_compiled_here_is_judged_as_auditwheel_judges_it(tmp_path: Path, name: str) -> None:
    library = compiled(tmp_path / "made", "_x.abi3.so", _TAKES[name], "-O2")
    tag = "cp37-abi3-linux_x86_64"
    path = builders.wheel(tmp_path, "compiled", tag=tag, files={"_x.abi3.so": library.read_bytes()})
    assert gate.glibc_level(_looked(path)) == _audited(path)


@pytest.mark.parametrize(("name", "version"), [("getrandom", "GLIBC_2.25"), ("pthread_create", "GLIBC_2.34")])
def test_what_takes_a_symbol_newer_than_the_clusters_is_refused_and_the_symbol_named(
    tmp_path: Path, name: str, version: str
) -> None:
    library = compiled(tmp_path, "x.so", _TAKES[name])
    if version not in [one for _, versions in _looked(library).natives[0].elf.versions for one in versions]:
        pytest.skip(f"the glibc of this machine has no {name} of {version}")
    (finding,) = gate.misfits(_looked(library), RUNTIMES["cp37"])
    assert (finding.code, finding.severity) == ("E412", "error")
    assert f"x.so takes {name} of {version} from libc.so.6, and the newest there is GLIBC_2.17" in finding.message


@pytest.mark.parametrize(("glibc", "name"), [("2.17", "pthread_create"), ("2.17", "secure_getenv"), ("2.5", "memcpy")])
def test_zig_compiles_for_the_clusters_glibc_what_this_machines_compiler_does_not(
    tmp_path: Path, glibc: str, name: str
) -> None:
    (tmp_path / "x.c").write_text(_TAKES[name])
    command = [sys.executable, "-m", "ziglang", "cc", "-target", f"x86_64-linux-gnu.{glibc}", "-O2", "-shared", "-fPIC"]
    subprocess.run([*command, "x.c", "-o", "x.so"], check=True, cwd=tmp_path, capture_output=True)
    facts = _looked(tmp_path / "x.so")
    assert list(gate.misfits(facts, RUNTIMES["cp37"])) == []
    assert (gate.glibc_level(facts) or 0) <= int(glibc.removeprefix("2."))
    path = builders.wheel(
        tmp_path, "compiled", tag="cp37-abi3-linux_x86_64", files={"_x.abi3.so": (tmp_path / "x.so").read_bytes()}
    )
    assert _audited(path) == gate.glibc_level(facts)
