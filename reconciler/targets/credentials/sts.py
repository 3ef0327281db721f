"""
Sessions by STS: AssumeRoleWithOIDC, which takes an identity token and gives key, secret and token of a role.

[doc "AssumeRoleWithOIDC"; source of alibabacloud-credentials]: an RPC call without a signature, parameters as a form, the
answer as JSON. Sessions last an hour, which every role allows. Not tried against the real service.
"""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reconciler.base.errors import AccessError
from reconciler.base.redaction import redact_foreign
from reconciler.targets.credentials.exchange import TokenAnswer, ask, no_answer
from reconciler.targets.credentials.session import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.targets.credentials.choice import OidcRole

ENDPOINT = "UDFS_STS_ENDPOINT"
"""Names another STS, by its host: a private one, or that of a test."""

_PURPOSE = "no session from STS"
_REGION = re.compile(r"[a-z0-9-]{2,40}\Z")
_DURATION = "3600"
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9.@_-]")


def endpoint_of_sts(environment: Mapping[str, str]) -> str:
    """Return STS's address, by the variables that alibabacloud-credentials reads, or by `ENDPOINT`."""
    if host := environment.get(ENDPOINT):
        return host if "://" in host else f"https://{host}"
    inner = "-vpc" if environment.get("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", "").lower() == "true" else ""
    region = environment.get("ALIBABA_CLOUD_STS_REGION", "")
    return f"https://sts{inner}.{region}.aliyuncs.com" if _REGION.match(region) else "https://sts.aliyuncs.com"


def session_name(environment: Mapping[str, str]) -> str:
    """Return what the cloud's audit log calls a session: 2 to 64 characters."""
    run = environment.get("GITHUB_RUN_ID") or environment.get("CI_JOB_ID") or "session"
    name = environment.get("ALIBABA_CLOUD_ROLE_SESSION_NAME") or f"udfs-{run}"
    return _NOT_A_NAME.sub("-", name)[:64].ljust(2, "-")


def assume_role(role: OidcRole, id_token: str, origin: str, environment: Mapping[str, str]) -> Credentials:
    """Return a session; E590 where STS refuses, E591 where it does not answer or answers nonsense."""
    url = endpoint_of_sts(environment)
    begins = time.monotonic()
    answer = ask(
        "POST",
        f"{url}/",
        purpose=_PURPOSE,
        form={
            "Action": "AssumeRoleWithOIDC",
            "Format": "JSON",
            "Version": "2015-04-01",
            "Timestamp": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "RoleArn": role.role_arn,
            "OIDCProviderArn": role.provider_arn,
            "OIDCToken": id_token,
            "RoleSessionName": session_name(environment),
            "DurationSeconds": _DURATION,
        },
    )
    host = urlsplit(url).netloc.rpartition("@")[2]
    if answer.status != 200:
        raise _refusal(answer, host, role)
    keys = answer.document().get("Credentials")
    names = ("AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration")
    if not isinstance(keys, dict) or not all(isinstance(keys.get(name), str) and keys[name] for name in names):
        raise no_answer(host, _PURPOSE, f"answers with something that is no session: {answer.excerpt()}")
    life = _life(keys["Expiration"], answer.date)
    if life is None:
        raise no_answer(host, _PURPOSE, f"gives a session without an end: {keys['Expiration'][:40]!r}")
    access_id, secret, token, _ = (keys[name] for name in names)
    return Credentials(access_id, secret, token, origin=origin, begins=begins, expires=begins + life)


def _life(expiration: str, date: str) -> float | None:
    """Return the seconds that a session has, by the service's own clock: that of a machine may be wrong."""
    try:
        end = datetime.strptime(expiration, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    try:
        now = parsedate_to_datetime(date).astimezone(timezone.utc)
    except (TypeError, ValueError, OverflowError):
        now = datetime.now(timezone.utc)
    return max(0.0, (end - now).total_seconds())


def _refusal(answer: TokenAnswer, host: str, role: OidcRole) -> AccessError:
    document = answer.document()
    code, message = document.get("Code"), document.get("Message")
    if answer.status >= 500 or answer.status == 429 or not isinstance(code, str):
        return no_answer(host, _PURPOSE, f"answers {answer.status}: {answer.excerpt()}")
    said = redact_foreign(f"{code}: {message}" if isinstance(message, str) else code)
    return AccessError(
        "E590",
        f"STS refuses a session of {role.role_arn}: {' '.join(said.split())[:300]}",
        hint=("look whether the role trusts this pipeline: `udfs doctor --trust` prints the policy that it needs"),
        status=answer.status,
        service_code=code,
    )
