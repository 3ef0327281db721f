"""Store of a local service: rows in SQLite, content in blobs, for several processes at once. Begin with `transactions`."""
