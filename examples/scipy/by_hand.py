import sys

from odps.udf import annotate


@annotate("double->double")
class Psi:
    def __init__(self):
        # MaxCompute unpacks an archive to work/<resource name>/, and a wheel's archive is called like the wheel.
        sys.path.insert(0, "work/numpy-1.21.6-cp37-cp37m-manylinux_2_12_x86_64.manylinux2010_x86_64.zip")
        sys.path.insert(0, "work/scipy-1.7.3-cp37-cp37m-manylinux_2_12_x86_64.manylinux2010_x86_64.zip")

    def evaluate(self, x):
        from scipy.special import psi

        return None if x is None else float(psi(x))
