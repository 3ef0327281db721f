"""
Dialects of ``udfs.yaml``: what a kind of target adds to the manifest.

``target: {kind: …}`` chooses one. Its model extends the common one, its checks run with the common ones, and both come in
from above as values: nothing here knows a service.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeAlias, TypeVar

from reconciler.base.words import did_you_mean, quote
from reconciler.manifest.model import Manifest
from reconciler.manifest.paths import Refusal
from reconciler.manifest.section import keys_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.base.hints import Hint
    from reconciler.manifest.model import Target
    from reconciler.manifest.paths import Folder, Kind
    from reconciler.manifest.reader import Document
    from reconciler.manifest.runtimes import Runtime, Service

M_co = TypeVar("M_co", bound=Manifest, covariant=True)
Dialects: TypeAlias = "Mapping[str, Callable[[], Dialect[Any]]]"
"""By the kinds of target, each made when it is asked for."""

Keys: TypeAlias = tuple[str | int, ...]
"""Where something stands in a manifest: ``("functions", "my_psi", "class")``."""


class Flaw(NamedTuple):
    """One thing that is wrong with a manifest."""

    code: str
    message: str
    keys: Keys
    hint: Hint | None = None
    at_key: bool = False
    """Whether the key is meant, and not its value."""

    is_warning: bool = False


@dataclass(frozen=True)
class Code:
    """Where a function's class comes from."""

    class_path: str
    """As the service takes it: ``module.Class``."""

    entry: str | None
    """The name of the Python resource that holds the class; None if a jar does."""

    runtime: Runtime
    carrier: str
    """The name of the resource whose mark speaks for the function: `entry`, or the first one that the stack manages."""

    versioned: bool = False
    """Whether `entry`, which then is the carrier too, is uploaded under a name with its content's digest."""


@dataclass(frozen=True)
class Dialect(Generic[M_co]):
    """What one kind of target adds to the manifest."""

    kind: str

    model: type[M_co]
    implicit_target: Target
    """Where a manifest without ``targets:`` is applied."""

    objects: tuple[str, ...]
    """The keys whose entries are objects of the service: ``functions``, ``resources``."""

    checks: tuple[Callable[[Draft[Any]], Iterator[Flaw]], ...]
    """In their order; of two entries that clash, the later one is accused."""

    @property
    def service(self) -> Service:
        return self.model.service

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the manifest."""
        model: type[Manifest] = self.model
        return frozenset(keys_of(model))


@dataclass(frozen=True)
class Draft(Generic[M_co]):
    """A manifest under check, and what the checks learn on the way so that no later stage works it out again."""

    dialect: Dialect[M_co]
    document: Document
    manifest: M_co
    target_name: str
    folder: Folder
    code: dict[str, Code] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    """Every path of the manifest that is a file, as it is written → absolute, symbolic links resolved."""

    uploads: dict[str, tuple[object, Keys]] = field(default_factory=dict)
    """Folded name → what is uploaded under it, and where the manifest says so."""

    def find_file(self, text: str, kind: Kind = "file") -> str | Refusal:
        """Return the file that `text` names, or why it cannot be used; a folder, where one may be, ends in a slash."""
        if text in self.files:
            return self.files[text]
        path = self.folder.find(text, kind)
        # A folder is not remembered: whether one may be there depends on who asks.
        if not isinstance(path, Refusal) and not path.endswith("/"):
            self.files[text] = path
        return path

    def claim(self, name: str, content: object, *keys: str | int) -> Iterator[Flaw]:
        """Yield a flaw if something else is uploaded under the same name."""
        # Files of one content may share a name: two functions of one source upload one module.
        first, where = self.uploads.setdefault(name.lower(), (content, keys))
        # Two resources that are twins in case are noted as such already.
        if first != content and not (where[0] == keys[0] == "resources"):
            hint = f"the other is at {self.where(*where)}; rename one of the files"
            yield Flaw("E309", f"two different files would be uploaded as {quote(name)}", keys, hint)

    def where(self, *keys: str | int, at_key: bool = False) -> str:
        """Return a place for a sentence: ``line 3, column 7``, and of an included file its name too."""
        find = self.document.find_key if at_key else self.document.find
        position = self.document.position(find(*keys)[0])
        if position.file != self.document.file:
            return str(position)
        return f"line {position.line}, column {position.column}"


def run_checks(
    draft: Draft[Any],
    checks: tuple[Callable[[Draft[Any]], Iterator[Flaw]], ...],
    is_certain: Callable[[Flaw], bool] = lambda flaw: True,
) -> None:
    """Note in the draft's document everything that the checks find and that is certain, errors and warnings."""
    document = draft.document
    for check in checks:
        # Noted one by one: `note` ends the search when nobody would read more of them.
        for flaw in filter(is_certain, check(draft)):
            span = (document.find_key if flaw.at_key else document.find)(*flaw.keys)
            (document.warn if flaw.is_warning else document.note)(flaw.code, flaw.message, span, hint=flaw.hint)


def choose_dialect(document: Document, dialects: Dialects) -> Dialect[Any] | None:
    """Return the dialect that a manifest names, the first one if it names none; or None, after noting that there is none."""
    kind = document.value("target", "kind")
    if not isinstance(kind, str):
        return next(iter(dialects.values()))()  # no kind, or a list or mapping, which the model refuses
    if kind not in dialects:
        hint = did_you_mean(kind, dialects) or f"kinds: {', '.join(dialects)}"
        message = f"there is no kind of target {quote(kind)}"
        document.note("E203", message, document.find("target", "kind"), hint=hint)
        return None
    return dialects[kind]()
