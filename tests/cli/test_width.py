"""Lines that are longer than their terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from reconciler.cli.support.output import print_lines, print_styled

if TYPE_CHECKING:
    from reconciler.render.styled import Line


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_long_line_goes_on_below_itself_and_a_value_below_where_it_begins(width: int) -> None:
    words = " ".join(["word"] * 60)
    lines: list[Line] = [
        (("update", "  ~ "), ("name", "function f"), ("", f" {words}")),
        (("", f"      comment    {words}"),),
    ]
    out = io.StringIO()
    print_styled(lines, Console(file=out, width=width, highlight=False))
    printed = out.getvalue().splitlines()
    assert all(len(line) <= width for line in printed)
    value = next(number for number, line in enumerate(printed) if line.startswith("      comment"))
    assert all(line.startswith("      word") for line in printed[1:value])
    assert all(line.startswith(" " * 17 + "word") for line in printed[value + 1 :])
    assert " ".join(" ".join(printed[value:]).split()) == f"comment {words}"


@pytest.mark.parametrize(
    ("settings", "is_coloured"),
    [
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": ""}, False),
        ({}, False),
    ],
)
def test_a_log_has_colour_where_it_is_asked_for(
    settings: dict[str, str], is_coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    log = io.StringIO()
    print_lines([(("create", "  + "), ("name", "function f"))], log)
    assert ("\x1b[" in log.getvalue()) is is_coloured
