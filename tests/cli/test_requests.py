"""How many requests a command sends: what is not asked for costs nothing, however large the stack is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.cli.entry import run
from reconciler.local import Server, Settings
from tests.benchmarks.stack import SOURCE, write

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FUNCTIONS, PAGE = 30, 10


def beyond_pages(server: Server) -> int:
    ends = ("/registration/functions", "/resources")
    return sum(not (one.method == "GET" and one.path.endswith(ends)) for one in server.requests)


def test_requests_do_not_grow_with_the_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "stack"
    write(folder, FUNCTIONS)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PROJECT", "demo")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "key")
    with Server(tmp_path / "store", Settings(page_size=PAGE)) as server:
        monkeypatch.setenv("ENDPOINT", server.url)
        assert run(["apply", "--yes"]) == 0
        server.clear_requests()
        assert run(["plan", "--exit-code"]) == 0
        pages = -(-FUNCTIONS // PAGE) + -(-(2 * FUNCTIONS + 1) // PAGE)
        assert (len(server.requests), beyond_pages(server)) == (pages + 1, 1), "the pages, and the newest ledger entry"
        (folder / "f/f00007.py").write_text(SOURCE.format("'changed'"))
        server.clear_requests()
        assert run(["plan", "--exit-code"]) == 2
        assert run(["apply", "--yes"]) == 0
        looks = sum(
            (one.method, one.path) == ("GET", "/projects/demo/resources/udfs.bench.2.json") for one in server.requests
        )
        assert beyond_pages(server) - max(0, looks - 2) <= 12, (
            "a slow run looks at its lease more often, every three seconds"
        )
