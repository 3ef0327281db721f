"""
Plans that are written down to be performed later, by somebody else or after an approval.

A saved plan is the plan's document with what performing it needs beside the operations: the epoch of the ledger it was
made against, the sha256 of the manifest, the deletes that were allowed, and the objects it relies on without changing
them. No content is in it: what is uploaded is found again among the manifest's artifacts by sha256.

It is performed exactly as it was shown, or not at all. `require_fresh` holds the whole plan against a fresh look at the
project before the lease is taken, and taking the lease creates the epoch after the one that was looked at, so that no
apply can come in between. Each object is then looked at once more before it is written, as in every apply.

Two digests guard the file. The plan's own names the operations and what they rest on; it is what an approval quotes. The
checksum covers every byte that means something, so that a damaged or edited file is refused. Neither is a signature: who
can write the file can write both.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from reconciler.base.errors import Position, Problem, Refused, StalePlan, UsageError
from reconciler.base.hints import Command
from reconciler.base.names import function_key, reference, resource_key
from reconciler.core.diff import Action, Cause, Change, Difference
from reconciler.core.plan import Destination, Plan
from reconciler.core.state import Desired, Function, Live, Resource, read_comment
from reconciler.engine import plan_file
from reconciler.engine import staleness as fresh
from reconciler.engine.plan_file import LiveDocument, PlanDocument, SavedDocument
from reconciler.engine.staleness import AGAIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reconciler.base.hints import Hint
    from reconciler.core.record import Reading
    from reconciler.core.state import Marker, Object
    from reconciler.engine.plan_file import ChangeDocument, KeptDocument, ObjectDocument

FORMAT = "udfs.plan/1"


@dataclass(frozen=True)
class Saved:
    """A plan and what it stands on."""

    plan: Plan
    epoch: int
    """The newest of the stack's ledger when the plan was made; 0 for none."""

    manifest: str
    """sha256 of the manifest's bytes."""

    allow_deletes: int = 0


def save(plan: Plan, reading: Reading, manifest: str, *, allow_deletes: int = 0) -> Saved:
    """Return what has to be written down of a plan that was just made; `Refused` if it could never be performed."""
    if plan.refusals:
        raise Refused.of(plan.refusals)
    return Saved(plan, newest(reading), manifest, allow_deletes)


def newest(reading: Reading) -> int:
    """Return the newest epoch that was seen, 0 for none."""
    return reading.epochs[-1] if reading.epochs else 0


# --- Writing and reading ------------------------------------------------------------------------------------------------


def write(saved: Saved) -> bytes:
    """Return the file's content; equal plans give equal bytes."""
    plan = saved.plan
    beside = SavedDocument(
        epoch=saved.epoch,
        manifest=f"sha256:{saved.manifest}",
        allow_deletes=saved.allow_deletes,
        empty_manifest=plan.empty_manifest,
        kept=tuple(map(plan_file.kept_document, plan.unchanged)),
        shared=tuple(map(plan_file.kept_document, plan.shared)),
        checksum="",
    )
    # The same inputs give the same bytes: what is warned of now is told anew when the plan is performed.
    made = plan_file.plan_document(plan).model_copy(update={"saved": beside, "warnings": None})
    checksum = _checksum(json.loads(plan_file.to_json(made)))
    sealed = beside.model_copy(update={"checksum": checksum})
    return plan_file.to_json(made.model_copy(update={"saved": sealed})).encode()


def read(content: bytes, name: str) -> Saved:
    """
    Read a saved plan; E516 for a file that is not one or is not what was written, E517 for a newer one.

    `name` is how the file is called in errors.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as cause:
        raise _unusable(name, "is not JSON") from cause
    _require_whole(found, name)
    try:
        told = PlanDocument.model_validate_json(content)
        saved = _saved(told)
    except ValidationError as cause:
        first = cause.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise _unusable(name, f"is not understood: {place}: {first['msg']}", "use the udfs that wrote it") from cause
    except ValueError as cause:
        raise _unusable(name, f"is not understood: {cause}") from cause
    if told.digest != f"sha256:{saved.plan.digest}":
        raise _unusable(name, "does not have the digest that it states")
    return saved


def _require_whole(found: Any, name: str) -> None:
    """Raise for what is no saved plan, a newer one, or not as it was written; nothing in it is believed before that."""
    form = found.get("format") if isinstance(found, dict) else None
    if isinstance(form, str) and form.startswith("udfs.plan/") and form != FORMAT:
        raise UsageError("E517", f"the plan '{name}' has the format '{form}'", hint="use the udfs that wrote it")
    if form != FORMAT:
        raise _unusable(name, "is not a plan")
    beside = found.get("saved")
    if not isinstance(beside, dict):
        raise _unusable(
            name, "tells of a plan and cannot be performed", ("write it with: ", Command("plan", "--out FILE"))
        )
    if beside.get("checksum") != _checksum(found):
        raise _unusable(name, "is not as it was written: its checksum differs")


def _checksum(found: dict[str, Any]) -> str:
    """Return the digest of everything in a file but the checksum, however it is indented."""
    beside = {key: value for key, value in found["saved"].items() if key != "checksum"}
    text = json.dumps({**found, "saved": beside}, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _unusable(name: str, why: str, hint: Hint = AGAIN) -> UsageError:
    return UsageError("E516", f"the plan '{name}' {why}", hint=hint)


def _saved(told: PlanDocument) -> Saved:
    assert told.saved is not None
    return Saved(plan_of(told), told.saved.epoch, told.saved.manifest.removeprefix("sha256:"), told.saved.allow_deletes)


def plan_of(told: PlanDocument) -> Plan:
    """Return the plan that a saved document tells of; ValueError for what `write` does not write."""
    if told.saved is None or told.refusals or (told.saved.empty_manifest and told.changes):
        raise ValueError("a plan that is refused is not written")
    return Plan(
        stack=told.stack,
        destination=Destination(told.target, told.project, told.schema_),
        changes=tuple(map(_change, told.changes)),
        unchanged=tuple(map(_kept, told.saved.kept)),
        shared=tuple(map(_kept, told.saved.shared)),
        foreign=told.foreign,
        superseded=told.superseded,
        empty_manifest=told.saved.empty_manifest,
        from_dump=told.from_dump,
    )


def _change(told: ChangeDocument) -> Change:
    if (told.desired is None) != (told.action == "delete") or (told.live is None) != (told.action == "create"):
        raise ValueError(f"a {told.action} of {told.kind} {told.name} with the wrong sides")
    return Change(
        Action(told.action),
        (function_key if told.kind == "function" else resource_key)(told.name),
        _desired(told) if told.desired else None,
        live_of(told.kind, told.live) if told.live else None,
        Cause(told.cause),
        tuple(Difference(found.field, found.old, found.new) for found in told.differences),
    )


def _kept(told: KeptDocument) -> Change:
    key = (function_key if told.kind == "function" else resource_key)(told.name)
    return Change(Action.KEEP, key, _desired(told), live_of(told.kind, told.live))


def _desired(told: ChangeDocument | KeptDocument) -> Desired:
    if told.desired is None or told.file is None or told.line is None or told.column is None:
        raise ValueError(f"{told.kind} {told.name} has no place in the manifest")
    made = _object(told.kind, told.desired)
    if made.key.folded != told.name.lower():
        raise ValueError(f"{told.kind} {told.name} is called {made.name}")
    return Desired(
        made,
        Position(told.file, told.line, told.column),
        _marker(told.desired.marker, made.name),
        told.desired.protected is True,
    )


def live_of(kind: str, told: LiveDocument) -> Live:
    """Return an object as a document says that it was seen; ValueError for what no document of ours says."""
    return Live(
        _object(kind, told),
        owner=told.owner or "",
        updater=told.updater or "",
        created=told.created,
        modified=told.modified,
        marker=_marker(told.marker, told.name),
        schema=told.schema_,
    )


def _object(kind: str, told: ObjectDocument) -> Object:
    if kind == "function":
        if told.class_path is None or told.resources is None:
            raise ValueError(f"function {told.name} has no class or no resources")
        # What is written is already relative to the function's own place.
        return Function(told.name, told.class_path, tuple(reference(name, "", None) for name in told.resources))
    if told.type is None or told.size is None:
        raise ValueError(f"resource {told.name} has no type or no size")
    return Resource(told.name, told.type, told.md5, told.size, told.comment or "", told.table)


def _marker(text: str | None, name: str) -> Marker | None:
    if text is None:
        return None
    before, marker = read_comment(text, name)
    if before or marker is None:
        raise ValueError("a mark that udfs does not write")
    return marker


# --- Staleness ------------------------------------------------------------------------------------------------------------


def require_same_manifest(saved: Saved, manifest: str, file: Path) -> None:
    """Raise `StalePlan` if the manifest's bytes are not those that the plan was made from."""
    if saved.manifest == manifest:
        return
    message, hint = f"the manifest '{file}' was changed since the plan was made", ""
    if (planned := _manifest_of(saved.plan)) not in {None, str(file)}:
        # It may be the same file by another path, so it is not said that it is another.
        message = f"the plan was made from '{planned}', and '{file}' does not hold what that did"
        hint = f"name the plan's manifest with -f {planned}, "
    raise StalePlan("E518", message, hint=f"{hint}check out the commit that the plan is of, or {AGAIN}")


def _manifest_of(plan: Plan) -> str | None:
    """Return what the manifest was called when a plan was made, as far as anything in the plan has its place there."""
    wanted = (change.desired for change in (*plan.changes, *plan.unchanged, *plan.shared))
    return next((one.origin.file for one in wanted if one), None)


def require_contents(saved: Saved, contents: Mapping[str, Path]) -> None:
    """Raise `StalePlan` for every content to upload that the manifest's files no longer give."""
    missing = [
        Problem(
            "E518",
            f"the content of {change.key} is not what it was when the plan was made (sha256:{sha256[:16]})",
            at=change.desired.origin,
            hint=f"check out the commit that the plan is of, or {AGAIN}",
        )
        for change in saved.plan.changes
        if change.desired is not None
        and change.desired.marker is not None
        and (sha256 := change.desired.marker.sha256) is not None
        and sha256 not in contents
    ]
    if missing:
        raise StalePlan.of(missing)


def require_place(saved: Saved, stack: str, destination: Destination) -> None:
    """Raise `StalePlan` if the manifest now leads elsewhere: its variables come from the environment."""
    made_for = (saved.plan.stack, saved.plan.destination)
    if made_for != (stack, destination):
        raise StalePlan(
            "E520",
            f"the plan is for {_place(*made_for)}, and the manifest now says {_place(stack, destination)}",
            hint=f"restore the variables of the manifest, or {AGAIN}",
        )


def require_fresh(saved: Saved, reading: Reading) -> None:
    """
    Raise `StalePlan`, with everything that moved and who moved it, unless the project is what the plan was made against.
    """
    fresh.require(saved.plan, reading.live, reading.last, first=tuple(_ledger_moved(saved, reading)))


def _ledger_moved(saved: Saved, reading: Reading) -> Iterator[Problem]:
    now, last = newest(reading), reading.last
    if now == saved.epoch:
        return
    if now < saved.epoch or last is None:
        told = f"the ledger's epoch {saved.epoch}, which the plan was made against, is gone"
    else:
        when = f"{last.started:%Y-%m-%d %H:%MZ}"
        what = "began to apply" if last.outcome == "running" else "applied"
        told = f"{last.holder} {what} stack '{last.stack}' since the plan was made (epoch {now}, {when})"
    yield Problem("E515", told)


def _place(stack: str, destination: Destination) -> str:
    schema = f", schema {destination.schema}" if destination.schema else ""
    return f"stack '{stack}' in project {destination.project}{schema} (target {destination.target})"
