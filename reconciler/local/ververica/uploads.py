"""
Uploads: an address for one file, which is signed itself, so that whoever has it needs no key.

The real address is one of OSS; that it takes one PUT, for how long, how much and with which headers is not settled.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.local.fc.database import new_document
from reconciler.local.fc.objects import ObjectCall
from reconciler.local.http.messages import HttpRefusal
from reconciler.local.ververica.service import answer_data, refuse

if TYPE_CHECKING:
    from reconciler.local.http.body import Body
    from reconciler.local.http.head import RequestHead
    from reconciler.local.http.messages import Response
    from reconciler.local.ververica.service import ApiRequest, VervericaService

ROOT = "_put"
"""No bucket's name begins so."""


@dataclass(frozen=True)
class UploadCalls:
    """Handlers of ``/artifacts/v2``."""

    service: VervericaService

    def presign(self, request: ApiRequest) -> Response:
        """
        ``GET …/getPreSignedUrlForPutObject?fileName=`` (read in the SDK): ``jarUrl`` and ``preSignedUrl``.

        That the file comes to lie under ``artifacts/namespaces/N/`` is documented for uploads of the console.
        """
        name = request.text("fileName")
        if not name or name.startswith("/") or ".." in name.split("/"):
            raise refuse("InvalidParameter", "fileName is required, and no path that leads elsewhere")
        settings, token, now = self.service.settings, secrets.token_urlsafe(24), self.service.now()
        key = f"artifacts/namespaces/{request.namespace}/{name}"
        document = {"bucket": settings.bucket, "key": key, "expires": now + settings.presigned_seconds}
        with self.service.store.writing() as rows:
            rows.add(new_document("upload", token, document, now))
        address = f"http://{self.service.objects.address}/{ROOT}/{token}"
        return answer_data(request, {"jarUrl": f"oss://{settings.bucket}/{key}", "preSignedUrl": address})


@dataclass(frozen=True)
class PresignedUpload:
    """``PUT /_put/<token>``: the file that an address is for."""

    service: VervericaService
    head: RequestHead
    token: str

    @property
    def path(self) -> str:
        return f"/{ROOT}/{self.token}"

    def answer(self, body: Body, request_id: str) -> Response:
        """Refusals are OSS's own: 403 ``AccessDenied`` for an address that has ended, 400 ``EntityTooLarge`` (documented there)."""
        del request_id
        settings = self.service.settings
        with self.service.store.reading() as rows:
            record = rows.find("upload", self.token)
        if self.head.method != "PUT" or record is None or record.document["expires"] < self.service.now():
            raise HttpRefusal(403, "AccessDenied", "Request has expired.")
        if settings.presigned_headers == "none" and "Content-Type" in self.head.headers:
            raise HttpRefusal(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
        if settings.presigned_bytes and (body.length is None or body.length > settings.presigned_bytes):
            raise HttpRefusal(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size.")
        bucket, key = record.document["bucket"], record.document["key"]
        return ObjectCall(self.service.objects, self.head, bucket, key).put_object(body)
