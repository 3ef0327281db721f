"""
Included files: entries of a manifest in files of their own, by folder or by team.

``include:`` stands in the root manifest alone and names each file, so one list says what a manifest is read from, and there is no
circle. Every path, in an included file too, begins at the root manifest: an entry moves from one file to another as it is.
"""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import InvalidManifest
from reconciler.base.inputs import MANIFEST, read_named
from reconciler.base.words import quote
from reconciler.manifest.paths import Folder, Refusal
from reconciler.manifest.reader import MAX_BYTES, Document, Mapping, Sequence, nothing, read_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Read = Callable[[Path, str], bytes]
    """Return the bytes of a file, which problems call by a name; raises `InvalidManifest`."""

INCLUDE = "include"
SECTIONS = ("packages", "resources", "tables", "layers", "environments", "functions", "jobs")
"""What an included file may have. Where a manifest goes, and what is allowed in it, is said in the root."""


def include_files(document: Document, folder: Folder, read: Read, known: frozenset[str]) -> dict[str, str] | None:
    """
    Add what the files of a document's ``include:`` hold to it, and return these files: as they are written → absolute.

    What is wrong is in the document's problems; None if a file's entries are not known, so that nothing can be said of names. `known`
    are the keys of a manifest.
    """
    files: dict[str, str] = {}
    is_whole, size = True, len(document.text.encode())
    for index, written in _written_paths(document.root):
        span = document.find(INCLUDE, index)
        path = _find(document, folder, written, span, files)
        if path is None:
            is_whole = False
            continue
        files[written] = path
        called = str(PurePath(document.file).parent / written)
        try:
            content = read(Path(path), called)
        except InvalidManifest as error:
            document.problems += error.problems
            is_whole = False
            continue
        size += len(content)
        if size > MAX_BYTES:
            message = f"the manifest and its included files have more than {MAX_BYTES // 1_000_000} MB"
            document.note("E104", message, span, hint="split it into stacks")
            is_whole = False
            break
        is_whole &= _take_in(document, content, called, known)
    if is_whole:
        return files
    if "functions" in known and "functions" not in document.root:
        # They may all stand in a file that could not be read: that they are missing is not what is wrong.
        document.root["functions"], document.root.marks["functions"] = (
            nothing(),
            (document.root_mark, document.root_mark),
        )
    return None


def included_files(content: bytes, folder: Path) -> list[Path]:
    """Return the files that a manifest's ``include:`` names and that can be read, whatever else is wrong with it."""
    if INCLUDE.encode() not in content:
        return []
    document = Document("")
    read_document(content, document)
    paths = (Folder(folder.resolve()).find(written) for _, written in _written_paths(document.root))
    return [Path(path) for path in dict.fromkeys(paths) if isinstance(path, str)]


def digest_input(file: Path) -> bytes:
    """Return the bytes of a manifest, and behind them those of its included files; raises OSError for what cannot be read."""
    content = read_named(file, MANIFEST)
    return b"".join([content, *(read_named(path, MANIFEST) for path in included_files(content, file.parent))])


def _written_paths(root: Any) -> Iterator[tuple[int, str]]:
    """Yield the paths of ``include:``; what is no text there is refused with the other types."""
    listed = root.get(INCLUDE) if isinstance(root, Mapping) else None
    for index, written in enumerate(listed if isinstance(listed, Sequence) else ()):
        if isinstance(written, str) and written:
            yield index, written


def _find(document: Document, folder: Folder, written: str, span: tuple[int, int], files: dict[str, str]) -> str | None:
    """Return where a file is; None, after noting why it is not included."""
    path = folder.find(written)
    if isinstance(path, Refusal):
        hint = "which files are included does not depend on a target: write it out" if "${" in written else path.hint
        document.note(path.code, path.message, span, hint=hint)
    elif path in files.values():
        document.note("E754", f"{quote(written)} is included twice", span, hint="take one of the lines out")
    elif path == str((folder.root / PurePath(document.file).name).resolve()):
        document.note("E754", f"{quote(written)} is this manifest itself", span, hint="take the line out")
    else:
        return path
    return None


def _take_in(document: Document, content: bytes, called: str, known: frozenset[str]) -> bool:
    """Add the entries of a file to the document; say whether they are known."""
    part = Document(called)
    read_document(content, part)
    if part.root is None and part.whole is False and part.problems[0].code == "E112":
        part.problems.clear()
        part.note(
            "E112",
            "the included file is empty",
            (0, 1),
            hint=f"write `functions:` into it, or take it out of `{INCLUDE}:`",
        )
    if part.whole and not isinstance(part.root, Mapping):
        part.note("E202", "an included file takes a mapping", (part.root_mark, 1), hint=_sections())
        part.whole = False
    document.problems += part.problems
    if not part.whole:
        return False
    offset = document.append(part)
    _shift(part.root, offset)
    for key, value in part.root.items():
        if key in SECTIONS:
            _merge(document, key, value, part.root.marks[key])
        elif key in known:
            span = part.root.marks[key][0], len(key)
            document.note("E753", f"`{key}:` stands in the root manifest alone", span, hint=_sections())
        elif key not in document.root:
            # An unknown key is told as one, with what it may have meant.
            document.root[key], document.root.marks[key] = value, part.root.marks[key]
    return True


def _sections() -> str:
    return f"an included file has {', '.join(SECTIONS[:-1])} or {SECTIONS[-1]}"


def _merge(document: Document, section: str, value: Any, marks: tuple[int, int]) -> None:
    """Add the entries of one section; a name that is there already is refused."""
    present = document.root.get(section, "")
    if value != "" and not isinstance(value, Mapping):
        document.note("E202", f"'{section}' takes a mapping", (marks[0], len(section)))
    elif present == "":
        document.root[section], document.root.marks[section] = value, marks
    elif isinstance(present, Mapping) and value != "":
        _merge_entries(document, section, present, value)


def _merge_entries(document: Document, section: str, present: Mapping, added: Mapping) -> None:
    for name, entry in added.items():
        if name in present:
            other = document.position(present.marks[name][0])
            span = added.marks[name][0], document.width(added.marks[name][0], name)
            message = f"{quote(name)} of `{section}:` stands in two files"
            document.note("E752", message, span, hint=f"the other is at {other}; keep one, or rename it")
        else:
            present[name], present.marks[name] = entry, added.marks[name]


def _shift(value: Any, offset: int) -> None:
    """Move the places of a value, and of all in it."""
    if isinstance(value, Mapping):
        value.marks = {key: (begin + offset, end + offset) for key, (begin, end) in value.marks.items()}
        for inner in value.values():
            _shift(inner, offset)
    elif isinstance(value, Sequence):
        value.marks = [mark + offset for mark in value.marks]
        for inner in value:
            _shift(inner, offset)
