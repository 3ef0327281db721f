"""
Log lines of the runtime, as "Logs" and "Print function logs" in the documentation show them.

The root logger prints `2017-07-05T05:13:35.920Z REQUEST [INFO]   hello world`, that of `context.getLogger()`
`2022-07-13 10:26:02 REQUEST [INFO] hello world`.
"""

import logging
import sys
import time


class _RequestFormatter(logging.Formatter):
    """Of the root logger, which outlives a call."""

    converter = time.gmtime
    request = ""

    def format(self, record):
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", self.converter(record.created))
        text = logging.Formatter.format(self, record)
        return "%s.%03dZ %s [%s]   %s" % (moment, record.msecs, self.request, record.levelname, text)


class _Output(logging.StreamHandler):
    """Writes to what is `sys.stdout` at the time: a function may put something in its place."""

    def __init__(self):
        logging.Handler.__init__(self)

    @property
    def stream(self):
        return sys.stdout


def set_up_root():
    """Give the root logger its format, and return that."""
    formatter = _RequestFormatter()
    handler = _Output()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    return formatter


def make_logger(request):
    """Return the logger of one call."""
    logger = logging.Logger(request, logging.INFO)
    handler = _Output()
    formatter = logging.Formatter("%(asctime)s " + request + " [%(levelname)s] %(message)s", "%Y-%m-%d %H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    return logger
