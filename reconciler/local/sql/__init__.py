"""
SQL on the local service: one SELECT of MaxCompute's dialect, run by DuckDB, with functions in the CPython of their runtime.

    script ─ SET lines, one statement ─▶ translate (sqlglot) ─▶ DuckDB ◀─ tables (Arrow)
                                                                  │ a vector of rows at a time
                                                                  ▼
                                                     functions ─▶ worker processes (runner)

MaxCompute's own parser is not public. Hive's dialect, from which MaxCompute's comes [doc "Overview of MaxCompute SQL"],
is what sqlglot reads; what it reads and the service would not is not noticed here. What matters is that functions are
called as the service calls them, and that a failure is told as the service tells it.

sqlglot, DuckDB and pyarrow come with ``udfs[sql]`` and are imported by the first statement.
"""
