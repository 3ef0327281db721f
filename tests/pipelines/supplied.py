"""Actions of GitHub's own, which are JavaScript: what their pages say of the inputs that are used here, by folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.pipelines.platform import ActionFailed, JobRunner, Refused, git, link_python

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _require(action: str, inputs: Mapping[str, str], known: str) -> None:
    if unknown := set(inputs) - set(known.split()):
        raise Refused(f"{action} with {', '.join(sorted(unknown))}")


def checkout(job: JobRunner, inputs: Mapping[str, str]) -> dict[str, str]:
    """Fetch the commit of the event, or `ref`; one commit deep unless `fetch-depth: 0`."""
    _require("checkout", inputs, "ref path fetch-depth persist-credentials")
    folder = job.workspace / inputs.get("path", ".")
    folder.mkdir(parents=True, exist_ok=True)
    ref = inputs.get("ref") or job.run_.event.sha
    depth = [] if inputs.get("fetch-depth") == "0" else ["--depth", inputs.get("fetch-depth") or "1"]
    git(folder, "init", "-q")
    git(folder, "remote", "add", "origin", f"file://{job.platform.origin}")
    wanted = [ref, "+refs/heads/*:refs/remotes/origin/*"] if not depth else [ref]
    git(folder, "fetch", "-q", "--no-tags", *depth, "origin", *wanted)
    git(folder, "checkout", "-q", "--detach", git(folder, "rev-parse", "FETCH_HEAD"))
    if inputs.get("persist-credentials") != "false":
        git(folder, "config", "http.https://github.com/.extraheader", f"AUTHORIZATION: basic {job.token}")
    return {"commit": git(folder, "rev-parse", "HEAD"), "ref": ref}


def setup_python(job: JobRunner, inputs: Mapping[str, str]) -> dict[str, str]:
    """Put this Python on the path, whatever version is asked for."""
    _require("setup-python", inputs, "python-version")
    programs = job.folder / "tools" / "python"
    link_python(programs, job.platform.folder / "installed.txt")
    job.path.insert(0, str(programs))
    return {"python-path": str(programs / "python")}


def upload_artifact(job: JobRunner, inputs: Mapping[str, str]) -> dict[str, str]:
    """Keep files under a name that the run has not used yet; hidden ones are left out."""
    _require("upload-artifact", inputs, "name path if-no-files-found retention-days include-hidden-files")
    place = job.run_.artifacts / inputs.get("name", "artifact")
    hidden = inputs.get("include-hidden-files") == "true"
    sources = [_inside(job, line) for line in inputs["path"].split("\n") if line.strip()]
    files = [
        (source, path)
        for source in sources
        for path in (source.rglob("*") if source.is_dir() else [source])
        if path.is_file() and (hidden or not any(part.startswith(".") for part in path.relative_to(source).parts))
    ]
    if not files:
        if inputs.get("if-no-files-found") == "error":
            raise ActionFailed(f"no files were found with the provided path: {inputs['path']}")
        return {}
    if place.exists():
        raise ActionFailed(f"an artifact with the name {place.name} already exists in this run")
    for source, path in files:
        to = place / (path.relative_to(source) if source.is_dir() else path.name)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to)
    return {"artifact-id": str(abs(hash(place))), "artifact-url": f"https://github.com/artifacts/{place.name}"}


def download_artifact(job: JobRunner, inputs: Mapping[str, str]) -> dict[str, str]:
    """Bring back what a job of this run has kept."""
    _require("download-artifact", inputs, "name path")
    place, to = job.run_.artifacts / inputs["name"], _inside(job, inputs.get("path", "."))
    if not place.is_dir():
        raise ActionFailed(f"there is no artifact {inputs['name']} in this run")
    shutil.copytree(place, to, dirs_exist_ok=True)
    return {"download-path": str(to)}


def restore_cache(job: JobRunner, inputs: Mapping[str, str]) -> dict[str, str]:
    """Bring back the newest cache of a key, or of the first prefix that has any: those of this branch, then of the base."""
    _require("cache", inputs, "path key restore-keys")
    to = _inside(job, inputs["path"])
    event = job.run_.event
    scopes = [event.ref, f"refs/heads/{event.base_ref}" if event.base_ref else "refs/heads/main"]
    for scope in scopes:
        kept = job.platform.caches / scope.replace("/", "+")
        newest = sorted(kept.glob("*"), key=lambda path: path.stat().st_mtime_ns, reverse=True) if kept.is_dir() else []
        for key in [inputs["key"], *inputs.get("restore-keys", "").split("\n")]:
            for place in newest:
                if key and (place.name == key or (key != inputs["key"] and place.name.startswith(key))):
                    shutil.copytree(place, to, dirs_exist_ok=True)
                    return {"cache-hit": str(place.name == inputs["key"]).lower(), "cache-matched-key": place.name}
    return {"cache-hit": ""}


def save_cache(job: JobRunner, inputs: Mapping[str, str]) -> dict[str, str]:
    """Keep a folder under a key of this branch; a key is written once."""
    _require("cache/save", inputs, "path key")
    source = _inside(job, inputs["path"])
    place = job.platform.caches / job.run_.event.ref.replace("/", "+") / inputs["key"]
    if source.is_dir() and not place.exists():
        shutil.copytree(source, place)
    return {}


def cache(job: JobRunner, inputs: Mapping[str, str]) -> dict[str, str]:
    """Restore now, and save at the job's end unless the key was there."""
    restored = restore_cache(job, inputs)
    if restored["cache-hit"] != "true":
        job.posts.append(lambda: _save_after_success(job, inputs))
    return restored


def _save_after_success(job: JobRunner, inputs: Mapping[str, str]) -> None:
    if not job.failed:
        save_cache(job, {"path": inputs["path"], "key": inputs["key"]})


def _inside(job: JobRunner, path: str) -> Path:
    return job.workspace / Path(path.strip().replace("~", str(job.folder / "home"), 1))


MOST_CATEGORIES = 20
"""Runs that one upload may have [docs.github.com, "SARIF support for code scanning"]."""


def upload_sarif(job: JobRunner, inputs: Mapping[str, str]) -> dict[str, str]:
    """Put what the SARIF files of a folder say in place of what was said in their categories, for the event's ref."""
    _require("upload-sarif", inputs, "sarif_file")
    if job.job.permissions.get("security-events") != "write":
        raise ActionFailed("Resource not accessible by integration")
    folder = _inside(job, inputs["sarif_file"])
    files = sorted(folder.rglob("*.sarif"))
    if not files:
        raise ActionFailed(f"No SARIF files found to upload in {folder}")
    runs = [run for file in files for run in json.loads(file.read_text())["runs"]]
    categories = [run["automationDetails"]["id"].rpartition("/")[0] for run in runs]
    if len(set(categories)) < len(runs) or len(runs) > MOST_CATEGORIES:
        raise ActionFailed("several runs of one category, or more than twenty")
    alerts = job.platform.alerts.setdefault(job.run_.event.ref, {})
    alerts |= {category: run["results"] for category, run in zip(categories, runs, strict=True)}
    return {"sarif-id": "1"}


SUPPLIED: dict[str, Callable[[JobRunner, Mapping[str, str]], dict[str, Any]]] = {
    "actions/checkout": checkout,
    "actions/setup-python": setup_python,
    "actions/upload-artifact": upload_artifact,
    "actions/download-artifact": download_artifact,
    "actions/cache": cache,
    "actions/cache/restore": restore_cache,
    "actions/cache/save": save_cache,
    "github/codeql-action/upload-sarif": upload_sarif,
}
