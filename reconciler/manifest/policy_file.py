"""
Policy file: what a team allows, apart from the manifest, so that other people may own it.

Read by the same reader as the manifest, typed and judged here; what is wrong with it is told with its place (E531).
Whether a manifest and a plan keep to it is `reconciler.checks.policy`.
"""

from __future__ import annotations

import dataclasses
import re
from contextlib import suppress
from datetime import datetime, time
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, field

from reconciler.base.numbers import is_countable
from reconciler.manifest.model import Flag, Names, Promotion, Text
from reconciler.manifest.reader import Document, TooManyProblems, read_document
from reconciler.manifest.section import Section
from reconciler.manifest.typing import type_document

if TYPE_CHECKING:
    from reconciler.base.errors import Position, Problem

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SIZE = re.compile(r"(?P<number>[0-9]{1,12}) ?(?P<unit>B|kB|MB|GB)\Z")
_UNITS = {"B": 1, "kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
_MOMENT = "a day and perhaps a time: 2026-12-24 or '2026-12-24 18:00'"


class NamePatterns(Section, frozen=True, kw_only=True):
    """What names have to look like; ``*`` and ``?`` stand for other characters, without regard to case."""

    functions: Annotated[Names, Meta(description="Every function's name fits one of these.")] = field(
        default_factory=list
    )
    resources: Annotated[Names, Meta(description="Every name under `resources:` fits one of these.")] = field(
        default_factory=list
    )


class Frozen(Section, frozen=True, kw_only=True):
    """A time in which nothing is applied."""

    zone: Annotated[Text, Meta(description="The time zone: Asia/Shanghai, Europe/Berlin, UTC.")]
    days: Annotated[
        list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]],
        Meta(description="Every week on these days; `from` and `to` are then times."),
    ] = field(default_factory=list)
    from_: Annotated[Text | None, Meta(description="'18:00' with `days`, else a day: 2026-12-24.")] = field(
        default=None, name="from"
    )
    to: Annotated[
        Text | None, Meta(description="As `from`; a time before it is one of the next day, a day counts whole.")
    ] = None
    why: Annotated[Text | None, Meta(description="Told to whoever is refused.")] = None


class Policy(Section, frozen=True, kw_only=True):
    """What a team allows."""

    label: ClassVar[str] = "the policy"
    names: Annotated[NamePatterns, Meta(description="Patterns for names.")] = field(default_factory=NamePatterns)
    owners: Annotated[
        Names, Meta(description="Patterns for the accounts that may own what the stack manages: ALIYUN$team-*")
    ] = field(default_factory=list)
    max_size: Annotated[Text | None, Meta(description="Of one resource: 200 MB.")] = None
    forbid_packages: Annotated[
        Names, Meta(description="Distributions that no archive may hold: tensorflow, 'numpy<1.19'.")
    ] = field(default_factory=list)
    require_tests: Annotated[Flag, Meta(description="true: every function has a test.")] = False
    promote: Annotated[
        dict[str, Promotion],
        Meta(description="Target → what `promote:` of each manifest with such a target has to say of it, or more."),
    ] = field(default_factory=dict)
    frozen: Annotated[list[Frozen], Meta(description="When nothing is applied.")] = field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Rules:
    """A policy that may be relied upon, and where each of its rules stands."""

    policy: Policy
    _document: Document = dataclasses.field(repr=False, compare=False)

    def at(self, *keys: str | int) -> Position:
        return self._document.position(self._document.find(*keys)[0])


def load_policy(content: bytes, called: str) -> tuple[Rules | None, list[Problem]]:
    """Read a policy, and return it or all that is wrong with it."""
    document = Document(called)
    with suppress(TooManyProblems):
        read_document(content, document)
        policy = type_document(document, Policy, "E531") if document.whole and not document.problems else None
        if policy is not None:
            _judge(document, policy)
            return (None if document.problems else Rules(policy, document)), document.problems
    return None, document.problems


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema of a policy, for editors."""
    from reconciler.manifest.schema import section_schema

    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:udfs:policy:1"}
    return {**head, **section_schema(Policy), "title": "policy.yaml"}


def bytes_of(size: str) -> int | None:
    """Read ``200 MB``; None for what is no size."""
    match = _SIZE.match(size)
    return int(match["number"]) * _UNITS[match["unit"]] if match else None


def time_of(text: str) -> time | None:
    """Read ``18:00``."""
    try:
        moment = time.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is None else None


def moment_of(text: str) -> tuple[datetime, bool] | None:
    """Read ``2026-12-24`` or ``2026-12-24 18:00``, and say whether it is a whole day."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment, ":" not in text) if moment.tzinfo is None and is_countable(moment) else None


def _judge(document: Document, policy: Policy) -> None:
    """Note what has the right shape and no meaning."""

    def note(what: str, hint: str, *keys: str | int) -> None:
        document.note("E531", f"{what} cannot be understood", document.find(*keys), hint=hint)

    if policy.max_size is not None and bytes_of(policy.max_size) is None:
        note("'max_size'", "a number and B, kB, MB or GB: 200 MB", "max_size")
    for number, text in enumerate(policy.forbid_packages):
        # Loaded only where packages are forbidden: it costs as much as the rest of this file.
        from packaging.requirements import InvalidRequirement, Requirement

        try:
            Requirement(text)
        except InvalidRequirement:
            note("the package", "a distribution, perhaps with versions: numpy<1.19", "forbid_packages", number)
    for number, frozen in enumerate(policy.frozen):
        here = ("frozen", number)
        try:
            ZoneInfo(frozen.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            note(
                "the time zone",
                "Asia/Shanghai, Europe/Berlin, UTC; where no zone is known: pip install tzdata",
                *here,
                "zone",
            )
        for key, moment in (("from", frozen.from_), ("to", frozen.to)):
            if frozen.days and moment is not None and time_of(moment) is None:
                note(f"'{key}'", "with `days` it is a time: '18:00'", *here, key)
            if not frozen.days and (moment is None or moment_of(moment) is None):
                note(f"'{key}'", _MOMENT, *here, key)
