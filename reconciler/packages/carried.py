"""
Libraries that wheels carry for themselves, taken out of them to be uploaded alone.

auditwheel puts what a wheel needs beside it, built for as old a system as the wheel is, and writes a digest into its name and
SONAME (``libgomp-a34b3233.so.1.0.0``), so that two wheels' copies do not meet. Under the name that is needed it is
loaded by way of a `stub`.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING
from zipfile import ZipFile

from reconciler.base.errors import Problem
from reconciler.base.inputs import SHIPPED, open_input
from reconciler.packages.artifacts import Library
from reconciler.packages.inspect.contents import inspect_once
from reconciler.packages.inspect.files import shorten
from reconciler.packages.pack.archives import pack_once

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.packages.artifacts import Wheel
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.inspect.contents import Native
    from reconciler.packages.wheels import WheelRequest

_DIGEST = re.compile(r"-[0-9a-f]{8,}(?=\.so)")


def take_out(request: WheelRequest, wheel: Wheel, cache: Cache) -> Library | Problem:
    """Return the library that a wheel is asked for, or why there is none."""
    library, number = str(request.library), request.keys[-1]
    assert isinstance(number, int)  # its place in the package's list
    natives = [native for native in wheel.facts.natives if native.is_loaded]
    fitting = [native for native in natives if _is_called(native, library)]
    if len(fitting) != 1:
        message = f"'{wheel.filename}' has {'several libraries' if fitting else 'no library'} '{library}'"
        names = [native.name for native in fitting or natives if fitting or "/" not in (native.elf.soname or "/")]
        hint = "name one as it is called there" if names else "take another distribution, or another version"
        return Problem("E486", message, request.position, hint, detail=shorten(names))
    member = fitting[0].path

    def make(folder: Path) -> tuple[Path, tuple[()], tuple[()]]:
        file = folder / library
        with (
            open_input(wheel.content.path, SHIPPED) as stream,
            ZipFile(stream) as archive,
            archive.open(member) as content,
            file.open("xb") as out,
        ):
            shutil.copyfileobj(content, out)
        return file, (), ()

    content = pack_once(["carried", wheel.content.sha256, member, library], cache, make).content
    facts = inspect_once(content.path, content.sha256, cache.inspections)
    return Library(library, f"{wheel.filename}/{library}", number, content, facts)


def _is_called(native: Native, library: str) -> bool:
    """Say whether a file in a wheel is the library of a name: under it, or with a digest and more of the version in it."""
    plain = _DIGEST.sub("", native.name, count=1)
    return library in {native.name, plain} or plain.startswith(f"{library}.")
