"""
Words of MaxCompute SQL that a function's name may clash with: built-in functions, and reserved words.

"UDFs cannot overwrite built-in functions. Only the project owner" can register one of such a name, and a job that calls it has a warning in the
summary of its Logview [doc "Function operations"]. That ``::name(…)`` then calls the built-in one is told by users, and not documented.

Reserved are, of the words of [doc "Reserved words and keywords"], those that statements themselves are made of. The page speaks of tables and columns; that a
function of such a name cannot be called plainly either is inferred from what a parser does.
"""

from __future__ import annotations

from reconciler.local.sql.built_ins.names import BUILT_IN

RESERVED = frozenset(
    """
    add all alter and as asc between bigint binary boolean both by case create cross current datetime decimal delete desc
    describe distinct double drop else end except exists explain false float from full function grant group having in insert
    int intersect into is join lateral left like limit mapjoin minus not null offset on or order out outer over overwrite
    partition preceding regexp right rlike row rows select semi set show smallint string table tablesample then timestamp
    tinyint to true truncate unbounded union update use using values view when where window with
    """.split()  # noqa: SIM905
)


def why_confusing(name: str) -> tuple[str, str] | None:
    """Return what SQL takes a function's name for, and the way out; None for a name that is the project's alone."""
    if name.lower() in BUILT_IN:
        message = "is a built-in function's name: only the project's owner may register it, and queries that call it then get yours"
        return message, f"give it another name; ::{name}(…) is how the built-in one is called behind yours"
    if name.lower() in RESERVED:
        return "is a reserved word of SQL, where a query cannot call it plainly", "give it another name"
    return None
