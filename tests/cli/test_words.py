"""Words that people type: what they mean is done or named, and no hint ever names a command that takes something away."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import __version__
from reconciler.base.hints import spell
from reconciler.cli.entry import run
from reconciler.cli.overview import COMMANDS
from reconciler.cli.support.synonyms import TAKING, no_command
from tests.builders import wheel

PACKAGE = Path(__file__).parents[2] / "reconciler"
NAMED_BY_THE_USER = {
    "core/versions.py": "the error is raised by `udfs rollback` alone",
    "manifest/model.py": "the schema says what `grace:` means, and `gc` is what it is for",
}
TAKES = re.compile(rf"\budfs ({'|'.join(sorted(TAKING))})\b|did you mean '({'|'.join(sorted(TAKING))})'|\brm -")
LETTERS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz-", max_size=12)


def spoilt() -> st.SearchStrategy[str]:
    """Words that are nearly a command which takes something away."""
    words = st.sampled_from(sorted(TAKING))
    cut = st.builds(lambda word, at: word[:at] + word[at + 1 :], words, st.integers(0, 8))
    swapped = st.builds(lambda word, at: word[:at] + word[at : at + 2][::-1] + word[at + 2 :], words, st.integers(0, 8))
    longer = st.builds(lambda word, at, more: word[:at] + more + word[at:], words, st.integers(0, 8), LETTERS)
    return st.one_of(LETTERS, cut, swapped, longer)


@given(spoilt().filter(lambda word: word not in COMMANDS))
def test_no_mistyped_word_is_answered_with_a_command_that_takes_something_away(word: str) -> None:
    [problem] = no_command(word).problems
    assert not TAKES.search(problem.message.replace(f"'{word}'", "")), problem
    assert not TAKES.search(spell(problem.hint)), problem


def test_no_hint_names_a_command_that_takes_something_away() -> None:
    """Every hint that is a value, and every other text of the product that is not a docstring."""
    named = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Command") and node.args:
                command = node.args[0]
                # What is worked out cannot be looked up here.
                assert isinstance(command, ast.Constant | ast.Attribute | ast.Name), f"{name}: {ast.unparse(node)}"
                named |= {
                    (name, word) for word in TAKING if isinstance(command, ast.Constant) and command.value == word
                }
            elif isinstance(node, ast.Constant) and id(node) not in prose and TAKES.search(str(node.value)):
                named.add((name, str(node.value)))
    assert {name for name, _ in named} == set(NAMED_BY_THE_USER), named


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("deploy up push", "udfs apply"),
        ("diff preview", "udfs plan"),
        ("check lint", "udfs validate"),
        ("remove delete rm down", "udfs plan"),
        ("logs", "udfs history"),
        ("describe", "udfs show"),
    ],
)
def test_the_word_of_another_tool_names_the_command_that_is_meant_and_starts_nothing(
    words: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    before = sorted(tmp_path.rglob("*"))
    capsys.readouterr()
    for word in words.split():
        assert run([word, "--yes"]) == 3
        said = capsys.readouterr()
        assert f"error[E901]: no command '{word}'" in said.err
        assert command in said.err
    assert sorted(tmp_path.rglob("*")) == before


def test_version_and_help_are_words_too(capsys: pytest.CaptureFixture[str]) -> None:
    for words, flags in ((["version"], ["--version"]), (["help"], ["--help"]), (["help", "plan"], ["plan", "--help"])):
        assert run(words) == 0
        said = capsys.readouterr().out
        assert run(flags) == 0
        assert capsys.readouterr().out == said
    assert run(["version"]) == 0
    assert capsys.readouterr().out == f"udfs {__version__}\n"
    assert run(["help", "nonsense"]) == 3


NEARLY = [
    ("plan --format jsno", "json"),
    ("plan --formt json", "--format"),
    ("drift --refresh ful", "full"),
    ("ci publish --to githb", "github"),
    ("completion bsh", "bash"),
    ("schema udf.yaml", "udfs.yaml"),
    ("schema --kind fcc", "fc"),
    ("explain --kind flnk functions", "flink"),
    ("lok", "lock"),
    ("ci pln", "plan"),
    ("runtime lst", "list"),
    ("runtime make cp3111", "cp311"),
    ("explain E2144", "E214"),
    ("explain sourc", "functions.source"),
    ("explain functions.tset", "functions.tests"),
    ("explain polcy.x", "policy"),
    ("plan -f udfs.yml", "udfs.yaml"),
    ("plan --target locl", "local"),
    ("plan gret", "greet"),
    ("list gret", "greet"),
    ("show gret", "greet"),
    ("call gret World", "greet"),
    ("test gret", "greet"),
    ("verify gret", "greet"),
    ("build gret", "greet"),
    ("deps gret", "greet"),
    ("adopt gret --yes", "greet"),
    ("disown gret --yes", "greet"),
    ("import gret", "greet"),
    ("export maxframe wrds", "words"),
    ("sql \"SELECT gret('x')\"", "greet"),
    ("serve --deny creat-function", "CreateFunction"),
    ("serve --set namespace_shema=1", "namespace_schema"),
]
"""A command with a word that is nearly right, and the word that is meant."""


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a stack that is applied: a function 'greet', and a package 'words' that nothing uses."""
    folder = tmp_path_factory.mktemp("words")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(["init"]) == 0
        with (folder / "udfs.yaml").open("a") as manifest:
            manifest.write(f"packages:\n  words: {{wheels: [{wheel(folder, 'words').name}]}}\n")
        assert run(["apply", "--yes"]) == 0
    return folder


@pytest.mark.parametrize(("words", "meant"), NEARLY, ids=[words for words, _ in NEARLY])
def test_a_word_that_is_nearly_right_is_answered_with_the_word_that_is_meant(
    words: str, meant: str, applied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(applied)
    assert run(shlex.split(words)) == 3
    said = capsys.readouterr().err
    assert f"  help: did you mean '{meant}'?\n" in said, said
    assert said.count("did you mean") == 1


def test_a_guess_is_worded_in_one_place() -> None:
    """What has a hint of its own shape: which key of a key, which type, which class is meant by the line that is shown."""
    worded = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"[Dd]id you mean [^?]*\?", path.read_text(encoding="utf-8"))
    }
    assert worded == {"base/words.py"}
