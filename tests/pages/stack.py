"""A stack with packages, hostile names and every kind of change, whose plan is drawn and looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.cli.entry import run
from tests.builders import wheel

if TYPE_CHECKING:
    from pathlib import Path

EVIL = '</title></style></details><script>alert(1)</script><img src=http://127.0.0.1:9/x onerror=alert(1)> & "quoted" `ticks`'
SOURCE = 'from odps.udf import annotate\n\n\n@annotate("->bigint")\nclass F(object):\n    def evaluate(self):\n        return {}\n'


def write_stack(folder: Path, *, later: bool = False) -> None:
    """Write a manifest into a folder, as it was first or as it is `later`."""
    for name in ("alpha", "beta", "gamma_with_a_name_that_is_rather_long"):
        wheel(folder / "dist", name)
    (folder / "words.csv").write_text("a\n")
    (folder / "evil.csv").write_text("a\n")
    names = ["score_customer", "score_merchant", "normalise_address", *(f"bucket_{number:02}" for number in range(12))]
    if later:
        names = ["score_customer", "score_merchant", *names[3:], "brand_new"]
    packages = {
        "score_customer": "[science]",
        "score_merchant": "[science, plain]",
        "brand_new": "[plain]",
    }
    lines = [
        "stack: risk",
        "python: cp311",
        "targets: {local: {endpoint: local, project: demo}}",
        "packages:",
        "  science: {wheels: [dist/alpha-1.0-py3-none-any.whl, dist/beta-1.0-py3-none-any.whl]}",
        "  plain: {wheels: [dist/gamma_with_a_name_that_is_rather_long-1.0-py3-none-any.whl]}",
        "resources:",
        "  words.csv: {file: words.csv}",
        f"  evil.csv: {{file: evil.csv, comment: '{EVIL.replace(chr(39), chr(39) * 2) if later else 'kind'}'}}",
        "functions:",
    ]
    for name in names:
        number = 2 if later and name == "score_customer" else 1
        (folder / f"{name}.py").write_text(SOURCE.format(f'"{EVIL}" and {number}'.replace('"quoted"', "")))
        listed = "resources: [words.csv]" if name.startswith("bucket") else "resources: []"
        used = f", packages: {packages[name]}" if name in packages else ""
        lines.append(f"  {name}: {{source: {name}.py, class: F, {listed}{used}}}")
    (folder / "udfs.yaml").write_text("\n".join(lines) + "\n")


def apply_first(folder: Path) -> None:
    """Apply the stack as it was first, and write it as it is later; the folder is the working directory."""
    write_stack(folder)
    assert run(["apply", "--yes"]) == 0
    write_stack(folder, later=True)
