"""
Account at MaxCompute: who asks, what that is allowed, and the statement that grants what is missing.

``whoami`` is a query of security as odpscmd and PyODPS send it; permissions are asked for one by one, as the Java SDK does
(`SecurityManager.checkPermission`), so the service decides, roles and policies included. Neither was tried on a live project.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from reconciler.base.errors import ServiceError, count
from reconciler.base.redaction import redact_foreign
from reconciler.core.diff import Action
from reconciler.targets.credentials.trust import trust_policies
from reconciler.targets.maxcompute.objects import Function
from reconciler.targets.maxcompute.target import MaxCompute
from reconciler.targets.powers import Identity, Permission

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.core.diff import Change
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.targets.maxcompute.client import Client
    from reconciler.targets.powers import Origin, TrustPolicy

__all__ = ["check_permissions", "find_identity", "find_trust_policies"]

_MOST = 100
"""Questions a command, of a plan of thousands: what is denied for one is most often denied for all."""

_PLAIN = re.compile(r"[A-Za-z0-9_$@.:-]+\Z")
_WHOAMI = (
    b'<?xml version="1.0" encoding="utf-8"?>\n'
    b"<Authorization><Query>whoami</Query><ResponseInJsonFormat>true</ResponseInJsonFormat></Authorization>"
)


def find_identity(target: Target) -> Identity:
    """Ask the service who sends these requests; `ServiceError` where it does not say."""
    assert isinstance(target, MaxCompute)
    client = target.client
    answer = client.send("post", "/authorization", headers={"Content-Type": "application/xml"}, body=_WHOAMI)
    try:
        said = json.loads(answer.xml("Authorization").findtext("Result") or "")
        name, number = str(said["DisplayName"]), str(said.get("ID") or "")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise client.garbage("no name of an account") from None
    credentials = client.credentials.current()
    remaining = None if credentials.expires is None else max(0.0, credentials.expires - time.monotonic())
    return Identity(redact_foreign(name), redact_foreign(number), credentials.origin, remaining)


class _Need(NamedTuple):
    action: str
    kind: str
    name: str


def check_permissions(target: Target, changes: Sequence[Change], identity: Identity | None) -> Iterator[Permission]:
    """Yield what carrying out some changes needs, each with the service's answer."""
    assert isinstance(target, MaxCompute)
    client = target.client
    needs = _needs_of(changes, client.project)
    for need, reason in list(needs.items())[:_MOST]:
        is_allowed, said = _ask(client, need)
        yield Permission(
            need.action,
            f"{need.kind} {need.name}",
            reason,
            is_allowed,
            said,
            _grant(need, identity.name if identity else "USER_NAME"),
            is_optional=need.action == "CreateInstance",
        )


def _needs_of(changes: Sequence[Change], project: str) -> Mapping[_Need, str]:
    """Return what is needed and why; which action asks for what is [doc "MaxCompute permissions"], reading what a function lists a guess."""
    created = Counter(change.key.kind for change in changes if change.action is Action.CREATE)
    needs = {_Need("List", "project", project): "every plan reads what is there"}
    if changes:
        listed = f"{count(created['resource'], 'resource')} to create, and " if created["resource"] else ""
        needs[_Need("CreateResource", "project", project)] = f"{listed}the ledger is a resource"
    if created["function"]:
        needs[_Need("CreateFunction", "project", project)] = f"{count(created['function'], 'function')} to create"
    needs[_Need("CreateInstance", "project", project)] = "`udfs verify` and `udfs sql` run SQL"
    for change in changes:
        needs |= _needs_of_change(change)
    new = {
        change.key.name.lower()
        for change in changes
        if change.action is Action.CREATE and change.key.kind == "resource"
    }
    for name in _listed_resources(changes):
        if name.lower() not in new:
            needs.setdefault(_Need("Read", "resource", name), "a function lists it")
    return needs


def _needs_of_change(change: Change) -> dict[_Need, str]:
    kind, name = change.key.kind, change.live.object.name if change.live else change.key.name
    if change.action is Action.DELETE:
        return {_Need("Delete", kind, name): "it is deleted"}
    is_sent = change.action is Action.UPDATE or (
        change.action in {Action.ADOPT, Action.RELEASE} and kind == "resource"  # whose a function is, is not sent
    )
    return {_Need("Write", kind, name): f"it is {change.action.value}d"} if is_sent else {}


def _listed_resources(changes: Iterable[Change]) -> Iterator[str]:
    for change in changes:
        definition = change.desired.object if change.desired is not None else None
        if isinstance(definition, Function) and change.action in {Action.CREATE, Action.UPDATE}:
            yield from (ref.name for ref in definition.resources if ref.is_own)


def _ask(client: Client, need: _Need) -> tuple[bool | None, str]:
    """Return whether it is allowed; None where the service does not say, with why."""
    folder = {"project": "", "resource": f"/resources/{quote(need.name, safe='')}"}.get(
        need.kind, f"/registration/functions/{quote(need.name, safe='')}"
    )
    question = json.dumps([{"Action": need.action, "Resource": f"/projects/{quote(client.project, safe='')}{folder}"}])
    try:
        answer = client.send("post", "/auth/", headers={"Content-Type": "application/json"}, body=question.encode())
        result = (answer.xml("Auth").findtext("Result") or "").lower()
    except ServiceError as error:
        return None, error.problems[0].message
    with suppress(KeyError):
        return {"allow": True, "deny": False}[result], ""
    return None, f"the service answers {redact_foreign(result)[:40]!r}"


def _grant(need: _Need, user: str) -> str:
    """Return the statement for somebody who may grant, with names that are not plain in backticks."""
    name, user = (text if _PLAIN.match(text) else f"`{text.replace('`', '')}`" for text in (need.name, user))
    return f"GRANT {need.action} ON {need.kind.upper()} {name} TO USER {user};"


def find_trust_policies(
    loaded: Loaded, repository: Origin, environment: Mapping[str, str], *, job_environment: str, branch: str
) -> tuple[TrustPolicy, ...]:
    """Return the policies by which a role trusts the pipelines of a repository."""
    from reconciler.targets.maxcompute.manifest import target_of

    choice = target_of(loaded).credentials
    return trust_policies(choice, repository, environment, job_environment=job_environment, branch=branch)
