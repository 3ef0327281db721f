"""
Build GDAL and PROJ for MaxCompute's workers: CPython 3.7's neighbours, glibc 2.17. It takes half an hour of one processor, once.

    build/libproj.so.25       SQLite is in it
    build/libgdal.so.32       needs libproj.so.25
    build/include             what the Python binding is compiled against
    build/share/gdal, proj    what both read at run time

The sources are Debian's, fetched from the mirror of this machine, and each is the one whose sha256 stands here. Zig's compilers
are told which glibc to link with. What comes out is kept in udfs' cache, under a hash of the sources, the options and the tools.
Run it with the Python in which udfs is installed: pip install 'udfs[build]' cmake ninja
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from importlib import metadata, util
from pathlib import Path

from reconciler.cli.support.project import user_cache
from reconciler.packages.debian.mirror import Mirror, find_mirror
from reconciler.packages.fetch.cache import load_record, record_path, save_record
from reconciler.packages.fetch.downloads import Downloads
from reconciler.packages.fetch.indexes import pip_settings

BUILD = Path(__file__).resolve().parent / "build"

SOURCES = {  # of Debian 12: the file below the mirror's pool/main/, and its sha256
    # That of the Perl module for SQLite holds it as one C file; Debian's sqlite3 needs Tcl to make that.
    "sqlite": (
        "libd/libdbd-sqlite3-perl/libdbd-sqlite3-perl_1.72.orig.tar.gz",
        "5ca41e61eb52b52bd862a3088b912a75fe70910ac789b9a9983e0a449e94f551",
    ),
    "proj": ("p/proj/proj_9.1.1.orig.tar.gz", "003cd4010e52bb5eb8f7de1c143753aa830c8902b6ed01209f294846e40e6d39"),
    "gdal": ("g/gdal/gdal_3.6.2+dfsg.orig.tar.xz", "033e50bb87874f99dbf29bde3e78af1b5f67dc358389b3cc892a5d34019eab81"),
}

PREFIX = Path("/usr/local")
"""Compiled in, so no folder of this machine; things are installed below another root."""

ZIG = ["-target", "x86_64-linux-gnu.2.17", "-fno-sanitize=undefined", "-g0", "-w"]
"""MaxCompute's glibc; without traps for undefined behaviour, which no worker has the library for."""

SQLITE = [
    "-O2",
    "-fPIC",
    "-fvisibility=hidden",
    "-DSQLITE_OMIT_LOAD_EXTENSION",
    "-DSQLITE_ENABLE_RTREE",
    "-DSQLITE_ENABLE_COLUMN_METADATA",
]
"""Hidden: CPython's own sqlite3 stays the only SQLite that anybody else sees."""

BOTH = {
    "CMAKE_BUILD_TYPE": "None",
    "CMAKE_POLICY_VERSION_MINIMUM": "3.5",  # PROJ asks for an older CMake than there is
    "CMAKE_C_FLAGS": "-O1 -DNDEBUG",
    "CMAKE_CXX_FLAGS": "-O1 -DNDEBUG",
    "CMAKE_SHARED_LINKER_FLAGS": "-s",
    "CMAKE_SKIP_RPATH": "ON",
    "BUILD_SHARED_LIBS": "ON",
    "BUILD_TESTING": "OFF",
    "BUILD_APPS": "OFF",
}
PROJ = {"ENABLE_TIFF": "OFF", "ENABLE_CURL": "OFF", "CMAKE_UNITY_BUILD": "OFF"}  # its macros would meet
GDAL = {
    "CMAKE_UNITY_BUILD": "OFF",  # its zlib defines the same names in several files
    # Nothing of this machine; zlib, libtiff, libgeotiff, libpng, libjpeg and json-c are in GDAL's own source.
    "GDAL_USE_EXTERNAL_LIBS": "OFF",
    "GDAL_USE_INTERNAL_LIBS": "ON",
    **{f"GDAL_USE_{name}_INTERNAL": "OFF" for name in ("GIF", "JPEG12", "LERC", "LIBCSF", "OPENCAD", "QHULL")},
    # Always there: GTiff, COG, VRT, MEM, HFA, GeoJSON, Shapefile, MapInfo, KML. Take more by their names.
    "GDAL_BUILD_OPTIONAL_DRIVERS": "OFF",
    "OGR_BUILD_OPTIONAL_DRIVERS": "OFF",
    **{f"GDAL_ENABLE_DRIVER_{name}": "ON" for name in ("AAIGRID", "JPEG", "PNG")},
    "OGR_ENABLE_DRIVER_CSV": "ON",
    "ENABLE_GNM": "ON",  # the binding has a module of it
    **{f"BUILD_{language}_BINDINGS": "OFF" for language in ("PYTHON", "JAVA", "CSHARP")},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0].strip())
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many files are compiled at once")
    parser.add_argument("--cached", action="store_true", help="take what an earlier run made, or end with code 2")
    options = parser.parse_args()
    for needed in ("ziglang", "cmake", "ninja"):
        if util.find_spec(needed) is None:
            sys.exit(f"{needed} is not here: pip install 'udfs[build]' cmake ninja")
    cache = user_cache()
    record = record_path(cache.root, "gdal-example", recipe())
    packed = cache.get(load_record(record, str) or "0" * 64)
    if packed is None and options.cached:
        print("nothing is cached for these sources, options and tools", file=sys.stderr)
        sys.exit(2)
    if packed is None:
        packed = make(cache, options.jobs)
        save_record(record, packed.sha256)
    shutil.rmtree(BUILD, ignore_errors=True)
    shutil.unpack_archive(packed.path, BUILD)
    for path in sorted(BUILD.glob("*.so.*")):
        print(f"build/{path.name}  {path.stat().st_size / 1e6:.1f} MB")


def recipe():
    """Return the hash of everything that decides what comes out."""
    tools = {name: metadata.version(name) for name in ("ziglang", "cmake")}
    text = json.dumps([SOURCES, ZIG, SQLITE, BOTH, PROJ, GDAL, tools], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def make(cache, jobs):
    """Compile, and return what came out, packed, from the cache. What an interrupted run compiled is used."""
    work = cache.folder("gdal-example") / "work"
    sources = {name: unpack(cache, name, work / "sources" / name) for name in SOURCES}
    stage = work / "out"
    out = stage / PREFIX.relative_to("/")
    shutil.rmtree(stage, ignore_errors=True)
    tools = write_tools(work / "bin", cache.folder("zig"), work)
    sqlite = compile_sqlite(tools, sources["sqlite"], work / "sqlite")
    build = {"jobs": jobs, "tools": tools}
    compile_project(
        sources["proj"],
        work / "proj",
        {
            **BOTH,
            **PROJ,
            "SQLITE3_INCLUDE_DIR": sqlite,
            "SQLITE3_LIBRARY": sqlite / "libsqlite3.a",
            "EXE_SQLITE3": tools / "sqlite3",
        },
        stage,
        **build,
    )
    for name in ("cubewerx_extra.wkt", "ecw_cs.wkt"):  # Debian takes them out, and its patch out of the list
        (sources["gdal"] / "data" / name).touch()
    library = {"PROJ_INCLUDE_DIR": out / "include", "PROJ_LIBRARY_RELEASE": out / "lib/libproj.so"}
    compile_project(sources["gdal"], work / "gdal", {**BOTH, **GDAL, **library}, stage, **build)

    with cache.workspace() as folder:
        for path in ("include", "share/gdal", "share/proj"):
            shutil.copytree(out / path, folder / "build" / path)
        for name in ("libproj.so.25", "libgdal.so.32"):
            shutil.copyfile(out / "lib" / name, folder / "build" / name)
        packed = cache.put(Path(shutil.make_archive(str(folder / "gdal-3.6.2"), "gztar", folder / "build")))
    shutil.rmtree(work)
    return packed


def unpack(cache, name, folder):
    """Return the folder of a source: fetched from the mirror, or from the cache, by its sha256."""
    path, sha256 = SOURCES[name]
    if not folder.exists():
        with Downloads(pip_settings(os.environ, Path(sys.prefix))) as downloads:
            mirror = Mirror(find_mirror(os.environ), downloads, cache, os.environ)
            packed = mirror.fetch(f"pool/main/{path}", sha256, f"source of {name}")
        draft = folder.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        with tarfile.open(packed.path) as archive:
            archive.extractall(draft, filter="data")
        draft.rename(folder)
    (top,) = folder.iterdir()
    return top


def write_tools(folder, zig_cache, work):
    """Write scripts that are a C compiler for the workers' system, and the sqlite3 that PROJ makes its database with."""
    folder.mkdir(parents=True, exist_ok=True)
    zig = Path(util.find_spec("ziglang").origin).with_name("zig")
    given = " ".join([*ZIG, f"-ffile-prefix-map={work}=/build"])
    scripts = {
        "cc": f'exec {zig} cc {given} "$@"',
        "c++": f'exec {zig} c++ {given} "$@"',
        "ar": f'exec {zig} ar "$@"',
        "ranlib": f'exec {zig} ranlib "$@"',
        "sqlite3": f"exec {sys.executable} -c 'import sqlite3, sys\n"
        'sqlite3.connect(sys.argv[1]).executescript(sys.stdin.read())\' "$@"',
    }
    for name, line in scripts.items():
        script = folder / name
        text = f"#!/bin/sh\nexport ZIG_GLOBAL_CACHE_DIR={zig_cache} ZIG_LOCAL_CACHE_DIR={zig_cache}\n{line}\n"
        if not script.exists() or script.read_text() != text:
            script.write_text(text)
            script.chmod(0o755)
    return folder


def compile_sqlite(tools, source, folder):
    folder.mkdir(exist_ok=True)
    shutil.copyfile(source / "sqlite3.h", folder / "sqlite3.h")
    if not (folder / "libsqlite3.a").exists():
        run([tools / "cc", *SQLITE, "-c", source / "sqlite3.c", "-o", folder / "sqlite3.o"])
        run([tools / "ar", "rcs", folder / "libsqlite3.a", folder / "sqlite3.o"])
    return folder


def compile_project(source, folder, settings, stage, *, tools, jobs):
    import cmake
    import ninja

    settings = {
        **settings,
        "CMAKE_MAKE_PROGRAM": Path(ninja.BIN_DIR, "ninja"),
        "CMAKE_INSTALL_PREFIX": PREFIX,
        "CMAKE_INSTALL_LIBDIR": "lib",
        "CMAKE_C_COMPILER": tools / "cc",
        "CMAKE_CXX_COMPILER": tools / "c++",
        "CMAKE_AR": tools / "ar",
        "CMAKE_RANLIB": tools / "ranlib",
    }
    program = Path(cmake.CMAKE_BIN_DIR, "cmake")
    run([program, "-G", "Ninja", "-S", source, "-B", folder, *(f"-D{key}={value}" for key, value in settings.items())])
    run([program, "--build", folder, "--parallel", jobs])
    # PROJ installs its data by an absolute path, which a --prefix does not move.
    run([program, "--install", folder], {"DESTDIR": str(stage)})


def run(command, variables=None):
    code = subprocess.run(list(map(str, command)), env={**os.environ, **(variables or {})}).returncode
    if code != 0:
        sys.exit(f"{Path(command[0]).name} ended with code {code}; started again, this goes on from here")


if __name__ == "__main__":
    main()
