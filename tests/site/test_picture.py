"""The pictures show what a terminal shows."""

from __future__ import annotations

import re
import sys

import pytest

from tests.site.picture import ASSETS, make_pictures


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is needed")
def test_the_pictures_are_of_the_plan_as_it_is() -> None:
    for name, picture in make_pictures().items():
        shown = (ASSETS / name).read_text(encoding="utf-8")
        assert re.sub(r"[\d.]+px", "px", shown) == re.sub(r"[\d.]+px", "px", picture), (
            "python -m tests.site.picture draws them anew"
        )
        assert len(picture) < 12_000
