"""Settings of a session that matter here: the Python of functions, and what they may take."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.local.sql.problems import semantic_failure

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNTIMES = ("cp27", "cp37", "cp311")
DEFAULT_RUNTIME = "cp27"
"""What runs where nothing is set [doc "Python 2 UDFs", "Python 3 UDFs"]."""
UDF_SECONDS = 600.0
"""How long a batch may take [doc: odps.sql.udf.timeout, default]."""


_NUMBER = re.compile(r"[0-9]{1,9}\Z")


@dataclass(frozen=True)
class Flags:
    """The settings of a session that matter here."""

    runtime: str
    isolated: bool
    pypy: bool | None
    seconds: float
    memory: int | None

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Flags:
        """Read them. All others are taken and do nothing, as unknown ones do on the service."""
        runtime = settings.get("odps.sql.python.version", DEFAULT_RUNTIME).lower()
        if runtime not in RUNTIMES:
            raise semantic_failure(
                None, f"there is no odps.sql.python.version {runtime}; there are {', '.join(RUNTIMES)}"
            )
        seconds = settings.get("odps.sql.udf.timeout") or settings.get("odps.function.timeout", "")
        memory = settings.get("odps.sql.udf.python.memory", "")
        pypy = settings.get("odps.pypy.enabled", "").lower()
        return cls(
            runtime=runtime,
            isolated=settings.get("odps.isolation.session.enable", "").lower() == "true",
            pypy={"true": True, "false": False}.get(pypy),
            seconds=min(float(seconds), 3600.0) if _NUMBER.match(seconds) else UDF_SECONDS,
            memory=int(memory) * 1_000_000 if _NUMBER.match(memory) and int(memory) else None,
        )
