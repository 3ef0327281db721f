"""A mirror of Debian in a folder, with packages of our own; nobody has signed it."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import shutil
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.packages.debian.test_archive import entry, make_deb, make_tar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LIBRARY_FOLDER = "usr/lib/x86_64-linux-gnu"


@dataclass
class SmallMirror:
    """One suite with what was put into it."""

    folder: Path
    suite: str = "bookworm"
    date: str = "Sat, 11 Jul 2026 10:00:00 UTC"
    _stanzas: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return self.folder.as_uri()

    def add(
        self,
        name: str,
        files: Mapping[str, bytes] | None = None,
        *,
        version: str = "1.0-1",
        links: Mapping[str, str] | None = None,
        postinst: str = "",
        **fields: str,
    ) -> Path:
        """Put a package into the suite, in place of another version, and publish it."""
        pool = self.folder / "pool/main" / name[0] / name
        pool.mkdir(parents=True, exist_ok=True)
        data = [
            *(
                entry(f"./{path}", content, mode=0o755 if "bin/" in path else 0o644)
                for path, content in (files or {}).items()
            ),
            *(entry(f"./{path}", linkname=to, type=tarfile.SYMTYPE) for path, to in (links or {}).items()),
            entry(f"./usr/share/doc/{name}/copyright", b"free"),
        ]
        control = [entry("./postinst", postinst.encode())] if postinst else []
        parts = (
            ("debian-binary", b"2.0\n"),
            ("control.tar.gz", gzip.compress(make_tar(control), mtime=0)),
            ("data.tar.xz", lzma.compress(make_tar(data))),
        )
        deb = make_deb(pool / f"{name}_{version.partition(':')[2] or version}_amd64.deb", data, parts=parts)
        content = deb.read_bytes()
        said = {
            "Package": name,
            "Version": version,
            "Architecture": "amd64",
            **{key.replace("_", "-"): value for key, value in fields.items()},
            "Filename": deb.relative_to(self.folder).as_posix(),
            "Size": str(len(content)),
            "SHA256": hashlib.sha256(content).hexdigest(),
        }
        self._stanzas[name] = "".join(f"{key}: {value}\n" for key, value in said.items())
        self.publish()
        return deb

    def publish(self) -> None:
        """Write index and release."""
        dists = self.folder / "dists" / self.suite
        (dists / "main/binary-amd64").mkdir(parents=True, exist_ok=True)
        packed = lzma.compress("\n".join(self._stanzas.values()).encode())
        (dists / "main/binary-amd64/Packages.xz").write_bytes(packed)
        digest = hashlib.sha256(packed).hexdigest()
        (dists / "InRelease").write_text(
            f"Codename: {self.suite}\nDate: {self.date}\nComponents: main\n"
            f"SHA256:\n {digest} {len(packed)} main/binary-amd64/Packages.xz\n"
        )

    def vanish(self) -> None:
        """Be no longer there."""
        shutil.rmtree(self.folder)
