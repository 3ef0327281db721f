"""Addresses of services, and what else a manifest's targets say, as far as it is judged before anything is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from reconciler.base.words import quote
from reconciler.manifest.dialect import Flaw
from reconciler.targets.credentials.choice import arns_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.manifest.dialect import Draft

    Setting: TypeAlias = tuple[tuple[str, ...], str | None, str | None]
    """Keys within a target, the value, and what is wrong with it."""


def check_target_settings(draft: Draft[Any], settings: Callable[[Any], Iterable[Setting]]) -> Iterator[Flaw]:
    """Yield what cannot be in the targets of a manifest: of what `settings` gives of each, and in the names of roles."""
    for name, target in draft.manifest.targets.items():
        for keys, value, hint in (*settings(target), *arns_of(target.credentials)):
            # Variables are put in place for the chosen target alone; the others are judged as far as they are known.
            if value is not None and hint and (name == draft.target_name or "${" not in value):
                message = f"the {keys[-1]} of the target {quote(name)} cannot be used"
                yield Flaw("E203", message, ("targets", name, *keys), hint)


def why_not_an_address(endpoint: str, path: str = "") -> str | None:
    """
    Return what is wrong with an endpoint, which ends in the path that the service has, if it has one.

    It is never repeated: it may hold a password.
    """
    if endpoint == "local":
        return None
    if not endpoint.isprintable() or " " in endpoint:
        return "an address holds no space or line break"
    try:
        parts = urlsplit(endpoint)
        has_port = parts.port != 0
    except ValueError:
        return "the address cannot be understood"
    if parts.scheme not in ("http", "https") or not parts.hostname or not has_port:
        ending = f" and ends in {path}" if path else ""
        return f"'local', or an address that begins with http:// or https://{ending}"
    # The endpoint is printed in plans and logs.
    if "@" in parts.netloc:
        return "an address holds no user and password: credentials come from the environment"
    if parts.query or parts.fragment:
        return f"an address ends with its path, which is {path}" if path else "an address ends with its host or port"
    return None
