"""
Settings of a server.

Most of MaxCompute's behaviour is documented or can be read off its clients. What is neither is a switch here, with a
default and the reason for it, so that a client can be tried against both answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from reconciler.local.http.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

MIB = 1 << 20
LOCAL_OWNER = "ALIYUN$local"


@dataclass(frozen=True)
class User:
    """Somebody who may sign requests."""

    secret: str
    owner: str
    """The name objects are owned by, such as ``ALIYUN$bob``."""

    token: str | None = None
    """Of a session: requests carry it beside the signature."""

    expires: float | None = None
    """Of a session: its end, in seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class Settings(ServerSettings):
    """The switches of one server. Where no request need be signed, an access id only names the actor."""

    users: Mapping[str, User] = field(default_factory=dict)
    """More people, by access id. Their secrets count like `access_key`; without secrets asked for, only the names do."""

    projects: tuple[str, ...] | None = None
    """The projects that exist. None: any name comes into being when it is first used."""

    denied: tuple[str, ...] = ()
    """What nobody may do: ``ACTION``, or ``ACTION:KIND/NAME`` with * and ? in the name. Nothing is denied by default."""

    tables: tuple[str, ...] | None = None
    """Tables that a table resource may point at, as ``project.table`` or ``project.schema.table``. None: any."""

    page_size: int = 1000
    """Entries on a page of a list. 1000 is what recorded answers of the service say in ``MaxItems``."""

    max_resource_bytes: int = 2048 * MIB
    """The documented limit of one resource."""

    namespace_schema: bool = False
    """What ``odps.namespace.schema`` says in the tenant. Schemas work either way; clients behave differently."""

    functions_check_resources: bool = False
    """
    Refuse a function that names a resource which does not exist.

    Not settled. Off, because clients' own tests delete resources before the functions that use them and never
    meet a refusal; a tool that relies on the check would leave broken functions where it is not made.
    """

    refuse_delete_of_used_resource: bool = False
    """
    Answer 409 ``DeleteConflict`` when a function still names the resource.

    Not settled. The code is in the service's error list, but PyODPS's tests delete used resources without meeting it.
    """

    put_without_comment: Literal["keep", "clear"] = "keep"
    """
    What a resource PUT without ``x-odps-comment`` does to the comment.

    Not settled. Kept, because a header that was not sent says nothing, and the clients leave it out when they have no
    comment to give, not to remove one. An empty header clears the comment in both cases.
    """

    allow_type_change_on_put: bool = True
    """
    Whether a PUT may turn, say, a FILE into a PY.

    Not settled. Allowed, because PUT replaces and every client sends the type with it.
    """

    name_filter: Literal["prefix", "contains"] = "prefix"
    """
    How ``name=`` filters a list, without regard to case.

    Not settled: PyODPS calls it a prefix, the Java documentation says *contains* for resources and *prefix* for
    functions. A client that filters again itself is right under both.
    """

    updater_of_new: Literal["nobody", "creator"] = "nobody"
    """
    Who is told as the last updater of a resource that nobody has updated since it was made.

    Nobody: recorded answers have an empty ``x-odps-updator`` then. Who relies on it must look at the owner as well.
    """

    plain_put_status: Literal[200, 201] = 201
    """
    Status of a resource PUT that is not a merge.

    Not settled; clients take any 2xx. 201, because the Go client insists on it for the other resource writes.
    """

    sql_rows: int = 10_000
    """Rows of a SELECT's result that is not read by tunnel, or by a tunnel with a limit; as documented."""

    sql_seconds: int = 3600
    """Seconds after which an instance of SQL fails."""

    sql_megabytes: int = 1024
    """Memory of one instance of SQL, beside that of its functions; what is more goes to a temporary folder."""

    sql_data_types: Literal["1.0", "2.0"] = "2.0"
    """
    The edition of data types of all projects, which a SET changes for one session.

    New projects have V2.0 since 2020 by the vendor's announcement; a third party's rules of 2026 still call V1.0 the default.
    """

    stale_list: int = 0
    """
    How many lists after a write still answer what was true before it.

    Off. The service does not promise that a list shows the last write; each process remembers its own writes only.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_at_least(1, "page_size", "max_resource_bytes", "sql_rows", "sql_seconds", "sql_megabytes")
        self.require_at_least(0, "stale_list")

    def secret_of(self, access_id: str) -> str | None:
        """The secret that `access_id` signs with, or None when nobody has that id."""
        if access_id == self.access_id:
            return self.access_key
        user = self.users.get(access_id)
        return user.secret if user else None

    def session_of(self, access_id: str) -> User | None:
        """The session of `access_id`, if it is that of one."""
        user = self.users.get(access_id)
        return user if user is not None and user.token is not None else None

    def owner_of(self, access_id: str | None) -> str:
        """The owner name of what `access_id` creates."""
        if not access_id:
            return LOCAL_OWNER
        user = self.users.get(access_id)
        return user.owner if user else f"ALIYUN${access_id}"
