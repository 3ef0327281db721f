"""Functions that run, called through the vendor's SDK and through HTTP triggers."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from reconciler.local.invoke import RUNTIMES, NotInvocable, find_python
from tests.contract.fc.calls import HELLO, FunctionCompute, refusal, zip_of


def usable_runtime() -> str | None:
    """Return a runtime whose CPython this machine has."""
    for name in RUNTIMES:
        try:
            find_python(name, os.environ)
        except NotInvocable:
            continue
        return name
    return None


RUNTIME = usable_runtime()
pytestmark = pytest.mark.skipif(RUNTIME is None, reason="needs a CPython of some runtime of Function Compute")


def function(fc: FunctionCompute, source: str, name: str = "read", **fields: Any) -> None:
    fc.create(name, zip_of(index=source), **{"runtime": RUNTIME, "timeout": 30, **fields})


def test_a_function_is_run_and_stays_warm(fc: FunctionCompute) -> None:
    source = (
        "calls = []\ndef handler(event, context):\n    calls.append(event)\n    return b'%d %s' % (len(calls), event)\n"
    )
    function(fc, source)
    first, second = fc.invoke(b"a"), fc.invoke(b"b")
    assert (first.status, first.body, second.body) == (200, b"1 a", b"2 b")
    assert float(first.headers["x-fc-max-memory-usage"]) > 0
    assert "x-fc-error-type" not in first.headers
    assert first.headers["x-fc-code-checksum"] == fc.get().code_checksum


def test_an_error_of_the_function_is_told_as_the_service_does(fc: FunctionCompute) -> None:
    function(fc, "def handler(event, context):\n    print('before')\n    raise ValueError('no such page')\n")
    answer = fc.invoke(x_fc_log_type="Tail")
    failure = json.loads(answer.body)
    assert (answer.status, answer.headers["x-fc-error-type"]) == (200, "UnhandledInvocationError")
    assert (failure["errorType"], failure["errorMessage"]) == ("ValueError", "no such page")
    assert "before" in base64.b64decode(answer.headers["x-fc-log-result"]).decode()
    assert "x-fc-log-result" not in fc.invoke().headers


def test_a_function_that_takes_too_long_ends(fc: FunctionCompute) -> None:
    function(
        fc,
        "import time\ndef handler(event, context):\n    time.sleep(60 if event else 0)\n    return 'ok'\n",
        timeout=1,
    )
    assert fc.invoke().body == b"ok"
    answer = fc.invoke(b"x")
    assert (answer.headers["x-fc-error-type"], json.loads(answer.body)["errorType"]) == (
        "UnhandledInvocationError",
        "FunctionTimeoutError",
    )
    assert fc.invoke().body == b"ok"


def test_a_function_sees_its_layers_and_its_variables(fc: FunctionCompute) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("python/wise.py", "ANSWER = 42\n")
    arn = fc.layer(content=file.getvalue()).layer_version_arn
    source = "import os, wise\ndef handler(event, context):\n    return [wise.ANSWER, os.environ['WHERE']]\n"
    function(fc, source, layers=[arn], environment_variables={"WHERE": "here"})
    assert json.loads(fc.invoke().body) == [42, "here"]


def test_a_qualifier_leads_to_its_version_and_weights_share_the_calls(fc: FunctionCompute) -> None:
    function(fc, "def handler(event, context): return 'old'")
    fc.publish()
    fc.update(code=fc.code(zip_of(index="def handler(event, context): return 'new'")))
    fc.publish()
    fc.alias("1")
    assert [fc.invoke(qualifier=name).body for name in ("1", "2", "prod", "LATEST")] == [b"old", b"new", b"old", b"new"]
    fc.point(version_id="2")
    assert fc.invoke(qualifier="prod").body == b"new"
    fc.point(additional_version_weight={"1": 0.5})
    assert {fc.invoke(qualifier="prod").body for _ in range(64)} == {b"old", b"new"}
    assert refusal(lambda: fc.invoke(qualifier="none")) == (404, "AliasNotFound")


def test_nobody_who_calls_an_alias_while_it_is_switched_sees_two_versions_mixed(fc: FunctionCompute) -> None:
    function(fc, "def handler(event, context): return 'code 1'")
    fc.publish()
    fc.alias("1")
    seen: list[bytes] = []
    is_over = threading.Event()

    def call() -> None:
        client = FunctionCompute(fc.client._endpoint)
        while not is_over.is_set() and len(seen) < 200:
            seen.append(client.invoke(qualifier="prod").body)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    fc.update(code=fc.code(zip_of(index="def handler(event, context): return 'code 2'")))
    fc.publish()
    before = len(seen)
    fc.point(version_id="2")
    last = fc.invoke(qualifier="prod").body
    is_over.set()
    for caller in callers:
        caller.join(60)
    assert set(seen) <= {b"code 1", b"code 2"}
    assert set(seen[:before]) <= {b"code 1"}
    assert last == b"code 2"


def test_an_asynchronous_event_is_taken_and_run(fc: FunctionCompute, tmp_path: Path) -> None:
    function(fc, "def handler(event, context): return 'ok'")
    assert refusal(lambda: fc.invoke(b"x" * 140_000, x_fc_invocation_type="Async")) == (400, "EntityTooLarge")
    assert (fc.invoke(b"x", x_fc_invocation_type="Async")).status == 202
    for _ in range(200):
        # Nothing else runs here, and code is unpacked for the first event.
        if [entry for entry in (tmp_path / "fc" / "unpacked").iterdir() if not entry.name.startswith(".")]:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the event was not run")


def test_a_function_that_is_disabled_or_has_no_instances_is_not_run(fc: FunctionCompute) -> None:
    function(fc, "def handler(event, context): return 'ok'")
    fc.client.disable_function_invocation("read", fc.models.DisableFunctionInvocationRequest(reason="broken"))
    assert refusal(fc.invoke) == (403, "FunctionInvocationDisabled")
    fc.client.enable_function_invocation("read")
    fc.reserve(0)
    assert refusal(fc.invoke) == (429, "ResourceExhausted")
    fc.client.delete_concurrency_config("read")
    assert fc.invoke().body == b"ok"


def test_an_http_trigger_is_answered_on_loopback(fc: FunctionCompute) -> None:
    source = """
import json
def handler(event, context):
    request = json.loads(event)
    text = " ".join([request["requestContext"]["http"]["method"], request["rawPath"], request["queryParameters"]["q"], request["body"]])
    return {"statusCode": 201, "headers": {"X-Page": "7"}, "body": text, "isBase64Encoded": False}
"""
    function(fc, source)
    url = fc.trigger().http_trigger.url_internet
    with urlopen(Request(f"{url}/a/b?q=1", data=b"hello", method="POST"), timeout=60) as response:
        assert (response.status, response.headers["X-Page"], response.read()) == (201, "7", b"POST /a/b 1 hello")
    for request, status in ((Request(url, method="DELETE"), 405), (Request(url[:-1]), 404)):
        with pytest.raises(HTTPError) as caught:
            urlopen(request, timeout=60)
        assert caught.value.code == status
        caught.value.close()


def test_what_a_function_answers_by_http_never_reaches_the_next_answer(fc: FunctionCompute) -> None:
    source = """
import json
ANSWERS = {
    "/empty": {"statusCode": 204, "body": "HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nevil!"},
    "/nul": {"statusCode": 200, "headers": {"X-A": "a\\x00b"}, "body": "x"},
    "/lines": {"statusCode": 200, "headers": {"X-A": "a\\r\\nSet-Cookie: b=c"}, "body": "x"},
    "/name": {"statusCode": 200, "headers": {"X\\u00e9": "a"}, "body": "x"},
}
def handler(event, context):
    return ANSWERS[json.loads(event)["rawPath"]]
"""
    function(fc, source)
    url = urlsplit(fc.trigger().http_trigger.url_internet)
    connection = HTTPConnection(url.netloc, timeout=60)
    answers = []
    for path in ("/empty", "/nul", "/lines", "/name"):
        connection.request("GET", url.path + path)
        with connection.getresponse() as response:
            names = [name for name in response.headers if name.startswith(("X-A", "X\u00c3", "Set-"))]
            answers.append((response.status, response.read(), names))
    connection.close()
    refused: tuple[int, bytes, list[str]] = (502, b"the function answered no HTTP response", [])
    assert answers == [(204, b"", []), refused, refused, (200, b"x", [])]


HOSTILE = {
    "a name that climbs": ("../index.py", 0o100644, b"x"),
    "an absolute name": ("/index.py", 0o100644, b"x"),
    "a link out": ("index.py", 0o120777, b"/etc/passwd"),
    "a link that climbs": ("index.py", 0o120777, b"../../fc.db"),
    "a pipe": ("index.py", 0o010644, b""),
}


@pytest.mark.parametrize(("name", "mode", "content"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_archive_is_not_unpacked(
    fc: FunctionCompute, tmp_path: Path, name: str, mode: int, content: bytes
) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, mode << 16
        archive.writestr(info, content)
    fc.create(content=file.getvalue(), runtime=RUNTIME)
    assert refusal(fc.invoke) == (400, "InvalidArgument")
    assert not list((tmp_path / "fc" / "unpacked").iterdir())


SERVE = """
import os, pathlib, sys
from reconciler.local.fc import FcServer
server = FcServer(pathlib.Path(sys.argv[1]), environment=os.environ)
print(server.authority, flush=True)
server.serve_forever()
"""


def test_no_child_is_left_when_the_server_is_killed(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(tmp_path / "fc")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        fc = FunctionCompute(process.stdout.readline().strip())
        mark = f"udfs-{os.urandom(8).hex()}"
        source = "import subprocess, sys\ndef handler(event, context):\n    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', %r])\n    return 'ok'\n"
        function(fc, source % mark, environment_variables={"MARK": mark})
        assert fc.invoke().body == b"ok"
        assert processes_with(mark)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    for _ in range(200):
        if not processes_with(mark):
            break
        time.sleep(0.05)
    else:
        pytest.fail("processes of the function outlive the server")


def processes_with(mark: str) -> list[int]:
    """Return the processes with a word in their command or environment."""
    numbers = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if mark.encode() in text and int(folder.name) != os.getpid():
            numbers.append(int(folder.name))
    return numbers


def test_what_this_machine_cannot_run_is_told(fc: FunctionCompute) -> None:
    fc.create(runtime="nodejs20", content=HELLO)
    assert refusal(fc.invoke) == (501, "NotInvocable")
