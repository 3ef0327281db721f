"""Request of a client, as the handlers of a service get it: head and body apart, the query read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from email.message import Message

    from reconciler.local.http.body import Body
    from reconciler.local.http.head import RequestHead
    from reconciler.local.http.messages import HttpRefusal

_MAX_PARAMETERS = 100
_H = TypeVar("_H")


@dataclass(frozen=True, kw_only=True)
class ClientRequest:
    """What a client asks."""

    most_digits: ClassVar[int] = 12

    method: str
    path: tuple[str, ...]
    """Decoded, without what stands before it at every path of the service."""
    query: Mapping[str, str]
    headers: Message
    body: Body

    def number(self, name: str) -> int | None:
        """Return a query parameter that counts something, None where it was not sent."""
        value = self.query.get(name)
        if not value:
            return None
        if not (value.isascii() and value.isdigit()) or len(value) > self.most_digits:
            raise self.refusal(f"{name} must be a number")
        return int(value)

    def refusal(self, why: str) -> HttpRefusal:
        """Return what the service says of a request that cannot be read."""
        raise NotImplementedError


def parse_parameters(query: str, refusal: Callable[[str], HttpRefusal]) -> dict[str, str]:
    """Return the parameters of a query; raises `refusal` where it cannot be read."""
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS, errors="strict"))
    except ValueError:
        raise refusal("the query cannot be read") from None


def match_route(
    routes: Mapping[tuple[str | None, ...], Mapping[str, _H]], path: tuple[str, ...]
) -> tuple[tuple[str | None, ...], Mapping[str, _H]]:
    """Return the pattern of a path and its handlers by method, or nothing of either; in a pattern None stands for any one name."""
    for pattern, methods in routes.items():
        if len(pattern) == len(path) and all(want in (None, part) for want, part in zip(pattern, path, strict=True)):
            return pattern, methods
    return (), {}


def has_no_length(head: RequestHead) -> bool:
    """Say whether there may be a body after all, and no telling where it ends."""
    is_bounded = "Content-Length" in head.headers or "Transfer-Encoding" in head.headers
    return head.method in {"POST", "PUT"} and not is_bounded
