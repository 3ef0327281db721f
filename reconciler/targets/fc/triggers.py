"""
Triggers of a manifest: each has the keys that its type takes, and those without which it could not be made.

Sources: the vendor's pages on each type of trigger. That an alias or version has one HTTP trigger is what they say of the 2.0 API.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.base.words import quote
from reconciler.manifest.dialect import Flaw
from reconciler.targets.fc.arns import is_role
from reconciler.targets.fc.limits import MOST_TRIGGERS, check_description
from reconciler.targets.fc.names import why_not_a_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from reconciler.manifest.dialect import Keys
    from reconciler.targets.fc.manifest import Function, Trigger

_OF_TYPE: dict[str, tuple[str, ...]] = {
    "http": ("auth", "methods", "public", "open"),
    "timer": ("cron", "payload", "enabled"),
    "oss": ("events", "prefix", "suffix"),
}
_NEEDS: dict[str, tuple[str, ...]] = {
    "timer": ("cron",),
    "oss": ("events", "source", "role"),
    "log": ("config", "source", "role"),
    "mns_topic": ("config", "source", "role"),
    "cdn_events": ("config", "source", "role"),
    "tablestore": ("source", "role"),
    "eventbridge": ("config",),
}
_CRON = re.compile(r"(CRON_TZ=\S+ +)?(@every +[0-9]+[smh]|\S+( +\S+){5})\Z")


def check_triggers(name: str, function: Function, present: dict[str, Collection[str]], here: Keys) -> Iterator[Flaw]:
    """Yield what is wrong with the triggers of a function; `present` has the keys that are written for each."""
    if len(function.triggers) > MOST_TRIGGERS:
        message = f"{quote(name)} has {len(function.triggers)} triggers, and the service takes {MOST_TRIGGERS}"
        yield Flaw("E328", message, (*here, "triggers"), "give some of them to another function", at_key=True)
    by_http: dict[str, str] = {}
    for called, trigger in function.triggers.items():
        keys = (*here, "triggers", called)
        if (reason := why_not_a_name(called)) is not None:
            yield Flaw("E302", f"{quote(called)} cannot be the name of a trigger", keys, reason, at_key=True)
        yield from _keys(trigger, present.get(called, ()), keys)
        yield from _values(trigger, keys)
        yield from check_description(trigger.description, keys)
        yield from _qualifier(trigger, function, keys)
        if trigger.type == "http" and trigger.auth == "anonymous" and trigger.public and not trigger.open:
            message = f"everybody who knows the address of {quote(called)} may call {quote(name)}"
            hint = "auth: function asks for a signature; if everybody is meant, say so: open: true"
            yield Flaw("E596", message, (*keys, "auth"), hint, is_warning=True)
        if trigger.type == "http":
            meant = trigger.qualifier or function.alias or "LATEST"
            twin = by_http.setdefault(meant, called)
            if twin != called:
                message = f"{quote(twin)} and {quote(called)} are both HTTP triggers of {meant}"
                hint = "the pages on the 2.0 API allow one; keep one, or give one another qualifier:"
                yield Flaw("E328", message, keys, hint, at_key=True, is_warning=True)


def _keys(trigger: Trigger, present: Collection[str], keys: Keys) -> Iterator[Flaw]:
    for kind, keys_of_type in _OF_TYPE.items():
        for key in keys_of_type:
            if key in present and kind != trigger.type:
                message = f"'{key}' goes with triggers of type {kind}, and this one is of type {trigger.type}"
                yield Flaw(
                    "E328", message, (*keys, key), "leave it out, or put the service's own key under config:", True
                )
    for key in _NEEDS.get(trigger.type, ()):
        if not getattr(trigger, key):
            yield Flaw("E328", f"a trigger of type {trigger.type} needs the key '{key}'", keys, _HINTS.get(key))


_HINTS = {
    "cron": "cron: '@every 5m', or six fields in UTC, seconds first: '0 0 4 * * *'",
    "events": "events: ['oss:ObjectCreated:*']",
    "source": "source: the ARN of what sends the events",
    "role": "role: the RAM role by which it invokes, acs:ram::ACCOUNT:role/NAME",
    "config": "config: the keys that the service's page on this type of trigger has",
}


def _values(trigger: Trigger, keys: Keys) -> Iterator[Flaw]:
    if trigger.cron is not None and not _CRON.match(trigger.cron):
        yield Flaw("E328", f"{quote(trigger.cron)} is no schedule", (*keys, "cron"), _HINTS["cron"].partition(": ")[2])
    if trigger.role is not None and "${" not in trigger.role and not is_role(trigger.role):
        yield Flaw("E203", f"{quote(trigger.role)} is not a role", (*keys, "role"), "acs:ram::ACCOUNT:role/NAME")


def _qualifier(trigger: Trigger, function: Function, keys: Keys) -> Iterator[Flaw]:
    qualifier = trigger.qualifier
    if qualifier is not None and qualifier not in ("LATEST", function.alias) and not qualifier.isdecimal():
        message = f"{quote(qualifier)} is no alias that this manifest makes"
        alias = function.alias if function.alias not in (None, "LATEST") else "what alias: of the function makes"
        hint = f"LATEST, a version's number, or {alias}"
        yield Flaw("E329", message, (*keys, "qualifier"), hint, is_warning=True)
