"""Mathematical functions [doc "Mathematical functions"]."""

from __future__ import annotations

ROWS = r"""
abs        | N(N)                   | @abs
acos       | DOUBLE(DOUBLE)         | CASE WHEN a BETWEEN -1 AND 1 THEN acos(a) END
acos       | DOUBLE(DECIMAL)        | CASE WHEN a BETWEEN -1 AND 1 THEN acos(a) END
asin       | DOUBLE(DOUBLE)         | CASE WHEN a BETWEEN -1 AND 1 THEN asin(a) END
asin       | DOUBLE(DECIMAL)        | CASE WHEN a BETWEEN -1 AND 1 THEN asin(a) END
atan       | DOUBLE(DOUBLE)         | @atan
atan       | DOUBLE(DECIMAL)        | @atan
atan2      | DOUBLE(DOUBLE, DOUBLE) | @atan2
bin        | STRING(BIGINT)         | @bin
cbrt       | DOUBLE(DOUBLE)         | @cbrt
ceil       | BIGINT(DOUBLE)         | CAST(ceil(a) AS BIGINT)
ceil       | BIGINT(DECIMAL)        | CAST(ceil(a) AS BIGINT)
ceiling    | BIGINT(DOUBLE)         | CAST(ceil(a) AS BIGINT)
ceiling    | BIGINT(DECIMAL)        | CAST(ceil(a) AS BIGINT)
conv       | STRING(STRING, BIGINT, BIGINT) | CASE WHEN regexp_full_match(a, '[0-9a-zA-Z]+([.][0-9]*)?') AND b IN (2, 8, 10, 16) AND c IN (2, 8, 10, 16) THEN to_base(CAST(list_reduce(list_transform(string_split(split_part(lower(a), '.', 1), ''), lambda digit: CAST(instr('0123456789abcdef', digit) - 1 AS HUGEINT)), lambda x, y: x * b + y) AS BIGINT), CAST(c AS INTEGER)) END
cos        | DOUBLE(DOUBLE)         | @cos
cos        | DOUBLE(DECIMAL)        | @cos
cosh       | DOUBLE(DOUBLE)         | @cosh
cosh       | DOUBLE(DECIMAL)        | @cosh
cot        | DOUBLE(DOUBLE)         | @cot
cot        | DOUBLE(DECIMAL)        | @cot
degrees    | DOUBLE(DOUBLE)         | a * 180 / pi()
degrees    | DOUBLE(DECIMAL)        | CAST(a AS DOUBLE) * 180 / pi()
e          | DOUBLE()               | CAST(2.718281828459045 AS DOUBLE)
exp        | DOUBLE(DOUBLE)         | @exp
exp        | DOUBLE(DECIMAL)        | @exp
factorial  | BIGINT(BIGINT)         | CASE WHEN a BETWEEN 0 AND 20 THEN CAST(factorial(CAST(a AS INTEGER)) AS BIGINT) END
floor      | BIGINT(DOUBLE)         | CAST(floor(a) AS BIGINT)
floor      | BIGINT(DECIMAL)        | CAST(floor(a) AS BIGINT)
format_number | STRING(DOUBLE, BIGINT) | CASE WHEN b BETWEEN 0 AND 340 THEN format('{:,.' || CAST(b AS VARCHAR) || 'f}', mc_round__3(a, b)) WHEN b IS NULL OR a IS NULL THEN NULL ELSE error('FORMAT_NUMBER takes 0 to 340 places') END
format_number | STRING(DECIMAL, BIGINT) | CASE WHEN b BETWEEN 0 AND 340 THEN format('{:,.' || CAST(b AS VARCHAR) || 'f}', CAST(round(a, CAST(b AS INTEGER)) AS DOUBLE)) WHEN b IS NULL OR a IS NULL THEN NULL ELSE error('FORMAT_NUMBER takes 0 to 340 places') END
format_number | STRING(STRING, BIGINT) | format('{:,.' || CAST(b AS VARCHAR) || 'f}', TRY_CAST(a AS DOUBLE))
format_number | STRING(DOUBLE, STRING) | regexp_replace(format('{:' || CASE WHEN contains(b, ',') THEN ',' ELSE '' END || '.' || CAST(length(split_part(b, '.', 2)) AS VARCHAR) || 'f}', CAST(a AS DOUBLE)), '([.][0-9]*?)0*$', '\1')
hex        | STRING(BIGINT)         | @hex
hex        | STRING(STRING)         | @hex
hex        | STRING(BINARY)         | @hex
hex        | STRING(DOUBLE)         | hex(CAST(a AS VARCHAR))
hex        | STRING(DECIMAL)        | hex(CAST(a AS VARCHAR))
isnan      | BOOLEAN(DOUBLE)        | coalesce(isnan(a), false)
ln         | DOUBLE(DOUBLE)         | CASE WHEN a > 0 THEN ln(a) END
ln         | DOUBLE(DECIMAL)        | CASE WHEN a > 0 THEN ln(a) END
log        | DOUBLE(DOUBLE, DOUBLE) | CASE WHEN a > 0 AND a <> 1 AND b > 0 THEN ln(b) / ln(a) END
log        | DOUBLE(DOUBLE, DECIMAL) | CASE WHEN a > 0 AND a <> 1 AND b > 0 THEN ln(b) / ln(a) END
log        | DOUBLE(DECIMAL, DECIMAL) | CASE WHEN a > 0 AND a <> 1 AND b > 0 THEN ln(b) / ln(a) END
log10      | DOUBLE(DOUBLE)         | CASE WHEN a > 0 THEN log10(a) END
log10      | DOUBLE(DECIMAL)        | CASE WHEN a > 0 THEN log10(a) END
log2       | DOUBLE(DOUBLE)         | CASE WHEN a > 0 THEN log2(a) END
log2       | DOUBLE(DECIMAL)        | CASE WHEN a > 0 THEN log2(a) END
negative   | N(N)                   | -a
pi         | DOUBLE()               | @pi
positive   | N(N)                   | a
pow        | DOUBLE(DOUBLE, DOUBLE) | @pow
pow        | DOUBLE(DECIMAL, DOUBLE) | @pow
pow        | DOUBLE(DECIMAL, DECIMAL) | @pow
power      | DOUBLE(DOUBLE, DOUBLE) | @pow
radians    | DOUBLE(DOUBLE)         | a * (pi() / 180)
radians    | DOUBLE(DECIMAL)        | CAST(a AS DOUBLE) * (pi() / 180)
rand       | DOUBLE()               | @random
rand       | DOUBLE(BIGINT)         | !missing
round      | DOUBLE(DOUBLE)         | @round
round      | DECIMAL(DECIMAL)       | @round
round      | DOUBLE(DOUBLE, BIGINT) | CASE WHEN abs(a) * pow(10, b) < 4503599627370496 THEN round(a * pow(10, b)) / pow(10, b) ELSE a + 0 * b END
round      | DECIMAL(DECIMAL, BIGINT) | round(a, CAST(b AS INTEGER))
shiftleft  | INT(INT, INT)          | CAST(a * (CAST(1 AS BIGINT) << b) AS INTEGER)
shiftleft  | BIGINT(BIGINT, INT)    | CAST(CAST(a AS HUGEINT) * (CAST(1 AS BIGINT) << b) AS BIGINT)
shiftright | INT(INT, INT)          | a >> b
shiftright | BIGINT(BIGINT, INT)    | a >> b
shiftrightunsigned | INT(INT, INT)  | CAST(((CAST(a AS BIGINT) + 4294967296) % 4294967296) >> b AS INTEGER)
shiftrightunsigned | BIGINT(BIGINT, INT) | CAST(((CAST(a AS HUGEINT) + 18446744073709551616) % 18446744073709551616) >> b AS BIGINT)
sign       | DOUBLE(DOUBLE)         | CAST(sign(a) AS DOUBLE)
sign       | DOUBLE(DECIMAL)        | CAST(sign(a) AS DOUBLE)
sin        | DOUBLE(DOUBLE)         | @sin
sin        | DOUBLE(DECIMAL)        | @sin
sinh       | DOUBLE(DOUBLE)         | @sinh
sinh       | DOUBLE(DECIMAL)        | @sinh
sqrt       | DOUBLE(DOUBLE)         | CASE WHEN a >= 0 THEN sqrt(a) END
sqrt       | DOUBLE(DECIMAL)        | CASE WHEN a >= 0 THEN sqrt(a) END
tan        | DOUBLE(DOUBLE)         | @tan
tan        | DOUBLE(DECIMAL)        | @tan
tanh       | DOUBLE(DOUBLE)         | @tanh
tanh       | DOUBLE(DECIMAL)        | @tanh
trunc      | DOUBLE(DOUBLE)         | @trunc
trunc      | DECIMAL(DECIMAL)       | @trunc
trunc      | DOUBLE(DOUBLE, BIGINT) | CASE WHEN b <= 0 THEN trunc(a / pow(10, -b)) * pow(10, -b) ELSE trunc(a * pow(10, b)) / pow(10, b) END
trunc      | DECIMAL(DECIMAL, BIGINT) | trunc(a, CAST(b AS INTEGER))
unhex      | BINARY(STRING)         | @unhex
width_bucket | BIGINT(N, N, N, BIGINT) | CASE WHEN d IS NULL THEN NULL WHEN a < b THEN 0 WHEN a > c THEN d + 1 ELSE CAST(floor(CAST(d * (a - b) AS DOUBLE) / (c - b) + 1) AS BIGINT) END
"""
"""
A ROUND of 125.315 to two places is 125.32 on its page: multiplied, rounded, divided. TRUNC of it to one place shows
125.80000000000001 there, which is the display of a system that multiplies by 0.1; here it is the nearest DOUBLE, 125.8.
"""
