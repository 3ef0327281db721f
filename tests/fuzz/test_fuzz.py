"""Bytes from outside end in a value or in an error with a code: what once did not, and some hundred changes of each seed."""

from __future__ import annotations

import base64
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.mutation import change
from tests.fuzz.subjects import SUBJECTS

CORPUS = Path(__file__).parent / "corpus"
CHANGES = 150


def corpus(name: str) -> list[bytes]:
    """Return the inputs that once ended otherwise: a line each, in base64, with why after a number sign."""
    path = CORPUS / f"{name}.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [base64.b64decode(line) for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("name", SUBJECTS)
def test_no_bytes_end_in_anything_else(name: str) -> None:
    with SUBJECTS[name]() as subject:
        seeds = subject.seeds()
        for data in (*seeds, *corpus(name)):
            subject.attempt(data)
        random = Random(name)
        for _ in range(CHANGES):
            subject.attempt(change(random.choice(seeds), random, seeds))


def test_every_input_of_the_corpus_is_of_a_subject() -> None:
    assert {path.stem for path in CORPUS.iterdir()} <= set(SUBJECTS)
