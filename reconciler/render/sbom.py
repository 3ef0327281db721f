"""
An inventory as a CycloneDX 1.6 document, by the library that the format's makers maintain.

The same inventory gives the same bytes: there is no time in it, and its serial number follows from its content. A scanner
finds wheels under ``pkg:pypi/…`` and Debian's packages under ``pkg:deb/debian/…``, whatever mirror or folder they came from.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import DisjunctiveLicense, License, LicenseAcknowledgement
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cyclonedx.model.bom_ref import BomRef

    from reconciler.packages.inventory import Inventory, InventoryPart

_DECLARED = LicenseAcknowledgement.DECLARED


def render_sbom(inventory: Inventory, version: str) -> str:
    """Return the document; `version` is that of the tool."""
    stack = Component(name=inventory.stack, type=ComponentType.APPLICATION, bom_ref=f"stack:{inventory.stack}")
    tool = Component(name="udfs", version=version, type=ComponentType.APPLICATION, bom_ref="tool:udfs")
    components = {part.sha256: _component(part) for part in inventory.parts}
    metadata = BomMetaData(component=stack, tools=ToolRepository(components=[tool]))
    metadata.timestamp = None  # type: ignore[assignment]  # the format can do without, and the library sets the clock's
    dependencies = [_dependency(components[part].bom_ref, needs, components) for part, needs in inventory.needs]
    bom = Bom(
        components=components.values(),
        serial_number=uuid5(NAMESPACE_URL, f"udfs:{hashlib.sha256(repr(inventory).encode()).hexdigest()}"),
        metadata=metadata,
        dependencies=[_dependency(stack.bom_ref, inventory.asked_for, components), *dependencies],
    )
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _component(part: InventoryPart) -> Component:
    return Component(
        name=part.name,
        version=part.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"sha256:{part.sha256}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=part.sha256)],
        licenses=_licences(part.licences),
        purl=_purl(part),
        properties=_properties(part),
    )


def _purl(part: InventoryPart) -> PackageURL | None:
    if part.kind == "wheel":
        return PackageURL("pypi", name=part.name, version=part.version, qualifiers={"file_name": part.file})
    if part.kind == "deb":
        # The words of the type `deb` in the specification of package URLs.
        qualifiers = {"arch": part.architecture or "", "distro": part.suite or ""}
        return PackageURL("deb", "debian", part.name, part.version, qualifiers=qualifiers)
    return None


def _licences(names: tuple[str, ...]) -> list[License]:
    # An expression stands alone [CycloneDX 1.6, licenses]; several names are so many licences.
    if len(names) == 1:
        return [LicenseFactory().make_from_string(names[0], license_acknowledgement=_DECLARED)]
    return [DisjunctiveLicense(name=name, acknowledgement=_DECLARED) for name in names]


def _properties(part: InventoryPart) -> Iterator[Property]:
    if part.kind != "wheel":
        yield Property(name="udfs:file", value=part.file)
    if part.built_from:
        file, sha256 = part.built_from
        yield Property(name="udfs:built-from", value=file)
        yield Property(name="udfs:built-from:sha256", value=sha256)


def _dependency(ref: BomRef, needs: Iterable[str], components: dict[str, Component]) -> Dependency:
    return Dependency(ref=ref, dependencies=[Dependency(ref=components[need].bom_ref) for need in needs])
