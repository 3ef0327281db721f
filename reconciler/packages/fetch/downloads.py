"""
Downloads from an index: its pages, its files, and their sizes.

requests does it: proxies, certificates and ``.netrc`` of the machine count. Wheels come this way if it is easy (`pip.DirectIndex`);
otherwise pip gets them, with all that people have set for it. Source archives pip would not hand over without running them.

A lock holds no addresses, so where a file lies is looked up by its name or its hash. PEP 503 and PEP 691: ``INDEX/NAME/`` lists
links, as HTML or as JSON; the last part of a link is the file's name.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

from reconciler.base.activity import BYTES, activity
from reconciler.base.errors import PackageError
from reconciler.base.files import has_no_room
from reconciler.base.inputs import REPORT, SHIPPED, copy_input, read_input
from reconciler.base.threads import Threads
from reconciler.packages.fetch.cache import cache_full
from reconciler.packages.fetch.indexes import IndexSilent, Remote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from urllib.parse import SplitResult

    import requests
    from typing_extensions import Self

    from reconciler.packages.fetch.indexes import Indexes

_THREADS = 8
_TIMEOUT = 15.0
_BLOCK = 1 << 16
"""Bytes asked for at once. A connection gives 16 KiB at a time, and room for more is made and thrown away each time."""

_MAX_BYTES = 4 << 30
_PATIENCE = 30
_SLOWEST = 4 << 10
"""Bytes a second on the whole, after so many seconds: who sends less is not going to end."""

_MAX_PAGE = 64 << 20
_AS_IT_IS = {"Accept-Encoding": "identity"}


@dataclass(frozen=True)
class IndexReply:
    """What an index says to one request, as it comes in: no status is an error here."""

    status: int
    headers: Mapping[str, str]
    url: str = field(repr=False)
    """After redirects."""

    blocks: Iterator[bytes]


@dataclass
class Downloads:
    """Reads files whose addresses an engine found. Use it in a ``with``, which closes the connections; from any thread."""

    indexes: Indexes
    addresses: tuple[str, ...] = field(default=(), repr=False)
    """Of the indexes in use; the credentials in one count for files of its host."""

    timeout: float = _TIMEOUT
    """Seconds without a byte."""

    _stopped: Event = field(default_factory=Event, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _session: requests.Session | None = field(default=None, init=False, repr=False)

    @property
    def session(self) -> requests.Session:
        """One for all, made when the first page is asked for: to read the machine's certificates takes longer than most pages."""
        import requests

        with self._lock:
            if self._session is None:
                self._session = requests.Session()
                if self.indexes.cert:
                    self._session.verify = self.indexes.cert
                if self.indexes.proxy:
                    self._session.proxies = {"http": self.indexes.proxy, "https": self.indexes.proxy}
            return self._session

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def stop(self) -> None:
        """End what is being fetched, at its next block."""
        self._stopped.set()

    def sizes(self, files: Iterable[Remote]) -> Mapping[str, int]:
        """Return url → bytes for those that say so; what does not answer is left out, because nothing depends on it."""
        urls = list(dict.fromkeys(file.url for file in files))
        if not urls:
            return {}
        with Threads(_THREADS) as readers:
            sizes = zip(urls, readers.map(self._size, urls), strict=True)
            return {url: size for url, size in sizes if size is not None}

    def fetch(self, file: Remote, folder: Path) -> Path:
        """Put a file into `folder` and return its path. Who calls compares the hash."""
        target, parts = folder / file.file, urlsplit(file.url)
        try:
            if parts.scheme == "file":
                copy_input(Path(unquote(parts.path)), target, SHIPPED)
                return target
            with activity("fetching") as fetching, fetching.at(file.file), self._get(file.url) as answer:
                announced, written, start = _length(answer), 0, time.monotonic()
                fetching.expect(BYTES, announced or 0)
                with target.open("wb") as into:
                    for block in _blocks(answer):
                        written += into.write(block)
                        fetching.count(BYTES, len(block))
                        if written > _MAX_BYTES:
                            raise PackageError("E403", f"'{file.file}' is larger than any real file of an index")
                        if _is_too_slow(written, start):
                            raise PackageError("E403", f"'{file.file}' arrives too slowly to ever be here")
                        if self._stopped.is_set():
                            raise PackageError("E403", f"fetching '{file.file}' was stopped")
        except OSError as error:  # what requests raises is one, too
            if has_no_room(error):
                raise cache_full(folder.parent, error) from error
            hint = "check network and proxy, and try again; nothing was kept"
            kind = PackageError if _answers(error) else IndexSilent
            raise kind("E403", f"'{file.file}' cannot be fetched: {_words(error)}", hint=hint) from error
        if announced is not None and announced != written:
            message = f"'{file.file}' arrived cut off: {written:,} of {announced:,} bytes"
            raise PackageError("E403", message, hint="nothing was kept; try again")
        return target

    def page(self, url: str, accept: str) -> tuple[str, str, str]:
        """Return a page's type, its text, and its address after redirects."""
        try:
            parts = urlsplit(url)
            if parts.scheme == "file":
                path = Path(unquote(parts.path)) / "index.html"
                return "text/html", read_input(path, REPORT).decode(), url
            with activity("asking the package index", is_minor=True), self._get(url, {"Accept": accept}) as answer:
                content, start = bytearray(), time.monotonic()
                for block in _blocks(answer):
                    content += block
                    if len(content) > _MAX_PAGE:
                        raise PackageError("E403", "the index answers with more than any real page")
                    if _is_too_slow(len(content), start):
                        raise IndexSilent("E403", "the index answers too slowly to ever end")
                return answer.headers.get("Content-Type", ""), content.decode("utf-8", "replace"), answer.url
        except OSError as error:
            kind = PackageError if _answers(error) else IndexSilent
            raise kind("E403", f"the index cannot be read: {_words(error)}") from error

    def ask(self, url: str, headers: Mapping[str, str], *, method: str = "GET") -> IndexReply:
        """Ask for a page or a file; raises OSError where nobody answers. Read all of the blocks, or close them."""
        parts = urlsplit(url)
        if parts.scheme == "file":
            return _ask_disk(Path(unquote(parts.path)), url)
        session, auth = self.session, self._credentials(url)
        answer = session.request(
            method,
            url,
            stream=True,
            timeout=self.timeout,
            auth=auth,
            headers=_AS_IT_IS | dict(headers),
            allow_redirects=True,
            **self._trust(url),
        )
        return IndexReply(answer.status_code, answer.headers, answer.url, _closing_blocks(answer))

    def _trust(self, url: str) -> dict[str, Any]:
        host = urlsplit(url)
        is_trusted = {host.hostname, f"{host.hostname}:{host.port}"} & {*self.indexes.trusted}
        return {"verify": False} if is_trusted else {}

    def _get(self, url: str, headers: Mapping[str, str] = _AS_IT_IS) -> requests.Response:
        auth = self._credentials(url)
        answer = self.session.get(url, stream=True, timeout=self.timeout, auth=auth, headers=dict(headers))
        if not answer.ok:
            answer.close()  # its body is not read
        answer.raise_for_status()
        return answer

    def _size(self, url: str) -> int | None:
        parts = urlsplit(url)
        try:
            if parts.scheme == "file":
                return Path(unquote(parts.path)).stat().st_size
            auth = self._credentials(url)
            answer = self.session.head(url, allow_redirects=True, timeout=self.timeout, auth=auth, headers=_AS_IT_IS)
        except OSError:
            return None
        return _length(answer) if answer.ok else None

    def _credentials(self, url: str) -> tuple[str, str] | None:
        for address in map(urlsplit, self.addresses):
            if address.username and _host(address) == _host(urlsplit(url)):
                return unquote(address.username), unquote(address.password or "")
        return None


def _host(address: SplitResult) -> tuple[str, str | None, int | None]:
    return address.scheme, address.hostname, address.port


def _ask_disk(path: Path, url: str) -> IndexReply:
    """Answer for an index that is a folder."""
    page = path / "index.html" if path.is_dir() else path
    try:
        content = read_input(page, SHIPPED)
    except (FileNotFoundError, NotADirectoryError):
        return IndexReply(404, {}, url, iter(()))
    kind = "text/html" if page.suffix == ".html" else "application/octet-stream"
    return IndexReply(200, {"Content-Type": kind, "Content-Length": str(len(content))}, url, iter((content,)))


def _closing_blocks(answer: requests.Response) -> Iterator[bytes]:
    with answer:
        yield from _blocks(answer)


def _length(answer: requests.Response) -> int | None:
    """Return how many bytes a file has, if the answer tells: of packed content the length says nothing."""
    length = answer.headers.get("Content-Length", "")
    packed = answer.headers.get("Content-Encoding", "identity") != "identity"
    return int(length) if length.isdecimal() and not packed else None


def _blocks(answer: requests.Response) -> Iterator[bytes]:
    """Yield the content as it arrives: who waited for a whole block would wait for ever for one that drips."""
    from requests import ConnectionError as Broken
    from urllib3.exceptions import HTTPError

    read = getattr(answer.raw, "read1", answer.raw.read)  # urllib3 before 2.1 has no read1
    try:
        while block := read(_BLOCK, decode_content=True):
            yield block
    except HTTPError as error:  # no OSError, other than what requests raises
        raise Broken("the connection broke") from error


def _is_too_slow(received: int, start: float) -> bool:
    return received < (time.monotonic() - start - _PATIENCE) * _SLOWEST


def _answers(error: OSError) -> bool:
    """Say whether somebody was there to say no: a server, or this machine's own files."""
    return getattr(error, "response", None) is not None or isinstance(error, FileNotFoundError | PermissionError)


def _words(error: Exception) -> str:
    """Return what went wrong without an address: it may hold a signature."""
    answer = getattr(error, "response", None)
    if answer is not None:
        return f"the index answers {answer.status_code}"
    return {"ConnectTimeout": "no answer", "ReadTimeout": "no answer in time"}.get(
        type(error).__name__, getattr(error, "strerror", None) or "the connection failed"
    )


ACCEPTED = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


def find_file(downloads: Downloads, indexes: Iterable[str], name: str, file: str, sha256: str) -> Remote:
    """Return where a file is; raises PackageError if no index lists it, with what each of them said."""
    said: list[str] = []
    for number, index in enumerate(indexes, 1):
        address = f"{index.rstrip('/')}/{name}/"
        try:
            kind, text, base = downloads.page(address, ACCEPTED)
        except PackageError as error:
            said += [f"index {number}: {problem.message}" for problem in error.problems]
            continue
        for link in links(kind, text):
            url = urljoin(base, link).partition("#")[0]
            if unquote(urlsplit(url).path.rpartition("/")[2]) == file:
                return Remote(file, url, sha256)
        said.append(f"index {number} does not list it")
    hint = "'pip config list' shows which indexes are used"
    raise PackageError("E403", f"'{file}' is not to be found on the package index", hint=hint, detail=tuple(said))


def links(kind: str, text: str) -> Iterator[str]:
    """Yield the links of an index's page, each ending in the file's hash if that is listed; what is no such page has none."""
    if _is_json(kind):
        try:
            for file in json.loads(text)["files"]:
                yield f"{file['url']}#sha256={(file.get('hashes') or {}).get('sha256')}"
        except (ValueError, KeyError, TypeError, AttributeError):
            return
    else:
        reader = Anchors()
        reader.feed(text)
        yield from (link for link, _, _ in reader.anchors)


def link_with(sha256: str, kind: str, text: str) -> str | None:
    """Return the link of the file that an index's page lists with this hash, if it does: pages are long, and most lack it."""
    position = text.find(sha256)
    if position < 0:
        return None
    if not _is_json(kind):  # the hash is in the link: sha256=… ends its address
        start = text.rfind("<a", 0, position)
        text = text[start : text.find(">", position) + 1] if start >= 0 else ""
    return next((link for link in links(kind, text) if link.endswith(f"#sha256={sha256}")), None)


def _is_json(kind: str) -> bool:
    return kind.partition(";")[0].strip() == "application/vnd.pypi.simple.v1+json"


class Anchors(HTMLParser):
    """Links of a page with what is said of each (``data-requires-python`` and its like)."""

    def __init__(self, url: str = "") -> None:
        super().__init__()
        self.anchors: list[tuple[str, str, dict[str, str]]] = []
        self._base = url

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        if tag == "base" and values.get("href"):
            self._base = urljoin(self._base, values["href"])
        elif tag == "a" and values.get("href"):
            more = {key: value for key, value in values.items() if key.startswith("data-")}
            self.anchors.append((values["href"], self._base, more))
