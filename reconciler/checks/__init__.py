"""
Checks: read sources without running them, and hold a manifest to the team's policy.

The room reads the Python files of a manifest's functions and remembers results in a file of the cache; it imports and runs
nothing of theirs. Begin with `python.project`, which takes the files of a manifest down the road below; `policy` is pure.

A service stores a class path and looks at the module only when a query calls the function; what the text itself tells of a
class that is not there, or a module that is not shipped, is said here, on its line, before anything is sent. The rules of
a service come in as a `RuleSet`.

The road of one file::

    bytes ─ text.decode ─▶ Page ─ parse ─▶ tree ─ facts.gather_facts ─▶ ModuleFacts ─┬ newer_syntax  younger than the runtime
                                    │                                                ├ imports       what provides each
                             python27 (2.7)                                          └ RuleSet       what the service asks for

`check` takes that road, and silences findings that a comment names; `project` keeps results by the hash of all that they depend
on. Values stand here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reconciler.base.hints import Hint  # noqa: TC001, results are kept as JSON by their types

VERSION = 11
"""Of the common checks, as `RuleSet.version` is of a service's."""


@dataclass(frozen=True, order=True)
class Finding:
    """One thing about one place of a file; the file's name is added by `project`."""

    line: int
    column: int
    """From 1, in characters."""

    code: str
    message: str
    hint: Hint | None = None
    width: int = 1
    source: str = ""
    """The line of text, for the caret."""

    severity: Literal["error", "warning"] = "error"


@dataclass(frozen=True)
class Use:
    """How one function uses a file: all that a judgement depends on besides the text."""

    runtime: str
    class_name: str | None
    """The class that the service loads; None for a module that others import."""

    resources: tuple[tuple[str, str | None], ...]
    """What the function lists: name and type. The type of another project's resource is not known, hence None."""

    modules: tuple[str, ...] = ()
    """Top-level names that its wheels hold, sorted."""

    peers: tuple[str, ...] = ()
    """Modules that its PY resources are."""

    in_resources: tuple[str, ...] = ()
    """Names that the files and folders in its other archives have, and its files: what code may make importable."""

    unseen: tuple[str, ...] = ()
    """What it lists that may hold any module, because nothing in it was looked into."""

    isolated: bool = False
    """Whether its workers are isolated: it says so, has an image, or brings compiled code."""

    renamed: tuple[str, ...] = ()
    """Modules that are uploaded under a name with a digest, and cannot be imported by their own."""

    installed: tuple[str, ...] = ()
    """Modules that the service has beside the standard library."""

    image: str | None = None
    """The image of its session, which may hold more than is published."""

    own_packages: tuple[str, ...] = ()
    """Packages of `modules:`, which are archives like wheels."""

    wired: bool = True
    """Whether lines behind its source put its packages on ``sys.path``."""

    helpers: tuple[tuple[str, str], ...] = ()
    """The function's other modules: name, dotted in packages, and sha256."""

    entry: tuple[str, str] | None = None
    """Of a module that others import: its own name, and the sha256 of the module that the service loads."""

    package: str | None = None
    """Of a module in one of those: the package it is in, dotted."""
