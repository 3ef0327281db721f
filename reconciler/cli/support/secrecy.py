"""
Secrets beside code: which the environment holds, and whether functions and builds are kept from them on this machine.

Only names are looked at and told, never values.
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING

from reconciler.base import barrier
from reconciler.base.hints import Command
from reconciler.cli.support.output import note

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECRETS = re.compile(r".*(SECRET|TOKEN|PASSW(OR)?D|CREDENTIAL|PRIVATE_KEY|API_?KEY|ACCESS_KEY).*", re.IGNORECASE)
_WITH_PASSWORD = re.compile(r"\w+://[^/\s]*:[^/\s]*@")


def secret_names(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables that look like secrets: by their names, or by an address with a password."""
    return tuple(
        sorted(
            name for name, value in env.items() if value and (_SECRETS.fullmatch(name) or _WITH_PASSWORD.match(value))
        )
    )


def describe_barrier() -> tuple[bool, str]:
    """Say whether what is started is kept from the environment of processes around it, found out by trying, and how or why not."""
    means = barrier.find_barrier()
    if means is None:
        return False, "nothing on this system keeps functions and builds from the environment of the user's processes"
    leaks = barrier.find_leaks()
    if leaks is None:
        return False, "whether functions and builds can read the environment of the user's processes could not be tried"
    if not leaks:
        return (
            True,
            f"functions and builds cannot read the environment or memory of other processes: {means.name or 'hidden'}",
        )
    itself = "udfs itself and " if os.getpid() in leaks else ""
    return False, f"functions and builds can read the environment of {itself}the processes that started it"


@cache
def warn_of_secrets() -> None:
    """Say once, before code is run beside secrets, that it can read them here."""
    names = secret_names(os.environ)
    means = barrier.find_barrier()
    if names and (means is None or not means.is_complete):
        listed = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
        note(f"functions run beside secrets and can read them on this system: {listed} (see: udfs doctor)")


HINT = (
    "run `",
    Command("test"),
    "` where no credentials are; Linux 5.19 or newer, or user namespaces, keep them apart",
)
