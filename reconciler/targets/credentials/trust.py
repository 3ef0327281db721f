"""
Trust policies of RAM: which pipelines may take on a role, by issuer, audience and subject of their identity tokens.

GitHub's subject has names alone, or names with numbers (``owner@1/repo@2``) in repositories that were made or renamed since
15 July 2026 [GitHub "OpenID Connect reference"]; of a job with an ``environment:`` it names that and no branch. GitLab's has
the project's path and the ref. Conditions are those of [doc "AssumeRoleWithOIDC"] and [doc "Conditional operators"], where of several
values any will do; none of it was tried on a live account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.targets.credentials.choice import AUDIENCE, OidcChoice
from reconciler.targets.powers import TrustPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.targets.credentials.choice import Choice
    from reconciler.targets.powers import Origin

_GITHUB = "https://token.actions.githubusercontent.com"


def trust_policies(
    choice: Choice | None,
    repository: Origin,
    environment: Mapping[str, str],
    *,
    job_environment: str,
    branch: str,
) -> tuple[TrustPolicy, ...]:
    """Return one policy a form of subject; where the platform is not known, those of all."""
    audience = choice.oidc.audience if isinstance(choice, OidcChoice) else AUDIENCE
    named = choice.oidc.provider_arn if isinstance(choice, OidcChoice) else ""
    provider = (
        named or environment.get("ALIBABA_CLOUD_OIDC_PROVIDER_ARN") or "acs:ram::ACCOUNT_ID:oidc-provider/PROVIDER"
    )
    policies: list[TrustPolicy] = []
    if repository.platform != "gitlab":
        for title, name in _names_at_github(repository):
            writing = (f"repo:{name}:environment:{job_environment}",)
            # What looks on its own runs on the branch; a merge queue's plan on a branch that GitHub alone can make.
            reading = (
                f"repo:{name}:pull_request",
                f"repo:{name}:ref:refs/heads/{branch}",
                f"repo:{name}:ref:refs/heads/gh-readonly-queue/{branch}/*",
            )
            policies += [
                _policy(f"GitHub, {title}: {jobs}", _GITHUB, audience, provider, subjects)
                for jobs, subjects in (
                    (f"the jobs of environment '{job_environment}'", writing),
                    (f"pull requests, merge queue and branch '{branch}', for a role that only reads", reading),
                )
            ]
    if repository.platform != "github":
        host = repository.host or "gitlab.com"
        subject = f"project_path:{repository.name}:ref_type:branch:ref:{branch}"
        policies.append(_policy(f"GitLab: branch '{branch}'", f"https://{host}", audience, provider, (subject,)))
    return tuple(policies)


def _names_at_github(repository: Origin) -> Iterator[tuple[str, str]]:
    owner, _, name = repository.name.partition("/")
    owner_id, number = repository.owner_id or "OWNER_ID", repository.number or "REPOSITORY_ID"
    yield "subject of names", f"{owner}/{name}"
    yield "subject with numbers", f"{owner}@{owner_id}/{name}@{number}"


def _policy(title: str, issuer: str, audience: str, provider: str, subjects: tuple[str, ...]) -> TrustPolicy:
    """Return a policy by which any of the subjects may take the role on; a star stands for the rest of one."""
    exact = [subject for subject in subjects if "*" not in subject]
    patterns = [subject for subject in subjects if "*" in subject]
    statements = [
        {
            "Action": "sts:AssumeRoleWithOIDC",
            "Condition": _condition(issuer, audience, operator, group),
            "Effect": "Allow",
            "Principal": {"Federated": [provider]},
        }
        for operator, group in (("StringEquals", exact), ("StringLike", patterns))
        if group
    ]
    return TrustPolicy(title, subjects, {"Statement": statements, "Version": "1"})


def _condition(issuer: str, audience: str, operator: str, subjects: list[str]) -> dict[str, dict[str, object]]:
    equal: dict[str, object] = {"oidc:iss": issuer, "oidc:aud": audience}
    subject: dict[str, object] = {"oidc:sub": subjects[0] if len(subjects) == 1 else subjects}
    return (
        {"StringEquals": equal | subject} if operator == "StringEquals" else {"StringEquals": equal, operator: subject}
    )
