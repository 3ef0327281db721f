"""
Rules of the service that a SET lifts or changes, and what they are where nothing is set.

Each name is that of the documented property; what a project has where its owner set nothing is documented, or a switch of the
server (`Settings`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from reconciler.base.numbers import whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class SessionRules:
    """What a session is held to."""

    order_needs_limit: bool = True
    """`odps.sql.validate.orderby.limit` [doc "Rewrite incompatible SQL statements"]."""
    allows_cartesian: bool = False
    """`odps.sql.allow.cartesian` [doc "ODPS-0130252"]."""
    allows_full_scan: bool = False
    """`odps.sql.allow.fullscan` [doc "SQL errors": for projects that forbid it; that new ones do is a rule]."""
    has_types_2: bool = True
    """`odps.sql.type.system.odps2`; new projects have it since 2020 [doc "Data type editions"]."""
    has_decimal_2: bool = True
    """`odps.sql.decimal.odps2`, likewise."""
    is_hive: bool = False
    """`odps.sql.hive.compatible`."""
    reads_moments: bool = False
    """`odps.sql.executionengine.enable.string.to.date.full.format`: CAST makes a DATE of a text with a time too [doc "CAST"]."""
    last_key_wins: bool = True
    """`odps.sql.map.key.dedup.policy`: `last_win`, or `exception` [doc "MAP"]."""
    longest_sequence: int = 10_000
    """`odps.sql.max.sequence.length` [doc "SEQUENCE"]."""
    longest_combination: int = 5
    """`odps.sql.max.combination.length` [doc "COMBINATIONS"]."""
    offset: int = 28800
    """Of `odps.sql.timezone`, in seconds, as it is today."""

    @classmethod
    def of(cls, settings: Mapping[str, str], zone: str, data_types: str) -> SessionRules:
        """Read them from a session's settings; `data_types` is the edition of the project, ``1.0`` or ``2.0``, `zone` is known."""

        def is_set(name: str, otherwise: bool) -> bool:
            value = settings.get(name, "").strip().lower()
            return value == "true" if value in ("true", "false") else otherwise

        def number(name: str, otherwise: int) -> int:
            value = whole_number(settings.get(name, ""))
            return otherwise if value is None else value

        has_types_2 = is_set("odps.sql.type.system.odps2", data_types == "2.0")
        offset = datetime.now(timezone.utc).astimezone(ZoneInfo(zone)).utcoffset()
        return cls(
            order_needs_limit=is_set("odps.sql.validate.orderby.limit", True),
            allows_cartesian=is_set("odps.sql.allow.cartesian", False),
            allows_full_scan=is_set("odps.sql.allow.fullscan", False),
            has_types_2=has_types_2,
            has_decimal_2=is_set("odps.sql.decimal.odps2", data_types == "2.0"),
            is_hive=is_set("odps.sql.hive.compatible", False),
            reads_moments=is_set("odps.sql.executionengine.enable.string.to.date.full.format", False),
            last_key_wins=settings.get("odps.sql.map.key.dedup.policy", "").strip().lower() != "exception",
            longest_sequence=number("odps.sql.max.sequence.length", 10_000),
            longest_combination=number("odps.sql.max.combination.length", 5),
            offset=int(offset.total_seconds()) if offset else 0,
        )
