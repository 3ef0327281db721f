"""
Ask an index's files for their size, and get source archives.

requests does it: proxies, certificates and ``.netrc`` of the machine count. Wheels are not fetched here; pip does that
(`artifacts.fetch`), with all that people have set for it. Source archives pip would not hand over without running them.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from reconciler.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from urllib.parse import SplitResult

    import requests

    from reconciler.locking.indexes import Indexes
    from reconciler.locking.question import Remote

_THREADS = 8
_TIMEOUT = 15.0
_BLOCK = 1 << 20
_MAX_BYTES = 4 << 30
_MAX_PAGE = 64 << 20
_AS_IT_IS = {"Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Downloads:
    """Reads files whose addresses an engine found."""

    indexes: Indexes
    addresses: tuple[str, ...] = field(default=(), repr=False)
    """Of the indexes in use; the credentials in one count for files of its host."""

    timeout: float = _TIMEOUT

    def sizes(self, files: Iterable[Remote]) -> Mapping[str, int]:
        """Return url → bytes for those that say so; what does not answer is left out, because nothing depends on it."""
        urls = list(dict.fromkeys(file.url for file in files))
        if not urls:
            return {}
        with self._session() as session, ThreadPoolExecutor(_THREADS) as pool:
            found = zip(urls, pool.map(partial(self._size, session), urls), strict=True)
            return {url: size for url, size in found if size is not None}

    def fetch(self, file: Remote, folder: Path) -> Path:
        """Put a file into `folder` and return its path. Who calls compares the hash."""
        place, parts = folder / file.file, urlsplit(file.url)
        try:
            if parts.scheme == "file":
                shutil.copyfile(unquote(parts.path), place)
                return place
            with self._session() as session, self._get(session, file.url) as answer:
                announced, written = _length(answer), 0
                with place.open("wb") as into:
                    for block in answer.iter_content(_BLOCK):
                        written += into.write(block)
                        if written > _MAX_BYTES:
                            raise PackageError("E403", f"'{file.file}' is larger than any real source archive")
        except OSError as error:  # what requests raises is one, too
            hint = "check network and proxy, and try again; nothing was kept"
            raise PackageError("E403", f"'{file.file}' cannot be fetched: {_words(error)}", hint=hint) from error
        if announced is not None and announced != written:
            message = f"'{file.file}' arrived cut off: {written:,} of {announced:,} bytes"
            raise PackageError("E403", message, hint="nothing was kept; try again")
        return place

    def page(self, url: str, accept: str) -> tuple[str, str, str]:
        """Return a page's type, its text, and its address after redirects."""
        try:
            parts = urlsplit(url)
            if parts.scheme == "file":
                place = Path(unquote(parts.path)) / "index.html"
                return "text/html", place.read_text(encoding="utf-8"), url
            with self._session() as session, self._get(session, url, {"Accept": accept}) as answer:
                content = answer.raw.read(_MAX_PAGE + 1, decode_content=True)
                if len(content) > _MAX_PAGE:
                    raise PackageError("E403", "the index answers with more than any real page")
                return answer.headers.get("Content-Type", ""), content.decode("utf-8", "replace"), answer.url
        except OSError as error:
            raise PackageError("E403", f"the index cannot be read: {_words(error)}") from error

    def _get(self, session: requests.Session, url: str, headers: Mapping[str, str] = _AS_IT_IS) -> requests.Response:
        auth = self._credentials(url)
        answer = session.get(url, stream=True, timeout=self.timeout, auth=auth, headers=dict(headers))
        answer.raise_for_status()
        return answer

    def _size(self, session: requests.Session, url: str) -> int | None:
        parts = urlsplit(url)
        try:
            if parts.scheme == "file":
                return Path(unquote(parts.path)).stat().st_size
            auth = self._credentials(url)
            answer = session.head(url, allow_redirects=True, timeout=self.timeout, auth=auth, headers=_AS_IT_IS)
        except OSError:
            return None
        return _length(answer) if answer.ok else None

    def _session(self) -> requests.Session:
        import requests

        session = requests.Session()
        if self.indexes.cert:
            session.verify = self.indexes.cert
        return session

    def _credentials(self, url: str) -> tuple[str, str] | None:
        for address in map(urlsplit, self.addresses):
            if address.username and _host(address) == _host(urlsplit(url)):
                return unquote(address.username), unquote(address.password or "")
        return None


def _host(address: SplitResult) -> tuple[str, str | None, int | None]:
    return address.scheme, address.hostname, address.port


def _length(answer: requests.Response) -> int | None:
    """Return how many bytes a file has, if the answer tells: of packed content the length says nothing."""
    length = answer.headers.get("Content-Length", "")
    packed = answer.headers.get("Content-Encoding", "identity") != "identity"
    return int(length) if length.isdecimal() and not packed else None


def _words(error: Exception) -> str:
    """Return what went wrong without an address: it may hold a signature."""
    answer = getattr(error, "response", None)
    if answer is not None:
        return f"the index answers {answer.status_code}"
    return {"ConnectTimeout": "no answer", "ReadTimeout": "no answer in time"}.get(
        type(error).__name__, getattr(error, "strerror", None) or "the connection failed"
    )
