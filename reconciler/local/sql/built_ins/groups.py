"""
Aggregate functions and window functions [doc "Aggregate functions", "Window functions"].

Each is a function of DuckDB's: behind a macro there is neither OVER nor FILTER.
"""

from __future__ import annotations

ROWS = """
any        | BOOLEAN(BOOLEAN)       | @bool_or
any_value  | T(T)                   | @any_value
approx_distinct | BIGINT(ANY)       | !count_distinct
arg_max    | T(ANY, T)              | @arg_max_null(b, a)
arg_min    | T(ANY, T)              | @arg_min_null(b, a)
avg        | DOUBLE(DOUBLE)         | @avg
avg        | DECIMAL(DECIMAL)       | @avg
bitwise_and_agg | BIGINT(BIGINT)    | @bit_and
bitwise_or_agg | BIGINT(BIGINT)     | @bit_or
bitwise_xor_agg | BIGINT(BIGINT)    | @bit_xor
bool_and   | BOOLEAN(BOOLEAN)       | @bool_and
bool_or    | BOOLEAN(BOOLEAN)       | @bool_or
collect_list | ARRAY<T>(T)          | !collect_list
collect_set | ARRAY<T>(T)           | !collect_set
corr       | DOUBLE(DOUBLE, DOUBLE) | @corr
corr       | DOUBLE(DECIMAL, DECIMAL) | @corr
count      | BIGINT(ANY...)         | @count
count_if   | BIGINT(BOOLEAN)        | @count_if
covar_pop  | DOUBLE(DOUBLE, DOUBLE) | @covar_pop
covar_samp | DOUBLE(DOUBLE, DOUBLE) | @covar_samp
grouping   | BIGINT(ANY)            | @grouping
grouping_id | BIGINT(ANY, ANY...)   | @grouping
max        | N(N)                   | @max
max        | STRING(STRING)         | @max
max        | M(M)                   | @max
max_by     | T(T, ANY)              | @arg_max_null
median     | DOUBLE(DOUBLE)         | @median
median     | DECIMAL(DECIMAL)       | @median
min        | N(N)                   | @min
min        | STRING(STRING)         | @min
min        | M(M)                   | @min
min_by     | T(T, ANY)              | @arg_min_null
percentile | DOUBLE(BIGINT, DOUBLE) | @quantile_cont
percentile | ARRAY<DOUBLE>(BIGINT, ARRAY<DOUBLE>) | @quantile_cont
percentile_cont | DOUBLE(DOUBLE, DOUBLE) | @quantile_cont
percentile_cont | DECIMAL(DECIMAL, DOUBLE) | @quantile_cont
percentile_cont | DOUBLE(DOUBLE, DOUBLE, BOOLEAN) | !missing
percentile_disc | T(T, DOUBLE)      | @quantile_disc
percentile_disc | T(T, DOUBLE, BOOLEAN) | !missing
stddev     | DOUBLE(DOUBLE)         | @stddev_pop
stddev     | DOUBLE(DECIMAL)        | @stddev_pop
stddev_pop | DOUBLE(DOUBLE)         | @stddev_pop
stddev_pop | DOUBLE(DECIMAL)        | @stddev_pop
stddev_samp | DOUBLE(DOUBLE)        | @stddev_samp
stddev_samp | DOUBLE(DECIMAL)       | @stddev_samp
sum        | BIGINT(BIGINT)         | @sum
sum        | DOUBLE(DOUBLE)         | @sum
sum        | DECIMAL(DECIMAL)       | @sum
var_pop    | DOUBLE(DOUBLE)         | @var_pop
var_pop    | DOUBLE(DECIMAL)        | @var_pop
var_samp   | DOUBLE(DOUBLE)         | @var_samp
var_samp   | DOUBLE(DECIMAL)        | @var_samp
variance   | DOUBLE(DOUBLE)         | @var_pop
variance   | DOUBLE(DECIMAL)        | @var_pop
wm_concat  | STRING(STRING, STRING) | @string_agg(b, a)
cume_dist  | DOUBLE()               | @cume_dist
dense_rank | BIGINT()               | @dense_rank
first_value | T(T)                  | @first_value
first_value | T(T, BOOLEAN)         | !ignoring_nulls
lag        | T(T)                   | @lag
lag        | T(T, BIGINT)           | @lag
lag        | T(T, BIGINT, T)        | @lag
last_value | T(T)                   | @last_value
last_value | T(T, BOOLEAN)          | !ignoring_nulls
lead       | T(T)                   | @lead
lead       | T(T, BIGINT)           | @lead
lead       | T(T, BIGINT, T)        | @lead
nth_value  | T(T, BIGINT)           | @nth_value
ntile      | BIGINT(BIGINT)         | @ntile
percent_rank | DOUBLE()             | @percent_rank
rank       | BIGINT()               | @rank
row_number | BIGINT()               | @row_number
"""

COUNTED_BY_ROWS = frozenset({"avg", "count", "max", "min", "stddev", "stddev_samp", "sum"})
"""
What goes up to the current row, not to its last equal, over a window that is ordered and says no frame.

So it is unless the project is Hive-compatible [doc "COUNT", examples 2 and 3]; a third party's rules list these [rule].
"""
