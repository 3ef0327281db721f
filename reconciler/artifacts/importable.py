"""
What can be imported from a wheel: the top-level names in it, told by its list of members alone.

A wheel unpacks into what ``sys.path`` wants, so a name is importable if there is a module, an extension module or a folder
of that name at its top; a folder without ``__init__.py`` counts, for namespace packages have none (PEP 420). ``*.dist-info``
is metadata, and what is below ``*.data/purelib`` and ``*.data/platlib`` belongs at the top too (PEP 427), though only an
installer puts it there, so on MaxCompute it is not found.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MODULE = re.compile(r"([^\W\d]\w*)(?:\.py|\.pyc|(?:\.[\w-]+)?\.so)\Z")
_PACKAGE = re.compile(r"([^\W\d]\w*)/.*(?:\.py|\.pyc|\.so)\Z", re.DOTALL)


def top_level(members: Iterable[str]) -> frozenset[str]:
    """Return the names that ``import`` finds when these members lie in a folder of ``sys.path``."""
    return frozenset(found[1] for name in members if (found := _MODULE.match(name) or _PACKAGE.match(name)))


@lru_cache(maxsize=256)
def modules_in(path: Path) -> frozenset[str]:
    """Return what can be imported from a wheel. Only its directory is read, which stands at the file's end."""
    try:
        with ZipFile(path) as archive:
            return top_level(archive.namelist())
    except (OSError, BadZipFile, ValueError):  # `build` has judged the file; it was taken away since
        return frozenset()
