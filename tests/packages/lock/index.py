"""A package index on loopback, which may fail in the ways that real ones do."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass
class Index:
    """Serves the wheels of a folder as a "simple" index does."""

    folder: Path
    port: int = 0
    fault: str = ""
    """What files suffer: ``cut``, ``drip``, ``other``, ``404``, ``500``; ``all 500`` is for all pages."""

    lists_hashes: bool = True

    password: str = ""
    asked: list[str] = field(default_factory=list)
    on_request: Callable[[], None] = lambda: None
    """Is called while whoever asks still runs."""

    @property
    def url(self) -> str:
        user = f"ann:{self.password}@" if self.password else ""
        return f"http://{user}127.0.0.1:{self.port}/simple/"


@contextmanager
def serving(folder: Path, **options: str) -> Iterator[Index]:
    """Run an index while the context lasts."""
    index = Index(folder, **options)  # type: ignore[arg-type]
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, index))
    index.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, index: Index, *rest: object) -> None:
        self.index = index
        super().__init__(*rest)  # type: ignore[arg-type]

    def log_message(self, format: str, *args: object) -> None:
        self.index.asked.append(self.path)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        index, path = self.index, unquote(self.path)
        index.on_request()
        wanted = "Basic " + base64.b64encode(f"ann:{index.password}".encode()).decode()
        if index.password and self.headers.get("Authorization") != wanted:
            return self._send(401, b"who are you?", {"WWW-Authenticate": 'Basic realm="index"'})
        if index.fault == "all 500":
            return self._send(500, b"sorry")
        if path.startswith("/files/"):
            return self._file(path.removeprefix("/files/"))
        name = path.removeprefix("/simple/").strip("/")
        files = [
            file
            for file in sorted(index.folder.iterdir())
            if file.name.partition("-")[0].replace("_", "-").lower() == name
        ]
        if not files:
            return self._send(404, b"not here")
        links = "".join(
            f'<a href="/files/{one.name}{_fragment(one) if index.lists_hashes else ""}">{one.name}</a>\n'
            for one in files
        )
        return self._send(
            200, f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), {"Content-Type": "text/html"}
        )

    def _file(self, name: str) -> None:
        content, fault = (self.index.folder / name).read_bytes(), self.index.fault
        if fault.isdecimal():
            return self._send(int(fault), b"sorry")
        if fault == "other":
            content = content[:-1] + bytes([content[-1] ^ 1])
        if fault == "drip":
            return self._drip(content)
        return self._send(200, content, cut=fault == "cut")

    def _drip(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(OSError):  # whoever waited has gone
            for byte in content:
                self.wfile.write(bytes([byte]))
                time.sleep(0.05)

    def _send(self, code: int, content: bytes, headers: dict[str, str] | None = None, *, cut: bool = False) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(content)), "Accept-Ranges": "none", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = True


def _fragment(file: Path) -> str:
    return f"#sha256={hashlib.sha256(file.read_bytes()).hexdigest()}"
