"""
Wire forms of MaxCompute: errors, XML, times, markers, names.

Source: the vendor's public clients (PyODPS, the Java, Go and Ruby SDKs) and their recorded answers, unless said otherwise.
"""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import suppress
from email.utils import formatdate
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from reconciler.local.http.messages import HttpRefusal

MAX_XML_BYTES = 1 << 20
"""Far above any function or schema; a guess, the service names no limit."""

# Everything XML 1.0 cannot carry. Such text could be stored but never listed again.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def missing_header(name: str) -> HttpRefusal:
    """400, as measured on the service by a third party for ``x-odps-resource-merge-total-bytes``."""
    return HttpRefusal(400, "InvalidParameter", f"ODPS-0420051: Missing header in HTTP request - {name}")


def invalid(message: str) -> HttpRefusal:
    """400 for a value that cannot be used. The code is documented; what exactly it covers is a guess."""
    return HttpRefusal(400, "InvalidParameter", f"ODPS-0420061: Invalid parameter in HTTP request - {message}")


def invalid_xml(message: str) -> HttpRefusal:
    """400 for a body that is not the XML asked for. The code is documented."""
    return HttpRefusal(400, "InvalidParameter", f"ODPS-0420031: Invalid xml in HTTP request body - {message}")


def not_found(kind: str, name: str) -> HttpRefusal:
    """
    404 for an object that is not there.

    Clients look at the status and at ``NoSuchObject``; no public source shows the text of the message.
    """
    return HttpRefusal(404, "NoSuchObject", f"The {kind} '{name}' does not exist")


def already_exists(kind: str, name: str) -> HttpRefusal:
    """409, as measured by a third party for a merge onto an existing resource; for other kinds the text is a guess."""
    return HttpRefusal(409, "ObjectAlreadyExists", f"ODPS-0421121: The {kind} has already existed - {name}")


def element(tag: str, *children: str) -> str:
    """An element around `children`, which are XML already."""
    return f"<{tag}>{''.join(children)}</{tag}>"


def text_element(tag: str, value: object) -> str:
    """An element around plain text; nothing becomes an empty element."""
    return f"<{tag}>{escape(legible(str(value)))}</{tag}>" if value not in (None, "") else f"<{tag}/>"


def texts(**values: object) -> str:
    """Elements around plain texts, one after the other."""
    return "".join(text_element(tag, value) for tag, value in values.items())


def xml_document(root: str) -> bytes:
    """A whole document, as it goes over the wire."""
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + root).encode()


def legible(value: str) -> str:
    """`value` with whatever XML cannot carry replaced."""
    return _ILLEGAL.sub("\ufffd", value)


class _NoDoctype(ET.TreeBuilder):
    def doctype(self, *_: object) -> None:
        """Nothing of ours needs a document type, and entities are how an XML body explodes."""
        raise invalid_xml("a document type is not allowed")


def parse_xml(body: bytes, *, root: str) -> ET.Element:
    """Read a request body whose outermost element must be `root`."""
    parser = ET.XMLParser(target=_NoDoctype())
    try:
        parser.feed(body)
        element_tree = parser.close()
    except (ET.ParseError, LookupError, ValueError) as problem:
        raise invalid_xml(str(problem)) from problem
    if element_tree.tag != root:
        raise invalid_xml(f"<{root}> expected")
    return element_tree


def child_text(parent: ET.Element, tag: str) -> str | None:
    """The text of the child `tag` without surrounding space, None when it is absent or empty."""
    return (parent.findtext(tag) or "").strip() or None


def http_date(seconds: float) -> str:
    """RFC 1123, always GMT: ``Sat, 21 Nov 2026 07:27:09 GMT``."""
    return formatdate(seconds, usegmt=True)


def object_name(value: str | None, what: str) -> str:
    """
    `value` if it can name an object.

    The allowed characters are not published. A slash separates the parts of a reference (PyODPS), so it cannot be
    in a name; control characters are refused because neither a header nor XML could carry them.
    """
    if value is None or not value.strip():
        raise invalid(f"the {what} name is empty")
    if "/" in value or _CONTROL.search(value) or _ILLEGAL.search(value):
        raise invalid(f"the {what} name {legible(value)!r} has a character that is not allowed")
    return value


def same_name(name: str) -> str:
    """Equal for names that differ in case only (documented for resources and functions)."""
    return name.lower()


def header_text(value: str) -> str:
    """
    A header as text.

    HTTP gives us its bytes as Latin-1. Where they are UTF-8, UTF-8 was meant: a guess, and the reason not to put
    anything but ASCII into a comment.
    """
    with suppress(UnicodeError):
        value = value.encode("latin-1").decode("utf-8")
    if _CONTROL.search(value):
        raise invalid("a header holds a control character")
    return value


def marker_after(key: str) -> str:
    """Where a list goes on. Opaque to clients; its form on the service is not known."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def marker_key(marker: str) -> str:
    """The key of `marker_after`."""
    try:
        return base64.b64decode(marker.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as problem:
        raise invalid(f"marker {legible(marker)!r}") from problem
