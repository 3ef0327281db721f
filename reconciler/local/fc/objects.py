"""
OSS, as far as code and a ledger need it: objects and their lists, at ``/bucket/key`` (path style, as SDKs have it for an IP address).

Documented in the API pages PutObject, GetObject, HeadObject, DeleteObject, ListObjects and ListObjectsV2 unless a docstring says
otherwise. There are no versions of objects, no parts, no other storage classes, and no rights of others.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from reconciler.local.fc.checksums import CodeChecksum
from reconciler.local.fc.database import StoredCode, StoredDocument, new_document
from reconciler.local.fc.downloads import open_blob
from reconciler.local.fc.object_signing import require_object_signature
from reconciler.local.fc.service import query_parameters, show_time
from reconciler.local.http.messages import HttpRefusal, MalformedRequest, Response, Span
from reconciler.local.storage.blobs import EMPTY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.local.fc.database import FcRecords
    from reconciler.local.fc.service import FcService
    from reconciler.local.http.body import Body
    from reconciler.local.http.head import RequestHead

_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
_MOST_KEY_BYTES = 1023
_USUAL_KEYS, _MOST_KEYS = 100, 1000
_XML = "application/xml"


@dataclass(frozen=True)
class ObjectCall:
    """A request about a bucket or an object."""

    service: FcService
    head: RequestHead
    bucket: str
    key: str

    @property
    def path(self) -> str:
        """Decoded: ``/bucket/key``."""
        return f"/{self.bucket}/{self.key}"

    def answer(self, body: Body, request_id: str) -> Response:
        """Look at a request in this order: who asks, which bucket, what is asked; then answer it."""
        del request_id  # the answer's headers have it
        settings, method, headers = self.service.settings, self.head.method, self.head.headers
        query = self.head.target.partition("?")[2]
        if settings.is_signed:
            require_object_signature(method, self.path, query, headers, settings, self.service.clock())
        if _BUCKET.fullmatch(self.bucket) is None:
            raise HttpRefusal(400, "InvalidBucketName", "The specified bucket is not valid.")
        if settings.buckets is not None and self.bucket not in settings.buckets:
            raise HttpRefusal(404, "NoSuchBucket", "The specified bucket does not exist.")
        if not self.key:
            if method == "GET":
                return self._list(query_parameters(query))
            if method == "PUT":  # whose it is, and in which class, is nothing here
                return Response(status=200)
        elif method == "PUT":
            return self.put_object(body)
        elif method in {"GET", "HEAD"}:
            return self._read(is_head=method == "HEAD")
        elif method == "DELETE":
            return self._delete()
        raise HttpRefusal(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")

    def put_object(self, body: Body) -> Response:
        """
        ``PUT``: an object, in the place of one of its key.

        With ``x-oss-forbid-overwrite: true`` 409 ``FileAlreadyExists`` where there is one (documented), decided in the write, so that of
        two creators one succeeds. ``Content-MD5`` is held against the body, whose CRC-64 the answer has.
        """
        headers = self.head.headers
        if "Content-Length" not in headers and "Transfer-Encoding" not in headers:
            raise MalformedRequest(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
        if len(self.key.encode()) > _MOST_KEY_BYTES or self.key.startswith(("/", "\\")):
            raise HttpRefusal(400, "InvalidObjectName", "The specified object is not valid.")
        is_create = headers.get("x-oss-forbid-overwrite", "").lower() == "true"
        if is_create:
            with self.service.store.reading() as rows:  # before the body, so that nothing is uploaded in vain
                self._require_free(rows)
        store, checksum = self.service.store, CodeChecksum()
        with store.blobs.upload() as upload:
            for piece in body.pieces():
                checksum.update(piece)
                upload.write(piece)
            content = upload.finish(sync=self.service.settings.sync)
            md5 = content.md5 or EMPTY.md5 or ""
            expected = headers.get("Content-MD5")
            if expected is not None and expected != base64.b64encode(bytes.fromhex(md5)).decode():
                raise HttpRefusal(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
            sha256 = content.segments[0].sha256 if content.segments else None
            with store.writing() as rows:
                if is_create:
                    self._require_free(rows)
                now = self.service.now()
                meta = {
                    name.lower(): value for name, value in headers.items() if name.lower().startswith("x-oss-meta-")
                }
                document = {
                    "etag": md5.upper(),
                    "type": headers.get("Content-Type", "application/octet-stream"),
                    "meta": meta,
                }
                code = StoredCode(sha256, content.size, str(checksum))
                store.blobs.keep(upload, content)
                rows.put(new_document("object", self.key, document, now, self.bucket, code))
        return Response(status=200, headers=(("ETag", f'"{md5.upper()}"'), ("x-oss-hash-crc64ecma", str(checksum))))

    def _require_free(self, rows: FcRecords) -> None:
        if rows.find("object", self.key, self.bucket) is not None:
            raise HttpRefusal(
                409, "FileAlreadyExists", "The object you specified already exists and can not be overwritten."
            )

    def _read(self, *, is_head: bool) -> Response:
        """``GET`` and ``HEAD``: 404 ``NoSuchKey`` where there is none; one range of bytes is served, 206."""
        with self.service.store.reading() as rows:
            record = rows.find("object", self.key, self.bucket)
        if record is None:
            raise HttpRefusal(404, "NoSuchKey", "The specified key does not exist.")
        size, document = record.code.size, record.document
        start, end, status = 0, size, 200
        if not is_head and (match := _RANGE.fullmatch(self.head.headers.get("Range", ""))) and any(match.groups()):
            first, last = match.groups()
            start = int(first) if first else max(0, size - int(last))
            end = min(size, int(last) + 1) if first and last else size
            if start < end:
                status = 206
            else:
                start, end = 0, size  # a range that cannot be is as none (documented)
        spans: tuple[Span, ...] = ()
        if record.code.sha256 is not None:
            spans = (Span(open_blob(self.service, record.code.sha256), start, end - start),)
        headers = (
            ("ETag", f'"{document["etag"]}"'),
            ("Last-Modified", formatdate(record.modified, usegmt=True)),
            ("x-oss-hash-crc64ecma", record.code.checksum),
            ("x-oss-object-type", "Normal"),
            ("x-oss-storage-class", "Standard"),
            *(("Content-Range", f"bytes {start}-{end - 1}/{size}") for _ in range(status == 206)),
            *document["meta"].items(),
        )
        return Response(status=status, headers=headers, content_type=document["type"], spans=spans)

    def _delete(self) -> Response:
        """``DELETE``: 204, also of what is not there."""
        with self.service.store.writing() as rows:
            rows.drop("object", self.key, self.bucket)
        return Response(status=204)

    def _list(self, query: Mapping[str, str]) -> Response:
        """``GET /bucket/``: objects by key, up to ``max-keys`` of 100, from ``marker``, ``start-after`` or a token; ``delimiter`` groups."""
        is_second = query.get("list-type") == "2"
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = (
            (query.get("continuation-token") or query.get("start-after", "")) if is_second else query.get("marker", "")
        )
        text = query.get("max-keys") or str(_USUAL_KEYS)
        if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= _MOST_KEYS:
            raise HttpRefusal(400, "InvalidArgument", f"max-keys must be from 1 to {_MOST_KEYS}")
        with self.service.store.reading() as rows:
            entries, groups, following = _split(
                rows.each("object", self.bucket, start=after, prefix=prefix), after, prefix, delimiter, int(text)
            )
        names = ("NextContinuationToken", "KeyCount") if is_second else ("NextMarker", "")
        shown = [
            _element("Name", self.bucket),
            _element("Prefix", prefix),
            _element("MaxKeys", text),
            _element("Delimiter", delimiter),
        ]
        shown.append(_element("IsTruncated", "true" if following else "false"))
        if following:
            shown.append(_element(names[0], following))
        if is_second:
            shown.append(_element(names[1], str(len(entries) + len(groups))))
        shown += [
            "<Contents>"
            + _element("Key", entry.name)
            + _element("LastModified", show_time(entry.modified).replace("Z", ".000Z"))
            + _element("ETag", f'"{entry.document["etag"]}"')
            + _element("Type", "Normal")
            + _element("Size", str(entry.code.size))
            + _element("StorageClass", "Standard")
            + "</Contents>"
            for entry in entries
        ]
        shown += [f"<CommonPrefixes>{_element('Prefix', group)}</CommonPrefixes>" for group in groups]
        document = f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult>{"".join(shown)}</ListBucketResult>'
        return Response(status=200, content=document.encode(), content_type=_XML)


def _split(
    records: Iterable[StoredDocument], after: str, prefix: str, delimiter: str, count: int
) -> tuple[list[StoredDocument], list[str], str]:
    """Return the objects and the groups of a page, and the last name on it, empty where there is no more."""
    entries: list[StoredDocument] = []
    groups: list[str] = []
    last = ""
    for record in records:
        rest = record.name[len(prefix) :]
        group = prefix + rest.partition(delimiter)[0] + delimiter if delimiter and delimiter in rest else ""
        if record.name <= after or (group and (group == after or group in groups[-1:])):
            continue
        if len(entries) + len(groups) == count:
            return entries, groups, last
        if group:
            groups.append(group)
        else:
            entries.append(record)
        last = group or record.name
    return entries, groups, ""


def _element(tag: str, text: str) -> str:
    return f"<{tag}>{escape(text)}</{tag}>"


def object_refusal(refusal: HttpRefusal, code: str, request_id: str, host: str) -> Response:
    """Return a refusal as OSS writes it (documented)."""
    fields = {"Code": code, "Message": refusal.message, "RequestId": request_id, "HostId": host}
    elements = "".join(_element(tag, text) for tag, text in fields.items())
    content = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{elements}</Error>'.encode()
    return Response(status=refusal.status, content=content, content_type=_XML, headers=refusal.headers)
