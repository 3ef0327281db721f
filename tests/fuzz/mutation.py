"""
Random changes of bytes, of the kinds that readers of files and answers have failed over.

Numbers get the values at which words end, texts lose, repeat and exchange pieces. The same generator makes the same changes.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

EDGES = [0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536]
EDGES += [2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1]

NUMBERS = [str(edge) for edge in EDGES] + [
    "-1",
    "00",
    "1e999",
    "-0",
    "9" * 20,
    "9" * 400,
    "1_000",
    "²",
    "٣",
    "0x10",
    "NaN",
    "1.5",
]
"""Texts that stand for a number somewhere, or nearly."""

DATES = ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"]
DATES += ["Thu, 01 Jan 1970 00:00:00 +9999", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-02-30T25:61:61Z"]
PIECES = [
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\r",
    b"\n",
    b"\x1b[2J",
    "\u202e".encode(),
    b"]]>",
    b"&#0;",
    b"&amp;",
    b"<!--",
    b"../",
]
PIECES += [
    b"/",
    b"",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"''",
    b'"\\ud800"',
    b"[" * 200,
    b"{'a':" * 200,
    b"<a>" * 200,
    b": ",
    b"- ",
    b"*a",
    b"&a ",
]

_NUMBER = re.compile(rb"-?\d[\d.]*")
_DATE = re.compile(rb"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [\d:]{8} GMT|\d{4}-\d\d-\d\dT[\d:]{8}Z")
_TOKEN = re.compile(rb"\w+|[^\w\s]")


def change(data: bytes, random: Random, others: Sequence[bytes] = (), most: int = 1 << 20) -> bytes:
    """Return the bytes with one to four changes; `others` lend pieces."""
    for _ in range(random.choice((1, 1, 2, 4))):
        data = random.choice(_CHANGES)(data, random, others)
    return data[:most]


def _flip(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    position = random.randrange(len(data) + 1)
    return data[:position] + bytes([random.randrange(256)]) + data[position + 1 :]


def _word(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    """Put a number at the end of its range where a header might have one."""
    width, form = random.choice(((1, "B"), (2, "H"), (4, "I"), (8, "Q")))
    position = random.randrange(max(1, min(len(data), random.choice((64, 512, len(data) or 1)))))
    position -= position % random.choice((1, width))
    value = (random.choice(EDGES) + random.choice((0, 0, -1, 1))) % (1 << 8 * width)
    return data[:position] + struct.pack(random.choice("<>") + form, value) + data[position + width :]


def _number(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    return _exchange(data, random, _NUMBER, [text.encode() for text in NUMBERS])


def _date(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    return _exchange(data, random, _DATE, [text.encode() for text in (*DATES, *NUMBERS)])


def _token(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    lent = _TOKEN.findall(random.choice(others)[: 1 << 14]) if others else []
    return _exchange(data, random, _TOKEN, [*PIECES, *(random.choice(lent) for _ in range(8) if lent)])


def _exchange(data: bytes, random: Random, what: re.Pattern[bytes], instead: list[bytes]) -> bytes:
    spans = [match.span() for match in what.finditer(data[: 1 << 16])]
    start, end = random.choice(spans) if spans else (0, 0)
    return data[:start] + random.choice(instead) + data[end:]


def _cut(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    start, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return random.choice((data[:start], data[:start] + data[end:], data[:end] + data[start:end] + data[end:]))


def _splice(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    other = random.choice(others) if others else data
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]


def _line(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    position = random.randrange(len(lines))
    lines[position:position] = [random.choice(lines)]
    del lines[random.randrange(len(lines))]
    return b"".join(lines)


_CHANGES = (_flip, _word, _word, _number, _number, _date, _token, _token, _cut, _splice, _line)
