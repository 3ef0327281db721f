"""The guard over YAML: what is taken, what is refused, and where."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.manifest import reader
from reconciler.manifest.reader import Document, Mapping, Sequence, read_document
from reconciler.manifest.section import Plain
from tests.unit.manifest.folder import brief, underlined

BASE: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""libyaml's, as the reader uses it: the two differ, for one in whether a line may end in a tab."""


def document(text: str | bytes) -> Document:
    made = Document("udfs.yaml")
    read_document(text if isinstance(text, bytes) else text.encode(), made)
    return made


def says(text: str | bytes) -> list[str]:
    return [brief(problem) for problem in document(text).problems]


@pytest.fixture(params=["libyaml", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both of PyYAML's parsers, where both are there."""
    if request.param == "pure":
        monkeypatch.setattr(yaml, "__with_libyaml__", False)
    elif not yaml.__with_libyaml__:
        pytest.skip("this PyYAML is built without libyaml")
    return str(request.param)


@pytest.mark.usefixtures("parser")
def test_plain_scalars_stay_undecided_and_quoted_ones_are_text() -> None:
    root = document("a: no\nb: 'no'\nc: [3.10, \"3.10\"]\nd: |\n  1:30\ne:\n").root
    assert root == {"a": "no", "b": "no", "c": ["3.10", "3.10"], "d": "1:30\n", "e": ""}
    assert [type(value) for value in (root["a"], root["b"], *root["c"], root["d"], root["e"])] == [
        Plain, str, Plain, str, str, Plain
    ]  # fmt: skip
    assert all(type(key) is str for key in root)


@pytest.mark.usefixtures("parser")
def test_keys_values_and_items_remember_their_places() -> None:
    made = document("é:\n  - 😀\n  - {b: 'c'}\n")
    assert isinstance(made.root, Mapping)
    assert isinstance(made.root["é"], Sequence)
    places = {
        (): "1:1",
        ("é",): "1:1",
        ("é", 0): "2:5",
        ("é", 1): "3:5",
        ("é", 1, "b"): "3:9",
    }
    for keys, place in places.items():
        at = made.position(made.find(*keys)[0])
        assert f"{at.line}:{at.column}" == place, keys


def test_a_place_that_is_not_there_is_that_of_its_nearest_ancestor() -> None:
    made = document("a:\n  b: [x]\n")
    for keys in (("a", "zz"), ("a", "zz", 1), ("a", 0)):
        assert made.find(*keys) == made.find("a")
    assert made.find("a", "b", 7) == made.find("a", "b")
    assert made.find("a", "b", 0, "c") == made.find("a", "b", 0)
    assert made.find_key("a", "zz") == made.find("a")
    assert made.value("a", "b", 7) is None
    assert made.value("a", "b", 0, "c") is None


def test_a_key_without_a_value_is_shown_where_the_key_stands() -> None:
    assert document("a:\n  b:\n").find("a", "b") == (5, 1)


@pytest.mark.parametrize(
    ("text", "keys", "shown"),
    [
        ("a: plain text # not this", ("a",), "plain text"),
        ("a: 'it''s'", ("a",), "'it''s'"),
        ('a: "x\\ty"', ("a",), '"x\\ty"'),
        ("a: |\n  block\n", ("a",), "|"),
        ('a: "over\n  two"', ("a",), '"'),
        ("'quoted key': {}", ("quoted key",), "'quoted key'"),
        ("a: [{b: c}]", ("a", 0), "{"),
    ],
)
def test_the_caret_underlines_the_scalar(text: str, keys: tuple[str | int, ...], shown: str) -> None:
    made = document(text)
    mark, width = made.find(*keys)
    assert underlined(made.problem("E000", "x", mark, width=width)) == shown


@pytest.mark.usefixtures("parser")
def test_a_duplicate_key_names_both_places() -> None:
    made = document("a: 1\nb:\n  c: 1\n  c: 2\n'a': 3\n")
    assert [brief(problem) for problem in made.problems] == [
        "4:3 E110 the key 'c' is there twice",
        "5:1 E110 the key 'a' is there twice",
    ]
    assert made.problems[0].hint == "it is first at line 3, column 3; keep one"
    assert made.whole


@pytest.mark.usefixtures("parser")
def test_all_refusals_are_reported_at_once() -> None:
    assert says(
        "%YAML 1.1\n---\na: &x 1\nb: *x\nc: !!int 3\nd: !mine [1]\ne:\n  <<: *x\n  *x : 1\n? [k]\n: v\n---\nf: 1\n"
    ) == [
        "1:1 E113 directives are not allowed",
        "3:4 E106 the anchor '&x' is not allowed",
        "4:4 E106 the alias '*x' is not allowed",
        "5:4 E107 the tag 'tag:yaml.org,2002:int' is not allowed",
        "6:4 E107 the tag '!mine' is not allowed",
        "8:3 E108 merge keys are not allowed",
        "8:7 E106 the alias '*x' is not allowed",
        "9:3 E106 the alias '*x' is not allowed",
        "10:3 E114 a key is a text, not a list or mapping",
        "12:1 E109 a second document begins here",
    ]


def test_a_quoted_merge_key_is_a_name_like_any_other() -> None:
    assert says("'<<': 1\n") == []


@pytest.mark.usefixtures("parser")
def test_a_document_may_be_marked_and_ended() -> None:
    assert says("# comment\n---\na: 1\n...\n# more\n") == []


def test_an_unquoted_reference_in_braces_gets_the_advice_to_quote_it() -> None:
    (problem,) = document("prod: {endpoint: ${env:ENDPOINT}}\n").problems
    assert brief(problem).startswith("1:19 E111 not YAML: ")
    assert problem.hint == 'inside { } and [ ] put quotes around it: "${env:NAME}"'


def test_a_key_in_braces_gets_the_advice_to_quote_it() -> None:
    (problem, *_) = document("a: {{name}}\n").problems
    assert (problem.code, problem.hint) == ("E114", "put quotes around text that begins with {")


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("a:\n\tb: 1\n", "2:1", "indent with spaces, not tabs"),
        ("a: @x\n", "1:4", "put quotes around the value"),
        ("a: b: c\n", "1:5", "put quotes around the value"),
        ("a: [1,\n  2\n\n\n", "2:4", "while parsing a flow sequence, which begins at line 1, column 4"),
        ("a: 1\nb\n", "2:2", "while scanning a simple key, which begins at line 2, column 1"),
    ],
)
def test_a_syntax_error_has_a_place_and_advice(text: str, place: str, hint: str) -> None:
    (problem,) = document(text).problems
    assert (problem.code, f"{problem.at.line}:{problem.at.column}" if problem.at else "") == ("E111", place)
    assert problem.hint == hint


def test_a_syntax_error_without_context_still_has_a_hint_or_none() -> None:
    (problem,) = document("a: b\n c: d\n").problems
    assert (brief(problem), problem.hint) == ("2:3 E111 not YAML: mapping values are not allowed in this context", None)


def test_what_the_pure_parser_lets_through_is_a_problem_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert says('a: "\\UFFFFFFFF"\n') == ["1:1 E111 not YAML: OverflowError"]
    assert says('a: "\\U00FFFFFF"\n') == ["1:1 E111 not YAML: ValueError"]


def test_an_error_of_the_parser_without_a_place_is_at_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd:
        def __init__(self, text: str) -> None:
            pass

        def get_event(self) -> Any:
            raise yaml.MarkedYAMLError(problem="odd")

    monkeypatch.setattr(reader, "yaml_parser", lambda: Odd)
    assert says("a: 1") == ["1:1 E111 not YAML: odd"]


def test_more_values_than_a_manifest_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_EVENTS", 20)
    assert says("[" + "a," * 10 + "]") == []
    assert says("[" + "a," * 20 + "]") == ["1:1 E104 more than 20 values"]


def test_what_is_longer_than_any_manifest_is_not_parsed() -> None:
    assert says("#" * 8_000_001) == ["1:1 E104 more than 8 MB"]


def test_the_search_ends_when_there_is_more_than_anyone_reads(folder: Any) -> None:
    assert len(folder.problems("a: 1\n" * 3_000)) == reader.MAX_PROBLEMS


def test_empty_is_said_to_be_empty() -> None:
    for text in ("", "\n\n", "# only a comment\n", "---\n", "---\n...\n", "''"):
        assert says(text) == ["1:1 E112 the manifest is empty"] or text in ("---\n", "---\n...\n", "''"), text
        assert document(text).problems[0].code == "E112"


def test_the_source_line_shows_nothing_invisible() -> None:
    (problem,) = document("a: x\u202ey\n").problems
    assert problem.source == "a: x\ufffdy"


def test_the_source_line_of_a_very_long_line_is_left_out() -> None:
    (problem,) = document("a: &x '" + "b" * 3_000 + "'\n").problems
    assert problem.source is None


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("a: &x http://me:hunter2@host/api", "a: &x http://**********@host/api"),
        ("a: &x {access_key_secret: abc, b: c}", "a: &x {access_key_secret: ***, b: c}"),
        ("a: &x {'token': abc}", "a: &x {'token': ***}"),
        ("a: &x {PASSWORD: 'a b', b: c}", "a: &x {PASSWORD: *****, b: c}"),
        ('a: &x {my_token: "a b', "a: &x {my_token: ****"),
        ("a: &x https://host/api?x=y@z", "a: &x https://************@z"),
    ],
)
def test_the_source_line_shows_no_credentials(line: str, shown: str) -> None:
    assert document(line).problems[0].source == shown


_SCALARS = st.text(st.sampled_from("ab1 :-#'\"\\\n,[]{}é😀.~"), max_size=8)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_SCALARS, inner, max_size=3), max_leaves=12
)


@settings(deadline=None)
@given(
    _VALUES,
    st.sampled_from([None, "'", '"', "|"]),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, "\r\n"]),
    st.booleans(),
)
def test_whatever_is_taken_means_what_yaml_says_it_means(
    value: Any, style: Any, flow: Any, line_break: Any, allow_unicode: bool
) -> None:
    text = yaml.dump(
        value, default_style=style, default_flow_style=flow, line_break=line_break, allow_unicode=allow_unicode
    )
    made = document(text)
    if not made.problems:
        assert made.root == yaml.load(text, BASE)
    else:
        assert {problem.code for problem in made.problems} <= {"E107", "E112"}


@settings(deadline=None)
@given(st.text(st.sampled_from("ab: -\n{}[],'\"|>?&*!%#~\t"), max_size=40))
@example("? a")
@example("- - a\n  - b\n")
def test_the_reader_takes_nothing_that_yaml_does_not(text: str) -> None:
    made = document(text)
    if made.whole and not made.problems:
        assert made.root == yaml.load(text, BASE)


@settings(deadline=None)
@given(_VALUES)
def test_both_parsers_give_the_same_places(value: Any) -> None:
    text = yaml.dump(value, allow_unicode=True)
    made = document(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "__with_libyaml__", False)
        pure = document(text)
    assert pure.root == made.root
    if isinstance(made.root, Mapping | Sequence):
        assert [marks for marks in _marks(pure.root) if marks] == [marks for marks in _marks(made.root) if marks]


def _marks(value: Any) -> list[object]:
    if isinstance(value, Mapping):
        return [value.marks, *(mark for item in value.values() for mark in _marks(item))]
    if isinstance(value, Sequence):
        return [value.marks, *(mark for item in value for mark in _marks(item))]
    return []
