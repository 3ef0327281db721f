"""
Permissions: what a request needs, and its refusal where the settings deny that.

Actions and objects are those of [doc "MaxCompute permissions"]: List and Create… on the project, Read, Write and Delete on a resource
or function. The question whether somebody may is the Java SDK's `checkPermission`. The text of a refusal is as users quote
it from SQL; that a list needs nothing beside List is a guess.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import unquote

from reconciler.local.http.messages import HttpRefusal, Response
from reconciler.local.server.exchange import Request, xml_response
from reconciler.local.server.protocol import MAX_XML_BYTES, element, invalid, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.local.server.service import LocalService

ACTIONS = ("List", "Read", "Write", "Delete", "CreateResource", "CreateFunction", "CreateInstance")

_FOLDERS = {
    ("resources",): ("resource", "CreateResource"),
    ("registration", "functions"): ("function", "CreateFunction"),
}
_PATHS = {"project": "", "resource": "/resources/{}", "function": "/registration/functions/{}"}


@dataclass(frozen=True)
class RequiredPermission:
    """An action on an object."""

    action: str
    kind: str
    """``project``, ``resource`` or ``function``."""
    name: str

    def is_denied(self, rules: Sequence[str]) -> bool:
        """Say whether one of the rules, ``ACTION`` or ``ACTION:KIND/NAME`` with * and ?, is about it."""
        named = f"{self.kind}/{self.name}".lower()
        parts = (rule.partition(":") for rule in rules)
        return any(action == self.action and fnmatchcase(named, name.lower() or "*") for action, _, name in parts)


def required_permission(method: str, path: Sequence[str]) -> RequiredPermission | None:
    """Return what a request needs; None for what is free, as far as this server models it."""
    if len(path) < 3 or path[0] != "projects":
        return None
    project, rest = path[1], tuple(path[2:])
    if rest == ("instances",) and method == "POST":
        return RequiredPermission("CreateInstance", "project", project)
    for folder, (kind, create) in _FOLDERS.items():
        if rest[: len(folder)] == folder:
            names = rest[len(folder) :]
            if not names:
                return RequiredPermission("List" if method == "GET" else create, "project", project)
            return RequiredPermission({"PUT": "Write", "DELETE": "Delete"}.get(method, "Read"), kind, names[0])
    return None


def require_permission(method: str, path: Sequence[str], rules: Sequence[str]) -> None:
    """Refuse a request that needs what is denied."""
    needed = required_permission(method, path) if rules else None
    if needed is not None and needed.is_denied(rules):
        address = f"projects/{path[1]}{_PATHS[needed.kind].format(needed.name)}"
        what = f"You have NO privilege 'odps:{needed.action}' on {{acs:odps:*:{address}}}"
        raise HttpRefusal(403, "NoPermission", f"ODPS-0420095: Access Denied - Authorization Failed [4019], {what}")


def check_permission(service: LocalService, request: Request) -> Response:
    """
    ``POST …/auth/``: whether somebody may, with ``[{"Action": …, "Resource": "/projects/p/…"}]`` (Java).

    The answer is one for all, so one question is taken.
    """
    service.project(request)
    try:
        [question] = json.loads(request.body.whole(MAX_XML_BYTES))
        action, parts = (
            str(question["Action"]),
            [unquote(part) for part in str(question["Resource"]).strip("/").split("/")],
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        raise invalid("one question, with Action and Resource") from None
    if action not in ACTIONS or parts[:1] != ["projects"]:
        raise invalid("the local service does not know this action or object")
    needed = RequiredPermission(action, "project", parts[1] if len(parts) > 1 else "")
    for folder, (kind, _) in _FOLDERS.items():
        if tuple(parts[2:-1]) == folder:
            needed = RequiredPermission(action, kind, parts[-1])
    result = "Deny" if needed.is_denied(service.settings.denied) else "Allow"
    return xml_response(element("Auth", texts(Result=result, Message="")))
