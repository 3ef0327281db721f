"""
Requests to Function Compute.

The API of 2023-03-30 speaks JSON and is signed by version 3 [vendor's SDK 4.8.3, whose requests these equal].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from reconciler.targets.credentials.acs3 import quote_part
from reconciler.targets.roa import RoaClient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

VERSION = "2023-03-30"
_PAGE = "100"
"""Entries of a page: the most that the API gives."""

_MOST_PAGES = 1_000


class FcClient(RoaClient):
    """One region of an account, at one endpoint."""

    service: ClassVar[str] = "Function Compute"
    version: ClassVar[str] = VERSION

    def route(self, path: str) -> str:
        return f"/{VERSION}{path}"

    def pages(self, action: str, path: str, name: str, **params: str) -> Iterator[dict[str, Any]]:
        """Yield the entries of a listing, which ends with a page without a token."""
        token, seen = "", set[str]()
        while True:
            page = self.get(action, path, limit=_PAGE, **({"nextToken": token} if token else {}), **params)
            entries = page.get(name) or []
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                raise self.garbage(f"{action} without a list of {name}")
            yield from entries
            token = page.get("nextToken") or ""
            if not token:
                return
            if not isinstance(token, str) or token in seen or len(seen) >= _MOST_PAGES:
                raise self.garbage(f"the listing of {name} never ends")
            seen.add(token)


def join_path(*parts: str) -> str:
    """Return a path of names, each quoted as it is signed."""
    return "".join(f"/{quote_part(part)}" for part in parts)


def require_text(client: FcClient, document: Mapping[str, Any], names: Iterable[str]) -> None:
    """Raise unless an answer has texts of these names: what else would be taken for one is a page of somebody in between."""
    missing = [name for name in names if not isinstance(document.get(name), str)]
    if missing:
        raise client.garbage(f"an answer without {', '.join(missing)}")
