"""
Words of other tools: what somebody means who types one that is no command of udfs.

What changes a project is named and not started, and a command that takes something away is never the guess: it is to be typed
by who knows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.errors import UsageError
from reconciler.base.hints import Command
from reconciler.base.words import closest, suggest
from reconciler.cli.overview import COMMANDS

if TYPE_CHECKING:
    from reconciler.base.hints import Hint

TAKING = frozenset({"destroy", "disown", "gc", "rollback", "unlock"})
"""Commands that delete, let go or take away. No hint names one unless the user did."""

_PLAN: Hint = (Command("plan"), " shows what differs, and changes nothing")
_APPLY: Hint = (Command("apply"), " makes the project match the manifest, after ", Command("plan"), " has shown how")
_TAKE_OUT: Hint = (
    "take it out of the manifest: ",
    Command("plan"),
    " then shows what would go; what takes away more is in the list of udfs --help: destroy, disown, gc, rollback",
)
_WORDS: dict[str, tuple[str, Hint]] = {
    "apply": ("deploy deployment push up publish release ship sync upload update upgrade start", _APPLY),
    "plan": ("diff preview changes dry-run dryrun changeset compare", _PLAN),
    "validate": ("check lint verify-manifest fmt", (Command("validate"), " checks the manifest and its files")),
    "init": ("new create scaffold add", (Command("init"), " writes a manifest and a first function")),
    "call": (
        "run invoke exec execute",
        (Command("call"), " runs a deployed function here, ", Command("test"), " the tests"),
    ),
    "show": ("describe desc inspect info get", (Command("show"), " shows the deployed functions")),
    "history": ("log logs runs", (Command("history"), " shows the last applies")),
    "import": ("pull fetch clone download", (Command("import"), " writes what a project has into a manifest")),
    "lock": ("install resolve compile freeze", (Command("lock"), " resolves the requirements")),
    "take out": (
        "remove delete del rm down drop uninstall undeploy teardown tear-down clean prune purge undo revert stop",
        _TAKE_OUT,
    ),
}


def no_command(word: str) -> UsageError:
    """Return the error for a word that is no command: with what is meant by it elsewhere, or with a guess."""
    for words, hint in _WORDS.values():
        if word.lower() in words.split():
            return UsageError("E901", f"no command '{word}'", hint=hint)
    close = closest(word, COMMANDS)
    # What is like a command that takes something away is not like another one.
    hint = suggest(close) if close and close not in TAKING else "udfs --help"
    return UsageError("E901", f"no command '{word}'", hint=hint)
