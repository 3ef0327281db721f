"""
A platform that runs workflows: events, runs, jobs, steps, composite actions, artifacts and caches, as GitHub has them.

Shell steps are real processes with the environment that a hosted runner gives them, and nothing else of this machine's. What is
written in JavaScript (`actions/checkout` and its kind) does here what its page says (`tests/pipelines/supplied.py`). Jobs run one after
the other, on one machine. Rules are from https://docs.github.com/en/actions/reference; what is not needed here is refused and not passed over.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from tests.pipelines.expressions import as_text, condition, fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

SECONDS = 300
"""How long one step may take."""

_COMMAND = re.compile(r"^\s*::([\w-]+)((?: [^:]*)?)::(.*)$|##\[([\w-]+)((?: [^\]]*)?)\](.*)$")
"""The form of today, at the beginning of a line, and the old one, which the runner obeys wherever it stands."""


class Refused(Exception):
    """A workflow that GitHub would not run, or that this platform does not understand."""


@dataclass(frozen=True)
class Event:
    """What has happened, and where."""

    name: str
    sha: str
    ref: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    actor: str = "ann"
    from_fork: bool = False
    head_ref: str = ""
    base_ref: str = ""


@dataclass(frozen=True)
class Command:
    """A line of a log by which a step talks to the runner, such as ``::error file=…::…``."""

    name: str
    properties: str
    message: str


@dataclass
class Job:
    """What came of a job."""

    name: str
    result: str = "success"
    log: str = ""
    commands: list[Command] = field(default_factory=list)
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    permissions: dict[str, str] = field(default_factory=dict)
    environment: str = ""
    outcomes: dict[str, str] = field(default_factory=dict)
    """By the name of each step of the workflow that ran."""


@dataclass
class Run:
    """One run of a workflow."""

    id: int
    event: Event
    path: str
    """Of the workflow's file."""
    workflow: dict[str, Any]
    artifacts: Path
    attempt: int = 1
    jobs: dict[str, Job] = field(default_factory=dict)

    @property
    def result(self) -> str:
        results = {job.result for job in self.jobs.values()}
        return "failure" if "failure" in results else "skipped" if results == {"skipped"} else "success"

    @property
    def log(self) -> str:
        return "".join(f"== {job.name}: {job.result}\n{job.log}" for job in self.jobs.values())


Action = Any
"""A callable of `supplied`: takes the step's place in a job, and returns its outputs."""


@dataclass
class Platform:
    """A place with one repository, its settings, and everything that its runs leave."""

    folder: Path
    origin: Path
    """The repository, with a work tree of its own."""
    actions: Mapping[str, Path]
    """Where the composite actions of other repositories lie: by the repository's name."""
    supplied: Mapping[str, Action]
    """Actions of GitHub's own."""
    variables: dict[str, str] = field(default_factory=dict)
    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    """Variables of environments, which count before the repository's."""
    deployed_from: tuple[str, ...] = ("refs/heads/main",)
    """Refs whose jobs may name an environment: its deployment branches."""
    secrets: dict[str, str] = field(default_factory=dict)
    machine: Callable[[Job, Event], Mapping[str, str]] = lambda job, event: {}
    """What a runner's environment has beside GitHub's own, such as the session that an identity gets."""
    api: str = "http://127.0.0.1:9"
    tokens: dict[str, Job] = field(default_factory=dict)
    """Every token that was given to a job, and the job, which has its permissions."""
    runs: list[Run] = field(default_factory=list)
    alerts: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    """What code scanning shows: by ref and category, the results of the newest upload."""

    @property
    def caches(self) -> Path:
        return self.folder / "caches"

    def start(self, path: str, event: Event, kept: Mapping[str, Path] | None = None) -> Run:
        """
        Run the workflow file of the event's commit to its end; raises `Refused`, too, if the event does not start it.

        `kept` is what jobs have left that a test passes over: artifacts by their names.
        """
        workflow = read_yaml(self.git("show", f"{event.sha}:{path}"))
        if not triggers(workflow, event):
            raise Refused(f"{path} is not started by {event.name} of {event.ref}")
        number = 1000 + len(self.runs)
        run = Run(number, event, path, workflow, self.folder / f"artifacts-{number}")
        run.artifacts.mkdir(parents=True)
        for name, folder in (kept or {}).items():
            shutil.copytree(folder, run.artifacts / name)
        self.runs.append(run)
        self._go_on(run)
        return run

    def run_failed_jobs_again(self, run: Run) -> None:
        """Do what the button "Re-run failed jobs" does: what succeeded stays, and what it left with it."""
        run.attempt += 1
        run.jobs = {name: job for name, job in run.jobs.items() if job.result == "success"}
        self._go_on(run)

    def git(self, *arguments: str) -> str:
        """Return what git says of the repository."""
        return git(self.origin, *arguments)

    def _go_on(self, run: Run) -> None:
        waiting = {name: job for name, job in run.workflow["jobs"].items() if name not in run.jobs}
        while waiting:
            ready = [name for name, job in waiting.items() if not set(needed(job)) & set(waiting)]
            if not ready:
                raise Refused(f"jobs that wait for each other: {', '.join(waiting)}")
            for name in ready:
                run.jobs[name] = JobRunner(self, run, name, waiting.pop(name)).run()


class JobRunner:
    """One job at its work: a fresh machine."""

    def __init__(self, platform: Platform, run: Run, name: str, source: dict[str, Any]) -> None:
        require_known(source, JOB_KEYS, f"job {name}")
        self.platform, self.run_, self.source = platform, run, source
        self.job = Job(name, permissions=permissions(run.workflow, source, run.event))
        self.folder = platform.folder / f"run-{run.id}-{run.attempt}" / name
        self.workspace = self.folder / "workspace"
        self.temporary = self.folder / "temporary"
        self.env: dict[str, str] = {}
        self.path: list[str] = []
        self.posts: list[Callable[[], None]] = []
        """What actions do at the job's end."""
        self.failed = False
        self.token = f"ghs_{secrets.token_hex(18)}"
        platform.tokens[self.token] = self.job
        self._files = itertools.count()

    def run(self) -> Job:
        needs = {name: self.run_.jobs[name] for name in needed(self.source)}
        contexts = {
            "github": self.github(),
            "needs": {name: {"result": job.result, "outputs": job.outputs} for name, job in needs.items()},
            "vars": self.platform.variables,
            "inputs": self.run_.event.payload.get("inputs") or {},
        }
        all_well = all(job.result == "success" for job in needs.values())
        status = {
            "success": lambda: all_well,
            "always": lambda: True,
            "cancelled": lambda: False,
            "failure": lambda: any(job.result == "failure" for job in needs.values()),
        }
        if not condition(str(self.source.get("if", "success()")), contexts, status):
            self.job.result = "skipped"
            return self.job
        self._work(contexts)
        return self.job

    def _work(self, contexts: dict[str, Any]) -> None:
        for folder in (self.workspace, self.temporary, self.folder / "home"):
            folder.mkdir(parents=True)
        hidden = {} if self.run_.event.from_fork else self.platform.secrets
        contexts |= {"secrets": {**hidden, "GITHUB_TOKEN": self.token}, "runner": self._runner(), "job": {}}
        environment = self.source.get("environment") or ""
        self.job.environment = fill(environment["name"] if isinstance(environment, dict) else environment, contexts, {})
        if self.job.environment and self.run_.event.ref not in self.platform.deployed_from:
            self.job.result, self.job.log = "failure", f"{self.run_.event.ref} is not allowed to deploy\n"
            return
        contexts["vars"] = {**contexts["vars"], **self.platform.environments.get(self.job.environment, {})}
        outer = {**(self.run_.workflow.get("env") or {}), **(self.source.get("env") or {})}
        self.env |= {name: as_text(fill(text, contexts, {})) for name, text in outer.items()}
        steps: dict[str, Any] = {}
        self.steps(self.source["steps"], contexts, steps, {}, top=True)
        for post in reversed(self.posts):
            post()
        self.job.result = "failure" if self.failed else "success"
        named = fill(self.source.get("outputs") or {}, {**contexts, "steps": steps}, {})
        self.job.outputs = {name: as_text(text) for name, text in named.items()}

    def steps(
        self,
        sources: list[dict[str, Any]],
        contexts: Mapping[str, Any],
        results: dict[str, Any],
        action: Mapping[str, str],
        *,
        top: bool = False,
    ) -> None:
        """Run steps in order; `results` becomes the context `steps`."""
        failed_before, self.failed = self.failed, False
        for number, source in enumerate(sources):
            require_known(source, STEP_KEYS, f"step {number} of {self.job.name}")
            here = {**contexts, "steps": results, "env": dict(self.env)}
            status: dict[str, Callable[..., Any]] = {
                "success": lambda: not self.failed,
                "failure": lambda: self.failed,
                "always": lambda: True,
                "cancelled": lambda: False,
                "hashfiles": self._hash_files,
            }
            name = str(source.get("name") or source.get("id") or source.get("uses") or f"step {number}")
            if not condition(str(source.get("if", "success()")), here, status):
                outcome: dict[str, Any] = {"outcome": "skipped", "conclusion": "skipped", "outputs": {}}
            else:
                outcome = self._step(source, name, here, status, action)
            if "id" in source:
                results[source["id"]] = outcome
            if top:
                self.job.outcomes[name] = outcome["outcome"]
            self.failed = self.failed or outcome["conclusion"] == "failure"
        self.failed = self.failed or failed_before

    def _step(
        self,
        source: dict[str, Any],
        name: str,
        contexts: dict[str, Any],
        status: Mapping[str, Callable[..., Any]],
        action: Mapping[str, str],
    ) -> dict[str, Any]:
        variables = {key: as_text(fill(text, contexts, status)) for key, text in (source.get("env") or {}).items()}
        contexts = {**contexts, "env": {**contexts["env"], **variables}}
        self.job.log += f"-- {name}\n"
        if "run" in source:
            well, outputs = self._shell(source, contexts, status, {**action, **variables})
        else:
            inputs = {key: as_text(fill(text, contexts, status)) for key, text in (source.get("with") or {}).items()}
            well, outputs = self._use(str(source["uses"]), inputs, contexts, variables)
        forgiven = bool(fill(source.get("continue-on-error", False), contexts, status))
        outcome = "success" if well else "failure"
        return {"outcome": outcome, "conclusion": "success" if forgiven else outcome, "outputs": outputs}

    def _use(
        self, uses: str, inputs: dict[str, str], contexts: dict[str, Any], variables: dict[str, str]
    ) -> tuple[bool, dict[str, str]]:
        named, _, version = uses.partition("@")
        if supplied := self.platform.supplied.get(named):
            if not re.fullmatch(r"[0-9a-f]{40}", version):
                raise Refused(f"{uses} is not pinned by a commit")
            try:
                return True, supplied(self, inputs)
            except ActionFailed as error:
                self.job.log += f"Error: {error}\n"
                return False, {}
        owner = next((owner for owner in self.platform.actions if named.startswith(f"{owner}/")), None)
        folder = self.platform.actions[owner] / named[len(owner) + 1 :] if owner else self.workspace / named
        if not owner and not named.startswith("./"):
            raise Refused(f"nothing is known of {uses}")
        return self._composite(read_yaml((folder / "action.yml").read_text()), folder, inputs, contexts, variables)

    def _composite(
        self,
        source: dict[str, Any],
        folder: Path,
        inputs: dict[str, str],
        contexts: dict[str, Any],
        variables: dict[str, str],
    ) -> tuple[bool, dict[str, str]]:
        declared = source.get("inputs") or {}
        if unknown := set(inputs) - set(declared):
            raise Refused(f"{folder.name} has no input {', '.join(sorted(unknown))}")
        github = {**contexts["github"], "action_path": str(folder)}
        # An action has neither secrets nor variables of the repository: it gets what it is given.
        inner = {"github": github, "runner": contexts["runner"], "job": {}, "env": contexts["env"]}
        values = {
            name: inputs.get(name, as_text(fill((about or {}).get("default", ""), inner, {})))
            for name, about in declared.items()
        }
        if missing := [name for name, about in declared.items() if (about or {}).get("required") and not values[name]]:
            raise Refused(f"{folder.name} needs the input {', '.join(missing)}")
        inner["inputs"] = values
        results: dict[str, Any] = {}
        before, self.failed = self.failed, False
        kept = dict(self.env)
        self.env |= variables
        self.steps(source["runs"]["steps"], inner, results, {"GITHUB_ACTION_PATH": str(folder)})
        # What a step wrote to GITHUB_ENV stays; what the caller's `env:` said ends with the action.
        self.env = {name: text for name, text in self.env.items() if name in kept or variables.get(name) != text} | {
            name: kept[name] for name in variables if name in kept
        }
        failed, self.failed = self.failed, before
        outputs = {
            name: as_text(fill(about["value"], {**inner, "steps": results}, {}))
            for name, about in (source.get("outputs") or {}).items()
        }
        return not failed, outputs

    def _shell(
        self,
        source: dict[str, Any],
        contexts: dict[str, Any],
        status: Mapping[str, Callable[..., Any]],
        variables: Mapping[str, str],
    ) -> tuple[bool, dict[str, str]]:
        shells = {"bash": ["--noprofile", "--norc", "-eo", "pipefail"], "": ["-e"]}
        shell = str(source.get("shell", ""))
        if shell not in shells:
            raise Refused(f"shell {shell}")
        number = next(self._files)
        script = self.temporary / f"step-{number}.sh"
        script.write_text(as_text(fill(source["run"], contexts, status)))
        files = {name: self.temporary / f"{name}-{number}" for name in ("output", "env", "path", "step_summary")}
        for file in files.values():
            file.touch()
        place = self.workspace / fill(source.get("working-directory", "."), contexts, status)
        environment = {
            **self._environment(),
            **self.env,
            **{f"GITHUB_{name.upper()}": str(file) for name, file in files.items()},
            **variables,
        }
        process = subprocess.run(
            ["bash", *shells[shell], str(script)],
            cwd=place,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
        text = process.stdout.decode(errors="replace")
        self.job.log += text + (f"Error: exit code {process.returncode}\n" if process.returncode else "")
        self.job.commands += read_commands(text)
        self.env |= read_settings(files["env"].read_text())
        self.path = [*reversed(files["path"].read_text().split()), *self.path]
        self.job.summary += files["step_summary"].read_text()
        return process.returncode == 0, read_settings(files["output"].read_text())

    def _environment(self) -> dict[str, str]:
        event = self.folder / "event.json"
        event.write_text(json.dumps(self.run_.event.payload))
        github = self.github()
        names = "ref sha actor repository run_id run_attempt event_name head_ref base_ref job workflow workspace api_url server_url"
        environment = {
            "PATH": os.pathsep.join([*self.path, "/usr/local/bin", "/usr/bin", "/bin"]),
            "HOME": str(self.folder / "home"),
            "LANG": "C.UTF-8",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_TRIGGERING_ACTOR": self.run_.event.actor,
            "GITHUB_WORKFLOW_REF": f"acme/functions/{self.run_.path}@{self.run_.event.ref}",
            "GITHUB_REF_NAME": self.run_.event.ref.removeprefix("refs/heads/").removeprefix("refs/pull/"),
            **{f"GITHUB_{name.upper()}": as_text(github[name]) for name in names.split()},
            **{f"RUNNER_{name.upper()}": value for name, value in self._runner().items()},
        }
        if self.job.permissions.get("id-token") == "write":
            environment["ACTIONS_ID_TOKEN_REQUEST_URL"] = f"{self.platform.api}/id-token?job={self.job.name}"
            environment["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = self.token.replace("ghs_", "idt_")
        return {**environment, **self.platform.machine(self.job, self.run_.event)}

    def github(self) -> dict[str, Any]:
        """Return the context `github`."""
        event = self.run_.event
        return {
            "event_name": event.name,
            "event": event.payload,
            "ref": event.ref,
            "sha": event.sha,
            "actor": event.actor,
            "head_ref": event.head_ref,
            "base_ref": event.base_ref,
            "repository": "acme/functions",
            "run_id": self.run_.id,
            "run_attempt": self.run_.attempt,
            "workflow": self.run_.workflow.get("name", ""),
            "job": self.job.name,
            "workspace": str(self.workspace),
            "token": self.token,
            "api_url": self.platform.api,
            "server_url": "https://github.com",
        }

    def _runner(self) -> dict[str, str]:
        return {"temp": str(self.temporary), "os": "Linux", "arch": "X64", "tool_cache": str(self.folder / "tools")}

    def _hash_files(self, *patterns: str) -> str:
        names = sorted({str(path) for pattern in patterns for path in self.workspace.glob(pattern) if path.is_file()})
        return git(self.workspace, "hash-object", *names).replace("\n", "")[:64] if names else ""


class ActionFailed(Exception):
    """An action of GitHub's own that fails."""


JOB_KEYS = frozenset(
    [
        "name",
        "runs-on",
        "timeout-minutes",
        "permissions",
        "needs",
        "if",
        "environment",
        "concurrency",
        "env",
        "outputs",
        "steps",
    ]
)
STEP_KEYS = frozenset(
    [
        "name",
        "id",
        "if",
        "uses",
        "with",
        "run",
        "shell",
        "env",
        "working-directory",
        "continue-on-error",
        "timeout-minutes",
    ]
)


def require_known(source: Mapping[str, Any], keys: frozenset[str], where: str) -> None:
    """Raise where a workflow says what would not be heeded here."""
    if unknown := set(source) - keys:
        raise Refused(f"{where} has {', '.join(sorted(unknown))}")


def read_yaml(text: str) -> dict[str, Any]:
    """Return a workflow's mapping; YAML 1.1 takes the key `on` for true."""
    read = yaml.safe_load(text)
    assert isinstance(read, dict)
    return {"on" if key is True else key: value for key, value in read.items()}


def triggers(workflow: Mapping[str, Any], event: Event) -> bool:
    """Say whether an event starts a workflow."""
    on = workflow["on"]
    on = {on: None} if isinstance(on, str) else dict.fromkeys(on) if isinstance(on, list) else on
    if event.name not in on:
        return False
    about = on[event.name]
    branches = about.get("branches") if isinstance(about, dict) else None
    base = event.payload["merge_group"]["base_ref"] if event.name == "merge_group" else event.ref
    branch = event.base_ref if event.name == "pull_request" else base.removeprefix("refs/heads/")
    return not branches or branch in branches


def needed(job: Mapping[str, Any]) -> list[str]:
    """Return the jobs that a job waits for."""
    needs = job.get("needs") or []
    return [needs] if isinstance(needs, str) else needs


def permissions(workflow: Mapping[str, Any], job: Mapping[str, Any], event: Event) -> dict[str, str]:
    """Return what a job may do: as it says, or the workflow. A pull request of a fork writes nothing and has no identity."""
    granted = job.get("permissions", workflow.get("permissions"))
    if not isinstance(granted, dict):
        raise Refused("permissions are not written down")
    if event.from_fork:
        granted = {name: "read" for name, level in granted.items() if name != "id-token" and level != "none"}
    return dict(granted)


def read_settings(text: str) -> dict[str, str]:
    """Return what a step wrote into GITHUB_OUTPUT or GITHUB_ENV: NAME=VALUE, or NAME<<END, lines, END."""
    settings: dict[str, str] = {}
    lines: Iterator[str] = iter(text.splitlines())
    for line in lines:
        name, sign, value = re.split(r"(<<|=)", line, maxsplit=1) if re.search(r"<<|=", line) else (line, "", "")
        if sign == "<<":
            value = "\n".join(itertools.takewhile(lambda each, end=value: each != end, lines))  # type: ignore[misc]
        elif not sign:
            raise Refused(f"not a setting: {line!r}")
        settings[name] = value
    return settings


def read_commands(log: str) -> list[Command]:
    """Return the commands in a log; between `::stop-commands::WORD` and `::WORD::` there are none."""
    commands: list[Command] = []
    stopped = ""
    for line in log.splitlines():
        match = _COMMAND.search(line)
        if not match:
            continue
        name, properties, message = (match[1], match[2], match[3]) if match[1] else (match[4], match[5], match[6])
        if stopped:
            stopped = "" if name == stopped else stopped
        else:
            commands.append(Command(name, properties.strip(), message))
            stopped = message if name == "stop-commands" else ""
    return commands


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it says."""
    settings = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "protocol.file.allow=always")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "LANG": "C.UTF-8"}
    process = subprocess.run(
        ["git", *settings, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if process.returncode:
        raise RuntimeError(f"git {' '.join(arguments)}: {process.stderr}")
    return process.stdout.strip()


def link_python(folder: Path, log: Path) -> None:
    """Make a folder of programs with this Python and `udfs`; what pip is to install is there already, and written down."""
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "python"
    python.write_text(
        f'#!/bin/sh\ncase "$*" in *"pip install"*) printf "%s\\n" "$*" >>"{log}"; exit 0;; esac\nexec "{sys.executable}" "$@"\n'
    )
    python.chmod(0o755)
    for program in ("python3",):
        shutil.copy(python, folder / program)
    (folder / "udfs").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n')
    (folder / "udfs").chmod(0o755)
