"""
HTTP server of a custom runtime that calls a Python handler, as the built-in runtimes do by themselves.

udfs ships it beside the code of a function with a custom runtime and no command of its own. Events come to POST /invoke, the initializer
is called by POST /initialize [doc "Custom runtimes"]; everything else is an HTTP trigger's request, which the handler gets as the event
that built-in runtimes make of one. That ``x-fc-status: 404`` tells of a failure is from the same page.
"""

from __future__ import annotations

import base64
import importlib
import json
import logging
import os
import sys
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Callable, Dict, Tuple
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from email.message import Message

Response = Tuple[int, Dict[str, Any], bytes]
"""Status, headers and body."""


class FunctionContext:
    """What a handler is told of its function."""

    def __init__(self, headers: Message) -> None:
        environment = os.environ
        self.name = headers.get("x-fc-function-name") or environment.get("FC_FUNCTION_NAME", "")
        self.handler = headers.get("x-fc-function-handler") or environment.get("FC_FUNCTION_HANDLER", "")
        self.memory = int(headers.get("x-fc-function-memory") or environment.get("FC_FUNCTION_MEMORY_SIZE") or 0)
        self.timeout = int(headers.get("x-fc-function-timeout") or environment.get("FC_TIMEOUT") or 0)
        self.version_id = headers.get("x-fc-version-id") or environment.get("FC_FUNCTION_VERSION", "")
        self.qualifier = headers.get("x-fc-qualifier") or environment.get("FC_QUALIFIER", "")


class RoleKeys:
    """Keys of the role that a function acts as."""

    def __init__(self, headers: Message) -> None:
        self.access_key_id = headers.get("x-fc-access-key-id", "")
        self.access_key_secret = headers.get("x-fc-access-key-secret", "")
        self.security_token = headers.get("x-fc-security-token", "")


class Context:
    """The second argument of a handler, and the first of an initializer."""

    def __init__(self, headers: Message) -> None:
        self.request_id = headers.get("x-fc-request-id", "")
        self.account_id = headers.get("x-fc-account-id") or os.environ.get("FC_ACCOUNT_ID", "")
        self.region = headers.get("x-fc-region") or os.environ.get("FC_REGION", "")
        self.function = FunctionContext(headers)
        self.credentials = RoleKeys(headers)
        self.logger = logging.getLogger()


def load_handler(handler: str) -> Callable[..., Any]:
    """Return the function that ``module.function`` names."""
    module, _, name = handler.rpartition(".")
    function: Callable[..., Any] = getattr(importlib.import_module(module.replace("/", ".")), name)
    return function


def encode_answer(value: Any) -> bytes:
    """Return an answer as bytes: bytes as they are, a text in UTF-8, anything else as JSON."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def describe_failure(error: Exception) -> dict[str, Any]:
    """Return an exception as the service reports one."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": lines}


def event_of(method: str, target: str, headers: Message, body: bytes, context: Context) -> bytes:
    """Return the event that an HTTP request is."""
    parts, is_text = urlsplit(target), True
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text, is_text = base64.b64encode(body).decode(), False
    now = time.time()
    http = {"method": method, "path": unquote(parts.path), "protocol": "HTTP/1.1", "sourceIp": "", "userAgent": ""}
    http["userAgent"] = headers.get("user-agent", "")
    http["sourceIp"] = headers.get("x-forwarded-for", "").partition(",")[0]
    event = {
        "version": "v1",
        "rawPath": parts.path,
        "body": text,
        "isBase64Encoded": not is_text,
        "headers": {name: value for name, value in headers.items() if not name.lower().startswith("x-fc-")},
        "queryParameters": dict(parse_qsl(parts.query, keep_blank_values=True)),
        "requestContext": {
            "accountId": context.account_id,
            "domainName": headers.get("host", ""),
            "domainPrefix": "",
            "http": http,
            "requestId": context.request_id,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
            "timeEpoch": str(int(now * 1000)),
        },
    }
    return json.dumps(event).encode()


def response_of(answer: Any) -> Response:
    """Return status, headers and body of what a handler answered to an HTTP request."""
    try:
        document = answer if isinstance(answer, dict) else json.loads(encode_answer(answer))
    except ValueError:
        document = None
    if not isinstance(document, dict) or "statusCode" not in document:
        return 200, {"Content-Type": "application/json"}, encode_answer(answer)
    body = encode_answer(document.get("body", ""))
    if document.get("isBase64Encoded"):
        body = base64.b64decode(body)
    return int(document["statusCode"]), dict(document.get("headers") or {}), body


class Calls(BaseHTTPRequestHandler):
    """Requests of the service, each a call of the function."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body, context = self.rfile.read(length), Context(self.headers)
        try:
            if self.path == "/initialize":
                initializer = os.environ.get("FC_INITIALIZER_HANDLER") or os.environ.get("FC_INITIALIZER")
                if initializer:
                    load_handler(initializer)(context)
                self.reply(200, {}, b"")
            elif self.path == "/invoke":
                self.reply(
                    200, {"x-fc-status": "200"}, encode_answer(load_handler(context.function.handler)(body, context))
                )
            else:
                event = event_of(self.command, self.path, self.headers, body, context)
                self.reply(*response_of(load_handler(context.function.handler)(event, context)))
        except Exception as error:
            report = describe_failure(error)
            print("".join(report["stackTrace"]), file=sys.stderr, flush=True)
            is_event = self.path in ("/initialize", "/invoke")
            failure = {"Content-Type": "application/json", "x-fc-status": "404"}
            self.reply(200 if is_event and self.path == "/invoke" else 500, failure, json.dumps(report).encode())

    do_GET = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = do_POST

    def reply(self, status: int, headers: dict[str, Any], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, str(value))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the service logs requests, and the function's log is its own."""


def serve_calls() -> None:
    """Serve until the instance is gone."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    address = "0.0.0.0", int(os.environ.get("FC_CUSTOM_LISTEN_PORT") or os.environ.get("FC_SERVER_PORT") or 9000)
    ThreadingHTTPServer(address, Calls).serve_forever()


if __name__ == "__main__":
    serve_calls()
