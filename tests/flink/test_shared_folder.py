"""What a shared folder gives, which others write to as well."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.base.errors import ServiceError
from reconciler.targets.flink.folder import SharedFolder
from reconciler.targets.flink.objects import FILE
from reconciler.targets.flink.target import FlinkTarget

if TYPE_CHECKING:
    from pathlib import Path


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
