from odps.distcache import get_cache_file
from odps.udf import annotate


@annotate("string->string")
class CountryName(object):
    """'NL' becomes 'Netherlands', by the file countries.csv."""

    def __init__(self):
        # Once for each worker, not once for each row. The name is the resource's, as udfs.yaml lists it.
        self.names = {}
        table = get_cache_file("countries.csv")
        for line in table:
            code, name = line.rstrip("\n").split(",", 1)
            self.names[code] = name
        table.close()

    def evaluate(self, code):
        if code is None:
            return None
        return self.names.get(code.strip().upper())
