"""
Links: the places where credentials are looked for, and their order.

    environment   ALIBABA_CLOUD_ACCESS_KEY_ID, …_SECRET and, of a session, ALIBABA_CLOUD_SECURITY_TOKEN
    oidc          a pipeline's identity token for a session of ALIBABA_CLOUD_ROLE_ARN, or of the role in the manifest
    pyodps        of MaxCompute: what PyODPS reads, ODPS_STS_ACCOUNT_FILE, ODPS_STS_ACCESS_KEY_ID …, ODPS_BEARER_TOKEN …
    odpscmd       of MaxCompute: odps_config.ini
    chain         alibabacloud-credentials, if it is installed

One that is not set up is passed over, and says why. One that is set up and fails ends the search: to go on as somebody
else would be worse than to stop.
"""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from reconciler.base.errors import AccessError
from reconciler.base.hints import Command
from reconciler.base.inputs import SETTING, read_input
from reconciler.base.numbers import is_countable
from reconciler.base.redaction import conceal
from reconciler.targets.credentials.choice import OidcChoice, OidcRole
from reconciler.targets.credentials.session import Credentials, RenewedSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.targets.credentials.choice import Choice, CloudChoice
    from reconciler.targets.credentials.session import KeySource

    _Link: TypeAlias = Callable[[Choice | None, Mapping[str, str]], KeySource]

_ID, _SECRET, _TOKEN = (f"ALIBABA_CLOUD_{name}" for name in ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN"))
_ROLE, _PROVIDER = "ALIBABA_CLOUD_ROLE_ARN", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN"
_KEYS = f"set {_ID} and {_SECRET}; temporary ones also have an {_TOKEN}"
_OTHERS = ("; other places: `", Command("explain", "E607"), "`")


class NotSetUp(Exception):
    """A link has nothing to try; its text says why."""


def open_source(choice: CloudChoice | None, environment: Mapping[str, str]) -> KeySource:
    """Return where a target's requests get their credentials, found and tried, as `open_odps_source`, but for the places of MaxCompute's own."""
    return _open(choice, environment, _LINKS)


def open_odps_source(choice: Choice | None, environment: Mapping[str, str]) -> KeySource:
    """
    Return where requests to MaxCompute get their credentials, found and tried.

    E607 where no link has any, with what each said; else the error of the link that failed.
    """
    return _open(choice, environment, _ODPS_LINKS)


def _open(choice: Choice | None, environment: Mapping[str, str], links: Mapping[str, _Link]) -> KeySource:
    for name in ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", _SECRET, _TOKEN):
        # Whatever else signs the requests, these are never to be printed.
        conceal(environment.get(name))
    tried: list[str] = []
    for name in _order(choice, links):
        try:
            return links[name](choice, environment)
        except NotSetUp as reason:
            tried += [f"{name}: {line}" for line in str(reason).split("\n")]
    if choice in {None, "default", "environment"}:
        where, hint = "in the environment" if choice == "environment" else "anywhere", (_KEYS, *_OTHERS)
    else:
        where, hint = f"by '{choice}'", ("set that up, or leave `credentials:` of the target out", *_OTHERS)
    raise AccessError("E607", f"no credentials were found {where}", hint=hint, detail=tuple(tried))


def _order(choice: Choice | None, links: Mapping[str, _Link]) -> tuple[str, ...]:
    if isinstance(choice, OidcChoice):
        return ("oidc",)
    return tuple(links) if choice in {None, "default"} else (str(choice),)


def _environment(choice: Choice | None, environment: Mapping[str, str]) -> KeySource:
    access_id, secret = environment.get(_ID), environment.get(_SECRET)
    if access_id and secret:
        return Credentials(access_id, secret, environment.get(_TOKEN) or None, origin=_ID)
    if access_id or secret:
        missing = _SECRET if access_id else _ID
        raise AccessError("E607", f"{missing} is not set, its other half is", hint="set both or neither")
    raise NotSetUp(f"{_ID} and {_SECRET} are not set")


def _oidc(choice: Choice | None, environment: Mapping[str, str]) -> KeySource:
    # What asks for tokens imports requests, and most targets never need it.
    from reconciler.targets.credentials.identity_tokens import describe_issuer, identity_token
    from reconciler.targets.credentials.sts import assume_role

    role = choice.oidc if isinstance(choice, OidcChoice) else _role_of_environment(environment)
    origin = f"{describe_issuer(environment)}'s identity token, as {role.role_arn}"

    def obtain() -> Credentials:
        return assume_role(role, identity_token(role.audience, environment), origin, environment)

    source = RenewedSource(obtain)
    source.current()
    return source


def _role_of_environment(environment: Mapping[str, str]) -> OidcRole:
    missing = [name for name in (_ROLE, _PROVIDER) if not environment.get(name)]
    if missing:
        raise NotSetUp(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set")
    return OidcRole(role_arn=environment[_ROLE], provider_arn=environment[_PROVIDER])


def _pyodps(choice: Choice | None, environment: Mapping[str, str]) -> KeySource:
    if file := environment.get("ODPS_STS_ACCOUNT_FILE"):
        return _read_again(partial(_of_account_file, Path(file)))
    names = ("ODPS_STS_ACCESS_KEY_ID", "ODPS_STS_ACCESS_KEY_SECRET", "ODPS_STS_TOKEN")
    access_id, secret, token = (environment.get(name, "") for name in names)
    if access_id and secret:
        return Credentials(access_id, secret, token or None, origin=names[0])
    if bearer_file := environment.get("ODPS_BEARER_TOKEN_FILE"):
        return _read_again(lambda: _bearer(_content(Path(bearer_file)), bearer_file))
    if bearer := environment.get("ODPS_BEARER_TOKEN"):
        return _bearer(bearer, "ODPS_BEARER_TOKEN")
    raise NotSetUp("neither ODPS_STS_ACCOUNT_FILE, ODPS_STS_ACCESS_KEY_ID nor ODPS_BEARER_TOKEN is set")


def _read_again(obtain: Callable[[], Credentials]) -> KeySource:
    source = RenewedSource(obtain)
    source.current()
    return source


def _bearer(token: str, origin: str) -> Credentials:
    return Credentials("", "", token.strip(), is_bearer=True, origin=origin)


def _of_account_file(file: Path) -> Credentials:
    """Read what PyODPS and Java's client read: JSON with accessKeyId, accessKeySecret, securityToken and expiration."""
    try:
        document = json.loads(_content(file))
        access_id, secret, token = (str(document[name]) for name in ("accessKeyId", "accessKeySecret", "securityToken"))
        expiration = document.get("expiration")
    except (ValueError, KeyError, TypeError, RecursionError):
        hint = "it is JSON with accessKeyId, accessKeySecret and securityToken"
        raise AccessError("E593", f"{file}: it holds no session", hint=hint) from None
    begins, life = time.monotonic(), _seconds_until(expiration)
    expires = None if life is None else begins + life
    return Credentials(access_id, secret, token, origin=str(file), begins=begins, expires=expires)


def _seconds_until(moment: object) -> float | None:
    try:
        end = datetime.strptime(str(moment), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return (end - datetime.now(timezone.utc)).total_seconds() if is_countable(end) else None


def _content(file: Path) -> str:
    try:
        return read_input(file, SETTING).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise AccessError("E593", f"{file}: {reason}", hint="name another file") from None


def _odpscmd(choice: Choice | None, environment: Mapping[str, str]) -> KeySource:
    from reconciler.targets.credentials.odpscmd import FILE, find_config, read_config

    path = find_config(environment)
    if path is None:
        raise NotSetUp(f"no odps_config.ini in the home folder or beside odpscmd, and {FILE} is not set")
    keys = read_config(path)
    if isinstance(keys, str):
        raise NotSetUp(keys)
    return keys


def _chain(choice: Choice | None, environment: Mapping[str, str]) -> KeySource:
    from reconciler.targets.credentials.cloud_sdk import open_chain

    source = open_chain(environment)
    if isinstance(source, list):
        raise NotSetUp("\n".join(source))
    return source


_LINKS: Mapping[str, _Link] = {"environment": _environment, "oidc": _oidc, "chain": _chain}
_ODPS_LINKS: Mapping[str, _Link] = {
    "environment": _environment,
    "oidc": _oidc,
    "pyodps": _pyodps,
    "odpscmd": _odpscmd,
    "chain": _chain,
}
