"""
GitHub's published description of its API, and whether a request is what it describes.

The description comes from npm, where GitHub's own library is made from it; its file is kept among the caches of the machine.
Only what a request may be is looked at: path, query, body.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

PACKAGE = "@octokit/openapi@23.0.2"
_MEMBER = "package/generated/api.github.com.json"


class NotDescribed(AssertionError):
    """A request that GitHub's description does not have, or that it has otherwise."""


def load() -> Description:
    """Return the description; without npm, which pipelines have, the test is skipped."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "udfs-tests"
    file = caches / f"{re.sub('[^a-z0-9.]+', '-', PACKAGE)}.json"
    if not file.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("needs npm, which fetches GitHub's description of its API")
        caches.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=caches) as folder:
            command = [npm, "pack", PACKAGE, "--silent", "--pack-destination", folder]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=300, cwd=folder)
            with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
                member = archive.extractfile(_MEMBER)
                assert member is not None
                Path(folder, "part").write_bytes(member.read())
            Path(folder, "part").replace(file)
    return Description(json.loads(file.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Description:
    """The whole of it."""

    document: dict[str, Any]

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], dict[str, Any]]]:
        return [
            (re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))), methods)
            for path, methods in self.document["paths"].items()
        ]

    def check(self, method: str, path: str, query: dict[str, str], body: Any) -> None:
        """Raise NotDescribed if a request is not as described."""
        operation, parts = self._operation(method, path)
        declared = {
            (parameter["in"], parameter["name"]): parameter
            for parameter in map(self._whole, operation.get("parameters", ()))
        }
        for name, value in parts.items():
            self._check_text(value, declared["path", name]["schema"], f"{name} of the path")
        for name, value in query.items():
            if ("query", name) not in declared:
                raise NotDescribed(f"{method} {path} takes no {name}")
            self._check_text(value, declared["query", name]["schema"], name)
        content = self._whole(operation.get("requestBody", {})).get("content", {})
        if body is None:
            if self._whole(operation.get("requestBody", {})).get("required"):
                raise NotDescribed(f"{method} {path} wants a body")
            return
        if "application/json" not in content:
            raise NotDescribed(f"{method} {path} takes no body")
        schema = self._whole(content["application/json"]["schema"])
        more = body.keys() - schema["properties"].keys()
        if more:
            raise NotDescribed(f"{method} {path} knows no {', '.join(sorted(more))}")
        self._check_value(body, schema, f"the body of {method} {path}")

    def _operation(self, method: str, path: str) -> tuple[dict[str, Any], dict[str, str]]:
        for pattern, methods in self._paths:
            match = pattern.fullmatch(path)
            if match and method.lower() in methods:
                return methods[method.lower()], {name: unquote(value) for name, value in match.groupdict().items()}
        raise NotDescribed(f"there is no {method} {path}")

    def _whole(self, node: Any) -> Any:
        """Return a part of the description without references, and with what may be null as JSON Schema says it."""
        if isinstance(node, list):
            return [self._whole(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            target: Any = self.document
            for key in node["$ref"].removeprefix("#/").split("/"):
                target = target[key]
            return self._whole(target)
        node = {key: self._whole(value) for key, value in node.items() if key not in {"example", "examples"}}
        if node.pop("nullable", False) and isinstance(node.get("type"), str):
            node["type"] = [node["type"], "null"]
        return node

    def _check_text(self, text: str, schema: Any, what: str) -> None:
        schema = self._whole(schema)
        value: Any = int(text) if schema.get("type") == "integer" and text.isdigit() else text
        self._check_value(value, schema, what)

    def _check_value(self, value: Any, schema: Any, what: str) -> None:
        error = next(jsonschema.Draft4Validator(schema).iter_errors(value), None)
        if error is not None:
            raise NotDescribed(f"{what}: {error.message}")
