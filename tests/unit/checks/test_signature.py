"""The grammar of signatures: what is written can be read again, and every refusal has its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.targets.maxcompute.signature import (
    NESTED,
    PLAIN,
    UNLISTED,
    NotASignature,
    Signature,
    parse_signature,
)
from reconciler.testing.types import Type

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
SIMPLE = st.sampled_from(sorted(PLAIN | UNLISTED)).map(lambda name: Type(name, 0, 0))
SIZED = st.builds(lambda p, s: Type("DECIMAL", 0, 0, parameters=(p, s)), st.integers(1, 38), st.integers(0, 18))
TEXTS = st.builds(
    lambda name, n: Type(name, 0, 0, parameters=(n,)), st.sampled_from(["CHAR", "VARCHAR"]), st.integers(1, 255)
)


def _nested(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    fields = st.lists(st.tuples(NAMES, inner), min_size=1, max_size=3)
    return st.one_of(
        inner.map(lambda one: Type("ARRAY", 0, 0, (one,))),
        st.tuples(inner, inner).map(lambda two: Type("MAP", 0, 0, two)),
        fields.map(lambda f: Type("STRUCT", 0, 0, tuple(t for _, t in f), fields=tuple(n for n, _ in f))),
    )


TYPES = st.recursive(SIMPLE | SIZED | TEXTS, _nested, max_leaves=5)
SIGNATURES = st.builds(
    Signature,
    st.none() | st.lists(TYPES, max_size=4).map(tuple),
    st.lists(TYPES, min_size=1, max_size=3).map(tuple),
)


@given(SIGNATURES, st.booleans(), st.sampled_from(["", " ", "\t ", "\n"]))
def test_what_is_written_is_read_again_in_any_case_and_spacing(signature: Signature, lower: bool, blank: str) -> None:
    text = str(signature)
    for mark in ",<>:()":
        text = text.replace(mark, f"{blank}{mark}{blank}")
    text = text.replace("-" + blank + ">", "->").replace("->", f"{blank}->{blank}")
    again = parse_signature(text.lower() if lower else text)
    assert str(again).lower() == str(signature).lower()
    for one in (*(again.arguments or ()), *again.outputs):
        for deep in one.all:
            assert text[deep.start : deep.start + deep.width].upper().startswith(deep.name)
            assert not deep.inner or text[deep.start + deep.width - 1] == ">"


@given(st.text(alphabet="bigint,->*<>():array struct map decimal 12é\n\0", max_size=40) | st.text(max_size=20))
def test_anything_is_a_signature_or_a_refusal_with_a_place_in_it(text: str) -> None:
    refused: NotASignature | None = None
    try:
        parse_signature(text)
    except NotASignature as error:
        refused = error
    assert refused is None or (0 <= refused.start <= len(text) and refused.width >= 1)


@pytest.mark.parametrize(
    ("text", "message", "start"),
    [
        ("", "an argument's type is expected here, not the end", 0),
        ("bigint", "',' or '->' is expected here, not the end", 6),
        ("*,bigint->string", "'->' is expected here, not ','", 1),
        ("bigint->*", "the type of a result is expected here, not '*'", 8),
        ("map<bigint->string", "',' and the type of the values is expected here, not '->'", 10),
        ("struct<1:bigint>->string", "the name of a field is expected here, not '1'", 7),
        ("decimal(1234567890,1)->string", "a number is expected here, not '1234567890'", 8),
        ("array<" * 70 + "bigint" + ">" * 70 + "->bigint", "types are nested deeper than 64", 390),
    ],
)
def test_refusal_says_what_is_expected_where(text: str, message: str, start: int) -> None:
    with pytest.raises(NotASignature) as caught:
        parse_signature(text)
    assert (caught.value.message, caught.value.start) == (message, start)


def test_every_nested_type_is_known() -> None:
    assert {one.name for one in parse_signature("array<bigint>,map<string,double>->struct<a:date>").outputs} <= NESTED
