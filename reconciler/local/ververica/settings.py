"""
Settings of a local Realtime Compute for Apache Flink.

Nobody here has had an account: what neither the vendor's SDK nor a page says is a switch, with a default and the reason for it, so that a
client can be tried against both answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from reconciler.local.fc.settings import AccessKey  # noqa: TC001 - what reads the switches asks for the types
from reconciler.local.http.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class VervericaSettings(ServerSettings):
    """The switches of one server."""

    keys: Mapping[str, AccessKey] = field(default_factory=dict)
    """Others who may sign, by their access ids."""

    workspace: str = ""
    """The only workspace whose id requests may give; empty: any."""

    bucket: str = "udfs"
    """Of the workspace: where what is uploaded by a presigned address comes to lie."""

    engine_versions: str = "vvr-11.7-jdk11-flink-1.20,vvr-8.0.11-flink-1.17"
    """
    What ``engine-version-meta.json`` tells, the default first.

    The form of the second is documented; the spelling of releases from 11 on is a guess.
    """

    update_maps: Literal["replace", "merge"] = "replace"
    """What an update does with ``flinkConf`` and ``labels`` that name fewer keys than there are. Not settled."""

    update_lists: Literal["replace", "merge"] = "replace"
    """What an update does with lists within ``artifact`` that name fewer entries than there are. Not settled."""

    archive_names: Literal["take", "refuse"] = "take"
    """Whether an entry of *Python Archives* may end in ``#name``. Flink itself takes it; of the service it is not settled."""

    python_functions: Literal["take", "refuse"] = "refuse"
    """Whether a UDF artifact may hold Python. Two of the vendor's pages disagree; the stricter is usual."""

    presigned_seconds: int = 3600
    """How long an address for an upload is good for. A guess."""

    presigned_bytes: int = 0
    """The most bytes that such an upload takes, 0 for any number. Not settled."""

    presigned_headers: Literal["any", "none"] = "any"
    """Whether such an upload may have a Content-Type, which is part of OSS's own signatures. Not settled."""

    defaults_on_read: bool = True
    """Fill in options, resources and logging that a request left out; the public Terraform provider calls them computed."""

    business_status: Literal["200", "400"] = "200"
    """The HTTP status of an answer that says no. The pages say 200, with ``success`` false."""

    times: Literal["text", "number"] = "text"
    """How ``createdAt`` of deployments and jobs is written: the SDK has a text; that it holds milliseconds is a guess."""

    second_start: Literal["refuse", "take"] = "refuse"
    """What starting a deployment does whose job runs. Not settled; refused, as a deployment is shown with one job."""

    delete_running: Literal["refuse", "cancel"] = "refuse"
    """What deleting a deployment does whose job runs. Not settled; refused, and who stops it first is right under both."""

    stopped_as: Literal["FINISHED", "CANCELLED"] = "FINISHED"
    """The status of a job that was stopped with a savepoint: FINISHED as Flink has it; of the service it is not settled."""

    usrlib: str = "/flink/usrlib"
    """The folder that additional dependencies are put into, for functions that open them: the service's own, if it can be made here."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_at_least(1, "presigned_seconds")
        self.require_at_least(0, "presigned_bytes")
