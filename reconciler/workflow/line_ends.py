"""
Changes of line ends alone: which texts and packed folders of a plan differ from what is there in nothing else.

It is found by hashes of what would be uploaded with other line ends, so that nothing is downloaded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from reconciler.base.inputs import SHIPPED, open_input
from reconciler.base.line_ends import with_crlf, with_line_feeds
from reconciler.core.kind import Difference
from reconciler.core.state import version_of
from reconciler.packages.content import Content, hash_blocks
from reconciler.packages.wiring import append_tail

if TYPE_CHECKING:
    from reconciler.core.diff import Change
    from reconciler.core.record import Reading
    from reconciler.packages.artifacts import Artifacts

_LARGEST_CONVERTED = 64 << 20
"""Bytes of an archive that is packed again to tell."""

Conversion: TypeAlias = Callable[[Path], Iterable[tuple[str, str, Content]]]
"""From a workspace to a content with other line ends: what these are called there, what those are called here, and the content."""


def note_line_ends(changes: Iterable[Change], artifacts: Artifacts, reading: Reading) -> Iterator[Change]:
    """
    Yield changes; of one that replaces a text, or a packed folder, by the same with other line ends, it says so.

    Nothing is downloaded: the hash of what is there is held against those of what is wanted, with either line end.
    """
    sources = dict(_conversions(artifacts))
    versions = frozenset(have.mark.sha256 for have in reading.live.values() if version_of(have) and have.mark)
    with tempfile.TemporaryDirectory() as workspace:
        for change in changes:
            others = sources.get((change.mark and change.mark.sha256) or "")
            difference = _line_ends_difference(change, others(Path(workspace)), versions) if others else None
            yield change._replace(differences=(*change.differences, difference)) if difference else change


def _conversions(artifacts: Artifacts) -> Iterator[tuple[str | None, Conversion]]:
    """Yield the hash of each text and packed folder, with what gives it with other line ends."""
    for content in artifacts.files.values():
        yield content.sha256, partial(_convert_text, content, "")
    for path, module in artifacts.modules.items():
        yield module.content.sha256, partial(_convert_text, artifacts.files[path], module.added)
    if not artifacts.folders and not artifacts.packages:
        return
    from reconciler.packages.pack.folders import archive_kind

    for name, folder in artifacts.folders.items():
        yield folder.content.sha256, partial(_convert_folder, folder.content, archive_kind(name))
    for package in artifacts.packages.values():
        yield package.content.sha256, partial(_convert_folder, package.content, "package")


def _line_ends_difference(
    change: Change, others: Iterable[tuple[str, str, Content]], versions: frozenset[str | None]
) -> Difference | None:
    """Return the difference in line ends where that is all; `versions` are the contents that other versions have."""
    assert change.mark is not None
    if change.live is None and not versions:
        return None
    for old, new, other in others:
        if change.live is None:
            is_present = other.sha256 in versions
        else:
            is_present = change.kind.checksum(other) == change.kind.digest(change.live.object)
        if is_present and other.sha256 != change.mark.sha256:
            return Difference("line ends", old, f"{new}, and nothing else differs")
    return None


def _convert_text(source: Content, added: str, workspace: Path) -> Iterator[tuple[str, str, Content]]:
    """Yield what a text would be uploaded as were all its line ends the same, with what they are called there and here."""
    here = "CRLF" if source.has_crlf else "LF"
    for called, convert in (("CRLF", with_crlf), ("LF", with_line_feeds)):
        with open_input(source.path, SHIPPED) as file:
            text = [append_tail(b"".join(convert(file)), added)] if added else convert(file)
            yield called, here, hash_blocks(source.path, text)


def _convert_folder(source: Content, kind: str, workspace: Path) -> Iterator[tuple[str, str, Content]]:
    """Yield the same of an archive, where it is not too large to be packed again for a word in the plan."""
    from reconciler.packages.pack.folders import convert_line_ends

    if source.size > _LARGEST_CONVERTED:
        return
    feeds = convert_line_ends(source, kind, with_line_feeds, workspace)
    here = "LF" if feeds.sha256 == source.sha256 else "CRLF"
    yield "LF", here, feeds
    yield "CRLF", here, convert_line_ends(source, kind, with_crlf, workspace)
