"""The step for a chat: what it sends, what it keeps to itself, and that nobody is called by what a manifest says."""

from __future__ import annotations

import json
import os
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from tests.pipelines.scene import EXAMPLE

if TYPE_CHECKING:
    from pathlib import Path

EVIL = '<at user_id="all">all</at> <!everyone> & "$(id)" \x07'


def entry(outcome: str, target: str | None = "prod") -> dict[str, Any]:
    return {"manifest": "udfs.yaml", "target": target, "outcome": outcome, "summary": f"1 object drifted {EVIL}"}


def tell(folder: Path, chat: str, command: str, *entries: dict[str, Any]) -> list[Any]:
    """Run the step in front of a robot, and return what it was sent."""
    (folder / "index.json").write_text(json.dumps({"command": command, "entries": entries}))
    sent: list[Any] = []

    class Robot(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Robot) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        env = {
            "PATH": os.environ["PATH"],
            "CHAT_WEBHOOK": f"http://127.0.0.1:{server.server_port}/robot?access_token=s",
        }
        script = ["bash", str(EXAMPLE / "chat.sh"), chat, str(folder)]
        subprocess.run(script, env=env, check=True, timeout=60)
        server.shutdown()
    return sent


@pytest.mark.parametrize("chat", ["dingtalk", "feishu", "wecom", "slack"])
def test_a_chat_hears_what_drifted_and_calls_nobody(chat: str, tmp_path: Path) -> None:
    [message] = tell(tmp_path, chat, "drift", entry("changes"), entry("clean", "test"))
    parts = {"feishu": message.get("content"), "slack": message}.get(chat) or message["text"]
    text = parts.get("text") or parts.get("content")
    assert text.startswith("udfs drift\nudfs.yaml (prod): 1 object drifted ")
    assert not {"<", ">", "\x07"} & {*text}
    assert len(text) <= 600
    assert "test" not in text


def test_silence_is_not_news(tmp_path: Path) -> None:
    assert tell(tmp_path, "slack", "drift", entry("clean")) == []
    assert tell(tmp_path, "slack", "apply", entry("changes"), entry("clean")) == []
    [message] = tell(tmp_path, "slack", "apply", entry("failed", None), *[entry("failed")] * 20)
    assert message["text"].startswith("udfs apply\nudfs.yaml: ")
