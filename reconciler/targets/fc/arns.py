"""ARNs of layers and roles, as a manifest names what udfs does not make."""

from __future__ import annotations

import re
from typing import NamedTuple

_LAYER = re.compile(
    r"acs:fc:(?P<region>[a-z0-9-]+):(?P<owner>[0-9]+|official):layers/(?P<name>[\w-]+)/versions/(?P<version>[0-9]+)\Z",
    re.ASCII,
)
_ROLE = re.compile(r"acs:ram::[0-9]+:role/[A-Za-z0-9._@/-]+\Z")


class LayerVersion(NamedTuple):
    """One version of a layer, as an ARN names it."""

    region: str
    owner: str
    """The number of an account, or ``official``."""

    name: str
    version: int


def parse_layer_arn(text: str) -> LayerVersion | None:
    """Return the layer that an ARN names, or None."""
    match = _LAYER.match(text)
    return match and LayerVersion(match["region"], match["owner"], match["name"], int(match["version"]))


def is_layer_arn(text: str) -> bool:
    """Say whether a text is meant to be the ARN of a layer, and not a name."""
    return text.startswith("acs:")


def is_role(text: str) -> bool:
    """Say whether a text is the ARN of a RAM role."""
    return _ROLE.match(text) is not None
