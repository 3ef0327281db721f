"""
Findings in the formats of those who collect them: SARIF 2.1.0, and workflow commands of GitHub Actions.

*SARIF*: one run of one tool; each code is a rule with the text of ``udfs explain``, each problem a result. Columns count Unicode
characters, which the run says (`columnKind`), because the format's own choice is UTF-16 units. Paths begin at the top of the
repository; absolute ones, of what lies in none, become file URIs. A result has a fingerprint that lines do not move: GitHub goes by
`primaryLocationLineHash` alone [docs.github.com, "SARIF support for code scanning"]. A run has the category of its manifest and target,
up to the last slash of its identity, and replaces what was said in that category before.

*Workflow commands*: one line a problem, which the run shows beside the line of the file,
``::error file=udfs/f.py,line=3,col=5,endColumn=9,title=E805::message``. What a command is made of must not end it: in the
message ``%``, carriage return and line feed are escaped, in the properties also ``:`` and ``,`` [docs.github.com, "Workflow
commands"; the escapes are those of its own toolkit, packages/core/src/command.ts]. A step shows ten of each kind, those that come first
[docs.github.com, "Usage limits"; measured by others, zizmor PR #634]: of more than ten the tenth counts the rest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from reconciler import __version__
from reconciler.base.errors import count
from reconciler.base.hints import spell
from reconciler.base.words import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.base.errors import Position, Problem


_FINGERPRINT = "primaryLocationLineHash"
_LINE_OR_COLUMN = re.compile(r"\b(line|column) [0-9]+")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}Z")
MOST_ANNOTATIONS = 10
"""Of a kind, in a step."""

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
            "results": [
                {**_result(problem, codes.index(problem.code)), "partialFingerprints": {_FINGERPRINT: fingerprint}}
                for problem, fingerprint in zip(self.problems, _fingerprints(self.problems), strict=True)
            ],
        }
        return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def merge_logs(logs: Iterable[SarifLog]) -> SarifLog:
    """Return several logs as one, each result once."""
    # GitHub refuses several runs of one tool in a file.
    results = {json.dumps(_result(problem, 0)): problem for log in logs for problem in log.problems}
    return SarifLog(tuple(results.values()))


def without_lines(message: str) -> str:
    """Return a message without the numbers of lines and columns in it, which move, and without times: who edits again says no other thing."""
    return _MOMENT.sub("", _LINE_OR_COLUMN.sub(r"\1", message))


def _fingerprints(problems: Iterable[Problem]) -> Iterator[str]:
    """Yield what a result is known by from commit to commit: its code, file, line of text and message, and which of several it is."""
    seen: Counter[str] = Counter()
    for problem in problems:
        parts = (
            problem.code,
            problem.at and problem.at.file,
            (problem.source or "").strip(),
            without_lines(problem.message),
        )
        digest = hashlib.sha256(json.dumps(parts).encode("utf-8", "backslashreplace")).hexdigest()[:16]
        seen[digest] += 1
        yield f"{digest}:{seen[digest]}"


def _rule(code: str) -> dict[str, Any]:
    from reconciler.base.explanations import load_explanations

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
    """Return the problems as commands, each ended by a newline: of each kind as many as are shown, and how many are not."""
    everything = list(problems)
    totals, rest, shown = (
        Counter(problem.severity for problem in everything),
        defaultdict[str, list[str]](list),
        Counter[str](),
    )
    lines = []
    for problem in everything:
        kind = problem.severity
        # The last that is shown counts those that are not.
        if shown[kind] < MOST_ANNOTATIONS - (totals[kind] > MOST_ANNOTATIONS):
            shown[kind] += 1
            lines.append(_command(problem))
        else:
            rest[kind].append(problem.code)
    lines += (_count_rest(kind, codes) for kind, codes in rest.items())
    return "".join(f"{line}\n" for line in lines)


def _count_rest(kind: str, codes: list[str]) -> str:
    numbers = ", ".join(f"{number} × {code}" for code, number in sorted(Counter(codes).items()))
    return f"::{kind} title=udfs::and {count(len(codes), f'more {kind}')} ({numbers}), which the log and the other formats have"


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
