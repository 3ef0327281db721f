"""
Tests of the manifest against signatures: what a test gives a function, and what it expects, are values of the signature's types.

An argument is judged by the code that reads it in a worker, an expectation by how it will be compared (`testing.expectations`). What a
source does not tell without being run is not judged.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

from reconciler.base.errors import count
from reconciler.base.words import quote
from reconciler.checks import VERSION
from reconciler.local.runner.worker.frames import Misfit, NoSignature
from reconciler.local.runner.worker.values import SignatureReader
from reconciler.packages.fetch.cache import LastRun
from reconciler.targets.maxcompute.manifest import manifest_of
from reconciler.targets.maxcompute.source_rules import SOURCE_RULES, declared_signature
from reconciler.testing.expectations import find_impossible, format_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from reconciler.base.errors import Problem
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts
    from reconciler.targets.maxcompute.manifest import Function, SqlTest
    from reconciler.targets.maxcompute.signature import Signature

_CODE = "E376"
_LONGEST = 100
"""Characters of a list that a message shows."""

_Reader: Any = SignatureReader
"""The worker's code has no types: it is Python 2.7, too."""


_Findings: TypeAlias = tuple[tuple[str, str, tuple[str | int, ...]], ...]
"""Of a function: message, signature, and the place below its tests."""


def check_tests(loaded: Loaded, artifacts: Artifacts, cache: Path) -> Iterator[Problem]:
    """
    Yield every argument that is none of its type, and every expectation that no result of the function can meet.

    What a function's tests came to is kept by all that it depends on: its files, its entry in the manifest, and this version.
    """
    memory = LastRun(cache, "tests", str(loaded.folder), _Findings)
    for name, function in manifest_of(loaded).functions.items():
        if not function.tests:
            continue
        key = _all_it_depends_on(loaded, artifacts, name, function)
        findings = memory.get(key)
        if findings is None:
            findings = tuple(_judge(loaded, name, function))
        memory.put(key, findings)
        for message, signature, keys in findings:
            yield loaded.problem(
                _CODE, message, "functions", name, "tests", *keys, hint=f"{name} is declared as {signature}"
            )
    memory.save()


def _all_it_depends_on(loaded: Loaded, artifacts: Artifacts, name: str, function: Function) -> str:
    contents = [(item.name, item.content and item.content.sha256) for item in artifacts.shipments[name].items]
    depends_on = (
        VERSION,
        SOURCE_RULES.version,
        sys.version_info[:3],
        loaded.code[name].runtime.tag,
        contents,
        function,
    )
    return hashlib.sha256(repr(depends_on).encode()).hexdigest()


def _judge(loaded: Loaded, name: str, function: Function) -> Iterator[tuple[str, str, tuple[str | int, ...]]]:
    kind, signature = declared_signature(loaded, name) or (None, None)
    if kind is None or signature is None:
        return
    for number, test in enumerate(function.tests):
        for message, keys in (*_wrong_arguments(test, signature), *_wrong_results(test, kind, signature)):
            yield message, str(signature), (number, *keys)


def _wrong_arguments(test: SqlTest, signature: Signature) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Yield what is wrong with the arguments of a test, each with its place in it."""
    if signature.arguments is None:
        return
    takes = len(signature.arguments)
    for number, row in enumerate(test.input):
        keys: tuple[str | int, ...] = ("args",) if test.rows is None else ("rows", number)
        if len(row) != takes:
            yield f"{count(len(row), 'argument')}, and the function takes {takes}", keys
    for number, index, why in wrong_cells(str(signature), [row if len(row) == takes else [] for row in test.input]):
        keys = ("args",) if test.rows is None else ("rows", number)
        yield f"argument {index + 1} does not fit: {why}", (*keys, index)


def wrong_cells(signature: str, rows: Iterable[Sequence[Any]]) -> Iterator[tuple[int, int, str]]:
    """Yield row, column and reason of each value that a worker does not read as the argument that the signature has there."""
    try:
        types, _ = _Reader(signature).signature()
    except NoSignature:
        return  # a type that the worker does not know is told of already (E811)
    for number, row in enumerate(rows):
        for index, (value, kind) in enumerate(zip(row, types, strict=False)):
            try:
                kind.from_cell(["j", json.loads(json.dumps(value))])
            except Misfit as error:
                yield number, index, str(error)


def _wrong_results(test: SqlTest, kind: str, signature: Signature) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Yield what a test expects and no result can be, each with its place in the test."""
    if test.raises is not None:
        return
    expected, outputs = test.returns, signature.outputs
    keys: tuple[str | int, ...] = ("returns",)
    if kind == "UDTF":
        if not isinstance(expected, list) or not all(isinstance(row, list) for row in expected):
            yield "`returns` of a table function is a list of rows, each a list", keys
            return
        for index, row in enumerate(expected):
            if len(row) != len(outputs):
                yield f"a row of {len(row)} is expected, and the function gives rows of {len(outputs)}", (*keys, index)
            for column, (value, type_) in enumerate(zip(row, outputs, strict=False)):
                yield from _impossible(value, type_, (*keys, index, column))
    elif kind == "UDF" and test.rows is not None:
        if not isinstance(expected, list) or len(expected) != len(test.rows):
            yield f"`returns` over {count(len(test.rows), 'row')} is a list of as many values", keys
            return
        for index, value in enumerate(expected):
            yield from _impossible(value, outputs[0], (*keys, index))
    else:
        yield from _impossible(expected, outputs[0], keys)


def _impossible(value: Any, type_: Any, keys: tuple[str | int, ...]) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    if (difference := find_impossible(value, type_)) is not None:
        where, expected, kind = difference
        position = f" at {where}" if where else ""
        text = quote(expected) if isinstance(expected, str) else format_value(expected, as_json=True)[:_LONGEST]
        yield f"no {kind} is equal to {text}{position}", keys
