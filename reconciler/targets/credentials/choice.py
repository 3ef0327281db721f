"""Choice of credentials in a manifest: a word for a link, or the role that a pipeline takes on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, TypeAlias

from msgspec import Meta

from reconciler.manifest.section import Section

LinkName: TypeAlias = Literal["default", "environment", "oidc", "chain"]
"""A place where credentials of any service are, or all of them in order."""

OdpsLinkName: TypeAlias = Literal["default", "environment", "oidc", "pyodps", "odpscmd", "chain"]
"""The same, and where those of MaxCompute alone are: a bearer token opens nothing else, and a key of its client was not given for more."""

PLACES = (
    "where the credentials come from. 'default': the environment's key, then a pipeline's identity token (oidc), and the chain of "
    "alibabacloud-credentials, if it is installed. A word takes one of these alone; {oidc: {role_arn, provider_arn}} says which role."
)
"""What the key of a target says whose credentials are of no service in particular."""

NEVER_HERE = "keys and tokens are never in a manifest: it names the place that they come from"
"""The advice to somebody who writes one there."""

AUDIENCE = "sts.aliyuncs.com"
"""What identity tokens are made out to, unless a manifest says otherwise: the client id that Alibaba Cloud's own action uses."""

_ARN = re.compile(r"acs:ram::[0-9]+:(?P<kind>[a-z-]+)/[A-Za-z0-9._@/-]+\Z")
_Arn: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]


class OidcRole(Section, frozen=True, kw_only=True):
    """A RAM role, taken on with the identity token of a pipeline."""

    role_arn: Annotated[_Arn, Meta(description="The role: acs:ram::ACCOUNT:role/NAME")]
    provider_arn: Annotated[
        _Arn, Meta(description="The identity provider that the account trusts: acs:ram::ACCOUNT:oidc-provider/NAME")
    ]
    audience: Annotated[
        Annotated[str, Meta(min_length=1)],
        Meta(description="Whom GitHub makes the token out to: a client id of the provider."),
    ] = AUDIENCE


class OidcChoice(Section, frozen=True, kw_only=True):
    """Credentials of a session, asked for by a pipeline."""

    elsewhere: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("access_id", "access_key", "access_key_id", "access_key_secret", "secret", "token", "password"), NEVER_HERE
    )

    oidc: Annotated[
        OidcRole, Meta(description="GitHub and GitLab: the job's identity token is exchanged for a session of a role.")
    ]


CloudChoice: TypeAlias = LinkName | OidcChoice
Choice: TypeAlias = OdpsLinkName | OidcChoice


def arns_of(choice: Choice | None) -> Iterator[tuple[tuple[str, ...], str, str | None]]:
    """Yield keys within a target, value and what is wrong with it, of each name of a choice."""
    if isinstance(choice, OidcChoice):
        for key, value, kind in (
            ("role_arn", choice.oidc.role_arn, "role"),
            ("provider_arn", choice.oidc.provider_arn, "oidc-provider"),
        ):
            match, form = _ARN.match(value), f"acs:ram::ACCOUNT:{kind}/NAME"
            yield ("credentials", "oidc", key), value, None if match and match["kind"] == kind else form
