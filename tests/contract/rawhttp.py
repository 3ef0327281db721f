"""HTTP without a client library's opinions: what is sent is what a test says, and what comes back is all there."""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, final
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

FILE = {"x-odps-resource-type": "file"}


@dataclass(frozen=True)
class Answer:
    """Status, headers and body."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def xml(self) -> ET.Element:
        """The document."""
        return ET.fromstring(self.body)

    @property
    def code(self) -> str:
        """The error's code."""
        return self.xml.findtext("Code") or ""

    @property
    def message(self) -> str:
        """The error's text."""
        return self.xml.findtext("Message") or ""


@final
class Client:
    """One connection, kept open. Paths are those behind the endpoint, unless they begin with ``//``."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.prefix = parts.path
        self.host, self.port = str(parts.hostname), int(parts.port or 80)
        self.connection = http.client.HTTPConnection(self.host, self.port, timeout=60)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and read the whole answer."""
        target = path[1:] if path.startswith("//") else self.prefix + path
        encoded = body.encode() if isinstance(body, str) else body
        self.connection.request(method, target, body=encoded, headers=dict(headers or {}))
        response = self.connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def get(self, path: str, **headers: str) -> Answer:
        """GET."""
        return self.ask("GET", path, headers=headers)

    def create(
        self, name: str, content: bytes | str = b"", /, *, project: str = "demo", query: str = "", **more: str
    ) -> Answer:
        """Create a FILE resource; the keywords are further headers, with ``_`` for ``-``."""
        return self.ask("POST", f"/projects/{project}/resources{query}", content, described(name, more))

    def put(
        self, name: str, content: bytes | str = b"", /, *, project: str = "demo", query: str = "", **more: str
    ) -> Answer:
        """Replace a resource."""
        return self.ask("PUT", f"/projects/{project}/resources/{name}{query}", content, described(None, more))

    def part(self, name: str, content: bytes) -> Answer:
        """Upload a part."""
        return self.create(name, content, query="?rIsPart=true", x_odps_resource_istemp="true")

    def merge(self, name: str, md5: str, *parts: str, method: str = "POST") -> Answer:
        """Merge parts into a resource."""
        path = "/projects/demo/resources" + (f"/{name}" if method == "PUT" else "")
        headers = described(name, {"x_odps_resource_merge_total_bytes": "0"})
        return self.ask(method, path + "?rOpMerge=true", f"{md5}|{','.join(parts)}", headers)

    def register(self, name: str, class_type: str = "a.F", *resources: str, project: str = "demo") -> Answer:
        """Create a function."""
        return self.ask("POST", f"/projects/{project}/registration/functions", function(name, class_type, *resources))

    def content(self, name: str, project: str = "demo") -> bytes:
        """The content of a resource that is there."""
        answer = self.get(f"/projects/{project}/resources/{name}")
        assert answer.status == 200, answer
        return answer.body

    def listed(self, query: str = "", *, kind: str = "resources", project: str = "demo") -> list[str]:
        """The names on one page of a list."""
        answer = self.get(f"/projects/{project}/{kind}?expectmarker=true{query}")
        assert answer.status == 200, answer
        tag = "Alias" if kind.endswith("functions") else "Name"
        return [str(entry.findtext(tag)) for entry in answer.xml if entry.find(tag) is not None]

    def say(self, data: bytes) -> bytes:
        """Send bytes as they are on a connection of their own; everything that comes back until it is closed."""
        with socket.create_connection((self.host, self.port), timeout=60) as plain:
            plain.sendall(data)
            return b"".join(iter(lambda: plain.recv(65536), b""))


def described(name: str | None, more: Mapping[str, str]) -> dict[str, str]:
    """The headers of a resource."""
    named = {"x-odps-resource-name": name} if name is not None else {}
    return {**FILE, **named, **{key.replace("_", "-"): value for key, value in more.items()}}


def function(name: str, class_type: str = "a.F", *resources: str) -> str:
    """A function's document."""
    names = "".join(f"<ResourceName>{resource}</ResourceName>" for resource in resources)
    return (
        f"<Function><Alias>{name}</Alias><ClassType>{class_type}</ClassType><Resources>{names}</Resources></Function>"
    )
