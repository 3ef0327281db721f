"""
Context of a call, as "Context" in the documentation of the Python runtimes has it for each of them.

3.12 knows no credentials, no service and no tracing; 3.6 to 3.10 know all three, and less of the function. What the documentation
does not say, such as the fields of `tracing` without tracing, is a guess.
"""


class _Credentials(object):
    def __init__(self, access_key_id, access_key_secret, security_token):
        self.access_key_id = access_key_id
        self.access_key_secret = access_key_secret
        self.security_token = security_token


class _ServiceMeta(object):
    def __init__(self, service_name, log_project, log_store, qualifier, version_id):
        self.name = service_name
        self.log_project = log_project
        self.log_store = log_store
        self.qualifier = qualifier
        self.version_id = version_id


class _Tracing(object):
    def __init__(self, span_context, jaeger_endpoint, span_baggages):
        self.span_context = span_context
        self.jaeger_endpoint = jaeger_endpoint
        self.span_baggages = span_baggages


class _FunctionMeta(object):
    def __init__(self, name, handler, memory, timeout):
        self.name = name
        self.handler = handler
        self.memory = memory
        self.timeout = timeout


class FCContext(object):
    """What a handler gets beside the event."""

    def __init__(self, account_id, request_id, function, region, make_logger):
        self.account_id = account_id
        self.request_id = request_id
        self.requestId = request_id  # as 3.6 to 3.10 call it too
        self.function = function
        self.region = region
        self.logger = None
        self._make_logger = make_logger

    def getLogger(self):
        if self.logger is None:
            self.logger = self._make_logger(self.request_id)
        return self.logger


def make_context(facts, request, make_logger):
    """Return the context of a request, with the fields of the runtime."""
    function = _FunctionMeta(facts["name"], facts["handler"], facts["memory"], facts["timeout"])
    context = FCContext(facts["account"], request["id"], function, facts["region"], make_logger)
    if facts["has_credentials"]:
        context.credentials = _Credentials(*facts["credentials"])
        context.service = _ServiceMeta(
            "", facts["log_project"], facts["log_store"], facts["qualifier"], facts["version"]
        )
        context.tracing = _Tracing("", "", {})
    else:
        del context.requestId
        function.version_id = facts["version"]
        function.qualifier = facts["qualifier"]
        context.log_project = facts["log_project"]
        context.log_store = facts["log_store"]
    return context
