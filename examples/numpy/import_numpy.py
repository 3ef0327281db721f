from odps.udf import annotate


@annotate("->string")
class TryImport(object):
    def evaluate(self):
        # Not at the top of the file: where MaxCompute first looks at the module, no package is there yet.
        import numpy

        return "import succeed"
