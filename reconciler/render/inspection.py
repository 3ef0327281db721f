"""What `udfs libs` and `udfs deps` say, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.errors import count
from reconciler.base.words import safe, size
from reconciler.manifest.runtimes import level_name
from reconciler.packages.inspect.closure import Where

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from reconciler.core.report import Upload
    from reconciler.packages.dependencies import Dependencies, Looked, NativeFile, Shipped, Verdict
    from reconciler.packages.inspect.closure import Need
    from reconciler.packages.pack.layout import LeftOut
    from reconciler.render.styled import Line

_STYLES = {Where.MISSING: "error", Where.UNKNOWN: "warning", Where.OTHER: "warning"}


def libs(found: Iterable[Looked]) -> Iterator[Line]:
    """Yield each file with what is native in it, where that gets what it needs, and where it loads."""
    for index, one in enumerate(found):
        if index:
            yield ()
        yield ("name", safe(one.name)), ("", f"  {size(one.size)}, {_natives(len(one.natives), one.level)}")
        for native in one.natives:
            yield from _native(native)
        for verdict in one.verdicts:
            yield from _verdict(verdict)


def deps(found: Iterable[Dependencies]) -> Iterator[Line]:
    """Yield functions with their packages, what those are made of, and who shares it."""
    for index, one in enumerate(found):
        if index:
            yield ()
        resources = [resource for group in one.groups for resource in group.resources]
        what = f"  {one.runtime.label}, {count(len(resources), 'resource')}, {size(one.size)}"
        yield ("name", safe(one.function)), ("", what)
        for group in one.groups:
            if group.package is not None:
                total = size(sum(resource.size for resource in group.resources))
                yield ("", "  package "), ("name", safe(group.package)), ("", f", {total}")
            for resource in group.resources:
                yield from _resource(resource, "  " if group.package is None else "    ")


def build(found: Iterable[Upload]) -> Iterator[Line]:
    """Yield files as ``sha256sum`` lists them, for ``sha256sum --check``."""
    for one in found:
        yield (("", f"{one.content.sha256}  {one.name}"),)


def packed(found: Iterable[Upload]) -> Iterator[Line]:
    """Yield what was made here: of which wheels and without what, or of which source and with what."""
    for one in found:
        if one.source:
            path, lines = one.source
            yield ("name", safe(one.name)), ("", f"  {size(one.content.size)}")
            told = f"  of {safe(path)}, and {count(lines, 'line')} behind it that find the packages of its functions"
            yield (("quiet", told),)
        if one.archive and one.archive.is_packed:
            yield ("name", safe(one.name)), ("", f"  {size(one.content.size)}")
            yield from _made_of([wheel.filename for wheel in one.archive.wheels], one.archive.left_out, "  ")


def total(uploads: Sequence[Upload], out: Path | None) -> str:
    """Return how much there is in all, and where it was written."""
    files = f"{count(len(uploads), 'file')}, {size(sum(upload.content.size for upload in uploads))}"
    return f"{files}, written to {out}" if out is not None else files


def _made_of(wheels: Iterable[str], left_out: Iterable[LeftOut], indent: str) -> Iterator[Line]:
    for wheel in wheels:
        yield (("quiet", f"{indent}of {safe(wheel)}"),)
    for one in left_out:
        why = f".data/{one.why}" if one.why in {"scripts", "headers"} else one.why
        yield (("quiet", f"{indent}{why}: without {count(one.files, 'file')}, {size(one.size)}"),)


def _natives(number: int, level: int | None) -> str:
    if not number:
        return "no native files"
    system = f"for {level_name(level)}" if level is not None else "of no manylinux level"
    return f"{count(number, 'native file')} {system}"


def _native(one: NativeFile) -> Iterator[Line]:
    elf = one.native.elf
    named = f", SONAME {elf.soname}" if elf.soname and elf.soname != one.native.name else ""
    versions = f"  {' '.join(one.newest)}" if one.newest else ""
    machine = "" if (elf.machine, elf.bits) == ("x86_64", 64) else f"  {elf.machine}, {elf.bits} bits"
    yield ("", f"  {safe(one.native.path)}{safe(named)}"), ("quiet", safe(versions + machine))
    for need in one.needs:
        if need.where is not Where.BASE:
            yield (("", "    needs "), *_need(need))
    if base := [need.library for need in one.needs if need.where is Where.BASE]:
        yield (("quiet", f"    base system: {safe(' '.join(base))}"),)


def _need(need: Need) -> Line:
    found = f" ({need.where.value}: {need.at})" if need.at and need.at != need.library else f" ({need.where.value})"
    return ("", safe(need.library)), (_STYLES.get(need.where, "quiet"), safe(found))


def _verdict(one: Verdict) -> Iterator[Line]:
    yield (("create" if one.loads else "error", f"  {one.runtime.label}: {'loads' if one.loads else 'does not load'}"),)
    for finding in one.findings:
        yield (finding.severity, f"    {finding.severity}[{finding.code}]: "), ("", safe(finding.message))
        yield from ((("", f"      {safe(line)}"),) for line in finding.detail)
        if finding.hint:
            yield ("help", "      help: "), ("", safe(finding.hint))


def _resource(one: Shipped, indent: str) -> Iterator[Line]:
    native = f", {_natives(one.native, one.level)}" if one.native else ""
    shared = f", also in {', '.join(map(safe, one.also_in))}" if one.also_in else ""
    yield ("", f"{indent}{safe(one.name)}  {size(one.size)}{native}"), ("quiet", shared)
    yield from _made_of(one.wheels, one.left_out, f"{indent}  ")
    if one.file:
        yield (("quiet", f"{indent}  the SONAME of {safe(one.file)}, and so its name on the service"),)
    if one.brings:
        yield (("quiet", f"{indent}  brings {safe(' '.join(one.brings))}"),)
    for need in one.leans_on:
        yield (("", f"{indent}  needs "), *_need(need))
