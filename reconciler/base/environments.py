"""
Environments of what udfs starts: for each kind of program the variables that it sees, by name, and why.

An allow list: what is not named here reaches nobody, so a new secret of a pipeline is kept from programs without anybody's knowing
its name. Programs that run code of others (resolvers, build backends) get no address of an index, no password and no home of
the user's; where packages are, `fetch.gateway` tells them. Functions see even less, made anew in ``local/runner/process.py``.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_BUILD = "UDFS_NO_BUILD"
"""Set where credentials are: nothing is built there, and no code of a package is run."""

_NO = frozenset({"", "0", "f", "false", "n", "no", "off"})


def says_yes(env: Mapping[str, str], name: str) -> bool:
    """Return whether a variable that says yes or no says yes, as click reads those of options: ``0`` and ``false`` are no."""
    return env.get(name, "").strip().lower() not in _NO


WHEELS = "UDFS_WHEELS"
"""Names the folder of wheels that were built elsewhere; each is taken by its sha256 in the lock."""

SYSTEM = {
    "PATH": "programs that it starts",
    "LANG": "the language of its messages, and how it decodes file names",
    "LC_*": "the same",
    "TZ": "times in its messages",
    "TMPDIR": "where it may write",
    "LD_LIBRARY_PATH": "libraries of a Python that was built into another folder",
    "DYLD_*": "the same on macOS",
    "SYSTEMROOT": "needed by Python on Windows",
}
"""What any program needs to run at all."""

USER = {
    "HOME": "settings of the user",
    "USER": "who that is",
    "LOGNAME": "the same",
    "XDG_*": "where settings, caches and sockets of the user are",
}

NETWORK = {
    "*_proxy": "the way out",
    "*_PROXY": "the same",
    "NETRC": "passwords of indexes",
    "SSL_CERT_FILE": "whom to trust",
    "SSL_CERT_DIR": "the same",
    "REQUESTS_CA_BUNDLE": "the same",
    "CURL_CA_BUNDLE": "the same",
}

PIP = {"PIP_*": "what is set for pip, addresses and passwords of indexes among it"}

PIP_WITHOUT_INDEXES = {
    "PIP_DEFAULT_TIMEOUT": "patience",
    "PIP_TIMEOUT": "the same",
    "PIP_RETRIES": "the same",
    "PIP_CACHE_DIR": "where it keeps what it fetched",
    "PIP_NO_CACHE_DIR": "the same",
    "PIP_PRE": "which versions",
    "PIP_PREFER_BINARY": "the same",
    "PIP_ONLY_BINARY": "the same",
    "PIP_NO_BINARY": "the same",
    "PIP_USE_FEATURE": "how it resolves",
    "PIP_USE_DEPRECATED": "the same",
}

UV_WITHOUT_INDEXES = {
    "UV_CACHE_DIR": "where it keeps what it fetched",
    "UV_NO_CACHE": "the same",
    "UV_LINK_MODE": "how it takes files from there",
    "UV_HTTP_*": "patience",
    "UV_REQUEST_TIMEOUT": "the same",
    "UV_CONCURRENT_*": "how much at once",
    "UV_EXCLUDE_NEWER": "which versions",
}

PEX = {"PEX_VERBOSE": "verbosity", "PEX_MAX_INSTALL_JOBS": "how much at once"}

GIT = {
    "GIT_DIR": "where the repository is",
    "GIT_WORK_TREE": "the same",
    "GIT_CEILING_DIRECTORIES": "where it is not",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM": "the same",
    "GIT_CONFIG_GLOBAL": "which folders of others are trusted",
    "GIT_CONFIG_SYSTEM": "the same",
    "GIT_CONFIG_NOSYSTEM": "the same",
}

CONTAINERS = {
    "DOCKER_*": "which engine, and how to reach it",
    "CONTAINER_*": "the same for podman",
    "CONTAINERS_*": "the same",
    "SSH_AUTH_SOCK": "an engine that is reached by ssh",
    "DBUS_SESSION_BUS_ADDRESS": "podman without root makes its groups by it",
}

PASSED_BY = "UDFS_PASS_ENV"
"""
Names of variables that builds may see, separated by blanks or commas.

The environment says so, and not a manifest: who changes a manifest in a pull request does not choose which of a pipeline's
secrets its own build script gets.
"""


def for_fetcher(env: Mapping[str, str]) -> dict[str, str]:
    """Return what a pip sees that downloads and runs nothing: it asks the indexes itself."""
    return _choose(env, SYSTEM, USER, NETWORK, PIP)


def for_resolver(env: Mapping[str, str]) -> dict[str, str]:
    """Return what uv, pex and a pip that builds see; they run the build scripts of anybody."""
    return _choose(env, SYSTEM, PIP_WITHOUT_INDEXES, UV_WITHOUT_INDEXES, PEX) | passed_to_builds(env)


def for_verifier(env: Mapping[str, str]) -> dict[str, str]:
    """Return what gpgv sees: its keys are named on its command line, and nobody's own are its business."""
    return _choose(env, SYSTEM)


def for_git(env: Mapping[str, str]) -> dict[str, str]:
    """Return what git sees."""
    return _choose(env, SYSTEM, USER, GIT)


def for_drawing(env: Mapping[str, str]) -> dict[str, str]:
    """Return what Graphviz sees."""
    return _choose(env, SYSTEM)


def for_container_engine(env: Mapping[str, str]) -> dict[str, str]:
    """Return what docker or podman sees; nothing of it is in the container."""
    return _choose(env, SYSTEM, USER, NETWORK, CONTAINERS)


def passed_to_builds(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that `PASSED_BY` names, as far as they are set."""
    names = env.get(PASSED_BY, "").replace(",", " ").split()
    return {name: env[name] for name in dict.fromkeys(names) if name in env}


def _choose(env: Mapping[str, str], *lists: Mapping[str, str]) -> dict[str, str]:
    patterns = [pattern for names in lists for pattern in names]
    return {name: value for name, value in env.items() if any(fnmatchcase(name, pattern) for pattern in patterns)}
