"""Code of functions and layers: a ZIP file from the request, or from a bucket, checked and ready to be kept."""

from __future__ import annotations

import base64
import binascii
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.local.fc.checksums import CodeChecksum
from reconciler.local.fc.database import StoredCode
from reconciler.local.fc.refusals import invalid_argument, too_large
from reconciler.local.http.messages import HttpRefusal
from reconciler.local.storage.blobs import Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.local.fc.service import FcService

_PIECE = 3 << 18
"""Characters of base64 that are decoded at once; a multiple of four."""


@dataclass(frozen=True)
class IncomingCode:
    """Code that is complete and checked, but that nothing refers to yet."""

    code: StoredCode
    keep: Callable[[], None]
    """To be called in the transaction that stores the function or layer."""


@contextmanager
def receive_code(service: FcService, location: Any) -> Iterator[IncomingCode]:
    """
    Yield what ``code`` of a request stands for (documented: ``zipFile``, or ``ossBucketName`` and ``ossObjectName``).

    With ``checksum`` the service holds the ZIP file against it (documented); the code of a mismatch is a guess.
    """
    if not isinstance(location, dict):
        raise invalid_argument("code must be an object")
    if text := location.get("zipFile"):
        with _decode(service, text) as incoming:
            _require_checksum(location, incoming.code)
            yield incoming
    elif location.get("ossBucketName") and location.get("ossObjectName"):
        code = _find_object(service, str(location["ossBucketName"]), str(location["ossObjectName"]))
        _require_checksum(location, code)
        yield IncomingCode(code, lambda: None)
    else:
        raise invalid_argument("code needs zipFile, or ossBucketName and ossObjectName")


@contextmanager
def _decode(service: FcService, text: Any) -> Iterator[IncomingCode]:
    if not isinstance(text, str) or not text.isascii():
        raise invalid_argument("zipFile is not base64")
    limit, checksum = service.settings.max_code_bytes, CodeChecksum()
    with service.store.blobs.upload(with_md5=False) as upload:
        for start in range(0, len(text), _PIECE):
            try:
                piece = base64.b64decode(text[start : start + _PIECE], validate=True)
            except binascii.Error:
                raise invalid_argument("zipFile is not base64") from None
            checksum.update(piece)
            upload.write(memoryview(piece))
            if upload.size > limit:
                raise too_large(limit)
        content = upload.finish(sync=service.settings.sync)
        _require_zip(upload.path)
        code = StoredCode(content.segments[0].sha256, content.size, str(checksum))
        yield IncomingCode(code, lambda: service.store.blobs.keep(upload, content))


def _find_object(service: FcService, bucket: str, key: str) -> StoredCode:
    with service.store.reading() as rows:
        record = rows.find("object", key, bucket)
        if record is None or record.code.sha256 is None:
            # The code is OSS's own; that Function Compute hands it on is a guess.
            raise HttpRefusal(400, "InvalidArgument", f"NoSuchKey: object '{key}' of bucket '{bucket}' cannot be read")
        files = service.store.blobs.open((Segment(record.code.sha256, record.code.size),))
    with files[0] as file:
        if not zipfile.is_zipfile(file):
            raise invalid_argument("code is no ZIP file")
    if record.code.size > service.settings.max_oss_code_bytes:
        raise too_large(service.settings.max_oss_code_bytes)
    return record.code


def _require_zip(path: Path) -> None:
    # That the service looks is a guess; what is no ZIP file could not be run.
    try:
        with zipfile.ZipFile(path) as archive:
            archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError):
        raise invalid_argument("code is no ZIP file") from None


def _require_checksum(location: dict[str, Any], code: StoredCode) -> None:
    expected = location.get("checksum")
    if expected and str(expected) != code.checksum:
        raise invalid_argument(f"code checksum mismatch: the request says {expected}, the file has {code.checksum}")
