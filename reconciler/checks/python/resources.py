"""
Resources that code may make modules of: which names are in them, and which of them may hold any.

A function may put a folder of an archive on ``sys.path``, or write the text of a FILE resource to a ``.py``. Whether it does
is not followed; a name that is nowhere in what it lists cannot come of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.base.inputs import SOURCE, read_input
from reconciler.packages.inspect.files import stems_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.packages.artifacts import Item

_LIKE_PYTHON = re.compile(rb"^\s*(def|class|import|from|exec)\s|^[A-Za-z_]\w*\s*=", re.MULTILINE)


def look_into(items: Iterable[Item]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names that resources have inside, sorted, and the resources that may hold any; OSError if one is gone."""
    names: set[str] = set()
    unseen: list[str] = []
    for item in items:
        if item.type not in {"archive", "file", None}:
            continue
        names |= stems_of([item.label, item.file or ""])
        if item.facts is not None:
            names |= {*item.facts.stems, *item.facts.modules}
        if _may_be_any(item):
            unseen.append(item.label)
    return tuple(sorted(names)), tuple(unseen)


def _may_be_any(item: Item) -> bool:
    if item.content is None:
        return True  # another project's, or a name that the manifest does not declare
    if item.facts is not None:
        # A library tells its module by a symbol; an archive in an archive is not opened.
        return item.facts.kind == "library" or item.facts.holds_archives
    if item.content.size > SOURCE.size:
        return True
    content = read_input(item.content.path, SOURCE)
    return b"\0" in content or _LIKE_PYTHON.search(content) is not None
