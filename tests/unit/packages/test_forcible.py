"""Which findings in files may be gone past: each is one or the other, by a decision."""

from __future__ import annotations

import re
from pathlib import Path

from reconciler.base.explanations import load_explanations
from reconciler.packages.inspect.files import FORCIBLE

PACKAGES = Path(__file__).parents[3] / "reconciler" / "packages"
NEVER = {"E406", "E420", "E421", "E422", "E423"}
"""What cannot be read, is not as it was vouched for, or would harm whoever unpacks it."""


def test_each_finding_in_a_file_may_be_gone_past_or_is_among_the_few_that_may_not() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in PACKAGES.rglob("*.py"))
    codes = set(re.findall(r'FileFinding\(\s*(?:"|code = ")(E\d+)"', text))
    assert len(codes) > 20
    warnings, of_names = {"E654", "E659"}, {"E401", "E655"}
    assert codes - NEVER - warnings - of_names <= FORCIBLE
    assert not FORCIBLE & NEVER
    assert set(load_explanations()) >= FORCIBLE
