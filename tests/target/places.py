"""
Places: one small stack on each kind of service, over its own HTTP, for laws that hold of every target.

A place says how its service is reached, what a stack on it wants before and after an edit, and how a stranger edits it. What is held
of places stands in `test_every_target`; what only one kind of target has stands in the tests of that kind.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from reconciler.base.errors import Position
from reconciler.core.kind import Mark
from reconciler.core.plan import Destination
from reconciler.core.state import Desired
from reconciler.local import Server, Settings
from reconciler.local.fc import FcServer, FcSettings
from reconciler.local.ververica import VervericaServer, VervericaSettings
from reconciler.local.ververica.engines import FlinkAtAddress
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.fc.client import FcClient
from reconciler.targets.fc.target import FunctionCompute
from reconciler.targets.flink.objects import CATALOG as FLINK
from reconciler.targets.flink.objects import DeployedJob, RegisteredFunction, SharedFile, job_key, shared_name
from reconciler.targets.flink.vendor.bucket import StackBucket, StackLayout
from reconciler.targets.flink.vendor.client import VervericaClient
from reconciler.targets.flink.vendor.read import NamespaceReading
from reconciler.targets.flink.vendor.target import RealtimeCompute
from reconciler.targets.maxcompute.client import Client
from reconciler.targets.maxcompute.objects import CATALOG as MAXCOMPUTE
from reconciler.targets.maxcompute.objects import resource_key
from reconciler.targets.maxcompute.target import MaxCompute
from reconciler.targets.oss import Bucket, OssClient
from tests.canary import SECRET
from tests.flink.fake_flink import FakeFlink
from tests.target.fc.world import HERE as REGION
from tests.target.fc.world import Names, Part, Stack, World, code_of
from tests.unit.core.states import HERE as PROJECT
from tests.unit.core.states import digests, function, resource, state, wanted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.core.kind import Catalog, Key
    from reconciler.core.state import DesiredState, Object
    from reconciler.core.target import Target


NAMESPACE, ENGINE = "risk-default", "vvr-11.7-jdk11-flink-1.20"
SQL = "INSERT INTO s SELECT near(w) FROM t;\n"
NOWHERE = Position("udfs.yaml", 1, 1)


class Place(Protocol):
    """A service with a stack that may be put there."""

    service: Any
    destination: Destination
    catalog: Catalog
    contents: dict[str, Path]
    first: DesiredState
    second: DesiredState
    """The first with one thing other, one gone and the rest as it was."""

    marked: Key
    """An object of both states that has content and a mark; where `writes_content_in_place`, the second state wants it otherwise."""

    edited: Key
    """What `meddle` writes."""

    listing: str
    """Of the path of a request that a reading makes."""

    stack: str

    def reach(self, who: str = "ann", secret: str = SECRET, token: str | None = None) -> Target: ...

    def reach_at(self, url: str) -> Target: ...

    def meddle(self) -> None:
        """Let a stranger write `edited`."""

    def is_about_objects(self, path: str) -> bool:
        """Say whether a request's path is not of the ledger."""


@dataclass
class MaxComputePlace:
    """A project."""

    service: Server
    folder: Path

    destination = PROJECT
    catalog = MAXCOMPUTE
    stack = "risk"
    listing = "/resources"
    marked = edited = resource_key("a.py")

    def __post_init__(self) -> None:
        self.contents: dict[str, Path] = {}
        self.first: DesiredState = state(
            wanted(resource("a.py"), "one", "f"),
            wanted(resource("b.csv", kind="file")),
            wanted(function("f", "a.py", "b.csv")),
        )
        self.second: DesiredState = state(
            wanted(resource("a.py", "two"), "two", "f"), wanted(function("f", "a.py", class_path="a.G"))
        )
        for content in ("one", "two"):
            (self.folder / content).write_text(content)
            self.contents[digests(content)[0]] = self.folder / content

    def reach(self, who: str = "ann", secret: str = SECRET, token: str | None = None) -> Target:
        return self._target(self.service.url, Credentials(who, secret, token))

    def reach_at(self, url: str) -> Target:
        return self._target(url, Credentials("ann", SECRET))

    def _target(self, url: str, keys: Credentials) -> Target:
        return MaxCompute(Client(url, "demo", None, keys, "test"), self.stack, lambda: "t")

    def meddle(self) -> None:
        headers = {"x-odps-resource-type": "py", "x-odps-resource-name": "a.py"}
        eve = Client(self.service.url, "demo", None, Credentials("eve", SECRET), "test")
        eve.send("put", "/resources/a.py", headers=headers, body=b"rival")

    def is_about_objects(self, path: str) -> bool:
        return "udfs." not in path


BEFORE = Stack({"read": Part(tags={"team": "ocr"}), "plain": Part(code="two", alias="", layers=())})
AFTER = Stack({"read": Part(code="three", tags={"team": "ocr"})})


class FunctionComputePlace:
    """A region of an account."""

    destination = REGION
    listing = "/functions$"
    stack = "ocr"

    def __init__(self, service: FcServer, folder: Path) -> None:
        self.service = service
        self.world = World(service.url, folder)
        self.contents = self.world.contents
        self.first, self.second = self.world.desired(BEFORE), self.world.desired(AFTER)
        self.catalog = self.world.target().catalog
        self.marked = self.edited = self.catalog.kinds["function"].key("read")

    def reach(self, who: str = "ann", secret: str = SECRET, token: str | None = None) -> Target:
        return self._target(self.service.url, Credentials(who, secret, token))

    def reach_at(self, url: str) -> Target:
        return self._target(url, Credentials("ann", SECRET))

    def _target(self, url: str, keys: Credentials) -> Target:
        # The names of both states: their aliases are asked for, as a manifest of either would.
        client = FcClient(url, "cn-hangzhou", keys, "test", token=Names())
        return FunctionCompute(client, self.stack, self.world.target(BEFORE).wishes)

    def meddle(self) -> None:
        self.world.edit("PUT", "UpdateFunction", "/functions/read", {"code": code_of("rival")})

    def is_about_objects(self, path: str) -> bool:
        return "/udfs-" not in path


class RealtimeComputePlace:
    """A namespace of a workspace."""

    destination = Destination.of(FLINK, "local", "http://service", None, "w1", NAMESPACE)
    catalog = FLINK
    stack = "risk"
    listing = "/deployments$"
    edited = job_key("words")

    def __init__(self, service: VervericaServer, folder: Path) -> None:
        self.service = service
        self.contents: dict[str, Path] = {}
        files = {}
        for name, text in {"near.py": "one", "new/near.py": "two", "words.sql": SQL, "rates.csv": "1"}.items():
            sha256 = digests(text)[0]
            self.contents[sha256] = folder / sha256
            self.contents[sha256].write_text(text)
            files[name] = SharedFile(shared_name(name.rpartition("/")[2], sha256), sha256, len(text))
        words, rates = files["words.sql"], files["rates.csv"]
        self.marked = words.key
        plain = DeployedJob("plain", words.name, files=(rates.name,), engine=ENGINE)
        self.first = self._state(files["near.py"], words, rates, plain)
        self.second = self._state(files["new/near.py"], words)

    def _state(self, near: SharedFile, words: SharedFile, *more: Object) -> DesiredState:
        function = RegisteredFunction("near", "PYTHON", "near.near", near.name)
        registered = (("near", "PYTHON near.near"),)
        job = DeployedJob("words", words.name, functions=registered, imports=(near.name,), engine=ENGINE)
        objects: tuple[Object, ...] = (near, words, function, job, *more)
        marks = {each.key: Mark(self.stack, *(each.digest,) * 2) for each in objects if isinstance(each, SharedFile)}
        return {each.key: Desired(each, NOWHERE, marks.get(each.key, Mark(self.stack))) for each in objects}

    def reach(self, who: str = "ann", secret: str = SECRET, token: str | None = None) -> Target:
        return self._target(self.service.url, Credentials(who, secret, token))

    def reach_at(self, url: str) -> Target:
        return self._target(url, Credentials("ann", SECRET))

    def _client(self, url: str, keys: Credentials) -> VervericaClient:
        more = {"workspace": "w1", "namespace": NAMESPACE}
        return VervericaClient(url, "cn-hangzhou", keys, "test", Names(), **more)

    def _target(self, url: str, keys: Credentials) -> Target:
        layout = StackLayout("risk", NAMESPACE, self.stack)
        bucket = OssClient(Bucket("risk", "cn-hangzhou", url, keys, "test", layout.ledger))
        return RealtimeCompute(NamespaceReading(self._client(url, keys), StackBucket(bucket, layout)), "default-queue")

    def meddle(self) -> None:
        client = self._client(self.service.url, Credentials("eve", SECRET))
        deployment = client.find_named("words")
        assert deployment is not None
        client.update_deployment(str(deployment["deploymentId"]), {"labels": {**deployment["labels"], "team": "eve"}})

    def is_about_objects(self, path: str) -> bool:
        return "/ledger/" not in path


KINDS = ("maxcompute", "fc", "realtime")
IN_PLACE = ("maxcompute", "fc")
"""Of these those that write content over what was there; the rest keep it under another name."""


@contextmanager
def open_place(kind: str, folder: Path, *, key: str | None = None) -> Iterator[Place]:
    """Start a service of a kind in a folder; requests must be signed with `key` where there is one."""
    files = folder / "files"
    files.mkdir()
    settings: dict[str, Any] = {"control": key is None, "access_id": key and "ann", "access_key": key}
    if kind == "maxcompute":
        with Server(folder / "store", Settings(**settings)) as project:
            yield MaxComputePlace(project, files)
    elif kind == "fc":
        with FcServer(folder / "store", FcSettings(**settings)) as region:
            yield FunctionComputePlace(region, files)
    else:
        flink = FakeFlink()
        try:
            behind = FlinkAtAddress(flink.url)
            with VervericaServer(folder / "store", behind, VervericaSettings(bucket="risk", **settings)) as namespace:
                yield RealtimeComputePlace(namespace, files)
        finally:
            flink.close()
