"""A root is made of Debian's packages by unpacking alone, is kept by content, and programs start in it."""

from __future__ import annotations

import hashlib
import lzma
import os
import stat
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import PackageError
from reconciler.packages.debian.root import find_root, make_root
from tests.packages.debian.conftest import NOW
from tests.packages.debian.test_archive import entry, make_deb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.packages.debian.mirror import Mirror

WHOLE = os.environ.get("UDFS_PROOF") == "whole"


def publish(folder: Path, debs: dict[str, Path]) -> str:
    """Make an unsigned mirror of a few packages; return its address."""
    stanzas = []
    for name, path in debs.items():
        content = path.read_bytes()
        pool = folder / f"pool/{name}_1~deb12u1_amd64.deb"
        pool.parent.mkdir(parents=True, exist_ok=True)
        pool.write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        essential = "Essential: yes\n" if name in {"base-passwd", "libc6"} else ""
        stanzas.append(
            f"Package: {name}\nVersion: {'3.11.2-1' if name == 'python3' else '1~deb12u1'}\nArchitecture: amd64\n{essential}"
            f"Filename: pool/{pool.name}\nSize: {len(content)}\nSHA256: {sha256}\n"
        )
    packed = lzma.compress("\n".join(stanzas).encode())
    index = folder / "dists/bookworm/main/binary-amd64/Packages.xz"
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_bytes(packed)
    sha256 = hashlib.sha256(packed).hexdigest()
    (folder / "dists/bookworm/InRelease").write_text(
        "Codename: bookworm\nDate: Sat, 10 Jan 2026 10:00:00 UTC\nComponents: main\nSHA256:\n"
        f" {sha256} {len(packed)} main/binary-amd64/Packages.xz\n"
    )
    return folder.as_uri()


def unsigned(mirror: Mirror) -> Mirror:
    """Return a mirror whose signature nobody can check here."""
    return replace(mirror, env={"PATH": ""}, allow_unsigned=True)


@pytest.fixture
def debs(tmp_path: Path) -> dict[str, Path]:
    folder = tmp_path / "debs"
    folder.mkdir()

    def make(name: str, *entries: object) -> Path:
        return make_deb(folder / f"{name}.deb", [*entries])  # type: ignore[list-item]

    return {
        "base-passwd": make("base-passwd", entry("./usr/share/base-passwd/passwd.master", b"root:*:0:0::/root:\n")),
        "libc6": make("libc6", entry("./lib/x86_64-linux-gnu/libc.so.6", b"libc"), entry("./lib64/ld.so", b"ld")),
        "python3": make(
            "python3",
            entry("./usr/bin/python3.11", b"#!", mode=0o755),
            entry("./usr/bin/python3", type=b"2", linkname="python3.11"),
            entry("./bin/tool", type=b"2", linkname="/lib/x86_64-linux-gnu/libc.so.6"),
        ),
        "ca-certificates": make(
            "ca-certificates",
            entry("./usr/share/ca-certificates/mozilla/b.crt", b"B\n"),
            entry("./usr/share/ca-certificates/mozilla/a.crt", b"A\n"),
        ),
    }


def test_a_root_has_one_usr_users_and_certificates_and_its_links_stay_inside(
    debs: dict[str, Path], open_mirror: Callable[..., Mirror], tmp_path: Path
) -> None:
    mirror = unsigned(open_mirror(publish(tmp_path / "mirror", debs), tmp_path / "cache"))
    root, record = make_root(mirror, "bookworm", (3, 11), now=NOW, on_step=lambda step: None)
    assert [str((root / name).readlink()) for name in ("bin", "lib", "lib64")] == ["usr/bin", "usr/lib", "usr/lib64"]
    assert (root / "usr/lib/x86_64-linux-gnu/libc.so.6").read_bytes() == b"libc"
    assert (root / "bin/tool").resolve() == (root / "usr/lib/x86_64-linux-gnu/libc.so.6").resolve()
    assert stat.S_IMODE((root / "usr/bin/python3").stat().st_mode) == 0o755
    assert (root / "etc/passwd").read_text().startswith("root:")
    assert (root / "etc/ssl/certs/ca-certificates.crt").read_bytes() == b"A\nB\n"
    assert record.packages[0] == ("base-passwd", "1~deb12u1")
    assert not record.is_signed


def test_a_root_is_made_once_for_the_same_packages_and_anew_for_others(
    debs: dict[str, Path], open_mirror: Callable[..., Mirror], tmp_path: Path
) -> None:
    steps: list[str] = []
    mirror = unsigned(open_mirror(publish(tmp_path / "mirror", debs), tmp_path / "cache"))
    assert find_root(mirror.cache, "bookworm") is None
    first, _ = make_root(mirror, "bookworm", (3, 11), now=NOW, on_step=steps.append)
    steps.clear()
    assert make_root(mirror, "bookworm", (3, 11), now=NOW, on_step=steps.append)[0] == first
    assert steps == []
    make_deb(debs["libc6"], [entry("./lib/x86_64-linux-gnu/libc.so.6", b"newer")])
    publish(tmp_path / "mirror", debs)
    second, _ = make_root(mirror, "bookworm", (3, 11), now=NOW, on_step=steps.append)
    assert second != first
    assert first.is_dir()
    found = find_root(mirror.cache, "bookworm")
    assert found is not None
    assert found[0] == second


def test_a_suite_with_another_python_is_refused_before_anything_is_fetched(
    debs: dict[str, Path], open_mirror: Callable[..., Mirror], tmp_path: Path
) -> None:
    mirror = unsigned(open_mirror(publish(tmp_path / "mirror", debs), tmp_path / "cache"))
    with pytest.raises(PackageError, match=r"is 3\.11\.2-1, and the runtime has 3\.12") as error:
        make_root(mirror, "bookworm", (3, 12), now=NOW, on_step=pytest.fail)
    assert error.value.problems[0].code == "E737"


def test_what_has_no_python_is_no_root(
    debs: dict[str, Path], open_mirror: Callable[..., Mirror], tmp_path: Path
) -> None:
    make_deb(debs["python3"], [entry("./usr/share/nothing", b"")])
    mirror = unsigned(open_mirror(publish(tmp_path / "mirror", debs), tmp_path / "cache"))
    with pytest.raises(PackageError, match="no system with a Python"):
        make_root(mirror, "bookworm", (3, 11), now=NOW, on_step=lambda step: None)
    assert find_root(mirror.cache, "bookworm") is None


@pytest.mark.skipif(not WHOLE, reason="fetches 33 MB: UDFS_PROOF=whole")
def test_debian_12_runs_functions_on_its_own_python(mirror: Mirror, tmp_path: Path) -> None:
    from reconciler.local.invoke import FunctionInstance, InstanceDescription
    from reconciler.local.sandbox import Road, find_road

    if find_road() is Road.PLAIN:
        pytest.skip("this machine has no sandbox")
    root, record = make_root(mirror, "bookworm", (3, 11), now=datetime.now(timezone.utc), on_step=lambda step: None)
    assert len(record.packages) > 60
    (tmp_path / "index.py").write_text(
        "import sys, ssl, sqlite3, subprocess\ndef handler(event, context):\n"
        "    return [sys.version.split()[0], ssl.create_default_context().cert_store_stats()['x509_ca'] > 100,\n"
        "            subprocess.check_output(['sed', 's/a/b/'], input=event).decode()]\n"
    )
    instance = FunctionInstance(InstanceDescription("custom.debian12", tmp_path, "index.handler"), root=root)
    answer = instance.invoke(b"abc")
    instance.close()
    assert (answer.error, answer.payload) == (None, b'["3.11.2", true, "bbc"]'), answer
    assert not any("glibc" in note for note in instance.notes)
