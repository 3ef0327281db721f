"""init: a starter manifest and a first function."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from reconciler.base.errors import UsageError
from reconciler.base.words import safe
from reconciler.cli.support.options import command, file_option
from reconciler.cli.support.output import Result

STARTERS = {"udfs.yaml": "udfs.yaml", "greet.py": "udfs/greet.py"}
"""File of the folder `starter` → where it goes, relative to the new manifest's folder."""


@command()
@file_option
def init(file: Path) -> Result:
    """Write a commented starter manifest and a first function."""
    goals = {name: file if goal == "udfs.yaml" else file.parent / goal for name, goal in STARTERS.items()}
    if existing := [goal for goal in goals.values() if goal.exists()]:
        raise UsageError("E903", f"{existing[0]} is already there; nothing was written", hint="name another with -f")
    starter = resources.files("reconciler.cli") / "starter"
    # All folders first: what cannot be written whole is not begun.
    for goal in goals.values():
        goal.parent.mkdir(parents=True, exist_ok=True)
    for name, goal in goals.items():
        with goal.open("x", encoding="utf-8") as new:
            new.write((starter / name).read_text(encoding="utf-8"))
    option = "" if file == Path("udfs.yaml") else f" -f {file}"
    lines = [safe(f"wrote {goal}") for goal in goals.values()]
    lines.append(f"Next: udfs apply{option}, then udfs call{option} greet World")
    return Result("".join(f"{line}\n" for line in lines))
