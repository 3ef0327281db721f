"""Every file that is read is opened by ``reconciler/base/inputs.py``, but for those listed here with the reason."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "reconciler"
DOOR = "base/inputs.py"

ELSEWHERE = {
    "local/runner/worker/": "the worker reads its own folder, in the CPython of the function",
    "local/sandbox/launcher.py": "it makes namespaces, and reads what it was started with",
    "local/invoke/worker/": "the worker reads its own folder, in the CPython of the function",
    "local/flink/worker/": "what the worker reads is a pipe, in the CPython of the function",
    "packages/build/hooks27.py": "a build of Python 2.7 reads the exchange it was started with",
    "packages/build/compiler.py": "stands in for a compiler inside a build",
    "targets/maxcompute/starter/": "a function of the starter",
    "targets/fc/starter/": "a function of the starter",
}
"""Code that runs in another process, or in none."""

OWN_FILE = "a file of the product itself"
DESCRIPTOR = "a stream or a device of the system, and nothing that anybody named"
MEMBER = "a member of an archive that the door opened"
ALONE = "`local` stands alone: its caller has read and hashed the file, and it refuses what is no regular file"
RAW = "no link, no waiting, and judged when it is open, like the door; the rest is particular"

READS = {
    "base/barrier.py: Path('/proc/self/status').open(encoding='ascii')": DESCRIPTOR,
    "base/barrier.py: os.open('/', os.O_PATH | os.O_CLOEXEC)": "a folder, named to the kernel",
    "manifest/keys.py: place.read_text(encoding='utf-8')": OWN_FILE,
    "base/explanations.py: files(__package__).joinpath('explanations.md').read_text(encoding='utf-8')": OWN_FILE,
    "checks/python/pythons.py: Path(__file__).with_name('stdlib.txt').read_text(encoding='utf-8')": OWN_FILE,
    "cli/entry.py: os.fdopen(0, encoding='utf-8', closefd=False)": DESCRIPTOR,
    "cli/entry.py: os.fdopen(number, 'w', encoding='utf-8', closefd=False)": DESCRIPTOR,
    "cli/entry.py: os.open(os.devnull, os.O_RDWR)": DESCRIPTOR,
    "cli/entry.py: os.open(os.devnull, os.O_WRONLY)": DESCRIPTOR,
    "cli/forges/approvals.py: archive.open(member)": MEMBER,
    "cli/forges/approvals.py: zipfile.ZipFile(io.BytesIO(content))": "bytes that were counted as they came",
    "cli/support/events.py: os.open(file, flags, 438)": "written to, and never read",
    "cli/init.py: (folder / source).read_text(encoding='utf-8')": OWN_FILE,
    "local/conversation.py: os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)": DESCRIPTOR,
    "local/fc/code_uploads.py: zipfile.ZipFile(path)": "an upload that this process just wrote",
    "local/invoke/layers.py: shutil.copy2(source, goal, follow_symlinks=False)": ALONE,
    "local/runner/layout.py: earlier.open('rb')": "a member that was just unpacked",
    "local/runner/layout.py: opened.open(info)": MEMBER,
    "local/runner/layout.py: shutil.copyfile(source, target)": ALONE,
    "local/runner/layout.py: tarfile.open(archive, 'r|' if name.lower().endswith('.tar') else 'r|gz')": ALONE,
    "local/runner/layout.py: zipfile.ZipFile(archive)": ALONE,
    "local/runner/unpacked.py: shutil.copytree(top, target / top.name, symlinks=True, copy_function=_link)": "members that were just unpacked",
    "testing/row_programs.py: file.read_bytes()": ALONE,
    "local/runner/unpacked.py: shutil.copytree(top, target / top.name, symlinks=True)": "members that were just unpacked",
    "local/runner/process.py: os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)": RAW,
    "local/storage/blobs.py: (folder / 'lock').open('rb')": "a lock is locked, not read",
    "local/storage/blobs.py: os.fdopen(descriptor, 'rb', buffering=0)": RAW,
    "local/storage/blobs.py: self.open(segments)": "the method of this store",
    "local/storage/blobs.py: os.open(directory, os.O_RDONLY)": "a folder, to make a rename in it last",
    "local/storage/blobs.py: os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)": RAW,
    "local/sandbox/memory.py: (self.folder / ('memory.events' if self.is_unified else 'memory.oom_control')).read_text('ascii')": DESCRIPTOR,
    "local/sandbox/memory.py: Path('/proc/self/cgroup').read_text('ascii', 'replace')": DESCRIPTOR,
    "local/sandbox/memory.py: path.read_text('ascii')": DESCRIPTOR,
    "local/sandbox/process.py: bind.source.open('rb', buffering=0)": "of /etc and under a mebibyte; bubblewrap reads it",
    "local/strays.py: Path('/proc', name, 'environ').read_bytes()": "the kernel tells it, and no more than it keeps",
    "packages/build/frontend.py: shutil.copyfile(program, self._scripts / program.name)": OWN_FILE,
    "packages/build/frontend.py: shutil.copytree(exchange, folder)": "what `pyproject_hooks` has just written for a build",
    "packages/build/zig.py: shutil.copyfile(Path(__file__).with_name('compiler.py'), workspace / 'compiler.py')": OWN_FILE,
    "packages/build/zig.py: os.fdopen(descriptor, 'rb')": RAW,
    "packages/build/zig.py: os.open(self.marks.parent / 'work', os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)": RAW,
    "packages/carried.py: archive.open(member)": MEMBER,
    "packages/debian/archive.py: tarfile.open(fileobj=open_xz(part), mode='r|')": MEMBER,
    "packages/debian/archive.py: tarfile.open(fileobj=part, mode='r|')": MEMBER,
    "packages/debian/archive.py: tarfile.open(fileobj=part, mode='r|gz')": MEMBER,
    "local/flink/cluster.py: Path(f'/proc/{number}/cmdline').read_bytes()": DESCRIPTOR,
    "local/flink/cluster.py: Path(f'{task}/children').read_text('ascii')": DESCRIPTOR,
    "packages/environment/containers.py: tarfile.open(fileobj=stream, mode='r:')": DESCRIPTOR,
    "packages/environment/contents.py: archive.open(info)": MEMBER,
    "packages/debian/unpacked.py: member.path.open('rb')": "a file of a package that was just unpacked",
    "packages/build/sources.py: tarfile.open(fileobj=open_xz(file), mode='r|')": "what the door opened",
    "packages/debian/root.py: shutil.copyfile(root / source, root / goal)": "a file of a root that was just unpacked",
    "packages/unpacked.py: archive.open(info)": MEMBER,
    "packages/inspect/contents.py: member.open()": MEMBER,
    "packages/inspect/jars.py: member.open()": MEMBER,
    "packages/inspect/members.py: archive.open(info)": MEMBER,
    "packages/inspect/members.py: tarfile.open(fileobj=stream, mode='r:')": MEMBER,
    "packages/inventory.py: archive.open(name)": MEMBER,
    "manifest/runtimes.py: Path(__file__).with_name('levels.json').read_text(encoding='utf-8')": OWN_FILE,
    "render/page/document.py: (resources.files('reconciler.render.page') / name).read_text(encoding='utf-8')": OWN_FILE,
    "packages/pack/folders.py: packed.open(entry)": MEMBER,
    "packages/pack/same_files.py: first.open(entry)": MEMBER,
    "packages/pack/same_files.py: second.open(twin)": MEMBER,
    "targets/fc/importing/code.py: ZipFile(archive)": "a download that this process just wrote",
    "targets/fc/importing/code.py: member.open()": MEMBER,
    "targets/planned_files.py: os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)": RAW,
    "targets/fc/entries.py: zipfile.ZipFile(io.BytesIO(packed))": "bytes that the service sent, bounded as they came",
    "targets/flink/local_runtime.py: shutil.copytree(folder, archives / name, symlinks=True)": (
        "of the cache, where udfs unpacked it: files, folders and links that stay links"
    ),
    "targets/maxcompute/runtimes.py: Path(__file__).with_name('service.json').read_text(encoding='utf-8')": OWN_FILE,
    "targets/maxcompute/importing/draft.py: shutil.copytree(source, goal, symlinks=True, dirs_exist_ok=True)": (
        "links stay links, and what is no regular file raises; what is copied is read by the door"
    ),
}
"""Calls that read without the door, as they are written, and why they may."""

READING = {"read_text", "read_bytes", "fdopen", "copyfile", "copy2", "copytree", "getline", "mmap"}
"""Functions and methods that read a file which they are given by its name."""

OPENING = {"open_input", "open_named"}


def modules() -> Iterator[Path]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name != DOOR and not name.startswith(tuple(ELSEWHERE)):
            yield path


def called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def mode_of(call: ast.Call) -> str:
    """Return the mode with which something is opened, if it is written down."""
    words = [*call.args, *(word.value for word in call.keywords if word.arg == "mode")]
    texts = [word.value for word in words if isinstance(word, ast.Constant) and isinstance(word.value, str)]
    return next((text for text in texts if set(text) <= set("rwxabt+|:gz*")), "r")


def opened_by_the_door(tree: ast.AST) -> set[str]:
    """Return the names under which a module has files of the door."""
    items = [node for node in ast.walk(tree) if isinstance(node, ast.withitem)]
    return {
        item.optional_vars.id
        for item in items
        if isinstance(item.optional_vars, ast.Name)
        and isinstance(item.context_expr, ast.Call)
        and called(item.context_expr) in OPENING
    }


def is_reading(call: ast.Call, doors: set[str]) -> bool:
    name = called(call)
    if name in {"ZipFile", "ParquetFile"} or (name == "open" and "tarfile" in ast.unparse(call.func)):
        of_file = [*call.args[:1], *(word.value for word in call.keywords if word.arg == "fileobj")]
        is_of_door = any(isinstance(word, ast.Name) and word.id in doors for word in of_file)
        return not is_of_door and mode_of(call)[:1] not in {"w", "x", "a"}
    if name == "open" and ".blobs." in ast.unparse(call):
        return False  # the method of a store, whose own call is listed
    if name == "open":
        return mode_of(call)[:1] not in {"w", "x", "a"}
    return name in READING


def reads(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    doors = opened_by_the_door(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and is_reading(node, doors):
            yield f"{path.relative_to(PACKAGE).as_posix()}: {ast.unparse(node)}"


def test_every_file_is_read_by_one_door() -> None:
    found = {read for path in modules() for read in reads(path)}
    assert sorted(found - set(READS)) == []
    assert sorted(set(READS) - found) == [], "listed, and not there any more"
