"""Resources, as PyODPS uses them."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any

import pytest
from odps import errors, options

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.conftest import Connect, Unique

TEXT = "first line\nsecond line, with an umlaut: ü\nlast line"


@pytest.mark.parametrize("kind", ["file", "py", "jar", "archive"])
def test_a_created_resource_is_there_with_what_was_said_about_it(
    odps: Any, connect: Connect, unique: Unique, kind: str
) -> None:
    name = unique("res.py")
    odps.create_resource(name, kind, fileobj=b"content", comment="made by a test")
    found = connect().get_resource(name)
    assert (found.name, found.type.value, found.size) == (name, kind.upper(), 7)
    assert found.comment == "made by a test"
    assert found.content_md5 == hashlib.md5(b"content").hexdigest()
    assert found.owner
    assert not found.last_updator  # as recordings have it, until somebody updates
    assert found.creation_time <= found.last_modified_time


@pytest.mark.parametrize(
    "content",
    ["text", b"bytes", io.BytesIO(b"a file in memory"), io.StringIO("text in memory: ü")],
    ids=["str", "bytes", "BytesIO", "StringIO"],
)
def test_content_may_come_from_anything_pyodps_takes(odps: Any, connect: Connect, unique: Unique, content: Any) -> None:
    name = unique("res.txt")
    odps.create_resource(name, "file", fileobj=content)
    expected = content.getvalue() if hasattr(content, "getvalue") else content
    expected = expected.encode() if isinstance(expected, str) else expected
    with connect().open_resource(name, mode="rb") as found:
        assert found.read() == expected


def test_a_file_on_disk_is_uploaded_in_parts_when_it_is_large(
    odps: Any, connect: Connect, unique: Unique, tmp_path: Path, small_chunks: int
) -> None:
    name, content = unique("big.bin"), bytes(range(256)) * 2
    (tmp_path / "big.bin").write_bytes(content)
    with (tmp_path / "big.bin").open("rb") as file:
        odps.create_resource(name, "file", fileobj=file)
    found = connect().get_resource(name)
    assert found.size == len(content)
    assert found.content_md5 == hashlib.md5(content).hexdigest()
    with found.open("rb") as opened:
        assert opened.read() == content


def test_the_parts_of_an_upload_are_never_listed(odps: Any, unique: Unique, small_chunks: int) -> None:
    name = unique("big.bin")
    odps.create_resource(name, "file", fileobj=io.BytesIO(b"x" * 95))
    assert [found.name for found in odps.list_resources(prefix=name)] == [name]


def test_a_large_resource_is_replaced_in_parts(connect: Connect, unique: Unique, small_chunks: int) -> None:
    name = unique("big.bin")
    connect().create_resource(name, "file", fileobj=io.BytesIO(b"old" * 20))
    connect().get_resource(name).update(file_obj=io.BytesIO(b"newer" * 20))
    with connect().open_resource(name, mode="rb") as found:
        assert found.read() == b"newer" * 20


def test_reading_with_r_gives_text_and_rb_gives_bytes(odps: Any, connect: Connect, unique: Unique) -> None:
    name = unique("res.txt")
    odps.create_resource(name, "file", fileobj=TEXT)
    with connect().open_resource(name, mode="r") as found:
        assert found.read() == TEXT
        found.seek(0)
        assert found.readline() == "first line\n"
        found.seek(0)
        assert list(found) == TEXT.splitlines(keepends=True)
    with connect().open_resource(name, mode="rb") as found:
        assert found.read() == TEXT.encode()


@pytest.mark.parametrize("mode", ["w", "w+"])
def test_writing_with_w_replaces_everything(odps: Any, connect: Connect, unique: Unique, mode: str) -> None:
    name = unique("res.txt")
    odps.create_resource(name, "file", fileobj="old content, longer than the new")
    with connect().open_resource(name, mode=mode, type="file") as opened:
        opened.write("new")
    with connect().open_resource(name, mode="r") as found:
        assert found.read() == "new"


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_writing_with_w_creates_what_is_not_there(odps: Any, connect: Connect, unique: Unique, mode: str) -> None:
    name = unique("res.txt")
    with odps.open_resource(name, mode=mode, type="file", comment="said at opening") as opened:
        opened.write("new" if mode == "w" else b"new")
    found = connect().get_resource(name)
    assert (found.size, found.comment) == (3, "said at opening")


def test_reading_and_writing_with_r_plus_changes_a_part(odps: Any, connect: Connect, unique: Unique) -> None:
    name = unique("res.txt")
    odps.create_resource(name, "file", fileobj="0123456789")
    with connect().open_resource(name, mode="r+") as opened:
        opened.seek(3)
        opened.write("xyz")
        opened.seek(8)
        opened.truncate()
    with connect().open_resource(name, mode="r") as found:
        assert found.read() == "012xyz67"


@pytest.mark.parametrize("mode", ["a", "a+", "ab", "a+b"])
def test_appending_keeps_what_is_there(odps: Any, connect: Connect, unique: Unique, mode: str) -> None:
    name = unique("res.txt")
    odps.create_resource(name, "file", fileobj="one,")
    with connect().open_resource(name, mode=mode) as opened:
        opened.write(b"two" if "b" in mode else "two")
    with connect().open_resource(name, mode="r") as found:
        assert found.read() == "one,two"


@pytest.mark.parametrize("mode", ["r", "rb"])
def test_streaming_reads_in_pieces_and_seeks(
    odps: Any, connect: Connect, unique: Unique, small_chunks: int, mode: str
) -> None:
    name, content = unique("res.txt"), "0123456789" * 5 + "\nlast"
    odps.create_resource(name, "file", fileobj=io.BytesIO(content.encode()))
    whole: Any = content.encode() if mode == "rb" else content
    with connect().open_resource(name, mode=mode, stream=True) as found:
        assert found.read(7) == whole[:7]
        assert found.read() == whole[7:]
    with connect().open_resource(name, mode=mode, stream=True) as found:
        assert list(found) == whole.splitlines(keepends=True)
    with connect().open_resource(name, mode=mode, stream=True) as found:
        found.seek(25)
        assert found.read(5) == whole[25:30]


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_streaming_writes_in_parts(odps: Any, connect: Connect, unique: Unique, small_chunks: int, mode: str) -> None:
    name, content = unique("res.txt"), "0123456789" * 5 + "tail"
    with odps.open_resource(name, mode=mode, type="file", stream=True) as opened:
        for start in range(0, len(content), 7):
            piece = content[start : start + 7]
            opened.write(piece.encode() if mode == "wb" else piece)
    with connect().open_resource(name, mode="r") as found:
        assert found.read() == content


def test_streaming_over_an_existing_resource_replaces_it(
    odps: Any, connect: Connect, unique: Unique, small_chunks: int
) -> None:
    name = unique("res.txt")
    odps.create_resource(name, "file", fileobj=io.BytesIO(b"old" * 30))
    with connect().open_resource(name, mode="wb", stream=True) as opened:
        opened.write(b"new" * 30)
    with connect().open_resource(name, mode="rb") as found:
        assert found.read() == b"new" * 30


def test_an_empty_resource_can_be_streamed(odps: Any, connect: Connect, unique: Unique) -> None:
    """PyODPS then merges no parts at all."""
    name = unique("empty.txt")
    with odps.open_resource(name, mode="wb", type="file", stream=True):
        pass
    assert connect().get_resource(name).size == 0


def test_an_update_replaces_content_and_keeps_name_owner_and_birthday(
    odps: Any, connect: Connect, unique: Unique
) -> None:
    name = unique("res.py")
    odps.create_resource(name, "py", fileobj="old", comment="kept")
    before = connect().get_resource(name)
    before.update(file_obj="newer")
    after = connect().get_resource(name)
    assert after.size == 5
    assert after.content_md5 == hashlib.md5(b"newer").hexdigest()
    assert (after.name, after.owner, after.creation_time) == (name, before.owner, before.creation_time)
    assert (after.comment, after.type) == ("kept", before.type)


def test_names_are_found_whatever_their_case_and_keep_their_first_spelling(
    odps: Any, connect: Connect, unique: Unique
) -> None:
    name = unique("Mixed.Py")
    odps.create_resource(name, "py", fileobj="one")
    assert odps.exist_resource(name.lower())
    assert odps.exist_resource(name.upper())
    connect().get_resource(name.lower()).update(file_obj="two")
    assert [found.name for found in connect().list_resources(prefix=name)] == [name]
    with connect().open_resource(name.upper(), mode="r") as found:
        assert found.read() == "two"


def test_a_second_create_of_a_name_is_refused_and_changes_nothing(odps: Any, connect: Connect, unique: Unique) -> None:
    name = unique("res.py")
    odps.create_resource(name, "py", fileobj="first")
    with pytest.raises(errors.ODPSError) as refused:
        connect().create_resource(name, "py", fileobj="second")
    assert refused.value.code == "ObjectAlreadyExists"
    with connect().open_resource(name, mode="r") as found:
        assert found.read() == "first"


def test_a_second_create_in_parts_is_refused_too(
    odps: Any, connect: Connect, unique: Unique, small_chunks: int
) -> None:
    name = unique("big.bin")
    odps.create_resource(name, "file", fileobj=io.BytesIO(b"1" * 40))
    with pytest.raises(errors.ODPSError) as refused:
        connect().create_resource(name, "file", fileobj=io.BytesIO(b"2" * 40))
    assert refused.value.code == "ObjectAlreadyExists"
    with connect().open_resource(name, mode="rb") as found:
        assert found.read() == b"1" * 40


def test_a_deleted_resource_is_gone_and_its_name_is_free(odps: Any, connect: Connect, unique: Unique) -> None:
    name = unique("res.py")
    odps.create_resource(name, "py", fileobj="first")
    odps.delete_resource(name)
    assert not connect().exist_resource(name)
    odps.create_resource(name, "file", fileobj="second")
    assert connect().get_resource(name).type.value == "FILE"


def test_what_is_not_there_cannot_be_read_or_deleted(odps: Any, unique: Unique) -> None:
    name = unique("nothing.py")
    assert not odps.exist_resource(name)
    with pytest.raises(errors.NoSuchObject):
        odps.get_resource(name)
    with pytest.raises(errors.NoSuchObject):
        odps.delete_resource(name)


def test_a_temporary_resource_is_addressable_but_not_listed(odps: Any, connect: Connect, unique: Unique) -> None:
    name = unique("temp.txt")
    odps.create_resource(name, "file", fileobj="x", temp=True)
    assert connect().get_resource(name).is_temp_resource
    assert list(connect().list_resources(prefix=name)) == []


def test_a_list_says_everything_but_the_md5(odps: Any, connect: Connect, unique: Unique) -> None:
    name = unique("res.py")
    odps.create_resource(name, "py", fileobj="content", comment="in the list")
    (found,) = connect().list_resources(prefix=name)
    said = {field: found._getattr(field) for field in ("name", "comment", "size")}
    assert said == {"name": name, "comment": "in the list", "size": 7}
    assert found._getattr("type").value == "PY"
    assert not found._getattr("last_updator")
    assert found._getattr("last_modified_time")


def test_a_table_resource_points_at_its_table(odps: Any, connect: Connect, unique: Unique) -> None:
    name = unique("table_res")
    odps.create_resource(name, "table", table_name="dual", partition="pt='x'")
    found = connect().get_resource(name)
    assert found.type.value == "TABLE"
    assert found.get_source_table().name == "dual"
    assert str(found.get_source_table_partition()) == "pt='x'"
    found.update(table_name="other")
    assert connect().get_resource(name).get_source_table().name == "other"


def test_switching_parts_off_uploads_in_one_piece(
    odps: Any, connect: Connect, unique: Unique, small_chunks: int
) -> None:
    name = unique("big.bin")
    options.upload_resource_in_chunks = False
    try:
        odps.create_resource(name, "file", fileobj=io.BytesIO(b"x" * 100))
    finally:
        options.upload_resource_in_chunks = True
    assert connect().get_resource(name).size == 100
