"""Dialect of Flink, and its checks of a manifest: engines of targets, environments, and jobs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from reconciler.base.words import quote
from reconciler.manifest.checks.names import check_file
from reconciler.manifest.checks.packages import check_packages
from reconciler.manifest.dialect import Dialect, Draft, Flaw
from reconciler.targets.addresses import check_target_settings, why_not_an_address
from reconciler.targets.flink.engines import PYTHONS, parse_engine
from reconciler.targets.flink.jobs import check_functions_of_jobs, check_jobs, check_package_archives, check_python
from reconciler.targets.flink.manifest import IMPLICIT_TARGET, Environment, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.targets.addresses import Setting
    from reconciler.targets.flink.manifest import Target

_Draft: TypeAlias = Draft[Manifest]
_ENGINES = "flink-1.20, or the vendor's as it names it: vvr-8.0.11-flink-1.17, vvr-11.3-jdk11-flink-1.20"
_OF_A_BUILD = (
    "interpreter",
    "builder",
    "requirements",
    "requirements_file",
    "constraints",
    "without",
    "extra_index",
    "index",
    "find_links",
    "slim",
    "exclude",
)
"""Keys of an environment that say how it is made."""


def check_flink_targets(draft: _Draft) -> Iterator[Flaw]:
    """Yield endpoints and roles that cannot be."""
    return check_target_settings(draft, _settings)


def _settings(target: Target) -> Iterator[Setting]:
    yield ("endpoint",), target.endpoint, why_not_an_address(target.endpoint)
    yield ("bucket_endpoint",), target.bucket_endpoint, why_not_an_address(target.bucket_endpoint or "local")


def check_engines(draft: _Draft) -> Iterator[Flaw]:
    """Yield engines that cannot be, and such that one environment cannot be for all."""
    first: tuple[str, tuple[int, int]] | None = None
    for name, target in draft.manifest.targets.items():
        here, engine = ("targets", name, "engine"), parse_engine(target.engine)
        if engine is None:
            if name == draft.target_name or "${" not in target.engine:
                yield Flaw("E335", f"{quote(target.engine)} is no engine", here, _ENGINES)
            continue
        if engine.version not in PYTHONS:
            versions = ", ".join(".".join(map(str, version)) for version in PYTHONS)
            yield Flaw("E335", f"nothing is known of the PyFlink of {quote(target.engine)}", here, f"known: {versions}")
        elif first is not None and first[1] != engine.version:
            message = f"{quote(first[0])} and {quote(name)} have engines of different versions of Flink"
            hint = "an environment holds the PyFlink of one: write a manifest for each"
            yield Flaw("E336", message, here, hint)
        first = first or (name, engine.version)


def check_environments(draft: _Draft) -> Iterator[Flaw]:
    """Yield environments of Pythons that the engine does not take, and keys that do not go together."""
    for name, environment in draft.manifest.environments.items():
        yield from check_python(draft, environment.python, "environments", name, "python")
        yield from _sources_of(draft, name, environment)


def _sources_of(draft: _Draft, name: str, environment: Environment) -> Iterator[Flaw]:
    here, written = ("environments", name), draft.document.value("environments", name)
    if environment.archive is not None:
        yield from check_file(draft, environment.archive, *here, "archive")
        for key in _OF_A_BUILD:
            if key in written:
                message = f"{quote(key)} has no use beside 'archive': nothing is built there"
                yield Flaw("E338", message, (*here, key), "leave out the one or the other", at_key=True)
    elif "program" in written:
        message = "'program' goes with 'archive' only: what is built here has it at venv/bin/python"
        yield Flaw("E338", message, (*here, "program"), "leave it out", at_key=True)
    elif environment.interpreter is not None and environment.builder is not None:
        message = "'interpreter' and 'builder' exclude each other: both say which interpreter is packed"
        yield Flaw("E338", message, (*here, "builder"), "leave out the one or the other", at_key=True)
    if environment.interpreter is not None and not Path(environment.interpreter).is_absolute():
        hint = "/opt/python/cp311, or ${env:PYTHON_FOR_FLINK}"
        message = (
            f"{quote(environment.interpreter)} is no absolute path: an interpreter is not in the manifest's folder"
        )
        yield Flaw("E339", message, (*here, "interpreter"), hint)


FLINK = Dialect(
    kind="flink",
    model=Manifest,
    implicit_target=IMPLICIT_TARGET,
    objects=("environments",),
    checks=(
        *(check_flink_targets, check_engines, check_environments, check_packages),
        *(check_functions_of_jobs, check_package_archives, check_jobs),
    ),
)
