"""SqlSession of a job: what its statements share, and the queries that they run."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.local.sql.embedding import Embedding
from reconciler.local.sql.engine import QueryRun
from reconciler.local.sql.rules import SessionRules
from reconciler.local.sql.translate import Statement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from reconciler.local.sql.catalog import TableCatalog, TableName
    from reconciler.local.sql.control import Control, SqlProject, StatementLimits
    from reconciler.local.sql.reading import Flags


@dataclass(frozen=True)
class SqlSession:
    """What the statements of one job share."""

    project: SqlProject
    settings: Mapping[str, str]
    flags: Flags
    bounds: StatementLimits
    folder: Path
    control: Control
    variables: dict[str, str] = field(default_factory=dict)
    """The queries of the script's variables so far, as texts, by names that begin with ``@``."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def catalog(self) -> TableCatalog:
        """The tables."""
        return self.project.catalog

    def table_name(self, parts: tuple[str, ...]) -> TableName:
        """Return the whole name that the parts of one mean."""
        return self.project.full_name(parts)

    def query(self, text: str) -> QueryRun:
        """Read a query, ready to be run."""
        functions: Collection[str] = self.project.functions()
        statement = Statement(text, functions, Embedding(self.project, functions, self.variables))
        statement.require_names(self.settings)
        folder = self.folder / f"query {next(self._numbers)}"
        rules = SessionRules.of(self.settings, self.flags.zone, self.bounds.data_types)
        return QueryRun(statement, self.flags, rules, self.project, self.bounds, folder, self.control)
