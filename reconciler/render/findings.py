"""
Findings in the formats of those who collect them: SARIF 2.1.0, and workflow commands of GitHub Actions.

*SARIF*: one run of one tool; each code is a rule with the text of ``udfs explain``, each problem a result. Columns count Unicode
characters, which the run says (`columnKind`), because the format's own choice is UTF-16 units. Paths are relative to where
the command ran, as the user named the manifest; absolute ones become file URIs.

*Workflow commands*: one line a problem, which the run shows beside the line of the file,
``::error file=udfs/f.py,line=3,col=5,endColumn=9,title=E805::message``. What a command is made of must not end it: in the
message ``%``, carriage return and line feed are escaped, in the properties also ``:`` and ``,`` [docs.github.com, "Workflow
commands"; the escapes are those of its own toolkit, packages/core/src/command.ts].
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from reconciler import __version__
from reconciler.base.explanations import load_explanations
from reconciler.base.hints import spell
from reconciler.base.words import safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.base.errors import Position, Problem


_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(frozen=True)
class SarifLog:
    """Problems as the results of one run."""

    problems: tuple[Problem, ...]
    category: str = ""
    """What the run is about, such as a manifest and a target: results of one category replace each other."""

    def text(self) -> str:
        """Return the document."""
        codes = sorted({problem.code for problem in self.problems})
        driver = {"name": "udfs", "version": __version__, "rules": [_rule(code) for code in codes]}
        run = {
            "tool": {"driver": driver},
            **({"automationDetails": {"id": self.category}} if self.category else {}),
            "columnKind": "unicodeCodePoints",
            "results": [_result(problem, codes.index(problem.code)) for problem in self.problems],
        }
        return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def merge_logs(logs: Iterable[SarifLog]) -> SarifLog:
    """Return several logs as one, each result once."""
    # GitHub refuses several runs of one tool in a file.
    results = {json.dumps(_result(problem, 0)): problem for log in logs for problem in log.problems}
    return SarifLog(tuple(results.values()))


def _rule(code: str) -> dict[str, Any]:
    explained = load_explanations()[code]
    return {
        "id": code,
        "shortDescription": {"text": explained.title},
        "fullDescription": {"text": explained.text},
        "help": {"text": f"udfs explain {code}"},
    }


def _result(problem: Problem, index: int) -> dict[str, Any]:
    parts = [problem.message, *problem.detail, *([f"help: {spell(problem.hint)}"] if problem.hint else [])]
    result = {
        "ruleId": problem.code,
        "ruleIndex": index,
        "level": problem.severity,
        "message": {"text": "\n".join(parts)},
    }
    if problem.at:
        result["locations"] = [{"physicalLocation": _location(problem.at, problem)}]
    return result


def _location(at: Position, problem: Problem) -> dict[str, Any]:
    region = {"startLine": at.line, "startColumn": at.column, "endColumn": at.column + max(1, problem.width)}
    path = PurePath(at.file)
    uri = path.as_uri() if path.is_absolute() else quote(path.as_posix())
    return {"artifactLocation": {"uri": uri}, "region": region}


def workflow_commands(problems: Iterable[Problem]) -> str:
    """Return the problems as commands, each ended by a newline."""
    return "".join(f"{_command(problem)}\n" for problem in problems)


def _command(problem: Problem) -> str:
    properties: dict[str, object] = {}
    if problem.at:
        end = problem.at.column + max(1, problem.width)
        properties = {
            "file": problem.at.file,
            "line": problem.at.line,
            "endLine": problem.at.line,
            "col": problem.at.column,
            "endColumn": end,
        }
    properties["title"] = problem.code
    pairs = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    lines = [problem.message, *problem.detail, *(f"help: {line}" for line in spell(problem.hint).splitlines())]
    message = "%0A".join(safe(line).replace("%", "%25") for line in lines)
    return f"::{problem.severity} {pairs}::{message}"


def _property(value: str) -> str:
    return safe(value).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
