"""
Aggregate functions and window functions [doc "Aggregate functions", "Window functions"].

Each is a function of DuckDB's, for behind a macro there is neither OVER nor FILTER; or a macro of the lists of the rows' values.
"""

from __future__ import annotations

_POINT = "list_sort(CASE WHEN c[1] THEN list_filter(a, lambda v: v IS NOT NULL) ELSE a END, 'ASC', 'NULLS FIRST')"

# In HAVING, DuckDB takes `e.key` for a column, and not `e['key']`.
_BY_KEY = (
    "list_sort(list_filter(list_transform(range(1, len(a) + 1), lambda i: {'key': a[i], 'place': i, 'value': b[i]}), "
    "lambda e: e['key'] IS NOT NULL))"
)
_FIRSTS = "list_filter(range(1, len(s) + 1), lambda j: j = 1 OR s[j]['key'] <> s[j - 1]['key'])"
_MAP = (
    f"list_transform([{_BY_KEY}], lambda s: list_transform([{_FIRSTS}], lambda starts: "
    "map(list_transform(starts, lambda j: s[j]['key']), list_transform(starts, lambda j, n: {})))[1])[1]"
)
_FIRST = _MAP.replace("{}", "s[j]['value']")
_EACH = _MAP.replace("{}", "list_transform(s[j:coalesce(starts[n + 1] - 1, len(s))], lambda e: e['value'])")
"""A map of the list `a` of keys and the list `b` of values: of each key the first, or all; the keys are sorted for that."""
_MAPS = "list_filter(a, lambda m: m IS NOT NULL)"
_PAIRS = f"{{'k': flatten(list_transform({_MAPS}, lambda m: map_keys(m))), 'v': flatten(list_transform({_MAPS}, lambda m: map_values(m)))}}"

ROWS = f"""
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
cluster_sample | BOOLEAN(BIGINT)     | !cluster_sample
cluster_sample | BOOLEAN(BIGINT, BIGINT) | !cluster_sample
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
histogram  | MAP<T,BIGINT>(T)       | %map_from_entries(list_transform(map_entries(list_aggregate(a, 'histogram')), lambda e: {{'key': e['key'], 'value': CAST(e['value'] AS BIGINT)}}))
map_agg    | MAP<K,V>(K, V)         | %{_FIRST}
map_union  | MAP<K,V>(MAP<K,V>)     | %list_transform([{_PAIRS}], lambda p: mc_map_agg(list_reverse(p['k']), list_reverse(p['v'])))[1]
map_union_sum | MAP<K,V>(MAP<K,V>)  | %list_transform([{_PAIRS}], lambda p: list_transform([mc_multimap_agg(p['k'], p['v'])], lambda m: map(map_keys(m), list_transform(map_values(m), lambda vs: list_reduce(list_transform(vs, lambda v: coalesce(v, CAST(0 AS BIGINT))), lambda x, y: x + y))))[1])[1]
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
multimap_agg | MAP<K,ARRAY<V>>(K, V) | %{_EACH}
percentile | DOUBLE(BIGINT, DOUBLE) | @quantile_cont
percentile | ARRAY<DOUBLE>(BIGINT, ARRAY<DOUBLE>) | @quantile_cont
percentile_cont | DOUBLE(DOUBLE, DOUBLE) | @quantile_cont
percentile_cont | DECIMAL(DECIMAL, DOUBLE) | @quantile_cont
percentile_cont | DOUBLE(DOUBLE, DOUBLE, BOOLEAN) | %list_transform([{_POINT}], lambda s: list_transform([(len(s) - 1) * b[1]], lambda place: coalesce(s[CAST(floor(place) AS BIGINT) + 1] + (s[CAST(ceil(place) AS BIGINT) + 1] - s[CAST(floor(place) AS BIGINT) + 1]) * (place - floor(place)), s[CAST(ceil(place) AS BIGINT) + 1]))[1])[1]
percentile_disc | T(T, DOUBLE)      | @quantile_disc
percentile_disc | T(T, DOUBLE, BOOLEAN) | %list_transform([{_POINT}], lambda s: s[list_filter(range(1, len(s) + 1), lambda i: i / len(s) >= b[1])[1]])[1]
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
first_value | T(T, BOOLEAN)         | !value_at
lag        | T(T)                   | @lag
lag        | T(T, BIGINT)           | !offset_value
lag        | T(T, DOUBLE)           | !offset_value
lag        | T(T, BIGINT, T)        | !offset_value
lag        | T(T, DOUBLE, T)        | !offset_value
last_value | T(T)                   | @last_value
last_value | T(T, BOOLEAN)          | !value_at
lead       | T(T)                   | @lead
lead       | T(T, BIGINT)           | !offset_value
lead       | T(T, DOUBLE)           | !offset_value
lead       | T(T, BIGINT, T)        | !offset_value
lead       | T(T, DOUBLE, T)        | !offset_value
nth_value  | T(T, BIGINT)           | !value_at
nth_value  | T(T, BIGINT, BOOLEAN)  | !value_at
ntile      | BIGINT(BIGINT)         | @ntile
percent_rank | DOUBLE()             | @percent_rank
rank       | BIGINT()               | @rank
row_number | BIGINT()               | @row_number
"""

COUNTED_BY_ROWS = frozenset({"avg", "count", "max", "min", "stddev", "stddev_pop", "stddev_samp", "sum"})
"""
What goes up to the current row, not to its last equal, over a window that is ordered and says no frame.

So it is unless the project is Hive-compatible [doc "Window functions": the examples of AVG, COUNT, STDDEV and SUM; of the others a rule].
"""
WINDOW_FUNCTIONS = frozenset(
    {
        *(
            "cluster_sample",
            "cume_dist",
            "dense_rank",
            "first_value",
            "lag",
            "last_value",
            "lead",
            "nth_value",
            "ntile",
        ),
        *("percent_rank", "rank", "row_number"),
    }
)
"""What nothing but OVER gives rows [doc "Window functions"]."""
AGGREGATES = (
    frozenset(line.split(" ", 1)[0] for line in ROWS.splitlines() if line)
    - WINDOW_FUNCTIONS
    - {"grouping", "grouping_id"}
)
ORDERED = frozenset({"lag", "lead"})
"""What has to have an order [doc "LAG", "LEAD"]."""
WITHOUT_FRAME = WINDOW_FUNCTIONS - {"first_value", "last_value", "nth_value"} | {"percentile_cont", "percentile_disc"}
"""What no page gives a frame."""
LISTING = frozenset({"wm_concat", "collect_list", "collect_set"})
"""What takes WITHIN GROUP, beside the project's own [doc "Aggregate functions"]."""
