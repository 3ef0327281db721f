"""
Packed archives, each made once: those that are not simply a wheel.

What an archive is made of (the wheels by their hashes, the package's wishes) is its recipe. What came of a recipe is kept
in the cache, so a second plan packs nothing and reads no wheel: it finds under the recipe's hash the hash of the archive,
and under that the archive. A kept answer that cannot be read is worked out again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from zipfile import BadZipFile

from reconciler.base.errors import PackageError
from reconciler.packages.fetch.records import load_record, record_path, save_record
from reconciler.packages.pack.layout import SLIM, Omission, PathClash, Shape, lay_out
from reconciler.packages.pack.zips import write_zip, zip_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.packages.content import Content
    from reconciler.packages.fetch.cache import Cache

VERSION = 1
"""Of what packing makes of a recipe. With another number everything is packed again."""

_SHOWN = 10
_Done: TypeAlias = tuple[Path, tuple[Omission, ...], tuple[str, ...]]


@dataclass(frozen=True)
class PackedArchive:
    """An archive, and what packing it told."""

    content: Content
    left_out: tuple[Omission, ...] = ()
    idle: tuple[str, ...] = ()
    """Patterns of `exclude` that leave out nothing."""


@dataclass(frozen=True)
class _PackedRecord:
    sha256: str
    left_out: tuple[Omission, ...]
    idle: tuple[str, ...]


def pack(name: str, wheels: Sequence[Content], shape: Shape, cache: Cache) -> PackedArchive:
    """Return one archive of these wheels, from the cache or made now; `name` is how its file is called there."""
    made_of = sorted((wheel.path.name, wheel.sha256) for wheel in wheels)
    recipe = ["wheels", made_of, asdict(shape), SLIM if shape.slim else ()]
    return pack_once(recipe, cache, lambda folder: _pack(folder / name, wheels, shape))


def _pack(file: Path, wheels: Sequence[Content], shape: Shape) -> _Done:
    try:
        merged = lay_out([(wheel.path.name, tuple(zip_entries(wheel.path))) for wheel in wheels], shape)
        if merged.clashes:
            raise _clash_error(merged.clashes)
        with file.open("xb") as out:
            write_zip(out, merged.members)
    except BadZipFile as error:
        raise PackageError(
            "E406", f"'{file.name}' cannot be packed: {error}", hint="download the wheels again"
        ) from error
    return file, merged.left_out, merged.idle


def _clash_error(clashes: Sequence[PathClash]) -> PackageError:
    first, more = clashes[0], clashes[_SHOWN:]
    lines = [f"{clash.path}: {' and '.join(clash.wheels)}" for clash in clashes[:_SHOWN]]
    return PackageError(
        "E424",
        f"the wheels cannot be one archive: '{first.path}' is in {' and in '.join(first.wheels)}, with different content",
        hint="leave out `bundle`, or leave the file out with `exclude:` if nobody imports it",
        detail=(*lines, *([f"and {len(more)} more"] if more else [])) if len(clashes) > 1 else (),
    )


def pack_once(recipe: object, cache: Cache, make: Callable[[Path], _Done]) -> PackedArchive:
    """Return what came of a recipe, which is all that the bytes depend on; `make` does the work in a folder it is given."""
    key = hashlib.sha256(json.dumps([VERSION, recipe]).encode()).hexdigest()
    path = record_path(cache.root, "packed", key)
    record = load_record(path, _PackedRecord)
    if record is not None and (content := cache.get(record.sha256)) is not None:
        return PackedArchive(content, record.left_out, record.idle)
    with cache.workspace() as folder:
        file, left_out, idle = make(folder)
        archive = PackedArchive(cache.put(file), left_out, idle)
    save_record(path, _PackedRecord(archive.content.sha256, left_out, idle))
    return archive
