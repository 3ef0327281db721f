"""
SQL on the local service: statements of MaxCompute's dialect, queries run by DuckDB, with functions in the CPython of their runtime.

    job ─ SET lines, `statements` ─▶ changes of the `catalog`, done at the end
                 │ queries, views and variables put in (`embedding`)
                 ▼
           translate (sqlglot) ─▶ DuckDB ◀─ tables (Arrow, Parquet in `row_files`)
                                                                  │ a vector of rows at a time
                                                                  ▼
                                                     functions ─▶ worker processes (runner)

MaxCompute's own parser is not public. Hive's dialect, from which MaxCompute's comes [doc "Overview of MaxCompute SQL"],
is what sqlglot reads; what it reads and the service would not is not noticed here. What matters is that functions are
called as the service calls them, and that a failure is told as the service tells it.

sqlglot, DuckDB and pyarrow come with ``udfs[sql]`` and are imported by the first statement.
"""
