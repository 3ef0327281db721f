"""Parser of signatures such as `bigint,string->double`."""

from __future__ import absolute_import, division, print_function

import re

from .cells import KINDS
from .failures import NoSignature
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
        if name == "array":
            self.expect("<")
            inner = (self.type(),)
            self.expect(">")
        elif name == "map":
            self.expect("<")
            inner = (self.type(),)
            self.expect(",")
            inner += (self.type(),)
            self.expect(">")
        elif name == "struct":
            self.expect("<")
            fields, inner = self.struct()
            self.expect(">")
        elif self.next == "(":
            self.precision()
        return ValueType(name, inner, fields, self.text[start : self.at - len(self.next)].strip())

    def struct(self):
        fields, inner = [], []
        while True:
            if not re.match(r"[A-Za-z_]", self.next):
                self.fail()
            fields.append(self.advance())
            self.expect(":")
            inner.append(self.type())
            if self.next != ",":
                return tuple(fields), tuple(inner)
            self.advance()

    def precision(self):
        self.expect("(")
        while self.next.isdigit():
            self.advance()
            if self.next == ",":
                self.advance()
        self.expect(")")
