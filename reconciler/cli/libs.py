"""libs: what is native in files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from reconciler.base.errors import PackageError, UsageError
from reconciler.base.inputs import follow_links
from reconciler.cli.support.options import command, format_option
from reconciler.cli.support.output import Result
from reconciler.cli.support.project import user_cache
from reconciler.packages import content
from reconciler.packages.dependencies import inspect_together
from reconciler.packages.inspect.contents import inspect_once
from reconciler.packages.inspect.gate import Part
from reconciler.targets import kinds_with

if TYPE_CHECKING:
    from reconciler.manifest.runtimes import Runtime

_EQUIPMENT = [*kinds_with(lambda adapter: adapter.equipment).values()]
RUNTIMES = {tag: runtime for kind in _EQUIPMENT for tag, runtime in kind.runtimes.items()}
PLATFORMS = {name: platform for kind in _EQUIPMENT for name, platform in kind.platforms.items()}
USUAL = RUNTIMES[_EQUIPMENT[0].usual_runtime]
DOES_NOT_LOAD = PackageError.exit_code


@command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option(
    "--python", type=click.Choice([*RUNTIMES]), help="Judge for this Python only, and exit with 3 if one does not load."
)
@click.option(
    "--platform",
    type=click.Choice([*PLATFORMS]),
    help=f"The workers' system; {USUAL.platform.name}, or that of --python, where left out.",
)
@format_option
def libs(files: tuple[Path, ...], python: str | None, platform: str | None, format: Literal["text", "json"]) -> Result:
    """Show what is native in wheels, archives and libraries, what it needs, and where it loads.

    Several files are judged as if one function shipped them together.
    """
    runtimes = runtimes_on(platform or (RUNTIMES[python] if python else USUAL).platform.name)
    if python and python not in runtimes:
        hint = f"the Pythons of {platform}: {', '.join(runtimes)}"
        raise UsageError("E901", f"there is no {python} on {platform}", hint=hint)
    judged = [runtimes[python]] if python else [*runtimes.values()]
    usual = runtimes.get(USUAL.tag, next(iter(runtimes.values())))
    inspections = inspect_together([_part(file) for file in files], judged, runtimes[python] if python else usual)
    all_load = all(verdict.loads for inspection in inspections for verdict in inspection.verdicts)
    code = 0 if all_load or python is None else DOES_NOT_LOAD
    if format == "json":
        from reconciler.render.documents.files import libs_document

        return Result(libs_document(inspections), code)
    from reconciler.render import inspection as lines

    return Result(lines.libs_lines(inspections), code)


def runtimes_on(platform: str) -> dict[str, Runtime]:
    """Return the Pythons that a system has by their tags: those that have it anyway, or all of a service that may have it."""
    runtimes = next(kind.runtimes for kind in _EQUIPMENT if platform in kind.platforms)
    fixed = {tag: runtime for tag, runtime in runtimes.items() if runtime.platform.name == platform}
    return fixed or {tag: replace(runtime, platform=PLATFORMS[platform]) for tag, runtime in runtimes.items()}


def _part(file: Path) -> tuple[Part, int]:
    try:
        follow_links(file)
        file_content = content.read_content(file)
        facts = inspect_once(file, file_content.sha256, user_cache().inspections)
    except OSError as error:
        raise PackageError("E305", f"'{file}' cannot be read: {error.strerror or error}") from error
    return Part(file.name, facts, "library" if facts.kind == "library" else "archive"), file_content.size
