"""
Read the live state: listings of functions and layers, the newest entry of the ledger, and what belongs to single functions.

The listing of functions is whole, code's checksum included, and so is that of layers [vendor's SDK 4.8.3]; a listing shows of each layer
its newest version. Aliases and triggers are listed a function: they are asked for where the manifest or the ledger names one, or where
neither tells. Versions too, but those that an alias leads to are known by the alias: they are asked for only where the ledger remembers
others, where an alias leads somewhere else, or where nothing is trusted (`full`).
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

from reconciler.base.activity import BYTES, activity
from reconciler.base.errors import ServiceError
from reconciler.base.threads import Threads
from reconciler.core.kind import fingerprint
from reconciler.core.record import Reading
from reconciler.core.state import Live
from reconciler.engine.ledger import fetch_listed
from reconciler.packages.content import read_content
from reconciler.targets.fc.client import join_path
from reconciler.targets.fc.entries import is_entry_function
from reconciler.targets.fc.layer_book import function_of_arn
from reconciler.targets.fc.names import inner_name, key_of, split_name
from reconciler.targets.fc.objects import KINDS, LATEST, LAYER, LET_GO, FcAlias, FcFunction, FcLayer, FcVersion
from reconciler.targets.fc.parse import (
    mapping_of,
    number_of,
    parse_alias,
    parse_concurrency,
    parse_function,
    parse_layer,
    parse_trigger,
    parse_version,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from reconciler.core.kind import Key
    from reconciler.core.record import Applied, Entry
    from reconciler.targets.fc.client import FcClient
    from reconciler.targets.fc.entries import EntryStore
    from reconciler.targets.fc.layer_book import LayerBook
    from reconciler.targets.fc.wishes import Wishes

    Answer = Mapping[str, Any]

_WORKERS = 8
OF_API_3 = {"fcVersion": "v3"}


def read_region(
    client: FcClient, stack: str, wishes: Wishes, book: LayerBook, store: EntryStore, *, full: bool = False
) -> Reading:
    """
    Return every function, every layer, and what is of those functions that `stack` manages; with its ledger.

    With `full`, what the ledger remembers is not believed, and functions of API 2.0 are listed too.
    """
    with activity(f"reading {client.location}") as reading, Threads(_WORKERS) as readers:

        def list_all(action: str, path: str, name: str, **params: str) -> list[dict[str, Any]]:
            entries = list(client.pages(action, path, name, **params))
            reading.count(name, len(entries))
            return entries

        functions = readers.submit(lambda: list_all("ListFunctions", "/functions", "functions", **OF_API_3))
        layers = readers.submit(lambda: _layers(client, list_all("ListLayers", "/layers", "layers"), book))
        others = readers.submit(lambda: list_all("ListFunctions", "/functions", "functions")) if full else None
        epochs = store.epochs(stack, (text_of(answer, "functionName") for answer in functions.result()))
        coming = readers.submit(fetch_listed, store, stack, epochs[-1], KINDS) if epochs else None
        live = {each.object.key: each for each in layers.result()}
        for answer in functions.result():
            if not is_entry_function(text_of(answer, "functionName")):
                function = parse_function(answer, book)
                live[function.object.key] = function
        if others is not None:
            live |= _older_functions(others.result(), live)
        last = coming.result() if coming else None
        inner = _Inner(client, stack, live, None if full else last, last, wishes)
        for each in readers.map(lambda task: task(), inner.tasks()):
            live |= {part.object.key: part for part in each}
        return Reading(live, epochs, last)


def _older_functions(answers: Iterable[Answer], live: Mapping[Key, Live]) -> dict[Key, Live]:
    """Return functions of API 2.0, which a listing without ``fcVersion`` has beside the others [doc "ListFunctions"]: nobody's here."""
    functions = {}
    for answer in answers:
        name = text_of(answer, "functionName")
        key = key_of("function", name)
        if name and key not in live and not is_entry_function(name):
            older = FcFunction(name, text_of(answer, "runtime"), text_of(answer, "handler"), None)
            functions[key] = Live(older)
    return functions


# --- Layers -----------------------------------------------------------------------------------------------------------------


def _layers(client: FcClient, answers: Iterable[Answer], book: LayerBook) -> list[Live]:
    layers = [layer for answer in answers if (layer := _current_layer(client, answer, book))]
    book.keep(layer.object.name for layer in layers)
    return layers


def _current_layer(client: FcClient, newest: Answer, book: LayerBook) -> Live | None:
    """
    Return a layer by its newest version, or by the newest that is ours.

    Somebody may publish another under the same name by hand. Ours is as it was, since no version ever changes, and what we wrote last
    decides: our mark, or the word that we let go of it.
    """
    name = text_of(newest, "layerName")
    if number_of(newest, "version") <= 1:
        return _note_layer(name, (newest,), book)
    return _note_layer(name, list_layer_versions(client, name) or (newest,), book)


def _note_layer(name: str, newest_first: Iterable[Answer], book: LayerBook) -> Live | None:
    answers = list(newest_first)
    versions = [parse_layer(answer) for answer in answers]
    if not versions:
        book.note(name, ())
        return None
    current = next((version for version in versions if version.mark or _is_let_go(version)), versions[0])
    same = [
        text_of(answer, "layerVersionArn")
        for answer, version in zip(answers, versions, strict=True)
        if version.mark and current.mark and LAYER.digest(version.object) == LAYER.digest(current.object)  # type: ignore[arg-type]
    ]
    book.note(name, same)
    return current


def _is_let_go(layer: Live) -> bool:
    assert isinstance(layer.object, FcLayer)
    return layer.object.description.startswith(LET_GO)


def list_layer_versions(client: FcClient, name: str) -> list[Answer]:
    """Return the versions of a layer, the newest first; none if it is not there."""
    answers: list[Answer] = []
    start = ""
    while True:
        params = {"startVersion": start} if start else {}
        page = client.find("ListLayerVersions", join_path("layers", name, "versions"), limit="100", **params)
        answers += (page or {}).get("layers") or ()
        following = number_of(page or {}, "nextVersion")
        if not following or str(following) == start or len(answers) > 10_000:
            break
        start = str(following)
    return sorted(answers, key=lambda answer: number_of(answer, "version"), reverse=True)


# --- What belongs to one function -------------------------------------------------------------------------------------------


class _Inner:
    """What is to be asked of single functions."""

    def __init__(
        self,
        client: FcClient,
        stack: str,
        live: Mapping[Key, Live],
        trusted: Entry | None,
        last: Entry | None,
        wishes: Wishes,
    ) -> None:
        self._client, self._live, self._trusted, self._wishes = client, live, trusted, wishes
        self._functions = {key.name for key in live if key.kind == "function"}
        self._ours = {name for name in self._functions if _is_of(live[key_of("function", name)], stack)}
        self._going = self._ours - wishes.functions if wishes.functions is not None else set[str]()
        applied = last.objects if last else {}
        self._remembered: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for key in applied:
            function, inner = split_name(key.name)
            self._remembered[key.kind][function].add(inner)
        layers = {key.name for key in (*live, *applied) if key.kind == "layer"}
        layers |= {name for each in applied.values() for name in _layers_of(each)}
        self._layer_names = {fingerprint(name): name for name in layers}

    def tasks(self) -> list[Callable[[], list[Live]]]:
        """Return what is to be asked, each of which is one function's, or one listing."""
        with_alias = self._asked_for("alias", self._wishes.with_alias) | self._asked_for("version", ()) | self._going
        tasks: list[Callable[[], list[Live]]] = [partial(self._aliases, name) for name in sorted(with_alias)]
        with_trigger = sorted(self._asked_for("trigger", self._wishes.with_trigger) | self._going)
        tasks += [partial(list_triggers, self._client, name) for name in with_trigger]
        has_reserved = any(each.mark and each.mark.names for each in self._live.values())
        if has_reserved or self._asked_for("concurrency", self._wishes.with_concurrency):
            tasks.append(self._concurrency)
        return tasks

    def _asked_for(self, kind: str, named: Iterable[str]) -> set[str]:
        """Return the functions that are asked for objects of a kind within them: without a ledger, all that are ours."""
        remembered = self._remembered[kind].keys() if self._trusted else self._ours | self._remembered[kind].keys()
        return self._functions & {*named, *remembered}

    def _aliases(self, function: str) -> list[Live]:
        answers = list(self._client.pages("ListAliases", join_path("functions", function, "aliases"), "aliases"))
        aliases = [parse_alias(answer, function, {}) for answer in answers]
        used = {version for alias in aliases for version in _versions_of(alias)}
        remembered = self._remembered["version"][function]
        # Under what goes, somebody else may have published something.
        is_known = (
            self._trusted is not None
            and function not in self._going
            and used == remembered
            and not any("#" in version for version in used)
        )
        if is_known and self._trusted is not None:
            return [*aliases, *(self._remembered_version(function, version) for version in sorted(used))]
        versions = list_versions(self._client, function, lambda name: self._layer_names.get(name, f"?{name}"))
        numbers = version_numbers(versions)
        return [*versions, *(parse_alias(answer, function, numbers) for answer in answers)]

    def _remembered_version(self, function: str, version: str) -> Live:
        """Return a version that an alias leads to as the ledger has it: it is there, or the alias could not lead there."""
        from reconciler.core.kind import Mark

        assert self._trusted is not None
        applied: Applied = self._trusted.objects[key_of("version", inner_name(function, version))]
        return Live(applied.object, mark=Mark(self._trusted.stack, applied.sha256 or None))

    def _concurrency(self) -> list[Live]:
        answers = self._client.pages("ListConcurrencyConfigs", "/concurrency-configs", "configs")
        each = (parse_concurrency(answer, function_of_arn(text_of(answer, "functionArn"))) for answer in answers)
        return [config for config in each if config and config.object.name in self._functions]


def _is_of(live: Live, stack: str) -> bool:
    return live.mark is not None and live.mark.stack == stack


def _layers_of(applied: Applied) -> tuple[str, ...]:
    return applied.object.layers if isinstance(applied.object, FcVersion) else ()


def _versions_of(alias: Live) -> tuple[str, ...]:
    assert isinstance(alias.object, FcAlias)
    versions = (alias.object.version, *(version for version, _ in alias.object.weights))
    return tuple(version for version in versions if version != LATEST)


def list_versions(client: FcClient, function: str, layer_name: Callable[[str], str]) -> list[Live]:
    """Return the published versions of a function; of two with the same content the newest."""
    answers = list(client.pages("ListFunctionVersions", join_path("functions", function, "versions"), "versions"))
    versions = [parse_version(answer, function, layer_name) for answer in answers]
    by_number = sorted(versions, key=lambda version: int(_number(version)) if _number(version).isdigit() else 0)
    return list({version.object.key: version for version in by_number}.values())


def version_numbers(versions: Iterable[Live]) -> dict[str, str]:
    """Return how the versions of a function are called here, by the service's numbers."""
    return {_number(version): split_name(version.object.name)[1] for version in versions if version.mark is not None}


def _number(version: Live) -> str:
    assert isinstance(version.object, FcVersion)
    return version.object.number


def list_triggers(client: FcClient, function: str) -> list[Live]:
    answers = client.pages("ListTriggers", join_path("functions", function, "triggers"), "triggers")
    return [parse_trigger(answer, function) for answer in answers]


# --- One object -------------------------------------------------------------------------------------------------------------


def find_object(client: FcClient, book: LayerBook, key: Key) -> Live | None:
    """Return one object as it is now, or None."""
    function, inner = split_name(key.name)
    here = join_path("functions", function)
    match key.kind:
        case "layer":
            return _note_layer(key.name, list_layer_versions(client, key.name), book)
        case "version":
            return next((each for each in _versions_now(client, function) if each.object.key == key), None)
        case "alias":
            answer = client.find("GetAlias", here + join_path("aliases", inner))
            return None if answer is None else _alias_now(client, function, answer)
        case "trigger":
            answer = client.find("GetTrigger", here + join_path("triggers", inner))
            return None if answer is None else parse_trigger(answer, function)
        case "concurrency":
            answer = client.find("GetConcurrencyConfig", here + join_path("concurrency"))
            return None if answer is None else parse_concurrency(answer, function)
        case _:
            return find_function(client, book, key.name)


def find_function(client: FcClient, book: LayerBook, name: str, **params: str) -> Live | None:
    """Return a function as it is now, or as it was published; None if it is not there."""
    answer = client.find("GetFunction", join_path("functions", name), **params)
    if answer is None:
        return None
    learn_layers(client, book, answer)
    return parse_function(answer, book)


def learn_layers(client: FcClient, book: LayerBook, answer: Answer) -> None:
    """Take down which versions are ours of the layers that a function lists."""
    for layer in unknown_layers(answer, book):
        _note_layer(layer, list_layer_versions(client, layer), book)


def unknown_layers(answer: Answer, book: LayerBook) -> list[str]:
    """Return the layers that a function lists and of which it is not known yet which versions are ours."""
    from reconciler.targets.fc.layer_book import layer_names

    listed = (text_of(layer, "arn") if isinstance(layer, dict) else str(layer) for layer in answer.get("layers") or ())
    return [name for name in layer_names(listed) if not book.knows(name)]


def _versions_now(client: FcClient, function: str) -> list[Live]:
    if client.find("GetFunction", join_path("functions", function)) is None:
        return []
    return list_versions(client, function, lambda name: f"?{name}")


def _alias_now(client: FcClient, function: str, answer: Answer) -> Live:
    alias = parse_alias(answer, function, {})
    if not any("#" in version for version in _versions_of(alias)):
        return alias
    return parse_alias(answer, function, version_numbers(_versions_now(client, function)))


def download(client: FcClient, book: LayerBook, key: Key, destination: Path) -> None:
    """Write the code of a function or a layer to a file."""
    if key.kind == "layer":
        layer = find_object(client, book, key)
        number = str(layer.object.version) if isinstance(layer, Live) and isinstance(layer.object, FcLayer) else "1"
        answer = client.get("GetLayerVersion", join_path("layers", key.name, "versions", number))
        url = text_of(answer.get("code") or {}, "location")
    else:
        answer = client.get("GetFunctionCode", join_path("functions", key.name, "code"))
        url = text_of(answer, "url")
    if not url:
        raise client.garbage(f"{key} without an address for its code")
    _fetch(client, url, key.name, destination)


def download_layer(client: FcClient, arn: str, destination: Path) -> None:
    """Write the content of a layer's version to a file; E562 if it is not what the service says of it."""
    from reconciler.targets.fc.crc64 import crc64_of

    answer = client.get("GetLayerVersionByArn", join_path("layerarn", arn))
    url = text_of(mapping_of(answer, "code"), "location")
    if not url:
        raise client.garbage(f"the layer {arn} without an address for its code")
    _fetch(client, url, arn, destination)
    checksum = crc64_of(read_content(destination))
    if checksum != text_of(answer, "codeChecksum"):
        message = f"the layer {arn} was not received as the service describes it: CRC-64 {checksum}, and it has {text_of(answer, 'codeChecksum')}"
        raise ServiceError("E562", message)


def _fetch(client: FcClient, url: str, what: str, destination: Path) -> None:
    with activity("fetching") as fetching, fetching.at(what), destination.open("wb") as file:
        for block in client.fetch(url):
            fetching.count(BYTES, file.write(block))
