"""
Flink's REST interface, as far as a service needs it that runs deployments on one.

Paths and fields: "REST API", Flink 1.20. A client of its own: what stands in ``targets`` is what is judged here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from zipfile import ZipFile

ENTRY_CLASS = "org.apache.flink.client.python.PythonDriver"
_JAR = "udfs-service.jar"
_SECONDS = 180.0
_BOUNDARY = "udfs-local-service"


class FlinkRefusal(Exception):
    """What Flink says no with, or that it says nothing; the text is the last line of its own."""


@dataclass(frozen=True)
class FlinkApi:
    """A cluster, by the address of its REST interface."""

    url: str

    def states(self) -> dict[str, str]:
        """Return the state of each job that the cluster remembers, by number."""
        return {str(job["jid"]): str(job["state"]) for job in self.ask("GET", "/jobs/overview")["jobs"]}

    def run(self, body: dict[str, Any]) -> None:
        """Run a program; when this returns it is planned, and its job submitted."""
        self.ask("POST", f"/jars/{self._driver()}/run", body)

    def stop(self, job: str, trigger: str, folder: str, *, drain: bool) -> None:
        """Ask for a savepoint and the job's end; ``triggerId`` makes two such requests one."""
        self.ask("POST", f"/jobs/{job}/stop", {"drain": drain, "targetDirectory": folder, "triggerId": trigger})

    def cancel(self, job: str) -> None:
        self.ask("PATCH", f"/jobs/{job}?mode=cancel")

    def savepoint(self, job: str, trigger: str, folder: str, *, native: bool) -> None:
        """Ask for a savepoint of a job that runs on."""
        form = "NATIVE" if native else "CANONICAL"
        body = {"cancel-job": False, "formatType": form, "target-directory": folder, "triggerId": trigger}
        self.ask("POST", f"/jobs/{job}/savepoints", body)

    def savepoint_outcome(self, job: str, trigger: str) -> tuple[str, str] | None:
        """Return where a savepoint lies and why it failed, one of them empty; None as long as it is taken."""
        answer = self.ask("GET", f"/jobs/{job}/savepoints/{trigger}")
        if answer["status"]["id"] != "COMPLETED":
            return None
        operation = answer.get("operation") or {}
        failure = operation.get("failure-cause")
        if failure:
            return "", last_line(str(failure.get("stack-trace", "")))
        return str(operation.get("location", "")), ""

    def failure(self, job: str) -> str:
        """Return the stack of exceptions of a job that failed."""
        return str(self.ask("GET", f"/jobs/{job}/exceptions").get("root-exception") or "")

    def restarts(self, job: str) -> int:
        """Return 1 for a job that was restarted, else 0: the overview of a job says no more."""
        return int(bool(self.ask("GET", f"/jobs/{job}").get("timestamps", {}).get("RESTARTING")))

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send a request and return the JSON of its answer; `FlinkRefusal` for an error, and where nobody answers."""
        content = b"" if body is None else json.dumps(body).encode()
        return self._send(method, path, content, "application/json")

    def _driver(self) -> str:
        """Return the number of a jar without classes: ``flink-python`` is in the cluster's class path."""
        for file in self.ask("GET", "/jars")["files"]:
            if file["name"] == _JAR:
                return str(file["id"])
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="jarfile"; filename="{_JAR}"\r\n'
        head += "Content-Type: application/x-java-archive\r\n\r\n"
        content = head.encode() + _empty_jar() + f"\r\n--{_BOUNDARY}--\r\n".encode()
        answer = self._send("POST", "/jars/upload", content, f"multipart/form-data; boundary={_BOUNDARY}")
        return str(answer["filename"]).rpartition("/")[2]

    def _send(self, method: str, path: str, content: bytes, kind: str) -> Any:
        parts = urlsplit(self.url)
        connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_SECONDS)
        try:
            connection.request(method, path, content, {"Content-Type": kind} if content else {})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, HTTPException) as error:
            raise FlinkRefusal(f"no answer from the Flink at {self.url}: {error}") from error
        finally:
            connection.close()
        try:
            document = json.loads(text)
        except ValueError as error:
            raise FlinkRefusal(f"what answers at {self.url} is no Flink") from error
        if answer.status >= 400:
            errors = document.get("errors") if isinstance(document, dict) else None
            raise FlinkRefusal("\n".join(map(str, errors or [f"status {answer.status}"])))
        return document


def last_line(text: str) -> str:
    """Return the last line of a stack that is no frame of it."""
    lines = [
        line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith(("at ", "... "))
    ]
    return lines[-1].removeprefix("Caused by: ") if lines else ""


def _empty_jar() -> bytes:
    content = BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n\n")
    return content.getvalue()
