"""
HTTP/1.1 server on loopback, without a protocol of a service: connections, framing, faults, the log of requests.

Begin with `connection`, which says in which order a request is checked, and what a `WireProtocol` adds to it.
"""
