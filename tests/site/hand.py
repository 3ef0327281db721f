"""
Hands of others: what somebody does to a project with the console client, so that pages can show what udfs says of it.

``hand put NAME FILE``, ``hand create NAME FILE [TYPE]``, ``hand function NAME CLASS RESOURCES``, ``hand drop NAME``, ``hand drop-function NAME``
reach the project ``demo`` of the MaxCompute that ``endpoint: local`` starts in the current folder, ``hand fc METHOD PATH [JSON]`` its Function Compute.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from reconciler.local import Server
from reconciler.local.fc import FcServer

if TYPE_CHECKING:
    from collections.abc import Sequence

STORE = Path(".udfs/maxcompute")
FUNCTIONS = Path(".udfs/fc")


def act(arguments: Sequence[str]) -> None:
    """Do what the words say, as bob."""
    verb, name, *rest = arguments
    if verb == "fc":
        act_on_functions(name, *rest)
        return
    STORE.mkdir(parents=True, exist_ok=True)
    with Server(STORE, environment=os.environ) as server:
        base = f"{server.url}/projects/demo"
        headers = {"Authorization": "ODPS bob:unsigned"}
        if verb in {"put", "create"}:
            headers |= {"x-odps-resource-type": rest[1] if len(rest) > 1 else "py", "x-odps-resource-name": name}
            method, url = ("PUT", f"{base}/resources/{name}") if verb == "put" else ("POST", f"{base}/resources")
            answer = requests.request(method, url, data=Path(rest[0]).read_bytes(), headers=headers, timeout=10)
        elif verb == "function":
            listed = "".join(f"<ResourceName>{item}</ResourceName>" for item in rest[1].split(","))
            body = f"<Function><Alias>{name}</Alias><ClassType>{rest[0]}</ClassType><Resources>{listed}</Resources></Function>"
            headers["Content-Type"] = "application/xml"
            answer = requests.post(f"{base}/registration/functions", data=body, headers=headers, timeout=10)
        else:
            kind = {"drop": "resources", "drop-function": "registration/functions"}[verb]
            answer = requests.delete(f"{base}/{kind}/{name}", headers=headers, timeout=10)
        assert answer.ok, answer.text


def act_on_functions(method: str, path: str, body: str | None = None) -> None:
    """Send one request to the local Function Compute."""
    with FcServer(FUNCTIONS) as server:
        answer = requests.request(method, f"{server.url}/2023-03-30{path}", data=body, timeout=10)
        assert answer.ok, answer.text
