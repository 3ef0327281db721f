"""
Selection of objects that `udfs import` writes into a manifest, with the reason why others stay out.

Everything is written under `resources:` by the name it has, and functions say ``module.Class``: names, bytes and lists
are then what they are, whatever the manifest's `rollout` is, and adopting changes nothing that a query sees.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from reconciler.base.errors import count
from reconciler.base.words import size
from reconciler.core.plan import needs
from reconciler.core.report import ImportedObject, LeftOut
from reconciler.manifest.editing import ManifestEntry, Value, literally
from reconciler.targets.maxcompute.manifest import Resource as Declared
from reconciler.targets.maxcompute.manifest import resource_type
from reconciler.targets.maxcompute.names import why_not_a_function_name, why_not_a_resource_name
from reconciler.targets.maxcompute.objects import WITH_CONTENT, Function, Resource, resource_key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from reconciler.core.kind import Key
    from reconciler.core.record import Reading
    from reconciler.core.state import Live, LiveState

_TABLE = re.compile(r"(?P<table>[^\s]+?)(?:\s+partition\s*\((?P<partition>.*)\))?\s*\Z", re.DOTALL | re.IGNORECASE)
_ASCII = re.compile(r"[\x20-\x7e]{0,512}\Z")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z)", re.IGNORECASE)
"""Names that are devices on Windows, with any ending [Microsoft, "Naming Files, Paths, and Namespaces"]."""


@dataclass(frozen=True)
class Selection:
    """What is to be written into a manifest."""

    functions: tuple[Live, ...]
    resources: tuple[Live, ...]
    left_out: tuple[LeftOut, ...] = ()
    present: tuple[Key, ...] = ()
    """What was asked for and is in the manifest already."""

    named: frozenset[Key] = frozenset()
    """Resources that are wanted whether or not a function lists them."""

    def without(self, dropped: Mapping[Key, str]) -> Selection:
        """Return what is left when some objects cannot be written, and with them the functions that need them."""
        reasons = dict(dropped)
        for live in self.functions:
            lost = next((key for key in needs(live.object) if key in dropped), None)
            if live.object.key not in reasons and lost is not None:
                reasons[live.object.key] = f"it lists {lost}, which is left out: {dropped[lost]}"
        functions = tuple(live for live in self.functions if live.object.key not in reasons)
        needed = {key for live in functions for key in needs(live.object)}
        resources = tuple(
            # What was needed only by what is left out is not brought along.
            live
            for live in self.resources
            if (key := live.object.key) not in reasons and (key in needed or key in self.named)
        )
        left_out = sorted(
            (*self.left_out, *(LeftOut(key, reason) for key, reason in reasons.items())), key=lambda entry: entry.key
        )
        return replace(self, functions=functions, resources=resources, left_out=tuple(left_out))


@dataclass(frozen=True)
class Present:
    """What a manifest has already."""

    stack: str
    names: Collection[Key] = field(default_factory=frozenset)
    """Functions and resources that stand in it."""

    derived: Collection[Key] = field(default_factory=frozenset)
    """Resources that come of it otherwise: the modules of sources, archives of packages."""


def select(
    reading: Reading, functions: Collection[str], resources: Collection[str], present: Present
) -> tuple[Selection, list[tuple[str, str]]]:
    """
    Return what is asked for by patterns, and the patterns that fit nothing.

    Without patterns for functions all are meant; resources that no chosen function lists come only when a pattern of
    `resources` asks for them.
    """
    live = reading.live
    patterns = [*(("function", pattern) for pattern in functions), *(("resource", pattern) for pattern in resources)]
    idle = [(kind, pattern) for kind, pattern in patterns if not any(_fits(key, kind, [pattern]) for key in live)]
    if not patterns:
        functions = ["*"]
    named = _fitting(live, "function", functions)
    listed = _fitting(live, "resource", resources)
    chosen_functions = _absent(named, live, present)
    needed = dict.fromkeys(key for function in chosen_functions for key in needs(function.object) if key in live)
    chosen = Selection(
        chosen_functions,
        _absent(sorted({*needed, *listed}), live, present),
        present=tuple(key for key in (*named, *listed) if key in present.names),
        named=frozenset(listed),
    )
    return chosen.without(_why_not(chosen, needed, reading, present)), idle


def _fitting(live: LiveState, kind: str, patterns: Collection[str]) -> list[Key]:
    return [key for key in sorted(live) if _fits(key, kind, patterns)]


def _absent(keys: Iterable[Key], live: LiveState, present: Present) -> tuple[Live, ...]:
    """Return the objects that do not stand in the manifest yet."""
    return tuple(live[key] for key in keys if key not in present.names)


def _why_not(chosen: Selection, needed: Collection[Key], reading: Reading, present: Present) -> dict[Key, str]:
    """Return the chosen objects that no manifest can say, each with the reason."""
    reasons = {
        resource.object.key: _why_not_a_resource(resource, present, is_listed=resource.object.key in needed)
        for resource in chosen.resources
    }
    reasons |= {function.object.key: _why_not_a_function(function, reading, present) for function in chosen.functions}
    return {key: reason for key, reason in reasons.items() if reason}


def _fits(key: Key, kind: str, patterns: Iterable[str]) -> bool:
    return key.kind == kind and any(fnmatchcase(key.folded, pattern.lower()) for pattern in patterns)


def _why_not_a_function(live: Live, reading: Reading, present: Present) -> str | None:
    assert isinstance(live.object, Function)
    if not live.object.class_path:
        return "it has no class: an SQL function, or code in the statement that made it"
    holder = reading.holder(live.object.key)
    if holder not in {None, present.stack}:
        return f"stack '{holder}' manages it"
    if (why := why_not_a_function_name(live.object.name)) is not None:
        return why
    missing = next((key.name for key in needs(live.object) if key not in reading.live), None)
    return None if missing is None else f"it lists resource {missing}, which is not in the project"


def _why_not_a_resource(live: Live, present: Present, *, is_listed: bool) -> str | None:
    assert isinstance(live.object, Resource)
    key, kind = live.object.key, live.object.type
    if live.mark is not None and live.mark.stack != present.stack and not is_listed:
        # What a function lists can be shared with the stack that manages it.
        return f"stack '{live.mark.stack}' manages it"
    if key in present.derived:
        return "the manifest makes something else of this name: a source, or an archive of a package"
    if kind != "table" and kind not in WITH_CONTENT:
        return f"a manifest cannot say the type {kind or 'of no name'}"
    if kind == "table" and not live.object.table:
        return "the service does not tell its table"
    return why_not_a_resource_name(live.object.name)


def path_of(resource: Resource) -> str:
    """
    Return the file that a resource becomes, relative to the manifest.

    Names that a manifest takes hold no slash and do not begin with a dot; only those of devices need another.
    """
    folder = "udfs" if resource.type == "py" else "resources"
    return f"{folder}/{'_' if _RESERVED.match(resource.name) else ''}{resource.name}"


def is_file(live: Live) -> bool:
    """Say whether there are bytes to fetch."""
    return live.object.key.kind == "resource" and isinstance(live.object, Resource) and live.object.type != "table"


def imported_resource(live: Live, role: str | None = None) -> ImportedObject:
    """Return what a resource became in a manifest; one with a `role` has no entry of its own."""
    resource = live.object
    assert isinstance(resource, Resource)
    file = path_of(resource) if is_file(live) else None
    fields = {"name": resource.name, "type": resource.type, "file": file, "size": resource.size, "md5": resource.md5}
    text = f" → {file}, {size(resource.size)}" if file else f", {resource.table or ''}"
    text += f", {role}" if role else ""
    return ImportedObject(resource.key, text, fields, resource.size if file else 0)


def imported_function(live: Live, python: str) -> ImportedObject:
    """Return what a function became in a manifest."""
    function = live.object
    assert isinstance(function, Function)
    listed = tuple(map(str, function.resources))
    fields = {"name": function.name, "class_path": function.class_path, "python": python, "resources": listed}
    return ImportedObject(
        function.key, f", class {function.class_path}, {count(len(listed), 'resource')}, {python}", fields
    )


def resource_entry(live: Live, project: str, schema: str | None) -> ManifestEntry:
    """Return a resource as it stands in a manifest."""
    resource = live.object
    assert isinstance(resource, Resource)
    fields: dict[str, Value] = {}
    if resource.type == "table":
        fields |= _table(resource.table or "", project, schema)
    else:
        fields["file"] = path_of(resource)
        if resource_type(resource.name, Declared(file="-")) != resource.type:
            fields["type"] = resource.type
    note = f"by {live.updater}, {live.modified:%Y-%m-%d}" if live.updater and live.modified else ""
    if resource.comment and _ASCII.match(resource.comment):
        fields["comment"] = literally(resource.comment)
    elif resource.comment:
        note = f"{note}; its comment is not ASCII: {resource.comment}".removeprefix("; ")
    return ManifestEntry(resource.name, fields, _one_line(note), is_short=True)


@dataclass(frozen=True)
class SourceKeys:
    """Where the code of a function is that is written with ``source:``."""

    code: Mapping[str, Value]
    """The source, and the class without its module."""

    modules: list[str]
    files: Collection[Key]
    """Resources that are sources and modules, and not listed."""


def function_entry(
    live: Live, names: Mapping[Key, str], python: str | None, source: SourceKeys | None = None
) -> ManifestEntry:
    """
    Return a function as it stands in a manifest; `names` has the spelling of resources, `python` what is not the usual.

    With a `source`, it says where its code is by paths; else by the names of resources.
    """
    function = live.object
    assert isinstance(function, Function)
    fields: dict[str, Value] = {"class": literally(function.class_path)} if source is None else {**source.code}
    if python is not None:
        fields["python"] = python
    if source is not None and source.modules:
        fields["modules"] = source.modules
    listed = _listed_names(function, names, source.files if source is not None else ())
    if listed or source is None:
        fields["resources"] = listed
    note = f"{live.owner}, created {live.created:%Y-%m-%d}" if live.owner and live.created else live.owner
    return ManifestEntry(function.name, fields, _one_line(note))


def _listed_names(function: Function, names: Mapping[Key, str], files: Collection[Key]) -> list[str]:
    """Return the resources that a function lists, as a manifest names them; those in `files` are left out."""
    own = {ref: resource_key(ref.name) for ref in function.resources if ref.is_own}
    return [
        names.get(own[ref], ref.name) if ref in own else str(ref)
        for ref in function.resources
        if ref not in own or own[ref] not in files
    ]


def _table(source: str, project: str, schema: str | None) -> dict[str, Value]:
    """Return the keys for a table's source; the target's own project is left to the target."""
    match = _TABLE.match(source)
    if match is None:
        return {"table": literally(source)}
    prefix = f"{project}.{schema}." if schema else f"{project}."
    table = match["table"].removeprefix(prefix)
    fields: dict[str, Value] = {"table": literally(match["table"] if "." in table else table)}
    return {**fields, "partition": literally(match["partition"])} if match["partition"] is not None else fields


def _one_line(note: str) -> str:
    """Return what a service told as text that stays a comment, on one line and in the order it is read."""
    return "".join(c if c.isprintable() else "?" for c in note)[:200]
