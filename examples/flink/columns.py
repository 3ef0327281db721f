"""A function over pandas: it gets whole columns, as many rows at once as Flink has in a batch."""

from pyflink.table import DataTypes
from pyflink.table.udf import udf


@udf(result_type=DataTypes.DOUBLE(), func_type="pandas")
def shared(numbers):
    return numbers / numbers.sum()
