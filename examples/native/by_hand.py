import ctypes
import os
import sys

from odps.distcache import get_cache_file
from odps.udf import annotate


def include_file(file_name):
    # A FILE resource is copied to the working directory under the name that the linker asks for, its SONAME, and loaded.
    # What is loaded already is not searched for any more, so what needs it finds it wherever the linker would look.
    # Written beside and renamed: to write over a library that is loaded, by an earlier object, ends in a crash.
    with get_cache_file(file_name, "b") as resource:
        content = resource.read()
    with open(file_name + ".new", "wb") as library:
        library.write(content)
    os.rename(file_name + ".new", file_name)
    ctypes.CDLL(os.path.abspath(file_name), mode=ctypes.RTLD_GLOBAL)


@annotate("string,double,double,double,double->double")
class Distance:
    def __init__(self):
        include_file("libdatum.so.1")  # first what the other needs
        include_file("libgeodesy.so.3")
        sys.path.insert(0, "work/geodesy-1.0-cp37-abi3-linux_x86_64.zip")

    def evaluate(self, ellipsoid, lat1, lon1, lat2, lon2):
        from geodesy import distance

        if None in (ellipsoid, lat1, lon1, lat2, lon2):
            return None
        return round(distance(ellipsoid, lat1, lon1, lat2, lon2), 3)
