"""Names that Python 2.7 and 3 spell differently."""

from __future__ import absolute_import, division, print_function

import itertools
import sys


PY2 = sys.version_info[0] == 2
if PY2:
    text_type, integers, imap, izip = unicode, (int, long), itertools.imap, itertools.izip  # noqa: F821
else:
    text_type, integers, imap, izip = str, (int,), map, zip
