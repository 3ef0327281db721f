"""
Testing: the tests of a manifest, run here or by SQL, and the judgement of their results.

It starts functions through `local.runner` and asks a target for SQL, but prints nothing and writes only the file of results
that it is asked for. Begin with `run_here`; `expectations` says when a result is the expected one.
"""
