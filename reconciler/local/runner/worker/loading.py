"""Loading of a class: import its module, check its methods, read its signature."""

from __future__ import absolute_import, division, print_function

import sys

from .cells import short_repr
from .compat import PY2, text_type
from .frames import CONSTRUCTING, NoSignature, NotLoadable
from .odps_modules import BaseUDAF, BaseUDTF, signatures
from .udfs import AggregateFunction, ScalarFunction, TableFunction
from .values import SignatureReader

NEEDED = {
    ScalarFunction: ("evaluate",),
    TableFunction: ("process",),
    AggregateFunction: ("new_buffer", "iterate", "merge", "terminate"),
}


def load_class(job, channel, mark):
    """Import the module, look at the class, and return what makes a LoadedFunction around a new instance of it."""
    module_name, _, class_name = job["class"].rpartition(".")
    for stem in job["modules"]:
        sys.modules.pop(stem, None)  # a resource called json.py comes first on sys.path: it is the one to import
    __import__(module_name)
    cls = getattr(sys.modules[module_name], class_name, None)
    if cls is None:
        names = [cls.__name__ for cls in signatures if cls.__module__ == module_name]
        hint = "; classes with a signature: %s" % ", ".join(sorted(names)) if names else ""
        raise NotLoadable("module %s has no class %s%s" % (module_name, class_name, hint))
    if not isinstance(cls, type) and not callable(cls):
        raise NotLoadable("%s is no class" % job["class"])
    wrapper = wrapper_of(cls)
    missing = [name for name in NEEDED[wrapper] if not callable(getattr(cls, name, None))]
    if missing:
        raise NotLoadable("%s %s has no method %s" % (wrapper.kind.upper(), job["class"], ", ".join(missing)))
    signature, inputs, outputs = signature_of(cls, wrapper)

    def construct():
        mark[1] = CONSTRUCTING
        function = wrapper(cls(), inputs, outputs, channel, mark)
        function.signature = signature
        return function

    return construct


def signature_of(cls, wrapper):
    """Return (signature, types of the arguments, types of the results); None where the class leaves it open."""
    signature = signatures.get(cls)
    if signature is None and wrapper is TableFunction:
        return None, None, None  # documentation, "Python UDTFs": any arguments, every result is a STRING
    if signature is None:
        raise NoSignature("class %s has no signature: decorate it with @annotate('...->...')" % cls.__name__)
    if PY2 and isinstance(signature, text_type):
        signature = signature.encode("utf-8")
    if not isinstance(signature, str):
        raise NoSignature("the signature of %s is no string: %s" % (cls.__name__, short_repr(signature)))
    inputs, outputs = SignatureReader(signature).signature()
    if wrapper is not TableFunction and len(outputs) != 1:
        raise NoSignature("the signature %r has %d results; only a UDTF has more than one" % (signature, len(outputs)))
    return signature, inputs, outputs


def wrapper_of(cls):
    if isinstance(cls, type) and issubclass(cls, BaseUDTF):
        return TableFunction
    if isinstance(cls, type) and issubclass(cls, BaseUDAF):
        return AggregateFunction
    if not hasattr(cls, "evaluate"):
        for name, base in (("process", "BaseUDTF"), ("iterate", "BaseUDAF")):
            if hasattr(cls, name):
                raise NotLoadable("%s has %s() but does not derive from odps.udf.%s" % (cls.__name__, name, base))
    return ScalarFunction
