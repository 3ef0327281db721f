"""What is found inside wheels and archives, hostile ones among them, and that it is found once."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zlib
from typing import TYPE_CHECKING
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile, ZipInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.packages.inspect import contents as inspection
from reconciler.packages.inspect import members
from reconciler.packages.inspect.contents import FileFacts, inspect_file, inspect_once
from reconciler.packages.inspect.files import file_kind, is_library_name
from tests.builders import wheel
from tests.natives import elf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.packages.inspect.files import FileFinding, FileKind

SYMLINK, FIFO = 0o120777 << 16, 0o010644 << 16


def look(path: Path) -> FileFacts:
    return inspect_file(path, file_kind(path))


def fault(path: Path) -> FileFinding:
    (found,) = look(path).faults
    return found


def zipped(path: Path, *names: str | ZipInfo, content: bytes = b"x") -> Path:
    with ZipFile(path, "w") as archive, pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # a name that comes twice is the point of some tests
        for name in names:
            archive.writestr(name, content)
    return path


def tarred(path: Path, *infos: tarfile.TarInfo, content: bytes = b"x", mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for info in infos:
            info.size = len(content) if info.isfile() else 0
            archive.addfile(info, io.BytesIO(content) if info.isfile() else None)
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    return info


def rewritten(path: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """Change the members of a wheel behind its RECORD's back."""
    with ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    change(content)
    with ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


# --- What is inside -------------------------------------------------------------------------------------------------------


def test_native_files_are_found_by_what_they_are_and_not_by_their_names(tmp_path: Path) -> None:
    files = {"a/x.so": elf(soname="libx.so.1"), "a/tool": elf(), "a/fake.so": b"text", "a/y.py": b"\x7fEL"}
    found = look(wheel(tmp_path, "a", files=files))
    assert [(one.path, one.is_loaded) for one in found.natives] == [("a/x.so", True), ("a/tool", False)]
    assert found.natives[0].answers_to == {"x.so", "libx.so.1"}
    assert (found.faults, found.kind, found.has_compiled_code) == ((), "wheel", True)


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tgz"])
def test_tar_archives_are_looked_through_like_zip_archives(tmp_path: Path, name: str) -> None:
    mode = "w" if name.endswith(".tar") else "w:gz"
    path = tarred(tmp_path / name, entry("d", tarfile.DIRTYPE), entry("d/lib.so.2"), content=elf(soname="l"), mode=mode)
    found = look(path)
    assert [one.elf.soname for one in found.natives] == ["l"]
    assert (found.kind, found.unpacked, found.faults) == ("tar", len(elf(soname="l")), ())


def test_a_plain_archive_needs_no_record(tmp_path: Path) -> None:
    found = look(zipped(tmp_path / "x.zip", "m.py", "d/"))
    assert (found.faults, found.imports, found.has_compiled_code) == ((), ("m",), False)


def test_a_file_that_is_neither_library_nor_archive_has_no_inside(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b")
    assert look(tmp_path / "x.csv") == FileFacts()


def test_a_library_is_known_by_its_first_bytes_and_is_its_own_inside(tmp_path: Path) -> None:
    (tmp_path / "libgeos").write_bytes(elf(soname="libgeos.so.3"))
    found = look(tmp_path / "libgeos")
    assert (found.kind, found.natives[0].path, found.natives[0].elf.soname) == ("library", "libgeos", "libgeos.so.3")


def test_a_damaged_library_is_told_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "libx.so").write_bytes(elf()[:40])
    assert (fault(tmp_path / "libx.so").code, fault(tmp_path / "libx.so").severity) == ("E411", "error")


def test_in_an_archive_a_damaged_file_counts_only_if_it_is_loaded(tmp_path: Path) -> None:
    path = wheel(tmp_path, "a", files={"a/x.so": elf()[:40], "a/testdata.bin": elf()[:40]})
    assert [(one.code, one.severity) for one in look(path).faults] == [("E411", "error"), ("E411", "warning")]


@pytest.mark.parametrize(
    ("files", "imports"),
    [
        ({"m.py": "", "n.cpython-37m-x86_64-linux-gnu.so": "", "o.abi3.so": "", "p.so": ""}, ("m", "n", "o", "p")),
        ({"p/__init__.py": "", "p/q.py": "", "p/r/__init__.py": ""}, ("p",)),
        ({"p/__init__.cpython-37m.so": ""}, ("p",)),
        ({"namespace/q.py": "", "namespace/r/__init__.py": ""}, ()),
        ({"p/__init__.py": "__path__ = __import__('pkgutil').extend_path(__path__, __name__)"}, ()),
        ({"p/__init__.py": "__import__('pkg_resources').declare_namespace(__name__)"}, ()),
        (
            {
                "a.libs/libx.so.1": "",
                "a-1.0.data/scripts/x.py": "",
                "py.typed": "",
                "not-a-name.py": "",
                "__init__.py": "",
            },
            (),
        ),
    ],
)
def test_import_names_are_what_an_archive_alone_should_give(
    tmp_path: Path, files: Mapping[str, bytes | str], imports: tuple[str, ...]
) -> None:
    assert look(wheel(tmp_path, "a", files=files)).imports == imports


@pytest.mark.parametrize(
    ("name", "is_library"), [("x.so", True), ("libx.so.1.2", True), ("x.so.py", False), ("x.o", False)]
)
def test_what_is_loaded_has_the_name_of_a_library(name: str, is_library: bool) -> None:
    assert is_library_name(name) is is_library


# --- RECORD ---------------------------------------------------------------------------------------------------------------


def test_a_wheel_changed_behind_its_records_back_is_told_member_by_member(tmp_path: Path) -> None:
    def change(content: dict[str, bytes]) -> None:
        content["a/changed.py"] = b"other"
        del content["a/gone.py"]
        content["a/new.py"] = b""
        content["a-1.0.dist-info/RECORD.jws"] = b"a signature is made after RECORD"

    path = rewritten(wheel(tmp_path, "a", files={"a/changed.py": "1", "a/gone.py": "2", "a/same.py": "3"}), change)
    found = fault(path)
    assert (found.code, found.message) == ("E420", "does not hold what its RECORD says")
    assert found.detail == (
        "a/changed.py: other bytes than RECORD says",
        "a/gone.py: in RECORD and not in the wheel",
        "a/new.py: in the wheel and not in RECORD",
    )


def test_many_differences_are_cut_short_and_counted(tmp_path: Path) -> None:
    path = wheel(tmp_path, "a", files={f"a/{number}.py": "" for number in range(15)})
    found = fault(rewritten(path, lambda content: [content.pop(f"a/{number}.py") for number in range(15)]))
    assert (len(found.detail), found.detail[-1]) == (11, "and 5 more")


def test_a_wheel_without_record_cannot_be_proved(tmp_path: Path) -> None:
    path = rewritten(wheel(tmp_path, "a"), lambda content: content.pop("a-1.0.dist-info/RECORD"))
    assert fault(path).message == "has no RECORD of what is in it"


@pytest.mark.parametrize("hashed", ["", "md5=1B2M2Y8AsgTpgAmY7PhCfg"])
def test_a_hash_that_proves_nothing_is_no_hash(tmp_path: Path, hashed: str) -> None:
    def change(content: dict[str, bytes]) -> None:
        lines = content["a-1.0.dist-info/RECORD"].decode().splitlines()
        lines[0] = f"a.py,{hashed},0"
        content["a-1.0.dist-info/RECORD"] = "\n".join([*lines, "", ""]).encode()

    assert fault(rewritten(wheel(tmp_path, "a"), change)).detail == ("a.py: RECORD has no hash that proves it",)


@pytest.mark.parametrize("record", [b"\xff\xfe", b"a,sha256=x", b'"' + b"x" * 200_000])
def test_a_record_that_cannot_be_read_makes_it_no_wheel(tmp_path: Path, record: bytes) -> None:
    path = rewritten(wheel(tmp_path, "a"), lambda content: content.update({"a-1.0.dist-info/RECORD": record}))
    assert fault(path).code in {"E406", "E420"}


def test_a_record_larger_than_any_real_one_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "_MAX_RECORD", 10)
    assert fault(wheel(tmp_path, "a")).code == "E422"


def test_a_zip_archive_without_wheel_metadata_is_no_wheel(tmp_path: Path) -> None:
    assert fault(zipped(tmp_path / "a-1.0-py3-none-any.whl", "a.py")).message == (
        "is not a wheel: it has no .dist-info/WHEEL"
    )


# --- Unsafe archives ------------------------------------------------------------------------------------------------------


def attributed(name: str, attributes: int) -> ZipInfo:
    info = ZipInfo(name)
    info.create_system, info.external_attr = 3, attributes
    return info


def packed_by(name: str, method: int) -> ZipInfo:
    info = ZipInfo(name)
    info.compress_type = method
    return info


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("/etc/passwd",), "'/etc/passwd' is an absolute path"),
        (("C:/x",), "'C:/x' is an absolute path"),
        (("a/../../x",), "'a/../../x' leads out of its folder"),
        (("a\\b",), r"'a\\b' holds characters that mean different files to different systems"),
        (("a\nb",), r"'a\nb' holds characters that mean different files to different systems"),
        (("a", "b", "a"), "'a' comes twice"),
        (("Data.csv", "data.csv"), "'data.csv' differs from 'Data.csv' only in case"),
        ((attributed("link", SYMLINK),), "'link' is a symbolic link"),
        ((attributed("pipe", FIFO),), "'pipe' is neither a file nor a folder"),
        ((packed_by("x", ZIP_BZIP2),), "'x' is packed by method 12, which not every unpacker knows"),
    ],
)
def test_what_must_not_be_unpacked_is_named_and_nothing_of_it_is_read(
    tmp_path: Path, names: tuple[str | ZipInfo, ...], reason: str
) -> None:
    found = fault(zipped(tmp_path / "x.zip", *names))
    assert (found.code, found.detail) == ("E421", (reason,))


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", "secret")
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    struct.pack_into("<H", content, at + 8, 1)
    path.write_bytes(content)
    assert fault(path).detail == ("'secret' is encrypted",)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (tarfile.SYMTYPE, "is a link"),
        (tarfile.LNKTYPE, "is a link"),
        (tarfile.CHRTYPE, "is neither a file nor a folder"),
    ],
)
def test_links_and_devices_in_tar_archives_are_refused(tmp_path: Path, kind: bytes, reason: str) -> None:
    found = fault(tarred(tmp_path / "x.tar", entry("fine"), entry("odd", kind), entry("../out")))
    assert found.detail == (f"'odd' {reason}", "'../out' leads out of its folder")


def test_an_empty_name_is_no_name(tmp_path: Path) -> None:
    assert fault(tarred(tmp_path / "x.tar", entry(""))).detail == ("'' is no name",)


def test_folders_may_come_more_than_once(tmp_path: Path) -> None:
    assert look(zipped(tmp_path / "x.zip", "d/", "d/a", "D/", content=b"")).faults == ()


@pytest.mark.parametrize("name", ["x.zip", "x.jar", "x.tar", "x.tgz", "x-1.0-py3-none-any.whl"])
@pytest.mark.parametrize("content", [b"", b"no archive at all", b"\x1f\x8b\x08\x00cut off", b"PK\x05\x06" + bytes(18)])
def test_bytes_that_are_no_archive_are_told_as_such(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    found = look(tmp_path / name).faults
    is_empty_zip = content.startswith(b"PK\x05\x06") and name in {"x.zip", "x.jar"}
    assert [one.code for one in found] == ([] if is_empty_zip else ["E406" if name.endswith(".whl") else "E423"])


def test_an_archive_that_expands_too_far_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "_HARMLESS", 1 << 20)
    with ZipFile(tmp_path / "x.zip", "w", ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(4 << 20))
    assert fault(tmp_path / "x.zip").message == "expands too far: it unpacks to 0.0 GB, from 0.0 MB"
    tarred(tmp_path / "x.tgz", entry("zeros"), content=bytes(4 << 20), mode="w:gz")
    assert fault(tmp_path / "x.tgz").code == "E422"


def test_an_archive_with_too_many_members_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "MAX_MEMBERS", 2)
    assert fault(zipped(tmp_path / "x.zip", "a", "b", "c")).message == "expands too far: it holds more than 2 files"


def test_an_archive_with_too_many_native_files_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "_MAX_NATIVES", 1)
    assert fault(zipped(tmp_path / "x.zip", "a", "b", content=elf())).code == "E422"


def test_a_tar_header_that_asks_for_gigabytes_gets_none(tmp_path: Path) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 1 << 32
    (tmp_path / "x.tgz").write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)))
    assert fault(tmp_path / "x.tgz").code in {"E422", "E423"}


def test_a_member_whose_bytes_are_damaged_makes_it_no_wheel(tmp_path: Path) -> None:
    path = wheel(tmp_path, "a", files={"a.py": b"x = 1\n" * 100})
    content = bytearray(path.read_bytes())
    content[content.index(b"a.py") + 6] ^= 0xFF
    path.write_bytes(content)
    assert fault(path).code in {"E406", "E420"}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(["x.zip", "x.tgz", "x.tar", "x-1.0-py3-none-any.whl"]))
def test_archives_with_bytes_changed_anywhere_give_facts(tmp_path: Path, data: st.DataObject, name: str) -> None:
    if name.endswith(".whl"):
        content = bytearray(wheel(tmp_path, "x", files={"x.so": elf(needed=("libc.so.6",))}).read_bytes())
    elif name == "x.zip":
        content = bytearray(zipped(tmp_path / name, "a/b", "c", content=elf()).read_bytes())
    else:
        mode = "w" if name == "x.tar" else "w:gz"
        content = bytearray(
            tarred(tmp_path / name, entry("a"), entry("b"), content=elf(), mode=mode).read_bytes()[:4096]
        )
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=8)):
        content[at] = value
    (tmp_path / name).write_bytes(content)
    assert isinstance(look(tmp_path / name), FileFacts)


# --- Kept by hash ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []

    def counting(path: Path, kind: FileKind) -> FileFacts:
        seen.append(path.name)
        return inspect_file(path, kind)

    monkeypatch.setattr(inspection, "inspect_file", counting)
    return seen


def test_facts_are_found_again_by_the_hash_of_the_bytes(tmp_path: Path, counted: list[str]) -> None:
    path = wheel(
        tmp_path, "a", files={"x.so": elf(versions={"libc.so.6": ("GLIBC_2.34",)}), "y.py": "", "z.so": elf()[:9]}
    )
    first = inspect_once(path, "ab12", tmp_path / "facts")
    assert inspect_once(path, "ab12", tmp_path / "facts") == first
    assert first.natives[0].elf.versions == (("libc.so.6", ("GLIBC_2.34",)),)
    assert counted == [path.name]


def test_the_same_bytes_under_the_name_of_another_form_are_looked_at_again(tmp_path: Path, counted: list[str]) -> None:
    path = wheel(tmp_path, "a")
    assert inspect_once(path, "ab12", tmp_path / "facts").kind == "wheel"
    archive = path.rename(tmp_path / "a.zip")
    assert inspect_once(archive, "ab12", tmp_path / "facts").kind == "zip"
    assert len(counted) == 2


@pytest.mark.parametrize("kept", [b"", b"{", b'{"kind": "spoon"}', b"\xff", zlib.compress(b"{}")])
def test_facts_that_cannot_be_read_are_found_out_again(tmp_path: Path, counted: list[str], kept: bytes) -> None:
    path = wheel(tmp_path, "a")
    first = inspect_once(path, "ab12", tmp_path / "facts")
    (place,) = (tmp_path / "facts").rglob("*.json")
    place.write_bytes(kept)
    assert inspect_once(path, "ab12", tmp_path / "facts") == first
    assert len(counted) == 2


def test_a_folder_that_cannot_be_written_costs_time_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "facts").write_text("a file where the folder should be")
    assert inspect_once(wheel(tmp_path, "a"), "ab12", tmp_path / "facts").imports == ("a",)


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    assert inspect_once(wheel(tmp_path, "a"), "ab12", None).imports == ("a",)
