"""
udfs: the Python functions of a data service, kept in Git.

The road of a command, left to right. `validate` stops after *desired*, `drift` is *plan* read the other way, `destroy` is an apply of
nothing, `rollback` the plan of an earlier entry of the ledger: there is no second code path::

    udfs.yaml, udfs.lock ─ manifest ─▶ checked values ─ packages ─▶ bytes ─ targets ─▶ desired state ─┐
                                                          checks ─▶ problems                         ├ core ▶ plan ▶ render | engine
    the service ────────────────── targets ─────────────────────────────────────────▶ live state ────┘                     │
        ▲───────────────────── targets, one object a call ◀────────────────────────────────────────────────────────────────┘

Twelve rooms, from the top down. A room imports only rooms below it (``tests/test_architecture.py``), and its ``__init__`` says where to
begin reading::

    cli        one file a command: arguments, questions, exit codes
    render     values → text, Markdown, JSON, SARIF, …; decides nothing
    workflow   each command as a short list of steps
    targets    one folder a service: its kinds of object, how they are read, written and compared, and what else it can
    testing    runs the tests of functions, and judges results
    engine     changes the world: ledger, lease, apply, retry, staleness, plan files
    checks     reads sources without running them; holds a manifest to the policy
    core       what differs and what to do about it: pure
    packages   from requirements to bytes: lock, fetch, build, inspect, pack
    manifest   udfs.yaml → checked values with positions
    base       errors, names, words, files, threads

    local      beside them: services of our own on loopback, their SQL, and the CPythons that run functions

``local`` shares no code with its clients but ``base``, which knows no service: a server that did would agree with them about mistakes.
"""

__version__ = "0.1.0.dev0"
