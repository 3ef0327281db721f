"""The page of a plan, a drift, a history and one apply: whole, escaped, and of a bounded size."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reconciler.base.errors import Position
from reconciler.cli.entry import run
from reconciler.core.drift import Exemption, tolerate
from reconciler.core.record import Entry, Holder, Step, Verdict
from reconciler.core.report import SourceChange
from reconciler.render.markdown import run_markdown
from reconciler.render.page.document import HtmlPage
from reconciler.render.page.parts import ROOM, drift_part, plan_part, run_part
from reconciler.targets.maxcompute.objects import CATALOG
from tests.pages.stack import EVIL, apply_first
from tests.unit.core.states import HERE, STACK, find, function, live, make, marker, resource, state, there, wanted
from tests.unit.render.test_markdown import big_plan, functions_plan

VOID = {"meta", "link", "input"}
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "main", "section", "h1", "h2", "h3", "p", "a", "ul", "li"),
    *("dl", "dt", "dd", "code", "pre", "span", "details", "summary", "div", "svg", "path", "g", "rect", "text"),
}
"""What the template has; whatever else is on a page came from a value."""


class Reader(HTMLParser):
    """What a browser would make of a page: its elements, properly nested, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._open = "", list[str]()
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_harmless(page: str) -> Reader:
    reader = Reader(page)
    assert {tag for tag, _ in reader.elements} <= ELEMENTS
    for tag, attributes in reader.elements:
        assert not [name for name in attributes if name.startswith("on") or name in {"style", "src"}], tag
        assert (attributes.get("href") or "#").startswith("#")
    [policy] = [of["content"] for tag, of in reader.elements if of.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    return reader


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(tmp_path)
    apply_first(tmp_path)
    capsys.readouterr()
    return tmp_path


def test_a_page_has_every_change_with_sign_and_word_and_no_text_of_others_is_markup(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", "--diff", "--format", "html"]) == 0
    page = capsys.readouterr().out
    text = assert_harmless(page).text
    for words in (
        "- delete function normalise_address",
        "~ update function score_customer",
        "+ create function brand_new",
        "Plan: 3 to create, 2 to update, 1 to delete",
        "udfs apply --allow-deletes 1",
        "score_customer.py: +1 -1 lines",
        "12 functions bucket_00, bucket_01, bucket_02 … bucket_11, each with 1 file of its own",
    ):
        assert words in text
    assert EVIL in text
    assert EVIL.replace('"quoted"', "") in text, "in the diff, too"
    assert run(["plan", "--out", "p.json"]) == 0
    capsys.readouterr()
    assert run(["render", "p.json", "--format", "html"]) == 0
    saved = capsys.readouterr().out
    picture = page[page.index("<svg") : page.index("</svg>")]
    assert picture in saved, "a file tells of packages as the manifest does"
    assert run(["history", "--format", "html"]) == 0
    assert "epoch 1" in assert_harmless(capsys.readouterr().out).text
    assert run(["history", "--format", "markdown"]) == 0
    assert "\n| 1 | " in capsys.readouterr().out
    assert run(["show-run", "1", "--format", "html"]) == 0
    shown = assert_harmless(capsys.readouterr().out).text
    assert "Epoch 1 of stack" in shown
    assert "+ done, create function score_customer" in shown
    assert run(["show-run", "1", "--format", "markdown"]) == 0
    assert "\n| done | create | " in capsys.readouterr().out


def test_a_run_that_did_not_get_through_tells_what_failed_first_and_of_tests_that_did_not_pass() -> None:
    moment = datetime(2026, 11, 30, tzinfo=timezone.utc)
    steps = (
        Step("create", "resource", "a.py", "done"),
        Step("create", "function", "<f>", "failed"),
        Step("create", "function", "g", "not tried"),
    )
    verdicts = (Verdict("function", "<f>", 1, 2, 0, moment, "ann"),)
    entry = Entry("web", 7, Holder(user="<b>ann"), moment, moment, "failed", steps=steps, back_to=3, verdicts=verdicts)
    text = run_markdown(entry, moment)
    assert text.startswith("**Epoch 7 of stack web: failed**")
    assert text.index("| **failed** | create |") < text.index("| done | create |")
    assert "**not passed**" in text
    assert "back to epoch 3" in text
    assert "<b>" not in text.replace("\\<", "")
    shown = assert_harmless(HtmlPage("run", (run_part(entry, moment),)).text()).text
    assert shown.index("! failed, create function <f>") < shown.index("+ done, create resource a.py")
    assert "! tests not passed" in shown


def test_a_page_of_drift_marks_what_was_changed_outside() -> None:
    wants = state(wanted(function("f", "a.py"), "one", "f"), wanted(resource("a.py")), wanted(resource("b.py")))
    edited = there(resource("a.py", "two"), marker())._replace(updater="<b>bob</b>")
    have = live(edited, there(resource("b.py"), marker()), there(function("f", "a.py")))
    found, plan = find(wants, have, STACK, None), make(wants, have, stack=STACK, destination=HERE)
    page = HtmlPage("drift", (drift_part(found, plan, "udfs apply --restore"),)).text()
    text = assert_harmless(page).text
    assert "~ edited resource a.py" in text
    assert "was edited by <b>bob</b>" in text
    assert '<g class="update"><rect' in page[page.index("<svg") :], "and the picture says so"


def test_a_page_shows_what_is_left_as_somebody_made_it_with_the_reason_and_the_day() -> None:
    wants = state(wanted(resource("a.py")))
    have = live(there(resource("a.py", "two"), marker()))
    exemption = Exemption("a.py", "hotfix <b>7</b>", "2999-12-31", Position("udfs.yaml", 4, 5))
    left = tolerate(find(wants, have, STACK, None), [exemption], CATALOG.kinds)
    plan = make(wants, have, stack=STACK, destination=HERE, tolerations=left.tolerations)
    for part in (plan_part(plan, None), drift_part(left, plan, None)):
        text = assert_harmless(HtmlPage("page", (part,)).text()).text
        assert ". ignored resource a.py" in text
        assert "ignored until 2999-12-31: hotfix <b>7</b>" in text


def test_a_command_makes_a_page_of_drift(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drift", "--format", "html"]) == 0
    assert "No drift" in assert_harmless(capsys.readouterr().out).text


def test_of_two_targets_there_is_one_page(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = Path("udfs.yaml")
    targets = "targets: {local: {endpoint: local, project: demo}, other: {endpoint: local, project: none_such}}"
    manifest.write_text(manifest.read_text().replace("targets: {local: {endpoint: local, project: demo}}", targets))
    run(["plan", "--all-targets", "--format", "html"])
    reader = assert_harmless(capsys.readouterr().out)
    assert [of["href"] for tag, of in reader.elements if tag == "a"] == ["#part1", "#part2"]
    assert "target local" in reader.text
    assert "target other" in reader.text


def test_without_jinja_the_way_to_get_it_is_told_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # there is no manifest
    monkeypatch.setitem(sys.modules, "jinja2", None)
    for command in (["plan"], ["drift"], ["history"], ["show-run", "1"], ["render", "none.json"]):
        assert run([*command, "--format", "html"]) == 3
        assert "error[E740]" in (told := capsys.readouterr().err)
        assert "help: pip install 'udfs[report]'" in told


def test_a_page_of_5000_changes_is_under_a_megabyte_and_names_every_function() -> None:
    page = HtmlPage("plan", (plan_part(functions_plan(2_500), "udfs apply"),)).text()
    assert len(page.encode()) < 1_000_000
    assert all(f"<li>f{number:05}</li>" in page for number in range(2_500))
    assert_harmless(page)


def test_a_page_of_5000_updates_and_their_sources_is_under_a_megabyte_and_names_each() -> None:
    sources = [SourceChange(f"f{number}.py", "a\n" * 50, "<b>\n" * 50) for number in range(500)]
    plan = big_plan(1_000, 4_000, 0)
    page = HtmlPage("plan", (plan_part(plan, None, view="full", sources=sources),)).text()
    assert ROOM / 2 < len(page.encode()) < 1_000_000
    reader = assert_harmless(page)
    assert all(change.key.name in reader.text for change in plan.changes)
    assert "named without more, since that does not fit here" in reader.text
    assert "sources whose change does not fit here" in reader.text


def test_what_not_even_fits_as_a_name_is_counted() -> None:
    page = HtmlPage("plan", (plan_part(big_plan(3_000, 2_000, 0, length=300), None, view="full"),)).text()
    assert len(page.encode()) < 1_000_000
    assert " × update resource" in assert_harmless(page).text
