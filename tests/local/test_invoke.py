"""What a function of Function Compute gets, and what comes back, in the CPython of each runtime that this machine has."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import textwrap
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.local.invoke import (
    RUNTIMES,
    UNHANDLED,
    EventRequest,
    FunctionAnswer,
    FunctionInstance,
    InstanceDescription,
    NotInvocable,
    find_python,
)
from reconciler.local.invoke import instance as instance_module
from reconciler.local.invoke.http import HttpRequest, make_event, make_response
from reconciler.local.sandbox import Road
from reconciler.local.sandbox.process import WITHOUT_WALLS
from tests.local.walls import why_not

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.local.interpreters import Interpreter

    Make = Callable[..., FunctionInstance]

ENVIRONMENT = dict(os.environ)


def find(runtime: str) -> Interpreter:
    try:
        return find_python(runtime, ENVIRONMENT)
    except NotInvocable as reason:
        pytest.skip(reason.message)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make an instance of a function from its source."""
    instances: list[FunctionInstance] = []

    def make(source: str, runtime: str | None = None, **options: Any) -> FunctionInstance:
        code = tmp_path / f"code{len(instances)}"
        code.mkdir()
        (code / "index.py").write_text(textwrap.dedent(source))
        handler = options.pop("handler", "index.handler")
        description = InstanceDescription(runtime or some_runtime(), code, handler, **options)
        instance = FunctionInstance(description, find(description.runtime))
        instances.append(instance)
        return instance

    yield make
    for instance in instances:
        instance.close()


def some_runtime() -> str:
    for runtime in reversed(list(RUNTIMES)):
        try:
            find_python(runtime, ENVIRONMENT)
        except NotInvocable:
            continue
        return runtime
    pytest.skip("no CPython of any runtime is on this machine")


BUILT_IN = [name for name, row in RUNTIMES.items() if not row.is_custom]


@pytest.fixture(params=BUILT_IN)
def runtime(request: pytest.FixtureRequest) -> str:
    find(request.param)
    return str(request.param)


WALLED = [Road.BUBBLEWRAP, Road.NAMESPACES]


@pytest.fixture(params=WALLED, ids=lambda road: str(road.value))
def walls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each road that has walls, whichever would be taken."""
    take(request.param, monkeypatch)


def take(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    if road is not Road.PLAIN and (reason := why_not(road)) is not None:
        pytest.skip(reason)
    monkeypatch.setattr(instance_module, "find_road", lambda: road)


def result(answer: FunctionAnswer) -> Any:
    assert answer.error is None, answer
    return json.loads(answer.payload)


def test_the_worker_compiles_in_every_runtime(runtime: str) -> None:
    check = "import sys; [compile(open(path, 'rb').read(), path, 'exec') for path in sys.argv[1:]]"
    folder = Path(instance_module.__file__).parent / "worker"
    files = [str(path) for path in folder.glob("*.py")]
    assert len(files) > 5
    subprocess.run([str(find(runtime).path), "-W", "error", "-c", check, *files], check=True)


def test_a_handler_gets_bytes_and_its_result_comes_back(make: Make, runtime: str) -> None:
    source = """
        def handler(event, context):
            return {"b": event, "s": "ü", "d": {"x": [1, None]}, "n": None}[event.decode()]
    """
    instance = make(source, runtime)
    payloads = [instance.invoke(name).payload for name in (b"b", b"s", b"d", b"n")]
    assert payloads == [b"b", "ü".encode(), b'{"x": [1, null]}', b"null"]


def test_an_instance_stays_warm_between_events(make: Make) -> None:
    source = """
        calls = []
        def initialize(context):
            calls.append("init " + context.function.name)
        def handler(event, context):
            calls.append(event.decode())
            return calls
    """
    instance = make(source, initializer="index.initialize", name="f")
    first, second = instance.invoke(b"1"), instance.invoke(b"2")
    assert result(second) == ["init f", "1", "2"]
    assert (first.is_cold, second.is_cold) == (True, False)


CONTEXT = """
    def handler(event, context):
        def fields(value):
            plain = value is None or isinstance(value, (str, int, float, dict))
            return value if plain else {n: fields(v) for n, v in vars(value).items() if not n.startswith("_")}
        return fields(context)
"""


def test_the_context_is_the_documented_one_of_each_runtime(make: Make, runtime: str) -> None:
    options = {"name": "f", "memory": 256, "timeout": 7, "region": "cn-shanghai", "account": "123", "log_store": "s"}
    instance = make(CONTEXT, runtime, version="3", qualifier="prod", credentials=("a", "b", "c"), **options)
    context = result(instance.invoke(b"", EventRequest("r-1")))
    function = context["function"]
    common = {"name": "f", "handler": "index.handler", "memory": 256, "timeout": 7}
    assert (context["request_id"], context["account_id"], context["region"]) == ("r-1", "123", "cn-shanghai")
    assert context["logger"] is None
    if RUNTIMES[runtime].python >= (3, 12):
        assert function == {**common, "version_id": "3", "qualifier": "prod"}
        assert context["log_store"] == "s"
        assert {"credentials", "service", "tracing"}.isdisjoint(context)
    else:
        assert function == common
        assert context["credentials"] == {"access_key_id": "a", "access_key_secret": "b", "security_token": "c"}
        assert {"qualifier": "prod", "version_id": "3", "log_store": "s"}.items() <= context["service"].items()
        assert "tracing" in context


def test_the_environment_is_the_documented_one_and_the_functions_own(make: Make, runtime: str, walls: None) -> None:
    source = "def handler(event, context):\n    import os; return dict(os.environ)"
    instance = make(source, runtime, memory=256, environment={"MAGIC": "/opt/m", "FC_REGION": "mine", "PATH": "/p"})
    environment = result(instance.invoke(b""))
    row = RUNTIMES[runtime]
    documented = {
        "FC_FUNC_CODE_PATH": "/code",
        "FC_FUNCTION_HANDLER": "index.handler",
        "FC_FUNCTION_MEMORY_SIZE": "256",
        "FC_REGION": "cn-hangzhou",
        "MAGIC": "/opt/m",
        "PATH": "/p",
        "PYTHONPATH": "/opt/python",
        "FC_FUNCTION_VERSION" if row.debian >= 11 else "FC_VER_ID": "LATEST",
    }
    assert documented.items() <= environment.items()
    assert environment["LD_LIBRARY_PATH"].startswith("/code:/code/lib:")
    assert "/opt/lib" in environment["LD_LIBRARY_PATH"].split(":")
    assert not set(environment) & set(ENVIRONMENT) - {
        "PATH",
        "LANG",
        "HOME",
        "PWD",
        "TMPDIR",
        "LC_CTYPE",
        "LD_LIBRARY_PATH",
    }


def test_packages_of_the_machine_are_not_visible(make: Make, runtime: str) -> None:
    source = """
        def handler(event, context):
            import importlib.util
            return [name for name in ("pip", "setuptools", "results", "serving", "frames") if importlib.util.find_spec(name)]
    """
    assert result(make(source, runtime).invoke(b"")) == []


def test_an_exception_is_reported_as_the_documentation_has_it(make: Make, runtime: str) -> None:
    source = "def handler(event, context):\n    raise KeyError('something is wrong')\n"
    instance = make(source, runtime)
    answer = instance.invoke(b"")
    assert (answer.error, answer.error_type) == (UNHANDLED, "KeyError")
    assert answer.failure["errorMessage"] == "'something is wrong'"
    [[file, *others]] = answer.failure["stackTrace"]
    assert re.fullmatch(r'File ".*/(code\d?)/index.py"', file)
    assert others == ["line 2", "in handler", "raise KeyError('something is wrong')"]
    assert instance.is_alive


@pytest.mark.parametrize(
    ("source", "handler", "kind"),
    [
        ("import nothing", "index.handler", "ModuleNotFoundError"),
        ("def handler(:", "index.handler", "SyntaxError"),
        ("", "index.handler", "HandlerNotFound"),
        ("", "other.handler", "ModuleNotFoundError"),
        ("", "handler", "HandlerNotFound"),
        ("def handler(event, context): return object()", "index.handler", "TypeError"),
        ("def handler(event): return 1", "index.handler", "TypeError"),
        ("def handler(event, context): raise SystemExit(3)", "index.handler", "SystemExit"),
    ],
)
def test_what_cannot_be_called_is_an_error_of_the_function(make: Make, source: str, handler: str, kind: str) -> None:
    assert make(source, handler=handler).invoke(b"").error_type == kind


def test_an_initializer_that_fails_ends_the_instance(make: Make) -> None:
    instance = make("def initialize(context): 1 / 0\ndef handler(event, context): 1", initializer="index.initialize")
    answer = instance.invoke(b"")
    assert answer.error_type == "ZeroDivisionError"
    assert not instance.is_alive
    with pytest.raises(NotInvocable, match="over"):
        instance.invoke(b"")


def test_logs_are_kept_apart_from_results(make: Make, runtime: str) -> None:
    source = """
        import logging, os, sys
        def handler(event, context):
            print("printed", event.decode())
            sys.stderr.write("error\\n")
            os.write(1, b"raw\\n")
            logging.getLogger().info("root")
            logging.getLogger().debug("hidden")
            context.getLogger().warning("own")
            return "result"
    """
    instance = make(source, runtime)
    instance.invoke(b"0")
    answer = instance.invoke(b"1", EventRequest("r-1"))
    assert answer.payload == b"result"
    moment = r"\d{4}-\d\d-\d\d"
    lines = [
        "FC Invoke Start RequestId: r-1",
        "printed 1",
        "error",
        "raw",
        rf"{moment}T\d\d:\d\d:\d\d\.\d{{3}}Z r-1 \[INFO\]   root",
        rf"{moment} \d\d:\d\d:\d\d r-1 \[WARNING\] own",
        "FC Invoke End RequestId: r-1",
    ]
    assert re.fullmatch("".join(f"{line}\n" for line in lines), answer.log), answer.log


def test_a_flood_of_output_does_not_stop_an_answer(make: Make) -> None:
    source = """
        import os, threading
        def flood():
            while True:
                os.write(1, b"x" * 4096)
        def handler(event, context):
            threading.Thread(target=flood, daemon=True).start()
            return bytes(5 << 20)
    """
    answer = make(source).invoke(bytes(5 << 20))
    assert len(answer.payload) == 5 << 20
    assert len(answer.log) < 2 << 20


def layer(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / "python" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_of_two_layers_the_first_wins_and_the_code_wins_over_both(make: Make, tmp_path: Path) -> None:
    first = layer(tmp_path / "first", a="who = 'first'")
    second = layer(tmp_path / "second", a="who = 'second'", b="who = 'second'", json="who = 'mine'")
    (second / "bin").mkdir()
    (second / "bin" / "tool").symlink_to("other")
    source = """
        import a, b, os
        def handler(event, context):
            return [a.who, b.who, os.path.islink(os.path.join(os.path.dirname(os.path.dirname(b.__file__)), "bin/tool"))]
    """
    built_in = next(
        (name for name in reversed(BUILT_IN) if RUNTIMES[name].python == RUNTIMES[some_runtime()].python), None
    )
    instance = make(source, built_in or "python3.12", layers=(first, second))
    assert result(instance.invoke(b"")) == ["first", "second", True]


def test_code_and_layers_are_read_only_and_tmp_is_fresh(make: Make, walls: None) -> None:
    source = """
        import os
        def handler(event, context):
            numbers = []
            for path in ("/code/x", "/opt/x", "/usr/x", "/x"):
                try:
                    open(path, "w")
                except OSError as error:
                    numbers.append(error.errno)
            names = os.listdir("/tmp")
            open("/tmp/x", "w").close()
            return [numbers, names]
    """
    instance = make(source)
    assert result(instance.invoke(b"")) == [[30, 30, 30, 30], []]
    assert result(instance.invoke(b""))[1] == ["x"]
    assert result(make(source).invoke(b""))[1] == []


DEMON = """
    import os, time
    def handler(event, context):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(600)
            os._exit(0)
        print("asleep")
        time.sleep(60)
"""


@pytest.mark.parametrize("road", [*WALLED, Road.PLAIN], ids=lambda road: str(road.value))
def test_a_time_out_ends_the_function_with_all_that_it_started(
    make: Make, monkeypatch: pytest.MonkeyPatch, road: Road
) -> None:
    take(road, monkeypatch)
    instance = make(DEMON, timeout=1)
    answer = instance.invoke(b"")
    assert answer.error_type == "FunctionTimeoutError"
    assert answer.failure["errorMessage"] == "Function time out after 1 seconds"
    assert "asleep\n" in answer.log
    assert not instance.is_alive
    mark = f"FC_INSTANCE_ID={instance.id}".encode()
    alive = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes():
                alive.append(process.name)
        except OSError:
            continue
    assert alive == []
    if road is Road.PLAIN:
        assert WITHOUT_WALLS in instance.notes


def test_a_call_may_be_given_less_time_than_the_function_has(make: Make) -> None:
    instance = make("import time\ndef handler(event, context): time.sleep(60)", timeout=50)
    assert instance.invoke(b"", EventRequest(timeout=0.3)).error_type == "FunctionTimeoutError"


def test_memory_has_an_end(make: Make, walls: None) -> None:
    instance = make("def handler(event, context): return str(len(bytearray(int(event) << 20)))", memory=128)
    assert instance.invoke(b"32").payload == str(32 << 20).encode()
    answer = instance.invoke(b"512")
    if any("RLIMIT_DATA" in note for note in instance.notes):
        assert answer.error_type == "MemoryError"
    else:
        assert answer.error_type == "FunctionOOMError"
        assert "exited unexpectedly before completing request (duration: " in answer.failure["errorMessage"]
        assert answer.memory <= 128 << 20


def test_a_process_that_ends_itself_is_an_error(make: Make) -> None:
    answer = make("import os\ndef handler(event, context): print('bye', flush=True); os._exit(0)").invoke(b"")
    assert answer.error_type == "FunctionUnhandledError"
    assert "bye" in answer.log


def test_a_missing_folder_and_a_missing_python_are_told_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(NotInvocable, match="is no folder"):
        FunctionInstance(InstanceDescription("python3.12", tmp_path / "nothing", "index.handler"))
    with pytest.raises(NotInvocable, match=r"no CPython 3\.12") as error:
        FunctionInstance(InstanceDescription("python3.12", tmp_path, "index.handler"), env={"HOME": str(tmp_path)})
    assert "UDFS_PYTHON_CP312=" in error.value.hint


def test_what_differs_from_the_service_is_told(make: Make) -> None:
    from reconciler.local.invoke.pythons import find_glibc

    instance = make(
        "def handler(event, context): pass", "python3.10" if some_runtime() == "python3.10" else some_runtime()
    )
    instance.invoke(b"")
    row = RUNTIMES[instance.description.runtime]
    assert any("glibc" in note for note in instance.notes) == (find_glibc() != row.glibc)


def test_a_request_of_a_trigger_becomes_an_event_and_the_result_a_response(make: Make) -> None:
    source = """
        import json
        def handler(event, context):
            request = json.loads(event)
            return {"statusCode": 201, "headers": {"x-a": "b"}, "isBase64Encoded": request["isBase64Encoded"], "body": request["body"]}
    """
    instance = make(source)
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    for body in ("grüße".encode(), b"\xff\x00"):
        request = HttpRequest("POST", "/a%20b", {"q": "1,2"}, {"User-Agent": "me"}, body)
        event = make_event(request, account="1", domain="web.cn-hangzhou.fcapp.run", request_id="r", now=now)
        context = json.loads(event)["requestContext"]
        assert (context["http"]["path"], context["http"]["userAgent"], context["domainPrefix"]) == ("/a b", "me", "web")
        assert (context["time"], context["timeEpoch"]) == ("2026-01-02T03:04:05Z", "1767323045000")
        response = make_response(instance.invoke(event))
        assert (response.status, response.headers["X-A"], response.body) == (201, "b", body)


@pytest.mark.parametrize(
    ("payload", "error", "status", "body"),
    [
        (b'{"a": 1}', None, 200, b'{"a": 1}'),
        (b"plain", None, 200, b"plain"),
        (b'{"statusCode": 404}', None, 404, b""),
        (b'{"statusCode": "x"}', None, 200, b'{"statusCode": "x"}'),
        (b'{"statusCode": 1e999}', None, 200, b'{"statusCode": 1e999}'),
        (b"[" * 100_000, None, 200, b"[" * 100_000),
        (b'{"statusCode": 200, "body": {"a": 1}}', None, 200, b'{"a": 1}'),
        (
            b'{"statusCode": 200, "body": "' + base64.b64encode(b"\xff") + b'", "isBase64Encoded": true}',
            None,
            200,
            b"\xff",
        ),
        (b'{"errorMessage": "x"}', UNHANDLED, 502, b'{"errorMessage": "x"}'),
    ],
)
def test_a_result_that_is_no_response_is_the_body_of_one(
    payload: bytes, error: str | None, status: int, body: bytes
) -> None:
    response = make_response(FunctionAnswer(payload, error, "", "", 1, 1, "r", is_cold=False))
    assert (response.status, response.body) == (status, body)


SERVER = """
    import json, os, sys
    from http.server import BaseHTTPRequestHandler, HTTPServer
    state = []
    class Calls(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/initialize":
                state.append("initialized")
                return self.answer(200, b"")
            if body == b"fail":
                return self.answer(404, json.dumps({"errorType": "Broken", "errorMessage": "m"}).encode())
            if body == b"die":
                os._exit(3)
            print("FC Invoke Start RequestId: " + self.headers["x-fc-request-id"], flush=True)
            words = state + [self.headers["x-fc-function-name"], self.headers["x-fc-control-path"], sys.argv[1]]
            self.answer(200, " ".join(words).encode() + body)
        def answer(self, status, body):
            self.send_response(status)
            self.send_header("x-fc-status", str(status))
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *words):
            pass
    HTTPServer(("127.0.0.1", int(os.environ["FC_CUSTOM_LISTEN_PORT"])), Calls).serve_forever()
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_the_server_of_a_custom_runtime_is_started_and_gets_events(make: Make) -> None:
    runtime = next((name for name, row in RUNTIMES.items() if row.is_custom and is_here(name)), None)
    if runtime is None:
        pytest.skip("no CPython of a custom runtime is on this machine")
    command = ("python3", "/code/index.py", "argument")
    options = {"command": command, "port": free_port(), "initializer": "index.initialize", "name": "f"}
    instance = make(SERVER, runtime, **options)
    answer = instance.invoke(b"!", EventRequest("r-1"))
    assert answer.payload == b"initialized f /invoke argument!", answer
    assert answer.log == "FC Invoke Start RequestId: r-1\n"
    failure = instance.invoke(b"fail")
    assert (failure.error, failure.error_type, failure.failure["errorMessage"]) == (UNHANDLED, "Broken", "m")
    assert instance.invoke(b"?").payload.endswith(b"argument?")
    assert instance.invoke(b"die").error_type == "FunctionUnhandledError"
    assert not instance.is_alive


def is_here(runtime: str) -> bool:
    try:
        find_python(runtime, ENVIRONMENT)
    except NotInvocable:
        return False
    return True
