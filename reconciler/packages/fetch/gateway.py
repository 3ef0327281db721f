"""
Package gateway: the one index, on loopback, that resolvers and build tools are given.

Resolvers build source archives to learn what they need, and whatever they build sees their settings. So they get none: no address,
password, keyring or home of the user's, but a proxy on loopback that ends with the command, and behind it an index of no real
name. What is asked there is asked of the real indexes by this process, one after the other: the first that has
a name gives all its versions, so that no other can offer a higher one under a name that is a company's own.
An index that does not answer, or refuses, is no index that has not the name: asking ends there.

Addresses stay the same from run to run, for what tools keep of an index they keep by its address; hence a proxy, whose port may change.
What is built while the gateway is open can read packages through it, but no password.
[PEP 503, PEP 691, PEP 658]
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from reconciler.base.errors import PackageError
from reconciler.packages.fetch.downloads import ACCEPTED, Anchors
from reconciler.packages.fetch.indexes import Remote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

    from reconciler.packages.fetch.downloads import Downloads, IndexReply
    from reconciler.packages.fetch.indexes import Indexes, NamedIndex

FOLDERS = "find-links"
"""What a lock calls a folder or page of `find_links`."""

_HOST = "packages.invalid"  # a name that nobody can have [RFC 2606]
_USER = "udfs"
_UNKNOWN = (404, 410)
_JSON = "application/vnd.pypi.simple.v1+json"
_ASKED_WITH = ("Accept", "If-None-Match", "If-Modified-Since", "Range")
_ANSWERED_WITH = (
    *("Content-Type", "Content-Length", "Content-Range", "Content-Encoding", "Accept-Ranges"),
    *("ETag", "Last-Modified", "Cache-Control"),
)
_SHA256 = re.compile(r"\b[0-9a-f]{64}\b")
_MOST_OF_A_PAGE = 64 << 20
_Links = dict[str, str]


@dataclass
class Gateway:
    """
    The indexes behind one address. Use it in a ``with``, which begins and ends the listening.

    `sources` names for some distributions the one index that is asked for them; `links` are pages of `find_links`.
    """

    indexes: tuple[NamedIndex, ...]
    downloads: Downloads
    sources: Mapping[str, NamedIndex] = field(default_factory=dict)
    """Normalised name → index."""

    links: tuple[str, ...] = field(default=(), repr=False)

    folders: tuple[str, ...] = ()
    """Folders of `find_links` on this machine, which tools read themselves."""

    failures: list[str] = field(default_factory=list, init=False)
    """Which index did not answer whom; told beside the words of a tool, which knows of one index only."""

    _token: str = field(default_factory=partial(secrets.token_urlsafe, 24), init=False, repr=False)
    _server: ThreadingHTTPServer | None = field(default=None, init=False, repr=False)
    _pages: dict[tuple[str, str], _Links] = field(default_factory=dict, init=False, repr=False)
    """Index and distribution → the name of a file → its address."""

    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), partial(_Handler, self))
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="gateway", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    # --- What tools are given

    @property
    def host(self) -> str:
        """The same for the same indexes, passwords aside."""
        parts = [*((index.name, index.address) for index in self.indexes), *(("", page) for page in self.links)]
        parts += [(name, index.address) for name, index in sorted(self.sources.items())]
        plain = json.dumps([(name, _without_credentials(address)) for name, address in parts])
        return f"{hashlib.sha256(plain.encode()).hexdigest()[:12]}.{_HOST}"

    def variables(self) -> dict[str, str]:
        """Return what tells pip, pex and uv where packages are."""
        assert self._server is not None
        proxy = f"http://{_USER}:{self._token}@127.0.0.1:{self._server.server_address[1]}"
        index = f"http://{self.host}/simple/"
        pages = [f"http://{self.host}/links/{number}/" for number in range(len(self.links))]
        pages += self.folders
        asks = (
            {"PIP_INDEX_URL": index, "UV_DEFAULT_INDEX": index}
            if self.indexes or self.sources
            else {"PIP_NO_INDEX": "1", "UV_NO_INDEX": "1"}
        )
        return {
            **asks,
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_TRUSTED_HOST": self.host,  # pip wants https of everybody but loopback
            "UV_NO_CONFIG": "1",
            "UV_INSECURE_HOST": self.host,
            "http_proxy": proxy,
            "HTTP_PROXY": proxy,
            **({"PIP_FIND_LINKS": " ".join(pages), "UV_FIND_LINKS": ",".join(pages)} if pages else {}),
        }

    def is_permitted(self, authorization: str) -> bool:
        """Say whether a request comes from a tool that was given the password: others of this machine see the port."""
        expected = "Basic " + base64.b64encode(f"{_USER}:{self._token}".encode()).decode()
        return hmac.compare_digest(authorization.encode("utf-8", "replace"), expected.encode())

    # --- What came of it

    def origin(self, remote: Remote) -> tuple[Remote, str | None]:
        """Return a file that a tool chose, with its real address and the name of the index that it came from."""
        parts = urlsplit(remote.url)
        if parts.hostname != self.host:
            return remote, FOLDERS if parts.scheme == "file" else None
        _, label, name, file = map(unquote, parts.path.strip("/").split("/"))
        try:
            address = self.address_of(label, name, file)
        except OSError:
            address = None
        if address is None:  # it was there a moment ago
            raise PackageError("E475", f"index '{label}' does not tell any more where '{remote.file}' is")
        return Remote(remote.file, address.partition("#")[0], remote.sha256, remote.size), label

    def others_with(self, name: str, chosen: str) -> tuple[str, ...]:
        """
        Return the indexes after the chosen one that have something else of this name; those that do not answer are left out.

        Who lists one of the same files has a copy, in whole or in part, and not another's distribution.
        """
        names = [index.name for index in self.indexes]
        if name in self.sources or chosen not in names:
            return ()
        position = names.index(chosen)
        after = [
            (index.name, hashes) for index in self.indexes[position + 1 :] if (hashes := self._hashes(index, name))
        ]
        ours = self._hashes(self.indexes[position], name) if after else None
        return tuple(other for other, hashes in after if not (ours or frozenset()) & hashes - {""})

    def _hashes(self, index: NamedIndex, name: str) -> frozenset[str] | None:
        """Return the hashes on an index's page, and an empty one; None without a page."""
        try:
            answer = self.downloads.ask(_page(index, name), {"Accept": ACCEPTED})
            content = _read(answer)
        except OSError:
            return None
        return frozenset({"", *_SHA256.findall(content.decode("utf-8", "replace"))}) if answer.status == 200 else None

    # --- Asking

    def page(self, name: str, headers: Mapping[str, str]) -> tuple[NamedIndex, IndexReply] | None:
        """Return what the first index says that has a name; None if none has it."""
        candidates = (self.sources[name],) if name in self.sources else self.indexes
        for index in candidates:
            answer = self._ask(index, name, _page(index, name), headers)
            if answer.status not in _UNKNOWN:
                return index, answer
            _close(answer)
        return None

    def links_page(self, number: int, headers: Mapping[str, str]) -> IndexReply:
        return self.downloads.ask(self.links[number], headers)

    def address_of(self, label: str, name: str, file: str) -> str | None:
        """Return the real address of a file; it is looked up where a tool kept a page of an earlier run."""
        links = self._pages.get((label, name))
        if links is None:
            address = self._page_address(label, name)
            if address is None:
                return None
            answer = self.downloads.ask(address, {"Accept": ACCEPTED})
            self.rewrite(label, name, answer, _read(answer))
            links = self._pages.get((label, name), {})
        whole = file.removesuffix(".metadata")
        link = links.get(whole)
        return link if link is None or whole == file else f"{link.partition('#')[0]}.metadata"

    def _page_address(self, label: str, name: str) -> str | None:
        if label.startswith(f"{FOLDERS}-"):
            return self.links[int(label.removeprefix(f"{FOLDERS}-"))]
        indexes = (*self.indexes, *self.sources.values())
        return next((_page(index, name) for index in indexes if index.name == label), None)

    def _ask(self, index: NamedIndex, name: str, url: str, headers: Mapping[str, str]) -> IndexReply:
        try:
            answer = self.downloads.ask(url, headers)
        except OSError:
            self.failures.append(f"index '{index.name}' does not answer for '{name}'")
            raise
        if answer.status >= 400 and answer.status not in _UNKNOWN:
            self.failures.append(f"index '{index.name}' answers {answer.status} for '{name}'")
        return answer

    def rewrite(self, label: str, name: str, answer: IndexReply, content: bytes) -> bytes:
        """Return a page whose links lead here, and remember where they led."""
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        text = content.decode("utf-8", "replace")
        links: _Links = {}
        base = f"http://{self.host}/files/{quote(label, safe='')}/{quote(name, safe='')}/"

        def lead(link: str, page: str) -> str:
            url = urljoin(page, link)
            file = unquote(urlsplit(url).path.rpartition("/")[2])
            links.setdefault(file, url)
            fragment = urlsplit(url).fragment
            return f"{base}{quote(file, safe='')}{f'#{fragment}' if fragment else ''}"

        if kind == _JSON:
            table: dict[str, Any] = json.loads(text)
            for file in table.get("files", ()):
                file["url"] = lead(str(file["url"]), answer.url)
            rewritten = json.dumps(table)
        else:
            reader = Anchors(answer.url)
            reader.feed(text)
            lines = "".join(_anchor({"href": lead(link, page), **more}) for link, page, more in reader.anchors)
            rewritten = f"<!DOCTYPE html><html><body>\n{lines}</body></html>\n"
        with self._lock:
            self._pages[label, name] = links
        return rewritten.encode()


def open_gateway(
    indexes: Sequence[NamedIndex],
    downloads: Downloads,
    sources: Mapping[str, NamedIndex],
    pip: Indexes,
    folders: Sequence[str] = (),
) -> Gateway:
    """Return the gateway to some indexes, with the folders of a package's and pip's own pages of links."""
    pages = [page for page in pip.find_links if urlsplit(page).scheme in ("http", "https")]
    paths = [page for page in (*pip.find_links, *folders) if page not in pages]
    return Gateway(tuple(indexes), downloads, sources, tuple(pages), tuple(dict.fromkeys(paths)))


def _page(index: NamedIndex, name: str) -> str:
    return f"{index.address.rstrip('/')}/{quote(name, safe='')}/"


def _without_credentials(address: str) -> str:
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _anchor(values: Mapping[str, str]) -> str:
    attributes = "".join(f' {key}="{escape(value)}"' for key, value in values.items())
    return f"<a{attributes}>{escape(unquote(urlsplit(values['href']).path.rpartition('/')[2]))}</a><br>\n"


def _read(answer: IndexReply) -> bytes:
    content = bytearray()
    for block in answer.blocks:
        content += block
        if len(content) > _MOST_OF_A_PAGE:
            _close(answer)
            raise OSError("the index answers with more than any real page")
    return bytes(content)


def _close(answer: IndexReply) -> None:
    with suppress(OSError):
        next(answer.blocks, None)  # or there is nothing to close yet
    if close := getattr(answer.blocks, "close", None):
        close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # uv asks for fifty at once

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a tool that has ended needs no answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def __init__(self, gateway: Gateway, *rest: Any) -> None:
        self.gateway = gateway
        super().__init__(*rest)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: stderr is for people."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        gateway = self.gateway
        parts = urlsplit(self.path)
        if not gateway.is_permitted(self.headers.get("Proxy-Authorization", "")):
            return self._send(407, b"", {"Proxy-Authenticate": 'Basic realm="udfs"'})
        if parts.hostname != gateway.host:
            return self._send(403, b"this is the way to packages alone")
        words = [unquote(word) for word in parts.path.strip("/").split("/")]
        headers = {name: self.headers[name] for name in _ASKED_WITH if name in self.headers}
        try:
            return self._route(words, headers)
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            # What an index is in trouble with is not known to the tool that asks.
            return self._send(502, b"the index does not answer")

    def _route(self, words: list[str], headers: Mapping[str, str]) -> None:
        gateway = self.gateway
        if words[0] == "simple" and len(words) == 2:
            reply = gateway.page(words[1], headers)
            if reply is None:
                return self._send(404, b"no index has it")
            return self._page(reply[0].name, words[1], reply[1])
        if words[0] == "links" and len(words) == 2:
            return self._page(f"{FOLDERS}-{int(words[1])}", "-", gateway.links_page(int(words[1]), headers))
        if words[0] == "files" and len(words) == 4:
            address = gateway.address_of(*words[1:])
            if address is not None:
                return self._file(gateway.downloads.ask(address.partition("#")[0], headers, method=self.command))
        return self._send(404, b"no such page")

    def _page(self, label: str, name: str, answer: IndexReply) -> None:
        content = _read(answer)
        kept = {key: answer.headers[key] for key in ("Content-Type", "ETag", "Cache-Control") if key in answer.headers}
        if answer.status == 200:
            content = self.gateway.rewrite(label, name, answer, content)
        self._send(answer.status, content if answer.status != 304 else b"", kept)

    def _file(self, answer: IndexReply) -> None:
        headers = {key: answer.headers[key] for key in _ANSWERED_WITH if key in answer.headers}
        if headers.pop("Content-Encoding", "identity") != "identity":
            headers.pop("Content-Length", None)  # it is unpacked on the way
        if "Content-Length" not in headers:
            headers["Connection"] = "close"
        self._start(answer.status, headers)
        if self.command == "HEAD":
            return _close(answer)
        for block in answer.blocks:
            self.wfile.write(block)
        return None

    def _start(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        self._start(status, {**(headers or {}), "Content-Length": str(len(content))})
        if self.command != "HEAD":
            self.wfile.write(content)
