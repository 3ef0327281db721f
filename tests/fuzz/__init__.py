"""
Fuzzers: bytes from outside, changed at random, for every reader of them.

Each subject takes bytes and ends in a value or in an error of ours with its code; anything else is a fault of udfs. CI repeats the
inputs that once ended otherwise (`corpus/`) and a few hundred changes of each seed; `python -m tests.fuzz` goes on for as long
as it is let, led by what the code covers.
"""
