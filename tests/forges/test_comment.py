"""A comment says what counts however much there is, and nothing that comes from a pull request is more than text in it."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reconciler.render.findings import workflow_commands
from reconciler.render.forges.comment import compose_section
from reconciler.render.forges.drift_issue import issue_body, issue_title, read_drift_mark
from reconciler.render.forges.reports import PipelineReport, TargetReport, read_report
from reconciler.render.forges.sections import ROOM, RunNumber, is_marked, place_section
from reconciler.workflow.ci.index import EntryDocument
from tests.forges import runs
from tests.forges.runs import change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

LINK = "https://github.example/acme/functions/actions/runs/1000"
OURS = re.compile(r"</?details>|</?summary>|<br>|<!-- udfs:(ci|end|(plan|apply|check) run=\d+\.\d+) -->")
SECTION_ENDS = (
    "x\n<!-- udfs:end -->\n\n<!-- udfs:apply run=9999999.1 -->\n### Applied: 1 of 1 target\n<!-- udfs:end -->"
)
ATTACKS = (
    SECTION_ENDS,
    "<!-- udfs:ci -->",
    "</summary></details><script>alert(1)</script><details open>",
    "::error file=a.py,line=1::nothing\n::add-mask::e",
    "##[add-mask]e",
    "%0A::stop-commands::x%0D%0A",
    "@octocat and @acme/owners, closes #1, GH-1, acme/other#2, https://evil.example www.evil.example",
    "[approve](javascript:alert(1)) ![x](https://evil.example/x.png) <https://evil.example>",
    "` | `` | ``` | \\| ~~~ \n\n```\n| - | function `x` | \n- [x] approved by @ann",
    "udfs\u200b\u200d\u2060 \u202e\u2066evil\u2069\u202c \ufeff \x1b[2J\x07 \r\n",
    "/approve\n/lgtm\n\n# Approved\n---\n**LGTM**",
    "&lt;!-- udfs:end --&gt; &#60;script&#62; &commat;ann",
)

hostile = st.one_of(
    st.sampled_from(ATTACKS),
    st.text(alphabet="`|<>!-&@#[]()*_~:/%\\\n\r\u202e\u200b abcuf.0", max_size=60),
    st.lists(st.sampled_from(ATTACKS), min_size=2, max_size=3).map("".join),
)


def entry(command: str = "plan", outcome: str = "changes", **more: Any) -> EntryDocument:
    fields = {"manifest": "teams/risk/udfs.yaml", "target": "prod", "stack": "risk", "exit_code": 0, "folder": "f"}
    return EntryDocument.model_validate(
        {**fields, "outcome": outcome, "counts": {}, "summary": "in one line", "files": {}, **more}
    )


def targets(document: Any, *entries: EntryDocument) -> tuple[TargetReport, ...]:
    import json

    return tuple(read_report(one, json.dumps(document).encode()) for one in entries or (entry(),))


def comment(command: Any, reports: tuple[TargetReport, ...], body: str = "", run: int = 1000) -> str:
    report = PipelineReport(command, "c" * 40, reports, link=LINK)
    text = place_section(body, command, RunNumber(run, 1), compose_section(report, ROOM[command]))
    assert text is not None
    return text


def tokens(markdown: str) -> Iterator[Token]:
    for token in MarkdownIt("commonmark", {"linkify": False}).enable("table").parse(markdown):
        yield token
        yield from token.children or ()


def require_harmless(markdown: str) -> None:
    """Fail if anything in a comment is more than text that is not ours."""
    for token in tokens(markdown):
        if token.type in {"html_block", "html_inline"}:
            # A summary is one block with the text in it.
            rest = OURS.sub("", token.content)
            assert "<" not in rest, token.content
            rest = html.unescape(rest)
            assert not re.search(r"[@#]\w|://|www\.", rest), token.content
        elif token.type == "link_open":
            assert token.attrs["href"] == LINK
        elif token.type == "text":
            assert not re.search(r"(?<![\w`])@\w|#\d|GH-\d|://|www\.", token.content.replace("GH-1", "")), token.content
        assert token.type not in {"image", "fence", "code_block", "hr"}, token.content
        assert token.type != "heading_open" or token.tag == "h3"
    assert not re.search(r"[^\S\n ]|[\u202a-\u202e\u2060-\u2069\ufeff\u200d\x00-\x09\x0b-\x1f]", markdown)
    # Marks stand where we put them, and nowhere else.
    marks = re.findall(r"<!--.*", markdown)
    assert all(re.fullmatch(OURS, mark) for mark in marks)
    assert len([mark for mark in marks if "end" in mark]) == len([mark for mark in marks if "run=" in mark])


# A counterexample takes minutes to shrink, and is read as well as it is.
@settings(max_examples=80, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(hostile, hostile, hostile, hostile)
@example(*[SECTION_ENDS] * 4)
def test_nothing_of_a_pull_request_is_more_than_text(name: str, message: str, path: str, summary: str) -> None:
    problems = [
        runs.problem("E501", message, file=path, line=1, column=1, hint=message, detail=[name, path]),
        runs.problem("E432", name, "warning", hint=path),
    ]
    changes = [change("create", name), change("delete", path, name), change("update", message, "function", "new", name)]
    document = runs.plan(changes, problems[:1], problems[1:])
    named = entry(manifest=path, target=name, summary=summary, digest=message)
    reports = targets(document, named, entry(outcome="failed", manifest=name, target=None, summary=message))
    body = comment("plan", reports)
    require_harmless(body)
    assert is_marked(body)
    assert body.startswith("<!-- udfs:ci -->\n")

    # What a plan says cannot take the place of what an apply says, nor outlive the next plan.
    applied = comment("apply", targets(runs.report(document, ["done", "failed", "not tried"]), named), body, 1001)
    require_harmless(applied)
    assert applied.endswith(body.removeprefix("<!-- udfs:ci -->"))
    assert applied.count("\n<!-- udfs:apply ") == 1
    following = comment("plan", targets(runs.plan([]), entry(outcome="clean")), applied, 1002)
    assert following == comment("plan", targets(runs.plan([]), entry(outcome="clean")), "", 1002)

    commands = workflow_commands(reports[0].problems).splitlines()
    assert len(commands) == len({*commands}) == 2
    assert all(command.startswith(("::error ", "::warning ")) and command.count("::") >= 2 for command in commands)

    drifted = targets(runs.drift(name, path, who=message), named)[0]
    issue = issue_body(drifted, LINK)
    assert read_drift_mark(issue)
    _, _, rest = issue.partition("\n")
    require_harmless(rest)
    assert "<!--" not in rest
    assert issue_title(drifted).isprintable()
    assert len(issue_title(drifted)) < 256


@pytest.mark.parametrize("length", [1_000_000, 100])
def test_names_of_any_length_leave_room(length: int) -> None:
    names = [change("create", chr(97 + number) * length) for number in range(5)]
    problems = [runs.problem("E501", "m" * length, file="p" * length, line=1)]
    body = comment("plan", targets(runs.plan(names, problems), entry(manifest="p" * length, summary="s" * length)))
    assert len(body) < 60_000
    assert "5 functions" in body or body.count("| + | function ") == 5
    require_harmless(body)


def test_five_thousand_changes_name_every_function() -> None:
    functions = [change("create", f"function_{number:04}", cause="new") for number in range(2_500)]
    modules = [change("create", f"function_{number:04}__1a2b3c4d.py", "resource", "new") for number in range(2_500)]
    document = runs.plan([*modules, *functions])
    body = comment("plan", targets(document))
    assert len(body) < 60_000
    assert all(f"`function_{number:04}`" in body for number in range(2_500))
    assert "2,500 functions, 2,500 resources" in body
    assert "…" not in body
    # What became of it stands above, and the whole is a comment still.
    report = runs.report(document, ["done"] * 4_000 + ["failed"] + ["not tried"] * 999)
    body = comment("apply", targets(report, entry(outcome="failed", exit_code=8)), body, 1001)
    body = comment(
        "check", targets({"format": "udfs.problems/1", "problems": [runs.problem("E301", "x" * 500)] * 500}), body, 1001
    )
    assert len(body) < 60_000
    require_harmless(body)


def test_sections_of_one_run_stand_together_and_who_is_behind_writes_nothing() -> None:
    def write(body: str, command: Any, run: int, attempt: int = 1) -> str | None:
        return place_section(body, command, RunNumber(run, attempt), f"{command} of {run}.{attempt}")

    body = write("", "check", 5) or ""
    body = write(body, "plan", 5) or ""
    assert re.findall(r"\w+ of \d\.\d", body) == ["plan of 5.1", "check of 5.1"]
    assert write(body, "check", 4) is None
    assert write(body, "plan", 4, 9) is None
    body = write(body, "plan", 5, 2) or ""
    assert write(body, "plan", 5, 1) is None
    body = write(body, "apply", 6) or ""
    assert re.findall(r"\w+ of \d\.\d", body) == ["apply of 6.1", "plan of 5.2", "check of 5.1"]
    assert write(body, "apply", 5) is None
    assert re.findall(r"\w+ of \d\.\d", write(body, "check", 7) or "") == ["check of 7.1"]
    # A platform that numbers nothing has the last word.
    assert "plan of 0.1" in (write(body, "plan", 0) or "")
    # Line ends that a forge makes anew do not hide a section.
    assert write(body.replace("\n", "\r\n"), "apply", 5) is None


def test_longer_names_are_counted_by_kind_and_named_as_far_as_they_go() -> None:
    changes = [change("delete", f"old_{number}".ljust(120, "x")) for number in range(2_000)]
    changes += [change("update", f"new_{number}".ljust(120, "x"), "resource") for number in range(3_000)]
    body = comment("plan", targets(runs.plan(changes)))
    assert 40_000 < len(body) < 60_000
    assert "| - | 2,000 functions |" in body
    assert "| ~ | 3,000 resources |" in body
    assert re.search(r"`old_0x+`.* and [\d,]+ more", body)


def test_dangers_come_first_and_what_is_as_it_should_be_last() -> None:
    risky = runs.plan(
        [change("delete", "gone"), change("create", "made")],
        warnings=[runs.problem("E552", "a rollback lacks it", "warning")],
    )
    reports = (
        *targets(runs.plan([]), entry(outcome="clean", target="a", summary="Nothing to do")),
        *targets(risky, entry(target="b")),
        *targets(
            runs.plan([], [runs.problem("E503", "deletes are not allowed")]), entry(outcome="refused", target="c")
        ),
        TargetReport(entry(outcome="failed", target="d", summary="the service cannot be reached")),
    )
    body = comment("plan", reports)
    head = body[: body.index("| manifest |")]
    positions = [head.index(text) for text in ("cannot be reached", "error E503", "deletes 1 function", "warning E552")]
    assert positions == sorted(positions)
    rows = re.findall(r"^\| `teams/risk/udfs.yaml` \| `(\w)` ", body, re.MULTILINE)
    assert rows == ["d", "c", "b", "a"]


def test_more_targets_than_anybody_reads_are_counted() -> None:
    reports = targets(runs.plan([change("create", "f")]), *(entry(manifest=f"m/{n:03}/udfs.yaml") for n in range(400)))
    body = comment("plan", reports)
    assert len(body) < 60_000
    assert re.search(r"and 3\d\d targets more, not shown here", body) or re.search(r"and \d+ targets? more", body)
    assert re.search(r"\d+ targets not shown in full", body)


@pytest.mark.parametrize(
    "content",
    [
        *(
            b"",
            b"null",
            b"[]",
            b"{",
            b'{"format": "udfs.plan/9"}',
            b'{"format": ["udfs.plan/1"]}',
            b"\xff",
            b"[" * 100_000,
        ),
        b'{"format": "udfs.plan/1", "changes": [{"action": "explode", "kind": "f", "name": "x"}]}',
        b'{"format": "udfs.plan/1", "refusals": [{"code": "**E1", "severity": "error", "message": "x"}]}',
    ],
)
def test_a_document_that_is_not_understood_is_said_to_be(content: bytes) -> None:
    report = read_report(entry(), content)
    assert report.shortfall
    assert "only its outcome is known" in comment("plan", (report,))
