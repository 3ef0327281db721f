"""A program of one's own: it finds the functions of its job registered."""

from pyflink.table import EnvironmentSettings, TableEnvironment

table = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
table.execute_sql("CREATE TEMPORARY TABLE told (part DOUBLE) WITH ('connector' = 'print')")
table.execute_sql("INSERT INTO told SELECT shared(n) FROM (VALUES (1), (3)) AS numbers(n)")
