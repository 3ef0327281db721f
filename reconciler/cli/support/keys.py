"""
Explanation of a key, for ``udfs explain functions.tests``: the text that an editor shows, and that the reference has.
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from reconciler.base.errors import UsageError
from reconciler.base.hints import Command
from reconciler.base.words import closest, quote, suggest
from reconciler.cli.support.output import Result
from reconciler.manifest.keys import KeyText, describe_key, describe_section
from reconciler.manifest.policy_file import Policy
from reconciler.targets.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifest.section import Section

_POLICY = "policy."
_WIDTH = 80


def explain_key(path: str, kind: str, *, as_json: bool) -> Result:
    """Return what is said of a key of a manifest, or of a policy where the path begins so; raise E744 where there is none."""
    section: type[Section] = Policy if path.startswith(_POLICY) else DIALECTS[kind]().model
    prefix = _POLICY if section is Policy else ""
    text = describe_key(section, path.removeprefix(prefix))
    if text is None:
        raise _no_key(path, [prefix + each.path for each in describe_section(section)])
    text = replace(text, path=prefix + text.path)
    if as_json:
        return Result(json.dumps(asdict(text), indent=2) + "\n")
    return Result("".join(f"{line}\n" for line in _lines(text)))


def _lines(text: KeyText) -> Iterator[str]:
    yield f"{text.path}: {text.kind}{', required' if text.is_required else ''}"
    yield ""
    yield from textwrap.wrap(text.meaning, _WIDTH)
    if text.default:
        yield from ("", f"Default: {text.default}")
    if text.example:
        yield from ("", *(f"  {line}" for line in text.example.splitlines()))
    if text.keys:
        yield ""
        yield from textwrap.wrap(f"Keys: {', '.join(text.keys)}", _WIDTH, subsequent_indent="      ")


def _no_key(path: str, paths: list[str]) -> UsageError:
    """Return the error for a key that there is not, with the nearest: as it is spelled, or of that name elsewhere."""
    last = path.rpartition(".")[2]
    by_name = {each.rpartition(".")[2]: each for each in reversed(paths)}
    nearest = by_name.get(last) or closest(path, paths) or by_name.get(closest(last, by_name) or "")
    if nearest:
        return UsageError("E744", f"there is no key {quote(path)}", hint=suggest(nearest))
    tops = ", ".join(each for each in paths if "." not in each.removeprefix(_POLICY))
    return UsageError(
        "E744", f"there is no key {quote(path)}", hint=(f"keys at the top: {tops}; codes: ", Command("explain"))
    )
