"""
Requests to Function Compute.

The API of 2023-03-30 speaks JSON and is signed by version 3 [vendor's SDK 4.8.3, whose requests these equal].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from reconciler.base.errors import AccessError
from reconciler.targets.credentials.acs3 import quote_part
from reconciler.targets.fc.layer_book import owner_of
from reconciler.targets.roa import RoaClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.targets.roa import Reply

VERSION = "2023-03-30"
_PAGE = "100"
"""Entries of a page: the most that the API gives."""

_MOST_PAGES = 1_000


@dataclass
class FcClient(RoaClient):
    """One region of an account, at one endpoint."""

    service: ClassVar[str] = "Function Compute"
    version: ClassVar[str] = VERSION

    account: str | None = None
    """The account that is meant, where the target names one."""

    def read_document(self, reply: Reply, action: str, *, may_be_empty: bool) -> dict[str, Any]:
        """Return the object that an answer is; E623 where it is about another account than the one that is meant."""
        document = super().read_document(reply, action, may_be_empty=may_be_empty)
        if self.account is not None:
            listed = document.get("functions")
            for answer in (document, *(listed if isinstance(listed, list) else ())):
                self._require_account(answer)
        return document

    def _require_account(self, answer: object) -> None:
        arn = answer.get("functionArn") if isinstance(answer, dict) else None
        owner = owner_of(arn) if isinstance(arn, str) else None
        if owner is not None and owner[1] != self.account:
            message = f"the credentials are of account {owner[1]}, and the target says {self.account}"
            hint = "use the credentials of that account, or correct `account` of the target"
            raise AccessError("E623", message, hint=hint)

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
