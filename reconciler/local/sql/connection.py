"""DuckDB connection of one statement: no files, the statement's tables, and its functions in each way they are called."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

from reconciler.local.sql import problems
from reconciler.local.sql.query_functions import NO_ARGUMENT
from reconciler.local.sql.translate import ARGUMENT, Form, Statement

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.local.sql.engine import SqlProject, StatementLimits


def open_connection(bounds: StatementLimits, folder: Path) -> Any:
    """Open a database of the statement's own, which sees no file and no other database."""
    import duckdb

    spill = folder / "spill"
    spill.mkdir()
    connection = duckdb.connect(
        ":memory:",
        config={
            # One thread: rows keep their order, and many statements at a time do not ask for every core each.
            "threads": 1,
            "memory_limit": f"{bounds.megabytes}MB",
            "temp_directory": str(spill),
            "max_temp_directory_size": f"{bounds.megabytes * 8}MB",
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def register_tables(statement: Statement, project: SqlProject, connection: Any) -> None:
    known: dict[tuple[str, ...], str] = {}

    def name(node: Any) -> str:
        parts = tuple(part.name.lower() for part in node.parts)
        if parts not in known:
            table = project.table(parts, connection)
            if table is None:
                raise problems.unknown_table(statement.place(node), ".".join(part.name for part in node.parts))
            known[parts] = f"table{len(known)}"
            connection.register(known[parts], table)
        return known[parts]

    statement.use_tables(name)


def declare_function(form: Form, connection: Any, failures: list[Exception]) -> None:
    """Let DuckDB know a function in one of the ways it is called."""
    loaded = form.function
    inputs, outputs = loaded.signature(len(form.names))
    named = [name.replace('"', '""') for name in form.names]
    fields = ", ".join(f'"{name}" {kind}' for name, kind in zip(named, outputs, strict=bool(named)))
    result = f"STRUCT({fields})[]" if form.names else outputs[0]
    taken = [NO_ARGUMENT] if inputs == [] else inputs
    if form.way in ("aggregate", "all_rows"):
        given = taken and ", ".join(f"{ARGUMENT.format(index)} {kind}" for index, kind in enumerate(taken))
        taken = [f"STRUCT({given})[]"] if given else None
    arrow = connection.sql(f"SELECT CAST(NULL AS {result}) AS one").to_arrow_table().schema.field(0).type
    called = getattr(loaded, form.way)(arrow)

    def guarded(*given: Any) -> Any:
        if failures:
            # DuckDB calls with constants while it plans, and does not mind a failure then: it calls again.
            raise failures[0]
        try:
            return called(*given)
        except Exception as error:
            failures.append(error)
            raise

    if taken is not None:
        names = [ARGUMENT.format(index) for index in range(len(taken))]
        # DuckDB counts the parameters that a function says it has.
        guarded.__signature__ = Signature([Parameter(one, Parameter.POSITIONAL_ONLY) for one in names])  # type: ignore[attr-defined]
    connection.create_function(
        form.own, guarded, taken, result, type="arrow", null_handling="special", side_effects=inputs == []
    )
