"""
Built-in functions of MaxCompute that the local service has: a table of names, signatures, and what DuckDB is to do.

sqlglot and DuckDB know hundreds of functions, and many that MaxCompute has by the same name mean something else there: STDDEV
is that of a population, 'mm' in a format is the month, SUBSTR from 0 is empty. A value that is silently another one is
worse than an error, so a function is here only when what its page tells was looked up and is met; every other name is refused
at its place. Each row stands on the function's own page [doc "Built-in functions"], V2.0 data types, without Hive
compatibility; the tests hold all rows against the examples of those pages.

    name | RESULT(ARGUMENT, …) | what DuckDB is to do with the arguments a, b, c, …

A row without a body of its own says `@name`: DuckDB has the function by that name, with the arguments as they are or in the
order given. `!name` is made by a function of `makers` where an expression is not enough. Everything else becomes a macro; behind `%` its
arguments are lists, of what the rows of a group or window have for them.
"""
