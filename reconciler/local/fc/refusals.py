"""
Refusals of Function Compute and of OSS: status, code and text of each.

Where a docstring says *documented*, code and status are in the vendor's lists of error codes; texts are ours unless the list has one.
"""

from __future__ import annotations

from reconciler.local.http.messages import HttpRefusal

KINDS = {
    "function": "Function",
    "layer": "Layer",
    "layer version": "LayerVersion",
    "version": "Version",
    "alias": "Alias",
    "trigger": "Trigger",
}
"""What an error code calls each kind of object: FunctionNotFound, AliasAlreadyExists (read in the vendor's tool); layers' are guesses."""


def invalid_argument(why: str) -> HttpRefusal:
    """400, documented."""
    return HttpRefusal(400, "InvalidArgument", why)


def missing_object(kind: str, name: str) -> HttpRefusal:
    """404; the codes of functions, aliases, triggers and versions are documented or read in the vendor's tool."""
    return HttpRefusal(404, f"{KINDS[kind]}NotFound", f"{kind} '{name}' does not exist")


def name_conflict(kind: str, name: str) -> HttpRefusal:
    """409; the codes of functions, aliases and triggers are read in the vendor's tool."""
    return HttpRefusal(409, f"{KINDS[kind]}AlreadyExists", f"{kind} '{name}' already exists")


def object_in_use(kind: str, name: str, why: str) -> HttpRefusal:
    """409 for what something else needs; status and code are guesses."""
    return HttpRefusal(409, f"{KINDS[kind]}InUse", f"{kind} '{name}' cannot be deleted: {why}")


def too_large(limit: int) -> HttpRefusal:
    """400, documented, with the documented text."""
    return HttpRefusal(400, "EntityTooLarge", f"payload size exceeds maximum allowed size ({limit} bytes)")


def limit_exceeded(why: str) -> HttpRefusal:
    """400, documented for resources that are more than the service allows."""
    return HttpRefusal(400, "LimitExceededError", why)


def path_not_supported(method: str, path: str) -> HttpRefusal:
    """400, documented, with the documented text."""
    return HttpRefusal(400, "PathNotSupported", f"'{path}' against '{method}' is not supported")
