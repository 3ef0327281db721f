"""
Environments: a Python interpreter and locked wheels in one archive, from which a worker runs them wherever it unpacks it.

Begin with `assembly`, which makes one of an interpreter's prefix and wheels, and with `findings`, which says of any such archive, made here
or elsewhere, why a worker would not start. Neither knows a service: what an engine asks for comes in as a `WorkerSpec`.
"""
