"""
Each command as a short list of steps.

Nothing here prints, asks or exits; what the steps need from outside (environment, cache folder, a connected target)
comes in as arguments.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar, overload

from reconciler.base.errors import InvalidManifest, UdfsError, UsageError, in_order
from reconciler.base.hints import Command
from reconciler.base.names import function_key, resource_key
from reconciler.base.threads import Readers
from reconciler.checks import policy
from reconciler.checks.python import project as sources
from reconciler.core import drift, ownership, plan, versions
from reconciler.core.diff import Cause, managed_by
from reconciler.core.ignore import ignoring
from reconciler.core.record import entry_name
from reconciler.core.report import Deployed, Report, Upload
from reconciler.core.state import WITH_CONTENT, Function, Resource
from reconciler.engine import staleness as fresh
from reconciler.engine.apply import apply
from reconciler.engine.lease import Lease
from reconciler.engine.ledger import KEPT, comment_of, dump, parse, unlocked
from reconciler.manifest.runtimes import flags, is_native
from reconciler.packages.assemble import artifacts_of
from reconciler.packages.content import Content, read
from reconciler.packages.inspect.contents import is_library_name
from reconciler.targets.maxcompute import desired
from reconciler.targets.maxcompute.queries import called, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from reconciler.base.errors import Problem
    from reconciler.base.names import Key
    from reconciler.core.drift import Drift
    from reconciler.core.plan import Plan
    from reconciler.core.record import Entry, Holder, Reading
    from reconciler.core.state import DesiredState, Live, LiveState, Object
    from reconciler.core.target import Target
    from reconciler.engine.apply import Progress
    from reconciler.engine.attempt import Patience
    from reconciler.manifest.load import Loaded
    from reconciler.packages import Artifacts
    from reconciler.packages.fetch.cache import Cache
    from reconciler.targets.maxcompute.queries import Query


_T = TypeVar("_T")
_READERS = 8


@dataclass(frozen=True)
class Prepared:
    """A manifest with every byte that it names at hand."""

    loaded: Loaded
    desired: DesiredState
    artifacts: Artifacts
    warnings: tuple[Problem, ...] = ()
    """What may go wrong and need not."""

    @property
    def contents(self) -> Mapping[str, Path]:
        """Return the files that may be uploaded, by their sha256."""
        return {content.sha256: content.path for content in self.artifacts.contents}


def prepare(loaded: Loaded, *, cache: Cache, env: Mapping[str, str], on_step: Callable[[str], None]) -> Prepared:
    """Read and fetch what a manifest names, check it, and conclude the desired state."""
    artifacts = artifacts_of(loaded, cache=cache, env=env, on_step=on_step)
    found = sources.problems(loaded, artifacts, cache.root)
    if any(problem.severity == "error" for problem in found):
        raise InvalidManifest.of(found)
    warnings = (*artifacts.warnings, *found)
    return Prepared(loaded, desired.state(loaded, artifacts), artifacts, warnings)


def uploads(prepared: Prepared, only: Iterable[str] = ()) -> tuple[Upload, ...]:
    """Return every file that would be uploaded to a project that has none, by name; or what some functions need of it."""
    wanted = {function_key(name) for name in only}
    listing: dict[Key, list[str]] = defaultdict(list)
    for key, one in prepared.desired.items():
        if isinstance(one.object, Function) and (not wanted or key in wanted):
            for ref in filter(lambda ref: ref.is_own, one.object.resources):
                listing[resource_key(ref.name)].append(one.object.name)
    contents = {content.sha256: content for content in prepared.artifacts.contents}
    archives = {one.name: one for found in prepared.artifacts.archives.values() for one in found}
    sources = {one.content.sha256: (path, one.added.count("\n")) for path, one in prepared.artifacts.entries.items()}
    return tuple(
        Upload(
            one.object.name,
            one.object.type,
            contents[one.marker.sha256],
            tuple(listing.get(key, ())),
            archives.get(one.object.name),
            sources.get(one.marker.sha256),
        )
        for key, one in sorted(prepared.desired.items())
        if isinstance(one.object, Resource) and one.marker and one.marker.sha256 and (key in listing or not wanted)
    )


def module(prepared: Prepared, name: str) -> Path:
    """Return the module that a function's source is uploaded as."""
    source = prepared.loaded.manifest.functions[name].source
    if source is None:
        hint = "its class is in a resource, which is uploaded as it is"
        raise UsageError("E901", f"the function '{name}' has no source", hint=hint)
    return prepared.artifacts.entry(source).path


def make_plan(prepared: Prepared, reading: Reading, *, from_dump: bool = False, restoring: bool = False) -> Plan:
    """
    Plan how a project becomes what the manifest says; `from_dump` if it was not the project that was read.

    With `restoring`, only what was changed outside is brought back.
    """
    made = plan.make(
        _wanted(prepared, reading),
        reading.live,
        stack=prepared.loaded.manifest.stack,
        destination=destination(prepared.loaded),
        last=reading.last,
        moved=_moved(prepared.loaded),
        from_dump=from_dump,
    )
    made = drift.restoring(made, find_drift(prepared, reading)) if restoring else made
    return allowed(made, prepared.loaded, breaches(prepared))


def remake(prepared: Prepared, reading: Reading, told: Plan, name: str) -> Plan:
    """
    Return a plan that was written down in the file `name` as manifest and project give it again; E516 if they do not.

    A file says which plan is meant. Whose an object is, what is protected, and why something is deleted is not believed
    to it: who can write the file can seal it.
    """
    for restoring in (False, True):
        made = make_plan(prepared, reading, restoring=restoring)
        if made.digest == told.digest:
            return made
    raise UsageError(
        "E516",
        f"the plan '{name}' is not what udfs plans for this manifest and this project",
        hint="use the udfs that wrote it, or make a new plan and look at it",
    )


def breaches(prepared: Prepared) -> list[Problem]:
    """Return what the manifest asks for and the policy does not allow."""
    return in_order(policy.of_manifest(prepared.loaded, prepared.desired, prepared.artifacts))


def allowed(made: Plan, loaded: Loaded, found: Iterable[Problem]) -> Plan:
    """Return a plan that is refused for what was `found`, and for what the policy does not allow in it."""
    return replace(made, refusals=tuple(in_order((*made.refusals, *found, *policy.of_plan(loaded.policies, made)))))


def find_drift(prepared: Prepared, reading: Reading) -> Drift:
    """Return what was changed in the project behind the manifest's back."""
    return drift.find(_wanted(prepared, reading), reading.live, prepared.loaded.manifest.stack, reading.last)


def _wanted(prepared: Prepared, reading: Reading) -> DesiredState:
    """Return the desired state, with what the manifest ignores as it is."""
    return ignoring(prepared.desired, reading.live, prepared.loaded.manifest.ignore)


def _moved(loaded: Loaded) -> Mapping[Key, Key]:
    """Return the keys of old names, each with that of the new one."""
    functions = {name.lower() for name in loaded.manifest.functions}
    moves = loaded.manifest.moved
    kinds = [function_key if move.to.lower() in functions else resource_key for move in moves]
    return {key(move.from_): key(move.to) for key, move in zip(kinds, moves, strict=True)}


def make_destruction(loaded: Loaded, reading: Reading) -> Plan:
    """Plan the removal of everything that the stack manages: an apply of nothing."""
    stack = loaded.manifest.stack
    return plan.make(
        {}, reading.live, stack=stack, destination=destination(loaded), last=reading.last, cause=Cause.DESTROYED
    )


def make_rollback(loaded: Loaded, target: Target, epoch: int | None) -> tuple[Reading, Plan]:
    """Plan how the functions become what an earlier apply left; returns what that was read from, too."""
    reading = target.read(full=True)
    kept = reading.epochs[-KEPT:]
    chosen = kept if epoch is None else tuple(one for one in kept if one == epoch)
    entry = versions.earlier(_Entries(loaded, target, chosen), epoch)
    made = versions.back(entry, reading, loaded.manifest.stack, destination(loaded))
    return reading, in_time(made, loaded, target)


def make_collection(loaded: Loaded, target: Target, keep: int) -> tuple[Reading, Plan]:
    """Plan the removal of versions that are past their grace; returns what that was read from, too."""
    reading = target.read()
    made = versions.collection(
        _Entries(loaded, target, reading.epochs[-KEPT:]),
        reading,
        loaded.manifest.stack,
        destination(loaded),
        now=target.store.now(),
        grace=versions.duration(loaded.manifest.grace),
        keep=keep,
    )
    return reading, in_time(made, loaded, target)


def in_time(made: Plan, loaded: Loaded, target: Target) -> Plan:
    """Return a plan that is refused if the policy wants rest now, by the clock of the service."""
    rest = policy.of_time(loaded.policies, target.store.now())
    return replace(made, refusals=tuple(in_order((*made.refusals, *rest)))) if made.changes else made


def warned(made: Plan, prepared: Prepared, now: datetime) -> Plan:
    """Return a plan with all that may go wrong: in the manifest, in its files, and with an apply at this moment."""
    rest = policy.of_time(prepared.loaded.policies, now) if made.changes else []
    cautions = *prepared.loaded.warnings, *prepared.warnings, *(replace(one, severity="warning") for one in rest)
    return replace(made, cautions=cautions)


def carry_out(
    made: Plan,
    reading: Reading,
    target: Target,
    contents: Mapping[str, Path],
    holder: Holder,
    progress: Progress,
    *,
    patience: Patience,
    writers: int = 8,
) -> Report:
    """
    Make the changes of a plan under the stack's lease.

    Before anything is written: `LeaseHeld` if another apply runs, `StalePlan` or `Refused` if the project is no longer
    what the plan was made against.
    """
    if not made.changes:
        return Report(())
    with Lease(target.store, made, reading, holder, patience) as lease:
        # Nobody else applies now; whoever works by hand may still have been here since the plan was made.
        fresh.require(made, target.read().live, reading.last)
        report = apply(
            made, target, contents, progress, patience=patience, require_lease=lease.require, writers=writers
        )
        try:
            lease.finish(made, report)
        except UdfsError as error:
            # What was done is done and must be told; the entry's lease then ends by itself.
            return replace(report, error=report.error or error)
    return report


def make_adoption(
    prepared: Prepared, reading: Reading, target: Target, names: Sequence[str], folder: Path
) -> tuple[Plan, Mapping[str, Path]]:
    """
    Plan how named objects of the manifest come under management; `folder` takes what has to be downloaded for that.

    Returns the plan and where the bytes are that it sends.
    """
    side = _side(prepared.loaded, reading)
    keys = ownership.to_adopt(names, prepared.desired, side)
    side = replace(side, live={**side.live, **_looked_at(keys, target)})
    held = _held(keys, side.live, prepared, target, folder)
    made = allowed(ownership.adoption(keys, prepared.desired, side, held), prepared.loaded, breaches(prepared))
    return in_time(made, prepared.loaded, target), _paths(held)


def make_release(
    prepared: Prepared, reading: Reading, target: Target, names: Sequence[str], folder: Path
) -> tuple[Plan, Mapping[str, Path]]:
    """Plan how named objects stop being managed; as `make_adoption`."""
    side = _side(prepared.loaded, reading)
    keys = ownership.to_release(names, prepared.desired, side)
    held = _held([*keys, *ownership.carriers(keys, side)], side.live, prepared, target, folder)
    made = ownership.release(keys, side, held, prepared.loaded.at("stack"))
    return in_time(made, prepared.loaded, target), _paths(held)


def _side(loaded: Loaded, reading: Reading) -> ownership.Side:
    return ownership.Side(reading.live, loaded.manifest.stack, destination(loaded), reading.last)


def _looked_at(keys: Iterable[Key], target: Target) -> LiveState:
    """Return resources as they are when asked for one by one: a listing has no MD5 of what is not ours."""
    resources = [key for key in keys if key.kind == "resource"]
    return {key: found for key, found in _side_by_side(target.read_one, resources).items() if found}


def _held(
    keys: Iterable[Key], live: LiveState, prepared: Prepared, target: Target, folder: Path
) -> Mapping[Key, Content]:
    """Return the bytes that resources hold: the manifest's own file where it has the same, else downloaded."""
    known, contents = {}, prepared.contents
    for key in keys:
        have, want = live[key].object, prepared.desired.get(key)
        marker = want.marker if want else None
        if marker and marker.sha256 and marker.md5 and isinstance(have, Resource) and marker.md5 == have.md5:
            known[key] = Content(contents[marker.sha256], marker.sha256, marker.md5, have.size)

    unknown = [key for key in keys if key not in known and _has_content(live[key].object)]
    places = {key: folder / str(number) for number, key in enumerate(unknown)}

    def fetched(key: Key) -> Content:
        target.download(live[key].object.name, places[key])
        return read(places[key])

    return {**known, **_side_by_side(fetched, unknown)}


def _has_content(obj: Object) -> bool:
    return isinstance(obj, Resource) and obj.type in WITH_CONTENT


def _side_by_side(ask: Callable[[Key], _T], keys: Sequence[Key]) -> dict[Key, _T]:
    """Ask for several objects at a time; nothing more is asked for after an error or Ctrl-C."""
    with Readers(_READERS) as readers:
        return dict(zip(keys, readers.ask(ask, keys), strict=True))


def _paths(held: Mapping[Key, Content]) -> Mapping[str, Path]:
    return {content.sha256: content.path for content in held.values()}


def history(loaded: Loaded, target: Target, newest: int) -> tuple[Entry, ...]:
    """Return the newest entries of a stack's ledger, the newest first."""
    return tuple(_Entries(loaded, target, target.read().epochs[-newest:]))


class _Entries(Sequence["Entry"]):
    """Entries of a ledger, the newest first; each is read when it is needed, so that a damaged one is only then in the way."""

    def __init__(self, loaded: Loaded, target: Target, epochs: Sequence[int]) -> None:
        self._epochs = tuple(reversed(epochs))
        self._read = functools.cache(functools.partial(run, loaded, target))

    def __len__(self) -> int:
        return len(self._epochs)

    @overload
    def __getitem__(self, place: int) -> Entry: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Entry, ...]: ...

    def __getitem__(self, place: int | slice) -> Entry | tuple[Entry, ...]:
        if isinstance(place, slice):
            return tuple(map(self._read, self._epochs[place]))
        return self._read(self._epochs[place])


def run(loaded: Loaded, target: Target, epoch: int) -> Entry:
    """Return one entry of the ledger."""
    name = entry_name(loaded.manifest.stack, epoch)
    content = target.store.fetch(name)
    if content is None:
        raise UsageError(
            "E614", f"the ledger has no epoch {epoch}", hint=(Command("history"), " lists those there are")
        )
    return parse(content, name)


def unlock(loaded: Loaded, target: Target, epoch: int, by: Holder) -> Entry:
    """End the lease of an epoch and return its entry as it then stands; a run that has ended meanwhile is left as it is."""
    held = run(loaded, target, epoch)
    if held.outcome != "running":
        return held
    ended = unlocked(held, by, target.store.now())
    target.store.replace(ended.name, dump(ended), comment_of(ended))
    return ended


def destination(loaded: Loaded) -> plan.Destination:
    """Return where a manifest's plan goes."""
    return plan.Destination(loaded.target_name, loaded.target.project, loaded.target.schema_)


def show(loaded: Loaded, target: Target, only: str | None = None) -> tuple[Deployed, ...]:
    """Return the functions of the stack that are in the project, by name; all of them, or `only` one."""
    reading = target.read()
    live, stack = reading.live, loaded.manifest.stack
    wanted = function_key(only) if only else None
    return tuple(
        _shown(have, live, loaded)
        for key, have in sorted(live.items())
        if isinstance(have.object, Function)
        and (key == wanted if wanted else managed_by(have, live, reading.last) == stack)
    )


def settings_for(query: Query, loaded: Loaded, target: Target) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return what has to be SET for the functions that a statement calls, beside what it sets itself, and which they are."""
    if not called(query.sql, loaded.manifest.functions):
        return {}, ()
    deployed = {one.function.object.name: one.settings for one in show(loaded, target)}
    used = called(query.sql, deployed)
    return settings_of({name: deployed[name] for name in used}, query.settings), used


def _shown(have: Live, live: LiveState, loaded: Loaded) -> Deployed:
    assert isinstance(have.object, Function)
    declared = loaded.function(have.object.name)
    found = {ref: live.get(resource_key(ref.name)) if ref.is_own else None for ref in have.object.resources}
    resources = tuple(resource for resource in found.values() if resource)
    absent = tuple(str(ref) for ref, resource in found.items() if not resource and ref.is_own)
    runtime = loaded.runtime_of(have.object.name)
    native = any(is_native(one.object.name) or is_library_name(one.object.name) for one in resources)
    description, image = "", None
    if declared:
        description, image = declared.description or "", declared.image
        # The name of a bundle does not tell what is in it. That the flags do no harm to pure code is a guess.
        native = native or any(loaded.manifest.packages[one].bundle for one in declared.packages)
    return Deployed(have, resources, absent, tuple(flags(runtime, native=native, image=image)), description)
