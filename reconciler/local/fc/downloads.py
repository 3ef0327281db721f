"""Downloads of code: what ``GetFunctionCode`` and ``GetLayerVersion`` give an address of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from reconciler.local.http.messages import HttpRefusal, Response, Span
from reconciler.local.storage.blobs import Segment

if TYPE_CHECKING:
    from reconciler.local.fc.service import FcService
    from reconciler.local.http.body import Body

ROOT = "_code"
"""No bucket's name begins so."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class CodeDownload:
    """
    ``GET /_code/<sha256>``: a ZIP file; nobody has to sign, as with the service's own addresses, which end after some minutes.

    Ours do not end, and are known only to who was told them: they hold the hash of what they lead to.
    """

    service: FcService
    method: str
    parts: tuple[str, ...]

    @property
    def path(self) -> str:
        return "/".join(("", *self.parts))

    def answer(self, body: Body, request_id: str) -> Response:
        """Answer it; 404 as OSS does (documented there)."""
        del body, request_id
        name = self.parts[1] if len(self.parts) == 2 else ""
        if self.method not in {"GET", "HEAD"} or _SHA256.fullmatch(name) is None:
            raise HttpRefusal(404, "NoSuchKey", "The specified key does not exist.")
        file = open_blob(self.service, name)
        return Response(status=200, content_type="application/zip", spans=(Span(file, 0, file.seek(0, 2)),))


def open_blob(service: FcService, sha256: str) -> BinaryIO:
    """Return the bytes of a blob; 404 where it was replaced in the meantime."""
    try:
        [file] = service.store.blobs.open((Segment(sha256, 0),))
    except FileNotFoundError:
        raise HttpRefusal(404, "NoSuchKey", "The specified key does not exist.") from None
    return file
