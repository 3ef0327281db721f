import ctypes

from odps.udf import annotate


@annotate("string,string->bigint")
class Distance:
    def __init__(self):
        # By its file's name: it is loaded by now. Here and not at the top of the file, where no resource is there yet.
        self.edits = ctypes.CDLL("libedits.so").edits
        self.edits.argtypes = [ctypes.c_char_p, ctypes.c_size_t] * 2
        self.edits.restype = ctypes.c_long

    def evaluate(self, left, right):
        if left is None or right is None:
            return None
        left, right = left.encode("utf-8"), right.encode("utf-8")
        return self.edits(left, len(left), right, len(right))
