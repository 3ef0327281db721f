"""
Forges on loopback: they keep what they are sent, page their lists, and fail as they are told to.

GitHub's is strict: what its published description does not have is an error of the test, not only of the request.
"""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.canary import TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.forges.openapi import Description

BOT = "github-actions[bot]"
COMMIT = "c" * 40


@dataclass
class Fault:
    """What goes wrong with some requests."""

    method: str
    path: str
    """A pattern."""

    kind: Literal["answer", "lost", "cut"] = "answer"
    """*lost*: done, and the connection ends without an answer. *cut*: not done, and the same."""

    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    times: int = 1


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]


class Answer(Exception):
    """An answer that is no 200."""

    def __init__(self, status: int, body: Any = None) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class Forge:
    """A service on a port of loopback. Use it in a ``with``."""

    token = TOKEN
    header = "authorization"
    prefix = ""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.complaints: list[str] = []
        self.lock = Lock()
        self.routes: list[tuple[str, str, Callable[..., Any]]] = []
        self.counter = 100
        forge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                forge.serve(self)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_one

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def new_id(self) -> int:
        self.counter += 1
        return self.counter

    def count(self, method: str, path: str = "") -> int:
        return sum(request.method == method and bool(re.search(path, request.path)) for request in self.requests)

    def examine(self, request: Request) -> None:
        """Complain of a request that the real forge would not take."""
        if request.headers.get(self.header) != self.prefix + self.token:
            self.complaints.append(f"{request.method} {request.path} came without the token")

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        size = int(handler.headers.get("Content-Length") or 0)
        content = handler.rfile.read(size) if size else b""
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Request(
            handler.command, parts.path, dict(parse_qsl(parts.query)), json.loads(content) if content else None, headers
        )
        with self.lock:
            self.requests.append(request)
            try:
                self.examine(request)
            except AssertionError as error:
                self.complaints.append(str(error))
            fault = self._fault(request)
            if fault is not None and fault.kind == "answer":
                self.reply(handler, fault.status, fault.body, fault.headers)
                return
            status, body = 500, None
            if fault is None or fault.kind == "lost":
                try:
                    status, body = 200, self.answer(request)
                    if isinstance(body, tuple):
                        status, body = body
                except Answer as answer:
                    status, body = answer.status, answer.body
            if fault is not None:
                handler.close_connection = True
                handler.connection.shutdown(socket.SHUT_RDWR)
                return
            self.reply(handler, status, body, {})

    def reply(self, handler: BaseHTTPRequestHandler, status: int, body: Any, headers: dict[str, str]) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def answer(self, request: Request) -> Any:
        for method, pattern, function in self.routes:
            match = re.fullmatch(pattern, request.path)
            if match and method == request.method:
                return function(request, *map(unquote, match.groups()))
        raise Answer(404, {"message": "Not Found"})

    def _fault(self, request: Request) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.method == request.method and re.search(fault.path, request.path):
                fault.times -= 1
                return fault
        return None


def page(items: list[Any], request: Request) -> list[Any]:
    size, number = int(request.query.get("per_page", 30)), int(request.query.get("page", 1))
    return items[(number - 1) * size : number * size]


class FakeGitHub(Forge):
    """One repository, ``acme/functions``."""

    prefix = "Bearer "

    def __init__(self, description: Description) -> None:
        super().__init__()
        self.description = description
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.issues: list[dict[str, Any]] = []
        self.deployments: list[dict[str, Any]] = []
        self.pulls: dict[str, list[dict[str, Any]]] = {}
        """By commits."""
        self.branches: dict[str, list[dict[str, Any]]] = {}
        base = "/repos/acme/functions"
        self.routes = [
            ("GET", rf"{base}/issues/(\d+)/comments", lambda r, n: page(self.comments.get(int(n), []), r)),
            ("POST", rf"{base}/issues/(\d+)/comments", self._add_comment),
            ("PATCH", rf"{base}/issues/comments/(\d+)", self._edit_comment),
            ("GET", rf"{base}/commits/(\w+)/pulls", lambda r, commit: page(self.pulls.get(commit, []), r)),
            ("GET", rf"{base}/pulls", lambda r: page(self.branches.get(r.query["head"], []), r)),
            ("GET", rf"{base}/issues", self._list_issues),
            ("POST", rf"{base}/issues", self._open_issue),
            ("PATCH", rf"{base}/issues/(\d+)", self._change_issue),
            ("GET", rf"{base}/deployments", self._list_deployments),
            ("POST", rf"{base}/deployments", self._deploy),
            ("POST", rf"{base}/deployments/(\d+)/statuses", self._set_status),
        ]

    def examine(self, request: Request) -> None:
        super().examine(request)
        if "application/vnd.github+json" not in request.headers.get("accept", ""):
            self.complaints.append("the version of the answer is not named")
        if request.headers.get("x-github-api-version") != "2022-11-28":
            self.complaints.append("the version of the API is not named")
        self.description.check(request.method, request.path, request.query, request.body)

    def say(self, number: int, body: str, author: str = BOT) -> dict[str, Any]:
        comment = {"id": self.new_id(), "body": body, "user": {"login": author}}
        self.comments.setdefault(number, []).append(comment)
        return comment

    def ours(self, number: int) -> list[str]:
        return [comment["body"] for comment in self.comments.get(number, []) if comment["user"]["login"] == BOT]

    def _add_comment(self, request: Request, number: str) -> Any:
        if len(request.body["body"]) > 65_536:
            raise Answer(422, {"message": "Validation Failed: body is too long (maximum is 65536 characters)"})
        return 201, self.say(int(number), request.body["body"])

    def _edit_comment(self, request: Request, number: str) -> Any:
        comments = [comment for listed in self.comments.values() for comment in listed]
        comment = next((comment for comment in comments if comment["id"] == int(number)), None)
        if comment is None:
            raise Answer(404, {"message": "Not Found"})
        if comment["user"]["login"] != BOT:
            raise Answer(403, {"message": "Resource not accessible by integration"})
        comment["body"] = request.body["body"]
        return comment

    def _list_issues(self, request: Request) -> Any:
        creator = request.query.get("creator")
        listed = [issue for issue in reversed(self.issues) if creator in {None, issue["user"]["login"]}]
        if request.query.get("state", "open") != "all":
            listed = [issue for issue in listed if issue["state"] == request.query.get("state", "open")]
        return page(listed, request)

    def open(self, title: str, body: str, author: str = BOT, **more: Any) -> dict[str, Any]:
        number = len(self.issues) + 1
        issue = {"number": number, "title": title, "body": body, "state": "open", "user": {"login": author}, **more}
        self.issues.append(issue)
        return issue

    def _open_issue(self, request: Request) -> Any:
        return 201, self.open(request.body["title"], request.body["body"])

    def _change_issue(self, request: Request, number: str) -> Any:
        issue = self.issues[int(number) - 1]
        issue.update(request.body)
        return issue

    def _list_deployments(self, request: Request) -> Any:
        wanted = {"sha": "ref", "task": "task", "environment": "environment"}
        return page(
            [
                deployment
                for deployment in self.deployments
                if all(deployment[key] == request.query[name] for name, key in wanted.items() if name in request.query)
            ],
            request,
        )

    def _deploy(self, request: Request) -> Any:
        deployment = {"id": self.new_id(), "statuses": [], **request.body}
        self.deployments.append(deployment)
        return 201, deployment

    def _set_status(self, request: Request, number: str) -> Any:
        deployment = next(deployment for deployment in self.deployments if deployment["id"] == int(number))
        deployment["statuses"].append(request.body)
        return 201, request.body


class FakeGitLab(Forge):
    """Project 42. What its pages say of the few calls, by hand."""

    header = "private-token"

    def __init__(self) -> None:
        super().__init__()
        self.notes: dict[int, list[dict[str, Any]]] = {}
        self.merge_requests: dict[str, list[dict[str, Any]]] = {}
        self.statuses: list[dict[str, Any]] = []
        base = "/api/v4/projects/42"
        self.routes = [
            ("GET", "/api/v4/user", lambda _: {"id": 7, "username": "project_42_bot"}),
            ("GET", rf"{base}/merge_requests/(\d+)/notes", self._list_notes),
            ("POST", rf"{base}/merge_requests/(\d+)/notes", self._add_note),
            ("PUT", rf"{base}/merge_requests/(\d+)/notes/(\d+)", self._edit_note),
            ("GET", rf"{base}/repository/commits/(\w+)/merge_requests", lambda _, c: self.merge_requests.get(c, [])),
            ("POST", rf"{base}/statuses/(\w+)", self._set_status),
        ]

    def say(self, number: int, body: str, author: int = 7, *, system: bool = False) -> dict[str, Any]:
        note = {"id": self.new_id(), "body": body, "author": {"id": author}, "system": system}
        self.notes.setdefault(number, []).append(note)
        return note

    def _list_notes(self, request: Request, number: str) -> Any:
        if request.query.get("sort") != "asc" or request.query.get("order_by") != "created_at":
            self.complaints.append("the oldest notes are not asked for first")
        return page(self.notes.get(int(number), []), request)

    def _add_note(self, request: Request, number: str) -> Any:
        if request.body.keys() != {"body"} or len(request.body["body"]) > 1_000_000:
            raise Answer(400, {"message": "body is invalid"})
        return 201, self.say(int(number), request.body["body"])

    def _edit_note(self, request: Request, number: str, note: str) -> Any:
        item = next(item for item in self.notes[int(number)] if item["id"] == int(note))
        if item["author"]["id"] != 7:
            raise Answer(403, {"message": "403 Forbidden"})
        item["body"] = request.body["body"]
        return item

    def _set_status(self, request: Request, commit: str) -> Any:
        if request.body["state"] not in {"pending", "running", "success", "failed", "canceled", "skipped"}:
            raise Answer(400, {"message": "state does not have a valid value"})
        if len(request.body["description"]) > 255:
            raise Answer(400, {"message": "description is too long"})
        self.statuses.append({"sha": commit, **request.body})
        return 201, request.body


class FakeCodeup(Forge):
    """Repository 2813489 of the organization ``org-1``. What Yunxiao's pages say of the few calls, by hand."""

    header = "x-yunxiao-token"

    def __init__(self) -> None:
        super().__init__()
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.statuses: list[dict[str, Any]] = []
        base = "/oapi/v1/codeup/organizations/org-1/repositories/2813489"
        self.routes = [
            ("GET", "/oapi/v1/platform/user", lambda _: {"id": "user-1", "name": "pipeline"}),
            ("POST", rf"{base}/changeRequests/(\d+)/comments/list", lambda _, n: self.comments.get(int(n), [])),
            ("POST", rf"{base}/changeRequests/(\d+)/comments", self._add_comment),
            ("PUT", rf"{base}/changeRequests/(\d+)/comments/(\w+)", self._edit_comment),
            ("GET", rf"{base}/changeRequests/(\d+)/diffs/patches", self._list_versions),
            ("POST", rf"{base}/commits/(\w+)/statuses", self._set_status),
        ]

    def say(self, number: int, body: str, author: str = "user-1") -> dict[str, Any]:
        comment = {"comment_biz_id": f"biz{self.new_id()}", "content": body, "author": {"userId": author}}
        self.comments.setdefault(number, []).append(comment)
        return comment

    def _list_versions(self, request: Request, number: str) -> Any:
        return [
            {"patchSetBizId": "base", "relatedMergeItemType": "MERGE_TARGET", "versionNo": 9},
            {"patchSetBizId": "first", "relatedMergeItemType": "MERGE_SOURCE", "versionNo": 1},
            {"patchSetBizId": "second", "relatedMergeItemType": "MERGE_SOURCE", "versionNo": 2},
        ]

    def _add_comment(self, request: Request, number: str) -> Any:
        body = request.body
        if not 1 <= len(body["content"]) <= 65_535 or body["comment_type"] != "GLOBAL_COMMENT":
            raise Answer(400, {"errorMessage": "invalid"})
        if body["patchset_biz_id"] != "second":
            self.complaints.append("a comment is not on the newest version")
        return self.say(int(number), body["content"])

    def _edit_comment(self, request: Request, number: str, comment: str) -> Any:
        item = next(item for item in self.comments[int(number)] if item["comment_biz_id"] == comment)
        item["content"] = request.body["content"]
        return {"result": True}

    def _set_status(self, request: Request, commit: str) -> Any:
        if request.body["state"] not in {"error", "failure", "pending", "success"}:
            raise Answer(400, {"errorMessage": "invalid"})
        self.statuses.append({"sha": commit, **request.body})
        return request.body
