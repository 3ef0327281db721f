"""
Wheel metadata, METADATA [packaging.python.org, "Core metadata specifications"].

Only licences are of interest here: name and version are in the file's name. Since version 2.4 of the metadata
``License-Expression`` names them by SPDX; before, ``License`` held anything from a word to the whole text, and classifiers
held a fixed list of names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

if TYPE_CHECKING:
    from pathlib import Path

_METADATA = re.compile(r"[^/]+\.dist-info/METADATA\Z")
_MAX_BYTES = 4 << 20
_LONGEST_NAME = 80
"""Of what can be the name of a licence; what is longer, or has lines, is the licence's text."""


def licences(wheel: Path) -> tuple[str, ...]:
    """Return what a wheel says that it is licensed under: an SPDX expression, or names; nothing if it says nothing."""
    from packaging.metadata import parse_email

    metadata, _ = parse_email(_metadata(wheel))
    if expression := metadata.get("license_expression"):
        return (expression,)
    classified = [
        classifier.split(" :: ")[-1]
        for classifier in metadata.get("classifiers", ())
        if classifier.startswith("License :: ")
    ]
    named = (metadata.get("license") or "").strip()
    if named and named != "UNKNOWN" and len(named) <= _LONGEST_NAME and named.isprintable():
        return (named,)
    return tuple(dict.fromkeys(classifier for classifier in classified if classifier != "OSI Approved"))


def _metadata(wheel: Path) -> bytes:
    try:
        with ZipFile(wheel) as archive:
            for name in filter(_METADATA.match, archive.namelist()):
                with archive.open(name) as member:
                    return member.read(_MAX_BYTES)
    except (
        OSError,
        BadZipFile,
        RuntimeError,
        NotImplementedError,
    ):  # `collect` has judged the file; it has changed since
        pass
    return b""
