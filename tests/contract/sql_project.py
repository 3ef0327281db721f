"""A project for SQL alone: what tables it has is said by a subclass, and it has no function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.local.sql.catalog import SessionNames, TableName

if TYPE_CHECKING:
    from typing_extensions import Self


class FunctionlessProject:
    """A project in which nothing is but tables."""

    names = SessionNames()

    @property
    def catalog(self) -> Any:
        return self

    def commit(self) -> None:
        pass

    def in_session(self, names: SessionNames) -> Self:
        return self

    def full_name(self, parts: tuple[str, ...]) -> TableName:
        return TableName("demo", "default", parts[-1])

    def view(self, parts: tuple[str, ...]) -> None:
        return None

    def functions(self) -> list[str]:
        return []

    def job(self, *_: Any) -> Any:
        raise AssertionError

    interpreter = job
