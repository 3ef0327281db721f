"""
Screenshots for the documentation: the page of a project, and the page of a plan, in a real browser.

``python -m tests.site.screenshots`` takes them anew. It needs Playwright and a Chromium.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from reconciler.cli.entry import run
from tests.builders import wheel
from tests.pages.test_ui import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ASSETS = Path(__file__).parents[2] / "docs/assets"

MANIFEST = """\
stack: risk
python: cp311
targets:
  local: {endpoint: local, project: risk_dev}
packages:
  scoring: {wheels: [dist/calibration-2.1-py3-none-any.whl, dist/scorecards-1.4-py3-none-any.whl]}
resources:
  rates.csv: {file: rates.csv}
functions:
  score: {source: score.py, class: F, packages: [scoring]}
  score_merchant: {source: merchant.py, class: F, packages: [scoring], resources: [rates.csv]}
  in_yuan: {source: yuan.py, class: F, resources: [rates.csv]}
"""
SOURCE = """\
from odps.udf import annotate


@annotate("bigint->bigint")
class F:
    def evaluate(self, number):
        return number * {}
"""

Shot = tuple[str, int, int, Literal["light", "dark"], str]
SHOTS: tuple[Shot, ...] = (
    ("ui-light", 1000, 480, "light", "ui"),
    ("ui-dark", 1000, 480, "dark", "ui"),
    ("plan-page-light", 1000, 460, "light", "plan"),
    ("plan-page-dark", 1000, 460, "dark", "plan"),
)
"""Of each the name, width and height of the window, the colour scheme, and what is shown."""


def write_project(folder: Path) -> None:
    """Write a project, apply it, and change something in each way; the folder is the working directory."""
    for name, version in (("calibration", "2.1"), ("scorecards", "1.4")):
        wheel(folder / "dist", name, version)
    (folder / "rates.csv").write_text("EUR,7.8\n")
    for number, name in enumerate(("score", "merchant", "yuan", "iban"), 2):
        (folder / f"{name}.py").write_text(SOURCE.format(number))
    (folder / "udfs.yaml").write_text(MANIFEST)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert run(["apply", "--yes"]) == 0
    (folder / "score.py").write_text(SOURCE.format(20))
    iban = "  iban: {source: iban.py, class: F, packages: [scoring]}\n"
    kept = "".join(line for line in MANIFEST.splitlines(keepends=True) if "in_yuan" not in line)
    (folder / "udfs.yaml").write_text(kept + iban)


def take_screenshots(browser: Browser) -> dict[str, bytes]:
    """Return each picture by the name of its file."""
    pictures = {}
    with tempfile.TemporaryDirectory() as top, pytest.MonkeyPatch.context() as patch:
        folder = Path(top)
        patch.chdir(folder)
        write_project(folder)
        with (folder / "plan.html").open("w", encoding="utf-8") as out, contextlib.redirect_stdout(out):
            assert run(["plan", "--diff", "--format", "html"]) == 0
        with serving(folder) as server:
            addresses = {"ui": server.url, "plan": (folder / "plan.html").as_uri()}
            for name, width, height, scheme, shown in SHOTS:
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
                tab = context.new_page()
                tab.goto(addresses[shown], timeout=120_000)
                pictures[f"{name}.png"] = tab.screenshot()
                context.close()
    return pictures


if __name__ == "__main__":
    from tests.pages.test_browser import launch

    with launch() as chromium:
        for file, content in take_screenshots(chromium).items():
            (ASSETS / file).write_bytes(content)
            print(f"docs/assets/{file}: {len(content):,} bytes", file=sys.stderr)
