from odps.udf import annotate


@annotate("double->double")
class MyPsi(object):
    def evaluate(self, arg0):
        # Not at the top of the file: where MaxCompute first looks at the module, no package is there yet.
        from scipy.special import psi

        return None if arg0 is None else float(psi(arg0))
