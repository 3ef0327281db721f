"""
Testing: the tests of a manifest, run here, the files of rows and results, and the judgement of results wherever they come from.

It starts functions through `local.runner`, but prints nothing and writes only the file of results that it is asked for. How a
service calls what is deployed, a kind of target says. Begin with `trials`; `expectations` says when a result is the expected one.
"""
