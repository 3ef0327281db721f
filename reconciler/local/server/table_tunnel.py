"""
Table tunnel: rows of a table or a partition, down and up.

The requests are those of PyODPS (`odps/tunnel/tabletunnel.py`): a session is opened, rows go by ranges or blocks, and an upload's
blocks become part of the table when it is committed, all of them or none. Codes of errors are those of the vendor's page "Tunnel
error codes". A session lives as long as the server does.
"""

from __future__ import annotations

import re
import secrets
from contextlib import closing
from typing import TYPE_CHECKING, Any

from reconciler.local.http.messages import HttpRefusal, Response, answer_json
from reconciler.local.server.instance_tunnel import stream_rows
from reconciler.local.server.protocol import invalid, legible
from reconciler.local.server.table_handlers import (
    MOST_PREVIEWED,
    choose_columns,
    find_partition,
    find_table,
    open_catalog,
    parse_partition,
    read_table,
    require_rows,
    schema_document,
    table_name,
)
from reconciler.local.server.tunnel_sessions import DownloadSession, UploadSession
from reconciler.local.tunnel.arrow_stream import BrokenStream, decode_arrow
from reconciler.local.tunnel.column_types import parse_type
from reconciler.local.tunnel.compression import coding_of, decompress
from reconciler.local.tunnel.records import decode_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.local.server.exchange import Request
    from reconciler.local.server.service import LocalService
    from reconciler.local.server.table_handlers import WireTable
    from reconciler.local.sql.catalog import PartitionValues, TableColumn

MAX_FIELD_BYTES = 8 << 20
"""Of one value [doc "Limits": 8 MB]."""

_RANGE = re.compile(r"\(\s*(\d{1,18})\s*,\s*(\d{1,18})\s*\)\Z")


def _session_id(service: LocalService) -> str:
    return f"{service.clock() * 1000:.0f}{secrets.token_hex(8)}"


def post_table(service: LocalService, request: Request) -> Response:
    """``POST …/tables/<name>``: ``downloads`` and ``uploads`` open a session, ``uploadid`` commits one."""
    if "downloads" in request.query:
        return _open_download(service, request)
    if "uploads" in request.query:
        return _open_upload(service, request)
    if "uploadid" in request.query:
        return _commit(service, request)
    raise invalid("a table is made and changed by statements")


def get_table(service: LocalService, request: Request) -> Response:
    """``GET …/tables/<name>``; with ``downloadid`` or ``uploadid``, how a session stands, or rows."""
    if not request.query.keys() & {"downloadid", "uploadid"}:
        return read_table(service, request)
    if "uploadid" in request.query:
        session = service.tunnel.upload(request.query["uploadid"])
        return _upload_document(find_table(service, request, session.name), session)
    download = service.tunnel.download(request.query["downloadid"])
    table = find_table(service, request, download.name)
    if "data" in request.query:
        return _send_rows(service, request, table, download)
    return _download_document(table, download)


def _open_download(service: LocalService, request: Request) -> Response:
    table = find_table(service, request, table_name(service, request))
    require_rows(table)
    partitions, values = table.partitions, None
    if table.definition.keys:
        partitions = [find_partition(table, _needed_partition(request))]
        values = partitions[0].values
    count = sum(partition.rows for partition in partitions)
    if table.record is None:
        count = sum(batch.num_rows for batch in _batches(service, request, table, [], None))
    session = DownloadSession(_session_id(service), table.name, values, count, _version(table, values))
    service.tunnel.add(session)
    return _download_document(table, session)


def _version(table: WireTable, values: PartitionValues | None) -> object:
    return [
        (partition.id, partition.modified, partition.rows, partition.size)
        for partition in table.partitions
        if values is None or partition.values == values
    ]


def _needed_partition(request: Request) -> str:
    if not request.query.get("partition"):
        raise HttpRefusal(400, "MissingPartitionSpec", "You need to specify a partition of the specified table.")
    return request.query["partition"]


def _download_document(table: WireTable, session: DownloadSession) -> Response:
    return answer_json(
        {
            "DownloadID": session.id,
            "Status": "NORMAL",
            "RecordCount": session.count,
            "QuotaName": "default",
            "Schema": _short_schema(table),
        }
    )


def _short_schema(table: WireTable) -> dict[str, Any]:
    document = schema_document(table)
    return {key: document[key] for key in ("columns", "partitionKeys", "isVirtualView")}


def _send_rows(service: LocalService, request: Request, table: WireTable, session: DownloadSession) -> Response:
    """``data&rowrange=(start,count)``, with ``columns`` and, in Arrow, ``arrow``."""
    from reconciler.local.sql.reading import DEFAULT_ZONE

    if _version(table, session.values) != session.version:
        raise HttpRefusal(412, "TableModified", "The specified table has been modified since the download initiated.")
    match = _RANGE.match(request.query.get("rowrange", ""))
    if match is None:
        raise HttpRefusal(400, "InvalidRowRange", "The specified row range is not valid.")
    start, count = int(match[1]), int(match[2])
    if start + count > session.count:
        raise HttpRefusal(400, "InvalidRowRange", "The specified row range is out of bounds.")
    columns = choose_columns(table.definition.columns, request.query.get("columns"))
    if "arrow" in request.query:
        columns.sort(key=table.definition.columns.index)  # PyODPS puts them in its own order then
    names, types = [column.name for column in columns], [column.type for column in columns]
    batches = _slice(_batches(service, request, table, names, session.values), start, count)
    return stream_rows(request, types, batches, DEFAULT_ZONE, timestamp_as_struct=False)


def preview(service: LocalService, request: Request) -> Response:
    """
    ``GET …/tables/<name>/preview``: the first rows as Arrow's own stream, those of one partition or of all.

    PyODPS's `open_preview_reader` and the Java SDK's `TableTunnel.preview`, which odpscmd's ``read`` is: a ``limit`` of -1 is as many as
    there may be, and without ``columns`` the partition keys come last. A DECIMAL without precision the Java SDK reads as bytes of a form of
    its own, which is not known here; compression is asked for by names of Arrow's codecs, and is not given.

    PyODPS 0.13.2 cannot read a partitioned table with TIMESTAMP without ``columns``: where it puts that type together it names the
    columns of the table and forgets the keys [`TunnelArrowReader._convert_struct_timestamps`]. With ``columns`` it can.
    """
    from reconciler.local.sql.reading import DEFAULT_ZONE
    from reconciler.local.tunnel.arrow_stream import encode_preview

    table = find_table(service, request, table_name(service, request))
    require_rows(table)
    columns = choose_columns(table.definition.all_columns, request.query.get("columns"))
    values = find_partition(table, request.query["partition"]).values if request.query.get("partition") else None
    limit_text = request.query.get("limit", "-1")
    if not re.fullmatch(r"-?\d{1,18}", limit_text):
        raise invalid(f"limit {legible(limit_text)!r}")
    limit = int(limit_text) if 0 <= int(limit_text) <= MOST_PREVIEWED else MOST_PREVIEWED
    names, kinds = [column.name for column in columns], [parse_type(column.type) for column in columns]
    rows = _slice(_batches(service, request, table, names, values), 0, limit) if limit else ()
    pieces = encode_preview(rows, names, kinds, DEFAULT_ZONE)
    return Response(status=200, content_type="application/octet-stream", pieces=pieces)


def _batches(
    service: LocalService, request: Request, table: WireTable, columns: Sequence[str], values: PartitionValues | None
) -> Iterator[Any]:
    with closing(open_catalog(service, request)) as catalog:
        yield from catalog.batches(table.name, columns, values)


def _slice(batches: Iterable[Any], start: int, count: int) -> Iterator[Any]:
    """Yield the rows from `start` on, `count` of them."""
    for batch in batches:
        if start >= batch.num_rows:
            start -= batch.num_rows
            continue
        piece = batch.slice(start, count)
        start, count = 0, count - piece.num_rows
        yield piece
        if not count:
            return


def _open_upload(service: LocalService, request: Request) -> Response:
    table = find_table(service, request, table_name(service, request))
    if table.definition.view or table.record is None:
        message = f"ODPS-0420411: Invalid argument - {table.name} takes no rows"
        raise HttpRefusal(400, "InvalidArgument", message)
    values: PartitionValues = ()
    if table.definition.keys:
        text = _needed_partition(request)
        values = parse_partition(text, table.definition)
        if request.flag("create_partition") and values not in [partition.values for partition in table.partitions]:
            values = _new_values(table, values)
            with closing(open_catalog(service, request)) as catalog:
                catalog.add_partition(table.name, values)
                catalog.commit()
        else:
            find_partition(table, text)
    session = UploadSession(
        _session_id(service), table.name, values, request.flag("overwrite"), open_catalog(service, request)
    )
    service.tunnel.add(session)
    return _upload_document(table, session)


def _new_values(table: WireTable, values: PartitionValues) -> PartitionValues:
    """Return the values of a partition that is not there yet; 400 for what the keys do not have."""
    from reconciler.local.sql.catalog import partition_value

    try:
        return tuple(partition_value(key, value) for key, value in zip(table.definition.keys, values, strict=True))
    except ValueError as error:
        raise invalid(f"partition value {legible(str(error))}") from None


def _upload_document(table: WireTable, session: UploadSession) -> Response:
    return answer_json(
        {
            "UploadID": session.id,
            "Status": "CLOSED" if session.is_closed else "NORMAL",
            "UploadedBlockList": [{"BlockID": number} for number in sorted(session.blocks)],
            "MaxFieldSize": MAX_FIELD_BYTES,
            "QuotaName": "default",
            "Schema": _short_schema(table),
        }
    )


def put_block(service: LocalService, request: Request) -> Response:
    """``PUT …/tables/<name>?uploadid=…&blockid=n``: the rows of a block; the same block again replaces it."""
    from reconciler.local.sql.problems import SqlFailed
    from reconciler.local.sql.reading import DEFAULT_ZONE
    from reconciler.local.sql.statements.writing import write_batches

    session = service.tunnel.upload(request.query.get("uploadid", ""))
    number = request.number("blockid")
    if number is None:
        raise invalid("blockid is missing")
    _require_open(session)
    columns: Sequence[TableColumn] = find_table(service, request, session.name).definition.columns
    names, kinds = [column.name for column in columns], [parse_type(column.type) for column in columns]
    decode = decode_arrow if "arrow" in request.query else decode_records
    pieces = decompress(request.body.pieces(), coding_of(request.header("Content-Encoding")))
    try:
        file = write_batches(session.catalog, session.values, columns, decode(pieces, names, kinds, DEFAULT_ZONE))
    except (BrokenStream, SqlFailed) as error:  # that NULL for a column that takes none is told so is a guess
        raise HttpRefusal(
            400, "MalformedDataStream", f"The data stream you provided was not well-formed: {error}"
        ) from None
    with session.lock:
        _require_open(session)
        session.blocks[number] = file
    return Response(status=200)


def _require_open(session: UploadSession) -> None:
    if session.is_closed:
        raise HttpRefusal(
            400, "StatusConflict", "You cannot complete the specified operation under the current upload status."
        )


def _commit(service: LocalService, request: Request) -> Response:
    """``POST …?uploadid=…``: the blocks become part of the table. A commit that comes again changes nothing: a guess."""
    session = service.tunnel.upload(request.query["uploadid"])
    with session.lock:
        if not session.is_closed:
            files = [session.blocks[number] for number in sorted(session.blocks)]
            session.catalog.put_rows(session.name, files, [session.values] if session.overwrites else ())
            session.catalog.commit()
            session.catalog.close()
            session.is_closed = True
    return _upload_document(find_table(service, request, session.name), session)
