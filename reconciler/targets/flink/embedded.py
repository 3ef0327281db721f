"""A Flink of one's own, for others: started over a folder, with its REST interface on loopback, and ended with the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.errors import UsageError
from reconciler.base.hints import spell
from reconciler.local.flink.cluster import find_left_cluster, start_cluster
from reconciler.local.flink.distribution import find_distribution
from reconciler.targets.flink.engines import USUAL, parse_engine
from reconciler.targets.flink.manifest import Target as FlinkTarget
from reconciler.targets.flink.manifest import flink_manifest
from reconciler.targets.flink.vendor.embedded import SWITCHES, start_realtime_compute
from reconciler.targets.powers import Tool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.local.flink.cluster import FlinkCluster
    from reconciler.local.ververica import VervericaServer
    from reconciler.manifest.load import Loaded

_LOOPBACK = ("127.0.0.1", "localhost")


def find_own_flink(loaded: Loaded, env: Mapping[str, str]) -> Tool:
    """Return the Flink that `endpoint: local` of a manifest runs, or what is missing for it."""
    try:
        distribution = find_distribution(env, flink_manifest(loaded).flink_engine.version)
    except UsageError as error:
        problem = error.problems[0]
        return Tool("flink", False, f"{problem.code} {problem.message}", spell(problem.hint))
    text = f"Flink {distribution.version} of {distribution.python}, by {distribution.java}"
    return Tool("flink", True, text)


class LocalFlink:
    """Flink as an `EmbeddedService`."""

    def describe_switches(self) -> str:
        """Return those of the vendor's service; Flink itself has none."""
        return f"Flink itself has none: conf/config.yaml below its folder is its configuration. Of Realtime Compute, for targets of VVR:\n{SWITCHES.describe()}"

    def start_service(
        self,
        store: Path | None,
        loaded: Loaded | None,
        options: Mapping[str, object],
        *,
        folder: Path,
        address: tuple[str, int],
        environment: Mapping[str, str],
    ) -> FlinkCluster | VervericaServer:
        """Start a Flink of the version that a manifest's engine is of, and before it the vendor's API where the engine is the vendor's."""
        if loaded is not None and isinstance(loaded.target, FlinkTarget) and loaded.target.is_vendors:
            return start_realtime_compute(
                store, loaded, loaded.target, options, folder=folder, address=address, environment=environment
            )
        host, port = address
        if host not in _LOOPBACK:
            hint = "Flink asks nobody who they are: whoever reaches it runs programs as this user; leave --host out"
            raise UsageError("E905", f"a Flink of one's own listens on 127.0.0.1, and not at {host}", hint=hint)
        usual = parse_engine(USUAL)
        assert usual is not None
        version = flink_manifest(loaded).flink_engine.version if loaded is not None else usual.version
        base = store or folder / "flink"
        if url := find_left_cluster(base):
            hint = "use that one, or take its jobs away first, and it ends with the last; --dir names another folder"
            raise UsageError("E901", f"a Flink with jobs of an apply runs over {base} already, at {url}", hint=hint)
        return start_cluster(find_distribution(environment, version), base, environment, port=port)
