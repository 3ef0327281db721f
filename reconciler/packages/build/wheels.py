"""
Normalised wheels: a tag that is true, and the same bytes each time.

A zip archive holds times, modes and an order, none of which mean anything in a wheel: they are made the same.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from reconciler.base.inputs import SHIPPED, open_input
from reconciler.packages.inspect.contents import inspect_file
from reconciler.packages.inspect.gate import glibc_level
from reconciler.packages.inspect.members import bound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_BARE = re.compile(r"-linux_(?P<machine>x86_64|aarch64)\.whl\Z")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def normalize_wheel(wheel: Path, target: Path) -> Path:
    """
    Write a wheel anew into `target` and return its path; its name changes if its tag does.

    Raises what `UNREADABLE` lists for what is no wheel, or expands too far.
    """
    audited = _audited_platform(wheel)
    name = _BARE.sub(f"-{audited}.whl", wheel.name) if audited else wheel.name
    with open_input(wheel, SHIPPED) as file, ZipFile(file) as archive:
        infos = archive.infolist()
        bound(len(infos), sum(info.file_size for info in infos), wheel.stat().st_size)
        members = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
        runs = {info.filename for info in archive.infolist() if info.external_attr >> 16 & 0o100}
    folder = next((member.partition("/")[0] for member in members if member.endswith(".dist-info/WHEEL")), None)
    if folder is None:
        raise ValueError("it has no .dist-info/WHEEL")
    if audited:
        claim = re.compile(rb"(?m)^(Tag: \S+-)linux_\w+(?=\r?$)")
        members[f"{folder}/WHEEL"] = claim.sub(rb"\g<1>" + audited.encode(), members[f"{folder}/WHEEL"])
    members[f"{folder}/RECORD"] = _record(members, f"{folder}/RECORD")
    target.mkdir(parents=True, exist_ok=True)
    with ZipFile(target / name, "w") as archive:
        # What an installer reads first stands last, as the format recommends.
        for member in sorted(members, key=lambda name: (name.startswith(f"{folder}/"), name.endswith("/RECORD"), name)):
            info = ZipInfo(member, _EPOCH)
            info.create_system = 3
            info.external_attr = (0o100755 if member in runs else 0o100644) << 16
            archive.writestr(info, members[member], ZIP_DEFLATED, 6)
    return target / name


def _audited_platform(wheel: Path) -> str | None:
    # ``linux_x86_64``, which every local build carries, says nothing about the system; its ELF files say what it needs.
    bare = _BARE.search(wheel.name)
    lowest = glibc_level(inspect_file(wheel, "wheel")) if bare else None
    return f"manylinux_2_{lowest}_{bare['machine']}" if bare and lowest is not None else None


def _record(members: Mapping[str, bytes], record_name: str) -> bytes:
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, lineterminator="\n")
    for member in sorted(members):
        if member != record_name:
            digest = base64.urlsafe_b64encode(hashlib.sha256(members[member]).digest()).rstrip(b"=").decode()
            writer.writerow((member, f"sha256={digest}", len(members[member])))
    writer.writerow((record_name, "", ""))
    return lines.getvalue().encode()
