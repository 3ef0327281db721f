"""
GitHub's API over the platform of these tests: what its runs left, for whoever has a job's token and the job the permission.

Beside what publishing needs there are pull requests, runs and artifacts. Every request is held against GitHub's description.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING, Any

from tests.forges.fakes import Answer, FakeGitHub, Request, page

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

    from tests.forges.openapi import Description
    from tests.pipelines.platform import Platform, Run

_NEEDED = (
    (r"/issues/(comments/)?\d+(/comments)?$", "pull-requests"),
    (r"/issues", "issues"),
    (r"/deployments", "deployments"),
    (r"/pulls", "pull-requests"),
    (r"/actions/", "actions"),
    (r"", "contents"),
)
"""Paths and the permission that they need, the first that fits; an issue's comment is a pull request's here, as in the example."""


class Hub(FakeGitHub):
    """One repository, ``acme/functions``, of which the platform has the runs."""

    def __init__(self, description: Description, platform: Platform) -> None:
        super().__init__(description)
        self.platform = platform
        self.closed: list[dict[str, Any]] = []
        """Pull requests that were merged, the newest first."""
        base = "/repos/acme/functions"
        self.routes = [
            ("GET", rf"{base}/pulls", self._list_pulls),
            ("GET", rf"{base}/actions/runs", self._list_runs),
            ("GET", rf"{base}/actions/runs/(\d+)/artifacts", self._list_artifacts),
            *self.routes,
        ]

    def examine(self, request: Request) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.platform.tokens:
            self.complaints.append(f"{request.method} {request.path} came without a job's token")
            return
        self.description.check(request.method, request.path, request.query, request.body)

    def answer(self, request: Request) -> Any:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        job = self.platform.tokens.get(token)
        level = "read" if request.method == "GET" else "write"
        needed = next(name for pattern, name in _NEEDED if re.search(pattern, request.path))
        # Of an issue's number the right to issues is enough, of a pull request's either is; both have the same paths.
        enough = {needed, "issues"} if "/issues/" in request.path else {needed}
        if job is None or not {job.permissions.get(name) for name in enough} & {"write", level}:
            raise Answer(403, {"message": "Resource not accessible by integration"})
        return super().answer(request)

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        if handler.path.startswith("/storage/"):
            assert "Authorization" not in handler.headers, "the token went to another place"
            content = self._archive(int(handler.path.rpartition("/")[2]))
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)
        elif archive := re.fullmatch(r"/repos/acme/functions/actions/artifacts/(\d+)/zip", handler.path):
            self.reply(handler, 302, None, {"Location": f"{self.url}/storage/{archive[1]}"})
        else:
            super().serve(handler)

    def merged(self, number: int, head: str, commit: str) -> None:
        """Note that a pull request was merged by a commit."""
        pull = {
            "number": number,
            "merged_at": "2026-11-30T00:00:00Z",
            "merge_commit_sha": commit,
            "head": {"sha": head},
        }
        self.closed.insert(0, {**pull, "state": "closed"})
        self.pulls[commit] = [{"number": number, "state": "closed", "merged_at": pull["merged_at"]}]

    def _list_pulls(self, request: Request) -> Any:
        if request.query.get("state") == "closed":
            return page(self.closed, request)
        return page(self.branches.get(request.query.get("head", ""), []), request)

    def _artifacts(self) -> list[tuple[int, Path, Run]]:
        return [
            (run.id * 100 + number, folder, run)
            for run in reversed(self.platform.runs)
            for number, folder in enumerate(sorted(run.artifacts.iterdir()))
        ]

    def _list_artifacts(self, request: Request, run: str) -> Any:
        items = [
            {"id": number, "name": folder.name, "expired": False, "workflow_run": {"id": owner.id}}
            for number, folder, owner in self._artifacts()
            if owner.id == int(run)
        ]
        return {"total_count": len(items), "artifacts": page(items, request)}

    def _list_runs(self, request: Request) -> Any:
        runs = [
            {
                "id": run.id,
                "event": run.event.name,
                "head_sha": head(run),
                "path": run.path,
                "conclusion": run.result,
                "run_attempt": run.attempt,
            }
            for run in reversed(self.platform.runs)
            if head(run) == request.query.get("head_sha") and run.event.name == request.query.get("event")
        ]
        return {"total_count": len(runs), "workflow_runs": page(runs, request)}

    def _archive(self, number: int) -> bytes:
        folder = next(folder for identity, folder, _ in self._artifacts() if identity == number)
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in folder.rglob("*"):
                if path.is_file():
                    archive.write(path, path.relative_to(folder))
        return content.getvalue()


def head(run: Run) -> str:
    """Return the commit that GitHub calls a run's head: of a pull request the branch's, and not the merge's."""
    pull = run.event.payload.get("pull_request")
    return str(pull["head"]["sha"]) if pull else run.event.sha
