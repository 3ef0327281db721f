"""
Tunnel's wire forms: rows of a table or of a result, as clients send and read them.

    Arrow batches ─ times become instants (`wire_times`) ─┬▶ records: protobuf fields, a CRC32C a row (`records`)
                                                          └▶ Arrow messages in chunks with a CRC32C (`arrow_stream`)
                                                                    └▶ compressed, if the client asks (`compression`)

and the same back. Batches hold what DuckDB holds: a DATETIME or a TIMESTAMP as the clock on the wall of a time zone.
Source: PyODPS's readers and writers (`odps/tunnel/io`, `odps/tunnel/pb`); what only the service could tell is marked.

Nothing here knows a request, a table or an instance. pyarrow and google-crc32c come with ``udfs[sql]``.
"""
