"""
`udfs ui` in a browser: on a telephone and a desk, in both colour schemes, and asking nobody else.

Where Chromium or Playwright is missing these are skipped, as those of the reports; without npm, axe does not judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from reconciler.cli.entry import run
from tests.pages import test_browser
from tests.pages.axe import axe_script, serious_findings
from tests.pages.stack import write_stack
from tests.pages.test_ui import serving

browser = test_browser.browser
pytestmark = test_browser.pytestmark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from reconciler.cli.browser.site import PageServer

Scheme = Literal["light", "dark"]
WINDOWS: list[tuple[int, Scheme]] = [(390, "light"), (390, "dark"), (1440, "light"), (1440, "dark")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Return a server of a project with packages, hostile names, two applies and a plan."""
    folder = tmp_path_factory.mktemp("ui")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_stack(folder)
        assert run(["apply", "--yes"]) == 0
        write_stack(folder, later=True)
        with serving(folder, allow_calls=True, allow_sql=True) as server:
            yield server


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_a_page_fits_its_window_is_legible_and_asks_nobody_else(
    browser: Browser, server: PageServer, window: tuple[int, Scheme]
) -> None:
    width, scheme = window
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    tab.on("request", lambda sent: asked.append(sent.url))
    tab.on("console", lambda message: said.append(message.text))
    for path in ("", "run/1"):
        tab.goto(f"{server.url}{path}", timeout=120_000)
        tab.evaluate("() => document.querySelectorAll('details').forEach(part => part.open = true)")
        assert tab.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth"), path
        contrasts = tab.evaluate(test_browser.CONTRAST)
        assert [what for ratio, what in contrasts if ratio < 4.5] == []
        if axe_script() is not None:
            assert serious_findings(tab) == []
    assert said == [], "a policy that is broken is told on the console"
    assert all(url.startswith((server.url, "data:")) for url in asked)
    context.close()


def press_until(tab: Page, element: str) -> None:
    """Press Tab until an element has the focus, and see that it is shown to have it."""
    for _ in range(200):
        tab.keyboard.press("Tab")
        if tab.evaluate("element => document.activeElement.matches(element)", element):
            outline = tab.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"nobody sees that {element} has the focus"
            return
    raise AssertionError(f"Tab never comes to {element}")


@pytest.mark.parametrize("width", [390, 1440])
def test_a_function_is_called_and_sql_is_run_by_the_keyboard_alone(
    browser: Browser, server: PageServer, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    tab = context.new_page()
    tab.goto(server.url, timeout=120_000)
    press_until(tab, "#call-function")
    tab.keyboard.type("bucket_03")
    press_until(tab, "form[action$='call'] button")
    with tab.expect_navigation(timeout=120_000):
        tab.keyboard.press("Enter")
    assert tab.get_by_role("status").locator("code").inner_text().endswith(" bucket_03")
    press_until(tab, "nav a")
    with tab.expect_navigation(timeout=120_000):
        tab.keyboard.press("Enter")
    press_until(tab, "#sql-statement")
    tab.keyboard.type("SELECT 6 * 7 AS answer")
    press_until(tab, "form[action$='sql'] button")
    with tab.expect_navigation(timeout=120_000):
        tab.keyboard.press("Enter")
    assert tab.get_by_role("status").locator("td").all_inner_texts() == ["42"]
    if axe_script() is not None:
        assert serious_findings(tab) == []
    context.close()
