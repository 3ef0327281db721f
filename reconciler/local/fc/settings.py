"""
Settings of a local Function Compute.

What the service does where neither documentation nor a client's source says it is a switch here, with a default and the reason for
it, so that a client can be tried against both answers. Where nothing speaks for one of them, the default is the stricter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from reconciler.local.http.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

MIB = 1 << 20


@dataclass(frozen=True)
class AccessKey:
    """Somebody who may sign requests beside the server's own key."""

    secret: str
    token: str | None = None
    """Of a session: requests carry it in ``x-acs-security-token``."""

    expires: float | None = None
    """Of a session: its end, in seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class FcSettings(ServerSettings):
    """The switches of one server."""

    keys: Mapping[str, AccessKey] = field(default_factory=dict)
    """Others who may sign, by their access ids."""

    region: str = "cn-hangzhou"
    account: str = "1234567890123456"
    """Both stand in the names (ARN) of functions and layers."""

    buckets: tuple[str, ...] | None = None
    """The buckets of OSS that exist. None: any name comes into being when it is first written to."""

    page_size: int = 20
    """Entries on a page of a list that names no ``limit``. Not documented for 3.0; 20 is what 2.0's pages say."""

    most_per_page: int = 100
    """The documented largest ``limit``."""

    max_code_bytes: int = 100 * MIB
    """The documented limit of a ZIP file in base64."""

    max_oss_code_bytes: int = 500 * MIB
    """The documented limit of a ZIP file from OSS, in the regions that have it."""

    network: bool = False
    """Let functions reach the network, as the service lets those whose ``internetAccess`` is true; here that would be yours."""

    requests_per_second: int = 0
    """Answer 429 ``Throttling`` to what is more, in the control API; 0 for no limit. The service's rates are not published."""

    update_seconds: float = 0
    """
    How long ``state`` stays *Pending* after a create and ``lastUpdateStatus`` *InProgress* after an update.

    Not settled: the fields are documented, and nobody says when a function of code has another value than *Active*.
    """

    stale_list: int = 0
    """How many lists of functions after a write still answer what was true before it; each process knows its own writes only."""

    defaults_on_read: bool = True
    """
    Fill in what a request left out, as answers of the service do.

    Which fields, and with what, is a guess from the API pages' examples and from what the vendor's tool strips before it compares.
    """

    error_fields: Literal["both", "Code", "errorCode"] = "both"
    """How errors spell their fields: the SDKs read ``Code``, the page on error codes says ``errorCode``."""

    publish_unchanged: Literal["refuse", "publish"] = "refuse"
    """
    What publishing a version does when nothing changed since the last.

    Refused with ``VersionPublishError``: clients in public repositories look for that code. Status and text are guesses.
    """

    delete_function_with: Literal["refuse", "drop"] = "refuse"
    """
    What deleting a function does that has triggers, aliases or versions.

    Not settled. Refused, as the vendor's tool deletes them first; who deletes them first is right under both.
    """

    delete_used_version: Literal["refuse", "drop"] = "refuse"
    """What deleting a published version does that an alias points at. Not settled; refused, since the alias would lead nowhere."""

    delete_used_layer: Literal["refuse", "drop"] = "drop"
    """What deleting a layer version does that a function uses. The layer page says that functions go on working, so it is dropped."""

    repeated_tags: Literal["replace", "refuse"] = "replace"
    """What tagging does with a key that is there. Replaced, as elsewhere in the vendor's API for tags."""

    most_tags: int = 20
    """Tags a function may have; a guess from other services of the vendor."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_at_least(1, "page_size", "most_per_page", "max_code_bytes", "max_oss_code_bytes", "most_tags")
        self.require_at_least(0, "stale_list", "requests_per_second", "update_seconds")

    def key_of(self, access_id: str) -> AccessKey | None:
        """Return what `access_id` signs with, None when nobody has that id."""
        if access_id == self.access_id and self.access_key is not None:
            return AccessKey(self.access_key)
        return self.keys.get(access_id)

    def arn(self, path: str) -> str:
        """Return the whole name of something, ``functions/read`` say."""
        return f"acs:fc:{self.region}:{self.account}:{path}"
