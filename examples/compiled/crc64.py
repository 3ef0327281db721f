from odps.udf import annotate


@annotate("string->string")
class Crc64:
    def __init__(self):
        self.crc = None

    def evaluate(self, text):
        if text is None:
            return None
        if self.crc is None:  # not above: where MaxCompute first looks at the class, the archive is not there yet
            import crcmod

            self.crc = crcmod.mkCrcFun(0x142F0E1EBA9EA3693, initCrc=0, xorOut=0xFFFFFFFFFFFFFFFF)
        return "{:016x}".format(self.crc(text.encode("utf-8")))
