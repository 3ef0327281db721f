"""Words of actions: the sign, the verb and the participle by which people are told of each."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.core.diff import Action


class ActionWords(NamedTuple):
    """How people are told of an action."""

    sign: str
    verb: str
    past: str


ACTIONS = {
    Action.CREATE: ActionWords("+", "create", "created"),
    Action.UPDATE: ActionWords("~", "update", "changed"),
    Action.DELETE: ActionWords("-", "delete", "deleted"),
    Action.ADOPT: ActionWords("=", "adopt", "adopted"),
    Action.RELEASE: ActionWords("=", "disown", "disowned"),
    Action.RECORD: ActionWords("=", "record", "noted"),
}
