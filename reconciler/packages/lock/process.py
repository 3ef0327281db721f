"""Resolver processes: what they see of this machine, and how long they may take."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError
from reconciler.base.processes import CutOff, Output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reconciler.base.processes import Tools


@dataclass(frozen=True)
class Resolved:
    """How a resolver ended, and what it said."""

    code: int
    out: str
    err: str


_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|XDG_\w+|UV_\w+|PIP_\w+|PEX_\w+|RUST_LOG|NETRC|SSL_CERT_(FILE|DIR)|"
    r"REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|\w+_PROXY|\w+_proxy|SYSTEMROOT|LD_LIBRARY_PATH|SOURCE_DATE_EPOCH"
)
"""
What a resolver gets of the environment: what says where packages are and how to get there. It may run the build scripts of
source archives to learn what they need, and these have no business with the rest. An index's password stays visible to them.
"""


def resolver_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return what of the environment a resolver gets."""
    kept = {name: value for name, value in env.items() if _PASSED_ON.fullmatch(name)}
    return {**kept, "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}


def run_resolver(
    tools: Tools, command: Sequence[str], *, folder: Path, env: Mapping[str, str], seconds: float
) -> Resolved:
    """Run a resolver in `folder`, a folder of our own: tools read settings of the project that they find themselves in."""
    with Output(folder) as out, Output(folder) as err:
        try:
            code = tools.run(
                command, cwd=folder, environment=resolver_environment(env), timeout=seconds, out=out, err=err
            )
        except CutOff as error:
            if error.stopped:
                raise PackageError("E475", "resolving was stopped") from None
            hint = "is the package index reachable? 'pip config list' shows which one is used"
            raise PackageError("E475", f"no answer from the resolver within {seconds:g} seconds", hint=hint) from None
        except OSError as error:
            raise PackageError("E475", f"'{command[0]}' cannot be started: {error.strerror or error}") from error
        return Resolved(code, out.text(), err.text())
