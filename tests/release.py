"""
A release: wheel and sdist whose bytes come out the same twice, and a changelog that tells of them.

    python -m tests.release --out dist                                   what CI asks of every change
    python -m tests.release --out dist --tag v1.2.3 --notes notes.md     what a tag asks
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).parents[1]

GROUPS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
"""The sections of Keep a Changelog."""

_RELEASE = re.compile(r"(?P<version>\S+) - (?P<day>\d{4}-\d{2}-\d{2})\Z")


def package_version() -> str:
    text = (ROOT / "reconciler/__init__.py").read_text(encoding="utf-8")
    version: str
    [version] = re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    return version


def sections(changelog: str) -> dict[str, str]:
    """Return what a changelog says of each release, by the words of its heading."""
    _, *parts = re.split(r"^## ", changelog, flags=re.MULTILINE)
    return {title.strip(): text.strip() for title, _, text in (part.partition("\n") for part in parts)}


def changelog_faults(changelog: str, version: str) -> list[str]:
    """Return what is wrong with a changelog for a package of a version."""
    releases = sections(changelog)
    faults = [] if next(iter(releases), "") == "Unreleased" else ["the first section is not 'Unreleased'"]
    dated = [_RELEASE.match(title) for title in releases if title != "Unreleased"]
    if not all(dated):
        faults.append("a heading is no 'VERSION - DAY'")
    for text in releases.values():
        faults += [
            f"'{group}' is no group" for group in re.findall(r"^### (.+)$", text, re.MULTILINE) if group not in GROUPS
        ]
    try:
        numbers = [Version(match["version"]) for match in dated if match]
    except InvalidVersion as error:
        return [*faults, str(error)]
    if sorted(numbers, reverse=True) != numbers or len(set(numbers)) != len(numbers):
        faults.append("the releases are not in order, the newest first")
    if numbers and Version(version) < numbers[0]:
        faults.append(f"the package is {version}, older than {numbers[0]}")
    if not Version(version).is_devrelease and Version(version) not in numbers[:1]:
        faults.append(f"the package is {version}, and the newest release is another")
    return faults


def tag_faults(tag: str, changelog: str, version: str) -> list[str]:
    """Return why a tag is none for this package, and this changelog."""
    if tag != f"v{version}":
        return [f"the tag is {tag}, and the package {version}"]
    return [] if release_notes(changelog, version) else [f"the changelog says nothing of {version}"]


def release_notes(changelog: str, version: str) -> str:
    found = [text for title, text in sections(changelog).items() if title.startswith(f"{version} - ")]
    return found[0] if found else ""


def build_twice(out: Path) -> None:
    """Build what is committed in two folders, and put it to `out` if it is the same to the byte; else exit."""
    env = {**os.environ, "SOURCE_DATE_EPOCH": _git("log", "-1", "--format=%ct").strip()}
    with tempfile.TemporaryDirectory() as work:
        builds = [_build(Path(work) / name, env) for name in ("first", "another/folder")]
        digests = [
            {file.name: sha256(file.read_bytes()).hexdigest() for file in sorted(build.iterdir())} for build in builds
        ]
        if digests[0] != digests[1] or len(digests[0]) != 2:
            sys.exit(f"two builds of one commit differ: {digests[0]} and {digests[1]}")
        shutil.copytree(builds[0], out, dirs_exist_ok=True)
        for name, digest in digests[0].items():
            print(f"{digest}  {name}")


def _build(folder: Path, env: dict[str, str]) -> Path:
    folder.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    out = folder.with_name(f"{folder.name}-dist")
    command = [sys.executable, "-m", "build", "--outdir", str(out), str(folder)]
    process = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=600)
    if process.returncode:
        sys.exit(process.stdout + process.stderr)
    return out


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tag")
    parser.add_argument("--notes", type=Path)
    arguments = parser.parse_args()
    changelog, version = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), package_version()
    faults = changelog_faults(changelog, version)
    if arguments.tag is not None:
        faults += tag_faults(arguments.tag, changelog, version)
    if faults:
        sys.exit("\n".join(faults))
    build_twice(arguments.out)
    if arguments.notes:
        arguments.notes.write_text(release_notes(changelog, version) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
