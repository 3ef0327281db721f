"""Signatures, as PyODPS makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from odps import ODPS, errors, options
from odps.accounts import CloudAccount

from reconciler.local import Server, User

if TYPE_CHECKING:
    from tests.contract.conftest import Serve


@pytest.fixture
def guarded(serve: Serve) -> Server:
    """A server that asks for signatures."""
    return serve(access_id="alice", access_key="right", users={"bob": User("bobs", "ALIYUN$bob@example.com")})


def entry(server: Server, access_id: str = "alice", secret: str = "right", region: str | None = None) -> Any:
    """An entry object that signs; with a region by V4, without by V2."""
    return ODPS(access_id, secret, "demo", server.url, region_name=region, overwrite_global=False)


@pytest.mark.parametrize("region", [None, "cn-shanghai"], ids=["V2", "V4"])
def test_a_right_signature_lets_every_kind_of_request_through(guarded: Server, region: str | None) -> None:
    odps = entry(guarded, region=region)
    odps.create_resource("a b+c&d=e?.py", "py", fileobj="x", comment="signed, with spaces")
    odps.get_resource("a b+c&d=e?.py").update(file_obj="y")
    odps.create_function("fn", class_type="a.F", resources=["a b+c&d=e?.py"])
    assert [found.name for found in odps.list_functions(prefix="f")] == ["fn"]
    odps.delete_function("fn")
    with odps.open_resource("a b+c&d=e?.py", mode="r", stream=True) as found:
        assert found.read() == "y"


@pytest.mark.parametrize("region", [None, "cn-shanghai"], ids=["V2", "V4"])
def test_a_wrong_secret_is_refused_and_nothing_happens(guarded: Server, region: str | None) -> None:
    with pytest.raises(errors.ODPSError, match="ODPS-0410042") as refused:
        entry(guarded, secret="wrong", region=region).create_resource("a.py", "py", fileobj="x")
    assert (refused.value.code, refused.value.status_code) == ("InvalidAuthorization", 401)
    assert not entry(guarded).exist_resource("a.py")


@pytest.mark.parametrize("region", [None, "cn-shanghai"], ids=["V2", "V4"])
def test_an_unknown_access_id_is_refused(guarded: Server, region: str | None) -> None:
    with pytest.raises(errors.ODPSError, match="ODPS-0410051"):
        entry(guarded, access_id="mallory", region=region).exist_resource("a.py")


def test_more_people_may_sign_and_own_what_they_create(guarded: Server) -> None:
    entry(guarded, "bob", "bobs").create_resource("a.py", "py", fileobj="x")
    assert entry(guarded).get_resource("a.py").owner == "ALIYUN$bob@example.com"


def test_a_v4_signature_is_really_checked_and_not_taken_for_v2(
    guarded: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    calculated = CloudAccount.calc_auth_str

    def noted(self: Any, canonical: str, region_name: str | None = None) -> Any:
        sent.append(calculated(self, canonical, region_name))
        return sent[-1]

    monkeypatch.setattr(CloudAccount, "calc_auth_str", noted)
    assert options.enable_v4_sign
    entry(guarded, region="cn-shanghai").exist_resource("a.py")
    assert sent
    assert all("/cn-shanghai/odps/aliyun_v4_request:" in authorization for authorization in sent)
    assert {exchange.status for exchange in guarded.requests} == {200, 404}
