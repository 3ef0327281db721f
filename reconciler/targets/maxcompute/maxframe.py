"""
A package as Python code for MaxFrame jobs: one decorator, which says what a job's functions are to find.

MaxFrame has two ways [maxframe 2.9, udf.py]: ``with_resources`` names what lies in the project already, and
``with_python_requirements`` has the service resolve, fetch and pack by itself ["Automated packaging service"]. Both come
from the same lock here, so that a job computes with the versions that the SQL functions have.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.core.report import PackageExport

if TYPE_CHECKING:
    from reconciler.manifest.runtimes import Runtime


@dataclass(frozen=True)
class MaxframeExport:
    """What a MaxFrame job needs to use a package."""

    package: str
    stack: str
    runtime: Runtime
    resources: tuple[str, ...] = ()
    """With their project."""

    requirements: tuple[str, ...] = ()
    prefer_binary: bool = False
    pre_release: bool = False

    @property
    def name(self) -> str:
        """What the decorator is called: not as the package, which a job may import by that name."""
        return "with_" + re.sub(r"\W", "_", self.package, flags=re.ASCII)


def export_of(exported: MaxframeExport) -> PackageExport:
    """Return an export with its code."""
    return PackageExport(
        stack=exported.stack,
        package=exported.package,
        python=exported.runtime.tag,
        resources=exported.resources,
        requirements=exported.requirements,
        prefer_binary=exported.prefer_binary,
        pre_release=exported.pre_release,
        code=_code(exported),
    )


def _code(exported: MaxframeExport) -> str:
    """Return a module that defines the decorator."""
    function = "with_resources" if exported.resources else "with_python_requirements"
    options = [
        f"{key}=True" for key in ("prefer_binary", "pre_release") if getattr(exported, key) and exported.requirements
    ]
    arguments = [json.dumps(text, ensure_ascii=False) for text in (exported.resources or exported.requirements)]
    return "".join((
        f'"""\nPackage {exported.package} of stack {exported.stack}, as it is for {exported.runtime.tag} ({exported.runtime.name}).\n',
        *([] if exported.requirements else [_WHERE]),
        '"""\n\n',
        f"from maxframe.udf import {function}\n\n",
        f"{exported.name} = {function}(\n",
        *(f"    {argument},\n" for argument in (*arguments, *options)),
        ")\n",
        f'"""Decorates functions of a job: @{exported.name}"""\n',
    ))  # fmt: skip


_WHERE = """
Archives are unpacked below work/, each into a folder of its name; that MaxFrame puts these on sys.path is not
documented. If an import fails: sys.path.insert(0, "work/NAME.zip") inside the function.
"""
