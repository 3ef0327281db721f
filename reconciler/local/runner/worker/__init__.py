"""
A MaxCompute Python UDF in a process of its own: load its class, then answer batches of rows.

This folder is started by path in the CPython of the function's runtime, so it keeps to what 2.7, 3.7 and 3.11 all
understand, imports the standard library only, and shares no code with the process that started it. `wire.py` there
describes the frames and cells; `frames`, `cells` and `batches` hold the other end of the same table.

Around the user's code it keeps three promises:

* What the service provides is there: `odps.udf` and `odps.distcache` (documentation: "Python 3 UDFs", "Reference
  resources"), the working directory first on `sys.path`, the standard library, and nothing else of this machine.
* Where it is, is always known: the number of the row is written to shared memory before the row is handed over, so
  that it outlives even a segmentation fault.
* The frames travel on descriptors of their own. What the function prints goes to stdout and stderr as it wants.

Begin with `serving.main`.
"""
