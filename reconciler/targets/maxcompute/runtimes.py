"""
MaxCompute's Pythons: what each loads, and the settings that SQL needs to call a function of it.

Sources. "UDF pages": the vendor's "Python 2 UDFs" and "Python 3 UDFs". "Pack table": the list of ABI and platform tags in
PyODPS, docs/source/pyodps-pack.rst. "Images": "Built-in images" and "Custom images". "manylinux policy": the data file of
auditwheel (manylinux-policy.json, 6.8.2). What nobody publishes is marked as a guess. What is installed beside the standard
library, the images, the flags' names and the limits stand in ``service.json``, each with its source. Images are those that
the service brings; what a custom image holds is known to nobody here.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from reconciler.manifest.runtimes import Platform, Runtime, Service, tags_of
from reconciler.targets.maxcompute.names import wheel_archive, why_not_a_resource_name

_FACTS: dict[str, Any] = json.loads(Path(__file__).with_name("service.json").read_text(encoding="utf-8"))

FLAGS: dict[str, str] = {what: flag["name"] for what, flag in _FACTS["flags"].items()}
LIMITS: dict[str, int] = {what: limit["bytes"] for what, limit in _FACTS["limits"].items()}
IMAGES: dict[str, tuple[str, ...]] = {name: tuple(runtimes) for name, runtimes in _FACTS["images"]["named"].items()}
"""Name → the runtimes it has."""

# `get_cache_file` is how a function has a FILE resource [doc "Reference resources"].
_LOADER = """\


def __udfs_load__(library):
    import base64
    import ctypes
    import io
    import os
    import shutil

    from odps.distcache import get_cache_file

    def put(path, read):
        if not os.path.exists(path):
            part, content = "%s.%d" % (path, os.getpid()), read()
            with io.open(part, "wb") as out:
                shutil.copyfileobj(content, out)
            content.close()
            os.rename(part, path)
        return str(path)

    # A folder of its own: code that writes the library anew, under its name, must not write over one that is loaded.
    folder = os.path.abspath("udfs-%s" % library)
    if not os.path.isdir(folder):
        try:
            os.mkdir(folder)
        except OSError:  # another process was quicker
            pass
    file, stub = getattr(__udfs_load__, "stubs", {}).get(library, (library, ""))
    copy = put(os.path.join(folder, file), lambda: get_cache_file(library, "b"))
    if stub:  # it needs the library by its file's name, and so gives it that one
        copy = put(copy + ".stub", lambda: io.BytesIO(base64.b64decode(stub)))
    # What needs it asks for its SONAME, and a library of that name which is loaded is not searched for.
    ctypes.CDLL(copy, ctypes.RTLD_GLOBAL)
"""

# An ARCHIVE is unpacked to work/<resource name>/ [doc "UDF resources", pyodps-pack.rst].
SERVICE = Service(
    "MaxCompute", LIMITS["resource"], LIMITS["job"], wheel_archive, why_not_a_resource_name, "work/", _LOADER
)

BASE = frozenset((
    *("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libresolv.so.2"),
    *("libnsl.so.1", "libanl.so.1", "libcrypt.so.1", "linux-vdso.so.1"),
    *("libgcc_s.so.1", "libstdc++.so.6", "libz.so.1"),
))  # fmt: skip
"""
Libraries that every worker has: glibc's own and those of GCC's runtime, which manylinux2014 promises [manylinux policy],
libcrypt, which is part of glibc on CentOS 7 (manylinux leaves it out because newer systems dropped it), and zlib, without
which that system's own package manager would not start. That a worker has them is inferred from CentOS 7; nobody
publishes a list.
"""

PLATFORMS = {
    platform.name: platform
    for platform in (
        # manylinux1 and no more.
        Platform("rhel5", "x86_64", (2, 5), frozenset({"cp27", "cp37"}), BASE),
        # The table ends at manylinux2014, and "Custom images" calls the workers comparable to CentOS 7: both are 2.17.
        Platform("rhel7", "x86_64", (2, 17), frozenset({"cp27", "cp37"}), BASE, is_assumed=True),
        # "RHEL 7", ARM64, manylinux2014_aarch64.
        Platform("aarch64", "aarch64", (2, 17), frozenset({"cp37"}), BASE),
    )
}
"""By name [pack table]. Which one a project has is not to be asked of the service, so the manifest may say it."""

RHEL7 = PLATFORMS["rhel7"]


RUNTIMES = {
    runtime.tag: runtime
    for runtime in (
        # Narrow Unicode, cp27m [pack table]. "Python 2.7" [UDF pages]; the patch level is a guess, from a user's report
        # of a DataWorks node.
        Runtime("cp27", (2, 7), "2.7.10", "cp27m", RHEL7, SERVICE),
        # "CPython 3.7.3" [UDF pages]; cp37m [pack table].
        Runtime("cp37", (3, 7), "3.7.3", "cp37m", RHEL7, SERVICE),
        # Named in "Images" and in PyODPS (utils.get_supported_python_tag); no table of tags. The platform is the one
        # that pyodps-pack builds for; the patch level is a guess, the lowest, so that nothing too new is taken.
        Runtime("cp311", (3, 11), "3.11.0", "cp311", RHEL7, SERVICE),
    )
}
"""By tag: what is assumed where a manifest says nothing."""


def is_native(resource: str) -> bool:
    """Say whether a live archive's name is that of a wheel with compiled code: all that a listing tells of it."""
    try:
        return any(tag.platform != "any" for tag in tags_of(resource.removesuffix(".zip") + ".whl"))
    except ValueError:
        return False


def flags(
    runtime: Runtime, *, native: bool, image: str | None = None, isolation: bool = False
) -> tuple[tuple[str, str], ...]:
    """
    Return the SET lines that SQL needs before it calls a function of this runtime.

    ``odps.sql.python.version`` holds for one session only; the function itself does not keep it, and without it a
    project runs Python 2 [UDF pages]. Compiled code needs a container, ``odps.isolation.session.enable`` [pyodps-pack.rst,
    "Use third-party packages"], and a Python that is not PyPy, ``odps.pypy.enabled`` [same page]. An image is asked for by
    ``odps.session.image``, one a session ["Built-in images"].
    """
    return (
        (FLAGS["python"], runtime.tag),
        *(((FLAGS["image"], image),) if image else ()),
        *(((FLAGS["isolation"], "true"),) if native or isolation else ()),
        *(((FLAGS["pypy"], "false"),) if native else ()),
    )


def distributions(runtime: str, image: str | None = None) -> dict[str, str | None]:
    """Return what is installed, as far as that is published: distribution → version, None where that is not."""
    installed: dict[str, str | None] = dict(_FACTS["installed"][runtime]["distributions"])
    images = _FACTS["images"]
    if image is not None and runtime in images["named"].get(image, ()):
        installed |= {**images["everywhere"][runtime], **images["named"][image][runtime]}
    return installed


@cache
def modules(runtime: str, image: str | None = None) -> tuple[str, ...]:
    """Return the modules of what is installed, sorted; ``odps.udf`` and ``odps.distcache`` are everywhere."""
    modules = {"odps"}
    for name in distributions(runtime, image):
        modules |= set(_FACTS["imports"].get(name, [name]))
    return tuple(sorted(modules))
