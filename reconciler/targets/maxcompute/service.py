"""
Documented facts about MaxCompute's Python functions: installed modules, flags and limits, from ``service.json``.

Each has its source there. Images are those that the service brings; what a custom image holds is known to nobody here.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_FACTS: dict[str, Any] = json.loads(Path(__file__).with_name("service.json").read_text(encoding="utf-8"))

FLAGS: dict[str, str] = {what: flag["name"] for what, flag in _FACTS["flags"].items()}
LIMITS: dict[str, int] = {what: limit["bytes"] for what, limit in _FACTS["limits"].items()}
IMAGES: dict[str, tuple[str, ...]] = {name: tuple(runtimes) for name, runtimes in _FACTS["images"]["named"].items()}
"""Name → the runtimes it has."""


def distributions(runtime: str, image: str | None = None) -> dict[str, str | None]:
    """Return what is installed, as far as that is published: distribution → version, None where that is not."""
    installed: dict[str, str | None] = dict(_FACTS["installed"][runtime]["distributions"])
    images = _FACTS["images"]
    if image is not None and runtime in images["named"].get(image, ()):
        installed |= {**images["everywhere"][runtime], **images["named"][image][runtime]}
    return installed


@cache
def modules(runtime: str, image: str | None = None) -> tuple[str, ...]:
    """Return the modules of what is installed, sorted; ``odps.udf`` and ``odps.distcache`` are everywhere."""
    modules = {"odps"}
    for name in distributions(runtime, image):
        modules |= set(_FACTS["imports"].get(name, [name]))
    return tuple(sorted(modules))
