"""Effective settings of targets as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconciler.engine.plan_file import Model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.manifest.effective import TargetSetting


class ValueDocument(Model):
    """One value as a target has it."""

    key: str
    value: str | None = Field(
        None, description="Absent for what the environment does not set, and for variables from it."
    )
    written: str | None = None
    at: str | None = Field(None, description="file:line:column; absent for a default.")
    instead_of: str | None = Field(None, description="Where the top level has another value of this variable.")


class EffectiveDocument(Model):
    """What one target comes to."""

    target: str
    values: tuple[ValueDocument, ...]
    variables: tuple[ValueDocument, ...]


class EffectiveTargetsDocument(Model):
    """What each target of a manifest comes to."""

    format: Literal["udfs.effective/1"] = "udfs.effective/1"
    targets: tuple[EffectiveDocument, ...]


def effective_document(targets: Mapping[str, Iterable[TargetSetting]]) -> EffectiveTargetsDocument:
    return EffectiveTargetsDocument(
        targets=tuple(
            EffectiveDocument(
                target=name,
                values=tuple(_value_document(value) for value in values if not value.is_variable),
                variables=tuple(_value_document(value) for value in values if value.is_variable),
            )
            for name, values in ((name, tuple(values)) for name, values in targets.items())
        )
    )


def _value_document(value: TargetSetting) -> ValueDocument:
    return ValueDocument(
        key=value.key,
        value=value.shown,
        written=value.written,
        at=str(value.at) if value.at else None,
        instead_of=str(value.instead_of[1]) if value.instead_of else None,
    )
