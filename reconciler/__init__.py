"""
udfs keeps the Python UDFs of a MaxCompute project in Git.

The road a command takes, left to right; `validate` stops after *desired*, `drift` is *plan* read the other way,
`destroy` is *apply* of an empty desired state::

    udfs.yaml ─ manifest.load ─▶ Manifest ─ artifacts ─▶ Artifacts ─ desired ─▶ State ─┐
                                                                                      ├ diff ▶ plan ▶ render | apply
    MaxCompute project ─────────────── targets.maxcompute.read ────────────▶ State ───┘                      │
            ▲──────────────────────── targets.maxcompute.write, one object a call ◀──────────────────────────┘

Imports point down (``tests/test_architecture.py`` keeps it)::

    cli > importing > workflow, jobs > apply, lease > saved, dumps > targets, render, fresh > desired, diff, plan, ledger
        > state, manifest, artifacts, building, sources > errors, names, whole, readers

Between *artifacts* and *desired*, ``sources`` reads the functions' Python without running it: what MaxCompute would
only tell at query time is told there. A plan may be written down between *plan* and *apply* (``saved``), and what was
read may come from a file (``dumps``). Where an index has no wheel, ``building`` makes one from source. ``ownership``
makes the plans of `adopt` and `disown`, ``drift`` tells what others did, ``ignoring`` and ``policy`` what a team leaves
alone and what it allows; ``versions`` makes the plans of `rollback` and `gc`; ``selection`` and ``importing`` go the road
backwards, from a project to a manifest and its files; ``inventory`` lists what is shipped, for
`sbom`.

An apply holds the stack's ``lease``, an entry of the ``ledger`` in the project itself; under it the whole plan is held
against the project once more (``fresh``), and each change is then an ``attempt``.

Where the world is touched: files of the project in ``manifest.load``, ``artifacts``, ``sources.project`` and ``rows``; the
package index and the cache in ``artifacts`` and ``sources.memory``; MaxCompute in ``targets.maxcompute``; other
processes in ``runner``, ``building``, ``artifacts.fetch`` and ``cli.identity``; terminal, clock, environment and exit
codes in ``cli``. Everything else is a function of its arguments.

``local`` is a MaxCompute of our own that speaks the real wire protocol; it shares no code with the client, so that it
cannot agree with it about mistakes; its SQL is ``local.sql``, and ``queries`` what `udfs sql` knows of SQL. ``jobs`` gathers what
runs a function, ``runner`` executes it in the CPython it was written for. ``trials`` runs a manifest's tests through it and
``expected`` judges them; ``verification`` asks them by SQL; ``pytest_plugin`` lets users' own tests call functions; ``rows`` reads and
writes files of rows. ``whole`` puts a file into its place whole, or not at all; ``readers`` ask for several things at a time.
"""

__version__ = "0.1.0.dev0"
