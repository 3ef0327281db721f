"""
Bundles for ``sys.path``: is the folder that is imported from the top of the archive, and does every name come once?
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from typing import TYPE_CHECKING

from reconciler.packages.inspect.contents import top_level
from reconciler.packages.inspect.files import FileFinding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NO_PACKAGE = ("META-INF", "EGG-INFO")


def find_depth_faults(members: Iterable[str]) -> Iterator[FileFinding]:
    """
    Yield that an archive of packages has them one folder too deep.

    That is what zipping a folder, and not what lies in it, gives: all in one folder that is no package, with distributions in it.
    """
    names = [name for name in members if not name.startswith(_NO_PACKAGE)]
    tops = {name.partition("/")[0] for name in names}
    if len(tops) != 1 or not all("/" in name for name in names):
        return
    (top,) = tops
    inner = [name.partition("/")[2] for name in names]
    is_package = "__init__.py" in inner
    has_distributions = any(name.partition("/")[0].endswith((".dist-info", ".egg-info")) for name in inner)
    if not is_package and (has_distributions or not top.isidentifier()) and (modules := sorted(top_level(inner))):
        message = f"has its packages one folder too deep: `import {modules[0]}` looks for it at the top, and it lies in '{top}/'"
        yield FileFinding("E652", message, f"zip what lies in the folder: cd {top} && zip -r ../deps.zip .")


def find_twins(names: Mapping[str, str]) -> Iterator[tuple[str, FileFinding]]:
    """Yield files that would lie under one name; `names` are places, each with the name of the file there."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for origin, name in names.items():
        by_name[posixpath.basename(name)].append(origin)
    for name, places in by_name.items():
        for origin in places[1:]:
            message = f"has the name of another file, '{name}', and both would lie in one folder"
            yield origin, FileFinding("E655", message, "rename one of them", (places[0],))
