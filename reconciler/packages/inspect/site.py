"""
Machinery of site-packages: what works there by more than copying, and does not in an archive that lies on ``sys.path`` alone.

An installer puts all wheels into one folder, where packages of one name grow together; Python, when it starts, runs the
``.pth`` files of that folder [docs.python.org, `site`]; and a wheel's ``.data/data`` goes below ``sys.prefix`` [packaging.python.org,
"Binary distribution format"]. A worker has each archive in a folder of its own, and starts before it has any. `SiteFacts` say what
a file relies on, whatever the runtime; `joined_packages` and `hidden_packages` what a runtime makes of several.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from reconciler.packages.inspect.files import FileFinding, shorten
from reconciler.packages.inspect.members import data_part, packed_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

Sharing: TypeAlias = Literal["open", "extends", "declares", "closed"]
"""
What a package does about other folders of its name: without ``__init__`` it is whatever they are together, in Python 3; with one
it may look for them by pkgutil or by pkg_resources, or not at all.
"""

JOINING = b'__path__ = __import__("pkgutil").extend_path(__path__, __name__)\n'
"""An ``__init__.py`` that makes a package of all folders of its name: for 2.7, of all that have one."""

_DECLARES, _EXTENDS = re.compile(rb"declare_namespace"), re.compile(rb"extend_path|\b__path__\s*(?:\+?=|\.)")
_INIT = re.compile(r"/__init__(?:\.pyc?|(?:\.[\w-]+)?\.so)\Z")
_MODULE = re.compile(r"\.(?:py|pyc|so)\Z")
_ROOT_PTH = re.compile(r"[^/]+\.pth\Z")
_DECLARED = re.compile(r"[^/]+\.dist-info/namespace_packages\.txt\Z")
_ASKS_PREFIX = re.compile(rb"\bsys\.(?:exec_)?prefix\b")
_FOR_PEOPLE = re.compile(
    r"(?:share/(?:man|doc|jupyter|applications|icons|bash-completion|fish|zsh|licenses)|etc/jupyter)/"
)
"""What lies below a prefix and no library asks for."""

_HARMLESS = re.compile(r".*-nspkg\.pth\Z|distutils-precedence\.pth\Z")
"""
Files that setuptools writes: the first make namespace packages, which is done otherwise here, and the second puts its own
distutils before the standard library's, where somebody builds.
"""

_SMALL = 1 << 16
_MAX_PATHS = 100


@dataclass(frozen=True)
class Portion:
    """A package at the top of an archive or in a shared one, or what the archive has of it."""

    name: str
    """Dotted."""

    sharing: Sharing


@dataclass(frozen=True)
class SiteFacts:
    """What a file relies on that only site-packages have."""

    portions: tuple[Portion, ...] = ()
    namespaces: tuple[str, ...] = ()
    """The packages that its ``-nspkg.pth`` makes, dotted."""

    paths: tuple[str, ...] = ()
    """Folders of its own that its ``.pth`` files put on ``sys.path``."""

    start_code: tuple[str, ...] = ()
    """Its ``.pth`` files with lines that Python would run when it starts."""

    is_misplaced: bool = False
    """Whether ``.data`` holds modules, or files that belong beside modules: packed, they lie there."""

    for_prefix: tuple[str, ...] = ()
    """Files that go below ``sys.prefix``, of a distribution that asks where that is."""

    is_programs: bool = False
    """Whether there are programs for ``PATH`` in it, and no modules."""

    def members_by_path(self, members: Iterable[str]) -> Iterator[str]:
        """Yield what lies in the folders that `paths` name, by its path from there."""
        for path in self.paths:
            yield from (member.removeprefix(f"{path}/") for member in members if member.startswith(f"{path}/"))


@dataclass
class SiteNotes:
    """What is noted of an archive's members while each is looked at."""

    sharing: dict[str, Sharing] = field(default_factory=dict)
    namespaces: set[str] = field(default_factory=set)
    paths: list[str] = field(default_factory=list)
    start_code: list[str] = field(default_factory=list)
    asks_prefix: bool = False

    def note(self, member: str, content: bytes) -> None:
        """Take down what a member says, given its beginning."""
        path = packed_path(member)
        if _INIT.search(path):
            self.sharing[posixpath.dirname(path)] = _sharing(content)
        elif _ROOT_PTH.match(path):
            self._note_pth(path, content[:_SMALL])
        elif _DECLARED.match(path):
            self.namespaces.update(content[:_SMALL].decode("ascii", "replace").split())
        if not self.asks_prefix and member.endswith(".py") and _ASKS_PREFIX.search(content):
            self.asks_prefix = True

    def facts(self, members: Iterable[str]) -> SiteFacts:
        """Return what was noted, now that all members are known."""
        by_part: dict[str | None, list[str]] = {}
        for member in members:
            by_part.setdefault(data_part(member), []).append(packed_path(member))
        programs, data = by_part.pop("scripts", []), by_part.get("data", [])
        by_part.pop("headers", None)
        paths = [path for of in by_part.values() for path in of]
        portions = tuple(_portions(paths, self.sharing))
        tops = {f"{portion.name}/" for portion in portions}
        below = [path for path in data if f"{path.partition('/')[0]}/" not in tops]
        folders = {f"{posixpath.dirname(path)}/" for path in paths}
        return SiteFacts(
            portions,
            tuple(sorted(self.namespaces)) if any(path.endswith("-nspkg.pth") for path in paths) else (),
            tuple(path for path in self.paths if any(map(re.compile(f"{re.escape(path)}/").match, folders))),
            tuple(sorted(self.start_code)),
            len(below) < len(data) or not by_part.keys().isdisjoint({"purelib", "platlib"}),
            _shown_files(below) if self.asks_prefix else (),
            is_programs=bool(programs) and not any(map(_MODULE.search, paths)),
        )

    def _note_pth(self, name: str, content: bytes) -> None:
        for line in content.decode("utf-8", "replace").splitlines():
            if line.startswith(("import ", "import\t")):
                if not _HARMLESS.match(name) and name not in self.start_code:
                    self.start_code.append(name)
            elif (path := posixpath.normpath(line.strip())) != "." and not path.startswith(("#", "/", "..")):
                self.paths += [path] if path not in self.paths and len(self.paths) < _MAX_PATHS else []


def _shown_files(paths: Iterable[str]) -> tuple[str, ...]:
    return shorten([path for path in paths if not _FOR_PEOPLE.match(path)])


def is_of_interest(member: str) -> bool:
    """Say whether `SiteNotes` want to see a member of an archive that holds no ``.data`` any more."""
    return bool(_INIT.search(member) or _ROOT_PTH.match(member) or _DECLARED.match(member))


def _sharing(init: bytes) -> Sharing:
    return "declares" if _DECLARES.search(init) else "extends" if _EXTENDS.search(init) else "closed"


def _portions(paths: Iterable[str], sharing: Mapping[str, Sharing]) -> Iterator[Portion]:
    """Yield the packages at the top, and those in packages that may be shared."""
    folders: set[str] = set()
    for path in paths:
        if _MODULE.search(path):
            while (path := posixpath.dirname(path)) and path not in folders:
                folders.add(path)
    shared = {""}
    for folder in sorted(folders):
        parent, name = posixpath.split(folder)
        if parent in shared and name.isidentifier():
            how = sharing.get(folder, "open")
            yield Portion(folder.replace("/", "."), how)
            if how != "closed":
                shared.add(folder)


# --- What a runtime makes of it -------------------------------------------------------------------------------------------


def joined_packages(sites: Iterable[SiteFacts], python_version: tuple[int, ...]) -> frozenset[str]:
    """
    Return the packages, dotted, of which every folder must have an ``__init__`` if all are to be found.

    Python 2.7 has no packages without; in one folder for all, a ``-nspkg.pth`` makes up for that, or the ``__init__`` of another
    wheel. Python 3 needs none, unless pkg_resources does the looking: it passes over folders without.
    """
    names: set[str] = set()
    for site in sites:
        names.update(portion.name for portion in site.portions if portion.sharing == "declares")
        if python_version < (3,):
            names.update(portion.name for portion in site.portions if portion.sharing == "extends")
            names.update(site.namespaces)
    return frozenset(parent for name in names for parent in _with_parents(name))


def open_packages(site: SiteFacts, joined: frozenset[str]) -> tuple[str, ...]:
    """Return which of these packages an archive has without an ``__init__``."""
    return tuple(portion.name for portion in site.portions if portion.sharing == "open" and portion.name in joined)


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def hidden_packages(
    archives: Sequence[tuple[str, SiteFacts]], python_version: tuple[int, ...]
) -> dict[str, dict[str, str | None]]:
    """
    Return the packages that import passes over, by archive, each with the archive that has it instead, if one has.

    The archives come in the order of ``sys.path``. A package with an ``__init__`` that looks for no other folders is all that
    import sees of its name, wherever it stands on the path [docs.python.org, "The import system"]. Two that are both so are not
    meant here (`gate.duplicates`).
    """
    hidden: dict[str, dict[str, str | None]] = {}
    holders: dict[str, list[tuple[str, Sharing]]] = {}
    for archive, site in archives:
        for portion in site.portions:
            holders.setdefault(portion.name, []).append((archive, portion.sharing))
    for name, of in holders.items():
        owner = next(((archive, sharing) for archive, sharing in of if sharing != "open"), None)
        for archive, sharing in of:
            if sharing != "closed" and _is_hidden(archive, sharing, owner, python_version):
                hidden.setdefault(archive, {})[name] = owner[0] if owner else None
    return hidden


def useless_archives(
    archives: Sequence[tuple[str, SiteFacts, Collection[str]]], python_version: tuple[int, ...]
) -> Iterator[tuple[str, FileFinding]]:
    """Yield the archives, each with the modules at its top, of which nothing can be imported; many bring tests that nobody needs."""
    hidden = hidden_packages([(archive, site) for archive, site, _ in archives], python_version)
    for archive, site, modules in archives:
        if archive in hidden and not _has_another(site, modules, hidden[archive]):
            yield archive, _hidden_finding(hidden[archive])


def _is_hidden(
    archive: str, sharing: Sharing, owner: tuple[str, Sharing] | None, python_version: tuple[int, ...]
) -> bool:
    """Say whether import passes over what an archive has of a package; `owner` is the first archive with an ``__init__``."""
    if owner is None:
        return python_version < (3,)
    if archive == owner[0]:
        return False
    return owner[1] == "closed" or (sharing == "open" and (owner[1] == "declares" or python_version < (3,)))


def _has_another(site: SiteFacts, modules: Collection[str], hidden: Collection[str]) -> bool:
    """Say whether an archive has something besides what is hidden."""
    parents = {portion.name.rpartition(".")[0] for portion in site.portions}
    leaves = {portion.name for portion in site.portions} - parents
    leaves |= {module for module in modules if module not in parents}
    return any(set(_with_parents(leaf)).isdisjoint(hidden) for leaf in leaves)


def _hidden_finding(hidden: Mapping[str, str | None]) -> FileFinding:
    name, owner = min(hidden.items())
    if owner is None:
        message = (
            f"cannot be imported in Python 2.7: its folder '{name}' has no __init__.py, and no other archive has one"
        )
        return FileFinding(
            "E434", message, "take another version of it, or the wheel that makes the package", severity="warning"
        )
    message = (
        f"cannot be imported: '{owner}' has the whole package '{name}', with an __init__.py that looks nowhere else"
    )
    return FileFinding("E434", message, "put both into one package of the manifest, with `bundle: single`")


def installer_findings(site: SiteFacts) -> Iterator[FileFinding]:
    """Yield what a wheel leaves to an installer and a worker does not have."""
    if site.start_code:
        message = f"has code that Python runs when it starts in site-packages, and a worker does not: {', '.join(site.start_code)}"
        hint = "if its import needs that, do the same in the function before"
        yield FileFinding("E435", message, hint, severity="warning")
    if site.for_prefix:
        message = "looks for files below sys.prefix, and a worker has them in the archive's folder"
        yield FileFinding("E436", message, "say where they are, if it lets you", site.for_prefix, "warning")
    if site.is_programs:
        message = "holds programs and no module; an installer puts them on PATH, and a worker does not"
        yield FileFinding(
            "E436", message, "start them by their path in the archive, or leave it out", severity="warning"
        )
