"""
Saved plans: written down to be performed later, by somebody else or after an approval.

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

import msgspec

from reconciler.base.errors import Position, Problem, Refused, StalePlan, UsageError
from reconciler.base.hints import Command
from reconciler.core.diff import Action, Cause, Change
from reconciler.core.kind import Difference
from reconciler.core.plan import Destination, Plan
from reconciler.core.state import Desired, Live
from reconciler.engine import plan_file
from reconciler.engine import staleness as fresh
from reconciler.engine.plan_file import LiveDocument, PlanDocument, SavedDocument
from reconciler.engine.staleness import AGAIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.base.hints import Hint
    from reconciler.core.kind import Catalog, Kind, Mark
    from reconciler.core.record import Reading
    from reconciler.core.state import Object
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
        target_kind=plan.destination.kind,
        epoch=saved.epoch,
        manifest=f"sha256:{saved.manifest}",
        allow_deletes=saved.allow_deletes,
        empty_manifest=plan.empty_manifest,
        kept=tuple(map(plan_file.kept_document, plan.unchanged)),
        shared=tuple(map(plan_file.kept_document, plan.shared)),
        checksum="",
    )
    # The same inputs give the same bytes: what is warned of now is told anew when the plan is performed.
    document = plan_file.plan_document(plan).model_copy(update={"saved": beside, "warnings": None, "ignored": None})
    text = plan_file.to_json(document)
    # Quotes within a string are escaped, so this is the one empty value of that key.
    before, empty, after = text.rpartition('"checksum": ""')
    assert empty
    return f'{before}"checksum": "{_checksum(json.loads(text))}"{after}'.encode()


def read(content: bytes, name: str, *catalogs: Catalog) -> Saved:
    """
    Read a saved plan; E516 for a file that is not one or is not what was written, E517 for a newer one.

    `name` is how the file is called in errors. Of `catalogs`, the first is that of a file that names no kind of target.
    """
    _require_whole(plan_file.require_format(content, FORMAT, name, "E516", AGAIN), name)
    try:
        document = PlanDocument.model_validate_json(content)
        saved = _decode_saved(document, _catalog_of(document, catalogs))
    except ValueError as cause:
        raise _unusable(
            name, f"is not understood: {plan_file.explain_mismatch(cause)}", "use the udfs that wrote it"
        ) from cause
    if document.digest != f"sha256:{saved.plan.digest}":
        raise _unusable(name, "does not have the digest that it states")
    return saved


def _require_whole(values: dict[str, Any], name: str) -> None:
    """Raise for what is no saved plan, or not as it was written; nothing in it is believed before that."""
    beside = values.get("saved")
    if not isinstance(beside, dict):
        raise _unusable(
            name, "tells of a plan and cannot be performed", ("write it with: ", Command("plan", "--out FILE"))
        )
    if beside.get("checksum") != _checksum(values):
        raise _unusable(name, "is not as it was written: its checksum differs")


def _checksum(values: dict[str, Any]) -> str:
    """Return the digest of everything in a file but the checksum, however it is indented."""
    beside = {key: value for key, value in values["saved"].items() if key != "checksum"}
    text = json.dumps({**values, "saved": beside}, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _unusable(name: str, why: str, hint: Hint = AGAIN) -> UsageError:
    return UsageError("E516", f"the plan '{name}' {why}", hint=hint)


def _catalog_of(document: PlanDocument, catalogs: Sequence[Catalog]) -> Catalog:
    kind = document.saved.target_kind if document.saved else None
    for catalog in catalogs:
        if kind in {None, catalog.target_kind}:
            return catalog
    raise ValueError(f"there is no kind of target '{kind}'")


def _decode_saved(document: PlanDocument, catalog: Catalog) -> Saved:
    assert document.saved is not None
    return Saved(
        plan_of(document, catalog),
        document.saved.epoch,
        document.saved.manifest.removeprefix("sha256:"),
        document.saved.allow_deletes,
    )


def plan_of(document: PlanDocument, catalog: Catalog) -> Plan:
    """Return the plan that a saved document tells of; ValueError for what `write` does not write."""
    if document.saved is None or document.refusals or (document.saved.empty_manifest and document.changes):
        raise ValueError("a plan that is refused is not written")
    return Plan(
        stack=document.stack,
        destination=Destination.of(catalog, document.target, *place_of(document.of_target, catalog).values()),
        changes=tuple(_decode_change(change, catalog) for change in document.changes),
        unchanged=tuple(_decode_kept(change, catalog) for change in document.saved.kept),
        shared=tuple(_decode_kept(change, catalog) for change in document.saved.shared),
        foreign=document.foreign,
        superseded=document.superseded,
        empty_manifest=document.saved.empty_manifest,
        from_dump=document.from_dump,
    )


def place_of(fields: Mapping[str, Any], catalog: Catalog) -> dict[str, str | None]:
    """Return what leads to a destination, as a document says; ValueError for what no document of ours says."""
    for label, must in catalog.place.items():
        if not isinstance(fields.get(label), str) and (must or fields.get(label) is not None):
            raise ValueError(f"{label}: {'not text' if label in fields else 'Field required'}")
    if unknown := fields.keys() - catalog.place.keys():
        raise ValueError(f"{min(unknown)}: Extra inputs are not permitted")
    return {label: fields.get(label) for label in catalog.place}


def _decode_change(document: ChangeDocument, catalog: Catalog) -> Change:
    if (document.desired is None) != (document.action == "delete") or (document.live is None) != (
        document.action == "create"
    ):
        raise ValueError(f"a {document.action} of {document.kind} {document.name} with the wrong sides")
    kind = kind_of(document.kind, catalog)
    return Change(
        Action(document.action),
        kind.key(document.name),
        _decode_desired(document, kind) if document.desired else None,
        live_of(document.live, kind) if document.live else None,
        Cause(document.cause),
        tuple(
            Difference(difference.field, difference.old, difference.new, kind.forms.get(difference.field, "text"))
            for difference in document.differences
        ),
    )


def _decode_kept(document: KeptDocument, catalog: Catalog) -> Change:
    kind = kind_of(document.kind, catalog)
    return Change(Action.KEEP, kind.key(document.name), _decode_desired(document, kind), live_of(document.live, kind))


def _decode_desired(document: ChangeDocument | KeptDocument, kind: Kind[Any]) -> Desired:
    if document.desired is None or document.file is None or document.line is None or document.column is None:
        raise ValueError(f"{document.kind} {document.name} has no place in the manifest")
    obj = _decode_object(document.desired, kind)
    if obj.key != kind.key(document.name):
        raise ValueError(f"{document.kind} {document.name} is called {obj.name}")
    return Desired(
        obj,
        Position(document.file, document.line, document.column),
        _decode_mark(document.desired.marker, obj),
        document.desired.protected is True,
        document.desired.part_of or "",
    )


def kind_of(name: str, catalog: Catalog) -> Kind[Any]:
    """Return the kind of this name; ValueError for one that the target has not."""
    if (kind := catalog.kinds.get(name)) is None:
        raise ValueError(f"there is no kind '{name}', only {' and '.join(catalog.kinds)}")
    return kind


def live_of(document: LiveDocument, kind: Kind[Any]) -> Live:
    """Return an object as a document says that it was seen; ValueError for what no document of ours says."""
    obj = _decode_object(document, kind)
    return Live(
        obj,
        owner=document.owner or "",
        updater=document.updater or "",
        created=document.created,
        modified=document.modified,
        mark=_decode_mark(document.marker, obj),
        schema=document.schema_,
    )


def _decode_object(document: ObjectDocument, kind: Kind[Any]) -> Object:
    fields = document.of_target
    needed = [name for name in kind.fields if name in kind.required and name != "name"]
    if any(fields.get(name) is None for name in needed):
        lacks = " or ".join(f"no {kind.renamed.get(name, name)}" for name in needed)
        raise ValueError(f"{kind.name} {document.name} has {lacks}")
    obj: Object = kind.read_back(msgspec.convert({"name": document.name, **fields}, kind.record))
    return obj


def _decode_mark(text: str | None, obj: Object) -> Mark | None:
    return None if text is None else obj.kind.read_mark(text, obj.name)


# --- Staleness ------------------------------------------------------------------------------------------------------------


def require_same_manifest(saved: Saved, manifest: str, file: Path) -> None:
    """Raise `StalePlan` if the manifest's bytes are not those that the plan was made from."""
    if saved.manifest == manifest:
        return
    message, hint = f"the manifest '{file}' was changed since the plan was made", ""
    plan = saved.plan
    desired = (change.desired for change in (*plan.changes, *plan.unchanged, *plan.shared))
    # What it was called when the plan was made, as far as anything in the plan has its place there.
    planned = next((wish.origin.file for wish in desired if wish), None)
    if planned not in {None, str(file)}:
        # It may be the same file by another path, so it is not said that it is another.
        message = f"the plan was made from '{planned}', and '{file}' does not hold what that did"
        hint = f"name the plan's manifest with -f {planned}, "
    raise StalePlan("E518", message, hint=f"{hint}check out the commit that the plan is of, or {AGAIN}")


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
        and change.desired.mark is not None
        # The mark of what holds no bytes may have a digest of something else.
        and change.kind.holds_content(change.desired.object)
        and (sha256 := change.desired.mark.sha256) is not None
        and sha256 not in contents
    ]
    if missing:
        raise StalePlan.of(missing)


def require_place(saved: Saved, stack: str, destination: Destination) -> None:
    """Raise `StalePlan` if the manifest now leads elsewhere: its variables come from the environment."""
    made_for = (saved.plan.stack, saved.plan.destination)
    kind = saved.plan.destination.kind
    if kind != destination.kind:
        message = f"the plan is for a target of kind '{kind}', and the manifest's is of kind '{destination.kind}'"
        raise StalePlan("E520", message, hint=AGAIN)
    if made_for != (stack, destination):
        raise StalePlan(
            "E520",
            f"the plan is for {_place(*made_for)}, and the manifest now says {_place(stack, destination)}",
            hint=f"restore the variables of the manifest, or {AGAIN}",
        )


def require_fresh(saved: Saved, reading: Reading, hint: Hint = AGAIN) -> None:
    """
    Raise `StalePlan`, with everything that moved and who moved it, unless the project is what the plan was made against.
    """
    fresh.require(saved.plan, reading, first=tuple(_ledger_moved(saved, reading)), hint=hint)


def _ledger_moved(saved: Saved, reading: Reading) -> Iterator[Problem]:
    now, last = newest(reading), reading.last
    if now == saved.epoch:
        return
    if now < saved.epoch or last is None:
        message = f"the ledger's epoch {saved.epoch}, which the plan was made against, is gone"
    else:
        when = f"{last.started:%Y-%m-%d %H:%MZ}"
        what = "began to apply" if last.outcome == "running" else "applied"
        message = f"{last.holder} {what} stack '{last.stack}' since the plan was made (epoch {now}, {when})"
    yield Problem("E515", message)


def _place(stack: str, destination: Destination) -> str:
    return f"stack '{stack}' in {destination}"
