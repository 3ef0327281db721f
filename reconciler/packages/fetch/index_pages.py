"""
Index pages: the link of one file of a distribution, by its name or by its hash.

A lock holds no addresses, and the source archive of a wheel that has to be built again is needed from whatever index this
machine uses. PEP 503 and PEP 691: ``INDEX/NAME/`` lists links, as HTML or as JSON; the last part of a link is the file's name.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from reconciler.base.errors import PackageError
from reconciler.packages.fetch.index import Remote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.packages.fetch.downloads import Downloads

ACCEPTED = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_JSON = "application/vnd.pypi.simple.v1+json"


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
    """Yield the links of an index's page; what is no such page has none."""
    if kind.partition(";")[0].strip() == _JSON:
        import json

        try:
            files = json.loads(text)["files"]
            yield from (str(file["url"]) for file in files)
        except (ValueError, KeyError, TypeError):
            return
    else:
        reader = _Links()
        reader.feed(text)
        yield from reader.found


def link_with(sha256: str, kind: str, text: str) -> str | None:
    """Return the link of the file that an index's page lists with this hash, if it does: pages are long, and most lack it."""
    position = text.find(sha256)
    if position < 0:
        return None
    if kind.partition(";")[0].strip() == _JSON:
        import json

        try:
            files = json.loads(text)["files"]
            return next((str(file["url"]) for file in files if file["hashes"].get("sha256") == sha256), None)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
    start = text.rfind("<a", 0, position)  # the hash is in the link: sha256=… ends its address
    addresses = links(kind, text[start : text.find(">", position) + 1]) if start >= 0 else ()
    return next((link for link in addresses if link.endswith(f"#sha256={sha256}")), None)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]
