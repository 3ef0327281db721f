"""
Access to a target: who the service says this is, what that may do, and what a plan needs beside it.

A plan is made only where a target was named: it reads and fetches files.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reconciler.base.errors import AccessError, UdfsError, count
from reconciler.cli.support.diagnosis import Diagnosis
from reconciler.cli.support.output import Result
from reconciler.cli.support.project import connect, open_manifest, prepare_files
from reconciler.cli.support.repository import find_repository
from reconciler.targets import adapter_of, require_power
from reconciler.workflow.planning import make_plan, plan_destination

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.cli.support.options import Options
    from reconciler.core.diff import Change
    from reconciler.core.record import Reading
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.render.styled import Line
    from reconciler.targets.powers import Accounts, Identity, Permission


def diagnose_access(options: Options, manifest: Loaded) -> Iterator[Diagnosis]:
    """Yield what came of reaching a manifest's target; an error where it is not reached at all."""
    accounts = adapter_of(manifest).accounts
    with connect(manifest) as target:
        identity = None
        if accounts is not None:
            identity, finding = _identify(accounts, target)
            yield finding
        reading, finding = _read(options, manifest, target)
        yield finding
        if accounts is not None and options.target is not None:
            yield from _permissions(options, manifest, accounts, target, reading, identity)


def _identify(accounts: Accounts, target: Target) -> tuple[Identity | None, Diagnosis]:
    try:
        identity = accounts.find_identity(target)
    except AccessError as error:
        if error.status != 403:
            raise
        return None, Diagnosis(None, "identity", f"unknown: {error.problems[0].message}")
    ends = f"; ends in {count(round(identity.remaining / 60), 'minute')}" if identity.remaining is not None else ""
    number = f" (id {identity.number})" if identity.number else ""
    return identity, Diagnosis(True, "identity", f"{identity.name}{number}, by {identity.origin}{ends}")


def _read(options: Options, manifest: Loaded, target: Target) -> tuple[Reading | None, Diagnosis]:
    try:
        reading = target.read()
    except AccessError as error:
        problem = error.problems[0]
        return None, Diagnosis(
            False, "target", f"{problem.code} {problem.message}", options.invocation.spell(problem.hint)
        )
    settings = manifest.target.settings
    address = f" at {settings['endpoint']}" if "endpoint" in settings else ""
    location = f"{', '.join(f'{label} {text}' for label, text in plan_destination(manifest).parts.items())}{address}"
    return reading, Diagnosis(
        True, "target", f"{manifest.target_name}: {location}, {count(len(reading.live), 'object')}"
    )


def _permissions(
    options: Options,
    manifest: Loaded,
    accounts: Accounts,
    target: Target,
    reading: Reading | None,
    identity: Identity | None,
) -> Iterator[Diagnosis]:
    changes: tuple[Change, ...] = ()
    try:
        if reading is not None:
            changes = make_plan(prepare_files(manifest, options, warn=False), reading).changes
    except UdfsError as error:
        problem = error.problems[0]
        yield Diagnosis(None, "plan", f"none: {problem.code} {problem.message}", options.invocation.spell(problem.hint))
    answers = tuple(accounts.check_permissions(target, changes, identity))
    allowed = list(dict.fromkeys(answer.action for answer in answers if answer.is_allowed))
    if allowed:
        what = count(len(changes), "change") if changes else "no change"
        yield Diagnosis(True, "permissions", f"{', '.join(allowed)}, for a plan of {what}")
    yield from map(_lack, (answer for answer in answers if not answer.is_allowed))


def _lack(answer: Permission) -> Diagnosis:
    subject = f"{answer.action} on {answer.on}"
    if answer.is_allowed is None:
        return Diagnosis(None, "permission", f"{subject}: the service does not say: {answer.said}", answer.grant)
    needed = f"{subject} is not permitted; {answer.reason}"
    return Diagnosis(None if answer.is_optional else False, "permission", needed, answer.grant)


def trust_result(options: Options, environment: str | None, branch: str) -> Result:
    """Return the policies by which a role trusts this repository's pipelines."""
    manifest = open_manifest(options)
    accounts = require_power(manifest, lambda adapter: adapter.accounts, "trust policy")
    policies = accounts.find_trust_policies(
        manifest,
        find_repository(manifest.folder, os.environ),
        os.environ,
        job_environment=environment or manifest.target_name,
        branch=branch,
    )
    import json

    if options.as_json:
        documents = [
            {"title": policy.title, "subjects": policy.subjects, "policy": policy.document} for policy in policies
        ]
        return Result(json.dumps(documents, indent=2) + "\n")

    def lines() -> Iterator[Line]:
        for number, policy in enumerate(policies):
            if number:
                yield ()
            yield (("name", policy.title),)
            yield from ((("quiet", f"  subject {subject}"),) for subject in policy.subjects)
            yield from ((("", line),) for line in json.dumps(policy.document, indent=2).splitlines())

    return Result(lines())
