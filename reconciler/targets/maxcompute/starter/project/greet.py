from odps.udf import annotate


@annotate("string->string")
class Greet:
    def __init__(self):
        # Here and not at the top of the file: packages are there once the class has its first object.
        from inflection import titleize

        self.titleize = titleize

    def evaluate(self, name):
        # NULL arrives as None.
        if name is None:
            return None
        return "Hello, " + self.titleize(name) + "!"
