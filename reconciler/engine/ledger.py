"""
The ledger: lock, journal and history of a stack, kept in the project itself.

One entry an apply, named ``udfs.STACK.EPOCH.json``. Creating an entry that is there is refused, and that is the only
compare-and-swap that is asked of a service; so *creating the next epoch is taking the lease*. Whoever read epoch n as
the newest and creates n+1 knows that no other apply began in between; whoever comes second is refused and writes
nothing. An expired lease is taken over by creating the epoch after it, never by deleting it first: delete and create
let two in (an exhaustive check over interleavings finds such states for two clients already, and none this way).

The entry holds the whole plan before the first change, so a run that is killed anywhere leaves behind what it was about
to do. When the run ends, the entry says what came of it, and what is now there. Times are the service's, not the
machine's.

A project without entries is a project that was never applied to, or whose ledger was lost: then the marks on objects
decide, and nothing foreign becomes ours.
"""

from __future__ import annotations

import functools
import json
import operator
import re
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

import msgspec

from reconciler.base.errors import LeaseHeld, Refused, ServiceError, count
from reconciler.base.hints import Command
from reconciler.core.record import Applied, Entry, Holder, Outcome, Step, Verdict, entry_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.core.kind import Key, Kind, Kinds
    from reconciler.core.record import Store

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
    """Return the epoch of an object's name if it is an entry of `stack`."""
    match = _NAME.match(name)
    return int(match["epoch"]) if match and match["stack"].lower() == stack else None


def epochs_of(names: Iterable[str], stack: str) -> tuple[int, ...]:
    """Return the epochs of a stack's entries among the names of objects, ascending."""
    return tuple(sorted(epoch for name in names if (epoch := epoch_of(name, stack)) is not None))


def is_entry(name: str) -> bool:
    """Say whether an object of this name is an entry of any stack's ledger."""
    return name[:5].lower() == "udfs." and _NAME.match(name) is not None


# --- Writing and reading ------------------------------------------------------------------------------------------------


_WHILE_IT_RUNS = ("operation", "restores")
"""Fields of a step that are left out where they say nothing."""


def dump(entry: Entry) -> bytes:
    """
    Return an entry as bytes: JSON, an object a line, sorted.

    No more white space than that: each plan of a large stack fetches and reads all of it.
    """
    head = {
        "format": FORMAT,
        "stack": entry.stack,
        "epoch": entry.epoch,
        "outcome": entry.outcome,
        "holder": _holder(entry.holder),
        "started": _time(entry.started),
        "expires": _time(entry.expires),
        "digest": entry.digest,
        "steps": [
            {key: value for key, value in asdict(step).items() if value or key not in _WHILE_IT_RUNS}
            for step in entry.steps
        ],
        **({"back_to": entry.back_to} if entry.back_to else {}),
        **({"ended_by": _holder(entry.ended_by)} if entry.ended_by else {}),
        **({"approved": entry.approved} if entry.approved else {}),
        **({"allowed": entry.allowed} if entry.allowed else {}),
        **({"verdicts": [_encode_verdict(verdict) for verdict in entry.verdicts]} if entry.verdicts else {}),
    }
    objects = (f"{_json(str(key))}:{_json(_encode_applied(applied))}" for key, applied in sorted(entry.objects.items()))
    return (_json(head)[:-1] + ',"objects":{\n' + ",\n".join(objects) + "\n}}\n").encode()


def _holder(holder: Holder) -> dict[str, Any]:
    """Return who applied; what entries did not have at first only where it says something, so that an old one stays as it is."""
    since = ("system", "branch", "pull_request")
    return {key: value for key, value in asdict(holder).items() if value or key not in since}


_json = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def parse(content: bytes, name: str, kinds: Kinds) -> Entry:
    """
    Read an entry; E611 for what cannot be read, E612 for a format that is newer than this program.

    Nothing is guessed: an apply on top of an entry that is not understood could undo what it records.
    """
    try:
        reader = entry_reader(tuple(kinds.values()))
        written = reader.decoder.decode(content)
        if written.format != FORMAT or not 0 < written.epoch <= LAST_EPOCH:
            raise ValueError("an entry that udfs does not write")
        entry = _decode_entry(written, reader.kinds)
        if is_entry(name) and entry.name.lower() != name.lower():
            raise ValueError("an entry of another name")
    except (ValueError, RecursionError) as cause:
        form = _format(content)
        if form != FORMAT and _FORMAT.match(form):
            hint = "use a newer udfs"
            raise ServiceError("E612", f"the ledger's entry {name} has the format '{form}'", hint=hint) from cause
        raise unreadable(name) from cause
    return entry


def fetch_listed(store: Store, stack: str, epoch: int, kinds: Kinds) -> Entry:
    """Return an entry that was listed a moment ago: gone or hidden, it is not a ledger without entries."""
    name = entry_name(stack, epoch)
    content = store.fetch(name)
    if content is None:
        raise unreadable(name)
    return parse(content, name, kinds)


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
        hint=("look at that entry; what to do with a damaged one: ", Command("explain", "E611")),
    )


_Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]
"""Text that is left out where there is none; then the default stands in for it, which is not validated."""

_Sha256: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class _Verdict(msgspec.Struct, frozen=True):
    """A verdict as it is written."""

    kind: str
    name: str
    passed: Annotated[int, msgspec.Meta(ge=0)]
    failed: Annotated[int, msgspec.Meta(ge=0)]
    not_run: Annotated[int, msgspec.Meta(ge=0)]
    when: str
    who: str


class _Head(msgspec.Struct, frozen=True, kw_only=True):
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
    back_to: Annotated[int, msgspec.Meta(ge=1)] | msgspec.UnsetType = msgspec.UNSET
    ended_by: Holder | msgspec.UnsetType = msgspec.UNSET
    approved: _Text | msgspec.UnsetType = msgspec.UNSET
    allowed: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] | msgspec.UnsetType = msgspec.UNSET
    verdicts: Annotated[tuple[_Verdict, ...], msgspec.Meta(min_length=1)] | msgspec.UnsetType = msgspec.UNSET


class _Reader(NamedTuple):
    """What reads entries with objects of certain kinds."""

    decoder: msgspec.json.Decoder[Any]
    kinds: Mapping[type, Kind[Any]]


@functools.lru_cache(maxsize=8)
def entry_reader(kinds: tuple[Kind[Any], ...]) -> _Reader:
    """Return what reads entries with objects of such kinds; it is made once, best while a service is waited for."""
    records = {_record(kind): kind for kind in kinds}
    forms: Any = functools.reduce(operator.or_, records)
    written = msgspec.defstruct("_Written", [("objects", dict[str, forms])], bases=(_Head,), frozen=True, kw_only=True)
    return _Reader(msgspec.json.Decoder(written), records)


def _record(kind: Kind[Any]) -> type:
    """Return the form of a kind's objects in an entry: its record, with what only a ledger knows."""
    fields: list[Any] = []
    for info in msgspec.structs.fields(kind.record):
        if info.required:
            fields.append((info.name, info.type))
        elif info.default is msgspec.NODEFAULT:
            fields.append((info.name, info.type, msgspec.field(default_factory=info.default_factory)))
        else:
            # Text is left out where there is none.
            form = _Text if info.type == (str | None) else info.type
            fields.append((info.name, form, info.default))
    if kind.is_dated:
        fields.append(("modified", _Text, ""))
    if not kind.has_mark:
        fields.append(("created", _Text, ""))
    fields.append(("protected", bool, False))
    fields.append(("sha256", _Sha256, ""))
    return msgspec.defstruct(
        kind.name,
        fields,
        frozen=True,
        kw_only=True,
        gc=False,
        tag_field="kind",
        tag=kind.name,
        rename=dict(kind.renamed),
    )


def _decode_entry(written: Any, kinds: Mapping[type, Kind[Any]]) -> Entry:
    objects = {}
    for record in written.objects.values():
        kind = kinds[type(record)]
        obj = kind.read_back(record)
        modified = _moment(record.modified) if kind.is_dated and record.modified else None
        created = _moment(record.created) if not kind.has_mark and record.created else None
        objects[obj.key] = Applied(obj, modified, created, record.protected, record.sha256)
    fields = {name: value for name, value in msgspec.structs.asdict(written).items() if value is not msgspec.UNSET}
    moments = {name: _moment(fields[name]) for name in ("started", "expires")}
    del fields["format"]
    verdicts = tuple(
        Verdict(**{**msgspec.structs.asdict(verdict), "when": _moment(verdict.when)})
        for verdict in fields.get("verdicts", ())
    )
    return Entry(**{**fields, **moments, "objects": objects, "verdicts": verdicts})


def _encode_verdict(verdict: Verdict) -> dict[str, Any]:
    return {**asdict(verdict), "when": _time(verdict.when)}


def _encode_applied(applied: Applied) -> dict[str, Any]:
    kind = applied.object.kind
    written: dict[str, Any] = {"kind": kind.name}
    for name, value in kind.write_down(applied.object).items():
        if value or name in kind.required:
            written[kind.renamed.get(name, name)] = value
    if applied.protected:
        written["protected"] = True
    if applied.modified:
        written["modified"] = _time(applied.modified)
    if applied.created:
        written["created"] = _time(applied.created)
    if applied.sha256:
        written["sha256"] = applied.sha256
    return written


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
        raise lease_held(entry, now)


def lease_held(entry: Entry, now: datetime) -> LeaseHeld:
    """Return the error that says who is applying and until when."""
    remaining = entry.expires - now
    if remaining > 2 * LEASE:
        until = f"its lease claims to last until {entry.expires:%Y-%m-%d}, which no udfs writes"
        hint = (f"{until}; what to do if nobody applies: ", Command("explain", "E610"))
    else:
        minutes = count(max(1, round(remaining.total_seconds() / 60)), "minute")
        hint = (
            f"wait; if that run is dead, its lease ends in {minutes}; how to end it sooner: ",
            Command("explain", "E610"),
        )
    message = f"{entry.holder} is applying stack '{entry.stack}' (epoch {entry.epoch}, since {entry.started:%H:%MZ})"
    return LeaseHeld("E610", message, hint=hint)


def take(store: Store, entry: Entry, kinds: Kinds) -> None:
    """
    Create an entry, and with it take the lease; `LeaseHeld` if somebody else was first.

    E615 for an entry that could not be read again: it would keep everybody out until somebody deletes it. E616 where the
    service has no compare-and-swap: a lease is refused and not faked.
    """
    if store.swap == "none":
        hint = "plans and drift can be looked at; nothing is applied"
        raise Refused(
            "E616", "this kind of target holds no lease: two applies at once would undo each other", hint=hint
        )
    content = dump(entry)
    _require_readable(entry, content, kinds)
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
    other = parse(rival, entry.name, kinds)
    if other.is_held(store.now()):
        raise lease_held(other, store.now())
    raise LeaseHeld("E610", f"{other.holder} applied stack '{entry.stack}' just now", hint="look at a new plan")


def _require_readable(entry: Entry, content: bytes, kinds: Kinds) -> None:
    if entry.epoch > LAST_EPOCH:
        last = entry_name(entry.stack, LAST_EPOCH)
        hint = "udfs does not come so far: somebody put it there; delete it, and what it was put upon"
        raise ServiceError("E615", f"no entry can come after {last}", hint=hint)
    try:
        # Of times the whole seconds are written, and the service's have no others.
        is_same = replace(parse(content, entry.name, kinds), started=entry.started, expires=entry.expires) == entry
    except ServiceError:
        is_same = False
    if not is_same:
        hint = "a name, comment or address has characters that are no text; nothing was changed"
        raise ServiceError("E615", f"the ledger's entry {entry.name} could not be read again", hint=hint)


def renew_entry(entry: Entry, now: datetime) -> Entry:
    """Return the entry with its lease's life begun anew."""
    return replace(entry, expires=now + LEASE)


def finish_entry(
    entry: Entry, outcome: Outcome, steps: tuple[Step, ...], objects: Mapping[Key, Applied], now: datetime
) -> Entry:
    """Return the entry as it stands when the run is over; `expires` then is the time at which it ended."""
    return replace(entry, outcome=outcome, steps=steps, objects=dict(objects), expires=now)


def unlock_entry(entry: Entry, by: Holder, now: datetime) -> Entry:
    """Return the entry with its lease ended by somebody else, who does not know what came of the steps."""
    return replace(finish_entry(entry, "interrupted", entry.steps, entry.objects, now), ended_by=by)


def add_verdicts(store: Store, entry: Entry, verdicts: Iterable[Verdict], kinds: Kinds) -> Entry:
    """
    Write verdicts into the entry of a run that is over, and return it; those of other objects stay.

    Nobody holds a lease by such an entry: the next one is taken by creating the epoch after it, whatever stands here.
    """
    merged = {(verdict.kind, verdict.name): verdict for verdict in (*entry.verdicts, *verdicts)}
    amended = replace(entry, verdicts=tuple(merged[name] for name in sorted(merged)))
    content = dump(amended)
    _require_readable(amended, content, kinds)
    store.replace(amended.name, content, comment_of(amended))
    return amended


def comment_of(entry: Entry) -> str:
    """Return the comment of an entry: people see it in the console."""
    return f"udfs ledger of stack {entry.stack}, epoch {entry.epoch}: {entry.outcome}; do not edit"


def collectable(epochs: Iterable[int], current: int) -> list[int]:
    """Return the epochs that are too old to keep: counted, since one far ahead that somebody put there ages nothing."""
    return sorted(epoch for epoch in epochs if epoch < current)[: -(KEPT - 1)]
