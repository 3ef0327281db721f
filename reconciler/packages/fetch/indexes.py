"""
Package indexes: what one can be asked for, how its files are named, and where this machine's are.

A file counts by its sha256; where it lies is found out anew each time, and never written down.

People set an index once, for pip (``pip.conf``, ``PIP_*``) or for uv (``UV_*``), and mean both: a laptop inside a bank
has a mirror and no way to anything else. uv does not read pip's settings, nor pip uv's, so the settings of the one are
translated for the other where the other has none of its own. Addresses may hold passwords, so they travel in the
environment of a process, never among its arguments.

pip looks into all indexes and takes the best version, so that anybody who puts a name of a company's own index on a public one,
with a higher version, is installed. Here one index after the other is asked for a name (`find_indexes`).
[pip documentation, "Configuration"; uv documentation, "Package indexes"]
"""

from __future__ import annotations

import re
import sys
from configparser import Error as ConfigError
from configparser import RawConfigParser
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, unquote, urlsplit

from reconciler.base.environments import says_yes
from reconciler.base.errors import PackageError
from reconciler.base.inputs import REQUIREMENTS, read_input

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.manifest.runtimes import Runtime

FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!~-]{0,250}\Z")


@dataclass(frozen=True)
class Pin:
    """One file of the package index: an exact version and the hash of one of its wheels."""

    name: str
    version: str
    sha256: str
    size: int = field(default=0, compare=False)
    """Bytes, if they are known: the largest had best come first."""

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"

    def is_named_by(self, filename: str) -> bool:
        """Say whether a wheel of this name is of this distribution and version."""
        from packaging.specifiers import SpecifierSet
        from packaging.utils import canonicalize_name, parse_wheel_filename

        name, version, _, _ = parse_wheel_filename(filename)
        same = SpecifierSet(f"=={self.version}").contains(version, prereleases=True)
        return name == canonicalize_name(self.name) and same


def parse_pin(requirement: str, sha256: str) -> Pin:
    """Read a manifest's requirement, which must leave nothing open."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        parsed = Requirement(requirement)
    except InvalidRequirement as error:
        raise _not_pinned(requirement, "it is not a requirement") from error
    exact = [
        specifier.version
        for specifier in parsed.specifier
        if specifier.operator == "==" and not specifier.version.endswith(".*")
    ]
    if len(exact) != 1 or len(parsed.specifier) != 1:
        raise _not_pinned(requirement, "it does not name one version with '=='")
    if parsed.extras or parsed.marker or parsed.url:
        raise _not_pinned(requirement, "extras, markers and addresses say nothing about one file")
    return Pin(parsed.name, exact[0], sha256)


def _not_pinned(requirement: str, why: str) -> PackageError:
    hint = "write the name and the exact version: numpy==1.19.2"
    return PackageError("E404", f"'{requirement}' is not pinned: {why}", hint=hint)


class IndexSilent(PackageError):
    """The index does not answer: there is no use in asking it for the next wheel."""


class Index(Protocol):
    """Where pinned wheels come from."""

    def direct(self, pin: Pin, folder: Path) -> Path | None:
        """Put the wheel into `folder` if that is easily done, and return its path. May be called from several threads."""
        ...

    def fetch(self, pin: Pin, runtime: Runtime, folder: Path) -> Path:
        """Put the wheel into `folder` and return its path. May be called from several threads."""
        ...

    def fetch_all(self, pins: Sequence[Pin], runtime: Runtime, folder: Path) -> list[Path]:
        """Put the wheels of all pins into `folder`, or none and raise: which one it is about, `fetch` tells."""
        ...

    def newest(self, name: str, runtime: Runtime, folder: Path) -> str | None:
        """
        Return the newest version of a distribution that has a wheel for the runtime, or None.

        None is also said of an index that does not answer soon: this is asked for the sake of a hint, so it takes a few
        seconds at most and fails silently.
        """
        ...

    def stop(self) -> None:
        """End what is running; the user has lost patience."""
        ...


@dataclass(frozen=True)
class Remote:
    """A file of an index, or of a folder of `find_links`."""

    file: str
    url: str = field(repr=False)
    """``https:`` or ``file:``. Kept while locking, and never written down."""

    sha256: str | None
    size: int | None = None

    @classmethod
    def at(cls, url: str, sha256: str | None, size: int | None = None) -> Remote:
        """Return the file that an address ends in."""
        return cls(unquote(urlsplit(url).path.rpartition("/")[2]), url, sha256, size)

    def __post_init__(self) -> None:
        # The name comes from an index, and becomes a file's here.
        if not FILE_NAME.match(self.file):
            raise PackageError(
                "E475", f"the index names a file {self.file!r}, which no wheel or source archive is called"
            )


# --- Settings of this machine -----------------------------------------------------------------------------------------


_UV_SETS = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_CONFIG_FILE")
_PIP_SETS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE")
_SECTIONS = ("global", "download")


@dataclass(frozen=True)
class Indexes:
    """Where packages come from."""

    default: str | None = field(default=None, repr=False)
    extra: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = ()
    cert: str | None = None
    """Path of a bundle of certificates."""

    proxy: str | None = field(default=None, repr=False)
    trusted: tuple[str, ...] = ()
    """Hosts whose certificates are not looked at."""

    no_index: bool = False


def pip_settings(env: Mapping[str, str], prefix: Path) -> Indexes:
    """Read what is set for pip; `prefix` is that of the Python whose pip it is."""
    values: dict[str, str] = {}
    for path in _files(env, prefix):
        parser = RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (ConfigError, OSError, UnicodeDecodeError):
            continue  # pip will say so where it matters
        for section in _SECTIONS:
            if parser.has_section(section):
                values.update(parser.items(section))
    values.update(
        {name[4:].lower().replace("_", "-"): value for name, value in env.items() if name.startswith("PIP_") and value}
    )
    return Indexes(
        values.get("index-url"),
        tuple(values.get("extra-index-url", "").split()),
        tuple(values.get("find-links", "").split()),
        values.get("cert"),
        values.get("proxy"),
        tuple(values.get("trusted-host", "").split()),
        values.get("no-index", "").lower() in ("1", "true", "yes", "on"),
    )


@dataclass(frozen=True)
class NamedIndex:
    """An index by the name that a lock calls it: of a variable, ``default``, ``extra-1``…; addresses are never written down."""

    name: str
    address: str = field(repr=False)


def find_indexes(
    env: Mapping[str, str], prefix: Path, preferred: Sequence[NamedIndex] = (), *, of_uv: bool = False
) -> tuple[NamedIndex, ...]:
    """
    Return the indexes in the order in which they are asked: the first that has a name gives all its versions.

    Those `preferred`, a package's own, come first, then what is set for pip, or for uv where nothing is set for pip (`of_uv`: the other way round).
    """
    pip, by_uv = pip_settings(env, prefix), uv_settings(env)
    is_set = any(env.get(name) for name in (_UV_SETS if of_uv else _PIP_SETS))
    if by_uv and (is_set if of_uv else not (is_set or pip.default or pip.extra)):
        return _unique((*preferred, *by_uv))
    return () if pip.no_index else _unique((*preferred, *order_indexes(pip)))


def order_indexes(pip: Indexes) -> tuple[NamedIndex, ...]:
    """
    Return pip's indexes in an order, which pip's settings do not have: it takes the best version of all.

    As with uv, further ones come before the main one, for a company's own index is most often the further one; the public one,
    which pip asks unless it is told otherwise, comes after all of them. Folders of this machine's that are
    written as an index come last: they hold copies, and seldom of all versions.
    """
    # Where pip looks unless it is told otherwise, is pip's to say.
    from pip._internal.models.index import PyPI

    extra = [NamedIndex(f"extra-{number}", address) for number, address in enumerate(pip.extra, 1)]
    indexes = [*extra, NamedIndex("default", pip.default or PyPI.simple_url)]
    public = PyPI.simple_url.rstrip("/")
    return tuple(
        sorted(indexes, key=lambda index: (index.address.startswith("file:"), index.address.rstrip("/") == public))
    )


def uv_settings(env: Mapping[str, str]) -> tuple[NamedIndex, ...]:
    """Return the indexes that are set for uv, by variables or in its files; its default one, if any, last."""
    further = [*env.get("UV_INDEX", "").split(), *env.get("UV_EXTRA_INDEX_URL", "").split()]
    default = env.get("UV_DEFAULT_INDEX") or env.get("UV_INDEX_URL")
    if not further and not default:
        return _of_uv_file(env)
    indexes = []
    for number, written in enumerate(further, 1):
        name, _, address = written.partition("=") if _is_named(written) else (f"extra-{number}", "", written)
        indexes.append(NamedIndex(name, _with_credentials(address, name, env)))
    return (*indexes, *_default_of_uv(default))


def _default_of_uv(default: str | None) -> tuple[NamedIndex, ...]:
    if default:
        return (NamedIndex("default", default.partition("=")[2] if _is_named(default) else default),)
    return tuple(index for index in order_indexes(Indexes()) if index.name == "default")


def _of_uv_file(env: Mapping[str, str]) -> tuple[NamedIndex, ...]:
    """Return the indexes of the first of uv's files that is there."""
    table = next(filter(None, map(_read_toml, _files_of_uv(env))), {})
    entries = [entry for entry in table.get("index", ()) if isinstance(entry, dict) and "url" in entry]
    further = [entry for entry in entries if not (entry.get("default") or entry.get("explicit"))]
    further += [{"url": address} for address in table.get("extra-index-url", ())]
    default = next((str(entry["url"]) for entry in entries if entry.get("default")), table.get("index-url"))
    if not further and not default:
        return ()
    indexes = []
    for number, entry in enumerate(further, 1):
        name = str(entry.get("name") or f"extra-{number}")
        indexes.append(NamedIndex(name, _with_credentials(str(entry["url"]), name, env)))
    return (*indexes, *_default_of_uv(default))


def _files_of_uv(env: Mapping[str, str]) -> tuple[Path, ...]:
    if says_yes(env, "UV_NO_CONFIG"):
        return ()
    if named := env.get("UV_CONFIG_FILE"):
        return (Path(named),)
    home = Path(env.get("XDG_CONFIG_HOME") or Path(env.get("HOME", "/nonexistent"), ".config"))
    return home / "uv" / "uv.toml", Path("/etc/uv/uv.toml")


def _read_toml(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        from tomllib import TOMLDecodeError, loads
    else:
        from tomli import TOMLDecodeError, loads
    try:
        table: dict[str, Any] = loads(read_input(path, REQUIREMENTS).decode("utf-8"))
    except (OSError, UnicodeDecodeError, TOMLDecodeError):
        return {}
    return table


def _with_credentials(address: str, name: str, env: Mapping[str, str]) -> str:
    """Return an address with the user and password that uv reads from variables called after the index."""
    key = "".join(char if char.isalnum() else "_" for char in name).upper()
    user, password = (quote(env.get(f"UV_INDEX_{key}_{what}", ""), safe="") for what in ("USERNAME", "PASSWORD"))
    scheme, _, rest = address.partition("://")
    return (
        f"{scheme}://{user}:{password}@{rest}"
        if rest and "@" not in rest.partition("/")[0] and (user or password)
        else address
    )


def _unique(indexes: Iterable[NamedIndex]) -> tuple[NamedIndex, ...]:
    """Return each address once, under the name that it has first."""
    return tuple({index.address.rstrip("/"): index for index in reversed(tuple(indexes))}.values())[::-1]


def all_of(pip: Indexes) -> tuple[str, ...]:
    """Return the addresses of pip's indexes in that order."""
    return tuple(index.address for index in order_indexes(pip))


def pip_environment(env: Mapping[str, str], more: Sequence[str], find_links: Sequence[str] = ()) -> dict[str, str]:
    """Return the environment for pip: its own settings if it has any, else uv's; and a package's own."""
    settings = dict(env)
    if not any(env.get(name) for name in _PIP_SETS):
        if default := env.get("UV_DEFAULT_INDEX") or env.get("UV_INDEX_URL"):
            settings["PIP_INDEX_URL"] = default.rpartition("=")[2] if _is_named(default) else default
        theirs = [*env.get("UV_INDEX", "").split(), *env.get("UV_EXTRA_INDEX_URL", "").split()]
        more = [*more, *(index.partition("=")[2] if _is_named(index) else index for index in theirs)]
    if more:
        settings["PIP_EXTRA_INDEX_URL"] = " ".join([*env.get("PIP_EXTRA_INDEX_URL", "").split(), *more])
    if find_links:
        settings["PIP_FIND_LINKS"] = " ".join([*env.get("PIP_FIND_LINKS", "").split(), *find_links])
    return settings


def _is_named(index: str) -> bool:
    """uv takes ``name=address``."""
    return index.partition("=")[0].replace("-", "").replace("_", "").replace(".", "").isalnum() and "=" in index


def _files(env: Mapping[str, str], prefix: Path) -> Iterator[Path]:
    """Yield pip's files, the weakest first."""
    home = Path(env["HOME"]) if env.get("HOME") else None
    file = env.get("PIP_CONFIG_FILE")
    if file == "/dev/null":
        return
    for folder in reversed(env.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")):
        yield Path(folder, "pip", "pip.conf")
    yield Path("/etc/pip.conf")
    if home:
        yield home / ".pip" / "pip.conf"
        yield Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    yield prefix / "pip.conf"
    if file:
        yield Path(file)
