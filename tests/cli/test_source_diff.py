"""What a change does to a source is shown line by line, from what the project has to what comes, and back for a drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run
from reconciler.core.report import SourceChange
from reconciler.render.source_diff import diff_markdown

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = 'from odps.udf import annotate\n\n\n@annotate("->bigint")\nclass F(object):\n    def evaluate(self):\n        return 1\n'


@pytest.mark.parametrize("rollout", ["versioned", "in_place"])
def test_a_plan_shows_how_a_source_changes(
    rollout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    head = f"stack: s\nrollout: {rollout}\ntargets: {{local: {{endpoint: local, project: demo}}}}\n"
    (tmp_path / "udfs.yaml").write_text(
        f"{head}resources:\n  b.bin: {{file: b.bin}}\nfunctions:\n  f: {{source: f.py, class: F, resources: [b.bin]}}\n"
    )
    (tmp_path / "f.py").write_text(SOURCE)
    (tmp_path / "b.bin").write_bytes(b"\xff\x00")
    assert run(["apply", "--yes"]) == 0
    (tmp_path / "f.py").write_text(SOURCE.replace("return 1", "return 2  # ```"))
    (tmp_path / "b.bin").write_bytes(b"\xff\x01")
    capsys.readouterr()
    assert run(["plan", "--diff"]) == 0
    text = capsys.readouterr().out
    assert "  --- a/f.py\n  +++ b/f.py\n" in text
    assert "  -        return 1\n  +        return 2  # ```\n" in text
    assert "b.bin\n" not in text, "what is no text has no lines"
    assert run(["plan", "--diff", "--format", "markdown"]) == 0
    assert "````diff\n--- a/f.py\n" in capsys.readouterr().out
    assert run(["plan", "--diff", "--format", "json"]) == 3


def test_a_line_of_a_source_ends_no_block_and_moves_no_cursor() -> None:
    [block] = diff_markdown([SourceChange("f.py", "a\n", "````\n\x1b[2J\n")])
    assert block.startswith("<details><summary>f.py: +2 -1 lines</summary>\n\n`````diff\n")
    assert block.endswith("\n`````\n\n</details>")
    assert "\x1b" not in block
