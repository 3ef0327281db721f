"""Other functions, and those of arrays, maps and structs [doc "Other functions", "Complex type functions"]."""

from __future__ import annotations

from reconciler.local.sql.built_ins.texts import fitting

_PAIRS = "list_transform(string_split_regex(a, b), lambda pair: string_split_regex(pair, c))"
_KEYS = f"list_distinct(list_transform({_PAIRS}, lambda pair: pair[1]))"

_SPAN = "8 * abs(TRY_CAST(CAST(b AS VARCHAR) AS DOUBLE) - TRY_CAST(CAST(a AS VARCHAR) AS DOUBLE))"
"""Bytes of the numbers from one to the other; those of days are bounded by the calendar."""

ROWS = rf"""
base64     | STRING(BINARY)         | @base64
coalesce   | T(T...)                | @coalesce
decode     | T(K, K, T)             | !decode
decode     | T(K, K, T, ANY...)     | !decode
greatest   | T(T, T...)             | @greatest
if         | T(BOOLEAN, T, T)       | CASE WHEN a THEN b ELSE c END
least      | T(T, T...)             | !least
nullif     | T(T, T)                | @nullif
nvl        | T(T, T)                | @coalesce
ordinal    | T(BIGINT, T, T...)     | !ordinal
sha        | STRING(STRING)         | @sha1
sha        | STRING(BINARY)         | @sha1
sha1       | STRING(STRING)         | @sha1
sha1       | STRING(BINARY)         | @sha1
sha2       | STRING(STRING, BIGINT) | CASE WHEN b IN (0, 256) THEN sha256(a) WHEN b IN (224, 384, 512) THEN error('missing here: SHA2 of ' || CAST(b AS VARCHAR) || ' bits') END
str_to_map | MAP<STRING,STRING>(STRING) | mc_str_to_map__3(a, ',', '=')
str_to_map | MAP<STRING,STRING>(STRING, STRING) | mc_str_to_map__3(a, b, '=')
str_to_map | MAP<STRING,STRING>(STRING, STRING, STRING) | map({_KEYS}, list_transform({_KEYS}, lambda key: list_last(list_filter({_PAIRS}, lambda pair: pair[1] = key))[2]))
unbase64   | BINARY(STRING)         | @from_base64
unique_id  | STRING()               | CAST(uuid() AS VARCHAR) || '_1'
uuid       | STRING()               | CAST(uuid() AS VARCHAR)

all_match  | BOOLEAN(ARRAY<T>, ANY) | coalesce(list_bool_and(list_transform(a, b)), true)
any_match  | BOOLEAN(ARRAY<T>, ANY) | coalesce(list_bool_or(list_transform(a, b)), false)
array      | ARRAY<T>(T...)         | @list_value
array_contains | BOOLEAN(ARRAY<T>, T) | @list_contains
array_distinct | ARRAY<T>(ARRAY<T>) | list_filter(a, lambda value, i: list_position(a, value) = i)
array_except | ARRAY<T>(ARRAY<T>, ARRAY<T>) | list_filter(a, lambda value, i: list_position(a, value) = i AND NOT list_contains(b, value))
array_intersect | ARRAY<T>(ARRAY<T>, ARRAY<T>) | list_filter(a, lambda value, i: list_position(a, value) = i AND list_contains(b, value))
array_join | STRING(ARRAY<T>, STRING) | @array_to_string
array_max  | T(ARRAY<T>)            | @list_max
array_min  | T(ARRAY<T>)            | @list_min
array_position | BIGINT(ARRAY<T>, T) | CAST(coalesce(list_position(a, b), CASE WHEN a IS NOT NULL AND b IS NOT NULL THEN 0 END) AS BIGINT)
array_remove | ARRAY<T>(ARRAY<T>, T) | list_filter(a, lambda value: value <> b)
array_repeat | ARRAY<T>(T, BIGINT)  | list_transform(range(1, {fitting("b", "CAST(b AS DOUBLE) * 8")} + 1), lambda i: a)
array_union | ARRAY<T>(ARRAY<T>, ARRAY<T>) | list_filter(list_concat(a, b), lambda value, i: list_position(list_concat(a, b), value) = i)
arrays_overlap | BOOLEAN(ARRAY<T>, ARRAY<T>) | list_has_any(a, b)
filter     | ARRAY<T>(ARRAY<T>, ANY) | @list_filter
map        | MAP<ANY,ANY>(ANY...)   | !map
map_concat | MAP<K,V>(MAP<K,V>, MAP<K,V>...) | @map_concat
map_entries | ARRAY<ANY>(MAP<K,V>)  | @map_entries
map_from_arrays | MAP<K,V>(ARRAY<K>, ARRAY<V>) | CASE WHEN a IS NOT NULL AND b IS NOT NULL THEN mc_make_map(list_zip(a, b)) END
map_from_entries | MAP<ANY,ANY>(ANY) | mc_make_map(a)
map_keys   | ARRAY<K>(MAP<K,V>)     | @map_keys
map_values | ARRAY<V>(MAP<K,V>)     | @map_values
named_struct | ANY(ANY...)          | !named_struct
sequence   | ARRAY<T>(T, T)         | generate_series(a, {fitting("b", _SPAN)})
sequence   | ARRAY<T>(T, T, T)      | generate_series(a, {fitting("b", f"{_SPAN} / abs(TRY_CAST(CAST(c AS VARCHAR) AS DOUBLE))")}, c)
size       | INT(ARRAY<T>)          | CAST(len(a) AS INTEGER)
size       | INT(MAP<K,V>)          | CAST(cardinality(a) AS INTEGER)
slice      | ARRAY<T>(ARRAY<T>, BIGINT, BIGINT) | CASE WHEN b > 0 THEN a[b:b + c - 1] ELSE a[len(a) + b + 1:len(a) + b + c] END
sort_array | ARRAY<T>(ARRAY<T>)     | list_sort(a, 'ASC', 'NULLS FIRST')
sort_array | ARRAY<T>(ARRAY<T>, BOOLEAN) | CASE WHEN b THEN list_sort(a, 'ASC', 'NULLS FIRST') ELSE list_sort(a, 'DESC', 'NULLS LAST') END
struct     | ANY(ANY...)            | !struct
transform  | ARRAY<ANY>(ARRAY<T>, ANY) | @list_transform
"""
