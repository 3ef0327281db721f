"""
A function of Function Compute in a process of its own: load its handler, then answer one event after the other.

This folder is started by path in the CPython of the function's runtime, so it keeps to what 3.6 to 3.12 all understand, and
imports the standard library only. How it speaks with its parent is `frames` of MaxCompute's worker, which is loaded from there.

Begin with `serving.main`.
"""
