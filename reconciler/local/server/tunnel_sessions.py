"""Sessions of the table tunnel: uploads with their blocks, and downloads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.local.http.messages import HttpRefusal
from reconciler.local.server.protocol import legible

if TYPE_CHECKING:
    from reconciler.local.sql.catalog import PartitionValues, TableCatalog, TableName, WrittenRows

KEPT = 200
"""Sessions that are remembered; the service keeps one for 24 hours [doc "Tunnel"]."""


@dataclass
class UploadSession:
    """Blocks on their way into a table."""

    id: str
    name: TableName
    values: PartitionValues
    overwrites: bool
    catalog: TableCatalog
    blocks: dict[int, WrittenRows] = field(default_factory=dict)
    is_closed: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class DownloadSession:
    """What a table held when somebody began to read it."""

    id: str
    name: TableName
    values: PartitionValues | None
    count: int
    version: object


class TunnelSessions:
    """The sessions of a server."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, UploadSession | DownloadSession] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, session: UploadSession | DownloadSession) -> None:
        """Remember a session; the oldest is forgotten when there are many."""
        with self._lock:
            self._sessions[session.id] = session
            forgotten = [self._sessions.popitem(last=False)[1] for _ in range(len(self._sessions) - KEPT)]
        for old in forgotten:
            if isinstance(old, UploadSession):
                old.catalog.close()

    def upload(self, name: str) -> UploadSession:
        """Return an upload; 404 if there is none [doc: NoSuchUpload]."""
        session = self._sessions.get(name)
        if not isinstance(session, UploadSession):
            raise HttpRefusal(404, "NoSuchUpload", f"The specified upload id does not exist - {legible(name)}")
        return session

    def download(self, name: str) -> DownloadSession:
        """Return a download; 404 if there is none [doc: NoSuchDownload]."""
        session = self._sessions.get(name)
        if not isinstance(session, DownloadSession):
            raise HttpRefusal(404, "NoSuchDownload", f"The specified download id does not exist - {legible(name)}")
        return session
