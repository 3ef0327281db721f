"""
Function Compute's Pythons: the system that each runs on, and what that system has.

Sources. "Runtimes": the vendor's pages on Python runtimes and on custom runtimes, which name the Debian release and the
Python of each (2025-04 to 2026-06). "Images": the Dockerfiles of fc-docker, the vendor's archived repository, for patch levels of the
oldest ones. Debian's own releases say which glibc they have. What nobody publishes is marked as a guess.
"""

from __future__ import annotations

from reconciler.manifest.runtimes import Platform, Runtime, Service

MEGABYTE = 1_000_000
"""The pages say MB and never which; the smaller one refuses what the larger one might take, and not the other way round (a guess)."""

BY_REQUEST = 100 * MEGABYTE
"""Of a zip that travels in the request, before it is written in base64 ["Limits", 2026-04-01]."""

BY_BUCKET = 500 * MEGABYTE
"""Of a zip that the service fetches from a bucket, in the regions of `LARGE_REGIONS`; in others as by request [same page]."""

LARGE_REGIONS = frozenset((
    *("cn-hangzhou", "cn-shanghai", "cn-shenzhen", "cn-beijing", "cn-zhangjiakou", "cn-huhehaote", "cn-hongkong"),
    *("ap-southeast-1", "ap-northeast-1", "us-east-1", "eu-central-1"),
))  # fmt: skip
"""The page lists the cities; the identifiers are those that Alibaba Cloud has for them."""

SERVICE = Service("Function Compute", BY_BUCKET, code_folder="/code/", layer_folder="/opt/")

BASE = frozenset((
    *("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libresolv.so.2"),
    *("libnsl.so.1", "libanl.so.1", "libcrypt.so.1", "linux-vdso.so.1", "libgcc_s.so.1", "libstdc++.so.6"),
    *("libz.so.1", "libbz2.so.1.0", "liblzma.so.5"),
    *("libacl.so.1", "libattr.so.1", "libselinux.so.1", "libuuid.so.1", "libblkid.so.1", "libmount.so.1"),
))  # fmt: skip
"""
What the smallest Debian has, in each release from 9 to 12: glibc, GCC's runtime, and what dpkg, coreutils and util-linux need.

What the images have beside that is published nowhere as a list, and the old ones are known to have far more; a library that is shipped
although it is there does no harm, and one that is missing does.
"""


def _platform(name: str, suite: str, minor: int, *runtimes: str) -> Platform:
    return Platform(name, "x86_64", (2, minor), frozenset(runtimes), BASE, is_assumed=True, suite=suite)


PLATFORMS = {
    platform.name: platform
    for platform in (
        _platform("debian9", "stretch", 24, "python3", "python3.9", "custom"),
        _platform("debian10", "buster", 28, "python3.10", "custom.debian10"),
        _platform("debian11", "bullseye", 31, "python3.12", "custom.debian11"),
        _platform("debian12", "bookworm", 36, "custom.debian12"),
    )
}
"""By name. glibc is that of the Debian release."""


def _runtime(tag: str, system: str, full_version: str) -> Runtime:
    major, minor, _ = map(int, full_version.split("."))
    # CPython's ABI had an m until 3.7 [PEP 3149].
    abi = f"cp{major}{minor}{'m' if minor < 8 else ''}"
    return Runtime(tag, (major, minor), full_version, abi, PLATFORMS[system], SERVICE)


RUNTIMES = {
    runtime.tag: runtime
    for runtime in (
        _runtime("python3", "debian9", "3.6.15"),  # [Images]
        _runtime("python3.9", "debian9", "3.9.8"),  # [Images]
        # No page has the patch levels of the next two; those of the custom runtimes on the same system are taken (a guess).
        _runtime("python3.10", "debian10", "3.10.9"),
        _runtime("python3.12", "debian11", "3.12.4"),  # "public preview" [Runtimes]
        _runtime("custom", "debian9", "3.7.4"),  # [Runtimes]
        _runtime("custom.debian10", "debian10", "3.10.9"),  # [Runtimes]
        _runtime("custom.debian11", "debian11", "3.12.4"),  # [Runtimes]
        _runtime("custom.debian12", "debian12", "3.11.2"),  # /usr/bin/python3 [Runtimes]
    )
}
"""By the name that the API takes; all are x86_64."""

INTERPRETERS = {
    "custom": "python3",
    "custom.debian10": "/var/fc/lang/python3.10/bin/python3",
    "custom.debian11": "/var/fc/lang/python3.12/bin/python3",
    "custom.debian12": "/usr/bin/python3",
}
"""
Custom runtime → its Python, as [Runtimes] has it.

The first is a guess, and of the next two the page names the folder alone.
"""


def is_custom(tag: str) -> bool:
    """Say whether a runtime starts an HTTP server of the function's, and nothing by itself."""
    return tag in INTERPRETERS
