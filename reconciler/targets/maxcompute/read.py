"""
Read the live state: two listings, the newest entry of the ledger, and a ``?meta`` for what the ledger does not know.

The listing of functions is whole: class and resources included. The listing of resources has everything but the MD5 of
the content [PyODPS models; recorded answers of the Ruby SDK], which therefore costs one request a managed resource,
unless size and time are still those that the ledger saw after the last apply. Nothing is asked about the resources of
others.
"""

from __future__ import annotations

import re
from concurrent.futures import Future, as_completed
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from reconciler.base.activity import BYTES, activity
from reconciler.base.errors import ServiceError
from reconciler.base.numbers import whole_number
from reconciler.base.threads import Threads
from reconciler.core.record import Applied, Entry, Reading
from reconciler.core.state import Live
from reconciler.engine.ledger import entry_reader, epochs_of, fetch_listed, is_entry
from reconciler.targets.maxcompute.names import parse_reference, read_comment
from reconciler.targets.maxcompute.objects import KINDS, Function, Resource
from reconciler.targets.transport import parse_http_date

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from threading import Event
    from xml.etree.ElementTree import Element

    from reconciler.base.activity import Activity
    from reconciler.core.kind import Key
    from reconciler.core.record import Store
    from reconciler.core.state import Object
    from reconciler.targets.maxcompute.client import Answer, Client

_WORKERS = 8
FUNCTIONS = "/registration/functions"
RESOURCES = "/resources"
_CHECKSUMS = "checksums"
_MAX_PAGES = 10_000
"""Of one listing: ten million objects at 1,000 a page."""

_BEGINNING = re.compile(rb"\s*(?:<\?xml[^>]*\?>\s*)?<\w+>\s*(?:<Marker\s*/>|<Marker>(?P<marker>[!-%'-;=-~]*)</Marker>)")
"""Of a page that begins with a marker of plain characters, and so needs not be read to its end to know it."""
_LONGEST_BEGINNING = 4096


def everything(client: Client, stack: str, store: Store, *, full: bool = False) -> Reading:
    """
    Return every function and resource of the project's schema, with MD5 for what `stack` manages, and its ledger.

    With `full`, every MD5 is asked for, whatever the ledger remembers.
    """
    with activity(f"reading {client.place}") as reading, Threads(_WORKERS) as readers:
        pages = _pages(client, FUNCTIONS, "Functions", "Function", readers.ended, reading)
        functions = readers.submit(lambda: [_function(element, client) for element in pages])
        listed = readers.submit(_list_resources, client, stack, store, readers, reading)
        # While the service is waited for; not by this thread, for what a signal raises could be lost in there.
        readers.submit(entry_reader, tuple(KINDS.values()))
        for done in as_completed((functions, listed)):
            # What one of them fails of is told at once, however long the other takes.
            done.result()
        resources, epochs, coming = listed.result()
        state = {live.object.key: live for live in (*functions.result(), *resources)}
        mine = [key for key, live in state.items() if _holds_content_of(live, stack)]
        last = coming.result() if coming else None
        remembered = {} if full or last is None else last.objects
        lookups: dict[Key, Future[Live | None]] = {}
        for key in mine:
            live, applied = state[key], remembered.get(key)
            if applied is not None and is_unmoved(live, applied):
                state[key] = _holding(live, applied.object)
            else:
                lookups[key] = readers.submit(_with_md5, client, live)
        reading.plan(_CHECKSUMS, len(lookups))
        for key, answer in lookups.items():
            current = answer.result()
            reading.count(_CHECKSUMS)
            if current is None:
                # It went away between the listing and its meta.
                del state[key]
            else:
                state[key] = current
        return Reading(state, epochs, last)


def _list_resources(
    client: Client, stack: str, store: Store, readers: Threads, reading: Activity
) -> tuple[list[Live], tuple[int, ...], Future[Entry] | None]:
    """Return the resources but for the entries of ledgers, the epochs of the stack's own, and the newest, on its way."""
    entries: list[Live] = []
    resources: list[Live] = []
    for live in _resources(client, readers.ended, reading):
        (entries if is_entry(live.object.name) else resources).append(live)
    epochs = epochs_of((live.object.name for live in entries), stack)
    return resources, epochs, readers.submit(fetch_listed, store, stack, epochs[-1], KINDS) if epochs else None


def read_object(client: Client, key: Key) -> Live | None:
    """Return one object as it is now, or None."""
    try:
        if key.kind == "function":
            return _function(client.get(f"{FUNCTIONS}/{quote(key.name, safe='')}").xml("Function"), client)
        return _meta(client, key.name)
    except ServiceError as error:
        if error.service_code == "NoSuchObject":
            return None
        raise


def content(client: Client, name: str, destination: Path) -> None:
    """Write a resource's content to a file."""
    with activity("fetching") as fetching, fetching.at(name), destination.open("wb") as file:
        for piece in client.stream(f"{RESOURCES}/{quote(name, safe='')}"):
            fetching.count(BYTES, file.write(piece))


def _holds_content_of(live: Live, stack: str) -> bool:
    return live.mark is not None and live.mark.stack == stack and live.object.kind.holds_content(live.object)


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


def _with_md5(client: Client, live: Live) -> Live | None:
    meta = read_object(client, live.object.key)
    return None if meta is None else _holding(live, meta.object)


def _holding(live: Live, held: Object) -> Live:
    """Return a listed resource with the content of `held`; `_replace` would take five times as long, twice."""
    was = live.object
    assert isinstance(was, Resource)
    assert isinstance(held, Resource)
    resource = Resource(was.name, was.type, held.md5, held.size, was.comment, was.table)
    return Live(resource, live.owner, live.updater, live.created, live.modified, live.mark, live.schema)


def _resources(client: Client, ended: Event, reading: Activity) -> Iterator[Live]:
    for element in _pages(client, RESOURCES, "Resources", "Resource", ended, reading):
        # Looking each one up by its name would walk through all of them ten thousand times ten times.
        texts = {node.tag: (node.text or "").strip() for node in reversed(element)}
        name, kind = texts.get("Name", ""), texts.get("ResourceType", "").lower()
        text, mark = read_comment(texts.get("Comment", ""), name)
        yield Live(
            Resource(
                name=name,
                type=kind,
                size=_size(client, texts.get("ResourceSize", "")),
                comment=text,
                table=texts.get("TableName") or None if kind == "table" else None,
            ),
            owner=texts.get("Owner", ""),
            # Nobody is told as the updater of what nobody has changed since it was made: then its owner was the last.
            updater=texts.get("LastUpdator") or texts.get("Owner", ""),
            created=parse_http_date(texts.get("CreationTime", "")),
            modified=parse_http_date(texts.get("LastModifiedTime", "")),
            mark=mark,
        )


def _meta(client: Client, name: str) -> Live:
    answer: Answer = client.get(f"{RESOURCES}/{quote(name, safe='')}", meta="")
    text, mark = read_comment(answer.header("x-odps-comment"), name)
    spelling = answer.header("x-odps-resource-name", name)
    if spelling.lower() != name.lower():
        raise client.garbage(f"asked for resource {name!r}, told of {spelling!r}")
    return Live(
        Resource(
            name=spelling,
            type=answer.header("x-odps-resource-type").lower(),
            md5=answer.header("Content-MD5").lower() or None,
            size=_size(client, answer.header("x-odps-resource-size")),
            comment=text,
            table=answer.header("x-odps-copy-table-source") or None,
        ),
        owner=answer.header("x-odps-owner"),
        updater=answer.header("x-odps-updator") or answer.header("x-odps-owner"),
        created=parse_http_date(answer.header("x-odps-creation-time")),
        modified=parse_http_date(answer.header("Last-Modified")),
        mark=mark,
    )


def _function(element: Element, client: Client) -> Live:
    """
    Read one function.

    SQL functions and embedded code (IsSqlFunction, IsEmbeddedFunction) stand in the same list without class and
    resources [PyODPS models/function.py]; they come back as what they are: objects that no marker can name.
    """
    names = [node.text or "" for node in element.iter("ResourceName")]
    return Live(
        Function(
            name=_text(element, "Alias"),
            class_path=_text(element, "ClassType"),
            resources=tuple(parse_reference(name.strip(), client.project, client.schema) for name in names),
        ),
        owner=_text(element, "Owner"),
        created=parse_http_date(_text(element, "CreationTime")),
    )


def _pages(client: Client, path: str, root: str, item: str, ended: Event, reading: Activity) -> Iterator[Element]:
    """
    Yield the items of a listing; the service ends it with an empty marker. No more pages are asked for once it `ended`.

    The next page is asked for before this one is looked at: its first line says which comes next [recorded listings],
    and what it holds takes as long to understand as the next one to arrive.
    """
    seen = {""}

    def fetch(marker: str) -> tuple[Answer, Future[Any] | None]:
        answer = client.get(path, expectmarker="true", **({"marker": marker} if marker else {}))
        begins = _BEGINNING.match(answer.body[:_LONGEST_BEGINNING])
        following = (begins["marker"] or b"").decode() if begins else _text(answer.xml(root), "Marker")
        if not following or ended.is_set():
            return answer, None
        if following in seen or len(seen) >= _MAX_PAGES:
            reason = f"marker {following!r} came twice" if following in seen else f"{_MAX_PAGES:,} pages"
            raise client.garbage(f"the listing of {path.rpartition('/')[2]} never ends: {reason}")
        seen.add(following)
        # Asked for by the thread itself: whoever waits for this page would first understand it and then ask.
        return answer, reader.submit(fetch, following)

    # A thread of its own has a connection of its own, which stays open from page to page.
    with Threads(1) as reader:
        coming: Future[tuple[Answer, Any]] | None = reader.submit(fetch, "")
        while coming is not None and not ended.is_set():
            answer, coming = coming.result()
            elements = answer.xml(root).findall(item)
            reading.count(root.lower(), len(elements))
            yield from elements


def _text(element: Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _size(client: Client, text: str) -> int:
    """Read a number of bytes; nothing for what has none, such as a table."""
    if not text:
        return 0
    if (number := whole_number(text)) is None:
        raise client.garbage(f"the size of a resource is {text!r}")
    return number
