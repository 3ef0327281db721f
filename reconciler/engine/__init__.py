"""
Engine: a plan carried out under a lease, and plans, dumps and ledger entries as bytes.

It is the one room that changes the world, through a `core.target.Target` and its store, and it knows no service either.
Begin with `ledger`, which has the laws of the lease, then `lease` and `apply`.
"""
