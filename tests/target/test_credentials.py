"""Credentials: where they are looked for, sessions that end while they are used, and what is told when there are none."""

from __future__ import annotations

import contextlib
import io
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import AccessError
from reconciler.base.redaction import forget_secrets, redact
from reconciler.cli.entry import run
from reconciler.local import Server, Settings
from reconciler.targets.credentials.choice import OidcChoice, OidcRole
from reconciler.targets.credentials.links import open_odps_source, open_source
from reconciler.targets.credentials.session import Credentials, RenewedSource
from tests.canary import require_absent_under
from tests.sts import PROVIDER, ROLE, Reply, Sts, serve_sts

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPLICIT = OidcChoice(oidc=OidcRole(role_arn=ROLE, provider_arn=PROVIDER, audience="udfs"))

MANIFEST = """
stack: risk
targets: {{prod: {{endpoint: "{url}", project: demo}}}}
functions:
{functions}
"""
SOURCE = """
from odps.udf import annotate
@annotate("->string")
class F(object):
    def evaluate(self): return None
"""


@pytest.fixture
def sts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sts]:
    forget_secrets()
    yield from serve_sts(tmp_path_factory.mktemp("sts"))


@pytest.fixture
def job(sts: Sts, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a job of GitHub's, and no access key."""
    environment = sts.environment()
    monkeypatch.delenv("ALIBABA_CLOUD_SECURITY_TOKEN", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


def project(folder: Path, url: str, functions: int) -> Path:
    folder.mkdir(exist_ok=True)
    lines = "\n".join(f"  f{n}: {{source: f{n}.py, class: F}}" for n in range(functions))
    for number in range(functions):
        (folder / f"f{number}.py").write_text(f"{SOURCE}# {number}\n")
    (folder / "udfs.yaml").write_text(MANIFEST.format(url=url, functions=lines))
    return folder / "udfs.yaml"


def udfs(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    return code, out.getvalue(), err.getvalue()


def signed_server(folder: Path, sts: Sts) -> Server:
    """A service that knows the sessions of `sts`, and refuses a key with the token of another one."""
    return Server(folder / "store", Settings(access_id="nobody", access_key="unused-secret", users=sts.users))


def test_an_apply_goes_on_over_many_sessions_and_each_request_is_signed_by_one(
    tmp_path: Path, sts: Sts, job: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service refuses a key with another session's token; four writers work at once while sessions end."""
    sts.life = 2.0
    monkeypatch.setenv("UDFS_WRITERS", "4")
    with signed_server(tmp_path, sts) as server:
        server.faults.add(
            {"action": "stall", "seconds": 0.5, "method": "POST", "path": "functions", "when": "after", "times": None}
        )
        manifest = project(tmp_path / "p", server.url, 40)
        code, out, err = udfs("apply", "--yes", "-f", str(manifest), "--target", "prod")
        assert code == 0, err
        made = [request for request in server.requests if request.path.endswith("functions") and request.status == 201]
    assert len(sts.users) >= 3
    assert len(sts.tokens_asked) == len(sts.asked), "an identity token is asked for anew with each session"
    assert len({form["OIDCToken"] for form in sts.asked}) == len(sts.asked)
    assert sts.asked[0]["RoleSessionName"] == "udfs-4711"
    assert len(made) == 40
    for secret in (*sts.secrets, sts.request_token):
        assert secret not in out + err
        assert not any(secret.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    require_absent_under(tmp_path)


def test_a_session_that_ends_in_the_middle_of_an_upload_in_parts_is_replaced(
    tmp_path: Path, sts: Sts, job: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service calls it expired before its time; the part is sent again, and the file arrives whole."""
    monkeypatch.setattr("reconciler.targets.maxcompute.write.PART_BYTES", 1 << 20)
    with signed_server(tmp_path, sts) as server:
        manifest = project(tmp_path / "p", server.url, 1)
        (tmp_path / "p" / "large.bin").write_bytes(bytes(range(256)) * 4096 * 5)
        manifest.write_text(f"{manifest.read_text()}resources: {{large.bin: {{file: large.bin}}}}\n")
        expired = {"action": "fail", "status": 401, "code": "AuthenticationRequestExpired", "query": "rIsPart"}
        server.faults.add({**expired, "nth": 2, "times": 1})
        server.faults.add({**expired, "nth": 4, "times": 1, "when": "before"})
        code, _, err = udfs("apply", "--yes", "-f", str(manifest), "--target", "prod")
        assert code == 0, err
        parts = [request for request in server.requests if "rIsPart" in request.query and request.method == "POST"]
    assert len([part for part in parts if part.status == 201]) == 5
    assert len(parts) == 7
    assert 2 <= len(sts.users) <= 3


def test_a_clock_that_is_wrong_does_not_end_sessions(sts: Sts, job: dict[str, str]) -> None:
    sts.ahead = -7200.0
    source = open_source(None, job)
    assert source.current() is source.current()
    assert len(sts.users) == 1


@pytest.mark.parametrize(
    ("reply", "code", "words"),
    [
        (
            Reply(403, '{"Code": "AuthenticationFail.OIDCToken.Invalid", "Message": "The audience is invalid."}'),
            "E590",
            "AuthenticationFail.OIDCToken.Invalid: The audience is invalid.",
        ),
        (Reply(403, "<html>Forbidden by proxy</html>"), "E591", "answers 403: '<html>Forbidden by proxy</html>'"),
        (Reply(200, "<html>Log in</html>"), "E591", "something that is no session: '<html>Log in</html>'"),
        (Reply(200, '{"Credentials": {"AccessKeyId": "x"}}'), "E591", "something that is no session"),
        (Reply(200, "[" * 100_000), "E591", "something that is no session"),
        (
            Reply(
                200,
                json.dumps(
                    {
                        "Credentials": {
                            "AccessKeyId": "x",
                            "AccessKeySecret": "canary-in-nonsense",
                            "SecurityToken": "canary-in-token",
                            "Expiration": "soon",
                        }
                    }
                ),
            ),
            "E591",
            "a session without an end: 'soon'",
        ),
        (Reply(302, "", (("Location", "https://elsewhere.example/"),)), "E591", "answers 302"),
    ],
    ids=["refused", "proxy", "page", "half", "deep", "endless", "elsewhere"],
)
def test_what_sts_says_is_told_with_exit_4_and_no_secret(
    tmp_path: Path, sts: Sts, job: dict[str, str], reply: Reply, code: str, words: str
) -> None:
    sts.replies.append(reply)
    manifest = project(tmp_path / "p", "http://127.0.0.1:9/api", 1)
    exit_code, out, err = udfs("plan", "-f", str(manifest), "--target", "prod")
    assert exit_code == 4
    assert f"error[{code}]" in err
    assert words in err
    assert "canary" not in out + err
    assert len(sts.asked) == 1, "an answer is not asked for again"


def test_an_sts_that_fails_in_passing_is_asked_again_and_one_that_goes_on_failing_is_told(
    sts: Sts, job: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.targets.credentials.exchange._PAUSES", (0.01, 0.01, 0.01))
    sts.replies += [Reply(503, '{"Code": "ServiceUnavailable"}')] * 3
    assert open_source(None, job).current().access_id == "STS.1"
    sts.replies += [Reply(503, '{"Code": "ServiceUnavailable"}')] * 4
    with pytest.raises(AccessError, match="answers 503") as failed:
        open_source(None, job)
    assert (failed.value.problems[0].code, failed.value.exit_code) == ("E591", 4)


def test_a_renewal_that_fails_leaves_a_session_in_use_that_still_holds() -> None:
    now, names = [0.0], iter(["first", None, "second"])

    def obtain() -> Credentials:
        if (name := next(names)) is None:
            raise AccessError("E591", "no")
        return Credentials(name, "long-enough", begins=now[0], expires=now[0] + 100)

    source = RenewedSource(obtain, lambda: now[0])
    assert source.current().access_id == "first"
    now[0] = 85.0
    assert source.current().access_id == "first"
    now[0] = 86.0
    assert source.current().access_id == "first", "it is not asked for at each request"
    now[0] = 99.0
    assert source.current().access_id == "second"


def test_while_one_thread_renews_the_others_go_on_with_what_holds() -> None:
    now, begun, go_on = [0.0], threading.Event(), threading.Event()
    calls: list[float] = []

    def obtain() -> Credentials:
        calls.append(now[0])
        if len(calls) > 1:
            begun.set()
            go_on.wait(30)
        return Credentials(f"key{len(calls)}", "long-enough", begins=now[0], expires=now[0] + 100)

    source = RenewedSource(obtain, lambda: now[0])
    source.current()
    now[0] = 90.0
    renewing = threading.Thread(target=source.current)
    renewing.start()
    assert begun.wait(30)
    assert source.current().access_id == "key1"
    go_on.set()
    renewing.join()
    assert source.current().access_id == "key2"


def test_a_certificate_that_nobody_vouches_for_gets_no_token(
    sts: Sts, job: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.setattr("reconciler.targets.credentials.exchange._PAUSES", ())
    with pytest.raises(AccessError, match="a certificate that is not trusted here"):
        open_source(None, job)
    assert not sts.tokens_asked


def test_a_token_does_not_travel_in_the_clear(job: dict[str, str]) -> None:
    job["ACTIONS_ID_TOKEN_REQUEST_URL"] = "http://pipelines.example/token"
    with pytest.raises(AccessError, match="goes over TLS alone"):
        open_source(None, job)


def test_a_job_that_may_not_ask_for_a_token_is_told_what_it_needs(sts: Sts, job: dict[str, str]) -> None:
    del job["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
    with pytest.raises(AccessError, match="nobody here gives one") as failed:
        open_source(None, job)
    assert failed.value.problems[0].code == "E592"
    assert "id-token: write" in str(failed.value.problems[0].hint)


def test_gitlab_hands_the_token_over_in_a_variable_and_what_is_no_token_is_not_sent(
    sts: Sts, job: dict[str, str]
) -> None:
    job |= {"UDFS_ID_TOKEN": "eyJ.of-gitlab.sig", "GITLAB_CI": "true", "CI_JOB_ID": "12"}
    del job["GITHUB_RUN_ID"]
    source = open_source(EXPLICIT, job)
    assert source.current().origin == f"GitLab's identity token, as {ROLE}"
    assert (sts.asked[0]["OIDCToken"], sts.asked[0]["RoleSessionName"]) == ("eyJ.of-gitlab.sig", "udfs-12")
    assert not sts.tokens_asked
    job["UDFS_ID_TOKEN"] = "glpat-a-password-of-somebody"
    with pytest.raises(AccessError, match="no token"):
        open_source(EXPLICIT, job)
    assert len(sts.asked) == 1


def test_the_role_in_a_manifest_is_taken_on_even_where_the_environment_has_a_key(sts: Sts, job: dict[str, str]) -> None:
    job |= {"ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI-old", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "an-old-secret"}
    assert open_source(None, job).current().access_id == "LTAI-old"
    assert open_source(EXPLICIT, job).current().access_id == "STS.1"
    assert sts.tokens_asked[0][0] == "udfs"


def test_odpscmds_configuration_is_read_from_the_home_folder_and_not_from_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = "# mine\nproject_name=demo\naccess_id = LTAI-home\naccess_key=c2VjcmV0LWtleQ==\nend_point=https://x/api\n"
    home, checkout = tmp_path / "home", tmp_path / "checkout"
    for folder in (home, checkout):
        folder.mkdir()
        (folder / "odps_config.ini").write_text(config.replace("home", folder.name))
    monkeypatch.chdir(checkout)
    keys = open_odps_source("odpscmd", {"HOME": str(home), "PATH": ""}).current()
    assert (keys.access_id, keys.secret, keys.token) == ("LTAI-home", "c2VjcmV0LWtleQ==", None)
    with pytest.raises(AccessError, match="no credentials") as missing:
        open_odps_source("odpscmd", {"HOME": str(tmp_path), "PATH": ""})
    assert "no odps_config.ini" in missing.value.problems[0].detail[0]
    (home / "odps_config.ini").write_text(f"{config}account_provider=taobao\n")
    with pytest.raises(AccessError, match="account_provider is 'taobao'"):
        open_odps_source("odpscmd", {"HOME": str(home), "PATH": ""})


def test_who_finds_nothing_says_of_each_place_why(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "PATH": "", "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"}
    with pytest.raises(AccessError, match="no credentials were found anywhere") as missing:
        open_odps_source(None, environment)
    problem = missing.value.problems[0]
    assert (problem.code, missing.value.exit_code) == ("E607", 4)
    assert list(dict.fromkeys(line.split(":")[0] for line in problem.detail)) == [
        *("environment", "oidc", "pyodps", "odpscmd", "chain")
    ]


def test_what_is_for_maxcompute_alone_opens_no_other_service(tmp_path: Path) -> None:
    (tmp_path / "odps_config.ini").write_text("access_id=LTAI-home\naccess_key=c2VjcmV0LWtleQ==\n")
    environment = {"HOME": str(tmp_path), "PATH": "", "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"}
    assert open_odps_source(None, environment).current().access_id == "LTAI-home"
    for more in (
        {},
        {"ODPS_BEARER_TOKEN": "token"},
        {"ODPS_STS_ACCESS_KEY_ID": "a", "ODPS_STS_ACCESS_KEY_SECRET": "b"},
    ):
        with pytest.raises(AccessError, match="no credentials were found anywhere"):
            open_source(None, {**environment, **more})


def test_a_profile_of_the_aliyun_cli_is_used_by_the_chain(tmp_path: Path) -> None:
    """In a process of its own: the library reads the environment as it is imported."""
    pytest.importorskip("alibabacloud_credentials")
    import subprocess
    import sys

    profile = {
        "name": "default",
        "mode": "StsToken",
        "access_key_id": "LTAI-cli",
        "access_key_secret": "of-the-profile",
    }
    (tmp_path / ".aliyun").mkdir()
    (tmp_path / ".aliyun" / "config.json").write_text(
        json.dumps({"current": "default", "profiles": [{**profile, "sts_token": "token-of-it"}]})
    )
    script = (
        "import os; from reconciler.targets.credentials.links import open_source\n"
        "keys = open_source(None, os.environ).current()\n"
        "print(keys.access_id, keys.token, keys.origin)"
    )
    environment = {"HOME": str(tmp_path), "PATH": "", "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "LTAI-cli token-of-it the Aliyun CLI's profile"


def test_a_secret_is_hidden_in_whatever_form_and_from_the_moment_it_is_known() -> None:
    forget_secrets()
    secret = "a+b/c='d\"e=="
    assert redact(f"<{secret}>") == f"<{secret}>"
    Credentials("id", secret)
    for form in (secret, repr(secret), json.dumps(secret), "a%2Bb%2Fc%3D%27d%22e%3D%3D"):
        assert "c=" not in redact(form)
        assert "…" in redact(form)


def test_sql_through_pyodps_is_signed_by_the_same_sessions(tmp_path: Path, sts: Sts, job: dict[str, str]) -> None:
    job["ODPS_STS_TOKEN"] = "not-this-one"
    with signed_server(tmp_path, sts) as server:
        manifest = project(tmp_path / "p", server.url, 1)
        code, out, err = udfs("sql", "-f", str(manifest), "--target", "prod", "SELECT 1 AS one")
        assert code == 0, err
        assert {request.actor for request in server.requests} == {"RAM$ops:deployer"}
    assert "one" in out


def test_keys_that_are_refused_are_told_with_the_place_that_they_come_from(
    tmp_path: Path, sts: Sts, job: dict[str, str]
) -> None:
    with Server(tmp_path / "store", Settings(access_id="nobody", access_key="unused-secret")) as server:
        manifest = project(tmp_path / "p", server.url, 1)
        code, _, err = udfs("plan", "-f", str(manifest), "--target", "prod")
    assert code == 4
    assert "error[E602]" in err
    assert f"they come from GitHub's identity token, as {ROLE}" in err
