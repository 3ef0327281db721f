"""
Server of a custom runtime: started by the function's command, and spoken to as "Custom runtimes" in the documentation has it.

Events go to POST /invoke and the initializer to POST /initialize, with the common headers. A status that is no 2xx, or `x-fc-status: 404`,
says that the function failed.
"""

import http.client
import os
import subprocess
import time

PAUSE, PATIENCE = 0.01, 1.0


class ServerFailure(Exception):
    """What the server answered; its body is what the caller gets."""

    def __init__(self, status, body):
        Exception.__init__(self, "the server answered with status %s" % status)
        self.body = body


class CustomServer(object):
    def __init__(self, facts):
        self.facts = facts
        self.process = subprocess.Popen(facts["command"], cwd=facts["code"], env=facts["environment"])

    def connect(self):
        """Return a connection, as soon as it listens; how long that may take, the parent says."""
        connection = http.client.HTTPConnection("127.0.0.1", self.facts["port"])
        while True:
            try:
                connection.connect()
                return connection
            except OSError:
                self.end_with_it(0)
                time.sleep(PAUSE)

    def end_with_it(self, patience):
        """End this process too if the server has ended."""
        deadline = time.time() + patience
        while self.process.poll() is None:
            if time.time() >= deadline:
                return
            time.sleep(PAUSE)
        os._exit(1)

    def post(self, path, request, body):
        """Return what it answers; raises ServerFailure."""
        connection = self.connect()
        try:
            connection.request("POST", path, body, self.headers(path, request))
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException):
            self.end_with_it(PATIENCE)
            raise
        finally:
            connection.close()
        if response.status // 100 != 2 or response.getheader("x-fc-status", "200") != "200":
            raise ServerFailure(response.status, answer)
        return answer

    def headers(self, path, request):
        facts = self.facts
        key, secret, token = facts["credentials"]
        return {
            "Content-Type": "application/octet-stream",
            "x-fc-request-id": request["id"],
            "x-fc-control-path": path,
            "x-fc-access-key-id": key,
            "x-fc-access-key-secret": secret,
            "x-fc-security-token": token,
            "x-fc-function-name": facts["name"],
            "x-fc-function-handler": facts["handler"],
            "x-fc-function-memory": str(facts["memory"]),
            "x-fc-function-timeout": str(facts["timeout"]),
            "x-fc-region": facts["region"],
            "x-fc-account-id": facts["account"],
            "x-fc-qualifier": facts["qualifier"],
            "x-fc-version-id": facts["version"],
        }
