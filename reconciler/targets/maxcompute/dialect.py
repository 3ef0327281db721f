"""Dialect of MaxCompute, and its checks of a manifest: targets, runtimes, resources, tables, and the class of each function."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from reconciler.base.errors import count
from reconciler.base.names import ARCHIVE_SUFFIXES, FOLDER_SUFFIXES, versioned_name
from reconciler.base.words import did_you_mean, quote
from reconciler.checks.python.pythons import runtime_name, standard_modules
from reconciler.manifest.checks.functions import (
    check_expectations,
    check_modules,
    check_package_names,
    check_shared_sources,
)
from reconciler.manifest.checks.names import (
    check_file,
    check_names,
    check_patterns,
    is_identifier,
    nearest_identifier,
    undeclared_name,
)
from reconciler.manifest.checks.packages import check_package_uses, check_packages
from reconciler.manifest.dialect import Code, Dialect, Draft, Flaw
from reconciler.manifest.model import ROW_FILES
from reconciler.targets.addresses import check_target_settings, why_not_an_address
from reconciler.targets.maxcompute.manifest import IMPLICIT_TARGET, Manifest
from reconciler.targets.maxcompute.names import is_qualified, why_not_a_function_name, why_not_a_resource_name
from reconciler.targets.maxcompute.runtimes import IMAGES, PLATFORMS, RUNTIMES
from reconciler.targets.maxcompute.signature import NotASignature, parse_signature
from reconciler.targets.maxcompute.sql_words import why_confusing

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from reconciler.manifest.dialect import Keys
    from reconciler.manifest.model import Table
    from reconciler.targets.addresses import Setting
    from reconciler.targets.maxcompute.manifest import Function, Resource, Target


_Draft: TypeAlias = Draft[Manifest]
_PROJECT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,127}\Z")
_TABLE = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+){0,2}\Z")
_PARTITION = re.compile(r"[A-Za-z_]\w*\s*=\s*('[^']*'|\"[^\"]*\"|\w+)\Z", re.ASCII)
_TABLE_HINT = "table, project.table or project.schema.table"


# --- Targets and runtimes -------------------------------------------------------------------------------------------------


def check_targets(draft: _Draft) -> Iterator[Flaw]:
    """Yield endpoints, projects and schemas that cannot be."""
    return check_target_settings(draft, _settings)


def _settings(target: Target) -> Iterator[Setting]:
    yield ("endpoint",), target.endpoint, why_not_an_address(target.endpoint, "/api")
    for key, value in (("project", target.project), ("schema", target.schema_)):
        yield (key,), value, None if _PROJECT.match(value or "") else "letters, digits, _ and -, 128 at most"


def check_runtimes(draft: _Draft) -> Iterator[Flaw]:
    """Yield versions that are not the runtime's, and a warning for clusters that nothing is published about."""
    for tag, runtime in RUNTIMES.items():
        here, settings = ("runtimes", tag), draft.manifest.runtimes.of(tag)
        if settings.python is not None and not settings.python.startswith("{}.{}.".format(*runtime.python_version)):
            message = f"{tag} is {runtime.name}, and {quote(settings.python)} is not"
            yield Flaw("E460", message, (*here, "python"), f"write the whole version, such as {runtime.full_version}")
        platform = PLATFORMS[settings.platform]
        if platform != runtime.platform and tag not in platform.documented:
            message = f"nothing is published about {tag} on {platform.name} clusters"
            hint = f"documented there: {', '.join(sorted(platform.documented))}; ask the vendor, or try it"
            yield Flaw("E461", message, (*here, "platform"), hint, is_warning=True)


# --- Resources and tables -------------------------------------------------------------------------------------------------


def check_resources(draft: _Draft) -> Iterator[Flaw]:
    """Yield names, contents and types of resources that MaxCompute would not take, or would not read as they are meant."""
    types = draft.manifest.resource_types
    yield from check_names(draft, "resources", draft.manifest.resources, why_not_a_resource_name)
    for name, resource in draft.manifest.resources.items():
        here, kind = ("resources", name), types[name]
        yield from _content(name, resource)
        if resource.file is not None:
            yield from _file(draft, name, resource, resource.file)
        else:
            yield from draft.claim(name, ("table", resource.table), *here)
        if (misfit := _why_not_this_type(name, kind, resource)) is not None:
            yield Flaw("E311", misfit[0], (*here, *(("type",) if resource.type else ())), misfit[1])


def _content(name: str, resource: Resource) -> Iterator[Flaw]:
    here = ("resources", name)
    if resource.file is None and resource.table is None:
        hint = "file: a path beside the manifest; table: a table of the project"
        yield Flaw("E201", f"the resource {quote(name)} needs the key 'file' or 'table'", here, hint)
    if resource.file is not None and resource.table is not None:
        yield Flaw("E204", "'file' and 'table' exclude each other", (*here, "table"), "keep one", at_key=True)
    if resource.partition is not None and resource.table is None:
        yield Flaw("E204", "'partition' goes with 'table' only", (*here, "partition"), at_key=True)
    if resource.table is not None and not _TABLE.match(resource.table):
        yield Flaw("E203", "'table' is not a table's name", (*here, "table"), _TABLE_HINT)
    parts = re.split("[,/]", resource.partition) if resource.partition is not None else ()
    if not all(_PARTITION.match(part.strip()) for part in parts):
        yield Flaw("E203", "'partition' is not a partition", (*here, "partition"), "pt='20260101'")


def _file(draft: _Draft, name: str, resource: Resource, text: str) -> Iterator[Flaw]:
    here = ("resources", name)
    path = yield from check_file(draft, text, *here, "file", kind="either")
    is_folder = path.endswith("/") and path != text
    if is_folder and not name.lower().endswith(FOLDER_SUFFIXES):
        message = f"{quote(text)} is a folder, and would be packed for the resource {quote(name)}"
        yield Flaw("E311", message, here, "end the resource's name in .zip, .tar, .tgz or .tar.gz", at_key=True)
    yield from check_patterns(resource.exclude, *here, "exclude")
    if resource.exclude and not is_folder:
        hint = f"{quote(text)} is a file"
        yield Flaw("E204", "'exclude' goes with a folder only", (*here, "exclude"), hint, at_key=True)
    yield from draft.claim(name, (path, draft.manifest.resource_types[name], *resource.exclude), *here)


def _why_not_this_type(name: str, kind: str, resource: Resource) -> tuple[str, str] | None:
    folded = name.lower()
    if folded.endswith(".whl"):
        return f"{quote(name)} is a wheel, which MaxCompute does not unpack", "list it under `packages:`, in `wheels:`"
    if (kind == "table") != (resource.table is not None):
        message = f"the type {kind} does not fit the resource {quote(name)}"
        return message, "type table goes with `table:`, the others with `file:`"
    if kind == "py" and not (name.endswith(".py") and is_identifier(name[:-3])):
        return f"{quote(name)} cannot be imported by Python", "letters, digits and _, then .py; or set `type: file`"
    if kind == "archive" and not folded.endswith(ARCHIVE_SUFFIXES):
        hint = f"the name of an archive ends in {' '.join(ARCHIVE_SUFFIXES)}"
        return f"MaxCompute would not unpack {quote(name)}", hint
    if kind == "jar" and not folded.endswith(".jar"):
        return f"{quote(name)} is not the name of a jar", "it ends in .jar"
    return None


def check_tables(draft: _Draft) -> Iterator[Flaw]:
    """Yield tables that have no rows, or rows that do not fit the columns."""
    for name, table in draft.manifest.tables.items():
        here = ("tables", name)
        if not _TABLE.match(name):
            yield Flaw("E203", f"{quote(name)} is not a table's name", here, _TABLE_HINT, at_key=True)
        for column, kind in table.columns.items():
            if (why_not := _why_not_a_type(kind)) is not None:
                message = f"{quote(kind)} cannot be the type of a column"
                yield Flaw("E203", message, (*here, "columns", column), why_not)
        yield from _rows(draft, table, here)


def _rows(draft: _Draft, table: Table, here: Keys) -> Iterator[Flaw]:
    if table.file is None and table.rows is None:
        message = f"the table {quote(str(here[1]))} needs the key 'file' or 'rows'"
        yield Flaw("E201", message, here, "file: a path beside the manifest; rows: one list a row")
    if table.file is not None and table.rows is not None:
        yield Flaw("E204", "'file' and 'rows' exclude each other", (*here, "rows"), "keep one", at_key=True)
    if table.file is not None:
        yield from check_file(draft, table.file, *here, "file")
        if not table.file.lower().endswith(ROW_FILES):
            hint = f"the name of a file of rows ends in {' '.join(ROW_FILES)}"
            yield Flaw("E203", f"{quote(table.file)} cannot be read as rows", (*here, "file"), hint)
    if table.rows:
        yield from _misfits(table, here)


def _misfits(table: Table, here: Keys) -> Iterator[Flaw]:
    """Yield rows of another width than the table's, and values that are none of their column's type."""
    from reconciler.targets.maxcompute.declared_tests import wrong_cells

    names, rows = list(table.columns), table.rows or []
    for index, row in enumerate(rows):
        if len(row) != len(names):
            message = f"a row of {len(row)} where there are {count(len(names), 'column')}"
            yield Flaw("E203", message, (*here, "rows", index))
    fitting = [row if len(row) == len(names) else [] for row in rows]
    for index, column, why in wrong_cells(f"{','.join(table.columns.values())}->bigint", fitting):
        message = f"the column {quote(names[column])} is {table.columns[names[column]]}: {why}"
        yield Flaw("E203", message, (*here, "rows", index, column))


def _why_not_a_type(kind: str) -> str | None:
    try:
        outputs = parse_signature(f"->{kind}").outputs
    except NotASignature as reason:
        return reason.hint or reason.message
    return "one type" if len(outputs) != 1 else None


# --- Functions ------------------------------------------------------------------------------------------------------------


def check_functions(draft: _Draft) -> Iterator[Flaw]:
    """Yield what is wrong with each function by itself; the code of those that are right is kept in the draft."""
    yield from check_names(draft, "functions", draft.manifest.functions, why_not_a_function_name)
    for name, function in draft.manifest.functions.items():
        here = ("functions", name)
        if (clash := why_confusing(name)) is not None:
            yield Flaw("E377", f"{quote(name)} {clash[0]}", here, clash[1], at_key=True, is_warning=True)
        yield from check_package_names(draft, function, here)
        all_known = yield from _resource_names(draft, function, here)
        yield from check_expectations(draft, function.tests, here)
        yield from _image(draft, function, here)
        yield from check_modules(draft, function, here)
        if function.source is not None:
            code = yield from _code_of_source(draft, function, function.source, here)
        else:
            code = (yield from _code_of_resources(draft, function, here)) if all_known else None
        if code is not None:
            draft.code[name] = code


def _resource_names(draft: _Draft, function: Function, here: Keys) -> Generator[Flaw, None, bool]:
    """Yield resources that are listed twice or are not declared; return whether all are known."""
    declared, target = draft.manifest.resources, _target(draft)
    seen = set[str]()
    all_known = True
    for index, name in enumerate(function.resources):
        keys = (*here, "resources", index)
        # `x` and `this_project/resources/x` are one resource.
        folded = target.reference(name).folded
        if folded in seen:
            yield Flaw("E313", f"{quote(name)} is listed twice", keys, "keep one")
        seen.add(folded)
        if name not in declared and not is_qualified(name):
            all_known = False
            is_path = "/" in name
            otherwise = (
                "another project's is named project/resources/name"
                if is_path
                else f"write resources: {{{name}: {{file: {name}}}}} beside functions:"
            )
            yield undeclared_name(draft, name, keys, declared, otherwise)
    return all_known


def _target(draft: _Draft) -> Target:
    return draft.manifest.targets.get(draft.target_name, IMPLICIT_TARGET)


def _image(draft: _Draft, function: Function, here: Keys) -> Iterator[Flaw]:
    image, tag = function.image, function.python or draft.manifest.python
    if image is None:
        return
    # An image of the team's own may have any name; only a near miss of a built-in one is suspicious.
    if image not in IMAGES:
        if guess := did_you_mean(image, IMAGES):
            message = f"{quote(image)} is no image that MaxCompute brings"
            yield Flaw("E375", message, (*here, "image"), guess, is_warning=True)
    elif tag not in IMAGES[image]:
        hint = f"it has {' and '.join(IMAGES[image])}"
        yield Flaw("E375", f"the image {quote(image)} has no {tag}", (*here, "image"), hint, is_warning=True)


def _code_of_source(draft: _Draft, function: Function, source: str, here: Keys) -> Generator[Flaw, None, Code | None]:
    """Yield what is wrong with a source and the class in it; return the code."""
    path = yield from check_file(draft, source, *here, "source")
    entry = source.rpartition("/")[2]
    stem = entry.removesuffix(".py")
    # The class path is `module.Class`: the file's name becomes part of an import statement.
    if stem == entry or not is_identifier(stem):
        nearest = nearest_identifier(stem if stem != entry else stem.rpartition(".")[0] or stem)
        hint = f"{nearest}.py would be one: MaxCompute imports the module by this name"
        yield Flaw("E310", f"{quote(entry)} is not the name of a Python module", (*here, "source"), hint)
        return None
    # A name that is declared under `resources:` is one that other modules may import, and stays.
    is_versioned = draft.manifest.rollout == "versioned" and entry not in draft.manifest.resources
    # Any digest is as long as another.
    why_not = why_not_a_resource_name(versioned_name(entry, "0" * 64) if is_versioned else entry)
    if why_not is not None:
        yield Flaw("E302", f"the source cannot be uploaded as {quote(entry)}", (*here, "source"), why_not)
    yield from draft.claim(entry, (path, "py"), *here, "source")
    runtime = draft.manifest.runtime(function)
    if not is_versioned and stem in {"odps", *standard_modules(runtime.python_version)}:
        whose = "MaxCompute" if stem == "odps" else runtime_name(runtime.tag)
        message = f"{quote(stem)} is a module of {whose}, too, and a worker may have imported that already"
        yield Flaw("E821", message, (*here, "source"), "give the file another name", is_warning=True)
    *modules, name = function.class_.split(".")
    if modules not in ([], [stem]) or not is_identifier(name):
        message = f"the class {quote(function.class_)} does not fit the source {quote(entry)}"
        yield Flaw("E310", message, (*here, "class"), f"write the class alone, or {stem}.Class")
        return None
    return Code(f"{stem}.{name}", entry, runtime, entry, is_versioned)


def _code_of_resources(draft: _Draft, function: Function, here: Keys) -> Generator[Flaw, None, Code | None]:
    """Yield why no resource of a function is known to hold its class; return the code."""
    target = _target(draft)
    references = [target.reference(name) for name in function.resources]
    managed = [ref.name for ref in references if ref.is_own and ref.name in draft.manifest.resources]
    module = function.class_.rpartition(".")[0]
    entry = next((ref.name for ref in references if ref.name == f"{module}.py"), None)
    has_jar = any(ref.name.lower().endswith(".jar") for ref in references)
    if (flaw := _misplaced(draft, function, entry, managed, here, has_jar=has_jar)) is not None:
        yield flaw
        return None
    # Functions have no comment to mark; the mark of one of their resources speaks for them.
    carrier = entry if entry in managed else managed[0]
    return Code(function.class_, entry, draft.manifest.runtime(function), carrier)


def _misplaced(
    draft: _Draft, function: Function, entry: str | None, managed: list[str], here: Keys, *, has_jar: bool
) -> Flaw | None:
    """Return why a class that is written with its module is not where a function's resources say."""
    module = function.class_.rpartition(".")[0]
    if not all(map(is_identifier, function.class_.split("."))) or not module:
        message, hint = (
            f"{quote(function.class_)} is not module.Class",
            "without `source`, the class is written with its module",
        )
    elif entry is None and not has_jar:
        message = f"no resource of the function holds the module {quote(module)}"
        hint = f"add `source:`, or {module}.py to the function's resources"
    elif entry in managed and (kind := draft.manifest.resource_types[entry]) != "py":
        message = f"{quote(entry)} holds the module {quote(module)}, and is a resource of type {kind}"
        hint = "only PY resources are imported: leave its `type:` out"
    elif not managed:
        message = f"the function {quote(str(here[1]))} has no resource that this manifest manages"
        return Flaw("E308", message, here, "give it a `source:`, or put one resource under `resources:` for it")
    else:
        return None
    return Flaw("E310", message, (*here, "class"), hint)


def check_shared_classes(draft: _Draft) -> Iterator[Flaw]:
    """Yield functions that share a class, and not the native libraries that it loads when it is first constructed."""
    first: dict[tuple[str, str], tuple[str, set[str]]] = {}
    packages = draft.manifest.packages
    for name, function in draft.manifest.functions.items():
        if function.source is None:
            continue
        libraries = {item for item in function.packages if item in packages and packages[item].libraries}
        twin, theirs = first.setdefault((function.source, function.class_name), (name, libraries))
        if function.wire and theirs != libraries:
            message = f"{quote(twin)} and {quote(name)} share a class, and not the native libraries that it loads"
            hint = "a class of its own for each, 'class …(…): pass' will do; or 'wire: false', and load them there"
            yield Flaw("E371", message, ("functions", name, "packages"), hint)


# --- The dialect ----------------------------------------------------------------------------------------------------------


MAXCOMPUTE = Dialect(
    kind="maxcompute",
    model=Manifest,
    implicit_target=IMPLICIT_TARGET,
    objects=("functions", "resources"),
    checks=(
        check_targets,
        check_runtimes,
        check_resources,
        check_tables,
        check_packages,
        check_package_uses,
        check_functions,
        check_shared_sources,
        check_shared_classes,
    ),
)
