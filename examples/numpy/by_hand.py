import sys

from odps.udf import annotate


@annotate("->string")
class TryImport(object):
    def __init__(self):
        # MaxCompute unpacks an archive to work/<resource name>/. Doing this here and importing below, rather than at the
        # top of the file, matters: where MaxCompute first looks at the module, no archive is there yet. import_numpy.py
        # needs no such line, because udfs adds it.
        sys.path.insert(0, "work/numpy-1.19.2-cp37-cp37m-manylinux1_x86_64.zip")

    def evaluate(self):
        import numpy

        return "import succeed"
