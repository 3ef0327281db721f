"""
Core: what differs between a manifest and a project, and what to do about it.

It is pure, of frozen values, and blind to services: what an object is, only its kind knows. It may use packages for the
bytes that objects hold, and nothing that reads, writes or asks. Begin with `kind` and `state`, then `diff` and `plan`.
"""
