"""The screenshots of the documentation show the pages as they are."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from tests.pages import test_browser
from tests.site.screenshots import ASSETS, SHOTS, take_screenshots

browser = test_browser.browser
pytestmark = test_browser.pytestmark

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_MOST = 0.06
"""Of the pixels: times, and fonts of another machine."""

_DIFFERENCE = """async ([one, other]) => {
  const pixels = async data => {
    const image = new Image(); image.src = "data:image/png;base64," + data; await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), {width: image.width, height: image.height});
    const context = canvas.getContext("2d"); context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, image.width, image.height).data; };
  const [a, b] = [await pixels(one), await pixels(other)];
  if (a.length !== b.length) return 1;
  let differ = 0;
  for (let i = 0; i < a.length; i += 4) differ += Math.abs(a[i] - b[i]) + Math.abs(a[i+1] - b[i+1]) + Math.abs(a[i+2] - b[i+2]) > 96;
  return differ * 4 / a.length; }"""


def test_the_screenshots_are_of_the_pages_as_they_are(browser: Browser) -> None:
    tab = browser.new_page()
    taken = take_screenshots(browser)
    assert set(taken) == {f"{name}.png" for name, *_ in SHOTS}
    for name, content in taken.items():
        kept = (ASSETS / name).read_bytes()
        assert len(kept) < 100_000
        share = tab.evaluate(_DIFFERENCE, [base64.b64encode(picture).decode() for picture in (kept, content)])
        assert share < _MOST, f"{name}: python -m tests.site.screenshots takes it anew"
    tab.close()
