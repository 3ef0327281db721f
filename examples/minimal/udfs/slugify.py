# -*- coding: utf-8 -*-
import re
import unicodedata

from odps.udf import annotate


@annotate("string->string")
class Slugify(object):
    """'Crème brûlée!' becomes 'creme-brulee'."""

    def evaluate(self, title):
        if title is None:  # NULL in SQL
            return None
        if isinstance(title, bytes):  # a STRING in Python 2.7
            title = title.decode("utf-8")
        plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode("ascii")
        return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
