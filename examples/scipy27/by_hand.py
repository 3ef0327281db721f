# coding: utf-8
import os
import sys

from odps.distcache import get_cache_archive
from odps.udf import annotate


def include_package_path(res_name):
    # An archive is unpacked to work/<resource name>/, and get_cache_archive gives its files, each with its path. The
    # shortest folder among them is a package of the archive; the one above it is what import must know.
    folders = [os.path.dirname(os.path.normpath(opened.name)) for opened in get_cache_archive(res_name)]
    sys.path.append(os.path.dirname(min((folder for folder in folders if ".dist-info" not in folder), key=len)))


@annotate("double->double")
class MyPsi(object):
    def __init__(self):
        # Not at the top of the file: where MaxCompute first looks at the module, no archive is there yet.
        include_package_path("scipy.zip")

    def evaluate(self, arg0):
        from scipy.special import psi

        return None if arg0 is None else float(psi(arg0))
