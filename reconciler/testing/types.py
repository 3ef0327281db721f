"""
Types of SQL, as signatures and tables name them; what they are called is the service's, what each holds is the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Type:
    """One type, and where it stands in a text that names it."""

    name: str
    """In capitals."""

    start: int
    width: int
    inner: tuple[Type, ...] = ()
    parameters: tuple[int, ...] = ()
    fields: tuple[str, ...] = ()
    """The names in a STRUCT, one for each of `inner`."""

    def __str__(self) -> str:
        inner = [str(inner_type) for inner_type in self.inner]
        if self.fields:
            inner = [f"{name}:{inner_type}" for name, inner_type in zip(self.fields, inner, strict=True)]
        nested = f"<{','.join(inner)}>" if inner else ""
        return self.name + (f"({','.join(map(str, self.parameters))})" if self.parameters else nested)

    @property
    def all(self) -> tuple[Type, ...]:
        """The type and every type inside it."""
        return (self, *(deep for inner in self.inner for deep in inner.all))
