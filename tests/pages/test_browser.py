"""
The page in a browser: on a telephone, in both colour schemes, for those who listen to it, and asking nobody for anything.

Chromium is what the system has; Playwright drives it. Where either is missing these are skipped, and run at night.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run
from reconciler.core.report import SourceChange
from reconciler.render.page.document import HtmlPage
from reconciler.render.page.parts import plan_part
from tests.pages.stack import apply_first
from tests.unit.render.test_markdown import functions_plan

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

CONTRAST = """() => {
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => { const [x, y, z] = [r, g, b].map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z; };
  const ground = element => { for (let at = element; at; at = at.parentElement) {
      if (at.tagName === 'g') return parse(getComputedStyle(at.querySelector('rect')).fill);
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour; }
    return [255, 255, 255]; };
  const texts = [...document.querySelectorAll('body *')].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  return texts.map(e => { const style = getComputedStyle(e), ink = parse(e.tagName === 'text' ? style.fill : style.color);
    const [a, b] = [light(ink), light(ground(e))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), e.tagName + ' ' + e.textContent.slice(0, 40)]; });
}"""
"""The contrast of each element that has text with what lies behind it, by WCAG 2."""


@contextmanager
def launch() -> Iterator[Browser]:
    """Start the system's Chromium."""
    with sync_api.sync_playwright() as playwright:
        # As root, as in containers, Chromium starts without its sandbox alone; nothing but our own page is opened.
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launch() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a page of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        apply_first(folder)
        for name, arguments in {
            "plan": ["plan", "--diff"],
            "drift": ["drift"],
            "history": ["history"],
            "run": ["show-run", "1"],
        }.items():
            with (folder / f"{name}.html").open("w", encoding="utf-8") as out:
                patch.setattr("sys.stdout", out)
                assert run([*arguments, "--format", "html"]) in {0, 2}
    sources = [SourceChange(f"f{number}.py", "a\n" * 5, "b" * 300) for number in range(5)]
    long = HtmlPage("long", (plan_part(functions_plan(300, length=120), "udfs apply", sources=sources),)).text()
    (folder / "long.html").write_text(long)
    return folder


NAMES = ("plan", "drift", "history", "run", "long")


@pytest.fixture(
    params=[(390, "light"), (390, "dark"), (1200, "light"), (1200, "dark")], ids=lambda of: f"{of[0]}-{of[1]}"
)
def tab(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Tab]:
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_its_window_is_legible_and_asks_for_nothing_but_itself(tab: Tab, pages: Path, name: str) -> None:
    asked: list[str] = []
    said: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    address = (pages / f"{name}.html").as_uri()
    tab.goto(address)
    tab.evaluate("() => document.querySelectorAll('details').forEach(part => part.open = true)")
    assert tab.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    assert asked == [address]
    assert said == [], "a policy that is broken is told on the console"
    contrasts = tab.evaluate(CONTRAST)
    assert len(contrasts) > 10
    assert [what for ratio, what in contrasts if ratio < 4.5] == []


def test_who_listens_hears_what_changes_and_what_needs_what(tab: Tab, pages: Path) -> None:
    tab.goto((pages / "plan.html").as_uri())
    tree = tab.locator("body").aria_snapshot()
    for words in (
        'heading "Plan: 3 to create, 2 to update, 1 to delete',
        'heading "What is done" [level=2]',
        '"- delete function"',
        "+ create function brand_new, with 1 file of its own",
        "- listitem: package science",
    ):
        assert words in tree
    assert "- img" not in tree, "what the picture shows stands beside it in words"


@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm")
def test_html_validate_has_nothing_to_say(pages: Path, tmp_path: Path) -> None:
    installed = subprocess.run(
        ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--prefix", str(tmp_path), "html-validate@^10"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if installed.returncode:
        pytest.skip(f"html-validate cannot be installed: {installed.stderr.strip()[-200:]}")
    # A line of a diff may end with a blank, and keeps it.
    rules = {"root": True, "extends": ["html-validate:recommended"], "rules": {"no-trailing-whitespace": "off"}}
    (tmp_path / ".htmlvalidate.json").write_text(json.dumps(rules))
    for name in NAMES:
        shutil.copy(pages / f"{name}.html", tmp_path)
    command = [str(tmp_path / "node_modules/.bin/html-validate"), *(f"{name}.html" for name in NAMES)]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
