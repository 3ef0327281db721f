"""
JSON with comments: reading it, and putting one entry into an object of its text without touching the rest.

Comments and commas before a closing bracket are what editors' settings have beyond JSON. Nothing is written whose result does not
read as the old value with that entry.
"""

from __future__ import annotations

import json
import re
from typing import Any

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)


def read_jsonc(text: str) -> Any:
    """Return the value of a text; ValueError for what is no JSON beside its comments and last commas."""
    return json.loads(_TRAILING.sub(lambda match: match[1] or " ", _blank_comments(text)))


def insert_entry(text: str, path: tuple[str, ...], key: str, value: object) -> str:
    """
    Return a text of an object in which the object at `path` has one more entry, first; missing objects on the way are made.

    ValueError where the text is not one, something on the way is no object, or the key is there.
    """
    root = read_jsonc(text)
    node = root
    for depth, name in enumerate(path):
        if isinstance(node, dict) and name not in node:
            return insert_entry(text, path[:depth], name, _nest(path[depth + 1 :], key, value))
        node = node[name] if isinstance(node, dict) else None
    if not isinstance(node, dict) or key in node:
        raise ValueError(f"there is no object that could get '{key}'")
    start = _opening(_blank_comments(text), path)
    entry = f"{json.dumps(key, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"
    indent = "    " * (len(path) + 1)
    end = "," if node else "\n" + "    " * len(path)
    result = f"{text[: start + 1]}\n{indent}{entry}{end}{text[start + 1 :]}"
    node[key] = value
    if read_jsonc(result) != root:
        raise ValueError("the entry has no safe place")
    return result


def _nest(path: tuple[str, ...], key: str, value: object) -> object:
    nested = {key: value}
    for name in reversed(path):
        nested = {name: nested}
    return nested


def _blank_comments(text: str) -> str:
    """Return a text of the same length with blanks for its comments."""
    return _TOKEN.sub(lambda match: match[0] if match[0][0] == '"' else re.sub(r"[^\n]", " ", match[0]), text)


def _opening(text: str, path: tuple[str, ...]) -> int:
    """Return where the object at `path` opens, in a text without comments."""
    names: list[str | None] = []
    last, waiting = None, None
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]', text):
        token = match[0]
        if token in "{[":
            names.append(waiting)
            if token == "{" and tuple(names[1:]) == path:
                return match.start()
            waiting = None
        elif token in "}]":
            names.pop()
        elif token == ":":
            waiting = last
        elif token == ",":
            waiting = None
        else:
            last = json.loads(token)
    raise ValueError("there is no such object")
