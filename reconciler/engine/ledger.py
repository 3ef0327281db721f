"""
The ledger: lock, journal and history of a stack, kept in the project itself.

One entry an apply, a FILE resource ``udfs.STACK.EPOCH.json``. Creating a resource that is there is refused, and that is
the only compare-and-swap the service offers; so *creating the next epoch is taking the lease*. Whoever read epoch n as
the newest and creates n+1 knows that no other apply began in between; whoever comes second is refused and writes
nothing. An expired lease is taken over by creating the epoch after it, never by deleting it first: delete and create
let two in (an exhaustive check over interleavings finds such states for two clients already, and none this way).

The entry holds the whole plan before the first change, so a run that is killed anywhere leaves behind what it was about
to do. When the run ends, the entry says what came of it, and what is now there. Times are the service's, not the
machine's.

A project without entries is a project that was never applied to, or whose ledger was lost: then the marks in the
resources' comments decide, and nothing foreign becomes ours.
"""

from __future__ import annotations

import functools
import json
import re
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec

from reconciler.base.errors import LeaseHeld, ServiceError, count
from reconciler.base.hints import Command
from reconciler.base.names import Key, reference
from reconciler.core.record import Applied, Entry, Holder, Outcome, Step, entry_name
from reconciler.core.state import Function, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.core.record import Store
    from reconciler.core.state import Live

FORMAT = "udfs.ledger/1"
KEPT = 20
"""Committed entries that stay: history, and what a rollback could go back to."""

LEASE = timedelta(minutes=10)
"""How long a lease lives without being renewed: a killed run blocks the next one at most so long."""

_NAME = re.compile(r"udfs\.(?P<stack>[a-z][a-z0-9-]*)\.(?P<epoch>[1-9][0-9]{0,11})\.json\Z", re.IGNORECASE)

LAST_EPOCH = 10**12 - 1
"""The largest that a name holds. Nobody comes so far by applying, and nothing can be applied after what claims it."""

_FORMAT = re.compile(r"udfs\.ledger/[0-9]{1,9}\Z")

_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")


def epoch_of(name: str, stack: str) -> int | None:
    """Return the epoch of a resource's name if it is an entry of `stack`."""
    found = _NAME.match(name)
    return int(found["epoch"]) if found and found["stack"].lower() == stack else None


def is_entry(name: str) -> bool:
    """Say whether a resource is an entry of any stack's ledger."""
    return name[:5].lower() == "udfs." and _NAME.match(name) is not None


# --- Writing and reading ------------------------------------------------------------------------------------------------


def dump(entry: Entry) -> bytes:
    """
    Return an entry as its resource's content: JSON, an object a line, sorted.

    No more white space than that: each plan of a large stack fetches and reads all of it.
    """
    head = {
        "format": FORMAT,
        "stack": entry.stack,
        "epoch": entry.epoch,
        "outcome": entry.outcome,
        "holder": asdict(entry.holder),
        "started": _time(entry.started),
        "expires": _time(entry.expires),
        "digest": entry.digest,
        "steps": [asdict(step) for step in entry.steps],
        **({"back_to": entry.back_to} if entry.back_to else {}),
        **({"ended_by": asdict(entry.ended_by)} if entry.ended_by else {}),
    }
    objects = (f"{_json(str(key))}:{_json(_written(applied))}" for key, applied in sorted(entry.objects.items()))
    return (_json(head)[:-1] + ',"objects":{\n' + ",\n".join(objects) + "\n}}\n").encode()


_json = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def parse(content: bytes, name: str) -> Entry:
    """
    Read an entry; E611 for what cannot be read, E612 for a format that is newer than this program.

    Nothing is guessed: an apply on top of an entry that is not understood could undo what it records.
    """
    try:
        written = msgspec.json.decode(content, type=_Written)
        if written.format != FORMAT or not 0 < written.epoch <= LAST_EPOCH:
            raise ValueError("an entry that udfs does not write")
        entry = _entry(written)
        if is_entry(name) and entry.name.lower() != name.lower():
            raise ValueError("an entry of another name")
    except (ValueError, RecursionError) as cause:
        form = _format(content)
        if form != FORMAT and _FORMAT.match(form):
            hint = "use a newer udfs"
            raise ServiceError("E612", f"the ledger's entry {name} has the format '{form}'", hint=hint) from cause
        raise unreadable(name) from cause
    return entry


def _format(content: bytes) -> str:
    """Return what an entry that is not understood says that it is."""
    with suppress(ValueError, KeyError, TypeError, RecursionError):
        return str(json.loads(content)["format"])
    return ""


def unreadable(name: str, why: str = "") -> ServiceError:
    """Return the error for an entry that is listed and cannot be read; it is never taken for absent."""
    return ServiceError(
        "E611",
        f"the ledger's entry {name} cannot be read{f': {why}' if why else ''}",
        hint="look at that resource; if it is damaged, delete it: what is left of the ledger and the marks then decide",
    )


_Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]
"""Text that is left out where there is none; then the default stands in for it, which is not validated."""


class _Resource(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="resource"):
    """A resource as it is written in an entry."""

    name: str
    type: str
    size: int
    md5: _Text = ""
    comment: _Text = ""
    table: _Text = ""
    modified: _Text = ""
    protected: bool = False

    def read(self) -> Applied:
        resource = Resource(self.name, self.type, self.md5 or None, self.size, self.comment, self.table or None)
        return Applied(resource, _moment(self.modified) if self.modified else None, protected=self.protected)


class _Function(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="function"):
    """A function as it is written in an entry."""

    name: str
    resources: tuple[str, ...]
    class_: str = msgspec.field(name="class")
    created: _Text = ""
    protected: bool = False

    def read(self) -> Applied:
        # What is written is already relative to the function's own place.
        function = Function(self.name, self.class_, tuple(reference(one, "", None) for one in self.resources))
        return Applied(function, None, _moment(self.created) if self.created else None, self.protected)


class _Written(msgspec.Struct, frozen=True):
    """An entry as it is written; msgspec reads it strictly, so that nothing passes for what udfs does not write."""

    format: str
    stack: str
    epoch: int
    holder: Holder
    started: str
    expires: str
    outcome: Outcome
    digest: str
    steps: tuple[Step, ...]
    objects: dict[str, _Resource | _Function]
    back_to: Annotated[int, msgspec.Meta(ge=1)] | msgspec.UnsetType = msgspec.UNSET
    ended_by: Holder | msgspec.UnsetType = msgspec.UNSET


def _entry(written: _Written) -> Entry:
    return Entry(
        stack=written.stack,
        epoch=written.epoch,
        holder=written.holder,
        started=_moment(written.started),
        expires=_moment(written.expires),
        outcome=written.outcome,
        digest=written.digest,
        steps=written.steps,
        objects={applied.object.key: applied for applied in (one.read() for one in written.objects.values())},
        back_to=written.back_to or None,
        ended_by=written.ended_by or None,
    )


def _written(applied: Applied) -> dict[str, Any]:
    times = {"modified": applied.modified, "created": applied.created}
    told = {**_described(applied.object), **({"protected": True} if applied.protected else {})}
    return {**told, **{name: _time(when) for name, when in times.items() if when}}


def _described(obj: Resource | Function) -> dict[str, Any]:
    if isinstance(obj, Function):
        return {
            "kind": "function",
            "name": obj.name,
            "class": obj.class_path,
            "resources": list(map(str, obj.resources)),
        }
    told = {"kind": "resource", "name": obj.name, "type": obj.type, "size": obj.size}
    optional = {"md5": obj.md5, "comment": obj.comment, "table": obj.table}
    told |= {key: value for key, value in optional.items() if value}
    return told


def _time(moment: datetime) -> str:
    # Not strftime: glibc does not pad a year, and what is not padded is not read again.
    return moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


@functools.lru_cache(maxsize=4096)
def _moment(text: str) -> datetime:
    """Read a time as `_time` writes it; strptime takes ten times as long, and an entry has as many times as objects."""
    if _STAMP.match(text) is None:
        raise ValueError("a time that udfs does not write")
    return datetime.fromisoformat(text[:-1]).replace(tzinfo=timezone.utc)


# --- The lease ----------------------------------------------------------------------------------------------------------


def require_free(entry: Entry | None, now: datetime) -> None:
    """Raise `LeaseHeld` if somebody else is applying."""
    if entry is not None and entry.is_held(now):
        raise held(entry, now)


def held(entry: Entry, now: datetime) -> LeaseHeld:
    """Return the error that says who is applying and until when."""
    left = entry.expires - now
    if left > 2 * LEASE:
        until = f"its lease claims to last until {entry.expires:%Y-%m-%d}, which no udfs writes"
        hint = (f"{until}; if nobody applies: ", Command("unlock", f"--epoch {entry.epoch}"))
    else:
        minutes = count(max(1, round(left.total_seconds() / 60)), "minute")
        hint = (
            f"wait; if that run is dead, its lease ends in {minutes}, or: ",
            Command("unlock", f"--epoch {entry.epoch}"),
        )
    message = f"{entry.holder} is applying stack '{entry.stack}' (epoch {entry.epoch}, since {entry.started:%H:%MZ})"
    return LeaseHeld("E610", message, hint=hint)


def take(store: Store, entry: Entry) -> None:
    """
    Create an entry, and with it take the lease; `LeaseHeld` if somebody else was first.

    E615 for an entry that could not be read again: it would keep everybody out until somebody deletes it.
    """
    content = dump(entry)
    _require_readable(entry, content)
    try:
        if store.create(entry.name, content, comment_of(entry)):
            return
    except ServiceError as error:
        # The entry may be there all the same. Left alone, it would keep everybody out, us included, until it ends.
        if error.outcome == "final" or store.fetch(entry.name) != content:
            raise
        return
    rival = store.fetch(entry.name)
    if rival == content:
        # The request was delivered twice, and the second one was answered.
        return
    if rival is None:
        raise LeaseHeld("E610", f"another apply of stack '{entry.stack}' came and went just now", hint="run it again")
    other = parse(rival, entry.name)
    if other.is_held(store.now()):
        raise held(other, store.now())
    raise LeaseHeld("E610", f"{other.holder} applied stack '{entry.stack}' just now", hint="look at a new plan")


def _require_readable(entry: Entry, content: bytes) -> None:
    if entry.epoch > LAST_EPOCH:
        last = entry_name(entry.stack, LAST_EPOCH)
        hint = "udfs does not come so far: somebody put it there; delete it, and what it was put upon"
        raise ServiceError("E615", f"no entry can come after {last}", hint=hint)
    try:
        # Of times the whole seconds are written, and the service's have no others.
        is_same = replace(parse(content, entry.name), started=entry.started, expires=entry.expires) == entry
    except ServiceError:
        is_same = False
    if not is_same:
        hint = "a name, comment or address has characters that are no text; nothing was changed"
        raise ServiceError("E615", f"the ledger's entry {entry.name} could not be read again", hint=hint)


def renewed(entry: Entry, now: datetime) -> Entry:
    """Return the entry with its lease's life begun anew."""
    return replace(entry, expires=now + LEASE)


def finished(
    entry: Entry, outcome: Outcome, steps: tuple[Step, ...], objects: Mapping[Key, Applied], now: datetime
) -> Entry:
    """Return the entry as it stands when the run is over; `expires` then is the time at which it ended."""
    return replace(entry, outcome=outcome, steps=steps, objects=dict(objects), expires=now)


def unlocked(entry: Entry, by: Holder, now: datetime) -> Entry:
    """Return the entry with its lease ended by somebody else, who does not know what came of the steps."""
    return replace(finished(entry, "interrupted", entry.steps, entry.objects, now), ended_by=by)


def comment_of(entry: Entry) -> str:
    """Return the comment of an entry: people see it in the console."""
    return f"udfs ledger of stack {entry.stack}, epoch {entry.epoch}: {entry.outcome}; do not edit"


def collectable(epochs: Iterable[int], current: int) -> list[int]:
    """Return the epochs that are too old to keep: counted, since one far ahead that somebody put there ages nothing."""
    return sorted(epoch for epoch in epochs if epoch < current)[: -(KEPT - 1)]


def is_unmoved(live: Live, applied: Applied) -> bool:
    """
    Say whether a listed resource is still the one that the ledger saw, so that its MD5 need not be asked for.

    Size and time of the last change are in the listing; an edit of the same size within the same second would be
    missed, which is what a full refresh is for.
    """
    if applied.modified is None:
        return False
    have, was = live.object, applied.object
    return (
        isinstance(have, Resource)
        and isinstance(was, Resource)
        and (have.type, have.size, live.modified) == (was.type, was.size, applied.modified)
    )
