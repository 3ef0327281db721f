"""A function of the job `marks`."""

from pyflink.table.udf import udf


@udf(result_type="STRING")
def mark(word):
    """Return a word as everybody can see it."""
    return word.upper() + "!"
