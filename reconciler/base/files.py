"""Atomic file replacement: a file has the new content or the old one, never a part."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def replace_file(path: Path, content: bytes, *, durable: bool = False) -> None:
    """
    Write a file beside the old one and put it in its place: a reader sees the old or the new, never a half.

    With `durable` it outlives a loss of power from then on. Raises OSError, and then nothing is left of the new one.
    """
    part = path.with_name(f".udfs-{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        # Where nothing can be written, nothing was, and there may be no looking either.
        with suppress(OSError):
            part.unlink()
        raise
