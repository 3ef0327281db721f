"""
Judge the manifest as a whole: names, references, files, and what would be uploaded under which name.

The model knows the shape of each part; here the parts meet. Everything that is found is reported at once. What the
checks work out about a function on the way is kept as its `Code`, so that no later stage works it out again.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from reconciler.base.errors import count
from reconciler.base.names import (
    ARCHIVE_SUFFIXES,
    FOLDER_SUFFIXES,
    SINGLE,
    bundle_archive,
    is_package,
    is_qualified,
    module_name,
    reference,
    versioned,
    wheel_archive,
    why_not_a_function_name,
    why_not_a_resource_name,
)
from reconciler.base.patterns import matcher
from reconciler.base.wording import did_you_mean, quoted
from reconciler.manifest.model import ROW_FILES, PinnedWheel
from reconciler.manifest.paths import Folder, Refusal
from reconciler.manifest.requirements import Refused, Wanted, wanted, why_not_a_constraint
from reconciler.manifest.runtimes import PLATFORMS, RUNTIMES, Runtime, runtimes_of
from reconciler.manifest.service import IMAGES
from reconciler.manifest.signature import NotASignature, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from reconciler.manifest.model import Function, Manifest, Package, Resource, ResourceType, Target
    from reconciler.manifest.paths import Kind
    from reconciler.manifest.reader import Document

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PROJECT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,127}\Z")
_TABLE = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+){0,2}\Z")
_PARTITION = re.compile(r"[A-Za-z_]\w*\s*=\s*('[^']*'|\"[^\"]*\"|\w+)\Z", re.ASCII)
_MAX_GUESSES = 100
_FOR_THE_LOCK = {
    *("constraints", "constraints_file", "prefer_binary", "pre_release", "no_deps", "without", "extra_index"),
    *("find_links", "build"),
}
"""Keys of a package that say how requirements are resolved."""


@dataclass(frozen=True)
class Code:
    """Where a function's class comes from."""

    class_path: str
    """As MaxCompute takes it: ``module.Class``."""

    entry: str | None
    """The name of the Python resource that holds the class; None if a jar does."""

    runtime: Runtime
    carrier: str
    """The name of the resource whose mark speaks for the function: `entry`, or the first one that the stack manages."""

    versioned: bool = False
    """Whether `entry`, which then is the carrier too, is uploaded under a name with its content's digest."""


@dataclass(frozen=True)
class Checked:
    """What the checks leave behind."""

    code: dict[str, Code]
    files: dict[str, str]
    """Every path of the manifest that is a file, as it is written → absolute, symbolic links resolved."""

    runtimes: dict[str, Runtime]
    """By tag, with what the manifest says of each."""

    types: dict[str, ResourceType]
    """For each resource, the type under which the service will know it."""


def resource_type(name: str, resource: Resource) -> ResourceType:
    """Return the type under which MaxCompute will know a resource."""
    if resource.type is not None:
        return resource.type
    if resource.table is not None:
        return "table"
    folded = name.lower()
    if folded.endswith(".py"):
        return "py"
    if folded.endswith(".jar"):
        return "jar"
    return "archive" if folded.endswith(ARCHIVE_SUFFIXES) else "file"


def is_identifier(text: str) -> bool:
    """Say whether `text` can be a module or a class in every Python that MaxCompute runs."""
    return _IDENTIFIER.match(text) is not None and not keyword.iskeyword(text)


def check(document: Document, manifest: Manifest, target_name: str, target: Target, folder: Path) -> Checked:
    """Note all that is wrong in `document.problems`, warnings too, and return what was worked out."""
    types = {name: resource_type(name, resource) for name, resource in manifest.resources.items()}
    checker = _Checker(document, manifest, target, Folder(folder), runtimes_of(manifest), types)
    checker.targets(target_name)
    checker.runtimes()
    checker.resources()
    checker.tables()
    checker.packages()
    checker.functions()
    checker.wiring()
    checker.moved()
    checker.policy()
    return Checked(checker.code, checker.files, checker.usable, types)


@dataclass
class _Checker:
    document: Document
    manifest: Manifest
    target: Target
    folder: Folder
    usable: dict[str, Runtime]
    types: dict[str, ResourceType]
    code: dict[str, Code] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    _uploads: dict[str, tuple[object, tuple[str | int, ...]]] = field(default_factory=dict)
    """Folded name → what is uploaded under it, and where the manifest says so."""

    def note(self, code: str, message: str, *path: str | int, hint: str | None = None, at_key: bool = False) -> None:
        place = (self.document.find_key if at_key else self.document.find)(*path)
        self.document.note(code, message, place, hint=hint)

    # --- moved --------------------------------------------------------------------------------------------------------

    def moved(self) -> None:
        """An old name leads to one that is declared, and is not declared itself."""
        declared = {name.lower() for name in (*self.manifest.functions, *self.manifest.resources)}
        seen = set[str]()
        for number, move in enumerate(self.manifest.moved):
            if move.to.lower() not in declared:
                hint = did_you_mean(move.to, declared) or "it takes a name under `functions:` or `resources:`"
                self.note(
                    "E530",
                    f"there is no {quoted(move.to)} that anything could be called now",
                    "moved",
                    number,
                    "to",
                    hint=hint,
                )
            if move.from_.lower() in declared or move.from_.lower() in seen:
                why = "is still in the manifest" if move.from_.lower() in declared else "has another new name already"
                hint = "the old name is one that the manifest no longer has"
                self.note("E530", f"{quoted(move.from_)} {why}", "moved", number, "from", hint=hint)
            seen.add(move.from_.lower())

    def policy(self) -> None:
        if self.manifest.policy is not None:
            self._file(("policy",), self.manifest.policy)

    # --- targets ------------------------------------------------------------------------------------------------------

    def targets(self, chosen: str) -> None:
        for name, target in self.manifest.targets.items():
            for key, value in (("endpoint", target.endpoint), ("project", target.project), ("schema", target.schema_)):
                # Variables are put in place for the chosen target alone; the others are judged as far as they are known.
                if value is None or (name != chosen and "${" in value):
                    continue
                hint = _why_not_an_endpoint(value) if key == "endpoint" else _why_not_a_project(value)
                if hint is not None:
                    self.note(
                        "E203",
                        f"the {key} of the target {quoted(name)} cannot be used",
                        "targets",
                        name,
                        key,
                        hint=hint,
                    )

    # --- runtimes -----------------------------------------------------------------------------------------------------

    def runtimes(self) -> None:
        for tag, runtime in RUNTIMES.items():
            here, settings = ("runtimes", tag), self.manifest.runtimes.of(tag)
            if settings.python is not None and not settings.python.startswith("{}.{}.".format(*runtime.python_version)):
                message = f"{tag} is {runtime.name}, and {quoted(settings.python)} is not"
                self.note(
                    "E460", message, *here, "python", hint=f"write the whole version, such as {runtime.full_version}"
                )
            platform = PLATFORMS[settings.platform]
            if platform != runtime.platform and tag not in platform.documented:
                message = f"nothing is published about {tag} on {platform.name} clusters"
                hint = f"documented there: {', '.join(sorted(platform.documented))}; ask the vendor, or try it"
                self.document.warn("E461", message, self.document.find(*here, "platform"), hint=hint)

    # --- resources ----------------------------------------------------------------------------------------------------

    def resources(self) -> None:
        self._names("resources", self.manifest.resources, why_not_a_resource_name)
        for name, resource in self.manifest.resources.items():
            here = ("resources", name)
            self._content(here, resource)
            wrong = _why_not_this_type(name, self.types[name], resource)
            if wrong is not None:
                message, hint = wrong
                self.note("E311", message, *here, *(("type",) if resource.type else ()), hint=hint)
            what: object = ("table", resource.table)
            if resource.file is not None:
                what = (
                    self._content_file(here, resource, resource.file),
                    self.types[name],
                    *resource.exclude,
                )
            self._upload(name, what, here)

    def _content_file(self, here: tuple[str, str], resource: Resource, text: str) -> str:
        found = self._file((*here, "file"), text, "either")
        is_folder = found.endswith("/") and found != text
        if is_folder and not here[1].lower().endswith(FOLDER_SUFFIXES):
            message = f"{quoted(text)} is a folder, and would be packed for the resource {quoted(here[1])}"
            hint = "end the resource's name in .zip, .tar, .tgz or .tar.gz"
            self.note("E311", message, *here, hint=hint, at_key=True)
        self._patterns((*here, "exclude"), resource.exclude)
        if resource.exclude and not is_folder:
            message = "'exclude' goes with a folder only"
            self.note("E204", message, *here, "exclude", hint=f"{quoted(text)} is a file", at_key=True)
        return found

    def _content(self, here: tuple[str, str], resource: Resource) -> None:
        name = here[1]
        if resource.file is None and resource.table is None:
            hint = "file: a path beside the manifest; table: a table of the project"
            self.note("E201", f"the resource {quoted(name)} needs the key 'file' or 'table'", *here, hint=hint)
        if resource.file is not None and resource.table is not None:
            self.note("E204", "'file' and 'table' exclude each other", *here, "table", hint="keep one", at_key=True)
        if resource.partition is not None and resource.table is None:
            self.note("E204", "'partition' goes with 'table' only", *here, "partition", at_key=True)
        if resource.table is not None and not _TABLE.match(resource.table):
            hint = "table, project.table or project.schema.table"
            self.note("E203", "'table' is not a table's name", *here, "table", hint=hint)
        if resource.partition is not None and not all(map(_PARTITION.match, _split_partition(resource.partition))):
            self.note("E203", "'partition' is not a partition", *here, "partition", hint="pt='20260101'")

    # --- tables -------------------------------------------------------------------------------------------------------

    def tables(self) -> None:
        for name, table in self.manifest.tables.items():
            here = ("tables", name)
            if not _TABLE.match(name):
                hint = "table, project.table or project.schema.table"
                self.note("E203", f"{quoted(name)} is not a table's name", *here, hint=hint, at_key=True)
            for column, kind in table.columns.items():
                if (why_not := _why_not_a_type(kind)) is not None:
                    message = f"{quoted(kind)} cannot be the type of a column"
                    self.note("E203", message, *here, "columns", column, hint=why_not)
            if table.file is None and table.rows is None:
                hint = "file: a path beside the manifest; rows: one list a row"
                self.note("E201", f"the table {quoted(name)} needs the key 'file' or 'rows'", *here, hint=hint)
            if table.file is not None and table.rows is not None:
                self.note("E204", "'file' and 'rows' exclude each other", *here, "rows", hint="keep one", at_key=True)
            if table.file is not None:
                self._file((*here, "file"), table.file)
                if not table.file.lower().endswith(ROW_FILES):
                    hint = f"the name of a file of rows ends in {' '.join(ROW_FILES)}"
                    self.note("E203", f"{quoted(table.file)} cannot be read as rows", *here, "file", hint=hint)
            for index, row in enumerate(table.rows or ()):
                if len(row) != len(table.columns):
                    message = f"a row of {len(row)} where there are {count(len(table.columns), 'column')}"
                    self.note("E203", message, *here, "rows", index)

    # --- packages -----------------------------------------------------------------------------------------------------

    def packages(self) -> None:
        used = {name for function in self.manifest.functions.values() for name in function.packages}
        for name, package in self.manifest.packages.items():
            seen: set[str] = set()
            for index, wheel in enumerate(package.wheels):
                here = ("packages", name, "wheels", index)
                written = wheel.requirement if isinstance(wheel, PinnedWheel) else wheel
                if written in seen:
                    self.note("E313", f"{quoted(written)} is listed twice", *here, hint="keep one")
                seen.add(written)
                if isinstance(wheel, PinnedWheel):
                    self._pinned(here, wheel)
                else:
                    self._wheel(here, wheel, is_alone=package.bundle is None)
            self._requirements(("packages", name), package)
            self._libraries(("packages", name, "libraries"), package.libraries)
            self._patterns(("packages", name, "exclude"), package.exclude)
            if package.bundle:
                self._bundle(name, package.bundle)
            if name not in used:
                message, hint = f"no function uses the package {quoted(name)}", "name it under a function's `packages:`"
                self.document.warn("E312", message, self.document.find("packages", name), hint=hint)

    def _requirements(self, here: tuple[str, str], package: Package) -> None:
        if not (package.is_locked or package.wheels or package.libraries):
            hint = "`requirements:`, `requirements_file:`, `wheels:` or `libraries:`"
            self.note("E201", f"the package {quoted(here[1])} names nothing to ship", *here, hint=hint)
        for key, texts in (("requirements", package.requirements), ("constraints", package.constraints)):
            self._each((*here, key), texts, "constraint" if key == "constraints" else "requirement")
        self._each((*here, "without"), package.without, "name")
        for key, path in (
            ("requirements_file", package.requirements_file),
            ("constraints_file", package.constraints_file),
        ):
            if path is not None:
                self._file((*here, key), path)
        for keys, paths in ((("find_links",), package.find_links), (("build", "headers"), package.build.headers)):
            for index, path in enumerate(paths):
                self._once((*here, *keys), paths, index)
                self._found((*here, *keys, index), path, "folder")
        for index in range(len(package.extra_index)):
            self._once((*here, "extra_index"), package.extra_index, index)
        self._each((*here, "build", "requires"), package.build.requires, "build requirement")
        self._libraries((*here, "build", "libraries"), package.build.libraries)
        if package.build.libraries and package.libraries:
            message, hint = (
                "'build.libraries' and 'libraries' exclude each other",
                "put them into the wheel, or beside it",
            )
            self.note("E204", message, *here, "build", "libraries", hint=hint, at_key=True)
        if not package.is_locked:
            for key in sorted(_FOR_THE_LOCK & package.model_fields_set):
                message = f"{quoted(key)} goes with `requirements:` or `requirements_file:` only"
                self.note("E204", message, *here, key, at_key=True)

    def _each(
        self,
        here: tuple[str, ...],
        texts: list[str],
        kind: Literal["requirement", "constraint", "build requirement", "name"],
    ) -> None:
        seen: set[str] = set()
        for index, text in enumerate(texts):
            read = wanted(text)
            if isinstance(read, Wanted) and kind == "constraint":
                read = why_not_a_constraint(read) or read
            if isinstance(read, Wanted) and kind == "build requirement" and read.path is not None:
                read = Refused("E470", f"{quoted(text)} is a path", "a build is given distributions: 'setuptools<60'")
            if kind == "name" and (isinstance(read, Refused) or read.text != read.name):
                read = Refused("E470", f"{quoted(text)} is not the name of a distribution", "the name alone: numpy")
            if isinstance(read, Refused):
                self.note(read.code, read.message, *here, index, hint=read.hint)
                continue
            if read.text in seen:
                self.note("E313", f"{quoted(text)} is listed twice", *here, index, hint="keep one")
            elif read.path is not None:
                self._found((*here, index), read.path, "either")
            seen.add(read.text)

    def _once(self, here: tuple[str, ...], texts: list[str], index: int) -> None:
        if texts[index] in texts[:index]:
            self.note("E313", f"{quoted(texts[index])} is listed twice", *here, index, hint="keep one")

    def _found(self, here: tuple[str | int, ...], text: str, kind: Kind) -> None:
        """Note why a path that may be a folder is not taken."""
        found = self.folder.find(text, kind)
        if isinstance(found, Refusal):
            self.note(found.code, found.message, *here, hint=found.hint)

    def _libraries(self, here: tuple[str, ...], paths: list[str]) -> None:
        for index, path in enumerate(paths):
            self._once(here, paths, index)
            self._file((*here, index), path)

    def _patterns(self, here: tuple[str, ...], patterns: list[str]) -> None:
        for index, pattern in enumerate(patterns):
            self._once(here, patterns, index)
            try:
                matcher([pattern])
            except ValueError:
                hint = "as in .gitignore: tests/, *.c, numpy/core/include/"
                self.note("E203", f"{quoted(pattern)} is not a pattern for files", *here, index, hint=hint)

    def _bundle(self, package: str, bundle: str) -> None:
        functions = [f for f in self.manifest.functions.values() if package in f.packages]
        for runtime in dict.fromkeys(f.python or self.manifest.python for f in functions):
            name, here = bundle_archive(package, bundle, runtime, self.manifest.python), ("packages", package)
            is_versioned = bundle == SINGLE and self.manifest.rollout == "versioned"
            why_not = why_not_a_resource_name(versioned(name, "0" * 64) if is_versioned else name)
            if why_not is not None:
                self.note("E302", f"the package cannot be uploaded as {quoted(name)}", *here, hint=why_not, at_key=True)
            if not is_versioned:
                self._upload(name, ("bundle", package, name), here)

    def _pinned(self, here: tuple[str | int, ...], wheel: PinnedWheel) -> None:
        if not is_pinned(wheel.requirement):
            message = f"{quoted(wheel.requirement)} does not name one version"
            self.note("E404", message, *here, "requirement", hint="name==version, such as numpy==1.19.2")

    def _wheel(self, here: tuple[str | int, ...], path: str, *, is_alone: bool) -> None:
        if not path.endswith(".whl"):
            message = f"{quoted(path)} is not a wheel"
            self.note("E406", message, *here, hint="a wheel's name ends in .whl; other files go under `resources:`")
            return
        found = self._file(here, path)
        if not is_alone:
            return
        name = wheel_archive(path)
        why_not = why_not_a_resource_name(name)
        if why_not is not None:
            self.note("E302", f"the wheel cannot be uploaded as {quoted(name)}", *here, hint=why_not)
        self._upload(name, (found, "archive"), here)

    # --- functions ----------------------------------------------------------------------------------------------------

    def functions(self) -> None:
        self._names("functions", self.manifest.functions, why_not_a_function_name)
        for name, function in self.manifest.functions.items():
            here = ("functions", name)
            self._listed(here, "packages", function.packages, self.manifest.packages)
            all_known = self._listed(here, "resources", function.resources, self.manifest.resources)
            self._tests(here, function)
            self._image(here, function)
            self._modules(here, function)
            code = None
            if function.source is not None:
                code = self._from_source(here, function, function.source)
            elif all_known:
                code = self._from_resources(here, function)
            if code is not None:
                self.code[name] = code

    def _image(self, here: tuple[str, str], function: Function) -> None:
        image, place = function.image, self.document.find(*here, "image")
        tag = function.python or self.manifest.python
        if image in IMAGES and tag not in IMAGES[image]:
            message, hint = f"the image {quoted(image)} has no {tag}", f"it has {' and '.join(IMAGES[image])}"
            self.document.warn("E375", message, place, hint=hint)
        elif image is not None and image not in IMAGES and (guess := did_you_mean(image, IMAGES)):
            self.document.warn("E375", f"{quoted(image)} is no image that MaxCompute brings", place, hint=guess)

    def _modules(self, here: tuple[str, str], function: Function) -> None:
        imported = {item[:-3]: item for item in function.resources if item.endswith(".py")}
        for index, path in enumerate(function.modules):
            place, name = (*here, "modules", index), module_name(path)
            self._once((*here, "modules"), function.modules, index)
            if not is_identifier(name):
                hint = "letters, digits and _, because it is imported by this name"
                self.note("E372", f"{quoted(path)} is not the name of a Python module", *place, hint=hint)
                continue
            twin = imported.setdefault(name, path)
            if twin != path:
                self.note("E374", f"{quoted(twin)} and {quoted(path)} are both imported as {quoted(name)}", *place)
            if not is_package(path):
                self._upload(f"{name}.py", (self._file(place, path), "py"), place)
                continue
            found = self.folder.find(path, "folder")
            if isinstance(found, Refusal):
                is_module = not isinstance(self.folder.find(f"{path}.py"), Refusal)
                self.note(found.code, found.message, *place, hint=f"'{path}.py' is there" if is_module else found.hint)
                continue
            self._upload(f"{name}.zip", (found, "package"), place)
            if function.source is None or not function.wire:
                why = "has no source" if function.source is None else "says 'wire: false'"
                message = f"nothing would put the package {quoted(name)} on sys.path: {quoted(here[1])} {why}"
                hint = "list its files one by one, as .py, or pack it under `resources:` and put that on sys.path"
                self.note("E373", message, *place, hint=hint)

    def _tests(self, here: tuple[str, str], function: Function) -> None:
        for index, test in enumerate(function.tests):
            given, place = test.model_fields_set, (*here, "tests", index)
            for one, other in (("args", "rows"), ("returns", "raises")):
                if {one, other} <= given:
                    self.note(
                        "E204", f"'{one}' and '{other}' exclude each other", *place, other, hint="keep one", at_key=True
                    )
            if not given & {"returns", "raises"}:
                hint = "returns: null if NULL is expected"
                self.note("E201", f"item {index + 1} of 'tests' needs the key 'returns' or 'raises'", *place, hint=hint)

    def _listed(
        self, here: tuple[str, str], key: Literal["packages", "resources"], names: list[str], declared: Iterable[str]
    ) -> bool:
        """Judge a function's list of names, and say whether every name is known."""
        seen: set[str] = set()
        all_known = True
        for index, name in enumerate(names):
            plain = name in declared
            folded = self._folded(name) if key == "resources" else name
            if folded in seen:
                self.note("E313", f"{quoted(name)} is listed twice", *here, key, index, hint="keep one")
            seen.add(folded)
            if not plain and not (key == "resources" and is_qualified(name)):
                all_known = False
                message = f"the {key[:-1]} {quoted(name)} is not declared under `{key}:`"
                self.note("E301", message, *here, key, index, hint=self._instead(name, key, declared))
        return all_known

    def _instead(self, name: str, key: str, declared: Iterable[str]) -> str:
        # A guess compares with every name there is, so a manifest full of mistakes gets only so many.
        guess = did_you_mean(name, declared) if len(self.document.problems) < _MAX_GUESSES else None
        if guess is not None:
            return guess
        return "another project's is named project/resources/name" if "/" in name else f"declare it under `{key}:`"

    def _folded(self, name: str) -> str:
        return reference(name, self.target.project, self.target.schema_).folded

    def _from_source(self, here: tuple[str, str], function: Function, source: str) -> Code | None:
        found = self._file((*here, "source"), source)
        entry = source.rpartition("/")[2]
        stem = entry.removesuffix(".py")
        if stem == entry or not is_identifier(stem):
            hint = "letters, digits and _, then .py: MaxCompute imports the module by this name"
            self.note("E310", f"{quoted(entry)} is not the name of a Python module", *here, "source", hint=hint)
            return None
        # A name that is declared under `resources:` is one that other modules may import, and stays.
        is_versioned = self.manifest.rollout == "versioned" and entry not in self.manifest.resources
        # Any digest is as long as another.
        why_not = why_not_a_resource_name(versioned(entry, "0" * 64) if is_versioned else entry)
        if why_not is not None:
            self.note("E302", f"the source cannot be uploaded as {quoted(entry)}", *here, "source", hint=why_not)
        self._upload(entry, (found, "py"), (*here, "source"))
        *modules, name = function.class_.split(".")
        if modules not in ([], [stem]) or not is_identifier(name):
            message = f"the class {quoted(function.class_)} does not fit the source {quoted(entry)}"
            self.note("E310", message, *here, "class", hint=f"write the class alone, or {stem}.Class")
            return None
        return Code(f"{stem}.{name}", entry, self._runtime(function), entry, is_versioned)

    def _runtime(self, function: Function) -> Runtime:
        return self.usable[function.python or self.manifest.python]

    def _from_resources(self, here: tuple[str, str], function: Function) -> Code | None:
        target = self.target
        references = [reference(name, target.project, target.schema_) for name in function.resources]
        own = [one.name for one in references if one.is_own and one.name in self.manifest.resources]
        module = function.class_.rpartition(".")[0]
        entry = next((one.name for one in references if one.name == f"{module}.py"), None)
        has_jar = any(one.name.lower().endswith(".jar") for one in references)
        if not all(map(is_identifier, function.class_.split("."))) or not module:
            message = f"{quoted(function.class_)} is not module.Class"
            self.note("E310", message, *here, "class", hint="without `source`, the class is written with its module")
        elif entry is None and not has_jar:
            message = f"no resource of the function holds the module {quoted(module)}"
            self.note(
                "E310", message, *here, "class", hint=f"add `source:`, or {module}.py to the function's resources"
            )
        elif entry in own and (kind := self.types[entry]) != "py":
            message = f"{quoted(entry)} holds the module {quoted(module)}, and is a resource of type {kind}"
            self.note("E310", message, *here, "class", hint="only PY resources are imported: leave its `type:` out")
        elif not own:
            hint = "give it a `source:`, or put one resource under `resources:` for it"
            self.note(
                "E308", f"the function {quoted(here[1])} has no resource that this manifest manages", *here, hint=hint
            )
        else:
            carrier = entry if entry in own else own[0]
            return Code(function.class_, entry, self._runtime(function), carrier)
        return None

    # --- wiring -------------------------------------------------------------------------------------------------------

    def wiring(self) -> None:
        """Functions of one source share one module, and so what is added to it."""
        first: dict[str, str] = {}
        native: dict[tuple[str, str], tuple[str, set[str]]] = {}
        for name, function in self.manifest.functions.items():
            if function.source is None:
                continue
            other = first.setdefault(function.source, name)
            if self.manifest.functions[other].wire != function.wire:
                message = f"{quoted(other)} and {quoted(name)} share a source, and only one of them says 'wire: false'"
                hint = "they share the module that is uploaded, too: say it of both, or give each a source of its own"
                self.note("E370", message, "functions", name, "wire", hint=hint)
            libraries = {one for one in function.packages if (p := self.manifest.packages.get(one)) and p.libraries}
            key = function.source, function.class_.rpartition(".")[2]
            twin, theirs = native.setdefault(key, (name, libraries))
            if function.wire and theirs != libraries:
                message = f"{quoted(twin)} and {quoted(name)} share a class, and not the native libraries that it loads"
                hint = "a class of its own for each, 'class …(…): pass' will do; or 'wire: false', and load them there"
                self.note("E371", message, "functions", name, "packages", hint=hint)

    # --- shared -------------------------------------------------------------------------------------------------------

    def _names(
        self, kind: Literal["functions", "resources"], names: Iterable[str], why_not: Callable[[str], str | None]
    ) -> None:
        first: dict[str, str] = {}
        for name in names:
            reason = why_not(name)
            if reason is not None:
                message = f"{quoted(name)} cannot be the name of a {kind[:-1]}"
                self.note("E302", message, kind, name, hint=reason, at_key=True)
            twin = first.setdefault(name.lower(), name)
            if twin != name:
                where = self.document.position(self.document.find_key(kind, twin)[0])
                message = f"the {kind} {quoted(twin)} and {quoted(name)} differ only in case"
                hint = f"{quoted(twin)} is at line {where.line}, column {where.column}; to MaxCompute they are one"
                self.note("E303", message, kind, name, hint=hint, at_key=True)

    def _file(self, here: tuple[str | int, ...], text: str, kind: Kind = "file") -> str:
        """
        Return the file that `text` names, or `text` itself after noting why it is not taken.

        What is returned for a folder, where one is taken, ends in a slash.
        """
        known = self.files.get(text)
        if known is not None:
            return known
        found = self.folder.find(text, kind)
        if isinstance(found, Refusal):
            self.note(found.code, found.message, *here, hint=found.hint)
            return text
        if not found.endswith("/"):
            self.files[text] = found
        return found

    def _upload(self, name: str, what: object, here: tuple[str | int, ...]) -> None:
        """Note it if something else would be uploaded under the same name."""
        first, there = self._uploads.setdefault(name.lower(), (what, here))
        # Two resources that are twins in case are noted as such already.
        if first != what and not (there[0] == here[0] == "resources"):
            where = self.document.position(self.document.find(*there)[0])
            message = f"two different files would be uploaded as {quoted(name)}"
            hint = f"the other is at line {where.line}, column {where.column}; rename one of the files"
            self.note("E309", message, *here, hint=hint)


def _why_not_a_type(kind: str) -> str | None:
    try:
        found = read(f"->{kind}").outputs
    except NotASignature as reason:
        return reason.hint or reason.message
    return "one type" if len(found) != 1 else None


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


def _why_not_a_project(name: str) -> str | None:
    return None if _PROJECT.match(name) else "letters, digits, _ and -, 128 at most"


def _why_not_an_endpoint(endpoint: str) -> str | None:
    """Return what is wrong with an endpoint, never repeating it: it may hold a password."""
    if endpoint == "local":
        return None
    if not endpoint.isprintable() or " " in endpoint:
        return "an address holds no space or line break"
    try:
        parts = urlsplit(endpoint)
        has_port = parts.port != 0
    except ValueError:
        return "the address cannot be understood"
    if parts.scheme not in ("http", "https") or not parts.hostname or not has_port:
        return "'local', or an address that begins with http:// or https:// and ends in /api"
    if "@" in parts.netloc:
        return "an address holds no user and password: credentials come from the environment"
    if parts.query or parts.fragment:
        return "an address ends with its path, which is /api"
    return None


def _split_partition(partition: str) -> list[str]:
    return [part.strip() for part in re.split("[,/]", partition)]


def _why_not_this_type(name: str, kind: ResourceType, resource: Resource) -> tuple[str, str] | None:
    folded = name.lower()
    if folded.endswith(".whl"):
        return f"{quoted(name)} is a wheel, which MaxCompute does not unpack", "list it under `packages:`, in `wheels:`"
    if (kind == "table") != (resource.table is not None):
        return (
            f"the type {kind} does not fit the resource {quoted(name)}",
            "type table goes with `table:`, the others with `file:`",
        )
    if kind == "py" and not (name.endswith(".py") and is_identifier(name[:-3])):
        return f"{quoted(name)} cannot be imported by Python", "letters, digits and _, then .py; or set `type: file`"
    if kind == "archive" and not folded.endswith(ARCHIVE_SUFFIXES):
        return (
            f"MaxCompute would not unpack {quoted(name)}",
            f"the name of an archive ends in {' '.join(ARCHIVE_SUFFIXES)}",
        )
    if kind == "jar" and not folded.endswith(".jar"):
        return f"{quoted(name)} is not the name of a jar", "it ends in .jar"
    return None
