"""The two services that histories are made on: the model, and the real one over loopback HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.local import Server, Settings
from reconciler.local.server.database import ServerStore
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.maxcompute.client import Client
from reconciler.targets.maxcompute.objects import function_key, resource_key
from reconciler.targets.maxcompute.target import MaxCompute
from tests.canary import SECRET
from tests.invariants.model import Clock, File, Modelled, Service, Wire
from tests.invariants.world import FUNCTIONS, RESOURCES, rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.core.kind import Key
    from reconciler.local.server.database import StoredFunction, StoredResource
    from reconciler.targets.maxcompute.client import Answer

_OWNER = "ALIYUN$"


def key_of(text: str) -> Key:
    """Return the key of what is called so, such as ``resource x.csv``."""
    kind, name = text.split(" ")
    return function_key(name) if kind == "function" else resource_key(name)


@dataclass(frozen=True)
class InMemory:
    """The model."""

    service: Service

    @property
    def clock(self) -> Clock:
        return self.service.clock

    def target(self, who: str, stack: str, wire: Wire) -> Modelled:
        return Modelled(self.service, f"{_OWNER}{who}", stack, wire)

    def put_file(self, name: str, content: bytes, comment: str | None) -> None:
        eve = f"{_OWNER}eve"
        old = self.service.things.get(resource_key(name))
        kind = old.type if isinstance(old, File) else "file"
        self.service.put(eve, resource_key(name), self.service.file(eve, name, kind, content, comment))

    def put_function(self, name: str, of: str, resources: tuple[str, ...]) -> None:
        eve = f"{_OWNER}eve"
        self.service.put(eve, function_key(name), self.service.registered(eve, name, of, resources))

    def delete(self, key: str) -> None:
        if key_of(key) in self.service.things:
            self.service.put(f"{_OWNER}eve", key_of(key), None)

    def comment(self, name: str) -> str:
        found = self.service.things.get(resource_key(name))
        return found.comment if isinstance(found, File) else ""

    def contents(self) -> Mapping[str, tuple[object, ...]]:
        told: dict[str, tuple[object, ...]] = {}
        for key, one in self.service.things.items():
            if isinstance(one, File):
                told[f"resource {key.folded}"] = (
                    one.name, one.type, one.md5, one.comment, one.owner, one.updater, one.created, one.modified,
                )  # fmt: skip
            else:
                told[f"function {key.folded}"] = (one.name, one.of, one.resources, one.owner, one.created)
        return told


class _Wired(Client):
    """A client whose requests may be lost, or never sent because it is dead."""

    def __init__(self, endpoint: str, who: str, wire: Wire) -> None:
        super().__init__(endpoint, "demo", None, Credentials(who, SECRET), "test")
        self._wire = wire

    def _send(self, method: str, path: str, params: dict[str, str], *, again: bool = False, **kwargs: Any) -> Answer:
        if method == "get":
            self._wire.read()
            return super()._send(method, path, params, again=again, **kwargs)
        return self._wire.write(lambda: super(_Wired, self)._send(method, path, params, again=again, **kwargs))  # type: ignore[return-value]


class Real:
    """The real service."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.server = Server(folder, Settings(updater_of_new="creator"), clock=self.clock)
        self._store = ServerStore(folder)
        self.server.start()

    def close(self) -> None:
        self.server.close()
        self._store.close()

    def target(self, who: str, stack: str, wire: Wire) -> MaxCompute:
        return MaxCompute(_Wired(self.server.url, who, wire), stack, lambda: "t")

    @property
    def _eve(self) -> Client:
        return Client(self.server.url, "demo", None, Credentials("eve", SECRET), "test")

    def _rows(self) -> Mapping[str, StoredResource | StoredFunction]:
        with self._store.reading() as rows:
            return rows_of(rows)

    def put_file(self, name: str, content: bytes, comment: str | None) -> None:
        old: Any = self._rows().get(f"resource {name.lower()}")
        headers = {"x-odps-resource-type": old.type if old else "file", "x-odps-resource-name": name}
        headers |= {} if comment is None else {"x-odps-comment": comment}
        path = f"{RESOURCES}/{name}" if old else RESOURCES
        self._eve.send("put" if old else "post", path, headers=headers, body=content)

    def put_function(self, name: str, of: str, resources: tuple[str, ...]) -> None:
        old = f"function {name.lower()}" in self._rows()
        listed = "".join(f"<ResourceName>{one}</ResourceName>" for one in resources)
        body = f"<Function><Alias>{name}</Alias><ClassType>{of}</ClassType><Resources>{listed}</Resources></Function>"
        path = f"{FUNCTIONS}/{name}" if old else FUNCTIONS
        headers = {"Content-Type": "application/xml"}
        self._eve.send("put" if old else "post", path, headers=headers, body=body.encode())

    def delete(self, key: str) -> None:
        if key.lower() in self._rows():
            folder = FUNCTIONS if key.startswith("function") else RESOURCES
            self._eve.send("delete", f"{folder}/{key.split(' ')[1]}", headers={"Content-Length": "0"})

    def comment(self, name: str) -> str:
        found: Any = self._rows().get(f"resource {name.lower()}")
        return (found.comment or "") if found else ""

    def contents(self) -> Mapping[str, tuple[object, ...]]:
        told: dict[str, tuple[object, ...]] = {}
        for key, row in self._rows().items():
            one: Any = row
            if key.startswith("resource"):
                told[key] = (
                    one.name, one.type, one.md5, one.comment or "", one.owner, one.updator, one.created, one.modified,
                )  # fmt: skip
            else:
                told[key] = (one.name, one.class_type, tuple(r.name for r in one.resources), one.owner, one.created)
        return told
