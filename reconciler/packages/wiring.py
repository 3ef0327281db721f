"""
Tail of a function's source: the code that finds its packages, so that it needs none of its own.

What is uploaded is the user's source, byte for byte, and behind it a tail. When the module is imported, the tail only puts
a hook before the first object of each class: a service may look at a module before any archive is unpacked. When the first
object is made, the hook puts the unpacked archives on ``sys.path``, loads the libraries, and takes itself away; rows cost
nothing. Where archives lie and how a library is had, the `Service` says.

So packages are imported where a class is at work: in ``__init__``, ``evaluate``, ``process``, or a function that those
call. The top of the file is run before the tail is, and in an environment without archives anyway.

The tail is the same for Python 2.7 and 3. It is ASCII without a backslash, which in some encodings of Asia is another
character, and uses few names that a module could have given another meaning (`open` and `str` are favourites).
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError
from reconciler.base.inputs import SOURCE, read_input
from reconciler.packages.artifacts import Library, WiredModule
from reconciler.packages.stub import make_stub

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import TypeGuard

    from reconciler.manifest.load import Loaded
    from reconciler.manifest.runtimes import Service
    from reconciler.packages.artifacts import Item, Shipment
    from reconciler.packages.content import Content
    from reconciler.packages.fetch.cache import Cache


@dataclass(frozen=True)
class Wires:
    """What a class needs before it is at work."""

    archives: tuple[str, ...] = ()
    """Names of ARCHIVE resources, or folders in them, in the order of ``sys.path``."""

    libraries: tuple[str, ...] = ()
    """Names of FILE resources, each behind those that it needs."""

    stubs: tuple[tuple[str, str, str], ...] = ()
    """Of libraries that are to answer to another name than their SONAME: the resource, that name, the stub as base64."""

    def __or__(self, other: Wires) -> Wires:
        """Join what two functions of one class need: a folder that is not there harms nobody."""
        return Wires(
            tuple(dict.fromkeys(self.archives + other.archives)),
            tuple(dict.fromkeys(self.libraries + other.libraries)),
            tuple(dict.fromkeys(self.stubs + other.stubs)),
        )


_HOOK = """\


# Added by udfs; `wire: false` leaves it out. Before a class has its first object, its packages are put where import
# finds them.
def __udfs__(name, archives, libraries=(), seen=[]):
    cls = globals().get(name)
    if not hasattr(cls, "__bases__"):
        return
    seen.append(cls)
    # Where there is a __new__ written in Python, it is what runs first.
    method = "__new__" if hasattr(getattr(cls, "__new__", None), "__code__") else "__init__"
    own, found = cls.__dict__.get(method), getattr(cls, method, None)

    def first(this, *args, **kwargs):
        kind = this if method == "__new__" else this.__class__
        if kind is cls or kind not in seen:  # what inherits from it may be another function, with its own packages
            import sys

            sys.path[:0] = [path for path in archives if path not in sys.path]
            for library in libraries:
                __udfs_load__(library)
            if own is None:
                delattr(cls, method)
            else:
                setattr(cls, method, own)
        following = found
        if own is None and hasattr(cls, "__mro__"):
            following = getattr(super(cls, kind), method)
        return following and following(this, *args, **kwargs)

    setattr(cls, method, staticmethod(first) if method == "__new__" else first)
"""


def make_tail(classes: Mapping[str, Wires], service: Service) -> str:
    """Return what is put behind a source, given what each of its classes needs."""
    loader = service.library_loader if any(wires.libraries for wires in classes.values()) else ""
    stubs = {library: rest for wires in classes.values() for library, *rest in wires.stubs}
    calls = [f"__udfs_load__.stubs = {json.dumps(stubs)}\n"] if stubs else []
    for name, wires in classes.items():
        archives = [f"{service.archive_folder}{archive}" for archive in wires.archives]
        lists = [archives, wires.libraries] if wires.libraries else [archives]
        calls.append(f"__udfs__({', '.join(map(json.dumps, [name, *lists]))})\n")
    return "".join([_HOOK, loader, "\n\n", *calls, "del __udfs__\n"])


def append_tail(source: bytes, added: str) -> bytes:
    """Return a source with a tail. A last line without an end gets one; everything else stays as it is."""
    ends = not source or source.endswith((b"\n", b"\r"))
    return source + (b"" if ends else b"\n") + added.encode("ascii")


def make_tails(loaded: Loaded, shipments: Iterable[Shipment]) -> dict[str, str]:
    """Return the tails of the sources that need one, by path."""
    needs: dict[str, dict[str, Wires]] = {}
    for shipment in shipments:
        function = loaded.manifest.functions[shipment.function]
        if function.source is None or not function.wire:
            continue
        packages = [item.name for item in shipment.of("module") if item.type == "archive"]
        wires = Wires(
            (*packages, *(path for item in shipment.of("archive") for path in _paths(item))),
            tuple(item.name for item in shipment.of("library")),
            tuple(_stub(item.made_of) for item in shipment.of("library") if _is_asked_for_otherwise(item.made_of)),
        )
        if wires != Wires():
            classes = needs.setdefault(function.source, {})
            name = function.class_name
            classes[name] = classes.get(name, Wires()) | wires
    return {source: make_tail(classes, loaded.manifest.service) for source, classes in needs.items()}


def _is_asked_for_otherwise(library: object) -> TypeGuard[Library]:
    """Say whether ``ctypes`` may be asked for a library by its file's name, and would not find it loaded."""
    return isinstance(library, Library) and library.soname != library.file


def _stub(library: Library) -> tuple[str, str, str]:
    machine = library.facts.natives[0].elf.machine
    return library.name, library.file, base64.b64encode(make_stub(library.file, machine)).decode()


def _paths(item: Item) -> Iterator[str]:
    """Yield the folders of an archive that belong on ``sys.path``: itself, and what its ``.pth`` files name."""
    yield item.name
    yield from (f"{item.name}/{path}" for path in (item.facts.site.paths if item.facts else ()))


def wire_module(path: str, source: Content, added: str, cache: Cache) -> WiredModule:
    """Return the module that a source is uploaded as, from the cache or made now."""

    def make(folder: Path) -> Path:
        content = read_input(source.path, SOURCE)
        if hashlib.sha256(content).hexdigest() != source.sha256:
            raise PackageError("E402", f"'{path}' changed while it was read", hint="run the command again")
        file = folder / path.rpartition("/")[2]
        file.write_bytes(append_tail(content, added))
        return file

    from reconciler.packages.pack.archives import pack_once

    packed = pack_once(["wired", source.sha256, added], cache, lambda folder: (make(folder), (), ()))
    return WiredModule(packed.content, added)
