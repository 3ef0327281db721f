"""Folders as `udfs ci --out` writes them, made by hand, and what a platform says of the step that publishes them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.cli.entry import run
from tests.forges.fakes import COMMIT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def change(action: str, name: str, kind: str = "function", cause: str = "manifest", *fields: str) -> dict[str, Any]:
    differences = [{"field": name, "old": "a", "new": "b"} for name in fields]
    return {"action": action, "kind": kind, "name": name, "cause": cause, "differences": differences}


def problem(code: str, message: str, severity: str = "error", **more: Any) -> dict[str, Any]:
    return {"code": code, "severity": severity, "message": message, **more}


def plan(changes: Sequence[Any] = (), refusals: Sequence[Any] = (), warnings: Sequence[Any] = ()) -> dict[str, Any]:
    return {
        "format": "udfs.plan/1",
        "stack": "risk",
        "target": "prod",
        "project": "risk_prod",
        "changes": list(changes),
        "unchanged": 3,
        "foreign": 0,
        "upload_bytes": 0,
        "refusals": list(refusals),
        "warnings": list(warnings),
        "digest": "sha256:" + "1" * 64,
    }


def report(document: dict[str, Any], outcomes: Sequence[str]) -> dict[str, Any]:
    steps = [
        {"kind": item["kind"], "name": item["name"], "action": item["action"], "outcome": outcome}
        for item, outcome in zip(document["changes"], outcomes, strict=True)
    ]
    return {"format": "udfs.report/1", "plan": document, "outcomes": steps}


def drift(*names: str, who: str = "zhang", what: str = "edited") -> dict[str, Any]:
    drifted = [
        {
            "kind": "function",
            "name": name,
            "what": what,
            "who": who,
            "when": "2026-11-29T01:00:00Z",
            "file": "udfs.yaml",
            "line": 3,
            "column": 3,
            "differences": [{"field": "class", "old": "a", "new": "b"}],
            "restorable": True,
        }
        for name in names
    ]
    return {"format": "udfs.drift/1", "stack": "risk", "target": "prod", "drifted": drifted, "unchanged": 1}


@dataclass
class Run:
    """A folder in the making."""

    folder: Path
    command: str
    entries: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        document: dict[str, Any] | None,
        outcome: str = "changes",
        manifest: str = "teams/risk/udfs.yaml",
        target: str | None = "prod",
        exit_code: int = 0,
        summary: str = "in one line",
        **more: Any,
    ) -> Run:
        name = f"entry-{len(self.entries)}"
        files = {}
        if document is not None:
            (self.folder / name).mkdir(parents=True)
            (self.folder / name / "out.json").write_text(json.dumps(document), encoding="utf-8")
            files = {"json": "out.json"}
        self.entries.append(
            {
                "manifest": manifest,
                "target": target,
                "stack": "risk",
                "outcome": outcome,
                "exit_code": exit_code,
                "folder": name,
                "counts": {},
                "summary": summary,
                "files": files,
                **more,
            }
        )
        return self

    def write(self) -> Path:
        index = {
            "format": "udfs-ci/1",
            "command": self.command,
            "commit": COMMIT,
            "run": {},
            "entries": self.entries,
            "exit_code": 0,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
        return self.folder


def publish(arguments: list[str]) -> int:
    """Run the command as a step does, and return its exit code."""
    return run(["ci", "publish", *arguments])
