"""
What can be imported from an archive: the top-level names in it, told by its list of members alone.

An archive unpacks into what ``sys.path`` wants, so a name is importable if there is a module, an extension module or a
folder of that name at its top; a folder without ``__init__.py`` counts, for namespace packages have none (PEP 420).
``*.dist-info`` is metadata, and what is below ``*.data/purelib`` and ``*.data/platlib`` belongs at the top too (PEP 427):
the archive that is made of such a wheel has it there (`shape`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MODULE = re.compile(r"([^\W\d]\w*)(?:\.py|\.pyc|(?:\.[\w-]+)?\.so)\Z")
_PACKAGE = re.compile(r"([^\W\d]\w*)/.*(?:\.py|\.pyc|\.so)\Z", re.DOTALL)


def top_level(members: Iterable[str]) -> frozenset[str]:
    """Return the names that ``import`` finds when these members lie in a folder of ``sys.path``."""
    return frozenset(found[1] for name in members if (found := _MODULE.match(name) or _PACKAGE.match(name)))
