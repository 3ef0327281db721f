"""Native code, dependencies, files to upload and changes of a lock file, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.errors import count
from reconciler.base.words import safe, size
from reconciler.manifest.runtimes import level_name
from reconciler.packages.inspect.gate import Where

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from reconciler.core.report import Upload
    from reconciler.packages.dependencies import Dependencies, FileReport, LoadVerdict, NativeFile, ShippedItem
    from reconciler.packages.inspect.gate import Need
    from reconciler.packages.lock.file import Lock, LockChange
    from reconciler.packages.pack.archives import Omission
    from reconciler.render.styled import Line


_STYLES = {Where.MISSING: "error", Where.UNKNOWN: "warning", Where.OTHER: "warning"}


def libs_lines(files: Iterable[FileReport]) -> Iterator[Line]:
    """Yield each file with what is native in it, where that gets what it needs, and where it loads."""
    for index, file in enumerate(files):
        if index:
            yield ()
        yield ("name", safe(file.name)), ("", f"  {size(file.size)}, {_natives(len(file.natives), file.level)}")
        for native in file.natives:
            yield from _native(native)
        for verdict in file.verdicts:
            yield from _verdict(verdict)


def deps_lines(functions: Iterable[Dependencies]) -> Iterator[Line]:
    """Yield functions with their packages, what those are made of, and who shares it."""
    for index, function in enumerate(functions):
        if index:
            yield ()
        resources = [resource for group in function.groups for resource in group.resources]
        what = f"  {function.runtime.label}, {count(len(resources), 'resource')}, {size(function.size)}"
        yield ("name", safe(function.function)), ("", what)
        for group in function.groups:
            if group.package is not None:
                total = size(sum(resource.size for resource in group.resources))
                yield ("", "  package "), ("name", safe(group.package)), ("", f", {total}")
            for resource in group.resources:
                yield from _resource(resource, "  " if group.package is None else "    ")


def build_lines(uploads: Iterable[Upload]) -> Iterator[Line]:
    """Yield files as ``sha256sum`` lists them, for ``sha256sum --check``."""
    for upload in uploads:
        yield (("", f"{upload.content.sha256}  {upload.name}"),)


def packed_lines(uploads: Iterable[Upload]) -> Iterator[Line]:
    """Yield what was made here: of which wheels and without what, or of which source and with what."""
    for upload in uploads:
        if upload.source:
            path, lines = upload.source
            yield ("name", safe(upload.name)), ("", f"  {size(upload.content.size)}")
            origin = f"  of {safe(path)}, and {count(lines, 'line')} behind it that find the packages of its functions"
            yield (("quiet", origin),)
        if upload.archive and upload.archive.is_packed:
            yield ("name", safe(upload.name)), ("", f"  {size(upload.content.size)}")
            yield from _made_of([wheel.filename for wheel in upload.archive.wheels], upload.archive.left_out, "  ")


def upload_total(uploads: Sequence[Upload], out: Path | None) -> str:
    """Return how much there is in all, and where it was written."""
    files = f"{count(len(uploads), 'file')}, {size(sum(upload.content.size for upload in uploads))}"
    return f"{files}, written to {out}" if out is not None else files


def _made_of(wheels: Iterable[str], left_out: Iterable[Omission], indent: str) -> Iterator[Line]:
    for wheel in wheels:
        yield (("quiet", f"{indent}of {safe(wheel)}"),)
    for omission in left_out:
        why = f".data/{omission.why}" if omission.why in {"scripts", "headers"} else omission.why
        yield (("quiet", f"{indent}{why}: without {count(omission.files, 'file')}, {size(omission.size)}"),)


def _natives(number: int, level: int | None) -> str:
    if not number:
        return "no native files"
    system = f"for {level_name(level)}" if level is not None else "of no manylinux level"
    return f"{count(number, 'native file')} {system}"


def _native(file: NativeFile) -> Iterator[Line]:
    elf = file.native.elf
    named = f", SONAME {elf.soname}" if elf.soname and elf.soname != file.native.name else ""
    versions = f"  {' '.join(file.newest)}" if file.newest else ""
    machine = "" if (elf.machine, elf.bits) == ("x86_64", 64) else f"  {elf.machine}, {elf.bits} bits"
    yield ("", f"  {safe(file.native.path)}{safe(named)}"), ("quiet", safe(versions + machine))
    for need in file.needs:
        if need.where is not Where.BASE:
            yield (("", "    needs "), *_need(need))
    if base := [need.library for need in file.needs if need.where is Where.BASE]:
        yield (("quiet", f"    base system: {safe(' '.join(base))}"),)


def _need(need: Need) -> Line:
    place = (
        f" ({need.where.value}: {need.holder})"
        if need.holder and need.holder != need.library
        else f" ({need.where.value})"
    )
    return ("", safe(need.library)), (_STYLES.get(need.where, "quiet"), safe(place))


def _verdict(verdict: LoadVerdict) -> Iterator[Line]:
    yield (
        (
            "create" if verdict.loads else "error",
            f"  {verdict.runtime.label}: {'loads' if verdict.loads else 'does not load'}",
        ),
    )
    for finding in verdict.findings:
        yield (finding.severity, f"    {finding.severity}[{finding.code}]: "), ("", safe(finding.message))
        yield from ((("", f"      {safe(line)}"),) for line in finding.detail)
        if finding.hint:
            yield ("help", "      help: "), ("", safe(finding.hint))


def _resource(resource: ShippedItem, indent: str) -> Iterator[Line]:
    native = f", {_natives(resource.native, resource.level)}" if resource.native else ""
    shared = f", also in {', '.join(map(safe, resource.also_in))}" if resource.also_in else ""
    yield ("", f"{indent}{safe(resource.name)}  {size(resource.size)}{native}"), ("quiet", shared)
    yield from _made_of(resource.wheels, resource.left_out, f"{indent}  ")
    if resource.file:
        yield (("quiet", f"{indent}  the SONAME of {safe(resource.file)}, and so its name on the service"),)
    if resource.brings:
        yield (("quiet", f"{indent}  brings {safe(' '.join(resource.brings))}"),)
    for need in resource.leans_on:
        yield (("", f"{indent}  needs "), *_need(need))


def lock_lines(lock_file: str, lock: Lock, moves: Sequence[LockChange], *, written: bool) -> Iterator[Line]:
    """Yield what changed, group by group, and what the lock then holds."""
    group = None
    for move in moves:
        if (move.package, move.runtime) != group:
            group = (move.package, move.runtime)
            yield ("name", safe(move.package)), ("", f" for {move.runtime}")
        yield from _move(move)
    files = {
        (file.sha256, file.size)
        for groups in lock.packages.values()
        for group in groups.values()
        for file in group.entries
    }
    total = sum(size or 0 for _, size in files)
    if not files:
        yield (("", f"Nothing to lock: nothing is required. {'Wrote' if written else 'Left'} {safe(lock_file)}."),)
    else:
        verb = "Wrote" if written else "Nothing changes in"
        yield (("", f"{verb} {safe(lock_file)}: {count(len(files), 'file')}, {size(total)}."),)


def _move(move: LockChange) -> Iterator[Line]:
    before, after = move.before, move.after
    if after is None:
        assert before is not None
        yield ("delete", f"  - {safe(before.title)} {safe(before.version)}"), ("", "")
        return
    bytes_of_file = size(after.size) if after.size is not None else "size unknown"
    name, detail = safe(after.title), f"  {bytes_of_file}{safe(after.reason and f', {after.reason}')}"
    if before is None:
        yield ("create", f"  + {name} {safe(after.version)}"), ("quiet", detail)
    elif before.version != after.version:
        yield ("update", f"  ~ {name} {safe(before.version)} → {safe(after.version)}"), ("quiet", detail)
    else:
        yield ("update", f"  ~ {name} {safe(after.version)}, another file: {safe(after.file)}"), ("quiet", detail)
