"""
Hook runner: one hook of a PEP 517 build backend under CPython 2.7.

``pyproject_hooks`` runs such a script in the project's Python; its own needs Python 3. This one keeps the same contract: the
hook and a folder as arguments, ``input.json`` there holds the keyword arguments, ``output.json`` takes the answer.
"""

from __future__ import print_function

import importlib
import io
import json
import os
import sys
import traceback

_ORDER = ("wheel_directory", "config_settings", "metadata_directory")
_OPTIONAL = {"get_requires_for_build_wheel": [], "_supported_features": []}


def backend():
    name, _, path = os.environ["_PYPROJECT_HOOKS_BUILD_BACKEND"].partition(":")
    module = importlib.import_module(name)
    for part in path.split(".") if path else ():
        module = getattr(module, part)
    return module


def answer_hook(hook, kwargs):
    try:
        project = backend()
    except ImportError as error:
        return {"no_backend": True, "backend_error": str(error), "traceback": traceback.format_exc()}
    if hasattr(project, hook):
        arguments = [kwargs[name] for name in _ORDER if name in kwargs]  # backends may call them otherwise
        return {"unsupported": False, "return_val": getattr(project, hook)(*arguments)}
    if hook in _OPTIONAL:
        return {"unsupported": False, "return_val": _OPTIONAL[hook]}
    return {"unsupported": False, "return_val": None, "hook_missing": True, "missing_hook_name": hook}


def main(hook, folder):
    sys.path[:1] = json.loads(os.environ.get("_PYPROJECT_HOOKS_BACKEND_PATH_JSON") or "[]")
    with io.open(os.path.join(folder, "input.json"), encoding="utf-8") as stream:
        kwargs = json.load(stream)["kwargs"]
    result = answer_hook(hook, kwargs)
    with open(os.path.join(folder, "output.json"), "w") as stream:
        json.dump(dict(result, warnings=[]), stream)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
