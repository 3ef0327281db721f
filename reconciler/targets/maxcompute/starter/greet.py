from odps.udf import annotate


@annotate("string->string")
class Greet:
    def evaluate(self, name):
        # NULL arrives as None.
        if name is None:
            return None
        return "Hello, " + name + "!"
