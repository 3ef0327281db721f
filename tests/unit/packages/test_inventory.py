"""The bill of materials: each file once, who asked for it, and a document that CycloneDX's own schema accepts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from reconciler.manifest.section import read_section
from reconciler.packages.artifacts import Archive, Artifacts, Library, Wheel
from reconciler.packages.content import read_content
from reconciler.packages.inspect.contents import FileFacts
from reconciler.packages.inventory import licences, take_inventory
from reconciler.packages.lock.file import Lock
from reconciler.render.sbom import render_sbom
from reconciler.targets.maxcompute.runtimes import RUNTIMES
from tests.builders import sha256, wheel

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.packages.inventory import Inventory


def _archive(path: Path) -> Archive:
    content = read_content(path)
    return Archive(f"{path.stem}.zip", content, (Wheel(path.name, content, native=False),), FileFacts("wheel"))


CP37 = RUNTIMES["cp37"]


def _take(packages: dict[str, tuple[Archive | Library, ...]], lock: dict[str, Any]) -> Inventory:
    """Take the inventory of packages that functions of Python 3.7 use."""
    artifacts = Artifacts(
        {},
        {
            (name, "cp37"): tuple(part for part in parts if isinstance(part, Archive))
            for name, parts in packages.items()
        },
        {name: tuple(part for part in parts if isinstance(part, Library)) for name, parts in packages.items()},
    )
    return take_inventory("s", artifacts, [(name, CP37) for name in packages], read_section(Lock, {"packages": lock}))


def _locked(path: Path, **more: Any) -> dict[str, Any]:
    name, version, tag = path.stem.split("-", 2)
    return {"name": name, "version": version, "file": path.name, "tag": tag, "sha256": sha256(path), **more}


def _group(*files: dict[str, Any]) -> dict[str, Any]:
    return {"inputs": {"python": "3.7.3", "platform": "manylinux_2_17_x86_64"}, "files": list(files)}


@pytest.fixture
def shelf(tmp_path: Path) -> dict[str, Path]:
    return {name: wheel(tmp_path, name) for name in ("app", "base", "own")}


@pytest.fixture
def found(shelf: dict[str, Path], tmp_path: Path) -> Inventory:
    """A package that asked for `app`, which brought `base`; one that pins `own` and `base`; a library."""
    (tmp_path / "libx-1.so").write_bytes(b"\x7fELF")
    library = Library("libx.so.1", "build/libx-1.so", 0, read_content(tmp_path / "libx-1.so"), FileFacts("library"))
    app, base, own = (_archive(shelf[name]) for name in ("app", "base", "own"))
    source = {"file": "base-1.0.tar.gz", "sha256": "5" * 64, "built_with": "zig"}
    group = _group(
        _locked(shelf["app"], requirements=["app>=1"]), _locked(shelf["base"], needed_by=["app"], source=source)
    )
    return _take({"p": (app, base), "q": (own, base, library)}, {"p": {"cp37": group}})


def test_each_file_is_there_once_with_who_asked_for_it(found: Inventory, shelf: dict[str, Path]) -> None:
    assert [(part.kind, part.name, part.version, part.file) for part in found.parts] == [
        ("library", "libx.so.1", None, "libx-1.so"),
        ("wheel", "app", "1.0", "app-1.0-py3-none-any.whl"),
        ("wheel", "base", "1.0", "base-1.0-py3-none-any.whl"),
        ("wheel", "own", "1.0", "own-1.0-py3-none-any.whl"),
    ]
    hashes = {name: sha256(path) for name, path in shelf.items()}
    library = found.parts[0].sha256
    # The second package pins `base` itself, so it did not only come along.
    assert found.asked_for == (library, hashes["app"], hashes["base"], hashes["own"])
    assert {part: needed for part, needed in found.needs if needed} == {hashes["app"]: (hashes["base"],)}
    assert found.parts[2].built_from == ("base-1.0.tar.gz", "5" * 64)


def test_what_only_came_along_was_not_asked_for(shelf: dict[str, Path]) -> None:
    group = _group(_locked(shelf["app"], requirements=["app"]), _locked(shelf["base"], needed_by=["app", "absent"]))
    taken = _take({"p": (_archive(shelf["app"]), _archive(shelf["base"]))}, {"p": {"cp37": group}})
    assert taken.asked_for == (sha256(shelf["app"]),)


def test_debian_packages_are_parts_under_the_names_that_scanners_know() -> None:
    file = "pool/main/libz/libz/{}_1.2-3_amd64.deb"
    debs = [
        {
            "name": "tool",
            "version": "1.2-3",
            "architecture": "amd64",
            "file": file.format("tool"),
            "size": 9,
            "sha256": "a" * 64,
        },
        {
            "name": "libz1",
            "version": "1.2-3",
            "architecture": "amd64",
            "file": file.format("libz1"),
            "size": 9,
            "sha256": "b" * 64,
            "because": "tool",
            "suite": "bookworm-security",
        },
    ]
    group = {**_group(), "debs": debs}
    group["inputs"] = {**group["inputs"], "suite": "bookworm"}
    taken = _take({"p": ()}, {"p": {"cp37": group}})
    assert taken.asked_for == ("a" * 64,)
    assert taken.needs == (("b" * 64, ()), ("a" * 64, ("b" * 64,)))
    text = render_sbom(taken, "1.2")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert [component["purl"] for component in json.loads(text)["components"]] == [
        "pkg:deb/debian/libz1@1.2-3?arch=amd64&distro=bookworm-security",
        "pkg:deb/debian/tool@1.2-3?arch=amd64&distro=bookworm",
    ]


def test_the_document_is_cyclonedx_and_always_the_same(found: Inventory) -> None:
    text = render_sbom(found, "1.2")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert render_sbom(found, "1.2") == text
    made = json.loads(text)
    assert "timestamp" not in made["metadata"]
    purls = [component.get("purl") for component in made["components"]]
    assert "pkg:pypi/app@1.0?file_name=app-1.0-py3-none-any.whl" in purls
    (root,) = [one for one in made["dependencies"] if one["ref"] == "stack:s"]
    assert len(root["dependsOn"]) == 4


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: x\n", ("MIT OR Apache-2.0",)),
        ("License: BSD-3-Clause\nClassifier: License :: OSI Approved :: BSD License\n", ("BSD-3-Clause",)),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: BSD License\n", ("BSD License",)),
        ("License: Copyright (c) somebody\n        All rights reserved.\nClassifier: License :: OSI Approved\n", ()),
        (
            "Classifier: License :: OSI Approved :: MIT License\nClassifier: License :: Public Domain\n",
            ("MIT License", "Public Domain"),
        ),
        ("", ()),
    ],
)
def test_a_licence_is_what_the_metadata_declares(metadata: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    head = "Metadata-Version: 2.4\nName: a\nVersion: 1\n"
    path = tmp_path / "a-1-py3-none-any.whl"
    with ZipFile(path, "w") as archive:
        archive.writestr("a-1.dist-info/METADATA", head + metadata)
    assert licences(path) == expected
    text = render_sbom(_take({"p": (_archive(path),)}, {}), "1")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_a_wheel_that_cannot_be_read_declares_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"PK")
    assert licences(tmp_path / "a.whl") == licences(tmp_path / "absent.whl") == ()
