"""
Names of MaxCompute's built-in functions, as data: of those that run here, and of those that are missing here.

They are those of [doc "Built-in functions"], as of 2026; it grows.
"""

from __future__ import annotations

BUILT_IN = frozenset(
    """
    abs acos add_months aes_decrypt aes_encrypt all_match any any_match any_value apply approx_distinct arg_max
    arg_min array array_contains array_distinct array_except array_intersect array_join array_max array_min
    array_normalize array_position array_reduce array_remove array_repeat array_sort array_union arrays_overlap
    arrays_zip ascii asin atan atan2 avg base64 bin bitwise_and_agg bitwise_or_agg bitwise_xor_agg bool_and
    bool_or bround cast cbrt ceil ceiling char_matchcount chr cluster_sample clusterby_slice coalesce
    collect_list collect_set combinations compress concat concat_ws conv corr cos cosh cot count count_if
    covar_pop covar_samp crc32 cume_dist current_date current_timestamp current_timezone date_add date_format
    date_sub dateadd datediff datepart datetrunc day dayofmonth dayofweek dayofyear decode decompress degrees
    dense_rank e encode exp explode extract factorial failif field filter find_in_set first_value flatten floor
    format_number from_charset from_json from_unixtime from_utc_timestamp get_idcard_age get_idcard_birthday
    get_idcard_sex get_json_object get_user_id getdate greatest grouping grouping_id hash hex histogram hour if initcap inline instr
    is_encoding isdate isnan json_array json_contains json_exists json_explode json_extract json_insert json_length json_set json_unquote json_format json_object json_parse json_pretty
    json_query json_strip_nulls json_tuple json_type json_valid json_value keyvalue keyvalue_tuple lag last_day
    last_value lastday lead least length lengthb levenshtein_distance ln locate log log10 log2 lower lpad ltrim
    map map_agg map_concat map_entries map_filter map_from_arrays map_from_entries map_keys map_union
    map_union_sum map_values map_zip_with mask_hash max max_by max_pt md5 median microsecond min min_by minute
    month months_between multimap_agg multimap_from_entries multinomial named_struct negative next_day ngrams
    now nth_value ntile nullif numeric_histogram nvl ordinal parse_url parse_url_tuple partition_exists
    percent_rank percentile percentile_approx percentile_cont percentile_disc pi posexplode positive pow power
    quarter radians rand rank regexp_count regexp_extract regexp_extract_all regexp_instr regexp_replace
    regexp_substr repeat replace reverse round row_number rpad rtrim sample second sequence sha sha1 sha2
    shiftleft shiftright shiftrightunsigned shuffle sign sin sinh size slice sort_array soundex space split
    split_part sqrt stack stddev stddev_pop stddev_samp str_to_map struct substr substring substring_index sum
    sym_decrypt sym_encrypt table_exists tan tanh to_base64 to_char to_date to_geojson to_json to_millis
    to_utc_timestamp tolower topk toupper trans_array trans_cols transform transform_keys transform_values
    translate trim trunc trunc_time typeof unbase64 unhex unique_id unix_timestamp upper url_decode url_encode
    uuid var_pop var_samp variance weekday weekofyear width_bucket wm_concat year zip_with
    """.split()  # noqa: SIM905
)
