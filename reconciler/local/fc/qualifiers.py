"""Qualifiers: LATEST, a published version, or an alias, and what each stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.local.fc.database import padded_number
from reconciler.local.fc.refusals import missing_object
from reconciler.local.fc.service import LATEST

if TYPE_CHECKING:
    from reconciler.local.fc.database import FcRecords, StoredDocument

CHILDREN = ("trigger", "alias", "version", "concurrency")
"""What belongs to a function."""


def resolve(rows: FcRecords, function: StoredDocument, qualifier: str | None) -> StoredDocument:
    """Return what of a function a qualifier leads to: itself for LATEST, else a version; 404 for none (documented codes)."""
    if qualifier in (None, "", LATEST):
        return function
    if qualifier.isascii() and qualifier.isdigit():
        return find_version(rows, function.name, qualifier)
    alias = rows.find("alias", qualifier, function.name)
    if alias is None:
        raise missing_object("alias", qualifier)
    return resolve(rows, function, alias.document["versionId"])


def find_version(rows: FcRecords, function: str, number: str) -> StoredDocument:
    """Return a published version; 404 ``VersionNotFound`` (documented)."""
    record = None
    if number.isascii() and number.isdigit() and len(number) <= 9:
        record = rows.find("version", padded_number(int(number)), function)
    if record is None:
        raise missing_object("version", number)
    return record
