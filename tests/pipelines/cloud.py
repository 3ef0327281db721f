"""
The cloud's side of a pipeline without keys: identity tokens that say which job asks, and sessions of the role that trusts it.

Sessions last seconds, so that every job renews its own. A token's subject is what GitHub's pages say: of a job with an environment
that one, of a pull request that it is one, else the branch.
"""

from __future__ import annotations

import base64
import fnmatch
import json
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from reconciler.local.server.settings import User
from reconciler.targets.credentials.trust import trust_policies
from reconciler.targets.powers import Origin
from tests.sts import PROVIDER, Reply, Sts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipelines.platform import Event, Job

ORIGIN = Origin("github", "github.com", "acme/functions")
REPOSITORY = f"repo:{ORIGIN.name}"
PLAN_ROLE, APPLY_ROLE = (f"acs:ram::1234567890123456:role/functions-{what}" for what in ("plan", "apply"))


def _policies(environment: str) -> list[Any]:
    """Return the trust policies that `udfs doctor --trust` prints: of an environment's jobs, and of those that only read."""
    told = trust_policies(None, ORIGIN, {}, job_environment=environment, branch="main")
    return [policy.document for policy in told[:2]]


TRUSTED: dict[str, list[Any]] = {
    PLAN_ROLE: [_policies("test")[1]],
    APPLY_ROLE: [_policies(environment)[0] for environment in ("test", "prod")],
}
"""Role → its trust policies. Those of the two environments stand for two roles."""


def trusts(policy: Any, subject: str) -> bool:
    """Say whether a trust policy lets whoever has this subject take the role on."""
    for statement in policy["Statement"]:
        for operator, conditions in statement["Condition"].items():
            if named := conditions.get("oidc:sub"):
                texts = [named] if isinstance(named, str) else named
                if any(
                    text == subject if operator == "StringEquals" else fnmatch.fnmatchcase(subject, text)
                    for text in texts
                ):
                    return True
    return False


WHO = {PLAN_ROLE: "RAM$acme:reader", APPLY_ROLE: "RAM$acme:writer"}


@dataclass
class Cloud(Sts):
    """STS that looks at whose token it gets, and the issuer of the tokens."""

    life: float = 6.0
    subjects: dict[str, str] = field(default_factory=dict)
    """Request token of a job → what its identity tokens say of it."""

    refused: list[str] = field(default_factory=list)
    """Subjects that wanted a role that does not trust them."""

    def begin_job(self, request_token: str, job: Job, event: Event) -> dict[str, str]:
        """Return what the environment of a job has that may ask for identity tokens."""
        kind = "pull_request" if event.name == "pull_request" else f"ref:{event.ref}"
        self.subjects[request_token] = f"{REPOSITORY}:{f'environment:{job.environment}' if job.environment else kind}"
        issuer = self.environment()
        names = ("UDFS_STS_ENDPOINT", "REQUESTS_CA_BUNDLE", "ACTIONS_ID_TOKEN_REQUEST_URL")
        return {name: issuer[name] for name in names}

    def identity(self, audience: str, authorization: str) -> Reply:
        subject = self.subjects.get(authorization.removeprefix("bearer "))
        if subject is None or audience != "sts.aliyuncs.com":
            return Reply(401, "who are you")
        claims = base64.urlsafe_b64encode(json.dumps({"sub": subject}).encode()).decode().rstrip("=")
        return Reply(200, json.dumps({"value": f"eyJ.{claims}.{self.canary('signature')}"}))

    def session(self, form: dict[str, str]) -> Reply:
        claims = form["OIDCToken"].split(".")[1]
        subject = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"]
        role = form["RoleArn"]
        if form["OIDCProviderArn"] != PROVIDER or not any(trusts(policy, subject) for policy in TRUSTED[role]):
            self.refused.append(subject)
            return Reply(
                403, json.dumps({"Code": "NoPermission", "Message": "You are not authorized to do this action."})
            )
        with self.lock:
            number = len(self.users) + 1
            key, token, end = self.canary("key"), f"{self.canary('token')}+/=", time.time() + self.life
            self.users[f"STS.{number}"] = User(key, WHO[role], token, end)
        keys = {
            "AccessKeyId": f"STS.{number}",
            "AccessKeySecret": key,
            "SecurityToken": token,
            "Expiration": datetime.fromtimestamp(end, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return Reply(200, json.dumps({"RequestId": "R", "Credentials": keys, "AssumedRoleUser": {}}))


def write_bundle(folder: Path, bundles: list[Path]) -> Path:
    """Write a bundle of certificates with that of the cloud here in it, beside those by which this machine reaches its index."""
    bundle = folder / "bundle.pem"
    bundle.write_bytes(b"\n".join(path.read_bytes() for path in (folder / "ca.pem", *bundles)))
    return bundle
