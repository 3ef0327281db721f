"""
Connection to a namespace: the vendor's own address, or the service that is built in, over a Flink of one's own.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.base.errors import UsageError
from reconciler.base.words import quote
from reconciler.targets.credentials.links import open_source
from reconciler.targets.credentials.session import NO_KEYS
from reconciler.targets.flink.connection import STORE as FLINK_STORE
from reconciler.targets.flink.manifest import Target as TargetSection
from reconciler.targets.flink.manifest import flink_manifest
from reconciler.targets.flink.vendor.bucket import StackBucket, StackLayout
from reconciler.targets.flink.vendor.client import VervericaClient
from reconciler.targets.flink.vendor.read import NamespaceReading
from reconciler.targets.flink.vendor.target import RealtimeCompute
from reconciler.targets.oss import Bucket, OssClient
from reconciler.targets.stores import local_store, opening_store
from reconciler.targets.transport import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifest.load import Loaded
    from reconciler.targets.adapter import Access
    from reconciler.targets.credentials.session import KeySource

STORE = "ververica"
"""The folder of the local service's store within udfs's own."""

LOCAL_BUCKET = "udfs"
_LOCAL = {"workspace": "local", "namespace": "local-default", "bucket": LOCAL_BUCKET, "region": "cn-hangzhou"}
"""What a target of the service built in need not say."""


@contextmanager
def connect_namespace(loaded: Loaded, access: Access) -> Iterator[RealtimeCompute]:
    """Yield the target of a manifest, for as long as the context lasts; E656 for one that does not say where it is."""
    target = loaded.target
    assert isinstance(target, TargetSection)
    texts = {
        "workspace": target.workspace,
        "namespace": target.namespace,
        "bucket": target.bucket,
        "region": target.own_region,
    }
    if target.endpoint == "local" or is_loopback(target.endpoint):
        texts = {name: text or _LOCAL[name] for name, text in texts.items()}
    missing = [name for name, text in texts.items() if not text]
    if missing:
        message = f"the target {quote(loaded.target_name)} of {target.engine} does not say its {' and '.join(missing)}"
        hint = "{endpoint: …, workspace: w1, namespace: risk-default, bucket: risk, region: cn-hangzhou}"
        raise UsageError("E656", message, at=loaded.at("targets", loaded.target_name), hint=hint)
    with _open_endpoint(loaded, target, access) as (url, credentials):
        yield _reach(loaded, target, access, url, credentials, {name: str(text) for name, text in texts.items()})


def _reach(
    loaded: Loaded, target: TargetSection, access: Access, url: str, credentials: KeySource, texts: dict[str, str]
) -> RealtimeCompute:
    client = VervericaClient(
        url,
        texts["region"],
        credentials,
        access.user_agent,
        access.token,
        workspace=texts["workspace"],
        namespace=texts["namespace"],
    )
    layout = StackLayout(texts["bucket"], texts["namespace"], loaded.manifest.stack)
    endpoint = target.bucket_endpoint or (url if is_loopback(url) else f"https://oss-{texts['region']}.aliyuncs.com")
    bucket = Bucket(texts["bucket"], texts["region"], endpoint, credentials, access.user_agent, layout.ledger)
    options = {name: frozenset(job.conf) for name, job in flink_manifest(loaded).jobs.items()}
    reading = NamespaceReading(client, StackBucket(OssClient(bucket), layout), options)
    return RealtimeCompute(reading, target.queue)


@contextmanager
def _open_endpoint(loaded: Loaded, target: TargetSection, access: Access) -> Iterator[tuple[str, KeySource]]:
    if target.endpoint != "local":
        yield target.endpoint.rstrip("/"), open_source(target.credentials, access.environment)
        return
    from reconciler.local.ververica import VervericaServer, VervericaSettings
    from reconciler.local.ververica.engines import OwnFlink

    flink, version = local_store(access.store, FLINK_STORE).absolute(), flink_manifest(loaded).flink_engine.version
    engine = OwnFlink(flink, access.environment, version)
    settings = VervericaSettings(engine_versions=target.engine, bucket=target.bucket or LOCAL_BUCKET)
    with opening_store(access.store, STORE) as store:
        server = VervericaServer(store, engine, settings)
        server.start()
    try:
        yield server.url, NO_KEYS
    finally:
        server.close()
        if engine.is_reached and (running := engine.find()) is not None:
            access.note(f"a Flink runs on at {running.url} with its jobs, and ends with the last of them")
