"""
Objects of MaxCompute: functions, and the resources that they list.

Names are looked up without regard to case and keep their first spelling [doc "Function operations"], so identity is the
folded name and the spelling is only for showing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec

from reconciler.base.errors import count
from reconciler.base.names import unversioned_name
from reconciler.base.words import size
from reconciler.core.kind import CONTENT, Catalog, Difference, Key, Kind, Rule
from reconciler.targets.maxcompute.names import Reference, mark_text, parse_reference, read_mark

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.core.kind import Kinds, Mark
    from reconciler.core.plan import Destination

WITH_CONTENT = frozenset({"py", "file", "archive", "jar"})
"""The types of resource whose bytes can be fetched and sent."""

_FOUND_BY_SPELLING = frozenset({"py", "archive"})
"""Types of resources that Python finds by their names as they are stored; others are asked for by `get_cache_…`."""


@lru_cache(maxsize=1 << 16)
def resource_key(name: str) -> Key:
    """Return the key of a resource of the stack's own project and schema."""
    return Key("resource", name.lower(), name)


@lru_cache(maxsize=1 << 16)
def function_key(name: str) -> Key:
    """Return the key of a function."""
    return Key("function", name.lower(), name)


class Resource(NamedTuple):
    """A resource as far as it is compared."""

    name: str
    type: str
    """Lower case, as on the wire: py, file, archive, jar, table, volumefile, volumearchive."""

    md5: str | None = None
    """Hex. None where there is no content (a table) or where it was not asked for (a foreign resource)."""

    size: int = 0
    """Bytes."""

    comment: str = ""
    """Without the mark."""

    table: str | None = None
    """The source of a table resource: ``project.table`` or ``project.table partition(…)``."""

    @property
    def key(self) -> Key:
        return resource_key(self.name)

    @property
    def kind(self) -> Kind[Resource]:
        return RESOURCE


class Function(NamedTuple):
    """A function as far as it is compared."""

    name: str
    class_path: str
    resources: tuple[Reference, ...] = ()

    @property
    def key(self) -> Key:
        return function_key(self.name)

    @property
    def kind(self) -> Kind[Function]:
        return FUNCTION


# --- Resources ----------------------------------------------------------------------------------------------------------


class _ResourceRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    type: Annotated[str, msgspec.Meta(description="Of a resource: py, file, archive, jar, table.")]
    md5: str | None = None
    size: Annotated[int, msgspec.Meta(description="Bytes.")]
    comment: str | None = None
    table: str | None = None


def _resource_differences(new: Resource, old: Resource) -> list[Difference]:
    differences = []
    if new.type != old.type:
        differences.append(Difference("type", old.type, new.type))
    if new.md5 != old.md5:
        differences.append(Difference(CONTENT, _content(old), _content(new)))
    if fold_table(new.table) != fold_table(old.table):
        differences.append(Difference("table", old.table or "", new.table or ""))
    if new.comment != old.comment:
        differences.append(Difference("comment", old.comment, new.comment, "quoted"))
    return differences


def _content(resource: Resource) -> str:
    return f"{count(resource.size, 'byte')}, md5 {resource.md5 or 'unknown'}"


def fold_table(source: str | None) -> str | None:
    """Return a table's name in the form in which two are compared."""
    return None if source is None else "".join(source.lower().replace("`", "").replace('"', "'").split())


def _shares(new: Resource, mark: Mark | None, old: Resource, other: Mark | None) -> bool:
    """
    Say whether another stack's resource holds what is wanted here.

    By its mark and its size: nobody asks for the MD5 of what others manage. If it was edited since, that stack's drift says so.
    """
    if new.type != old.type:
        return False
    if mark is None or other is None or new.table is not None or old.table is not None:
        return fold_table(new.table) == fold_table(old.table)
    return (mark.sha256, new.size) == (other.sha256, old.size)


RESOURCE = Kind[Resource](
    name="resource",
    key=resource_key,
    record=_ResourceRecord,
    write_down=lambda resource: resource._asdict(),
    read_back=lambda r: Resource(r.name, r.type, r.md5, r.size, r.comment or "", r.table),
    differences=_resource_differences,
    # The comment is left out where the content stands for it: `?meta` and the listing show the same one.
    observe=lambda resource: (resource.type, resource.md5, resource.size, fold_table(resource.table)),
    show=lambda resource: (("type", resource.type), ("holds", resource.table or size(resource.size))),
    # A table is another one in each project.
    portable=lambda resource: (resource.type,),
    rank=0,
    forms={"comment": "quoted"},
    fixed={
        "type": Rule(
            "E508",
            "is of type {old} and would become {new}",
            "give the resource another name",
            adopting=(
                "is of type {old}, and the manifest wants {new}",
                "give yours another name, or the type of what is there",
            ),
        ),
        # A name is found whatever its case and keeps its first spelling [doc "Function operations"]; but ``import`` and
        # ``work/<archive>`` are the first spelling's alone.
        "name": Rule(
            "E513",
            "is spelled '{old}' in the project, and stays so: Python would not find '{new}'",
            "spell it as the project does, or choose a name that differs in more than its capitals",
            applies=lambda resource: resource.type in _FOUND_BY_SPELLING,
        ),
    },
    risky={
        # Users saw workers go on with the old one [PyODPS #100].
        CONTENT: Rule(
            "E514",
            "gets other content under its name, and a worker that has the old one may go on with it",
            "a new name avoids it: a new version of the wheel, `bundle: single`, another name under `resources:`",
            applies=lambda resource: resource.type == "archive",
        )
    },
    version_of=unversioned_name,
    write_mark=mark_text,
    read_mark=read_mark,
    carries="more function",
    as_listed=lambda resource: resource._replace(md5=None),
    holds_content=lambda resource: resource.type in WITH_CONTENT,
    size=lambda resource: resource.size,
    digest=lambda resource: resource.md5,
    checksum=lambda content: content.md5,
    shares=_shares,
    comes_back=False,
    leads=False,
    take=lambda new, other, fields: new._replace(comment=other.comment) if "comment" in fields else new,
    # A comment is written only with the content.
    written_with_mark=frozenset({"comment"}),
    # Not an empty one: whether a service that is handed an empty comment keeps the old one is not known.
    let_go=lambda resource, stack: resource._replace(comment=resource.comment or f"was managed by udfs, stack {stack}"),
)


# --- Functions ----------------------------------------------------------------------------------------------------------


class _FunctionRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    class_path: Annotated[str, msgspec.Meta(description="Of a function: module.Class.")]
    resources: Annotated[tuple[str, ...], msgspec.Meta(description="Of a function, in order.")]


def _function_differences(new: Function, old: Function) -> list[Difference]:
    # The class is case-sensitive [doc "Function operations"]; resources are looked up without regard to case, and
    # their order is kept because nothing says that it does not matter.
    differences = []
    if new.class_path != old.class_path:
        differences.append(Difference("class", old.class_path, new.class_path))
    if [ref.folded for ref in new.resources] != [ref.folded for ref in old.resources]:
        listed = ", ".join(map(str, old.resources)), ", ".join(map(str, new.resources))
        differences.append(Difference("resources", *listed, "list"))
    return differences


def _taking(function: Function, other: Function, fields: Collection[str]) -> Function:
    class_path = other.class_path if "class" in fields else function.class_path
    resources = other.resources if "resources" in fields else function.resources
    return Function(function.name, class_path, resources)


FUNCTION = Kind[Function](
    name="function",
    key=function_key,
    record=_FunctionRecord,
    write_down=lambda function: {**function._asdict(), "resources": tuple(map(str, function.resources))},
    # What is written is already relative to the function's own place.
    read_back=lambda r: Function(r.name, r.class_path, tuple(parse_reference(text, "", None) for text in r.resources)),
    differences=_function_differences,
    observe=lambda function: (function.class_path, tuple(ref.folded for ref in function.resources)),
    show=lambda function: (("class", function.class_path),),
    brief=lambda function: f"class {function.class_path} with {count(len(function.resources), 'resource')}",
    needs=lambda function: tuple(resource_key(ref.name) for ref in function.resources if ref.is_own),
    portable=lambda function: (function.class_path,),
    elsewhere=lambda function: tuple(str(ref) for ref in function.resources if not ref.is_own),
    rank=1,
    renamed={"class_path": "class"},
    forms={"resources": "list"},
    has_mark=False,
    tells_updater=False,
    take=_taking,
)

KINDS: Kinds = {kind.name: kind for kind in (FUNCTION, RESOURCE)}
CATALOG = Catalog("maxcompute", KINDS, {"project": True, "schema": False})


def destination(target: str, project: str, schema: str | None = None) -> Destination:
    """Return where a plan for a project, and a schema in it, goes."""
    from reconciler.core.plan import Destination

    return Destination.of(CATALOG, target, project, schema)
