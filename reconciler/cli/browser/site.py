"""
Site: pages over HTTP on loopback, for the browser of whoever has the address.

Loopback is reached by every user of a machine, and by every page that a browser shows. So the address has a path that nobody
can guess, links in pages are relative to it, and `web_guard` lets in what our own pages send. Nothing is kept in the browser:
a cookie would go to whatever listens at another port.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs

from reconciler.base.redaction import redact_bytes
from reconciler.local.http.connection import Site
from reconciler.local.http.listener import HttpServer, authority_of, bind_guarded
from reconciler.local.http.messages import HttpRefusal, Response
from reconciler.local.http.settings import ServerSettings
from reconciler.render.page.project import page_policy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

    from reconciler.local.http.body import Body
    from reconciler.local.http.head import RequestHead
    from reconciler.render.page.project import ProjectPage

_HOST = "127.0.0.1"
_MOST_BYTES = 256 << 10
"""Of a form."""

_HEADERS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    # With none at all, browsers would say of our own forms that they come from nowhere.
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_BARE_POLICY = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")


class Pages(Protocol):
    """What a site shows."""

    def show(self, path: str) -> ProjectPage | None:
        """Return the page at a path, which is empty for the first; None where there is none."""

    def submit(self, path: str, fields: Mapping[str, str]) -> ProjectPage | None:
        """Do what a form asks for and return the page that tells what came of it; None where there is no such form."""

    def stop(self) -> None:
        """End what is being done."""


@dataclass(frozen=True)
class PageCall:
    """A request for a page."""

    method: str
    path: str
    content_type: str
    pages: Pages
    views: threading.Lock

    def answer(self, body: Body, request_id: str) -> Response:
        """Return the page."""
        if self.method == "POST":
            page = self.pages.submit(self.path, _fields(body, self.content_type))
        elif self.method in {"GET", "HEAD"}:
            # One after the other: each looks at the whole project.
            with self.views:
                page = self.pages.show(self.path)
        else:
            raise HttpRefusal(405, "", "There are pages here, and forms", [("Allow", "GET, HEAD, POST")])
        if page is None:
            raise HttpRefusal(404, "", "There is no such page")
        return Response(
            status=200,
            headers=(("Content-Security-Policy", page_policy()),),
            content=redact_bytes(page.text().encode("utf-8", "backslashreplace")),
            content_type="text/html; charset=utf-8",
        )


def _fields(body: Body, content_type: str) -> dict[str, str]:
    """Return the fields of a form, each once."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise HttpRefusal(415, "", "Forms are sent as application/x-www-form-urlencoded")
    try:
        fields = parse_qs(
            body.whole(_MOST_BYTES).decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=20,
        )
    except ValueError:
        raise HttpRefusal(400, "", "The form cannot be read") from None
    # Browsers send the ends of lines as CR LF.
    return {name: values[-1].replace("\r\n", "\n") for name, values in fields.items()}


class PageProtocol:
    """Pages behind a path that cannot be guessed."""

    def __init__(self, pages: Pages, token: str) -> None:
        self._pages, self._token = pages, token
        self._views = threading.Lock()

    def new_request_id(self) -> str:
        """Return nothing: pages have no numbers."""
        return ""

    def headers_of(self, request_id: str) -> list[tuple[str, str]]:
        """Return what browsers are told with every answer."""
        return [*_HEADERS]

    def actor_of(self, headers: Message) -> str:
        """Return nothing: whoever has the address asks."""
        return ""

    def open_call(self, head: RequestHead) -> PageCall:
        """Say which page is asked for; 403 without the token."""
        token, slash, path = head.target.partition("?")[0].removeprefix("/").partition("/")
        if not secrets.compare_digest(token.encode(), self._token.encode()):
            raise HttpRefusal(403, "", "Open the address that udfs ui printed: it ends with a token")
        if not slash:
            raise HttpRefusal(308, "", "The address ends with a slash", [("Location", f"/{self._token}/")])
        return PageCall(head.method, path, head.headers.get("Content-Type", ""), self._pages, self._views)

    def answer_refusal(self, refusal: HttpRefusal, request_id: str, path: str) -> Response:
        """Return a refusal as a line of text."""
        content = f"{refusal.message}\n".encode()
        return Response(status=refusal.status, headers=(_BARE_POLICY, *refusal.headers), content=content)

    def internal_refusal(self) -> HttpRefusal:
        """Return what a mistake of ours is answered with."""
        return HttpRefusal(500, "", "This is a bug in udfs: see its terminal")


class PageServer(HttpServer):
    """A site of pages; `url` is its whole secret."""

    def __init__(self, pages: Pages, port: int = 0) -> None:
        bound = bind_guarded(_HOST, port, ServerSettings())
        token = secrets.token_urlsafe(24)
        self.url = f"http://{authority_of(_HOST, bound)}/{token}/"
        self._pages = pages
        super().__init__(bound, Site(PageProtocol(pages, token), has_pages=True))

    def stop_work(self) -> None:
        """End what forms asked for."""
        self._pages.stop()
