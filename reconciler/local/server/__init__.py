"""
Local MaxCompute: handlers of its protocol, and what it stores.

Begin with `answering`, which says in which order a request is checked, and `routes`, which names the handlers.
"""
