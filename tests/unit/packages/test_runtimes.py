"""Which wheels a MaxCompute Python loads, and what is said about the others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag

from reconciler.manifest.runtimes import supported_tags, tags_of, why_not_loadable
from reconciler.manifest.section import read_section
from reconciler.targets.maxcompute.manifest import Manifest
from reconciler.targets.maxcompute.runtimes import PLATFORMS, RUNTIMES, flags, is_native

FITTING = [
    ("numpy-1.16.6-cp27-cp27m-manylinux1_x86_64.whl", "cp27"),
    ("scipy-1.2.3-cp27-cp27m-manylinux1_x86_64.whl", "cp27"),
    ("six-1.16.0-py2.py3-none-any.whl", "cp27"),
    ("enum34-1.1.10-py2-none-any.whl", "cp27"),
    ("numpy-1.19.2-cp37-cp37m-manylinux1_x86_64.whl", "cp37"),
    ("numpy-1.19.2-cp37-cp37m-manylinux2010_x86_64.whl", "cp37"),
    ("numpy-1.21.6-cp37-cp37m-manylinux_2_12_x86_64.manylinux2010_x86_64.whl", "cp37"),
    ("pandas-1.3.5-cp37-cp37m-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "cp37"),
    ("six-1.16.0-py2.py3-none-any.whl", "cp37"),
    ("ortools-9.0-py37-none-any.whl", "cp37"),
    ("xgboost-1.6.2-py3-none-manylinux2014_x86_64.whl", "cp37"),
    ("cryptography-3.4.8-cp36-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "cp37"),
    ("psutil-5.9.8-cp36-abi3-manylinux_2_12_x86_64.manylinux2010_x86_64.manylinux_2_17_x86_64.whl", "cp37"),
    ("GDAL-3.0.4-cp37-cp37m-linux_x86_64.whl", "cp37"),
    ("tool-1.0-py3-none-linux_x86_64.whl", "cp37"),
    ("numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "cp311"),
    ("cryptography-41.0.0-cp37-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "cp311"),
]

REFUSED = [
    ("numpy-1.16.6-cp27-cp27mu-manylinux1_x86_64.whl", "cp27", "cp27mu, Python 2.7 with wide Unicode"),
    ("cryptography-3.3.2-cp27-abi3-manylinux1_x86_64.whl", "cp27", "its ABI is 'abi3', and the runtime's is cp27m"),
    ("requests-2.31.0-py3-none-any.whl", "cp27", "it is for Python 3, and the runtime is CPython 2.7"),
    ("enum34-1.1.10-py2-none-any.whl", "cp37", "it is for Python 2, and the runtime is CPython 3.7"),
    ("numpy-1.19.2-cp38-cp38-manylinux1_x86_64.whl", "cp37", "it is for CPython 3.8, and the runtime is CPython 3.7"),
    ("numpy-1.19.2-cp36-cp36m-manylinux1_x86_64.whl", "cp37", "it is for CPython 3.6, and"),
    ("numpy-1.19.2-cp37-cp37m-macosx_10_9_x86_64.whl", "cp37", "it is for macOS, and MaxCompute is x86_64 Linux"),
    ("numpy-1.19.2-cp37-cp37m-win_amd64.whl", "cp37", "it is for Windows, and"),
    ("numpy-1.19.2-cp37-cp37m-win32.whl", "cp37", "it is for Windows, and"),
    (
        "numpy-1.19.2-cp37-cp37m-manylinux1_i686.whl",
        "cp37",
        "its platform is 'manylinux1_i686', and MaxCompute is x86_64",
    ),
    ("numpy-1.19.2-cp37-cp37m-manylinux2014_aarch64.whl", "cp37", "'manylinux2014_aarch64'"),
    ("numpy-1.19.2-pp37-pypy37_pp73-manylinux1_x86_64.whl", "cp37", "it is for the interpreter 'pp37'"),
    (
        "lxml-4.9.4-cp37-cp37m-musllinux_1_1_x86_64.whl",
        "cp37",
        "it is linked with musl, and MaxCompute is x86_64 Linux",
    ),
    ("lxml-4.9.4-cp37-cp37m-manylinux_2_28_x86_64.whl", "cp37", "it needs glibc 2.28, and MaxCompute has 2.17"),
    ("torch-2.4.0-cp311-cp311-manylinux_2_28_x86_64.whl", "cp311", "it needs glibc 2.28, and MaxCompute has 2.17"),
    ("GDAL-3.0.4-cp37-cp37mu-linux_x86_64.whl", "cp37", "its ABI is 'cp37mu'"),
    ("GDAL-3.0.4-cp37-cp37m-linux_aarch64.whl", "cp37", "its platform is 'linux_aarch64'"),
    ("cryptography-41.0.0-cp38-abi3-manylinux2014_x86_64.whl", "cp37", "it is for CPython 3.8 or newer, and"),
    ("black-24.0-py38-none-any.whl", "cp37", "it is for Python 3.8 or newer, and the runtime is CPython 3.7"),
    ("numpy-2.1.0-cp313-cp313t-manylinux2014_x86_64.whl", "cp311", "it is for CPython 3.13, and"),
    ("debug-1.0-cp37-cp37dm-manylinux1_x86_64.whl", "cp37", "its ABI is 'cp37dm', and the runtime's is cp37m"),
    ("odd-1.0-cp37-cp37m-any.whl", "cp37", "its platform is 'any', and MaxCompute is x86_64 Linux with glibc 2.17"),
    ("odd-1.0-cp37-cp37m-freebsd_13_x86_64.whl", "cp37", "its platform is 'freebsd_13_x86_64', and MaxCompute is"),
    ("odd-1.0-cp3-none-any.whl", "cp37", "it is for the interpreter 'cp3'"),
]


@pytest.mark.parametrize(("filename", "runtime"), FITTING)
def test_a_wheel_that_loads_is_taken(filename: str, runtime: str) -> None:
    assert why_not_loadable(filename, RUNTIMES[runtime]) is None


@pytest.mark.parametrize(("filename", "runtime", "reason"), REFUSED)
def test_a_wheel_that_does_not_load_is_refused_with_the_reason(filename: str, runtime: str, reason: str) -> None:
    found = why_not_loadable(filename, RUNTIMES[runtime])
    assert found is not None
    assert reason in found


def test_of_many_tags_the_reason_is_about_the_nearest() -> None:
    found = why_not_loadable(
        "a-1.0-cp36.cp37-cp36m.cp37m-macosx_10_9_x86_64.musllinux_1_1_x86_64.whl", RUNTIMES["cp37"]
    )
    assert found is not None
    assert "macOS" in found


_INTERPRETERS = st.sampled_from(
    [
        "cp27",
        "cp36",
        "cp37",
        "cp38",
        "cp311",
        "cp312",
        "cp3",
        "py2",
        "py3",
        "py27",
        "py37",
        "py38",
        "py311",
        "pp37",
        "jy27",
    ]
)
_ABIS = st.sampled_from(["none", "abi3", "cp27m", "cp27mu", "cp36m", "cp37m", "cp38", "cp311", "cp313t", "pypy37_pp73"])
_PLATFORMS = st.sampled_from(
    [
        "any",
        "linux_x86_64",
        "win32",
        "win_amd64",
        "macosx_11_0_arm64",
        "musllinux_1_2_x86_64",
        "manylinux1_x86_64",
        "manylinux1_i686",
        "manylinux2010_x86_64",
        "manylinux2014_x86_64",
        "manylinux2014_aarch64",
        "manylinux_2_5_x86_64",
        "manylinux_2_16_x86_64",
        "manylinux_2_18_x86_64",
        "manylinux_2_28_x86_64",
        "manylinux_2_4_x86_64",
        "freebsd_13_amd64",
    ]
)


def _joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(parts, min_size=1, max_size=3, unique=True).map(".".join)


@given(_joined(_INTERPRETERS), _joined(_ABIS), _joined(_PLATFORMS), st.sampled_from(sorted(RUNTIMES)))
def test_for_any_tags_there_is_a_reason_exactly_when_none_of_them_is_supported_or_left_to_the_elf_files(
    interpreter: str, abi: str, platform: str, tag: str
) -> None:
    filename, runtime = f"a-1.0-{interpreter}-{abi}-{platform}.whl", RUNTIMES[tag]
    reason = why_not_loadable(filename, runtime)
    as_promised = {
        Tag(one.interpreter, one.abi, one.platform.replace("linux_x86_64", "manylinux1_x86_64"))
        if one.platform == "linux_x86_64"
        else one
        for one in tags_of(filename)
    }
    assert (reason is None) == bool(as_promised & set(supported_tags(runtime)))
    assert reason is None or reason.startswith(("it ", "its "))


def test_a_cluster_with_an_older_glibc_takes_less() -> None:
    old = replace(RUNTIMES["cp37"], platform=PLATFORMS["rhel5"])
    assert why_not_loadable("numpy-1.19.2-cp37-cp37m-manylinux1_x86_64.whl", old) is None
    reason = why_not_loadable("numpy-1.19.2-cp37-cp37m-manylinux2010_x86_64.whl", old)
    assert reason == "it needs glibc 2.12, and MaxCompute has 2.5"


@pytest.mark.parametrize("tag", RUNTIMES)
def test_platforms_begin_with_the_newest_and_end_with_manylinux1(tag: str) -> None:
    platforms = RUNTIMES[tag].platforms
    assert platforms[:2] == ("manylinux_2_17_x86_64", "manylinux2014_x86_64")
    assert platforms[-2:] == ("manylinux_2_5_x86_64", "manylinux1_x86_64")


def test_an_arm64_cluster_takes_wheels_built_for_it_and_no_others() -> None:
    arm64 = replace(RUNTIMES["cp37"], platform=PLATFORMS["aarch64"])
    assert arm64.platforms == ("manylinux_2_17_aarch64", "manylinux2014_aarch64")
    for platform in ("manylinux2014_aarch64", "manylinux_2_17_aarch64", "linux_aarch64"):
        assert why_not_loadable(f"numpy-1.21.6-cp37-cp37m-{platform}.whl", arm64) is None
    assert why_not_loadable("six-1.16.0-py2.py3-none-any.whl", arm64) is None
    for platform, reason in (
        (
            "manylinux2014_x86_64",
            "its platform is 'manylinux2014_x86_64', and MaxCompute is aarch64 Linux with glibc 2.17",
        ),
        ("linux_x86_64", "its platform is 'linux_x86_64', and MaxCompute is aarch64 Linux with glibc 2.17"),
        ("manylinux_2_28_aarch64", "it needs glibc 2.28, and MaxCompute has 2.17"),
    ):
        assert why_not_loadable(f"numpy-1.21.6-cp37-cp37m-{platform}.whl", arm64) == reason


def test_the_manifest_sets_the_platform_and_the_full_version_of_a_runtime() -> None:
    given = {"cp37": {"platform": "rhel5"}, "cp311": {"python": "3.11.4"}}
    functions = {"f": {"class": "m.F"}, "g": {"class": "m.G", "python": "cp311"}}
    manifest = read_section(Manifest, {"stack": "s", "runtimes": given, "functions": functions})
    f, g = (manifest.runtime(manifest.functions[name]) for name in "fg")
    assert (f.label, f.full_version, f.glibc, f.machine) == ("cp37 on rhel5", "3.7.3", (2, 5), "x86_64")
    assert (g.label, g.full_version, g.glibc, g.machine) == ("cp311", "3.11.4", (2, 17), "x86_64")
    assert manifest.usable_runtimes == {"cp27": RUNTIMES["cp27"], "cp37": f, "cp311": g}


def test_a_manifest_that_says_nothing_has_the_runtimes_that_are_assumed() -> None:
    assert read_section(Manifest, {"stack": "s", "functions": {}}).usable_runtimes == RUNTIMES


def test_the_full_version_is_what_requires_python_is_judged_by() -> None:
    assert RUNTIMES["cp37"].full_version in SpecifierSet(">=3.7.1")
    for runtime in RUNTIMES.values():
        assert runtime.full_version.startswith("{}.{}.".format(*runtime.python_version))


@pytest.mark.parametrize("filename", ["numpy.whl", "a-1.0.whl", "a-1.0-py3-none-any.zip", "", "a-x.y-py3-none-any.whl"])
def test_what_is_not_a_wheels_name_is_a_value_error(filename: str) -> None:
    with pytest.raises(ValueError):
        why_not_loadable(filename, RUNTIMES["cp37"])


def test_sql_names_the_python_and_for_compiled_code_asks_for_isolation_without_pypy() -> None:
    assert flags(RUNTIMES["cp37"], native=False) == (("odps.sql.python.version", "cp37"),)
    assert flags(RUNTIMES["cp27"], native=True) == (
        ("odps.sql.python.version", "cp27"),
        ("odps.isolation.session.enable", "true"),
        ("odps.pypy.enabled", "false"),
    )


@pytest.mark.parametrize(
    ("name", "native"),
    [
        ("numpy-1.19.2-cp37-cp37m-manylinux1_x86_64.zip", True),
        ("six-1.16.0-py2.py3-none-any.zip", False),
        ("packages.tar.gz", False),
        ("my_psi.py", False),
    ],
)
def test_a_live_archive_tells_by_its_name_that_it_holds_compiled_code(name: str, native: bool) -> None:
    assert is_native(name) is native
