"""
Packed archives, each made once: those that are not simply a wheel.

What an archive is made of (the wheels by their hashes, the package's wishes) is its recipe. What came of a recipe is kept
in the cache, so a second plan packs nothing and reads no wheel: it finds under the recipe's hash the hash of the archive,
and under that the archive. A kept answer that cannot be read is worked out again.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from zipfile import BadZipFile

from reconciler.base import files as whole
from reconciler.base.errors import PackageError
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
    path = cache.root / "packed" / key[:2] / f"{key}.json"
    if (packed := _known(path, cache)) is not None:
        return packed
    with cache.workspace() as folder:
        file, left_out, idle = make(folder)
        archive = PackedArchive(cache.put(file), left_out, idle)
    with suppress(OSError):
        _keep(archive, path)
    return archive


def _known(path: Path, cache: Cache) -> PackedArchive | None:
    try:
        kept: dict[str, Any] = json.loads(path.read_bytes())
        content = cache.get(kept["sha256"])
        left_out = tuple(Omission(**omission) for omission in kept["left_out"])
        return PackedArchive(content, left_out, tuple(kept["idle"])) if content is not None else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _keep(packed: PackedArchive, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {
        "sha256": packed.content.sha256,
        "left_out": [asdict(omission) for omission in packed.left_out],
        "idle": packed.idle,
    }
    whole.replace_file(path, json.dumps(kept).encode())
