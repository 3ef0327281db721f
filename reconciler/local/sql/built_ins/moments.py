"""
Date functions [doc "Date functions"].

DATE, DATETIME and TIMESTAMP are three types. A text is a moment only where the page says so, in the form ``yyyy-mm-dd``, with
or without a time behind it, and NULL comes of any other. The zone is that of `odps.sql.timezone`, UTC+8 if nothing is said.
"""

from __future__ import annotations

OFFSET = "to_seconds({offset})"
_PARTS = ("year", "quarter", "month", "day", "hour", "minute", "second")
_MOMENT = "CAST(a AS TIMESTAMP)"
_TEXT = (
    "CASE WHEN regexp_full_match(a, '[0-9]{1,4}-[0-9]{1,2}-[0-9]{1,2}( [0-9:.]+)?') THEN TRY_CAST(a AS TIMESTAMP) END"
)
_CLOCK = (
    "CASE WHEN regexp_full_match(a, '[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}([.][0-9]+)?') "
    f"THEN TRY_CAST('1970-01-01 ' || a AS TIMESTAMP) ELSE {_TEXT} END"
)


def _part(name: str, said: str, *, text: str = _TEXT) -> str:
    return f"{name} | INT(M) | {said.format(_MOMENT)}\n{name} | INT(STRING) | {said.format(text)}\n"


def _day_text(name: str, more: str, said: str) -> str:
    lines = (
        f"{name} | STRING({kind}{more}) | {said.format(value)}\n" for kind, value in (("M", _MOMENT), ("STRING", _TEXT))
    )
    return "".join(lines)


def _months_between(first: str, second: str) -> str:
    ends = f"last_day({first}) = CAST({first} AS DATE) AND last_day({second}) = CAST({second} AS DATE)"
    months = f"(year({first}) - year({second})) * 12 + month({first}) - month({second})"
    days = f"(day({first}) - day({second})) * 86400 + epoch(CAST({first} AS TIME)) - epoch(CAST({second} AS TIME))"
    return (
        f"CASE WHEN ({ends}) OR day({first}) = day({second}) THEN CAST({months} AS DOUBLE) "
        f"ELSE {months} + ({days}) / 2678400.0 END"
    )


_WEEKDAY = (
    "CASE lower({0})[1:2] WHEN 'mo' THEN 1 WHEN 'tu' THEN 2 WHEN 'we' THEN 3 WHEN 'th' THEN 4 WHEN 'fr' THEN 5 "
    "WHEN 'sa' THEN 6 WHEN 'su' THEN 7 END"
)
_NEXT = "strftime({0} + to_days(CAST(1 + ({1} - isodow({0}) + 6) % 7 AS INTEGER)), '%Y-%m-%d')"

ROWS = f"""
current_timezone | STRING()         | CAST('Asia/Shanghai' AS VARCHAR)
current_timestamp | TIMESTAMP()     | CAST(now() AT TIME ZONE 'UTC' + {OFFSET} AS TIMESTAMP_NS)
date_add   | DATE(M, BIGINT)        | CAST(CAST(a AS DATE) + to_days(CAST(b AS INTEGER)) AS DATE)
date_add   | DATE(STRING, BIGINT)   | CAST(CAST({_TEXT} AS DATE) + to_days(CAST(b AS INTEGER)) AS DATE)
date_sub   | DATE(M, BIGINT)        | CAST(CAST(a AS DATE) - to_days(CAST(b AS INTEGER)) AS DATE)
date_sub   | DATE(STRING, BIGINT)   | CAST(CAST({_TEXT} AS DATE) - to_days(CAST(b AS INTEGER)) AS DATE)
dateadd    | M(M, BIGINT, STRING)   | !dateadd
datediff   | BIGINT(M, M)           | !datediff
datediff   | BIGINT(M, M, STRING)   | !datediff
datepart   | BIGINT(M, STRING)      | !datepart
datetrunc  | M(M, STRING)           | !datetrunc
date_format | STRING(TIMESTAMP, STRING) | !date_format
date_format | STRING(DATETIME, STRING) | !date_format
date_format | STRING(DATE, STRING) | !missing
date_format | STRING(STRING, STRING) | !missing
from_unixtime | DATETIME(BIGINT)    | make_timestamp(CAST(a AS BIGINT) * 1000000) + {OFFSET}
from_utc_timestamp | TIMESTAMP(M, STRING) | CAST(a AS TIMESTAMP_NS) + (timezone(CASE b WHEN 'PST' THEN 'America/Los_Angeles' ELSE b END, timezone('UTC', {_MOMENT})) - {_MOMENT})
from_utc_timestamp | TIMESTAMP(STRING, STRING) | CAST(timezone(CASE b WHEN 'PST' THEN 'America/Los_Angeles' ELSE b END, timezone('UTC', {_TEXT})) AS TIMESTAMP_NS)
from_utc_timestamp | TIMESTAMP(BIGINT, STRING) | CAST(timezone(CASE b WHEN 'PST' THEN 'America/Los_Angeles' ELSE b END, timezone('UTC', make_timestamp(CAST(a AS BIGINT) * 1000) + {OFFSET})) AS TIMESTAMP_NS)
getdate    | DATETIME()             | date_trunc('millisecond', now() AT TIME ZONE 'UTC' + {OFFSET})
isdate     | BOOLEAN(STRING, STRING) | !isdate
lastday    | DATETIME(DATETIME)     | CAST(last_day(a) AS TIMESTAMP)
now        | DATETIME()             | date_trunc('millisecond', now() AT TIME ZONE 'UTC' + {OFFSET})
to_char    | STRING(BOOLEAN)        | upper(CAST(a AS VARCHAR))
to_char    | STRING(BIGINT)         | CAST(a AS VARCHAR)
to_char    | STRING(DOUBLE)         | CAST(a AS VARCHAR)
to_char    | STRING(DECIMAL)        | CAST(a AS VARCHAR)
to_char    | STRING(STRING)         | CAST(a AS VARCHAR)
to_char    | STRING(M, STRING)      | !to_char
to_date    | DATE(STRING)           | CAST({_TEXT} AS DATE)
to_date    | DATE(M)                | CAST(a AS DATE)
to_date    | DATETIME(STRING, STRING) | !to_date
to_millis  | BIGINT(DATETIME)       | epoch_ms(a - {OFFSET})
to_millis  | BIGINT(TIMESTAMP)      | epoch_ms(CAST(a AS TIMESTAMP) - {OFFSET})
trunc_time | STRING(DATE, STRING)   | CASE lower(b) WHEN 'year' THEN strftime(a, '%Y') WHEN 'month' THEN strftime(a, '%Y-%m') WHEN 'day' THEN strftime(a, '%Y-%m-%d') ELSE error('TRUNC_TIME has no ' || coalesce(b, 'NULL')) END
trunc_time | STRING(M, STRING)      | CASE lower(b) WHEN 'year' THEN strftime({_MOMENT} - {OFFSET}, '%Y') WHEN 'month' THEN strftime({_MOMENT} - {OFFSET}, '%Y-%m') WHEN 'day' THEN strftime({_MOMENT} - {OFFSET}, '%Y-%m-%d') WHEN 'hour' THEN strftime({_MOMENT} - {OFFSET}, '%Y-%m-%d %H:00:00') ELSE error('TRUNC_TIME has no ' || coalesce(b, 'NULL')) END
unix_timestamp | BIGINT(M)          | CAST(floor(epoch({_MOMENT} - {OFFSET})) AS BIGINT)
weekday    | BIGINT(DATETIME)       | isodow(a) - 1
weekofyear | BIGINT(DATETIME)       | date_part('week', a)
weekofyear | BIGINT(STRING)         | date_part('week', {_TEXT})
dayofmonth | INT(M)                 | CAST(day({_MOMENT}) AS INTEGER)
dayofmonth | INT(STRING)            | CAST(day({_TEXT}) AS INTEGER)
""" + "".join(
    [
        *(
            _part(name, f"CAST({name}({{}}) AS INTEGER)", text=_CLOCK if name in _PARTS[4:] else _TEXT)
            for name in _PARTS
        ),
        _part("dayofweek", "CAST(dayofweek({}) + 1 AS INTEGER)"),
        _part("dayofyear", "CAST(dayofyear({}) AS INTEGER)"),
        _day_text("last_day", "", "strftime(last_day({0}), '%Y-%m-%d')"),
        _day_text("add_months", ", INT", "strftime({0} + to_months(b), '%Y-%m-%d')"),
        _day_text("next_day", ", STRING", _NEXT.format("{0}", f"({_WEEKDAY.format('b')})")),
        *(
            f"months_between | DOUBLE({first}, {second}) | {_months_between(start, end)}\n"
            for first, start in (("M", _MOMENT), ("STRING", f"({_TEXT})"))
            for second, end in (
                ("M", _MOMENT.replace("a ", "b ")),
                ("STRING", f"({_TEXT.replace('(a', '(b')})"),
            )
        ),
    ]
)
