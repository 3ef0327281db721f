"""
MaxCompute: its objects, rules and runtimes, and its own wire protocol.

`client` signs and sends, and turns every failure into an error of ours; `read` makes the state from two listings; `write` makes
one change; `target` puts them together. PyODPS's model objects are not used: they read whole files into memory, fetch on
attribute access, and corrupt large uploads in known cases (DECISIONS, 4 and 46).

Its powers (`targets.powers`) are the modules `sql`, `sql_tests`, `jobs`, `importing`, `embedded` and `maxframe`.
"""
