"""
Body of a request that brings code: JSON with a zip in base64, made while it is sent, so that no archive is ever whole in memory.

The file is read twice, since a request is signed with the sha256 of its body: the first reading sees that it still is the file that was
planned, and the open file that was hashed is the one that is sent.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.targets.planned_files import PlannedFile

_PLACE = "\ue000code\ue000"
"""Stands in the JSON where the code goes. Of the private use area: the service takes no such text anywhere."""


@dataclass(frozen=True)
class CodeBody:
    """The JSON of a request, with a file in it."""

    head: bytes
    tail: bytes
    file: PlannedFile
    sha256: str
    """Of the body."""

    progress: Callable[[int], None]

    def __len__(self) -> int:
        return len(self.head) + -(-self.file.size // 3) * 4 + len(self.tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self.head
        for block in self.file.blocks():
            yield base64.b64encode(block)
            self.progress(len(block))
        yield self.tail


def code_body(
    document: Mapping[str, Any], file: PlannedFile, checksum: str, progress: Callable[[int], None]
) -> CodeBody:
    """Return a request's JSON with the code of a file in it, and the checksum that the service holds it to."""
    text = json.dumps({**document, "code": {"zipFile": _PLACE, "checksum": checksum}}, ensure_ascii=False)
    head, tail = (part.encode() for part in text.split(_PLACE))
    digest = hashlib.sha256(head)
    for block in file.blocks():
        digest.update(base64.b64encode(block))
    digest.update(tail)
    return CodeBody(head, tail, file, digest.hexdigest(), progress)
