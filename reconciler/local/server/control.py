"""
Control requests of tests to the server itself, outside the protocol: ``/_control``.

``GET /_control/requests`` (the log), ``DELETE`` (forget it); ``GET /_control/faults``, ``POST`` (one rule or a list of
rules, as JSON), ``DELETE``. The fields are those of `Exchange` and `Fault`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconciler.local.server.exchange import Response
from reconciler.local.server.faults import Fault
from reconciler.local.server.protocol import MAX_XML_BYTES, HttpRefusal, invalid

if TYPE_CHECKING:
    from email.message import Message

    from reconciler.local.server.body import Body
    from reconciler.local.server.faults import Faults
    from reconciler.local.server.request_log import RequestLog

PREFIX = "/_control/"


def answer_control(log: RequestLog, faults: Faults, method: str, path: str, headers: Message, body: Body) -> Response:
    """Answer a request to `path`."""
    match method, path.removeprefix(PREFIX):
        case "GET", "requests":
            return _json({"requests": [exchange.as_json() for exchange in log.exchanges()]})
        case "DELETE", "requests":
            log.clear()
            return Response(status=204)
        case "GET", "faults":
            return _json({"faults": faults.rules()})
        case "POST", "faults":
            return _add(faults, headers, body)
        case "DELETE", "faults":
            faults.clear()
            return Response(status=204)
    raise HttpRefusal(404, "NoSuchObject", "There is no such control")


def _add(faults: Faults, headers: Message, body: Body) -> Response:
    # JSON only: a web page cannot send that to another site without asking first.
    if headers.get_content_type() != "application/json":
        raise HttpRefusal(415, "InvalidContentType", "A fault is sent as application/json")
    try:
        rules = json.loads(body.whole(MAX_XML_BYTES))
        parsed = [Fault.parse(rule) for rule in (rules if isinstance(rules, list) else [rules])]
    except (ValueError, TypeError, AttributeError, RecursionError) as problem:
        raise invalid(str(problem)) from problem
    for fault in parsed:
        faults.add(fault)
    return Response(status=201)


def _json(document: dict[str, Any]) -> Response:
    return Response(status=200, content=json.dumps(document).encode(), content_type="application/json")
