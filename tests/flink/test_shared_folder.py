"""What a shared folder gives, which others write to as well."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.base.errors import PackageError, Position, ServiceError
from reconciler.core.kind import Mark
from reconciler.core.state import Desired
from reconciler.targets.flink.folder import SharedFolder
from reconciler.targets.flink.objects import FILE, SharedFile
from reconciler.targets.flink.target import FlinkTarget
from reconciler.targets.planned_files import open_planned

if TYPE_CHECKING:
    from pathlib import Path

HERE = Position("udfs.yaml", 1, 1)


@pytest.mark.parametrize("kind", ["a pipe", "nothing", "a folder"])
def test_only_a_file_of_the_shared_folder_is_fetched(kind: str, tmp_path: Path) -> None:
    folder = SharedFolder(tmp_path, "risk")
    cluster: Any = None
    place = folder.path("3fa9c1d2/udfs.py")
    place.parent.mkdir(parents=True)
    if kind == "a pipe":
        os.mkfifo(place)
    elif kind == "a folder":
        place.mkdir()
    with pytest.raises(ServiceError) as refused:
        FlinkTarget(cluster, folder).download(FILE.key("3fa9c1d2/udfs.py"), tmp_path / "copy")
    assert refused.value.problems[0].code == "E497"


def test_a_file_that_grows_shorter_while_it_is_copied_leaves_nothing_under_its_name(tmp_path: Path) -> None:
    """A listing would call it by a content that it does not have."""
    source, content = tmp_path / "model.bin", b"1" * (20 << 20)
    source.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    name = f"{sha256[:8]}/model.bin"
    desired = Desired(SharedFile(name, sha256, len(content)), HERE, Mark("risk", sha256, sha256))
    folder = SharedFolder(tmp_path / "shared", "risk")
    with open_planned({sha256: source}, desired) as file, pytest.raises(PackageError, match="changed since the plan"):
        folder.put_file(name, file, lambda _: os.truncate(source, 5 << 20))
    assert [path for path in (tmp_path / "shared").rglob("*") if path.is_file()] == []
