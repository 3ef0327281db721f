"""The gateway gives tools one index and no password, is closed to everybody else, and ends with its context."""

from __future__ import annotations

import base64
import json
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from reconciler.base.errors import PackageError
from reconciler.packages.fetch.downloads import Downloads
from reconciler.packages.fetch.gateway import Gateway, open_gateway
from reconciler.packages.fetch.indexes import Indexes, NamedIndex, Remote
from tests.builders import sha256, wheel
from tests.canary import PASSWORD
from tests.packages.lock.index import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JSON = "application/vnd.pypi.simple.v1+json"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return wheel(tmp_path / "served", "tool")


@pytest.fixture
def gateway(tmp_path: Path, file: Path) -> Iterator[Gateway]:
    """Two indexes, the first with a password, the second a folder; and a folder of links."""
    simple = tmp_path / "simple" / "local"
    simple.mkdir(parents=True)
    page = (
        f'<base href="../"><a href="../served/{file.name}#sha256={sha256(file)}" data-requires-python="&gt;=3.7">x</a>'
    )
    (simple / "index.html").write_text(page)
    with serving(tmp_path / "served", password=PASSWORD) as index:
        indexes = (NamedIndex("CORP", index.url), NamedIndex("default", (tmp_path / "simple").as_uri()))
        with Downloads(Indexes(), (index.url,)) as downloads:
            pip = Indexes(find_links=("/wheels", index.url.replace("/simple/", "/simple/tool/")))
            with open_gateway(indexes, downloads, {}, pip) as opened:
                yield opened


def ask(gateway: Gateway, url: str, **headers: str) -> tuple[int, bytes]:
    """Ask as a tool does, by the proxy that it is told."""
    proxy = urlsplit(gateway.variables()["http_proxy"])
    permission = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
    with closing(HTTPConnection(str(proxy.hostname), proxy.port, timeout=10)) as connection:
        connection.request("GET", url, headers={"Proxy-Authorization": f"Basic {permission}", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_tools_are_told_one_index_without_a_password(gateway: Gateway) -> None:
    variables = gateway.variables()
    assert PASSWORD not in json.dumps(variables)
    assert variables["PIP_INDEX_URL"] == variables["UV_DEFAULT_INDEX"] == f"http://{gateway.host}/simple/"
    assert variables["PIP_FIND_LINKS"] == f"http://{gateway.host}/links/0/ /wheels"
    other = Gateway(
        (NamedIndex("CORP", gateway.indexes[0].address.replace(PASSWORD, "new")), *gateway.indexes[1:]),
        gateway.downloads,
    )
    assert other.host != gateway.host, "other links"
    other.links = gateway.links
    assert other.host == gateway.host, "tools keep what they fetched although a password has changed"


def test_pages_lead_back_and_files_come_through(gateway: Gateway, file: Path) -> None:
    for page, label, name in (
        ("simple/tool/", "CORP", "tool"),
        ("simple/local/", "default", "local"),
        ("links/0/", "find-links-0", "-"),
    ):
        status, content = ask(gateway, f"http://{gateway.host}/{page}")
        address = f"http://{gateway.host}/files/{label}/{name}/{file.name}"
        assert status == 200
        assert f'href="{address}#sha256={sha256(file)}"' in content.decode()
        assert PASSWORD.encode() not in content
        assert ask(gateway, address)[1] == file.read_bytes()
        remote, index = gateway.origin(Remote(file.name, address, sha256(file)))
        assert index == label
        assert not remote.url.startswith(f"http://{gateway.host}")
    assert b'data-requires-python="&gt;=3.7"' in ask(gateway, f"http://{gateway.host}/simple/local/")[1]
    assert ask(gateway, f"http://{gateway.host}/simple/nothing/")[0] == 404


def test_a_page_that_a_tool_kept_from_an_earlier_run_still_leads_to_its_file(gateway: Gateway, file: Path) -> None:
    assert ask(gateway, f"http://{gateway.host}/files/CORP/tool/{file.name}")[1] == file.read_bytes()
    assert ask(gateway, f"http://{gateway.host}/files/CORP/tool/other-1.0.tar.gz")[0] == 404
    gone = Remote("other-1.0.tar.gz", f"http://{gateway.host}/files/CORP/tool/other-1.0.tar.gz", None)
    with pytest.raises(PackageError, match="index 'CORP' does not tell any more where"):
        gateway.origin(gone)


def test_nobody_else_gets_anything(gateway: Gateway) -> None:
    page = f"http://{gateway.host}/simple/tool/"
    assert ask(gateway, page, **{"Proxy-Authorization": "Basic dWRmczpndWVzcw=="})[0] == 407
    assert ask(gateway, page, **{"Proxy-Authorization": "ü"})[0] == 407
    assert ask(gateway, gateway.indexes[0].address)[0] == 403, "no way to anywhere else"
    assert ask(gateway, f"http://{gateway.host}/files/CORP/..%2F..%2Fetc/passwd")[0] in (404, 502)
    assert ask(gateway, f"http://{gateway.host}/")[0] == 404


def test_json_is_rewritten_too(gateway: Gateway, file: Path) -> None:
    answer = gateway.downloads.ask((file.parent).as_uri(), {})
    table = {
        "files": [{"filename": file.name, "url": f"../../files/{file.name}", "hashes": {}, "size": 7}],
        "name": "tool",
    }
    page = type(answer)(200, {"Content-Type": f"{JSON}; charset=utf-8"}, "https://index.test/simple/tool/", iter(()))
    [entry] = json.loads(gateway.rewrite("CORP", "tool", page, json.dumps(table).encode()))["files"]
    assert entry == {**table["files"][0], "url": f"http://{gateway.host}/files/CORP/tool/{file.name}"}  # type: ignore[dict-item]
    assert gateway.address_of("CORP", "tool", file.name) == f"https://index.test/files/{file.name}"
    metadata = gateway.address_of("CORP", "tool", f"{file.name}.metadata")
    assert metadata == f"https://index.test/files/{file.name}.metadata"


def test_it_listens_no_longer_than_its_context(gateway: Gateway) -> None:
    with open_gateway(gateway.indexes, gateway.downloads, {}, Indexes()) as brief:
        assert ask(brief, f"http://{brief.host}/")[0] == 404
    with pytest.raises(OSError, match="refused"):
        ask(brief, f"http://{brief.host}/")
