"""What the worker's directory looks like, and which archives are refused."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import pytest

from reconciler.local.runner import ResourceFile, ResourceUnusable, UnsafeArchive, is_extension
from reconciler.local.runner.layout import Limits, extract, prepare_directory

if TYPE_CHECKING:
    from pathlib import Path


def zipped(path: Path, members: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, *members: tuple[str, bytes | tarfile.TarInfo], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                archive.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def link(kind: bytes, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return info


def zip_link(name: str, target: str, kind: int = stat.S_IFLNK) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    return info


def tree(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


def test_files_lie_in_the_working_directory_and_archives_under_work(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("import b")
    (tmp_path / "b").write_text("1,2")
    packed = zipped(tmp_path / "c", {"pkg/__init__.py": "x = 1", "pkg/data/": ""})
    layout = prepare_directory(
        tmp_path / "root",
        [
            ResourceFile("m.py", "py", tmp_path / "a"),
            ResourceFile("d.csv", "file", tmp_path / "b"),
            ResourceFile("j.jar", "jar", tmp_path / "b"),
            ResourceFile("p.zip", "archive", packed),
            ResourceFile("t", "table", None),
        ],
    )
    assert tree(layout.cwd) == {
        "m.py": "import b",
        "d.csv": "1,2",
        "j.jar": "1,2",
        "work/p.zip/pkg/__init__.py": "x = 1",
    }
    assert (layout.cwd / "work/p.zip/pkg/data").is_dir()
    assert not any(layout.tmp.iterdir())
    assert layout.native == ()


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar", "w"), ("a.tgz", "w:gz"), ("a.tar.gz", "w:gz"), ("A.TAR.GZ", "w:gz")]
)
def test_the_end_of_the_name_tells_the_kind_of_a_tar(tmp_path: Path, name: str, mode: str) -> None:
    packed = tarred(tmp_path / "x", ("./pkg/a.py", b"1"), ("b", b"2"), mode=mode)
    assert set(extract(packed, tmp_path / "out", name=name)) == {"pkg/a.py", "b"}
    assert tree(tmp_path / "out") == {"pkg/a.py": "1", "b": "2"}


@pytest.mark.parametrize("name", ["a.zip", "a.jar", "A.Zip"])
def test_the_end_of_the_name_tells_a_zip(tmp_path: Path, name: str) -> None:
    extract(zipped(tmp_path / "x", {"a/b": "1"}), tmp_path / "out", name=name)
    assert tree(tmp_path / "out") == {"a/b": "1"}


def test_a_wheel_under_its_own_name_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ResourceUnusable, match=r"does not unpack 'x-1-py3-none-any\.whl'") as caught:
        prepare_directory(tmp_path / "root", [ResourceFile("x-1-py3-none-any.whl", "archive", tmp_path)])
    assert caught.value.hint == "upload the wheel as x-1-py3-none-any.zip"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ResourceUnusable, match="cannot be the name"):
        prepare_directory(tmp_path / "root", [ResourceFile(name, "file", tmp_path)])


def test_names_that_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    twice = [ResourceFile("a.py", "py", tmp_path / "a"), ResourceFile("A.py", "py", tmp_path / "a")]
    with pytest.raises(ResourceUnusable, match=r"two resources .* 'a.py' and 'A.py'"):
        prepare_directory(tmp_path / "root", twice)


def test_a_resource_in_the_way_of_the_archives_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResourceUnusable, match="called 'work'"):
        prepare_directory(tmp_path / "root", [ResourceFile("work", "file", tmp_path)])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResourceUnusable, match=r"file of resource 'a.py' is missing: .*/gone"):
        prepare_directory(tmp_path / "root", [ResourceFile("a.py", "py", tmp_path / "gone")])


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("")
    with pytest.raises(ResourceUnusable, match="is not empty"):
        prepare_directory(tmp_path, [])


def test_what_the_function_writes_never_reaches_the_source(tmp_path: Path) -> None:
    source = tmp_path / "a"
    source.write_text("mine")
    source.chmod(0o444)
    layout = prepare_directory(tmp_path / "root", [ResourceFile("a", "file", source)])
    (layout.cwd / "a").write_text("its own")
    assert source.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "native"),
    [
        ("x.so", True),
        ("libx.so.26", True),
        ("libx.so.1.2", True),
        ("x.cpython-37m-x86_64-linux-gnu.so", True),
        ("x.py", False),
        ("x.soap", False),
        ("also", False),
    ],
)
def test_shared_objects_are_known_by_their_names(name: str, native: bool) -> None:
    assert is_extension(name) is native


def test_shared_objects_are_listed_with_their_archive(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    packed = zipped(tmp_path / "a", {"pkg/_x.so": "", "pkg/x.py": ""})
    resources = [ResourceFile("a.zip", "archive", packed), ResourceFile("liby.so.1", "file", tmp_path / "x")]
    assert prepare_directory(tmp_path / "root", resources).native == ("a.zip/pkg/_x.so", "liby.so.1")


OUTSIDE = ["../x", "a/../../x", "/x", "\\x", "..\\x", "a\\..\\..\\x", "C:\\x", "C:/x"]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_member_that_leaves_its_directory_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    packed = tmp_path / "x"
    zipped(packed, {name: "evil"}) if kind == "zip" else tarred(packed, (name, b"evil"))
    with pytest.raises(UnsafeArchive, match="leaves its directory"):
        extract(packed, tmp_path / "deep/out", name=f"a.{kind}")
    assert tree(tmp_path / "deep") == {}


def test_a_name_cut_short_by_a_null_byte_is_refused(tmp_path: Path) -> None:
    packed = zipped(tmp_path / "x", {"a_b": "1"})
    packed.write_bytes(packed.read_bytes().replace(b"a_b", b"a\0b"))
    with pytest.raises(UnsafeArchive, match="leaves its directory"):
        extract(packed, tmp_path / "out", name="a.zip")


@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd", "a/../../x", ""])
def test_a_link_out_of_the_archive_is_refused(tmp_path: Path, target: str) -> None:
    packed = tarred(tmp_path / "t", ("link", link(tarfile.SYMTYPE, target)))
    with pytest.raises(UnsafeArchive, match="link 'link' leads outside"):
        extract(packed, tmp_path / "out", name="a.tgz")
    with zipfile.ZipFile(tmp_path / "z", "w") as archive:
        archive.writestr(zip_link("link", target), target)
    with pytest.raises(UnsafeArchive, match="link 'link' leads outside"):
        extract(tmp_path / "z", tmp_path / "out2", name="a.zip")


def test_links_inside_the_archive_are_kept(tmp_path: Path) -> None:
    packed = tarred(
        tmp_path / "t",
        ("lib/libx.so", link(tarfile.SYMTYPE, "libx.so.1")),
        ("lib/libx.so.1", b"code"),
        ("again", link(tarfile.LNKTYPE, "lib/libx.so.1")),
    )
    made = extract(packed, tmp_path / "out", name="a.tgz")
    assert set(made) == {"lib/libx.so", "lib/libx.so.1", "again"}
    assert (tmp_path / "out/lib/libx.so").is_symlink()
    assert tree(tmp_path / "out") == {"lib/libx.so": "code", "lib/libx.so.1": "code", "again": "code"}


def test_a_link_that_leads_outside_through_another_is_refused(tmp_path: Path) -> None:
    packed = tarred(
        tmp_path / "t",
        ("a/b/c/file", b""),
        ("short", link(tarfile.SYMTYPE, "a/b/c")),
        ("a/b/c/up", link(tarfile.SYMTYPE, "../../..")),
        ("out", link(tarfile.SYMTYPE, "short/up/../x")),
    )
    with pytest.raises(UnsafeArchive, match="leads outside"):
        extract(packed, tmp_path / "root/out", name="a.tgz")


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    packed = tarred(tmp_path / "t", ("d", link(tarfile.SYMTYPE, "e")), ("e/x", b"1"), ("d/x", b"2"))
    with pytest.raises(ResourceUnusable, match="cannot be unpacked: File exists"):
        extract(packed, tmp_path / "out", name="a.tgz")
    assert (tmp_path / "out/e/x").read_text() == "1"


def test_links_in_a_circle_do_no_harm(tmp_path: Path) -> None:
    packed = tarred(tmp_path / "t", ("a", link(tarfile.SYMTYPE, "b")), ("b", link(tarfile.SYMTYPE, "a")))
    assert extract(packed, tmp_path / "out", name="a.tgz") == ("a", "b")


@pytest.mark.parametrize("target", ["../x", "/etc/passwd", "later", "self"])
def test_a_hard_link_to_what_is_no_earlier_member_is_refused(tmp_path: Path, target: str) -> None:
    packed = tarred(tmp_path / "t", ("self", link(tarfile.LNKTYPE, target)), ("later", b""))
    with pytest.raises(UnsafeArchive):
        extract(packed, tmp_path / "out", name="a.tgz")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_device_or_pipe_is_refused(tmp_path: Path, kind: bytes) -> None:
    packed = tarred(tmp_path / "t", ("dev", link(kind, "")))
    with pytest.raises(UnsafeArchive, match="device or pipe: member 'dev'"):
        extract(packed, tmp_path / "out", name="a.tgz")


def test_a_device_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z", "w") as archive:
        archive.writestr(zip_link("dev", "", stat.S_IFIFO), "")
    with pytest.raises(UnsafeArchive, match="device or pipe: member 'dev'"):
        extract(tmp_path / "z", tmp_path / "out", name="a.zip")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    packed = bytearray(zipped(tmp_path / "z", {"secret": "1"}).read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        packed[packed.index(signature) + offset] |= 1
    (tmp_path / "z").write_bytes(packed)
    with pytest.raises(UnsafeArchive, match="encrypted: member 'secret'"):
        extract(tmp_path / "z", tmp_path / "out", name="a.zip")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_member_that_comes_twice_is_refused(tmp_path: Path, kind: str) -> None:
    packed = tmp_path / "x"
    if kind == "zip":
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("a", "1")
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("a", "2")
    else:
        tarred(packed, ("a", b"1"), ("./a", b"2"))
    with pytest.raises(UnsafeArchive, match="twice"):
        extract(packed, tmp_path / "out", name=f"a.{kind}")


def test_an_archive_of_zeros_is_refused_before_it_fills_the_disk(tmp_path: Path) -> None:
    packed = zipped(tmp_path / "z", {"zeros": bytes(8 << 20)})
    limits = Limits(free_bytes=1 << 20)
    with pytest.raises(UnsafeArchive, match="more than an honest archive"):
        extract(packed, tmp_path / "out", name="a.zip", limits=limits)
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*")) <= 2 << 20


def test_more_bytes_or_members_than_allowed_are_refused(tmp_path: Path) -> None:
    packed = tarred(tmp_path / "t", ("a", b"12345"), ("b", b"12345"))
    with pytest.raises(UnsafeArchive, match="more than an honest archive"):
        extract(packed, tmp_path / "out", name="a.tgz", limits=Limits(total_bytes=9))
    with pytest.raises(UnsafeArchive, match="too many members"):
        extract(packed, tmp_path / "out2", name="a.tgz", limits=Limits(members=1))


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
@pytest.mark.parametrize("content", [b"", b"not an archive at all" * 100])
def test_what_is_no_archive_of_its_kind_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ResourceUnusable, match=f"archive '{name}' cannot be read"):
        extract(tmp_path / "x", tmp_path / "out", name=name)


@pytest.mark.parametrize("name", ["a.zip", "a.tgz"])
def test_an_archive_cut_short_is_named(tmp_path: Path, name: str) -> None:
    content = os.urandom(100_000)
    packed = tmp_path / "x"
    zipped(packed, {"a": content}) if name == "a.zip" else tarred(packed, ("a", content))
    packed.write_bytes(packed.read_bytes()[:50_000])
    with pytest.raises(ResourceUnusable, match="cannot be read"):
        extract(packed, tmp_path / "out", name=name)


@pytest.mark.parametrize("seed", range(40))
def test_an_archive_damaged_anywhere_is_unpacked_or_refused(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    packed = tmp_path / "x"
    with zipfile.ZipFile(packed, "w", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA][seed % 3]) as archive:
        archive.writestr("a/b", "hello" * 50)
    zipped_bytes = packed.read_bytes()
    tarred(packed, ("a/b", b"hello" * 50), ("l", link(tarfile.SYMTYPE, "a/b")))
    for name, whole in (("a.zip", zipped_bytes), ("a.tgz", packed.read_bytes())):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        packed.write_bytes(damaged[: random.choice([len(damaged), random.randrange(len(damaged))])])
        with suppress(ResourceUnusable):
            extract(packed, tmp_path / name / "out", name=name)
        assert [path.name for path in (tmp_path / name).iterdir()] == ["out"]


def test_the_right_to_execute_is_kept_and_nothing_more(tmp_path: Path) -> None:
    info = tarfile.TarInfo()
    info.mode = 0o6755
    plain = tarfile.TarInfo()
    plain.mode = 0o000
    extract(tarred(tmp_path / "t", ("run", info), ("data", plain)), tmp_path / "out", name="a.tgz")
    assert stat.S_IMODE((tmp_path / "out/run").stat().st_mode) == 0o755
    assert os.access(tmp_path / "out/data", os.R_OK)
