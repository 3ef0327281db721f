"""The Flink that nightly tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import UsageError
from reconciler.local.flink.cluster import start_cluster
from reconciler.local.flink.distribution import find_distribution
from reconciler.targets.flink.rest import FlinkRest
from tests.flink.real import ENVIRONMENT, VERSION, Engine

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    try:
        distribution = find_distribution(ENVIRONMENT, VERSION)
    except UsageError as error:
        pytest.skip(str(error))
    cluster = start_cluster(distribution, tmp_path_factory.mktemp("flink"), ENVIRONMENT)
    try:
        yield Engine(distribution, cluster, FlinkRest(cluster.url))
    finally:
        cluster.close()
