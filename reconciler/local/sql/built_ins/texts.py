"""String functions [doc "String functions"]."""

from __future__ import annotations

_URL = r"'^([a-zA-Z][a-zA-Z0-9+.-]*):(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$'"
_AUTHORITY = f"regexp_extract(a, {_URL}, 2)"
_PIECES = "string_split_regex(a, b)"
_MATCHES = "regexp_extract_all(a, b)"

_JSON_PATH = r"'[$]([.][^.*[]+|\[([0-9]+|[*])]|\[''[^'']+''])*'"
_OWN_PATH = (
    f"CASE WHEN regexp_full_match(b, {_JSON_PATH}) "
    rf"""THEN regexp_replace(b, '\[''([^'']+)'']', '."\1"', 'g') ELSE '$' END"""
)

_SOUNDS = "translate(upper(a[1]) || regexp_replace(upper(a[2:]), '[HW]', '', 'g'), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', '01230120022455012623010202')"
"""The digits of SOUNDEX, the first letter's first; H and W part nothing, as in Hive, whose function it is (commons-codec)."""

MOST_BYTES = 8 << 20
"""Of a value [doc "Limits of MaxCompute SQL"]."""


def fitting(value: str, size: str) -> str:
    """Return the argument that says how large a result is; an error where it is too large for a value, before it is made."""
    return f"CASE WHEN {size} > {MOST_BYTES} THEN error('a value has at most 8 MB') ELSE {value} END"


ROWS = rf"""
ascii      | BIGINT(STRING)         | CAST(ascii(a) AS BIGINT)
char_matchcount | BIGINT(STRING, STRING) | len(list_filter(string_split(a, ''), lambda letter: contains(b, letter)))
chr        | STRING(BIGINT)         | CASE WHEN a BETWEEN 0 AND 127 THEN chr(CAST(a AS INTEGER)) WHEN a IS NULL THEN NULL ELSE error('CHR takes 0 to 127') END
chr        | STRING(STRING)         | chr(CAST(a AS INTEGER))
concat     | STRING()               | CAST(NULL AS VARCHAR)
concat     | STRING(STRING...)      | !concat
concat     | ARRAY<T>(ARRAY<T>...)  | !concat
concat_ws  | STRING(STRING, STRING, STRING...) | !concat_with
concat_ws  | STRING(STRING, ARRAY<STRING>) | @array_to_string(b, a)
decode     | STRING(BINARY, STRING) | CASE WHEN upper(b) IN ('UTF-8', 'US-ASCII') THEN decode(a) WHEN b IS NULL THEN NULL ELSE error('missing here: DECODE of ' || b) END
encode     | BINARY(STRING, STRING) | CASE WHEN upper(b) IN ('UTF-8', 'US-ASCII') THEN encode(a) WHEN upper(b) = 'UTF-16BE' AND regexp_full_match(a, '[ -~]*') THEN unhex(regexp_replace(hex(a), '(..)', '00\1', 'g')) WHEN b IS NULL THEN NULL ELSE error('missing here: ENCODE as ' || b) END
find_in_set | BIGINT(STRING, STRING) | coalesce(list_position(string_split(b, ','), a), CASE WHEN a IS NOT NULL AND b IS NOT NULL THEN 0 END)
find_in_set | BIGINT(STRING, STRING, STRING) | coalesce(list_position(string_split(b, c), a), CASE WHEN a IS NOT NULL AND b IS NOT NULL THEN 0 END)
from_json  | T(STRING, STRING)      | !from_json
get_json_object | STRING(STRING, STRING) | CASE WHEN NOT regexp_full_match(b, {_JSON_PATH}) THEN error('missing here: GET_JSON_OBJECT with the path ' || b) WHEN NOT coalesce(json_valid(a), false) THEN NULL WHEN contains(b, '[*]') THEN CAST(to_json(json_extract(a, {_OWN_PATH})) AS VARCHAR) ELSE json_extract_string(a, replace({_OWN_PATH}, '[*]', '')) END
initcap    | STRING(STRING)         | array_to_string(list_transform(string_split(lower(a), ' '), lambda word: upper(word[1]) || word[2:]), ' ')
instr      | BIGINT(STRING, STRING) | CASE WHEN b = '' THEN 1 ELSE instr(a, b) END
instr      | BIGINT(STRING, STRING, BIGINT) | mc_instr__3(a, b, c, 1)
instr      | BIGINT(STRING, STRING, BIGINT, BIGINT) | CASE WHEN c < 0 THEN coalesce(list_reverse(list_filter(range(1, length(a) - length(b) + 2), lambda i: a[i:i + length(b) - 1] = b AND i <= length(a) + c + 1))[d], 0) WHEN d <= 0 THEN error('INSTR counts from 1') WHEN a IS NULL OR b IS NULL OR c IS NULL OR d IS NULL THEN NULL ELSE coalesce(list_filter(range(1, length(a) - length(b) + 2), lambda i: a[i:i + length(b) - 1] = b AND i >= c)[d], 0) END
keyvalue   | STRING(STRING, STRING) | list_filter(list_transform(string_split(a, ';'), lambda pair: string_split(pair, ':')), lambda pair: pair[1] = b)[1][2]
keyvalue   | STRING(STRING, STRING, STRING, STRING) | list_filter(list_transform(string_split(a, b), lambda pair: string_split(pair, c)), lambda pair: pair[1] = d)[1][2]
length     | BIGINT(STRING)         | @length
lengthb    | BIGINT(STRING)         | @strlen
locate     | BIGINT(STRING, STRING) | @instr(b, a)
locate     | BIGINT(STRING, STRING, BIGINT) | CASE WHEN a IS NULL OR b IS NULL THEN NULL WHEN c IS NULL OR instr(substring(b, c), a) = 0 THEN 0 ELSE instr(substring(b, c), a) + c - 1 END
lower      | STRING(STRING)         | @lower
lpad       | STRING(STRING, INT, STRING) | lpad(a, {fitting("b", "b")}, c)
ltrim      | STRING(STRING)         | @ltrim
ltrim      | STRING(STRING, STRING) | @ltrim
mask_hash  | STRING(STRING)         | @sha256
mask_hash  | STRING(ANY)            | CAST(NULL AS VARCHAR)
md5        | STRING(STRING)         | @md5
parse_url  | STRING(STRING, STRING) | CASE upper(b) WHEN 'PROTOCOL' THEN regexp_extract(a, {_URL}, 1) WHEN 'AUTHORITY' THEN {_AUTHORITY} WHEN 'USERINFO' THEN regexp_extract({_AUTHORITY}, '^(.*)@', 1) WHEN 'HOST' THEN regexp_extract({_AUTHORITY}, '^(?:.*@)?([^:@]*)', 1) WHEN 'PATH' THEN regexp_extract(a, {_URL}, 3) WHEN 'QUERY' THEN regexp_extract(a, {_URL}, 4) WHEN 'REF' THEN regexp_extract(a, {_URL}, 5) WHEN 'FILE' THEN regexp_extract(a, {_URL}, 3) || CASE WHEN regexp_extract(a, {_URL}, 4) = '' THEN '' ELSE '?' || regexp_extract(a, {_URL}, 4) END ELSE CASE WHEN b IS NOT NULL THEN error('PARSE_URL has no part ' || b) END END
parse_url  | STRING(STRING, STRING, STRING) | list_filter(list_transform(string_split(regexp_extract(a, {_URL}, 4), '&'), lambda pair: string_split(pair, '=')), lambda pair: pair[1] = c)[1][2]
regexp_count | BIGINT(STRING, STRING) | len(regexp_extract_all(a, b))
regexp_count | BIGINT(STRING, STRING, BIGINT) | len(regexp_extract_all(substring(a, c), b))
regexp_extract | STRING(STRING, STRING) | CASE WHEN NOT regexp_matches(a, b) THEN error('what REGEXP_EXTRACT gives where nothing matches is not documented: ask RLIKE first, in CASE or WHERE') ELSE regexp_extract(a, b, 1) END
regexp_extract | STRING(STRING, STRING, BIGINT) | CASE WHEN NOT regexp_matches(a, b) THEN error('what REGEXP_EXTRACT gives where nothing matches is not documented: ask RLIKE first, in CASE or WHERE') ELSE regexp_extract(a, b, CAST(c AS INTEGER)) END
regexp_extract_all | ARRAY<STRING>(STRING, STRING) | regexp_extract_all(a, b, 1)
regexp_extract_all | ARRAY<STRING>(STRING, STRING, BIGINT) | regexp_extract_all(a, b, CAST(c AS INTEGER))
regexp_instr | BIGINT(STRING, STRING) | mc_regexp_instr__4(a, b, 1, 1, 0)
regexp_instr | BIGINT(STRING, STRING, BIGINT) | mc_regexp_instr__4(a, b, c, 1, 0)
regexp_instr | BIGINT(STRING, STRING, BIGINT, BIGINT) | mc_regexp_instr__4(a, b, c, d, 0)
regexp_instr | BIGINT(STRING, STRING, BIGINT, BIGINT, BIGINT) | CASE WHEN d > len(regexp_extract_all(substring(a, c), b)) THEN 0 ELSE c + length(array_to_string(string_split_regex(substring(a, c), b)[1:d], '')) + length(array_to_string(regexp_extract_all(substring(a, c), b)[1:d - 1 + e], '')) END
regexp_replace | STRING(STRING, STRING, STRING) | CASE WHEN c IS NULL AND NOT regexp_matches(a, b) THEN a ELSE regexp_replace(a, b, c, 'g') END
regexp_replace | STRING(STRING, STRING, STRING, BIGINT) | CASE WHEN d = 0 THEN mc_regexp_replace(a, b, c) WHEN d > len({_MATCHES}) THEN a WHEN d < 0 THEN error('REGEXP_REPLACE counts from 0') ELSE array_to_string(list_transform(range(1, len({_PIECES}) + 1), lambda i: ({_PIECES})[i] || CASE WHEN i = d THEN regexp_replace(({_MATCHES})[i], b, c) ELSE coalesce(({_MATCHES})[i], '') END), '') END
regexp_substr | STRING(STRING, STRING) | ({_MATCHES})[1]
regexp_substr | STRING(STRING, STRING, BIGINT) | regexp_extract_all(substring(a, c), b)[1]
regexp_substr | STRING(STRING, STRING, BIGINT, BIGINT) | regexp_extract_all(substring(a, c), b)[d]
repeat     | STRING(STRING, BIGINT) | repeat(a, {fitting("b", "CAST(b AS DOUBLE) * strlen(a)")})
replace    | STRING(STRING, STRING, STRING) | @replace
reverse    | STRING(STRING)         | @reverse
reverse    | ARRAY<T>(ARRAY<T>)     | @list_reverse
rpad       | STRING(STRING, INT, STRING) | rpad(a, {fitting("b", "b")}, c)
rtrim      | STRING(STRING)         | @rtrim
rtrim      | STRING(STRING, STRING) | @rtrim
soundex    | STRING(STRING)         | CASE WHEN NOT regexp_full_match(a, '[A-Za-z]+') THEN error('missing here: SOUNDEX of what are not the letters A to Z') ELSE list_transform([string_split({_SOUNDS}, '')], lambda codes: upper(a[1]) || rpad(replace(array_to_string(list_filter(codes, lambda code, i: code <> codes[i - 1]), ''), '0', ''), 3, '0')[1:3])[1] END
space      | STRING(BIGINT)         | repeat(' ', {fitting("a", "a")})
split      | ARRAY<STRING>(STRING, STRING) | mc_split__2(a, b, true)
split      | ARRAY<STRING>(STRING, STRING, BOOLEAN) | CASE WHEN c THEN list_transform([str_split_regex(a, b)], lambda pieces: pieces[1:coalesce(list_max(list_filter(range(1, len(pieces) + 1), lambda i: pieces[i] <> '')), 0)])[1] ELSE str_split_regex(a, b) END
split_part | STRING(STRING, STRING, BIGINT) | CASE WHEN b = '' AND c = 1 THEN a ELSE split_part(a, b, c) END
split_part | STRING(STRING, STRING, BIGINT, BIGINT) | CASE WHEN b = '' AND c = 1 THEN a ELSE array_to_string(string_split(a, b)[c:d], b) END
substr     | STRING(STRING, BIGINT) | CASE WHEN a IS NULL OR b IS NULL THEN NULL WHEN b = 0 OR b < -length(a) THEN '' ELSE substring(a, b) END
substr     | STRING(STRING, BIGINT, BIGINT) | CASE WHEN a IS NULL OR b IS NULL OR c IS NULL THEN NULL WHEN b = 0 OR b < -length(a) OR c <= 0 THEN '' ELSE substring(a, b, c) END
substring  | STRING(STRING, BIGINT) | CASE WHEN a IS NULL OR b IS NULL THEN NULL WHEN b = 0 OR b < -length(a) THEN '' ELSE substring(a, b) END
substring  | STRING(STRING, BIGINT, BIGINT) | CASE WHEN a IS NULL OR b IS NULL OR c IS NULL THEN NULL WHEN b = 0 OR b < -length(a) OR c <= 0 THEN '' ELSE substring(a, b, c) END
substring_index | STRING(STRING, STRING, BIGINT) | CASE WHEN b IS NULL THEN NULL WHEN c > 0 THEN array_to_string(string_split(a, b)[1:c], b) WHEN c < 0 THEN array_to_string(string_split(a, b)[greatest(1, len(string_split(a, b)) + c + 1):], b) WHEN c = 0 THEN '' END
to_json    | STRING(ANY)            | !to_json
tolower    | STRING(STRING)         | @lower
toupper    | STRING(STRING)         | @upper
translate  | STRING(STRING, STRING, STRING) | @translate
trim       | STRING(STRING)         | @trim
trim       | STRING(STRING, STRING) | @trim
upper      | STRING(STRING)         | @upper
url_decode | STRING(STRING)         | url_decode(replace(a, '+', ' '))
url_decode | STRING(STRING, STRING) | CASE WHEN upper(b) = 'UTF-8' OR NOT regexp_matches(a, '%[89A-Fa-f]') THEN url_decode(replace(a, '+', ' ')) WHEN b IS NOT NULL THEN error('missing here: URL_DECODE of ' || b) END
url_encode | STRING(STRING)         | replace(replace(replace(url_encode(a), '%20', '+'), '%2A', '*'), '~', '%7E')
url_encode | STRING(STRING, STRING) | CASE WHEN upper(b) = 'UTF-8' OR regexp_full_match(a, '[ -~]*') THEN mc_url_encode(a) WHEN b IS NOT NULL THEN error('missing here: URL_ENCODE as ' || b) END
"""
"""That SUBSTR from 0 is empty, or NULL, its page says in two places; the text at the end of the page of the arguments counts."""
