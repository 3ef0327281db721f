"""
Requirements of a package group, from every place where the manifest may state them.

Requirements files are read here, with everything they include, so that the lock can tell which requirement is new, and
so that a comment in such a file makes no lock stale. Every requirement keeps its place for the messages.
"""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import InvalidManifest, Position, Problem
from reconciler.base.inputs import REQUIREMENTS, read_named
from reconciler.manifest.paths import Folder, Refusal
from reconciler.manifest.requirements import (
    Include,
    PackageRequirement,
    Switch,
    join_folder,
    parse_requirement,
    path_requirement,
    read_requirement_lines,
    why_not_a_constraint,
)
from reconciler.manifest.suites import fitting_suite
from reconciler.packages import content
from reconciler.packages.build.sources import tree_digest
from reconciler.packages.lock.file import Inputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.manifest.load import Loaded
    from reconciler.manifest.model import Build, Package
    from reconciler.manifest.runtimes import Runtime

_MAX_FILES = 100
_MAX_PROBLEMS = 100
"""Nobody reads more."""


@dataclass(frozen=True)
class LockRequest:
    """A package group as it is to be resolved for one runtime."""

    package: str
    runtime: Runtime
    inputs: Inputs
    requirements: tuple[PackageRequirement, ...]
    constraints: tuple[PackageRequirement, ...]
    carried: tuple[tuple[str, PackageRequirement], ...]
    """Libraries, and the requirements whose wheels carry them."""

    places: dict[str, Position] = field(compare=False)
    """The text of a requirement or constraint → where it stands first."""


def read_requests(loaded: Loaded) -> list[LockRequest]:
    """Return what is to be resolved: each package with requirements, for each runtime that uses it."""
    requests: list[LockRequest] = []
    problems: list[Problem] = []
    # What nothing uses yet is for the runtime of functions that name none, where a service has such.
    usual = [loaded.runtime] if loaded.manifest.python else []
    for package, declared in loaded.manifest.packages.items():
        if not declared.is_locked:
            continue
        users = [runtime for name, runtime in loaded.package_runtimes if name == package]
        for runtime in users or usual:
            try:
                requests.append(read_request(loaded, package, runtime))
            except InvalidManifest as error:
                problems += error.problems
    if problems:
        raise InvalidManifest.of(dict.fromkeys(problems))
    return requests


def named_files(loaded: Loaded, package: str) -> frozenset[str]:
    """Return the files and folders that a package's requirements name: requirements files, whatever they include, and projects."""
    reader = _Reader(loaded, package)
    reader.read_manifest()
    local = [requirement.path for requirement in reader.requirements.values() if requirement.path is not None]
    return frozenset([*reader.files, *local])


def read_request(loaded: Loaded, package: str, runtime: Runtime) -> LockRequest:
    """Read what a package wants; raises InvalidManifest with everything in its requirements files that is not accepted."""
    declared = loaded.manifest.packages[package]
    reader = _Reader(loaded, package)
    reader.read_manifest()
    names = {requirement.name for requirement in reader.requirements.values()}
    installed = [
        loaded.manifest.installed_distributions(function)
        for name, function in loaded.manifest.functions.items()
        if package in function.packages and loaded.code[name].runtime == runtime
    ]
    # What the image of all users has; nothing if they have several images, or its version is not published.
    image = installed[0] if installed and all(other == installed[0] for other in installed) else {}
    provided = {name: version for name, version in image.items() if version and name not in names}
    for name, version in provided.items():  # what the image has, at the version that it has
        reader.add(parse_requirement(f"{name}=={version}"), reader.constraints, loaded.at("packages", package))
    local, build = reader.local(), reader.build(declared.build, declared.library_files)
    if reader.problems:
        raise InvalidManifest.of(reader.problems)
    inputs = Inputs(
        python=runtime.full_version,
        platform=runtime.platforms[0],
        requirements=sorted(map(_with_hashes, reader.requirements.values())),
        constraints=sorted(map(_with_hashes, reader.constraints.values())),
        without=sorted({*declared.without, *provided}),
        extra_index=list(declared.extra_index),
        index=_canonical(declared.index),
        find_links=list(declared.find_links),
        carried=reader.carriers(),
        local=local,
        build=build,
        prefer_binary=declared.prefer_binary or "--prefer-binary" in reader.switches,
        pre_release=declared.pre_release or "--pre" in reader.switches,
        no_deps=declared.no_deps,
        debian=list(declared.debian),
        suite=_suite(declared, runtime),
        base=sorted(declared.base),
        recommends=declared.recommends,
    )
    requirements, constraints = tuple(reader.requirements.values()), tuple(reader.constraints.values())
    return LockRequest(
        package, runtime, inputs, requirements, constraints, tuple(reader.carried.items()), reader.places
    )


class _Reader:
    """Collects from the manifest and from files that include each other."""

    def __init__(self, loaded: Loaded, package: str) -> None:
        self.loaded, self.package = loaded, package
        self.folder = Folder(loaded.folder)
        self._beside = Path(loaded.at().file).parent
        self.requirements: dict[str, PackageRequirement] = {}
        self.constraints: dict[str, PackageRequirement] = {}
        self.carried: dict[str, PackageRequirement] = {}
        self.switches: set[str] = set()
        self.places: dict[str, Position] = {}
        self.problems: list[Problem] = []
        self._seen: set[tuple[str, bool]] = set()

    def read_manifest(self) -> None:
        """Read what the manifest itself says, and the files that it names."""
        declared = self.loaded.manifest.packages[self.package]
        for key, texts, file, into in (
            ("requirements", declared.requirements, declared.requirements_file, self.requirements),
            ("constraints", declared.constraints, declared.constraints_file, self.constraints),
        ):
            for index, text in enumerate(texts):
                self.add(parse_requirement(text), into, self._at(key, index))
            if file:
                self.read_file(file, into, self._at(f"{key}_file"))
        for number, library in declared.wheel_libraries.items():
            requirement = parse_requirement(library.from_)
            assert isinstance(requirement, PackageRequirement)  # the manifest's own checks have read it
            self.carried[library.library] = requirement
            self.places[f"library {library.library}"] = self._at("libraries", number)
        is_empty = not (self.requirements or self.problems or declared.wheels or declared.libraries or declared.debian)
        if declared.is_locked and is_empty:
            message = (
                f"the package '{self.package}' names nothing to ship: '{declared.requirements_file}' requires nothing"
            )
            hint = "write a requirement into it, or remove the package"
            self.problems.append(Problem("E201", message, self._at("requirements_file"), hint))
        for index, name in enumerate(declared.debian):
            self.places[f"debian {name}"] = self._at("debian", index)
        for index, name in enumerate(declared.extra_index):
            self.places[f"extra_index {name}"] = self._at("extra_index", index)
        for name in declared.index:
            self.places[f"index {next(iter(_canonical({name: ''})))}"] = self._at("index", name)

    @property
    def files(self) -> frozenset[str]:
        """The requirements files that were read, or would have been."""
        return frozenset(path for path, _ in self._seen)

    def carriers(self) -> dict[str, str]:
        """Return the libraries with the texts of the requirements whose wheels carry them."""
        return {library: requirement.text for library, requirement in self.carried.items()}

    def _at(self, *keys: str | int) -> Position:
        return self.loaded.at("packages", self.package, *keys)

    def add(
        self,
        read: PackageRequirement | Refusal,
        into: dict[str, PackageRequirement],
        position: Position,
        folder: str = "",
    ) -> None:
        if isinstance(read, PackageRequirement) and into is self.constraints:
            read = why_not_a_constraint(read) or read
        if isinstance(read, Refusal):
            self.problems.append(Problem(read.code, read.message, position, read.hint))
            return
        if read.path is not None:
            read = path_requirement(join_folder(folder, read.path), read.extras, read.hashes)
        present = into.setdefault(read.text, read)
        if present.hashes != read.hashes:
            into[read.text] = PackageRequirement(
                read.text, read.name, read.path, read.extras, (*present.hashes, *read.hashes)
            )
        self.places.setdefault(read.text, position)

    def read_file(self, path: str, into: dict[str, PackageRequirement], named_at: Position) -> None:
        constrains = into is self.constraints
        if (path, constrains) in self._seen:
            return
        self._seen.add((path, constrains))
        text = self._text(path, named_at)
        if text is None:
            return
        if len(self._seen) > _MAX_FILES:
            self.problems.append(
                Problem("E472", f"more than {_MAX_FILES} requirements files include each other", named_at)
            )
            return
        folder = path.rpartition("/")[0]
        for line in read_requirement_lines(text):
            if len(self.problems) >= _MAX_PROBLEMS:
                return
            position = Position(str(self._beside / path), line.number, 1)
            if isinstance(line.what, Include):
                target = self.constraints if line.what.constrains or constrains else self.requirements
                self.read_file(join_folder(folder, line.what.path), target, position)
            elif isinstance(line.what, Switch):
                self.switches.add(line.what.name)
            else:
                self.add(line.what, into, position, folder)

    def local(self) -> dict[str, str]:
        """Return the digest of everything that a requirement names by its path."""
        digests: dict[str, str] = {}
        for text, requirement in self.requirements.items():
            if requirement.path is None:
                continue
            path = self.folder.find(requirement.path, "either")
            if isinstance(path, Refusal):
                self.problems.append(Problem(path.code, path.message, self.places[text], path.hint))
                continue
            if digest := self._digest(requirement.path):
                digests[requirement.path] = digest
        return digests

    def build(self, declared: Build, beside: Sequence[str]) -> dict[str, str]:
        """
        Return what decides how something is built, as far as the manifest says anything.

        `beside` are the package's own libraries: what is built is linked against them, too.
        """
        files = [
            *(("headers", path) for path in declared.headers),
            *(("programs", path) for path in declared.programs),
            *(("libraries", path) for path in (*declared.libraries, *beside)),
        ]
        return {
            **({"builder": declared.builder} if declared.builder != "zig" else {}),
            **({"requires": ", ".join(declared.requires)} if declared.requires else {}),
            **{f"environment {name}": value for name, value in sorted(declared.environment.items())},
            **{f"{key} {path}": digest for key, path in files if (digest := self._digest(path))},
        }

    def _digest(self, path: str) -> str | None:
        """Return what a path of the manifest holds; None if it cannot be read, which the manifest's own checks tell."""
        file = self.loaded.folder / path
        try:
            return tree_digest(file) if file.is_dir() else content.read_content(file).sha256
        except OSError as error:
            message = f"'{path}' cannot be read: {error.strerror or error}"
            self.problems.append(Problem("E305", message, Position(str(self._beside / path))))
            return None

    def _text(self, path: str, named_at: Position) -> str | None:
        file = self.folder.find(path)
        if isinstance(file, Refusal):
            self.problems.append(Problem(file.code, file.message, named_at, file.hint))
            return None
        try:
            return read_named(self.loaded.folder / file, REQUIREMENTS).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            if getattr(error, "errno", None) == errno.EFBIG:
                problem = Problem("E472", f"'{path}' is too large for a requirements file", named_at)
            else:
                reason = getattr(error, "strerror", None) or "it is not UTF-8"
                problem = Problem("E305", f"'{path}' cannot be read: {reason}", named_at)
            self.problems.append(problem)
            return None


def _suite(declared: Package, runtime: Runtime) -> str | None:
    """Return the suite of a package's Debian packages: the manifest's, else that of the runtime's system, else the newest that loads there."""
    if not declared.debian:
        return None
    return declared.suite or runtime.platform.suite or fitting_suite(runtime.glibc)


def _canonical(by_name: Mapping[str, str]) -> dict[str, str]:
    """Return what is said of distributions under their names as indexes spell them."""
    if not by_name:
        return {}
    from packaging.utils import canonicalize_name

    return {str(canonicalize_name(name)): text for name, text in by_name.items()}


def _with_hashes(requirement: PackageRequirement) -> str:
    """Name a requirement such that other hashes make another text; a list of thirty would help nobody in a lock."""
    if not requirement.hashes:
        return requirement.text
    digest = hashlib.sha256(" ".join(sorted(requirement.hashes)).encode()).hexdigest()[:8]
    return f"{requirement.text} (hashes {digest})"
