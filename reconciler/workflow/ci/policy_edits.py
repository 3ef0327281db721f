"""
Policy edits of a pull request: a change to the very policy by which the change is judged.

A change is planned by the files that it brings, its policy among them, so one that loosens the policy is judged by the looser one. That
is said in its plan, and refuses nothing: whoever owns the policy has to look at it.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reconciler.base.words import quote
from reconciler.manifest.load import POLICY
from reconciler.manifest.reader import Document, TooManyProblems, read_document
from reconciler.manifest.variables import expand_variables
from reconciler.packages.reads import list_policy_reads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.base.errors import Problem
    from reconciler.manifest.load import Loaded

_HINT = "whoever owns the policy has to look at this change; one that no change can touch is named by UDFS_POLICY"


@dataclass(frozen=True)
class Base:
    """What a pull request is compared with."""

    label: str
    changed: frozenset[str] | None
    """The files that differ from it; None where the checkout does not have it."""

    read: Callable[[str], bytes | None]
    """Return the content of a file as it was there; None of one that was not."""

    manifests: tuple[str, ...] = ()
    """The manifests of the checkout, from the repository's top."""


def find_policy_edits(loaded: Loaded, called: str, top: Path, base: Base, env: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a warning for what a change does to the policies of a manifest; `called` is its name from the repository's top."""
    now = loaded.manifest.policy
    policies = [*filter(None, (now,)), *([str(Path(env[POLICY]).absolute())] if env.get(POLICY) else [])]
    if base.changed is None:
        if list_policy_reads(policies, loaded.folder, top).files:
            message = f"whether this change edits the policy that it is judged by is not known: {base.label} is not in this clone"
            hint = "fetch it: `fetch-depth: 2` of actions/checkout, a higher `GIT_DEPTH` of GitLab"
            yield loaded.problem("E759", message, *_place(loaded), hint=hint, severity="warning")
        return
    before = _find_before(called, loaded, base, env) if called in base.changed else None
    if called in base.changed and (before is None or before.policy is None) and now is not None:
        policies.remove(now)  # the first of a manifest takes nobody's place
    is_edited = list_policy_reads(policies, loaded.folder, top).are_touched(base.changed)
    if before is not None and before.policy is not None and _is_replaced(before, called, now, is_edited=is_edited):
        message = _describe_replacement(before, called, now)
        yield loaded.problem(
            "E758", f"{message}, and is judged without it", *_place(loaded), hint=_HINT, severity="warning"
        )
    elif is_edited:
        name = quote(now or env[POLICY])
        message = f"this change edits the policy {name}, and is judged by it as it is now"
        yield loaded.problem("E758", message, *_place(loaded), hint=_HINT, severity="warning")


def _describe_replacement(before: _Before, called: str, now: str | None) -> str:
    old, new = (before.policy, now) if before.manifest == called else (before.path, _place_of(called, now))
    move = "" if before.manifest == called else f"moves {quote(before.manifest)} here and "
    if new is None:
        return f"this change {move}takes the policy {quote(old or '')} out of the manifest"
    return f"this change {move}puts the policy {quote(new)} in the place of {quote(old or '')}"


def _is_replaced(before: _Before, called: str, now: str | None, *, is_edited: bool) -> bool:
    """Say whether a manifest had another policy; a file that came along to another folder is an edit of it."""
    return before.policy != now or (before.path != _place_of(called, now) and not is_edited)


def _place(loaded: Loaded) -> tuple[str, ...]:
    return ("policy",) if loaded.manifest.policy is not None else ("stack",)


class _Before(NamedTuple):
    """What a manifest said of its policy, in the file that it was then."""

    manifest: str
    stack: object
    policy: str | None
    """As written there, variables expanded."""

    @property
    def path(self) -> str:
        return _place_of(self.manifest, self.policy) or ""


def _find_before(called: str, loaded: Loaded, base: Base, env: Mapping[str, str]) -> _Before | None:
    """
    Return what the base said of a manifest's policy; None if it did not have the manifest.

    A file that was not there is the manifest of its stack all the same, moved or written a second time.
    """
    if content := base.read(called):
        return _read_before(content, called, loaded, env)
    others = {name for name in base.changed or () if name.endswith((".yaml", ".yml"))} | {*base.manifests}
    for name in sorted(others - {called}):
        content = base.read(name)
        before = _read_before(content, name, loaded, env) if content else None
        if before is not None and before.stack == loaded.manifest.stack:
            return before
    return None


def _read_before(content: bytes, called: str, loaded: Loaded, env: Mapping[str, str]) -> _Before | None:
    """Return what a file said; None of what cannot be read as a manifest."""
    document = Document(called)
    try:
        read_document(content, document)
        expand_variables(document, loaded.target_name, env)
    except TooManyProblems:
        return None
    policy = document.value("policy")
    return _Before(called, document.value("stack"), policy if isinstance(policy, str) else None)


def _place_of(manifest: str, policy: str | None) -> str | None:
    """Return a policy's path from the repository's top, as its manifest names it."""
    return policy and posixpath.normpath(posixpath.join(posixpath.dirname(manifest), policy))
