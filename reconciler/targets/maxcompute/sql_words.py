"""
Words of MaxCompute SQL that a function's name may clash with: built-in functions, and reserved words.

"UDFs cannot overwrite built-in functions. Only the project owner" can register one of such a name, and a job that calls it has a warning in the
summary of its Logview [doc "Function operations"]. That ``::name(…)`` then calls the built-in one is told by users, and not documented.

Reserved are, of the words of [doc "Reserved words and keywords"], those that statements themselves are made of. The page speaks of tables and columns; that a
function of such a name cannot be called plainly either is inferred from what a parser does. The built-in functions are those of [doc "Built-in functions"], as of 2026; it grows.
"""

from __future__ import annotations

BUILT_IN = frozenset(
    """
    abs acos add_months all_match any_match any_value approx_distinct arg_max arg_min array array_contains array_distinct
    array_except array_intersect array_join array_max array_min array_position array_remove array_repeat array_sort
    array_union arrays_overlap arrays_zip ascii asin atan atan2 avg base64 bin bitwise_and_agg bitwise_or_agg bitwise_xor_agg
    cast cbrt ceil char_matchcount chr cluster_sample coalesce collect_list collect_set combinations concat concat_ws conv
    corr cos cosh cot count count_if covar_pop covar_samp crc32 cume_dist current_date current_timestamp current_timezone
    date_add date_format date_sub dateadd datediff datepart datetrunc day dayofmonth dayofweek dayofyear decode degrees
    dense_rank e encode exp explode extract factorial field filter find_in_set first_value flatten floor format_number
    from_charset from_json from_unixtime from_utc_timestamp get_idcard_age get_idcard_birthday get_idcard_sex get_json_object
    get_user_id getdate greatest hash hex histogram hour if initcap inline instr is_encoding isdate isnan json_array
    json_exists json_extract json_format json_object json_parse json_pretty json_query json_tuple json_type json_valid
    json_value keyvalue keyvalue_tuple lag last_day last_value lastday lead least length lengthb ln locate log log10 log2
    lower lpad ltrim map map_agg map_concat map_entries map_filter map_from_array map_from_entries map_keys map_union
    map_union_sum map_values map_zip_with mask_hash max max_by max_pt md5 median microsecond min min_by minute month
    months_between multimap_agg multimap_from_entries named_struct negative next_day ngrams now nth_value ntile nullif
    numeric_histogram nvl ordinal parse_url parse_url_tuple partition_exists percent_rank percentile percentile_approx pi
    posexplode positive pow power quarter radians rand rank regexp_count regexp_extract regexp_extract_all regexp_instr
    regexp_replace regexp_substr repeat replace reverse round row_number rpad rtrim sample second sequence sha sha1 sha2
    shiftleft shiftright shiftrightunsigned shuffle sign sin sinh size slice sort_array soundex space split split_part sqrt
    stack stddev stddev_pop stddev_samp str_to_map struct substr substring substring_index sum table_exists tan tanh
    to_char to_date to_json to_millis tolower toupper trans_array trans_cols transform_keys transform_values translate trim
    trunc unbase64 unhex unique_id unix_timestamp upper url_decode url_encode uuid var_pop var_samp variance weekday
    weekofyear width_bucket wm_concat year zip_with
    """.split()  # noqa: SIM905
)

RESERVED = frozenset(
    """
    add all alter and as asc between bigint binary boolean both by case create cross current datetime decimal delete desc
    describe distinct double drop else end except exists explain false float from full function grant group having in insert
    int intersect into is join lateral left like limit mapjoin minus not null offset on or order out outer over overwrite
    partition preceding regexp right rlike row rows select semi set show smallint string table tablesample then timestamp
    tinyint to true truncate unbounded union update use using values view when where window with
    """.split()  # noqa: SIM905
)


def why_confusing(name: str) -> tuple[str, str] | None:
    """Return what SQL takes a function's name for, and the way out; None for a name that is the project's alone."""
    if name.lower() in BUILT_IN:
        message = "is a built-in function's name: only the project's owner may register it, and queries that call it then get yours"
        return message, f"give it another name; ::{name}(…) is how the built-in one is called behind yours"
    if name.lower() in RESERVED:
        return "is a reserved word of SQL, where a query cannot call it plainly", "give it another name"
    return None
