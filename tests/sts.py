"""
STS and GitHub's service of identity tokens on loopback, with TLS: sessions of a few seconds for a server of our own.

Every secret that is handed out is a canary of its own; `Sts.secrets` has them all.
"""

from __future__ import annotations

import json
import secrets
import ssl
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import trustme

from reconciler.local.server.settings import User

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE = "acs:ram::1234567890123456:role/deployer"
PROVIDER = "acs:ram::1234567890123456:oidc-provider/github"


@dataclass(frozen=True)
class Reply:
    """What is answered in the place of a session or a token."""

    status: int
    body: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Sts:
    """What was asked, what is answered, and the people whom a server of our own then knows."""

    life: float = 3600.0
    ahead: float = 0.0
    """Seconds by which its clock is wrong, and the expiry that it tells with it."""
    users: dict[str, User] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    tokens_asked: list[tuple[str, str]] = field(default_factory=list)
    """Audience and authorization of each request for an identity token."""
    replies: list[Reply] = field(default_factory=list)
    """Answers of STS to come before any session, each once."""
    token_replies: list[Reply] = field(default_factory=list)
    request_token: str = field(default_factory=lambda: f"canary-request-{secrets.token_hex(12)}")
    lock: threading.Lock = field(default_factory=threading.Lock)
    port: int = 0
    folder: Path = field(default_factory=Path)
    """Where the certificate of the authority is."""

    def canary(self, what: str) -> str:
        text = f"canary-{what}-{secrets.token_hex(16)}"
        self.secrets.append(text)
        return text

    def session(self, form: dict[str, str]) -> Reply:
        with self.lock:
            self.asked.append(form)
            if self.replies:
                return self.replies.pop(0)
            number = len(self.users) + 1
            key, token = self.canary("key"), f"{self.canary('token')}+/="
            end = time.time() + self.life
            self.users[f"STS.{number}"] = User(key, "RAM$ops:deployer", token, end)
        # The service tells whole seconds; a test's sessions are shorter, and end no later than they say.
        stamp = datetime.fromtimestamp(end + self.ahead, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        keys = {"AccessKeyId": f"STS.{number}", "AccessKeySecret": key, "SecurityToken": token, "Expiration": stamp}
        return Reply(200, json.dumps({"RequestId": "R", "Credentials": keys, "AssumedRoleUser": {}}))

    def identity(self, audience: str, authorization: str) -> Reply:
        with self.lock:
            self.tokens_asked.append((audience, authorization))
            if self.token_replies:
                return self.token_replies.pop(0)
            if authorization != f"bearer {self.request_token}":
                return Reply(401, "who are you")
            return Reply(200, json.dumps({"value": f"eyJ.{self.canary('identity')}.sig"}))

    def environment(self) -> dict[str, str]:
        """Return what a job of GitHub's has in which a role is set up."""
        return {
            "ALIBABA_CLOUD_ROLE_ARN": ROLE,
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": PROVIDER,
            "UDFS_STS_ENDPOINT": f"localhost:{self.port}",
            "REQUESTS_CA_BUNDLE": str(self.folder / "ca.pem"),
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"https://localhost:{self.port}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.request_token,
            "GITHUB_ACTIONS": "true",
            "GITHUB_RUN_ID": "4711",
        }


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust the certificate leaves in the middle."""


S = TypeVar("S", bound=Sts)


def serve_sts(folder: Path) -> Iterator[Sts]:
    """Serve until the caller is done, with a certificate that `folder`'s ``ca.pem`` vouches for."""
    yield from serve(Sts(folder=folder))


def serve(sts: S) -> Iterator[S]:
    """Serve until the caller is done, with a certificate that the folder's ``ca.pem`` vouches for."""
    folder = sts.folder

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            self._answer(sts.identity(query.get("audience", [""])[0], self.headers.get("Authorization", "")))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            assert "?" not in self.path, "a token in an address ends up in logs"
            self._answer(sts.session({name: values[0] for name, values in parse_qs(body).items()}))

        def _answer(self, reply: Reply) -> None:
            content = reply.body.encode()
            self.send_response_only(reply.status)
            self.send_header("Date", formatdate(time.time() + sts.ahead, usegmt=True))
            self.send_header("Content-Length", str(len(content)))
            for name, value in reply.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with _Listener(("127.0.0.1", 0), Handler) as listener:
        listener.socket = context.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
        sts.port = listener.server_address[1]
        thread = threading.Thread(target=listener.serve_forever, daemon=True)
        thread.start()
        yield sts
        listener.shutdown()
        thread.join()
