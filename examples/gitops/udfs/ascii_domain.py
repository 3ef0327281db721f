from odps.udf import annotate


@annotate("string->string")
class AsciiDomain(object):
    def __init__(self):
        import idna  # on a worker, packages are there from here on

        self.idna = idna

    def evaluate(self, domain):
        if domain is None:
            return None
        try:
            return self.idna.encode(domain, uts46=True).decode("ascii")
        except self.idna.IDNAError:
            return None
