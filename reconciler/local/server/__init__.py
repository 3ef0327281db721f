"""
HTTP server of the local service: connections, handlers of the protocol, and the store.

Begin with `connection`, which says in which order a request is checked, and `routes`, which names the handlers.
"""
