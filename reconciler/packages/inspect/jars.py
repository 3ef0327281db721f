"""
Java archives: for which Java a jar's classes are, and which of them are an engine's own.

A class file begins with its version: 52 is Java 8, 55 is 11, 61 is 17 [JVMS 4.1]. What a jar keeps for newer Javas under ``META-INF/versions``
no older one reads [JAR specification, "Multi-release JAR files"].
"""

from __future__ import annotations

import struct
from collections import Counter
from typing import TYPE_CHECKING

from reconciler.packages.inspect.files import FileFinding, shorten
from reconciler.packages.inspect.members import UNREADABLE, TooMuch, zip_members

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_FIRST_JAVA = 44
"""A class file's major version less this is the Java."""

_MAGIC = 0xCAFEBABE
_HEAD = struct.Struct(">IHH")


def find_jar_faults(path: Path, java: int, own: Sequence[str]) -> Iterator[FileFinding]:
    """Yield why a jar does not load in a Java; `own` are folders of classes that the engine brings itself."""
    unsafe: list[str] = []
    newer: dict[str, int] = {}
    shaded: Counter[str] = Counter()
    try:
        for member in zip_members(path, unsafe):
            if not member.name.endswith(".class") or member.name.startswith("META-INF/versions/"):
                continue
            with member.open() as stream:
                head = stream.read(_HEAD.size)
            if (
                len(head) == _HEAD.size
                and (numbers := _HEAD.unpack(head))[0] == _MAGIC
                and numbers[2] - _FIRST_JAVA > java
            ):
                newer[member.name] = numbers[2] - _FIRST_JAVA
            shaded.update(folder for folder in own if member.name.startswith(folder))
    except (TooMuch, *UNREADABLE) as error:
        yield FileFinding("E423", f"is not a jar: {error}", "build it again")
        return
    if unsafe:
        yield FileFinding("E421", "holds what must not be unpacked", "build it again", shorten(unsafe))
    if newer:
        name, version = next(iter(newer.items()))
        message = f"is for Java {version}, and the engine has {java}: {name}"
        yield FileFinding(
            "E653", message, f"compile it with `javac --release {java}`", shorten([*newer]) if len(newer) > 1 else ()
        )
    if shaded:
        message = f"brings classes that the engine has itself: {', '.join(sorted(shaded))}"
        hint = "give that dependency the scope `provided`: two copies of a class do not know each other"
        yield FileFinding("E654", message, hint, severity="warning")
