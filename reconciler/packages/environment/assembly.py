"""
Environment assembly: one archive of an interpreter and wheels, byte for byte the same wherever it is made of the same.

Data of wheels are copied as they lie, compressed by those who made them; the interpreter's own files are compressed here. What the archive is
made of is its recipe (`pack.archives`): where the wheels, the interpreter's files and the wishes are the same, nothing is packed and no wheel read.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING
from zipfile import BadZipFile

from reconciler.base.errors import PackageError
from reconciler.base.inputs import SHIPPED, read_input
from reconciler.packages.environment.prefix import prefix_files, relocate_program
from reconciler.packages.pack.archives import SLIM, Omission, lay_out, pack_once
from reconciler.packages.pack.zips import deflate_entry, make_link, write_zip, zip_entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from reconciler.packages.content import Content
    from reconciler.packages.environment.prefix import Prefix, PrefixFile
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.pack.archives import PackedArchive, Shape
    from reconciler.packages.pack.zips import Packed

VERSION = 1
"""Of what is made of a recipe. With another number everything is assembled again."""

FOLDER = "venv"
"""The one folder at the top of the archive, as the vendor's page has it."""

PROGRAM = f"{FOLDER}/bin/python"

_PROGRAMS = ("bin/", "lib/libpython")


@dataclass(frozen=True)
class Ingredients:
    """What an environment is made of."""

    prefix: Prefix
    wheels: tuple[Content, ...]
    shape: Shape


def assemble(name: str, of: Ingredients, cache: Cache) -> PackedArchive:
    """Return the archive, from the cache or made now; `name` is how its file is called there."""
    files = tuple(prefix_files(of.prefix))
    recipe = [
        *("environment", VERSION, FOLDER),
        [(file.name, file.is_executable, cache.read(file.path).sha256) for file in files],
        sorted((wheel.path.name, wheel.sha256) for wheel in of.wheels),
        [asdict(of.shape), SLIM if of.shape.slim else ()],
    ]
    return pack_once(recipe, cache, lambda folder: _write(folder / name, of, files))


def _write(
    file: Path, of: Ingredients, interpreter: Sequence[PrefixFile]
) -> tuple[Path, tuple[Omission, ...], tuple[str, ...]]:
    try:
        layout = lay_out([(wheel.path.name, tuple(zip_entries(wheel.path))) for wheel in of.wheels], of.shape)
    except BadZipFile as error:
        raise PackageError(
            "E406", f"'{file.name}' cannot be packed: {error}", hint="download the wheels again"
        ) from error
    if layout.clashes:
        lines = tuple(f"{clash.path}: {' and '.join(clash.wheels)}" for clash in layout.clashes[:10])
        hint = "leave the file out with `exclude:` if nobody imports it"
        raise PackageError(
            "E424", f"the wheels cannot be installed together: '{layout.clashes[0].path}'", hint=hint, detail=lines
        )
    site = f"{FOLDER}/{of.prefix.site}"
    with file.open("xb") as out:
        write_zip(out, [*_interpreter(of.prefix, interpreter), *_site_members(site, layout.members)])
    return file, layout.left_out, layout.idle


def _site_members(site: str, members: Sequence[Packed]) -> Iterator[Packed]:
    yield from (replace(member, name=f"{site}/{member.name}") for member in members)


def _interpreter(prefix: Prefix, files: Sequence[PrefixFile]) -> Iterator[Packed]:
    for file in files:
        content = relocate_program(file) if file.name.startswith(_PROGRAMS) else read_input(file.path, SHIPPED)
        yield deflate_entry(f"{FOLDER}/{file.name}", content, executable=file.is_executable)
    yield from (make_link(f"{FOLDER}/{name}", target) for name, target in prefix.links.items())
