"""
Gate: would what is shipped load in its runtime, and where would each library come from?

A worker says no at query time, in the middle of a job, with one line of the dynamic linker. Everything that leads there
can be read off the files before anything is uploaded: `misfits` judges one file against a runtime, `missing_libraries`,
`excess` and `duplicates` what one function ships together. All are pure; findings become problems where the place in the
manifest is known (`collect`).

The dynamic linker looks in the folders of RPATH, then among what the process has loaded already, then in the system's own
folders [ld.so(8)]. What is shipped to a worker can therefore help in two ways: lying where RPATH points, which is how
repaired wheels carry their libraries, or being loaded before it is needed, which is what functions do with the files of
`libraries:`.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Literal, TypeAlias

from reconciler.manifest.runtimes import BITS, FAMILIES, LEVELS, NUMBERLESS, platform_name
from reconciler.packages.inspect.files import FileFinding, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.manifest.runtimes import Runtime, Service, Version
    from reconciler.packages.inspect.contents import FileFacts, Native

Role: TypeAlias = Literal["archive", "library"]


@dataclass(frozen=True)
class Part:
    """One file that is shipped, under the name it is shipped by."""

    name: str
    facts: FileFacts
    role: Role = "archive"
    """``library`` for what can be put before the linker by its name: a file of `libraries:` or a FILE resource."""


class Where(Enum):
    """Where a library comes from."""

    BASE = "base system"
    SAME = "same file"
    LIBRARY = "library"
    OTHER = "another archive"
    UNKNOWN = "not known"
    MISSING = "missing"


@dataclass(frozen=True)
class Need:
    """A library that a native file needs, and where it is."""

    library: str
    where: Where
    holder: str | None = None
    """The file that has it: a path in the same archive, or the name of another part."""


def _where(
    library: str, native: Native, answering: Sequence[Native], part: Part, parts: Iterable[Part], runtime: Runtime
) -> Need:
    """Say where `native`, which is in `part`, gets a library from; `answering` are the files there that have its name."""
    # In the linker's order: beside the file, the process, the system.
    if same := [other for other in answering if other is not native]:
        return Need(library, Where.SAME, _nearest(same, native).path)
    if runtime.has_library(library):
        return Need(library, Where.BASE)
    others = [other for other in parts if other is not part and _answers_to(other, library)]
    for other in sorted(others, key=lambda candidate: candidate.role != "library"):
        return Need(library, Where.LIBRARY if other.role == "library" else Where.OTHER, other.name)
    return Need(library, Where.MISSING if runtime.has_library(library) is False else Where.UNKNOWN)


def find_needs(part: Part, parts: Sequence[Part], runtime: Runtime) -> Iterator[tuple[Native, tuple[Need, ...]]]:
    """Yield each native file of a part with what it needs."""
    answering: dict[str, list[Native]] = {}
    for native in part.facts.natives:
        for name in native.answers_to:
            answering.setdefault(name, []).append(native)
    for native in part.facts.natives:
        yield (
            native,
            tuple(
                _where(library, native, answering.get(library, ()), part, parts, runtime)
                for library in native.elf.needed
            ),
        )


def order_libraries(libraries: Sequence[Part]) -> tuple[Part, ...]:
    """
    Return libraries so that each comes after those it needs; else in the order given.

    Loaded one by one, each then finds its needs in the process. Libraries that need each other cannot all do so; they
    stay as they come.
    """
    ordered: dict[str, Part] = {}
    for library in libraries:
        _insert(library, libraries, ordered, ())
    return tuple(ordered.values())


def _insert(part: Part, libraries: Sequence[Part], ordered: dict[str, Part], above: tuple[str, ...]) -> None:
    if part.name in ordered or part.name in above:
        return
    needed = {library for native in part.facts.natives for library in native.elf.needed}
    for other in libraries:
        if other is not part and any(_answers_to(other, library) for library in needed):
            _insert(other, libraries, ordered, (*above, part.name))
    ordered[part.name] = part


def _answers_to(part: Part, library: str) -> bool:
    return part.name == library or any(library in native.answers_to for native in part.facts.natives)


def _nearest(candidates: list[Native], native: Native) -> Native:
    """Return the candidate in the first folder of RPATH that has one; failing that any, which must be loaded before."""
    origin = posixpath.dirname(native.path)
    for folder in native.elf.rpath:
        path = posixpath.normpath(folder.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", origin or "."))
        for candidate in candidates:
            if posixpath.normpath(posixpath.dirname(candidate.path) or ".") == path:
                return candidate
    return candidates[0]


# --- Judging ----------------------------------------------------------------------------------------------------------


AT_HAND = (Where.SAME, Where.BASE)
"""Where a library is found whatever else is shipped."""

MAX_COUNT = 256
"""Resources of one MapReduce job [doc "MapReduce limits"]. That SQL has the same limit is not known."""


CARRIERS = {
    "libgomp.so.1": "scikit-learn",
    "libgfortran.so.5": "numpy",
    "libgfortran.so.3": "numpy<1.20",
    "libquadmath.so.0": "numpy",
}
"""
Library → a distribution whose manylinux wheels carry it for themselves, built for as old a glibc as they are.

Looked into: the wheels of scikit-learn 1.0.2 and numpy 1.21.6, and for `libgfortran.so.3` those of numpy 1.16.6, 1.17.5 and 1.19.2 for manylinux1. Another version
may have another.
"""


# --- One file -------------------------------------------------------------------------------------------------------------


def misfits(facts: FileFacts, runtime: Runtime, *, has_programs: bool = False) -> Iterator[FileFinding]:
    """
    Yield why native files do not load in a runtime; a warning where they are such as nothing may ever load.

    With `has_programs` those are programs that will be run.
    """
    for judge in (_machines, _musl, _versions, _unicode):
        for loaded in (True, False):
            natives = [native for native in facts.natives if (native.is_loaded or has_programs) is loaded]
            finding = judge(natives, facts, runtime)
            if finding:
                yield finding if loaded else replace(finding, severity="warning")


def glibc_level(facts: FileFacts) -> int | None:
    """
    Return the lowest glibc 2.x on whose systems every symbol version is found, of the levels that have names.

    None where no level has them, for musl, and for other machines, whose levels differ.
    """
    machines = {native.elf.machine for native in facts.natives}
    levels = LEVELS.get(next(iter(machines)), {}) if len(machines) == 1 else {}
    if any(_needs_musl(native) for native in facts.natives):
        return None
    fitting = (minor for minor, ceilings in levels.items() if not list(_beyond(facts.natives, facts, ceilings, minor)))
    return next(fitting, None)


def newest_versions(natives: Iterable[Native]) -> tuple[str, ...]:
    """Return the newest version of each family of symbols: what decides on which systems files load."""
    from reconciler.packages.inspect.elf import version_key

    newest: dict[str, tuple[Version, str]] = {}
    for native in natives:
        for _, names in native.elf.versions:
            for name in names:
                family, number = version_key(name)
                if family in FAMILIES and number is not None:
                    newest[family] = max(newest.get(family, ((), "")), (number, name))
    return tuple(name for _, (_, name) in sorted(newest.items()))


def _machines(natives: Sequence[Native], facts: FileFacts, runtime: Runtime) -> FileFinding | None:
    wrong = [n for n in natives if (n.elf.machine, n.elf.bits) != (runtime.machine, BITS)]
    if not wrong:
        return None
    first = wrong[0].elf
    return FileFinding(
        "E410",
        f"is for another machine: {wrong[0].path} is for {first.machine} with {first.bits} bits, and "
        f"{runtime.service.name} has {runtime.machine} with {BITS}",
        f"take the file that was built for {runtime.machine} Linux",
        _rest(f"{n.path}: {n.elf.machine}, {n.elf.bits} bits" for n in wrong),
    )


def _musl(natives: Sequence[Native], facts: FileFacts, runtime: Runtime) -> FileFinding | None:
    wrong = [n for n in natives if _needs_musl(n)]
    if not wrong:
        return None
    return FileFinding(
        "E413",
        f"is linked with musl: {wrong[0].path} needs {_musl_of(wrong[0])}, and {runtime.service.name} has glibc",
        "take the wheel with manylinux in its name, or build it on a system with glibc",
        _rest(f"{n.path}: {_musl_of(n)}" for n in wrong),
    )


def _needs_musl(native: Native) -> bool:
    return bool(_musl_of(native))


def _musl_of(native: Native) -> str:
    return next((name for name in native.elf.needed if name.startswith(("libc.musl-", "ld-musl-"))), "")


def _versions(natives: Sequence[Native], facts: FileFacts, runtime: Runtime) -> FileFinding | None:
    beyond = sorted(set(_beyond(natives, facts, runtime.ceilings, runtime.glibc[1])), reverse=True)
    if not beyond:
        return None
    (family, _), version, path, library = beyond[0]
    have = f"{family}_{'.'.join(map(str, runtime.ceilings[family]))}"
    symbols = {(n.path, *key): f"{symbol} of " for n in natives for *key, symbol in n.elf.takes}

    def what(version: str, path: str, library: str) -> str:
        return f"{symbols.get((path, library, version), '')}{version} from {library}"

    return FileFinding(
        "E412",
        f"needs a newer system than {runtime.label} has: {path} takes {what(version, path, library)}, and the newest there "
        f"is {have}",
        f"take a version that has a wheel for manylinux_2_{runtime.glibc[1]} or older, or build it against glibc "
        f"{runtime.glibc[0]}.{runtime.glibc[1]}: in a {platform_name(runtime.glibc[1])} container, or with 'zig cc'",
        _rest(f"{path}: {what(version, path, library)}" for _, version, path, library in beyond),
    )


def _beyond(
    natives: Iterable[Native], facts: FileFacts, ceilings: Mapping[str, Version], minor: int
) -> Iterator[tuple[tuple[str, Version], str, str, str]]:
    """Yield each version that a system with these ceilings lacks; a library that is shipped along is not the system's."""
    from reconciler.packages.inspect.elf import version_key

    shipped = {name for native in facts.natives for name in native.answers_to}
    for native in natives:
        for library, names in native.elf.versions:
            for name in names if library not in shipped else ():
                family, number = version_key(name)
                if family not in FAMILIES:
                    continue
                if number is None:
                    if NUMBERLESS.get(name, 1 << 30) > minor:
                        yield (family, ()), name, native.path, library
                elif number > ceilings[family]:
                    yield (family, number), name, native.path, library


def _unicode(natives: Sequence[Native], facts: FileFacts, runtime: Runtime) -> FileFinding | None:
    narrow = "PyUnicodeUCS2_" if runtime.abi == "cp27m" else "(none)"
    wrong = [(n, name) for n in natives for name in n.elf.unicode if not name.startswith(narrow)]
    wrong = [(n, name) for n, name in wrong if not (n.elf.soname or n.name).startswith("libpython")]
    if not wrong:
        return None
    native, name = wrong[0]
    width = "wide" if "UCS4" in name else "narrow"
    return FileFinding(
        "E414",
        f"is for another Python: {native.path} takes {name}, which only a Python 2 with {width} Unicode has, and "
        f"{runtime.service.name}'s is {runtime.abi}",
        f"take or build the wheel for {runtime.abi}",
        _rest(dict.fromkeys(f"{n.path}: {function}" for n, function in wrong)),
    )


def unloadable_in_file(facts: FileFacts) -> FileFinding | None:
    """
    Return the finding about native code in an archive that nobody unpacks, a FILE resource.

    Neither zipimport nor the linker reads a library inside an archive. PyODPS's importer of packages refuses it in these words:
    "We do not allow file-type resource for binary packages. Please upload an archive-typed resource instead." [lib/importer.py]
    """
    if facts.kind not in ("wheel", "zip", "tar") or not facts.has_compiled_code:
        return None
    example = f" ({facts.natives[0].path})" if facts.natives else ""
    return FileFinding(
        "E417",
        f"has compiled code{example}, and a FILE resource is not unpacked: nothing can load it in there",
        "make it an ARCHIVE, whose name ends in .zip or .tar.gz; or list its wheels under `packages:`",
        severity="warning",
    )


def _rest(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the lines of a finding if there are more than the one that its message tells already."""
    every = list(lines)
    return shorten(every) if len(every) > 1 else ()


# --- What one function ships together -------------------------------------------------------------------------------------


def missing_libraries(
    part: Part, parts: Sequence[Part], runtime: Runtime, *, is_complete: bool = True
) -> Iterator[tuple[str, FileFinding]]:
    """
    Yield each library that a part needs and nothing has, with the finding about it.

    `is_complete` is false where the function lists resources of another project, of which nothing is known here.
    """
    users: dict[tuple[str, Where, str | None], list[str]] = defaultdict(list)
    for native, needed in find_needs(part, parts, runtime):
        for need in needed if native.is_loaded else ():
            if need.where in (Where.OTHER, Where.UNKNOWN, Where.MISSING) and not need.library.startswith("libc.musl-"):
                users[need.library, need.where, need.holder].append(native.path)
    for (library, where, holder), natives in users.items():
        yield library, _missing_library(library, where, holder, natives, is_complete=is_complete)


def _missing_library(
    library: str, where: Where, holder: str | None, natives: list[str], *, is_complete: bool
) -> FileFinding:
    needed_by = f"{natives[0]}" + (f" and {len(natives) - 1} more" if len(natives) > 1 else "")
    detail = shorten(natives) if len(natives) > 1 else ()
    carry = f"list a file whose SONAME is {library} under the package's `libraries:`"
    if carrier := CARRIERS.get(library):
        carry = (
            f"`libraries: [{{library: {library}, from: {carrier}}}]` of the package takes it out of a wheel; or {carry}"
        )
    if where is Where.OTHER:
        message = f"needs '{library}' of another archive, '{holder}' ({needed_by})"
        return FileFinding("E416", message, "it is found only if that one's is loaded first", detail, "warning")
    if where is Where.UNKNOWN:
        message = f"needs '{library}', and whether workers have it is not known ({needed_by})"
        return FileFinding("E416", message, f"if the import fails: {carry}", detail, "warning")
    message = f"needs '{library}', which is not shipped and not in the base system ({needed_by})"
    if not is_complete:
        return FileFinding(
            "E416", message, "another project's resource may bring it; it was not looked at", detail, "warning"
        )
    return FileFinding("E415", message, f"{carry}, or repair the wheel so that it brings the library", detail)


def excess(sizes: Mapping[str, int], more: int, service: Service) -> Iterator[FileFinding]:
    """Yield what is wrong with the number and the size of one function's resources; `more` have no size of their own."""
    total = sum(sizes.values())
    if total > service.max_job:
        largest = sorted(sizes.items(), key=lambda pair: -pair[1])
        yield FileFinding(
            "E430",
            f"has {total / (1 << 20):,.1f} MB of resources, and {service.name} takes at most {service.max_job >> 20:,} MB for one job",
            "leave out what it does not import, or split the function",
            shorten([f"{size / (1 << 20):,.1f} MB  {name}" for name, size in largest]),
        )
    count = len(sizes) + more
    if count > MAX_COUNT:
        message = f"has {count} resources, and {service.name} takes at most {MAX_COUNT} for a MapReduce job"
        yield FileFinding(
            "E431", message, "whether SQL has the same limit is not known; fewer are safe", severity="warning"
        )


def duplicates(
    imports: Mapping[str, Iterable[str]], distributions: Sequence[tuple[str, str, str]]
) -> Iterator[FileFinding]:
    """
    Yield what the resources of one function have twice.

    `imports` are resource → the names it gives; `distributions` are archive, name and version. Two versions of one
    distribution are an error: which one is imported depends on the order of paths. One name in two distributions is a
    warning, because many wheels bring a ``tests`` folder that nobody imports.
    """
    brought: dict[str, dict[str, str]] = defaultdict(dict)
    for archive, name, version in distributions:
        brought[name][version] = archive
    twice: set[str] = set()
    for name, versions in brought.items():
        if len(versions) > 1:
            what = " and ".join(versions)
            where = tuple(dict.fromkeys(versions.values()))
            hint = f"one package for both, or the same `constraints: [{name}=={next(iter(versions))}]` in each"
            yield FileFinding("E433", f"gets '{name}' in more than one version: {what}", hint, where)
            twice.update(where[1:])
    by_name: dict[str, list[str]] = defaultdict(list)
    for resource, names in imports.items():
        for name in names:
            by_name[name].append(resource)
    for name, resources in by_name.items():
        distinct = [resource for resource in resources if resource not in twice]
        if len(distinct) > 1:
            message = f"can import '{name}' from {len(distinct)} resources"
            hint = "the one that comes first on sys.path is found; rename or leave out the other if it is needed"
            yield FileFinding("E432", message, hint, tuple(distinct), "warning")
