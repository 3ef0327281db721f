"""
Connection to a region: the service's own address, or the service that is built in and runs as long as a command does.

The ledger is kept in the bucket that the target names under `staging`, else in functions of its own.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from reconciler.targets.credentials.links import open_source
from reconciler.targets.credentials.session import NO_KEYS
from reconciler.targets.fc.client import FcClient
from reconciler.targets.fc.manifest import fc_manifest, fc_target
from reconciler.targets.fc.surroundings import environment_of
from reconciler.targets.fc.target import FunctionCompute
from reconciler.targets.fc.wishes import Wishes
from reconciler.targets.stores import opening_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifest.load import Loaded
    from reconciler.targets.adapter import Access
    from reconciler.targets.credentials.session import KeySource
    from reconciler.targets.fc.manifest import Manifest, Target
    from reconciler.targets.oss import OssClient

STORE = "fc"
"""The folder of the local service's store within udfs's own."""


@contextmanager
def connect_region(loaded: Loaded, access: Access) -> Iterator[FunctionCompute]:
    """Yield the target of a manifest, for as long as the context lasts."""
    target = fc_target(loaded)
    with _open_endpoint(loaded, access) as (url, credentials):
        client = FcClient(url, target.region, credentials, access.user_agent, access.token, target.account)
        bucket = _bucket(target, url, credentials, access.user_agent)
        entries = None
        if bucket is not None:
            from reconciler.targets.oss import OssEntries

            entries = OssEntries(bucket)
        yield FunctionCompute(client, loaded.manifest.stack, wishes_of(fc_manifest(loaded)), entries, bucket)


def wishes_of(manifest: Manifest) -> Wishes:
    """Return what a manifest wants beside its objects."""
    functions = manifest.functions
    return Wishes(
        environment={name: environment_of(function) for name, function in functions.items()},
        functions=frozenset(functions),
        with_alias=frozenset(name for name, function in functions.items() if function.alias),
        with_trigger=frozenset(name for name, function in functions.items() if function.triggers),
        with_concurrency=frozenset(name for name, function in functions.items() if function.concurrency is not None),
    )


@contextmanager
def _open_endpoint(loaded: Loaded, access: Access) -> Iterator[tuple[str, KeySource]]:
    target = fc_target(loaded)
    if not target.is_local:
        yield target.endpoint or endpoint_of_region(target.region), open_source(target.credentials, access.environment)
        return
    from reconciler.local.fc import FcServer, FcSettings

    settings = FcSettings(region=target.region, account=target.account or FcSettings.account)
    with opening_store(access.store, STORE) as store:
        server = FcServer(store, settings, environment=access.environment)
        server.start()
    with closing(server):
        yield server.url, NO_KEYS


def endpoint_of_region(region: str) -> str:
    """Return where a region is asked [vendor's SDK 4.8.3]."""
    return f"https://fcv3.{region}.aliyuncs.com"


def _bucket(target: Target, url: str, credentials: KeySource, user_agent: str) -> OssClient | None:
    """Return the bucket that a target names, for the ledger and for large archives; that of the service built in is beside it."""
    if target.staging is None:
        return None
    from reconciler.targets.oss import Bucket, OssClient

    endpoint = url if target.is_local else target.staging.endpoint or f"https://oss-{target.region}.aliyuncs.com"
    return OssClient(Bucket(target.staging.bucket, target.region, endpoint, credentials, user_agent))
