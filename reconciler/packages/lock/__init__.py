"""
Lock: the files that a package group is made of, for a runtime, resolved once and written into ``udfs.lock``.

`inputs` reads what the manifest wants. An engine answers which distributions that makes: uv where it can, pex for what
uv cannot be asked (Python 2.7, systems below manylinux2014), both behind `resolver`. Their answers are for the runtime,
its full version, its markers and its platform, and never for the Python that runs udfs. `make` takes the files that
load there, has built what has no wheel, and makes the lock (`file`). `plan` and `apply` never resolve: they take the lock,
refuse it when it is stale, and hold every byte to its sha256.
"""
