"""
Functions and resources in SQL: CREATE FUNCTION, DROP FUNCTION, DROP RESOURCE, ADD TABLE.

The console client turns these into requests of its own, which is how they reach the service [source code of odpscmd]. Whether the
service takes them as a job of SQL is not known; here both are the same. ADD of a file needs the file, which no job has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.local.sql.engine import JobOutcome
from reconciler.local.sql.problems import internal_failure

if TYPE_CHECKING:
    from reconciler.local.sql.session import SqlSession
    from reconciler.local.sql.words import Words


def register_function(words: Words, session: SqlSession) -> JobOutcome:
    """``CREATE FUNCTION name AS 'module.Class' USING 'resource, …' [-f]``."""
    parts = words.dotted_name()
    words.expect("as")
    class_type = words.literal()
    words.expect("using")
    resources = [words.literal()]
    while words.take(","):
        resources.append(words.literal())
    replaces = words.take("-", "f")
    words.finish()
    names = [name.strip() for text in resources for name in text.split(",")]
    session.catalog.functions.create(session.table_name(parts), class_type, names, replaces=replaces)
    return JobOutcome()


def drop_function(words: Words, session: SqlSession) -> JobOutcome:
    """``DROP FUNCTION [IF EXISTS] name``."""
    tolerant = words.take("if", "exists")
    parts = words.dotted_name()
    words.finish()
    session.catalog.functions.drop(session.table_name(parts), tolerant=tolerant)
    return JobOutcome()


def drop_resource(words: Words, session: SqlSession) -> JobOutcome:
    """``DROP RESOURCE name``; a resource's name holds points, and is written as it is."""
    session.catalog.functions.drop_resource(session.table_name((words.resource_name(),)))
    return JobOutcome()


def add_table(words: Words, session: SqlSession) -> JobOutcome:
    """``ADD TABLE name [PARTITION (…)] [AS alias] [COMMENT text]``: a table resource."""
    name = session.table_name(words.dotted_name())
    source = str(name)
    if words.take("partition"):
        pairs = words.partition().items()
        source += f" partition({','.join(f'{key}={value!r}' for key, value in pairs)})"
    alias = words.resource_name() if words.take("as") else name.name
    comment = words.literal() if words.take("comment") else ""
    replaces = words.take("-", "f")
    words.finish()
    session.catalog.functions.add_table(session.table_name((alias,)), source, comment, replaces=replaces)
    return JobOutcome()


def add_file(words: Words, session: SqlSession) -> JobOutcome:
    """``ADD PY|JAR|FILE|ARCHIVE path``: the client sends such a file, and a job has none."""
    kind = words.identifier()
    raise internal_failure(
        f"ADD {kind.upper()} names a file of the client, which a job does not have: "
        "udfs apply uploads what a manifest lists, and so does the console client"
    )
