"""
A repository in use: `examples/gitops` on the platform of these tests, a MaxCompute on loopback, and the people who work with them.

Every secret is a canary. A job that may ask for identity tokens gets sessions of its role from the cloud (`tests/pipelines/cloud.py`),
where there is one, else keys; the MaxCompute here refuses what is signed by anybody else.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certifi
from odps import ODPS

from reconciler.local.server.settings import User
from tests.pipelines.cloud import APPLY_ROLE, PLAN_ROLE, write_bundle
from tests.pipelines.platform import Event, Job, Platform, Run, git
from tests.pipelines.supplied import SUPPLIED
from tests.sts import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.local import Server
    from tests.pipelines.cloud import Cloud
    from tests.pipelines.hub import Hub

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "gitops"
WORKFLOW = ".github/workflows/udfs.yml"
BACK = ".github/workflows/udfs-back.yml"

_MACHINE = re.compile(r"PIP_|UV_|SSL_CERT|REQUESTS_CA_BUNDLE|UDFS_PYTHON_|UDFS_CACHE_DIR$")
"""Variables by which this machine reaches its package index and its Pythons: a runner has its own."""


@dataclass(frozen=True)
class Identity:
    """Keys of a session."""

    key: str
    secret: str


READER = Identity("reader", f"canary-reader-{secrets.token_hex(12)}")
WRITER = Identity("writer", f"canary-writer-{secrets.token_hex(12)}")
USERS = {identity.key: User(identity.secret, f"RAM$acme:{identity.key}") for identity in (READER, WRITER)}


@dataclass(frozen=True)
class PullRequest:
    """A branch that wants to get into main."""

    number: int
    branch: str
    from_fork: bool
    head: str
    merged: str
    """What `refs/pull/N/merge` names: main with the branch in it, if it was merged now."""


@dataclass
class Scene:
    """The repository and everything around it."""

    folder: Path
    server: Server
    platform: Platform
    pull_requests: list[PullRequest] = field(default_factory=list)
    hub: Hub | None = None
    cloud: Cloud | None = None
    console: Identity | None = None
    """Of somebody who may do everything, and goes by no pipeline."""

    @classmethod
    def begin(
        cls, folder: Path, server: Server, files: Mapping[str, str] | None = None, cloud: Cloud | None = None
    ) -> Scene:
        """Make the repository with the example in it, or with these files, on main."""
        origin = folder / "origin"
        if files is None:
            shutil.copytree(EXAMPLE, origin, ignore=shutil.ignore_patterns(".udfs"))
        for name, text in (files or {}).items():
            (origin / name).parent.mkdir(parents=True, exist_ok=True)
            (origin / name).write_text(text)
        git(origin, "init", "-q", "-b", "main")
        git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
        git(origin, "add", "-A")
        git(origin, "commit", "-qm", "Functions of the web team")
        platform = Platform(folder / "platform", origin, {"OWNER/udfs": ROOT}, SUPPLIED)
        platform.variables |= {"ODPS_ENDPOINT": server.url}
        platform.variables |= {"UDFS_OIDC_PROVIDER_ARN": PROVIDER, "UDFS_PLAN_ROLE_ARN": PLAN_ROLE} if cloud else {}
        platform.environments |= (
            {name: {"UDFS_APPLY_ROLE_ARN": APPLY_ROLE} for name in ("test", "prod")} if cloud else {}
        )
        platform.secrets["UNUSED"] = f"canary-secret-{secrets.token_hex(12)}"
        scene = cls(folder, server, platform, cloud=cloud)
        platform.machine = scene.environment_of
        return scene

    def connect(self, hub: Hub) -> None:
        """Let jobs talk to an API."""
        self.hub, self.platform.api = hub, hub.url

    def open(self, branch: str, edits: Mapping[str, str | bytes | None], *, from_fork: bool = False) -> PullRequest:
        """Push a branch with files changed, or gone where there is None, and ask for it to be merged."""
        origin = self.platform.origin
        git(origin, "checkout", "-q", "-b", branch, "main")
        for name, text in edits.items():
            path = origin / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text if isinstance(text, bytes) else text.encode())
        git(origin, "add", "-A")
        git(origin, "commit", "-qm", f"Change {branch}")
        git(origin, "checkout", "-q", "main")
        return self.push(PullRequest(len(self.pull_requests) + 1, branch, from_fork, "", ""))

    def push(self, pull_request: PullRequest) -> PullRequest:
        """Bring what the platform knows of a pull request up to date."""
        origin, number, branch = self.platform.origin, pull_request.number, pull_request.branch
        head = git(origin, "rev-parse", branch)
        git(origin, "checkout", "-q", "--detach", "main")
        git(origin, "merge", "-q", "--no-ff", "-m", f"Merge {head} into main", branch)
        merged = git(origin, "rev-parse", "HEAD")
        git(origin, "checkout", "-q", "main")
        git(origin, "update-ref", f"refs/pull/{number}/head", head)
        git(origin, "update-ref", f"refs/pull/{number}/merge", merged)
        pushed = PullRequest(number, branch, pull_request.from_fork, head, merged)
        self.pull_requests = [*(each for each in self.pull_requests if each.number != number), pushed]
        return pushed

    def plan(self, pull_request: PullRequest, *labels: str) -> Run:
        """Start what a pull request starts."""
        origin = "mallory/functions" if pull_request.from_fork else "acme/functions"
        payload = {
            "pull_request": {
                "number": pull_request.number,
                "state": "open",
                "labels": [{"name": label} for label in labels],
                "title": "`id`; $(id) ${{ secrets.UNUSED }}",
                "head": {"ref": pull_request.branch, "sha": pull_request.head, "repo": {"full_name": origin}},
                "base": {"ref": "main", "sha": git(self.platform.origin, "rev-parse", "main")},
            }
        }
        event = Event(
            "pull_request",
            pull_request.merged,
            f"refs/pull/{pull_request.number}/merge",
            payload,
            actor="mallory" if pull_request.from_fork else "ann",
            from_fork=pull_request.from_fork,
            head_ref=pull_request.branch,
            base_ref="main",
        )
        return self.platform.start(WORKFLOW, event)

    def merge(self, *pull_requests: PullRequest) -> Run:
        """Merge pull requests, all in one push, and start what the push starts."""
        origin = self.platform.origin
        before = git(origin, "rev-parse", "main")
        for pull_request in pull_requests:
            message = f"Merge pull request #{pull_request.number}"
            git(origin, "merge", "-q", "--no-ff", "-m", message, pull_request.branch)
            if self.hub is not None:
                self.hub.merged(pull_request.number, pull_request.head, git(origin, "rev-parse", "HEAD"))
        return self._pushed(before)

    def enqueue(self, *pull_requests: PullRequest) -> list[Run]:
        """
        Put pull requests into a merge queue, and start what each group starts: main, those before it, and the next one.

        The last group is what `leave_queue` makes main.
        """
        origin, runs = self.platform.origin, []
        main = git(origin, "rev-parse", "main")
        git(origin, "checkout", "-q", "--detach", "main")
        for pull_request in pull_requests:
            base = git(origin, "rev-parse", "HEAD")
            message = f"Merge pull request #{pull_request.number}"
            git(origin, "merge", "-q", "--no-ff", "-m", message, pull_request.branch)
            head, ref = git(origin, "rev-parse", "HEAD"), f"gh-readonly-queue/main/pr-{pull_request.number}-{base}"
            git(origin, "update-ref", f"refs/heads/{ref}", head)
            group = {"head_sha": head, "head_ref": f"refs/heads/{ref}", "base_sha": base, "base_ref": "refs/heads/main"}
            payload = {"action": "checks_requested", "merge_group": group}
            runs.append(self.platform.start(WORKFLOW, Event("merge_group", head, f"refs/heads/{ref}", payload)))
        git(origin, "checkout", "-q", "main")
        assert git(origin, "rev-parse", "main") == main
        return runs

    def leave_queue(self, *pull_requests: PullRequest) -> Run:
        """Do what the queue does when the checks of its groups are well: push the last one, and start what the push starts."""
        origin, before = self.platform.origin, git(self.platform.origin, "rev-parse", "main")
        refs = git(origin, "for-each-ref", "--format=%(refname)", "refs/heads/gh-readonly-queue").split()
        for pull_request in pull_requests:
            [ref] = [ref for ref in refs if f"/pr-{pull_request.number}-" in ref]
            git(origin, "merge", "-q", "--ff-only", ref)
            git(origin, "update-ref", "-d", ref)
            if self.hub is not None:
                self.hub.merged(pull_request.number, pull_request.head, git(origin, "rev-parse", "HEAD"))
        return self._pushed(before)

    def _pushed(self, before: str) -> Run:
        after = git(self.platform.origin, "rev-parse", "main")
        payload = {"before": before, "after": after}
        return self.platform.start(WORKFLOW, Event("push", after, "refs/heads/main", payload))

    def night(self) -> Run:
        """Start what the schedule starts."""
        return self._of_main("schedule")

    def by_hand(self, path: str = WORKFLOW, **inputs: str) -> Run:
        """Start a workflow by its button."""
        return self._of_main("workflow_dispatch", path, inputs=inputs)

    def edit_at_console(self, project: str, name: str) -> None:
        """Give a function another class, as somebody does who has keys and no pull request."""
        function = self._function(project, name)
        function.class_type = f"{function.class_type}2"
        function.update()

    def class_of(self, project: str, name: str) -> str:
        """Return the class of a function, which is named by its version."""
        return str(self._function(project, name).class_type)

    def _function(self, project: str, name: str) -> Any:
        assert self.console is not None
        odps = ODPS(self.console.key, self.console.secret, project=project, endpoint=self.server.url)
        return odps.get_function(name)

    def _of_main(self, name: str, path: str = WORKFLOW, **payload: Any) -> Run:
        head = git(self.platform.origin, "rev-parse", "main")
        return self.platform.start(path, Event(name, head, "refs/heads/main", payload))

    @property
    def canaries(self) -> list[str]:
        """Everything that is secret here."""
        tokens = [*self.platform.tokens, *(token.replace("ghs_", "idt_") for token in self.platform.tokens)]
        sessions = self.cloud.secrets if self.cloud else []
        return [READER.secret, WRITER.secret, *self.platform.secrets.values(), *tokens, *sessions]

    def environment_of(self, job: Job, event: Event) -> Mapping[str, str]:
        """Return what a job's environment has of this machine, and of the cloud."""
        environment: dict[str, Any] = {name: text for name, text in os.environ.items() if _MACHINE.match(name)}
        settings = Path.home() / ".config" / "pip" / "pip.conf"
        if settings.exists():
            environment.setdefault("PIP_CONFIG_FILE", str(settings))
        if job.permissions.get("id-token") != "write":
            return environment
        if self.cloud is None:
            identity = WRITER if job.environment else READER
            environment["ALIBABA_CLOUD_ACCESS_KEY_ID"] = identity.key
            environment["ALIBABA_CLOUD_ACCESS_KEY_SECRET"] = identity.secret
            return environment
        token = next(token for token, owner in self.platform.tokens.items() if owner is job)
        environment |= self.cloud.begin_job(token.replace("ghs_", "idt_"), job, event)
        others = [Path(environment[name]) for name in ("SSL_CERT_FILE",) if environment.get(name)]
        usual = Path(os.environ.get("REQUESTS_CA_BUNDLE") or certifi.where())
        environment["REQUESTS_CA_BUNDLE"] = str(write_bundle(self.cloud.folder, [usual, *others]))
        return environment

    def leaks(self) -> Iterator[str]:
        """Yield where a canary turned up: logs, artifacts, caches, and what the service holds."""
        for run in self.platform.runs:
            for job in run.jobs.values():
                texts = {"log": job.log, "summary": job.summary, "outputs": repr(job.outputs)}
                yield from (
                    f"the {what} of {job.name} in run {run.id}"
                    for what, text in texts.items()
                    if any(canary in text for canary in self.canaries)
                )
        for path in self._kept():
            content = path.read_bytes()
            if any(canary.encode() in content for canary in self.canaries):
                yield str(path.relative_to(self.folder))

    def _kept(self) -> Iterator[Path]:
        folders = [*self.platform.folder.glob("artifacts-*"), self.platform.caches, self.folder / "store"]
        for folder in folders:
            yield from (path for path in folder.rglob("*") if path.is_file())
