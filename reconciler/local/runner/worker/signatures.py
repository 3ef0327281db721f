"""Parser of signatures such as `bigint,string->double`."""

from __future__ import absolute_import, division, print_function

import re

from .cells import KINDS
from .frames import NoSignature
from .values import ValueType


class SignatureReader(object):
    """Reads `arguments -> results` (documentation, "Function signatures and data types")."""

    token = re.compile(r"\s*(->|[A-Za-z_]\w*|\d+|[<>(),:*]|$)")

    def __init__(self, text):
        self.text = text
        self.at = 0
        self.next = ""
        self.advance()

    def advance(self):
        token = self.next
        match = self.token.match(self.text, self.at)
        if match is None:
            self.next = ""
            self.fail()
        self.at, self.next = match.end(), match.group(1)
        return token

    def fail(self):
        rest = self.text[self.at - len(self.next) :].lstrip()
        raise NoSignature("the signature %r is not understood at %r" % (self.text, rest))

    def expect(self, token):
        if self.next != token:
            self.fail()
        self.advance()

    def signature(self):
        """Return (types of the arguments, or None for `*`; types of the results)."""
        if self.next == "*":
            self.advance()
            inputs = None
        else:
            inputs = [] if self.next == "->" else self.types()
        self.expect("->")
        outputs = self.types()
        if self.next:
            self.fail()
        return inputs, outputs

    def types(self):
        kinds = [self.type()]
        while self.next == ",":
            self.advance()
            kinds.append(self.type())
        return kinds

    def type(self):
        start = self.at - len(self.next)
        name = self.next.lower()
        if name not in KINDS:
            self.fail()
        self.advance()
        inner, fields = (), ()
        if name in ("array", "map", "struct"):
            inner, fields = self.inside(name)
        elif self.next == "(":
            self.advance()
            while self.next.isdigit():
                self.advance()
                if self.next == ",":
                    self.advance()
            self.expect(")")
        return ValueType(name, inner, fields, self.text[start : self.at - len(self.next)].strip())

    def inside(self, name):
        """Return (the types, the names of a struct's fields) that stand between < and >."""
        self.expect("<")
        count = {"array": 1, "map": 2}.get(name)
        inner, fields = [], []
        while True:
            if name == "struct":
                if not re.match(r"[A-Za-z_]", self.next):
                    self.fail()
                fields.append(self.advance())
                self.expect(":")
            inner.append(self.type())
            if self.next != "," or len(inner) == count:
                break
            self.advance()
        if len(inner) < (count or 1):
            self.fail()
        self.expect(">")
        return tuple(inner), tuple(fields)
