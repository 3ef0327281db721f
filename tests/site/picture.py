"""
Pictures of a terminal: a real plan on a real pseudo-terminal, as two SVG files, for light and dark pages.

``python -m tests.site.picture`` writes them anew.
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "docs/assets"
WIDTH = 102

BEFORE = """\
stack: risk
python: cp311
targets:
  prod: {endpoint: local, project: risk_prod}
functions:
  score:
    {source: udfs/score.py, class: Score}
  score_v1:
    {source: udfs/v1.py, class: Score}
"""
AFTER = """\
stack: risk
python: cp311
targets:
  prod: {endpoint: local, project: risk_prod}
functions:
  score:
    {source: udfs/score.py, class: Score}
  iban:
    {source: udfs/iban.py, class: Iban}
"""
SOURCE = """\
from odps.udf import annotate

@annotate("string->bigint")
class {name}:
    def evaluate(self, text):
        return {result}
"""

_NORMAL = [
    (30, 30, 30),
    (190, 40, 40),
    (30, 120, 60),
    (150, 95, 0),
    (30, 90, 180),
    (130, 60, 150),
    (0, 115, 125),
    (90, 90, 90),
]
_DARK = [
    (60, 60, 60),
    (250, 125, 120),
    (110, 215, 130),
    (230, 190, 90),
    (120, 175, 250),
    (215, 150, 240),
    (90, 205, 215),
    (210, 210, 210),
]
THEMES = {
    "light": TerminalTheme((250, 250, 250), (30, 30, 30), _NORMAL, _NORMAL),
    "dark": TerminalTheme((24, 26, 31), (222, 222, 222), _DARK, _DARK),
}

_FORMAT = """\
<svg viewBox="-14 -12 {terminal_width} {terminal_height}" xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="{unique_id}-t">
<title id="{unique_id}-t">udfs plan in a terminal</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: {char_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
<rect fill="BACKGROUND" x="-14" y="-12" width="{terminal_width}" height="{terminal_height}" rx="10"/>
<g>{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def record_plan(folder: Path) -> str:
    """Return what `udfs plan` writes to a terminal, with its colours."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "UDFS_PROGRESS": "off",
        "COLUMNS": str(WIDTH),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
    }
    udfs = [sys.executable, "-m", "reconciler"]
    (folder / "udfs").mkdir()
    for name, class_name, result in (("score", "Score", "1"), ("v1", "Score", "0")):
        (folder / f"udfs/{name}.py").write_text(SOURCE.format(name=class_name, result=result), encoding="utf-8")
    (folder / "udfs.yaml").write_text(BEFORE, encoding="utf-8")
    subprocess.run(
        [*udfs, "apply", "--yes", "--target", "prod"], cwd=folder, env=environment, check=True, capture_output=True
    )
    (folder / "udfs/score.py").write_text(SOURCE.format(name="Score", result="len(text)"), encoding="utf-8")
    (folder / "udfs/iban.py").write_text(SOURCE.format(name="Iban", result="97"), encoding="utf-8")
    (folder / "udfs.yaml").write_text(AFTER, encoding="utf-8")
    return _on_terminal([*udfs, "plan", "--target", "prod"], folder, environment)


def _on_terminal(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    reader, writer = pty.openpty()
    with subprocess.Popen(command, cwd=folder, env=environment, stdin=writer, stdout=writer, stderr=writer) as process:
        os.close(writer)
        parts = []
        while True:
            try:
                part = os.read(reader, 65_536)
            except OSError:  # Linux says so at the end
                break
            if not part:
                break
            parts.append(part)
        assert process.wait() == 0, b"".join(parts).decode()
    os.close(reader)
    return b"".join(parts).decode().replace("\r\n", "\n")


def draw(recorded: str, theme: TerminalTheme) -> str:
    """Return a picture of what a terminal shows."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    console.print(Text("$ udfs plan --target prod", style="bold"))
    console.print(Text.from_ansi(recorded.rstrip()))
    background = theme.background_color.hex
    picture = console.export_svg(code_format=_FORMAT.replace("BACKGROUND", background), theme=theme, unique_id="plan")
    width, height = (float(number) for number in re.findall(r'viewBox="\S+ \S+ (\S+) (\S+)"', picture)[0])
    # A margin on each side.
    picture = picture.replace(f"{width}", f"{width + 28:.0f}").replace(f"{height}", f"{height + 28:.0f}")
    return re.sub(r"[ \t]+$", "", picture, flags=re.MULTILINE)


def make_pictures() -> dict[str, str]:
    """Return the content of each file."""
    with tempfile.TemporaryDirectory() as name:
        recorded = record_plan(Path(name))
    return {f"plan-{theme}.svg": draw(recorded, colours) for theme, colours in THEMES.items()}


if __name__ == "__main__":
    for name, content in make_pictures().items():
        (ASSETS / name).write_text(content, encoding="utf-8")
