"""
Package indexes of this machine, spelled for whichever tool asks one.

People set an index once, for pip (``pip.conf``, ``PIP_*``) or for uv (``UV_*``), and mean both: a laptop inside a bank
has a mirror and no way to anything else. uv does not read pip's settings, nor pip uv's, so the settings of the one are
translated for the other where the other has none of its own. Addresses may hold passwords, so they travel in the
environment of a process, never among its arguments.

pip looks into all indexes and takes the best version; that is kept for settings that were made for pip.
[pip documentation, "Configuration"; uv documentation, "Package indexes"]
"""

from __future__ import annotations

import re
from configparser import Error as ConfigError
from configparser import RawConfigParser
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_UV_SETS = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_CONFIG_FILE")
_PIP_SETS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE")
_SECTIONS = ("global", "download")
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|XDG_\w+|UV_\w+|PIP_\w+|PEX_\w+|RUST_LOG|NETRC|SSL_CERT_(FILE|DIR)|"
    r"REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|\w+_PROXY|\w+_proxy|SYSTEMROOT|LD_LIBRARY_PATH|SOURCE_DATE_EPOCH"
)
"""What says where packages are and how to get there."""


def allowed_environment(env: Mapping[str, str]) -> dict[str, str]:
    """
    Return what of the environment a resolver, or the pip of a build, gets.

    They may run the build scripts of source archives, and these have no business with the rest. An index's password stays
    visible to them.
    """
    return {name: value for name, value in env.items() if _PASSED_ON.fullmatch(name)}


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


def all_of(pip: Indexes) -> tuple[str, ...]:
    """Return every index that pip asks, its own first."""
    if pip.default is not None:
        return pip.default, *pip.extra
    # Where pip looks unless it is told otherwise, is pip's to say.
    from pip._internal.models.index import PyPI

    return PyPI.simple_url, *pip.extra


def uv_environment(env: Mapping[str, str], pip: Indexes, more: Sequence[str]) -> dict[str, str]:
    """Return the environment for uv: its own settings if it has any, else pip's; `more` are a package's own indexes."""
    settings = dict(env)
    extra = [*more]
    if not any(env.get(name) for name in _UV_SETS):
        # The last is the default one, which uv asks last. Where two have the same version, uv takes the first one's files
        # and no other's: pip's own index has the most.
        *first, last = all_of(pip)
        settings["UV_DEFAULT_INDEX"] = last
        extra += first
        if pip.trusted and not env.get("UV_INSECURE_HOST"):
            settings["UV_INSECURE_HOST"] = " ".join(pip.trusted)
        if pip.extra:
            settings.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
        if pip.no_index:
            settings["UV_NO_INDEX"] = "1"
    if extra:
        settings["UV_INDEX"] = " ".join([*extra, *env.get("UV_INDEX", "").split()])
    if pip.find_links and not env.get("UV_FIND_LINKS"):
        settings["UV_FIND_LINKS"] = ",".join(pip.find_links)
    if pip.cert:
        settings.setdefault("SSL_CERT_FILE", pip.cert)
    return settings


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
