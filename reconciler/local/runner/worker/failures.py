"""Failures that the parent is told of as a frame."""

from __future__ import absolute_import, division, print_function


class NotLoadable(Exception):
    """The class is not what the service could call; the text says why."""

    what = "load"


class NoSignature(NotLoadable):
    """So it is for want of a signature that could be read."""

    what = "signature"


class Misfit(Exception):
    """A value does not fit a type; `row` counts within the batch."""

    def __init__(self, text, row=None):
        Exception.__init__(self, text)
        self.text = text
        self.row = row


class ResultMisfit(Exception):
    """What the function gave does not fit its signature; `row` counts over all batches."""

    def __init__(self, text, row):
        Exception.__init__(self, text)
        self.text = text
        self.row = row
