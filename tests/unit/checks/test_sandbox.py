"""CPython 2.7 itself is asked what it cannot import without which C extension."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.targets.maxcompute.source_rules.sandbox import EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WITHOUT = """
import json, sys

class Sandbox(object):
    def find_module(self, name, path=None):
        return self if name.rpartition(".")[2] == self.lacks else None
    def load_module(self, name):
        raise ImportError("no " + name)

pairs, sandbox, before, found = json.load(sys.stdin), Sandbox(), set(sys.modules), []
sys.meta_path.insert(0, sandbox)
for module, sandbox.lacks in pairs:
    try:
        __import__(module)
        found.append(module)
    except ImportError as error:
        if str(error) != "no " + sandbox.lacks and not str(error).endswith("." + sandbox.lacks):
            found.append("%s: %s" % (module, error))
    for name in set(sys.modules) - before:
        del sys.modules[name]
print(json.dumps(found))
"""


def test_what_is_said_to_need_an_extension_cannot_be_imported_without_it(
    ask: Callable[[str, str, Sequence[Sequence[str]]], list[object]],
) -> None:
    assert ask("cp27", WITHOUT, list(EXTENSIONS.items())) == []
