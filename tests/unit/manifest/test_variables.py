"""``${env:NAME}`` and ``${var:NAME}``: where they are taken, and what they cannot do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifest import variables
from reconciler.manifest.reader import Document, Mapping, read_document
from reconciler.targets.maxcompute.manifest import manifest_of, target_of
from tests.unit.manifest.folder import underlined

if TYPE_CHECKING:
    from tests.unit.manifest.folder import Folder

PROD = """\
    stack: s
    variables: {region: shanghai, stage: top}
    targets:
      prod:
        endpoint: https://${env:HOST}/${var:region}/api
        project: ${var:stage}_${var:name}
        schema: "${env:SCHEMA}"
        variables:
          stage: prod
          name: ${env:NAME}
    functions: {}
"""
ENV = {"HOST": "odps.test", "SCHEMA": "dev", "NAME": "risk"}


def test_a_target_takes_both_kinds_and_its_own_variables_win(folder: Folder) -> None:
    target = target_of(folder.load(PROD, env=ENV))
    assert (target.endpoint, target.project, target.schema_) == ("https://odps.test/shanghai/api", "prod_risk", "dev")
    assert target.variables == {"stage": "prod", "name": "risk"}


def test_variables_go_into_any_text_but_not_into_keys(folder: Folder) -> None:
    folder.files("v2/a.py")
    text = """\
        stack: ${var:stack}
        python: ${var:python}
        variables: {stack: s, python: cp311, dir: v2, n: 3, text: "3"}
        functions:
          f:
            source: ${var:dir}/a.py
            class: A
            description: "costs $${var:dir} and $5 and ${var:n}"
            tests:
              - args:
                  - ${var:n}
                  - "${var:n}"
                  - {a: ["${var:text}"]}
                returns: ~
    """
    loaded = folder.load(text)
    function = loaded.manifest.functions["f"]
    assert (loaded.manifest.stack, loaded.code["f"].runtime.tag) == ("s", "cp311")
    assert function.description == "costs ${var:dir} and $5 and 3"
    assert function.tests[0].input[0] == [3, "3", {"a": ["3"]}]
    assert folder.says("stack: s\nvariables: {a: b}\nfunctions: {'${var:a}': {class: m.C}}\n")[0] == (
        "3:13 E302 '${var:a}' cannot be the name of a function"
    )


def test_only_the_chosen_target_needs_its_environment(folder: Folder) -> None:
    text = PROD.replace("targets:\n", "targets:\n      local: {project: demo}\n")
    loaded = folder.load(text)
    assert loaded.target_name == "local"
    assert manifest_of(loaded).targets["prod"].schema_ == "${env:SCHEMA}"


def test_undefined_variables_are_underlined_where_they_stand(folder: Folder) -> None:
    problems = folder.problems(
        """\
        stack: s
        variables: {region: x}
        targets:
          local:
            endpoint: 'https://it''s.${env:HOSTT}/${var:region}/${var:regoin}'
            project: "p${env:NAME}"
            schema: "\\x24{env:SCHEMA}"
        functions: {}
        """,
        env={"HOST": "h", "NAME": ""},
    )
    assert [(str(p.at), p.code, p.message, p.hint, underlined(p)) for p in problems] == [
        (
            "udfs.yaml:5:30",
            "E306",
            "the environment variable 'HOSTT' is not set",
            "did you mean 'HOST'?",
            "${env:HOSTT}",
        ),
        ("udfs.yaml:5:57", "E306", "the variable 'regoin' is not defined", "did you mean 'region'?", "${var:regoin}"),
        (
            "udfs.yaml:6:16",
            "E306",
            "the environment variable 'NAME' is empty",
            "set it, or choose another target",
            "${env:NAME}",
        ),
        (
            "udfs.yaml:7:13",
            "E306",
            "the environment variable 'SCHEMA' is not set",
            "set it, or choose another target",
            '"\\x24{env:SCHEMA}"',
        ),
    ]


def test_a_variable_that_resembles_none_is_to_be_defined(folder: Folder) -> None:
    (problem,) = folder.problems("stack: s\nfunctions: {f: {class: '${var:a}'}}\n")
    assert problem.hint == "define it under `variables:`, or under the target's"


def test_an_undefined_variable_is_the_only_complaint_about_its_value(folder: Folder) -> None:
    assert folder.says("stack: s\npython: ${var:x}\nfunctions: {f: {source: '${var:y}.py', class: A}}\n") == [
        "2:9 E306 the variable 'x' is not defined",
        "3:26 E306 the variable 'y' is not defined",
    ]


@pytest.mark.parametrize("text", ["${", "${x}", "${var:}", "${var:a", "${VAR:a}", "${var:a-b}", "a${ b"])
def test_what_looks_like_a_variable_and_is_none_is_refused(folder: Folder, text: str) -> None:
    (problem,) = folder.problems(f"stack: s\nvariables: {{a: b}}\nfunctions: {{f: {{class: '{text}'}}}}\n")
    assert problem.code == "E306"
    assert problem.message == "'${' does not begin a variable here"
    assert underlined(problem) == "${"


def test_the_environment_is_read_under_targets_only(folder: Folder) -> None:
    text = "stack: s\nvariables: {a: '${env:HOME}'}\nfunctions: {f: {class: '${env:HOME}'}}\n"
    assert folder.says(text, env={"HOME": "h"}) == [
        "2:17 E306 the environment is not read here",
        "3:25 E306 the environment is not read here",
    ]


def test_variables_do_not_hold_variables(folder: Folder) -> None:
    text = "stack: s\nvariables: {a: b, c: '${var:a}'}\ntargets: {local: {project: p, variables: {d: '${var:a}'}}}\nfunctions: {}\n"
    assert folder.says(text) == [
        "2:23 E306 a variable's value holds no other variable",
        "3:47 E306 a variable's value holds no other variable",
    ]


def test_a_value_is_replaced_once(folder: Folder) -> None:
    text = """\
        stack: s
        variables: {a: "$${var:a}"}
        targets: {local: {project: p, variables: {b: "${env:B}"}}}
        functions: {f: {source: a.py, class: A, description: "${var:a} ${var:b}"}}
    """
    function = folder.files("a.py").load(text, env={"B": "${var:a}${env:B}"}).manifest.functions["f"]
    assert function.description == "${var:a} ${var:a}${env:B}"


@pytest.mark.parametrize(
    "value", ["a: b", "[1, 2]", "{x: y}", "&a", "!!int 3", "a\nstack: other", "'", '"', "# no", "*a", "\t", "- x", "~"]
)
def test_nothing_in_a_variable_is_read_as_yaml(folder: Folder, value: str) -> None:
    text = "stack: s\ntargets: {local: {project: p, variables: {v: '${env:V}'}}}\nfunctions: {f: {source: a.py, class: A, description: '${var:v}'}}\n"
    loaded = folder.files("a.py").load(text, env={"V": value})
    assert loaded.manifest.functions["f"].description == value
    assert loaded.manifest.stack == "s"


def test_a_variable_with_control_characters_is_refused_where_it_is_used(folder: Folder) -> None:
    text = "stack: s\ntargets:\n  local:\n    project: ${env:P}\nfunctions: {}\n"
    assert folder.says(text, env={"P": "p\x1b[2J"}) == [
        "4:14 E103 'project' holds a control or bidirectional character"
    ]
    assert folder.says(text, env={"P": "p\udcff"}) == ["4:14 E103 'project' holds half of a character"]
    assert folder.says(text, env={"P": "p\nq"}) == ["4:14 E203 the project of the target 'local' cannot be used"]


def test_variables_cannot_make_a_bomb(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variables, "MAX_ADDED", 2_500)
    text = f"stack: s\nvariables: {{v: {'x' * 1_000}}}\nfunctions:\n" + "".join(
        f"  f{index}: {{class: '${{var:v}}${{var:v}}'}}\n" for index in range(3)
    )
    said = [line for line in folder.says(text) if "E104" in line]
    assert said == ["5:15 E104 variables add more than 0 MB"]


@pytest.mark.parametrize(
    "text",
    [
        "stack: s\nvariables: ['${var:a}']\nfunctions: {}\n",
        "stack: s\nvariables: {a: {b: '${var:a}'}}\nfunctions: {}\n",
        "stack: s\ntargets: ['${env:a}']\nfunctions: {}\n",
        "stack: s\ntargets: {local: '${env:a}'}\nfunctions: {}\n",
        "stack: s\ntargets: {local: {project: ['${env:a}'], variables: '${env:a}'}}\nfunctions: {}\n",
        "- ${var:a}\n",
    ],
)
def test_variables_in_a_manifest_of_another_shape_are_complaints_about_the_shape(folder: Folder, text: str) -> None:
    assert {problem.code for problem in folder.problems(text)} <= {"E202", "E306"}
    assert folder.problems(text)


@settings(deadline=None)
@given(st.text(st.sampled_from("$&{}ab:var env\\"), max_size=20))
def test_every_dollar_in_a_scalar_has_a_place_in_the_file(value: str) -> None:
    import json

    made = Document("udfs.yaml")
    read_document(f"a: {json.dumps(value)}\nb: $${{\n".encode(), made)
    assert isinstance(made.root, Mapping)
    places = made.dollars(3, value)
    assert len(places) == value.count("${")
    assert all(made.text.startswith("${", place) for place in places)


@pytest.mark.parametrize(
    "name",
    [
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "ALIBABA_CLOUD_SECURITY_TOKEN",
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "PIP_PASSWORD",
        "aws_secret_access_key",
        "GITHUB_TOKEN",
    ],
)
@pytest.mark.parametrize("place", ["project: '${env:%s}'", "project: p, variables: {x: '${env:%s}'}"])
def test_a_credential_of_the_environment_never_comes_into_a_manifest(folder: Folder, name: str, place: str) -> None:
    text = f"stack: s\ntargets: {{local: {{{place % name}}}}}\nfunctions: {{}}\n"
    (problem,) = folder.problems(text, env={name: "hush-hush"})
    assert (problem.code, underlined(problem)) == ("E306", f"${{env:{name}}}")
    assert name in problem.message
    assert "hush" not in repr(problem)
