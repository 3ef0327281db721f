"""
Each page of the site in a browser: on a telephone and a desk, in both colour schemes, without a serious finding of axe.

Where Chromium, Playwright or npm is missing these are skipped. A few pages stand for all; at night it is each of them.
"""

from __future__ import annotations

import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tests.pages import test_browser
from tests.pages.axe import axe_script, serious_findings
from tests.site.console import ROOT

browser = test_browser.browser
pytestmark = test_browser.pytestmark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

SAMPLE = ("start.md", "reference/manifest.md", "guides/libraries.md")
DOCS = ROOT / "docs"
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
WHOLE = os.environ.get("UDFS_PROOF") == "whole"
WINDOWS: list[tuple[int, Literal["light", "dark"]]] = [(390, "light"), (1440, "dark")]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Return where the site is served, on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("page", PAGES if WHOLE else SAMPLE)
def test_a_page_of_the_site_can_be_used_by_everybody(
    browser: Browser, address: str, page: str, window: tuple[int, Literal["light", "dark"]]
) -> None:
    if axe_script() is None:
        pytest.skip("axe-core cannot be had from npm")
    width, scheme = window
    folder = page.removesuffix(".md").removesuffix("index").rstrip("/")
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab = context.new_page()
    asked: list[str] = []
    tab.on("request", lambda sent: asked.append(sent.url))
    tab.goto(f"{address}{folder}/" if folder else address, timeout=120_000)
    findings = serious_findings(tab)
    context.close()
    assert findings == []
    assert all(url.startswith((address, "data:")) for url in asked), asked
