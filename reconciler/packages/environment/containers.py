"""
Interpreters of manylinux images: a CPython that loads on old systems, copied out of a container, and kept.

The vendor's own road makes the whole environment in such a container. Here only the interpreter comes from there: wheels of the lock are for
those systems anyway. What is started in the container is `tar`, and nobody's code; it has no network. Not tried with a real image: the command
was, with a program that stands for the engine.
"""

from __future__ import annotations

import shutil
import tarfile
from typing import IO, TYPE_CHECKING

from reconciler.base import environments
from reconciler.base.errors import PackageError
from reconciler.base.processes import CutOff, Output
from reconciler.packages.build.engines import find_engine, image_of
from reconciler.packages.inspect.members import why_not_a_member

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.base.processes import Tools
    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.fetch.cache import Cache

_SECONDS = 900
"""Enough for an image of half a gigabyte."""


def copy_command(engine: str, image: str, architecture: str, runtime: Runtime) -> list[str]:
    """Return the command that writes an image's interpreter to standard output, links followed, as a tar archive."""
    folder = f"/opt/python/{runtime.interpreter}-{runtime.abi}"
    what = ("bin/python{}.{}".format(*runtime.python_version), "lib/python{}.{}".format(*runtime.python_version))
    return [
        *(engine, "run", "--rm", "--network", "none", "--platform", architecture, image),
        *(
            "tar",
            "--create",
            "--dereference",
            "--hard-dereference",
            "--exclude=site-packages",
            "--exclude=test",
            "--exclude=__pycache__",
        ),
        *("--directory", folder, *what),
    ]


def image_folder(runtime: Runtime, cache: Cache) -> Path:
    """Return the folder that has a manylinux image's CPython for a runtime once it was copied."""
    image = image_of(runtime)[0].replace("/", "_").replace(":", "_")
    return cache.root / "interpreters" / image / f"{runtime.interpreter}-{runtime.abi}"


def interpreter_of_image(runtime: Runtime, env: Mapping[str, str], cache: Cache, tools: Tools) -> Path:
    """Return the folder of a manylinux image's CPython for a runtime, from the cache or copied out of a container now."""
    image, architecture = image_of(runtime)
    label = f"the interpreter of {runtime.label}"
    folder = image_folder(runtime, cache)
    if (folder / "lib").is_dir():
        return folder
    engine = find_engine(env, label)
    with cache.workspace() as workspace, Output(workspace) as out, Output(workspace) as err:
        command = copy_command(engine, image, architecture, runtime)
        try:
            code = tools.run(
                command,
                cwd=workspace,
                environment=environments.for_container_engine(env),
                timeout=_SECONDS,
                out=out,
                err=err,
                trusted=True,
            )
        except (CutOff, OSError) as error:
            raise PackageError("E664", f"{label} cannot be copied out of {image}: {error}") from error
        if code != 0:
            said = tuple(err.text().splitlines()[-10:])
            hint = f"can '{engine}' fetch and run {image}?"
            raise PackageError("E664", f"{label} cannot be copied out of {image}", hint=hint, detail=said)
        out.file.seek(0)
        unpack_prefix(out.file, workspace / "prefix")
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not folder.is_dir():
            (workspace / "prefix").rename(folder)
    return folder


def unpack_prefix(stream: IO[bytes], folder: Path) -> None:
    """Unpack the files of a tar archive, and nothing else that one may hold; raises E664 for what is no such archive."""
    try:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for member in archive:
                if member.isdir():
                    continue
                name = member.name.removeprefix("./")
                if not member.isfile() or why_not_a_member(name):
                    raise PackageError("E664", f"what came out of the container holds {name!r}, which is no plain file")
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                content = archive.extractfile(member)
                assert content is not None  # it is a file
                with content, path.open("xb") as out:
                    shutil.copyfileobj(content, out)
                path.chmod(0o755 if member.mode & 0o100 else 0o644)
    except tarfile.TarError as error:
        raise PackageError("E664", f"what came out of the container is no archive: {error}") from error
