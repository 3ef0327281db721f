"""
Identity tokens of pipelines: who signs that this job is that of a certain repository.

GitHub gives a token to whoever asks, each time anew, if the job may ask (`id-token: write`); GitLab puts it into a variable
when the job begins; other systems write it to a file, which is read anew each time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reconciler.base.errors import AccessError
from reconciler.base.inputs import SETTING, read_input
from reconciler.base.redaction import conceal
from reconciler.targets.credentials.exchange import ask, no_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "UDFS_ID_TOKEN"
"""Where GitLab's `id_tokens:` puts the token. The environment says so, and not a manifest: a change would choose what is sent."""

_FILE = "ALIBABA_CLOUD_OIDC_TOKEN_FILE"
_URL, _REQUEST_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
_PURPOSE = "no identity token of the job"
_MAX_TOKEN = 20_000
"""Characters that STS takes [doc "AssumeRoleWithOIDC"]."""

_HINT = (
    "GitHub: give the job `permissions: {id-token: write}`; GitLab: `id_tokens: {UDFS_ID_TOKEN: {aud: …}}`; elsewhere name "
    f"the token's file in {_FILE}"
)


def describe_issuer(environment: Mapping[str, str]) -> str:
    """Return whose token it would be, for people; E592 where there is nobody to give one."""
    if environment.get(VARIABLE):
        return "GitLab" if environment.get("GITLAB_CI") else VARIABLE
    if environment.get(_URL) and environment.get(_REQUEST_TOKEN):
        return "GitHub"
    if environment.get(_FILE):
        return f"the file in {_FILE}"
    raise AccessError("E592", f"{_PURPOSE}: nobody here gives one", hint=_HINT)


def identity_token(audience: str, environment: Mapping[str, str]) -> str:
    """Return a token made out to `audience`, new where the issuer gives new ones; E592 where there is none."""
    describe_issuer(environment)
    if text := environment.get(VARIABLE, ""):
        return _require_token(text, VARIABLE)
    if environment.get(_URL) and environment.get(_REQUEST_TOKEN):
        return _of_github(audience, environment[_URL], environment[_REQUEST_TOKEN])
    file = environment[_FILE]
    try:
        return _require_token(read_input(Path(file), SETTING).decode("ascii").strip(), file)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise AccessError("E592", f"{_PURPOSE}: {file}: {reason}", hint=_HINT) from None


def _of_github(audience: str, url: str, request_token: str) -> str:
    conceal(request_token)
    headers = {"Authorization": f"bearer {request_token}", "Accept": "application/json"}
    answer = ask("GET", url, purpose=_PURPOSE, headers=headers, params={"audience": audience})
    host = urlsplit(url).netloc.rpartition("@")[2]
    if answer.status in {401, 403}:
        raise AccessError("E592", f"{_PURPOSE}: {host} refuses one", hint=_HINT, status=answer.status)
    value = answer.document().get("value")
    if answer.status != 200 or not isinstance(value, str):
        raise no_answer(host, _PURPOSE, f"answers {answer.status}: {answer.excerpt()}")
    return _require_token(value, host)


def _require_token(token: str, where: str) -> str:
    """Return a token that has the form of one: nothing else is ever sent on."""
    conceal(token)
    if not token.isascii() or token.count(".") != 2 or len(token) > _MAX_TOKEN or any(char.isspace() for char in token):
        raise AccessError("E592", f"{_PURPOSE}: what {where} holds is no token", hint=_HINT)
    return token
