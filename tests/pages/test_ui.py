"""`udfs ui` over HTTP: what it shows, whom it serves, and what it does when it may."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import pytest

from reconciler.base.redaction import conceal, forget_secrets
from reconciler.cli.browser.commands import Commands
from reconciler.cli.browser.site import PageServer
from reconciler.cli.browser.survey import ProjectPages
from reconciler.cli.entry import run
from reconciler.cli.support.options import Options
from tests.pages.stack import EVIL, apply_first
from tests.pages.test_html import Reader
from tests.site.hand import act

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@contextmanager
def serving(
    folder: Path, *, allow_calls: bool = False, allow_sql: bool = False, seconds: float = 60, target: str | None = None
) -> Iterator[PageServer]:
    options = Options(folder / "udfs.yaml", target, "html")
    with PageServer(ProjectPages(options, Commands(options, seconds), allow_calls, allow_sql)) as server:
        yield server


class Answer:
    """An answer, read to its end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers = response.status, response.headers
        self.text = response.read().decode()


def ask(
    server: PageServer,
    path: str = "",
    *,
    method: str = "GET",
    body: str | None = None,
    headers: Mapping[str, str] | None = None,
    absolute: str | None = None,
) -> Answer:
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.netloc, timeout=90)
    try:
        connection.request(method, absolute or f"{address.path}{path}", body, dict(headers or {}))
        return Answer(connection.getresponse())
    finally:
        connection.close()


def submit(server: PageServer, path: str, **fields: str) -> Answer:
    return ask(server, path, method="POST", body=urlencode(fields), headers=FORM)


SCORE = """\
from odps.udf import annotate


@annotate("bigint->bigint")
class Score(object):
    def evaluate(self, number):
        {}
"""


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project of one function, which was applied."""
    folder = tmp_path_factory.mktemp("applied")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_score(folder, "return number * 2")
        (folder / "udfs.yaml").write_text(
            "stack: risk\npython: cp311\nfunctions:\n  score: {source: score.py, class: Score}\n"
        )
        assert run(["apply", "--yes"]) == 0
    return folder


@pytest.fixture
def folder(applied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of that project."""
    folder = Path(shutil.copytree(applied, tmp_path / "project"))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="module")
def server(applied: Path) -> Iterator[PageServer]:
    """Return a server whose project nobody changes."""
    with serving(applied, allow_calls=True) as server:
        yield server


def write_score(folder: Path, line: str) -> None:
    (folder / "score.py").write_text(SCORE.format(line))


def test_a_page_shows_the_picture_the_sizes_and_the_past_of_a_project(folder: Path) -> None:
    with serving(folder) as server:
        page = ask(server)
    assert page.status == 200
    for words in ("Stack risk", "demo", "score", "What each function brings along", "No drift", "1 apply", "run/1"):
        assert words in page.text
    assert "<form" not in page.text, "nothing can be done on it"
    assert urlsplit(server.url).path.strip("/") not in page.text, "the address is not in it"


def test_drift_is_shown_line_by_line_with_the_way_back(folder: Path, tmp_path: Path) -> None:
    write_score(folder, "return number * 2")
    (folder / "udfs.yaml").write_text((folder / "udfs.yaml").read_text() + "rollout: in_place\n")
    assert run(["apply", "--yes", "--allow-deletes", "1"]) == 0
    (tmp_path / "hotfix.py").write_text(SCORE.format("return number * 33"))
    act(["put", "score.py", str(tmp_path / "hotfix.py")])
    with serving(folder) as server:
        page = ask(server).text
    assert "1 object changed outside" in page
    assert "+        return number * 33" in page
    assert "udfs.yaml --restore" in page


def test_a_run_shows_what_it_changed_line_by_line_as_long_as_both_versions_are_there(folder: Path) -> None:
    write_score(folder, "return number * 4")
    assert run(["apply", "--yes"]) == 0
    with serving(folder) as server:
        page = ask(server, "run/2").text
        first = ask(server, "run/1").text
        missing = ask(server, "run/9")
    assert "Epoch 2 of stack risk: committed" in page
    assert "Since epoch 1" in page
    assert "-        return number * 2" in page
    assert "+        return number * 4" in page
    assert 'href="../"' in page
    assert "Since the first apply" in first
    assert missing.status == 200
    assert "E614" in missing.text


def test_a_manifest_that_cannot_be_read_is_told_on_the_page_and_read_again_once_it_is_mended(folder: Path) -> None:
    whole = (folder / "udfs.yaml").read_text()
    with serving(folder) as server:
        (folder / "udfs.yaml").write_text(whole.replace("class:", "clas:"))
        broken = ask(server)
        (folder / "udfs.yaml").write_text(whole)
        mended = ask(server)
    assert broken.status == 200
    assert "did you mean" in broken.text
    assert "udfs.yaml:4" in broken.text
    assert "No drift" in mended.text


def test_a_source_that_cannot_be_read_leaves_the_project_to_look_at(folder: Path) -> None:
    (folder / "score.py").write_text("def half(:\n")
    with serving(folder) as server:
        page = ask(server).text
    assert "score.py:1:" in page
    assert "1 apply" in page
    assert "What is uploaded, each once" in page


def test_a_service_that_does_not_answer_leaves_the_manifest_to_look_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODPS_ACCESS_ID", "id")
    monkeypatch.setenv("ODPS_ACCESS_KEY", "a key of more than eight characters")
    manifest = (folder / "udfs.yaml").read_text()
    # Nothing listens at port 9.
    target = "targets: {prod: {endpoint: 'http://127.0.0.1:9/api', project: demo}}\n"
    (folder / "udfs.yaml").write_text(manifest + target)
    with serving(folder, target="prod") as server:
        page = ask(server).text
    assert "error E6" in page
    assert "What each function brings along" in page
    assert "a key of more" not in page


def test_names_and_comments_of_others_are_text_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    apply_first(tmp_path)
    with serving(tmp_path) as server:
        page = ask(server)
    reader = Reader(page.text)
    assert "script" not in {tag for tag, _ in reader.elements}
    assert not [name for _, attributes in reader.elements for name in attributes if name.startswith("on")]
    assert EVIL.partition("`")[0].strip() in reader.text
    assert "img" not in {tag for tag, _ in reader.elements}


def test_a_secret_of_the_process_stands_on_no_page(folder: Path) -> None:
    secret = "kept&secret<long>"
    (folder / "udfs.yaml").write_text((folder / "udfs.yaml").read_text() + f"'{secret}': 1\n")
    conceal(secret)
    try:
        with serving(folder) as server:
            page = ask(server).text
    finally:
        forget_secrets()
    assert "kept" not in page
    assert "unknown key" in page


STRANGERS = [
    {"Host": "evil.example"},
    {"Host": "evil.example:80"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "169.254.169.254"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:9"},
    {"Origin": "https://127.0.0.1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", STRANGERS, ids=str)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_another_page_may_send_is_refused_even_with_the_address(
    server: PageServer, headers: dict[str, str], method: str
) -> None:
    body = urlencode({"function": "score", "arguments": "2"}) if method == "POST" else None
    answer = ask(server, "call" if body else "", method=method, body=body, headers={**FORM, **headers})
    assert answer.status == 403
    assert "score" not in answer.text


def test_what_our_own_pages_send_is_served_also_through_a_forwarded_port(server: PageServer) -> None:
    own = {"Host": "localhost:8000", "Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}
    assert ask(server, headers=own).status == 200


@pytest.mark.parametrize(
    "path", ["/", "/x/", "/favicon.ico", "/_control/requests", "/{}~/", "/{}%2f", "//{}/../", "/%00/"]
)
def test_without_the_token_there_is_nothing(server: PageServer, path: str) -> None:
    token = urlsplit(server.url).path.strip("/")
    assert len(token) >= 32
    answer = ask(server, absolute=path.replace("{}", token[:-1]))
    assert answer.status == 403
    assert "risk" not in answer.text
    assert token not in answer.text


def test_an_address_without_its_last_slash_leads_to_the_page(server: PageServer) -> None:
    path = urlsplit(server.url).path
    answer = ask(server, absolute=path.rstrip("/"))
    assert (answer.status, answer.headers["Location"]) == (308, path)


def test_a_page_may_do_nothing_but_show_itself_and_send_its_forms_back(server: PageServer) -> None:
    headers = ask(server).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert "script" not in policy
    assert "http" not in policy
    assert "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Set-Cookie"] is None


def test_nothing_is_called_unless_it_was_allowed(folder: Path) -> None:
    with serving(folder) as server:
        assert submit(server, "call", function="score", arguments="2").status == 404
        assert submit(server, "sql", statement="SELECT 1").status == 404
    with serving(folder, allow_calls=True) as server:
        assert submit(server, "sql", statement="SELECT 1").status == 404
        assert ask(server, "call").status == 404, "a link calls nothing"
        assert ask(server, "nowhere").status == 404
        assert ask(server, "", method="DELETE").status == 405


def test_a_call_is_what_the_command_line_makes_of_it(folder: Path) -> None:
    with serving(folder, allow_calls=True) as server:
        good = submit(server, "call", function="score", arguments="21").text
        bad = submit(server, "call", function="score", arguments="21 22").text
        quote = submit(server, "call", function="score", arguments="'21").text
        other = submit(server, "call", function="nope", arguments="").text
    assert "<pre>42\n</pre>" in good
    assert "udfs call" in good
    assert "E704" in bad
    assert "the arguments leave a quote open" in quote
    assert "failed" in other
    assert "nope" in other


def test_what_is_typed_is_an_argument_and_never_an_option(folder: Path) -> None:
    with serving(folder, allow_calls=True, allow_sql=True) as server:
        called = submit(server, "call", function="score", arguments="--output=stolen 1").text
        named = submit(server, "call", function="--output=stolen", arguments="1").text
        asked = submit(server, "sql", statement="--help").text
    assert not (folder / "stolen").exists()
    assert "failed" in called
    assert "failed" in named
    assert "Usage" not in asked


def test_a_module_in_the_projects_folder_is_not_taken_for_one_of_ours(folder: Path) -> None:
    (folder / "click.py").write_text("raise SystemExit('taken')\n")
    with serving(folder, allow_calls=True) as server:
        assert "<pre>42\n</pre>" in submit(server, "call", function="score", arguments="21").text


def test_sql_gives_rows_or_says_what_is_wrong(folder: Path) -> None:
    pytest.importorskip("duckdb")
    with serving(folder, allow_sql=True) as server:
        rows = submit(server, "sql", statement="SELECT score(4) AS twice, CAST(NULL AS STRING) AS nothing").text
        wrong = submit(server, "sql", statement="SELECT <b>(1)").text
        empty = submit(server, "sql", statement=" ").text
    assert "<td>8</td><td>NULL</td>" in rows
    assert "twice</th>" in rows
    assert "[E73" in wrong
    assert "<b>(1)" not in wrong
    assert "E732" in empty


def test_a_call_that_does_not_end_is_ended_and_another_one_is_not_begun_meanwhile(folder: Path) -> None:
    import threading

    write_score(folder, "import time; time.sleep(600)")
    assert run(["apply", "--yes"]) == 0
    with serving(folder, allow_calls=True, seconds=6) as server:
        first: list[str] = []
        thread = threading.Thread(
            target=lambda: first.append(submit(server, "call", function="score", arguments="1").text)
        )
        thread.start()
        second = ""
        while thread.is_alive() and "E576" not in second:
            second = submit(server, "call", function="score", arguments="1").text
        thread.join()
    texts = [*first, second]
    assert any("E576" in text for text in texts)
    assert any("E575" in text for text in texts)


ENDLESS = """\
from odps.udf import BaseUDTF, annotate


@annotate("bigint->string")
class Score(BaseUDTF):
    def process(self, number):
        while True:
            self.forward("x" * 1000)
"""


def test_a_call_that_says_too_much_is_ended(folder: Path) -> None:
    (folder / "score.py").write_text(ENDLESS)
    assert run(["apply", "--yes"]) == 0
    with serving(folder, allow_calls=True) as server:
        page = submit(server, "call", function="score", arguments="1").text
    assert "E577" in page
    assert len(page) < 20_000


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{}", "application/json", 415),
        ("function=score", "multipart/form-data; boundary=x", 415),
        ("function=score", "text/plain", 415),
        ("function", "application/x-www-form-urlencoded", 400),
        ("function=%ff", "application/x-www-form-urlencoded", 400),
        ("&".join(f"f{number}=" for number in range(30)), "application/x-www-form-urlencoded", 400),
        ("function=" + "x" * 300_000, "application/x-www-form-urlencoded", 400),
    ],
)
def test_what_is_no_form_is_refused(server: PageServer, body: str, content_type: str, status: int) -> None:
    answer = ask(server, "call", method="POST", body=body, headers={"Content-Type": content_type})
    assert answer.status == status


def test_the_command_prints_its_address_and_ends_at_a_signal(folder: Path) -> None:
    command = [sys.executable, "-m", "reconciler", "ui", "--allow-calls"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = urlsplit(process.stdout.readline().strip())
        assert url.hostname == "127.0.0.1"
        connection = http.client.HTTPConnection(url.netloc, timeout=60)
        connection.request("GET", url.path)
        page = connection.getresponse().read().decode()
        connection.close()
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == ""
        process.wait(60)
    assert "Call a function" in page
    assert process.returncode in {0, 130, -signal.SIGTERM}


def test_forms_that_a_kind_of_target_has_nothing_for_are_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--kind", "fc"]) == 0
    capsys.readouterr()
    assert run(["ui", "--allow-sql"]) == 3
    assert "E566" in capsys.readouterr().err


def test_a_project_of_function_compute_has_the_same_page_and_is_called_with_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--kind", "fc"]) == 0
    assert run(["apply", "--yes"]) == 0
    with serving(tmp_path, allow_calls=True) as server:
        page = ask(server).text
        name = page.partition("<option selected>")[2].partition("<")[0]
        called = submit(server, "call", function=name, event=json.dumps({"body": "you"})).text
        literal = submit(server, "call", function=name, event="@/etc/hostname").text
    assert "No drift" in page
    assert "Event" in page
    assert "Hello, you!" in called
    assert Path("/etc/hostname").read_text().strip() not in literal.partition("<main>")[2].replace("@/etc/hostname", "")
