"""
Loading a manifest: from the bytes of ``udfs.yaml`` to checked values, or to every problem there is.

The steps: read the bytes, build values under guard (`reader`), choose the dialect and the target, put variables in place
(`variables`), type them (`typing`), judge the whole (`checks`). Dialects and environment are parameters, so the same file
and the same environment give the same manifest.
"""

from __future__ import annotations

import contextlib
import errno
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal

from msgspec import structs

from reconciler.base.errors import InvalidManifest, Position
from reconciler.base.hints import Command
from reconciler.base.inputs import MANIFEST, FileRefused, LeadsOut, read_named
from reconciler.base.words import closest, did_you_mean, quote, suggest
from reconciler.manifest.checks.ignored import check_ignored
from reconciler.manifest.checks.names import check_moved, check_policy
from reconciler.manifest.checks.promotion import check_promotion
from reconciler.manifest.dialect import Draft, choose_dialect, run_checks
from reconciler.manifest.include import include_files
from reconciler.manifest.paths import Folder
from reconciler.manifest.reader import Document, Mapping, TooManyProblems, read_document
from reconciler.manifest.typing import type_document
from reconciler.manifest.variables import expand_variables

if TYPE_CHECKING:
    import collections.abc

    from reconciler.base.errors import Problem
    from reconciler.base.hints import Hint
    from reconciler.manifest.dialect import Code, Dialects, Keys
    from reconciler.manifest.model import Function, Manifest, Target
    from reconciler.manifest.policy_file import Rules
    from reconciler.manifest.runtimes import Runtime

DEFAULT_TARGET = "local"
POLICY = "UDFS_POLICY"
"""Of the environment: a policy that a pull request cannot take out of the manifest."""

_MAX_LISTED = 20


@dataclass(frozen=True)
class Loaded:
    """A manifest that may be relied upon: typed, cross-checked, variables in place."""

    manifest: Manifest
    folder: Path
    """Absolute, symbolic links resolved; the paths in the manifest begin here."""

    target_name: str
    target: Target
    code: collections.abc.Mapping[str, Code]
    """For each function, where its class comes from."""

    warnings: tuple[Problem, ...]
    policies: tuple[Rules, ...]
    """All hold: the one that the manifest names, and the one that whoever runs udfs names."""

    _files: collections.abc.Mapping[str, str] = field(repr=False)
    _document: Document = field(repr=False, compare=False)

    forced: collections.abc.Set[str] = frozenset()
    """Codes of findings in files that whoever runs udfs goes past."""

    @cached_property
    def spelled(self) -> collections.abc.Mapping[str, str]:
        """Names of resources in lower case → as the manifest spells them."""
        return {name.lower(): name for name in self.manifest.resources}

    @property
    def runtimes(self) -> collections.abc.Mapping[str, Runtime]:
        """The Pythons of the service by their tags, with what the manifest says of each."""
        return self.manifest.usable_runtimes

    @property
    def types(self) -> collections.abc.Mapping[str, str]:
        """For each resource, the type under which the service will know it."""
        return self.manifest.resource_types

    @property
    def runtime(self) -> Runtime:
        """The runtime of functions that name none."""
        return self.manifest.runtime()

    def runtime_of(self, name: str) -> Runtime:
        """Return the runtime of a function, whatever the case of its name; of one that is not declared, the usual one."""
        return self.manifest.runtime(self.function(name))

    def function(self, name: str) -> Function | None:
        """Return what the manifest says of a function, whatever the case of its name."""
        return self._functions.get(name.lower())

    @cached_property
    def _functions(self) -> collections.abc.Mapping[str, Function]:
        return {name.lower(): function for name, function in self.manifest.functions.items()}

    @cached_property
    def package_runtimes(self) -> tuple[tuple[str, Runtime], ...]:
        """Each package with each runtime that uses it, in a function, a layer, or what else a service has."""
        pairs = {
            (package, self.code[name].runtime): None
            for name, function in self.manifest.functions.items()
            for package in function.packages
        }
        for layer in self.manifest.layers.values():
            pairs |= {(package, self.runtimes[tag]): None for tag in layer.runtimes for package in layer.packages}
        pairs |= {(package, self.runtimes[tag]): None for package, tag in self.manifest.other_uses}
        return tuple(pairs)

    @property
    def files(self) -> collections.abc.Mapping[str, str]:
        """Every path of the manifest that is a file, as it is written → absolute, symbolic links resolved."""
        return self._files

    def file(self, written: str) -> Path:
        """Return the file that a path of the manifest names: absolute, inside `folder`, symbolic links resolved."""
        return self.folder / self._files[written]

    def at(self, *keys: str | int) -> Position:
        """
        Return the place of what `keys` lead to, such as ``at("functions", "my_psi", "class")``.

        A text has the place of its value; a mapping or a list the place of its key. What is not in the file, a default
        for instance, has the place of its nearest ancestor.
        """
        return self._document.position(self._document.find(*self._place_keys(keys))[0])

    def _place_keys(self, keys: tuple[str | int, ...]) -> tuple[str | int, ...]:
        """Return where what belongs to a package is written: some kinds of target have packages under another key."""
        if keys[:1] == ("packages",) and len(keys) > 1:
            return (*self.manifest.package_keys(str(keys[1])), *keys[2:])
        return keys

    def problem(
        self,
        code: str,
        message: str,
        *keys: str | int,
        hint: Hint | None = None,
        severity: Literal["error", "warning"] = "error",
    ) -> Problem:
        """Make a problem at the place of `keys`, with the line of the file and the width for its caret."""
        mark, width = self._document.find(*self._place_keys(keys))
        return self._document.problem(code, message, mark, width=width, hint=hint, severity=severity)


class PartlyRead(InvalidManifest):
    """A manifest that cannot be used, and what is left of it."""

    rest: Loaded | None = None
    """For what can be said of its files all the same: without what is wrong, and not to be planned from."""

    touched: frozenset[str] = frozenset()
    """The keys of the manifest that something was taken out of: ``packages``."""


def load_manifest(
    path: Path,
    dialects: Dialects,
    *,
    target: str | None = None,
    env: collections.abc.Mapping[str, str],
    shown: str | None = None,
) -> Loaded:
    """
    Read and check a manifest, or raise `InvalidManifest` with all that is wrong.

    `target` is the one named by the user, if any; `shown` is how problems call the file. Of `dialects`, by their kinds, the first
    is that of a manifest that names no kind.
    """
    called = shown or str(path)
    return parse_manifest(content_of(path, called), called, path.parent.resolve(), dialects, target=target, env=env)


def parse_manifest(
    content: bytes,
    called: str,
    folder: Path,
    dialects: Dialects,
    *,
    target: str | None,
    env: collections.abc.Mapping[str, str],
) -> Loaded:
    """As `load_manifest`, for bytes that may not be a file yet; `folder` is absolute, its symbolic links resolved."""
    document = Document(called)
    outcome: tuple[Loaded | None, frozenset[str]] = None, frozenset()
    # Nobody reads a thousand problems; hostile text could make millions.
    with contextlib.suppress(TooManyProblems):
        loaded, touched = _judge(document, content, folder, dialects, target, env)
        if loaded is not None and not document.problems:
            return loaded
        outcome = loaded, touched
    error = PartlyRead.of([*document.problems, *document.warnings])
    assert isinstance(error, PartlyRead)
    error.rest, error.touched = outcome
    raise error


def _judge(
    document: Document,
    content: bytes,
    folder: Path,
    dialects: Dialects,
    target: str | None,
    env: collections.abc.Mapping[str, str],
) -> tuple[Loaded | None, frozenset[str]]:
    """
    Take the steps as far as they lead; what is in the way is in `document`.

    Where something is, the manifest is the rest of it, and with it comes what was touched.
    """
    read_document(content, document)
    dialect = choose_dialect(document, dialects) if document.whole else None
    name = _choose(document, target) if document.whole else None
    if dialect is None or name is None:
        return None, frozenset()
    room = Folder(folder)
    included = include_files(document, room, content_of, dialect.keys)
    # Kind and target come first, and hold no variables: which variables there are depends on them.
    expand_variables(document, name, env)
    manifest = type_document(document, dialect.model)
    # Where a file's entries are not known, nothing can be said of the names that others use.
    if included is None:
        return None, frozenset()
    checks = (*dialect.checks, check_moved, check_policy, check_promotion, check_ignored)
    touched: frozenset[Keys] = frozenset()
    if manifest is None:
        from reconciler.manifest.rest import take_rest

        rest = take_rest(document, dialect.model)
        if rest is None:
            return None, frozenset()
        draft = Draft(dialect, document, rest.manifest, name, room, files=included)
        run_checks(draft, checks, lambda flaw: rest.is_certain(flaw, document))
        touched |= rest.touched
    else:
        draft = Draft(dialect, document, manifest, name, room, files=included)
        run_checks(draft, checks)
    manifest = draft.manifest
    # The policy is read even when something is wrong already, so that its own mistakes are reported in the same run.
    policies = _policies(document, manifest.policy, folder, draft.files, env.get(POLICY))
    chosen, warnings = manifest.targets.get(name, dialect.implicit_target), tuple(document.warnings)
    if document.problems:
        sound = _sound_entries(manifest, draft.code, touched)
        touched |= {("functions",)} if len(sound.get("functions", ())) < len(manifest.functions) else set()
        manifest = structs.replace(manifest, **sound)
    loaded = Loaded(manifest, folder, name, chosen, draft.code, warnings, policies, draft.files, document)
    return loaded, frozenset(str(keys[0]) for keys in touched if keys)


def _sound_entries(
    manifest: Manifest, code: collections.abc.Mapping[str, Code], touched: frozenset[Keys]
) -> dict[str, dict[str, Any]]:
    """Return the functions and packages of a broken manifest of which something can be said, by their sections."""
    # Of the source of a function something can be said where its Python is known.
    functions = {
        name: function
        for name, function in manifest.functions.items()
        if name in code and ("functions", name, "python") not in touched
    }
    cut = {keys[1] for keys in touched if keys[:1] == ("packages",) and len(keys) > 1}
    packages = {name: package for name, package in manifest.packages.items() if name not in cut}
    entries: dict[str, dict[str, Any]] = {"functions": dict(functions), "packages": dict(packages)}
    # Of some kinds of target these are concluded from other entries.
    return {section: sound for section, sound in entries.items() if section in manifest.__struct_fields__}


def _policies(
    document: Document,
    declared: str | None,
    folder: Path,
    files: collections.abc.Mapping[str, str],
    imposed: str | None,
) -> tuple[Rules, ...]:
    """Read the policies, each file once; what is wrong with one stands beside what is wrong with the manifest."""
    labels: dict[Path, str] = {}
    if declared is not None and declared in files:
        labels[(folder / files[declared]).resolve()] = str(PurePath(document.file).parent / declared)
    if imposed is not None:
        # One that is not there, or no name at all, must not mean that everything is allowed.
        if not imposed or not Path(imposed).is_file():
            hint = "it holds for every manifest; where there is none, unset it"
            raise InvalidManifest("E531", f"{POLICY} names no policy: there is no file {quote(imposed)}", hint=hint)
        labels.setdefault(Path(imposed).resolve(), imposed)
    policies = []
    for path, label in labels.items():
        from reconciler.manifest.policy_file import load_policy

        rules, problems = load_policy(content_of(Path(label) if label == imposed else path, label), label)
        document.problems += problems
        policies.append(rules)
    return tuple(filter(None, policies))


def content_of(path: Path, called: str) -> bytes:
    """Return the bytes of a manifest or a policy; raises InvalidManifest for a file that is not to be read (`base.inputs`)."""
    try:
        return read_named(path, MANIFEST)
    except FileNotFoundError:
        with contextlib.suppress(OSError):
            beside = [each.name for each in path.parent.iterdir() if each.suffix in {".yaml", ".yml"}]
            if meant := closest(path.name, beside):
                guess = suggest(str(path.with_name(meant)))
                raise InvalidManifest("E101", f"there is no manifest '{called}'", hint=guess) from None
        hint: Hint = ("name it with -f, or write a starter with `", Command("init"), "`")
        raise InvalidManifest("E101", f"there is no manifest '{called}'", hint=hint) from None
    except LeadsOut as error:
        hint = "put a copy in its place, or name the file itself"
        raise InvalidManifest("E101", f"the manifest '{called}' is not read: {error.strerror}", hint=hint) from None
    except FileRefused as error:
        if error.errno == errno.EFBIG:
            message = f"more than {MANIFEST.size // 1_000_000} MB"
            raise InvalidManifest("E104", message, at=Position(called), hint="split it into stacks") from None
        hint = f"name the file in it: -f {path / 'udfs.yaml'}" if path.is_dir() else "copy it into a file"
        message = f"the manifest '{called}' is not a regular file"
        raise InvalidManifest("E101", message, hint=hint) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidManifest("E101", f"the manifest '{called}' cannot be read: {reason}") from None


def _choose(document: Document, named: str | None) -> str | None:
    """Return the name of the target that is meant."""
    targets = document.value("targets")
    declared: list[str] = [*targets] if isinstance(targets, Mapping) else []
    if named is not None:
        if named in declared or (not declared and named == DEFAULT_TARGET):
            return named
        message = f"there is no target {quote(named)}"
        hint = did_you_mean(named, declared) or _list_targets(declared)
    elif DEFAULT_TARGET in declared or not declared:
        return DEFAULT_TARGET
    elif len(declared) == 1:
        return declared[0]
    else:
        message = "there are several targets and none of them is called 'local'"
        hint = f"choose one with --target; {_list_targets(declared)}"
    document.note("E307", message, document.find("targets"), hint=hint)
    return None


def _list_targets(names: list[str]) -> str:
    return (
        f"declared: {', '.join(map(quote, names[:_MAX_LISTED]))}"
        if names
        else "the manifest declares none, so only 'local' is there"
    )
