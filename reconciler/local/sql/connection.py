"""DuckDB connection of one statement: no files, the statement's tables, and its functions in each way they are called."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

from reconciler.local.sql import problems
from reconciler.local.sql.query_functions import NO_ARGUMENT
from reconciler.local.sql.translate import ARGUMENT, Form, Statement

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.local.sql.project import SqlProject, StatementLimits


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
    names: dict[tuple[str, ...], str] = {}

    def name(node: Any) -> str:
        parts = tuple(part.name.lower() for part in node.parts)
        if parts not in names:
            table = project.table(parts, connection)
            if table is None:
                raise problems.unknown_table(statement.position(node), ".".join(part.name for part in node.parts))
            names[parts] = f"table{len(names)}"
            connection.register(names[parts], table)
        return names[parts]

    statement.use_tables(name)


def declare_function(form: Form, connection: Any, failures: list[Exception]) -> None:
    """Let DuckDB know a function in one of the ways it is called."""
    loaded = form.function
    inputs, outputs = loaded.signature(len(form.names))
    named = [name.replace('"', '""') for name in form.names]
    fields = ", ".join(f'"{name}" {kind}' for name, kind in zip(named, outputs, strict=bool(named)))
    result = f"STRUCT({fields})[]" if form.names else outputs[0]
    parameters = [NO_ARGUMENT] if inputs == [] else inputs
    if form.way in ("aggregate", "all_rows"):
        fields_text = parameters and ", ".join(
            f"{ARGUMENT.format(index)} {kind}" for index, kind in enumerate(parameters)
        )
        parameters = [f"STRUCT({fields_text})[]"] if fields_text else None
    arrow = connection.sql(f"SELECT CAST(NULL AS {result}) AS one").to_arrow_table().schema.field(0).type
    called = getattr(loaded, form.way)(arrow)

    def checked_call(*arguments: Any) -> Any:
        if failures:
            # DuckDB calls with constants while it plans, and does not mind a failure then: it calls again.
            raise failures[0]
        try:
            return called(*arguments)
        except Exception as error:
            failures.append(error)
            raise

    if parameters is not None:
        names = [ARGUMENT.format(index) for index in range(len(parameters))]
        # DuckDB counts the parameters that a function says it has.
        checked_call.__signature__ = Signature([Parameter(parameter, Parameter.POSITIONAL_ONLY) for parameter in names])  # type: ignore[attr-defined]
    connection.create_function(
        form.duckdb_name,
        checked_call,
        parameters,
        result,
        type="arrow",
        null_handling="special",
        side_effects=inputs == [],
    )
