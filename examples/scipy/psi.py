from odps.udf import annotate


@annotate("double->double")
class Psi:
    def evaluate(self, x):
        from scipy.special import psi  # not above: where MaxCompute first looks at the module, no package is there yet

        return None if x is None else float(psi(x))
