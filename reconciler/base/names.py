"""
Names of what is uploaded: archives, modules and their versions.

What a name may hold is a rule of the service; here is what our own names are made of.
"""

from __future__ import annotations

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip", ".jar")
"""Ends of the names of archives; MaxCompute chooses by them how to unpack [doc "Resource operations"]."""

_ENDS = (".py", *ARCHIVE_SUFFIXES)
_HEX = frozenset("0123456789abcdef")

FOLDER_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz")
"""By these ends of a resource's name a folder is packed."""

SINGLE = "single"
"""Of `bundle:`: one archive, whose name is not the user's."""


def bundle_archive(package: str, bundle: str, runtime: str, usual: str) -> str:
    """
    Return the resource name of a package that is one archive: the package's, or the one that the user chose as `bundle`.

    A runtime other than the manifest's `usual` one has other wheels, and so a name of its own, whatever the bytes turn out to
    be: a name that code relies on must not change because another function comes along.
    """
    stem = package if bundle == SINGLE else bundle.removesuffix(".zip")
    return f"{stem}.zip" if runtime == usual else f"{stem}-{runtime}.zip"


def repacked_archive(filename: str, sha256: str) -> str:
    """
    Return the resource name of a wheel that is not uploaded as it is, or was built here.

    It is not the vendor's file, so the name says so with the beginning of the content's hash, in the place that
    wheels have for "another build of the same version": ``numpy-1.19.2-0_3fa9c1d2-cp37-cp37m-manylinux1_x86_64.zip``.
    """
    name, version, *rest = filename.removesuffix(".whl").split("-")
    build = rest.pop(0) if len(rest) > 3 else "0"
    return f"{'-'.join([name, version, f'{build}_{sha256[:8]}', *rest])}.zip"


def module_name(path: str) -> str:
    """Return the name by which a module or package of `modules:` is imported."""
    return path.rstrip("/").rpartition("/")[2].removesuffix(".py")


def is_package(path: str) -> bool:
    """Say whether a path of `modules:` is that of a package, which is a folder, and not of a file."""
    return not path.endswith(".py")


def versioned_name(name: str, sha256: str) -> str:
    """Return the name under which one content of `name` is uploaded: a new content is a new resource."""
    end = next((end for end in _ENDS if name.lower().endswith(end)), "")
    stem = name[: len(name) - len(end)]
    return f"{stem}__{sha256[:8]}{name[len(stem) :]}"


def unversioned_name(name: str, sha256: str) -> str | None:
    """
    Return a name without the digest that `versioned_name` or `repacked_archive` put there for this content, or None.

    All versions of one thing have this in common.
    """
    # Not a pattern for each digest: of thousands of resources, compiling them takes longer than all the rest of a plan.
    digest = f"_{sha256[:8]}"
    start = name.find(digest)
    while start >= 0:
        end = start + len(digest)
        if name[end : end + 1] not in _HEX:
            return name[: start - 1 if start and name[start - 1] == "_" else start] + name[end:]
        start = name.find(digest, start + 1)
    return None
