"""Packages of a manifest: each ships something, and what it lists can be read and uploaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from reconciler.base.names import SINGLE, bundle_archive, versioned_name
from reconciler.base.words import quote
from reconciler.manifest.checks.debian import check_debian
from reconciler.manifest.checks.names import check_file, check_files, check_patterns, check_repeated
from reconciler.manifest.dialect import Flaw
from reconciler.manifest.model import PinnedWheel
from reconciler.manifest.paths import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifest.dialect import Draft, Keys
    from reconciler.manifest.model import Package
    from reconciler.manifest.requirements import PackageRequirement

_FOR_THE_LOCK = {
    *("constraints", "constraints_file", "prefer_binary", "pre_release", "no_deps", "without", "extra_index"),
    *("find_links", "build"),
}
"""Keys of a package that say how requirements are resolved."""

_Kind = Literal["requirement", "constraint", "build requirement", "name"]


def check_packages(draft: Draft[Any]) -> Iterator[Flaw]:
    """Yield what is wrong with packages."""
    for name, package in draft.manifest.packages.items():
        here = draft.manifest.package_keys(name)
        yield from _wheels(draft, package, here)
        yield from _sources(draft, package, here)
        yield from check_files(draft, package.build.headers, *here, "build", "headers", kind="folder")
        yield from check_files(draft, package.build.programs, *here, "build", "programs")
        yield from _requirements(draft, package.build.requires, "build requirement", *here, "build", "requires")
        yield from check_files(draft, package.build.libraries, *here, "build", "libraries")
        yield from _exclusive(draft, package, here)
        yield from _libraries(draft, package, *here, "libraries")
        yield from check_patterns(package.exclude, *here, "exclude")
        yield from check_debian(draft, package, here)
        if package.bundle:
            yield from _bundle(draft, package.bundle, here)


def check_package_uses(draft: Draft[Any]) -> Iterator[Flaw]:
    """Yield a warning for each package that no function and no layer uses."""
    users = (*draft.manifest.functions.values(), *draft.manifest.layers.values())
    used = {name for user in users for name in user.packages}
    for name in draft.manifest.packages:
        if name not in used:
            in_layers = draft.dialect.service.layer_folder != ""
            hint = f"name it under {'a layer or ' if in_layers else ''}a function's `packages:`"
            here = draft.manifest.package_keys(name)
            yield Flaw("E312", f"no function uses the package {quote(name)}", here, hint, is_warning=True)


def _wheels(draft: Draft[Any], package: Package, here: Keys) -> Iterator[Flaw]:
    written = [wheel.requirement if isinstance(wheel, PinnedWheel) else wheel for wheel in package.wheels]
    yield from check_repeated(written, *here, "wheels")
    for index, wheel in enumerate(package.wheels):
        keys = (*here, "wheels", index)
        if not isinstance(wheel, PinnedWheel):
            yield from _wheel_file(draft, wheel, keys, is_alone=package.bundle is None)
        elif not is_pinned(wheel.requirement):
            message = f"{quote(wheel.requirement)} does not name one version"
            yield Flaw("E404", message, (*keys, "requirement"), "name==version, such as numpy==1.19.2")


def _libraries(draft: Draft[Any], package: Package, *keys: str | int) -> Iterator[Flaw]:
    yield from check_repeated(
        [library if isinstance(library, str) else library.library for library in package.libraries], *keys
    )
    for index, library in enumerate(package.libraries):
        if isinstance(library, str):
            yield from check_file(draft, library, *keys, index)
        elif isinstance(read := _requirement(library.from_, "build requirement"), Refusal):
            yield Flaw(read.code, read.message, (*keys, index, "from"), read.hint)


def _wheel_file(draft: Draft[Any], path: str, keys: Keys, *, is_alone: bool) -> Iterator[Flaw]:
    if not path.endswith(".whl"):
        hint = "a wheel's name ends in .whl; other files go under `resources:`"
        yield Flaw("E406", f"{quote(path)} is not a wheel", keys, hint)
        return
    file = yield from check_file(draft, path, *keys)
    # In a bundle a wheel has no name of its own on the service.
    if is_alone:
        name = draft.dialect.service.wheel_archive(path)
        if (why_not := draft.dialect.service.why_not_a_resource_name(name)) is not None:
            yield Flaw("E302", f"the wheel cannot be uploaded as {quote(name)}", keys, why_not)
        yield from draft.claim(name, (file, "archive"), *keys)


def _sources(draft: Draft[Any], package: Package, here: Keys) -> Iterator[Flaw]:
    """Yield what is wrong with the requirements, and with the files and indexes that they come from."""
    yield from _requirements(draft, package.requirements, "requirement", *here, "requirements")
    yield from _requirements(draft, package.constraints, "constraint", *here, "constraints")
    yield from _requirements(draft, package.without, "name", *here, "without")
    for key, path in (
        ("requirements_file", package.requirements_file),
        ("constraints_file", package.constraints_file),
    ):
        if path is not None:
            yield from check_file(draft, path, *here, key)
    yield from check_files(draft, package.find_links, *here, "find_links", kind="folder")
    yield from check_repeated(package.extra_index, *here, "extra_index")


def _exclusive(draft: Draft[Any], package: Package, here: Keys) -> Iterator[Flaw]:
    """Yield keys that must be there and are not, or must not be there together."""
    if not (package.is_locked or package.wheels or package.libraries):
        in_layers = draft.dialect.service.layer_folder != ""
        hint = f"`requirements:`, `requirements_file:`, `wheels:`{', `debian:`' if in_layers else ''} or `libraries:`"
        yield Flaw("E201", f"the package {quote(str(here[1]))} names nothing to ship", here, hint)
    if package.build.libraries and package.libraries:
        message, hint = "'build.libraries' and 'libraries' exclude each other", "put them into the wheel, or beside it"
        yield Flaw("E204", message, (*here, "build", "libraries"), hint, True)
    # A setting of the resolver that nothing is resolved with is a mistake, not a preference.
    if not package.has_requirements:
        for key in sorted(_FOR_THE_LOCK & draft.document.value(*here).keys()):
            message = f"{quote(key)} goes with `requirements:` or `requirements_file:` only"
            yield Flaw("E204", message, (*here, key), at_key=True)


def _requirements(draft: Draft[Any], texts: list[str], kind: _Kind, *keys: str | int) -> Iterator[Flaw]:
    if not texts:
        return
    seen: set[str] = set()
    for index, text in enumerate(texts):
        requirement = _requirement(text, kind)
        if isinstance(requirement, Refusal):
            yield Flaw(requirement.code, requirement.message, (*keys, index), requirement.hint)
            continue
        if requirement.text in seen:
            yield Flaw("E313", f"{quote(text)} is listed twice", (*keys, index), "keep one")
        # What lies there, a wheel, an archive or a project, shows when it is built or read.
        elif requirement.path is not None:
            path = draft.folder.find(requirement.path, "either")
            if isinstance(path, Refusal):
                yield Flaw(path.code, path.message, (*keys, index), path.hint)
        seen.add(requirement.text)


def _requirement(text: str, kind: _Kind) -> PackageRequirement | Refusal:
    """Read a requirement, and refuse what is one but not of this kind."""
    from reconciler.manifest.requirements import parse_requirement, why_not_a_constraint

    read = parse_requirement(text)
    # "numpy>=1" would read as a requirement, and leave out more than its author meant.
    if kind == "name" and (isinstance(read, Refusal) or read.text != read.name):
        return Refusal("E470", f"{quote(text)} is not the name of a distribution", "the name alone: numpy")
    if isinstance(read, Refusal):
        return read
    if kind == "constraint":
        return why_not_a_constraint(read) or read
    if kind == "build requirement" and read.path is not None:
        return Refusal("E470", f"{quote(text)} is a path", "a build is given distributions: 'setuptools<60'")
    return read


def _bundle(draft: Draft[Any], bundle: str, here: Keys) -> Iterator[Flaw]:
    manifest, package = draft.manifest, str(here[1])
    functions = [function for function in manifest.functions.values() if package in function.packages]
    # Each runtime has wheels of its own, and so an archive under a name of its own.
    for runtime in dict.fromkeys(function.python or manifest.python for function in functions):
        name = bundle_archive(package, bundle, runtime, manifest.python)
        # A digest is added later, and any is as long as another: the length is what is checked.
        is_versioned = bundle == SINGLE and manifest.rollout == "versioned"
        why_not = draft.dialect.service.why_not_a_resource_name(
            versioned_name(name, "0" * 64) if is_versioned else name
        )
        if why_not is not None:
            yield Flaw("E302", f"the package cannot be uploaded as {quote(name)}", here, why_not, True)
        if not is_versioned:
            yield from draft.claim(name, ("bundle", package, name), *here)


def is_pinned(requirement: str) -> bool:
    """Say whether a requirement is ``name==version`` and nothing else."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        parsed = Requirement(requirement)
    except (InvalidRequirement, RecursionError):
        return False
    specifiers = list(parsed.specifier)
    if parsed.url or parsed.marker or parsed.extras or len(specifiers) != 1:
        return False
    return specifiers[0].operator == "==" and not specifiers[0].version.endswith(".*")
