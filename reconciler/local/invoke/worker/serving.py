"""
Answers to the frames of the parent, until it has gone: first the facts of the instance, then one event after the other.
"""

import importlib
import resource
import sys

from .contexts import make_context
from .frames import Channel, end_with_parent
from .logs import make_logger, set_up_root
from .results import encode_error, encode_result, name_failure
from .servers import CustomServer, ServerFailure


class HandlerNotFound(Exception):
    """What the service says of a handler that is not there is not documented for Python; the words are a guess."""


def find_callable(name):
    """Return what `index.handler` or `package/index.handler` names, its module imported."""
    path, _, attribute = name.rpartition(".")
    if not path or not attribute:
        raise HandlerNotFound("'%s' is not of the form file.function" % name)
    module = importlib.import_module(path.replace("/", "."))
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise HandlerNotFound("Handler '%s' is missing on module '%s'" % (attribute, path)) from None


def prepare_interpreter(code):
    """Do what `site` would, which was not imported lest it showed packages of this machine."""
    sys.argv[:] = [""]
    sys.path.insert(0, code)
    import site

    site.setquit()
    site.setcopyright()
    site.sethelper()
    site.execsitecustomize()


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass


class _Runtime(object):
    def __init__(self, channel, facts):
        self.channel = channel
        self.facts = facts
        self.formatter = set_up_root()
        self.handler = self.server = None

    def peak(self):
        """Return the most bytes of memory that this process has had."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    def send(self, header, body=b""):
        flush()
        header["memory"] = self.peak()
        self.channel.send(header, body)

    def attempt(self, kind, work):
        """Send what `work` returns, or the error that it raises; say whether it went well."""
        try:
            body = encode_result(work())
        except ServerFailure as failure:
            self.send({"kind": "error", "type": name_failure(failure.body)}, failure.body)
            return False
        except BaseException:
            name, body = encode_error(*sys.exc_info())
            self.send({"kind": "error", "type": name}, body)
            return False
        self.send({"kind": kind}, body)
        return True

    def start(self, request):
        """Import the handler's module, and initialize."""
        self.formatter.request = request["id"]

        def serve():
            self.server = CustomServer(self.facts)
            self.server.connect().close()
            if self.facts["initializer"]:
                self.server.post("/initialize", request, b"")
            return b""

        def work():
            self.handler = find_callable(self.facts["handler"])
            if self.facts["initializer"]:
                initialize = find_callable(self.facts["initializer"])
                initialize(make_context(self.facts, request, make_logger))
            return b""

        return self.attempt("ready", serve if self.facts["command"] else work)

    def invoke(self, request, event):
        self.formatter.request = request["id"]

        def work():
            if self.server is not None:
                return self.server.post("/invoke", request, event)
            return self.handler(event, make_context(self.facts, request, make_logger))

        self.attempt("answer", work)


def main(requests, answers, lifeline):
    end_with_parent(lifeline)
    channel = Channel(requests, answers)
    message = channel.receive()
    if message is None:
        return
    runtime = _Runtime(channel, message[0])
    prepare_interpreter(message[0]["code"])
    while True:
        message = channel.receive()
        if message is None:
            return
        header, body = message
        if header["kind"] == "start":
            if not runtime.start(header):
                return
        else:
            runtime.invoke(header, body)
