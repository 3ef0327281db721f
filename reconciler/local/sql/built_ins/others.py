"""Other functions, and those of arrays, maps and structs [doc "Other functions", "Complex type functions"]."""

from __future__ import annotations

from reconciler.local.sql.built_ins.texts import fitting

_PAIRS = "list_transform(string_split_regex(a, b), lambda pair: string_split_regex(pair, c))"
_KEYS = f"list_distinct(list_transform({_PAIRS}, lambda pair: pair[1]))"

_NO_NULL = "CASE WHEN a IS NOT NULL AND b IS NOT NULL THEN {} END"


def _sequence(step: str, span: str) -> str:
    """Return a series whose end is checked before it is made; `span` is the way from a to b, in steps."""
    bounded = f"""CASE WHEN {span} >= {{longest_sequence}} THEN error('SEQUENCE makes at most {{longest_sequence}} elements; '
        || 'SET odps.sql.max.sequence.length says otherwise') ELSE b END"""
    diverging = f"(a <= b) <> (a + {step} > a) THEN error('SEQUENCE: the step leads away from the end')"
    end = f"CASE WHEN {diverging} ELSE {fitting(bounded, f'8 * {span}')} END"
    return f"generate_series(a, {end}, {step})".replace("\n", " ")


def _numbers(step: str) -> str:
    series = _sequence(step, f"(CAST(b AS DOUBLE) - CAST(a AS DOUBLE)) / ({step})")
    return f"list_transform({series}, lambda number: cast_to_type(number, a))"


def _moments(step: str) -> str:
    """A series of DuckDB's has no nanoseconds; what a month after the 31st is, nothing says."""
    series = _sequence(step, f"(epoch(b) - epoch(a)) / (epoch(a + {step}) - epoch(a))")
    months = f"date_part('day', a) > 28 AND (date_part('month', {step}) <> 0 OR date_part('year', {step}) <> 0)"
    return (
        f"CASE WHEN {months} THEN error('missing here: SEQUENCE of months from a day that not each of them has') ELSE "
        f"list_transform(range(0, len({series})), lambda i: cast_to_type(a + {step} * i, a)) END"
    )


_FORWARD = "CASE WHEN a <= b THEN 1 ELSE -1 END"

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

all_match  | BOOLEAN(ARRAY<T>, ANY) | list_transform([list_transform(a, b)], lambda hits: CASE WHEN list_contains(hits, false) THEN false WHEN list_count(hits) = len(hits) THEN true END)[1]
any_match  | BOOLEAN(ARRAY<T>, ANY) | list_transform([list_transform(a, b)], lambda hits: CASE WHEN list_contains(hits, true) THEN true WHEN list_count(hits) = len(hits) THEN false END)[1]
array      | ARRAY<T>(T...)         | @list_value
array_contains | BOOLEAN(ARRAY<T>, T) | @list_contains
array_distinct | ARRAY<T>(ARRAY<T>) | list_filter(a, lambda value, i: list_position(a, value) = i)
array_except | ARRAY<T>(ARRAY<T>, ARRAY<T>) | {_NO_NULL.format("list_filter(a, lambda value, i: list_position(a, value) = i AND list_position(b, value) IS NULL)")}
array_intersect | ARRAY<T>(ARRAY<T>, ARRAY<T>) | {_NO_NULL.format("list_filter(a, lambda value, i: list_position(a, value) = i AND list_position(b, value) IS NOT NULL)")}
array_join | STRING(ARRAY<DECIMAL>, STRING) | mc_array_join__3(list_transform(a, lambda value: mc_cast_text(value)), b)
array_join | STRING(ARRAY<DECIMAL>, STRING, STRING) | mc_array_join__4(list_transform(a, lambda value: mc_cast_text(value)), b, c)
array_join | STRING(ARRAY<T>, STRING) | array_to_string(list_filter(a, lambda value: value IS NOT NULL), b)
array_join | STRING(ARRAY<T>, STRING, STRING) | array_to_string(list_transform(a, lambda value: coalesce(CAST(value AS VARCHAR), c)), b)
array_max  | T(ARRAY<T>)            | @list_max
array_min  | T(ARRAY<T>)            | @list_min
array_normalize | ARRAY<DOUBLE>(ARRAY<DOUBLE>, DOUBLE) | CASE WHEN b < 0 THEN error('ARRAY_NORMALIZE: the norm is at least 0') WHEN list_count(a) = len(a) THEN CASE WHEN b = 0 THEN a ELSE list_transform([pow(list_sum(list_transform(a, lambda value: pow(abs(value), b))), 1 / b)], lambda norm: CASE WHEN norm = 0 THEN error('missing here: ARRAY_NORMALIZE of zeros') ELSE list_transform(a, lambda value: value / norm) END)[1] END END
array_normalize | ARRAY<FLOAT>(ARRAY<FLOAT>, DOUBLE) | CAST(mc_array_normalize(CAST(a AS DOUBLE[]), b) AS FLOAT[])
array_position | BIGINT(ARRAY<T>, T) | {_NO_NULL.format("CAST(coalesce(list_position(a, b), 0) AS BIGINT)")}
array_reduce | ANY(ARRAY<T>, ANY, ANY, ANY) | !array_reduce
array_remove | ARRAY<T>(ARRAY<T>, T) | {_NO_NULL.format("list_filter(a, lambda value: value IS DISTINCT FROM b)")}
array_repeat | ARRAY<T>(T, BIGINT)  | list_transform(range(1, {fitting("b", "CAST(b AS DOUBLE) * 8")} + 1), lambda i: a)
array_sort | ARRAY<T>(ARRAY<T>, ANY)    | !array_sort
array_union | ARRAY<T>(ARRAY<T>, ARRAY<T>) | list_filter(a || b, lambda value, i: list_position(a || b, value) = i)
arrays_overlap | BOOLEAN(ARRAY<T>, ARRAY<T>) | {_NO_NULL.format("CASE WHEN list_has_any(a, b) THEN true WHEN len(a) = 0 OR len(b) = 0 OR list_count(a || b) = len(a || b) THEN false END")}
arrays_zip | ARRAY<ANY>(ANY, ANY...)       | !arrays_zip
combinations | ARRAY<ARRAY<T>>(ARRAY<T>, BIGINT) | CASE WHEN b > {{longest_combination}} THEN error('COMBINATIONS are of at most {{longest_combination}} elements; SET odps.sql.max.combination.length says otherwise') WHEN b < 1 OR (b <= len(a) AND len(a) > 16) THEN error('missing here: COMBINATIONS of less than 1 element, or out of more than 16') WHEN b > len(a) THEN [] ELSE list_transform(list_filter(range(0, 1 << len(a)), lambda chosen: bit_count(chosen) = b), lambda chosen: list_filter(a, lambda value, i: (chosen >> (i - 1)) & 1 = 1)) END
field      | ANY(ANY, STRING)       | !field
filter     | ARRAY<T>(ARRAY<T>, ANY) | @list_filter
flatten    | ARRAY<T>(ARRAY<ARRAY<T>>) | @flatten
map        | MAP<K,V>(K, V, ...)    | !map
map_concat | MAP<K,V>(MAP<K,V>, MAP<K,V>...) | !map_concat
map_concat | MAP<K,V>(STRING, MAP<K,V>, MAP<K,V>...) | !map_concat
map_entries | ARRAY<ANY>(MAP<K,V>)         | @map_entries
map_filter | MAP<K,V>(MAP<K,V>, ANY) | !map_filter
map_from_arrays | MAP<K,V>(ARRAY<K>, ARRAY<V>) | !map_from_arrays
map_from_arrays | MAP<K,V>(STRING, ARRAY<K>, ARRAY<V>) | !map_from_arrays
map_from_entries | MAP<ANY,ANY>(ANY)         | !map_from_entries
map_from_entries | MAP<ANY,ANY>(STRING, ANY)   | !map_from_entries
map_keys   | ARRAY<K>(MAP<K,V>)     | @map_keys
map_values | ARRAY<V>(MAP<K,V>)     | @map_values
map_zip_with | MAP<K,ANY>(MAP<K,V>, MAP<K,W>, ANY) | !map_zip_with
multimap_from_entries | MAP<ANY,ARRAY<ANY>>(ANY)     | CASE WHEN a IS NOT NULL THEN mc_multimap_agg(list_transform(a, lambda entry: map_keys(map_from_entries([entry]))[1]), list_transform(a, lambda entry: map_values(map_from_entries([entry]))[1])) END
named_struct | ANY(ANY...)          | !named_struct
ngrams     | ARRAY<ARRAY<T>>(ARRAY<T>, BIGINT) | CASE WHEN b <= 0 THEN error('NGRAMS: n is at least 1') ELSE list_transform(range(1, greatest(len(a) - b, 0) + 2), lambda i: a[i:i + b - 1]) END
sequence   | ARRAY<I>(I, I)         | {_numbers(_FORWARD)}
sequence   | ARRAY<I>(I, I, I)      | {_numbers("c")}
sequence   | ARRAY<M>(M, M)         | {_moments(f"to_days({_FORWARD})")}
sequence   | ARRAY<M>(M, M, ANY)    | {_moments("c")}
shuffle    | ARRAY<T>(ARRAY<T>)     | list_select(a, list_grade_up(list_transform(a, lambda value: random())))
size       | INT(ARRAY<T>)          | CAST(len(a) AS INTEGER)
size       | INT(MAP<K,V>)          | CAST(cardinality(a) AS INTEGER)
slice      | ARRAY<T>(ARRAY<T>, BIGINT, BIGINT) | CASE WHEN b = 0 THEN error('SLICE counts from 1, or back from -1') WHEN c < 0 THEN error('SLICE: the length is at least 0') WHEN b > 0 THEN a[b:b + c - 1] WHEN b < -len(a) THEN [] ELSE a[len(a) + b + 1:len(a) + b + c] END
sort_array | ARRAY<T>(ARRAY<T>)     | list_sort(a, 'ASC', 'NULLS FIRST')
sort_array | ARRAY<T>(ARRAY<T>, BOOLEAN) | CASE WHEN b THEN list_sort(a, 'ASC', 'NULLS FIRST') ELSE list_sort(a, 'DESC', 'NULLS LAST') END
struct     | ANY(ANY...)            | !struct
transform  | ARRAY<ANY>(ARRAY<T>, ANY)     | @list_transform
transform_keys | MAP<ANY,V>(MAP<K,V>, ANY)  | !transform_keys
transform_keys | MAP<ANY,V>(STRING, MAP<K,V>, ANY) | !transform_keys
transform_values | MAP<K,ANY>(MAP<K,V>, ANY) | !transform_values
zip_with   | ARRAY<ANY>(ARRAY<T>, ARRAY<K>, ANY) | !zip_with
"""
