"""
Imports: each is provided by something, and that is there in time.

A module can import from the standard library of its runtime, from what the service has installed, from the other modules of
its function, from the wheels of its packages, and from what its own code makes of a resource. The wheels are unpacked beside a running worker; when a service first looks
at a module none of them need be there yet (`RuleSet.early_packages` says where that is not settled).
"""

from __future__ import annotations

import ast
import difflib
from typing import TYPE_CHECKING

from reconciler.base.words import closest, suggest
from reconciler.checks.python.pythons import library_history, python_version, runtime_name, standard_modules
from reconciler.packages.projects import PROJECTS, requirement_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Protocol

    from reconciler.checks import Finding, Use
    from reconciler.checks.python.facts import Import, ModuleFacts
    from reconciler.checks.python.rules import RuleSet
    from reconciler.checks.python.text import Page

    class Neighbours(Protocol):
        """What the other modules of a function do."""

        def is_early(self, use: Use) -> bool:
            """Say whether a module is loaded before the class is at work."""

        def make_modules(self, use: Use) -> bool:
            """Say whether one of them makes modules out of something else than files."""


_RENAMED = {
    "ConfigParser": "configparser",
    "Queue": "queue",
    "SocketServer": "socketserver",
    "StringIO": "io",
    "__builtin__": "builtins",
    "cPickle": "pickle",
    "cStringIO": "io",
    "commands": "subprocess",
    "httplib": "http.client",
    "urllib2": "urllib.request",
    "urlparse": "urllib.parse",
    "HTMLParser": "html.parser",
    "Cookie": "http.cookies",
    "md5": "hashlib",
    "sha": "hashlib",
    "sets": "set",
    "thread": "_thread",
}
"""Of 2.7 → of 3."""

_FINDERS = frozenset({"sys.path", "sys.meta_path", "site", "zipimport", "importlib", "imp", "pkgutil", "runpy"})
"""What a module uses that finds packages by itself."""

_MAKERS = frozenset({"sys.modules", "sys.meta_path", "sys.path_hooks", "types.ModuleType", "imp.new_module"})
"""What a module uses that makes modules: any name may be one then."""


def check_imports(page: Page, facts: ModuleFacts, use: Use, rules: RuleSet, others: Neighbours) -> Iterator[Finding]:
    """Yield every import that fails when the module is loaded or when it gets there."""
    reported, standard = set[str](), standard_modules(python_version(use.runtime))
    for statement in facts.imports:
        if statement.level:
            yield from _check_relative(page, statement, use.package, rules)
            continue
        top = statement.module.partition(".")[0]
        if statement.guarded or top in reported:
            continue
        if top in standard:
            yield from _either(page, statement, top, use)
            reported.add(top)
            continue
        comes_early = statement.at_load and use.package is None and others.is_early(use)
        if top in use.installed:
            if top in use.modules and comes_early:
                yield _instead_of_its_own(page, statement, top, use)
        elif top not in use.peers:
            finding = _check_absolute(page, facts, statement, use, rules, others, comes_early=comes_early)
            if finding:
                yield finding
            # Each import that comes too early has to be moved; of other findings the first of a module is enough.
            if finding is None or finding.code != "E815":
                reported.add(top)


def _check_relative(page: Page, statement: Import, package: str | None, rules: RuleSet) -> Iterator[Finding]:
    if package is None:
        why = f": {rules.service.name} loads each file as a module of its own, in no package"
        why += f" ('{'.' * statement.level}{statement.module}')"
    elif statement.level > package.count(".") + 1:
        why = f" that leads out of the package '{package.partition('.')[0]}'"
    else:
        return
    hint = f"import {statement.module or statement.alias.name}"
    yield page.finding(statement.node, "E817", f"a relative import{why}", hint)


def _check_absolute(
    page: Page,
    facts: ModuleFacts,
    statement: Import,
    use: Use,
    rules: RuleSet,
    others: Neighbours,
    *,
    comes_early: bool,
) -> Finding | None:
    top = statement.module.partition(".")[0]
    if top in use.renamed:
        message = f"'{top}' cannot be imported by this name: {top}.py is uploaded with its content's digest in its name"
        hint = f"declare {top}.py under `resources:` too, and it keeps its name"
        return page.finding(statement.node, "E550", message, hint)
    # A package of one's own is an archive, and comes with the others.
    if top not in use.modules and top not in use.own_packages:
        if top in use.in_resources and _finds_by_itself(facts, use):
            return None
        is_made = makes_modules(facts) or _writes(facts, top) or others.make_modules(use)
        return _nowhere(page, statement, top, use, is_made=is_made)
    if comes_early:
        return _too_early(page, statement, top, use, rules)
    if not use.wired and use.class_name is not None and not _finds_by_itself(facts, use):
        return _not_found(page, statement, top, use, rules)
    return None


def _too_early(page: Page, statement: Import, top: str, use: Use, rules: RuleSet) -> Finding:
    hint = f"import {top} inside the method that uses it, or in __init__"
    if top in use.own_packages:
        hint += "; or list its files one by one, as .py, which can be imported anywhere"
    if use.runtime in rules.early_packages:
        message = (
            f"'{top}' comes from a package, and may not be there when {rules.service.name} first looks at the module"
        )
        return page.finding(statement.node, "E815", message, hint, "warning")
    message = f"'{top}' comes from a package, which is not there yet when {rules.service.name} looks at the module"
    return page.finding(statement.node, "E815", message, hint)


def _finds_by_itself(facts: ModuleFacts, use: Use) -> bool:
    """Say whether a module may make packages importable: it touches what Python searches, or has helpers that may."""
    return _touches(facts, _FINDERS | {*use.peers, *use.own_packages})


def makes_modules(facts: ModuleFacts) -> bool:
    """Say whether a module may make others: what it makes needs no file."""
    return _touches(facts, _MAKERS)


def _touches(facts: ModuleFacts, names: frozenset[str]) -> bool:
    imported = {
        name
        for statement in facts.imports
        for name in (statement.module.partition(".")[0], f"{statement.module}.{statement.alias.name}")
    }
    if imported & names:
        return True
    return any(isinstance(node, ast.Attribute) and facts.dotted_name(node) in names for node in ast.walk(facts.tree))


def _not_found(page: Page, statement: Import, top: str, use: Use, rules: RuleSet) -> Finding:
    archives = [name for name, kind in use.resources if kind == "archive"]
    argument = (
        f"'{rules.service.archive_folder}{archives[0]}'"
        if len(archives) == 1
        else f"'{rules.service.archive_folder}…' for each archive"
    )
    message = f"'{top}' is in an archive of the function, and nothing puts that on sys.path"
    hint = f"udfs does it for a `source:` without `wire: false`; by hand: sys.path.insert(0, {argument})"
    return page.finding(statement.node, "E822", message, hint)


def _instead_of_its_own(page: Page, statement: Import, top: str, use: Use) -> Finding:
    whose = f"the image '{use.image}'" if use.image else runtime_name(use.runtime)
    message = f"'{top}' comes from {whose} here, before the function's own is found"
    hint = f"import {top} inside the method that uses it, or leave it out of the package with `without:`"
    return page.finding(statement.node, "E821", message, hint, "warning")


def _either(page: Page, statement: Import, top: str, use: Use) -> Iterator[Finding]:
    if top in use.peers:
        message = (
            f"'{top}' is a module of {runtime_name(use.runtime)}, too, and a worker may have imported that already"
        )
        yield page.finding(statement.node, "E821", message, f"give {top}.py another name", "warning")


def _nowhere(page: Page, statement: Import, top: str, use: Use, *, is_made: bool) -> Finding:
    if top in use.in_resources:
        message = f"'{top}' is in a resource of the function, and nothing is seen to put it where import looks"
        return page.finding(statement.node, "E816", message, "sys.path.insert(0, FOLDER), in __init__", "warning")
    if is_made:
        message = f"no file provides '{top}'; the function makes modules by itself, and this must be one"
        return page.finding(statement.node, "E816", message, _instead(top, use), "warning")
    if use.unseen:
        message = f"'{top}' must come from {_name_all(use.unseen)}, which was not looked into"
        return page.finding(statement.node, "E816", message, "see that it is in there", "warning")
    if use.image:
        message = f"nothing is known to provide '{top}' but perhaps the image '{use.image}'"
        return page.finding(statement.node, "E816", message, "see that it is in there", "warning")
    if python_version(use.runtime) not in library_history():
        message = f"nothing is known to provide '{top}': what {runtime_name(use.runtime)} brings was not looked at"
        return page.finding(statement.node, "E816", message, _instead(top, use), "warning")
    message = f"nothing provides '{top}': no package or resource of the function, nor {runtime_name(use.runtime)}"
    return page.finding(statement.node, "E816", message, _instead(top, use))


def _name_all(names: Sequence[str]) -> str:
    return " or ".join(f"'{name}'" for name in names[:3]) + (f" or {len(names) - 3} more" if len(names) > 3 else "")


def _writes(facts: ModuleFacts, top: str) -> bool:
    """Say whether a module has the name of another's file in a text: it may write it."""
    texts = (node.value for node in ast.walk(facts.tree) if isinstance(node, ast.Constant))
    return any(isinstance(text, str) and f"{top}.py" in text for text in texts)


def _instead(top: str, use: Use) -> str:
    history = library_history()
    if python_version(use.runtime) >= (3,) and top in standard_modules((2, 7)):
        return f"it is of Python 2; in Python 3: {_RENAMED[top]}" if top in _RENAMED else "it is of Python 2 only"
    if versions := [version for version in history if top in history[version]]:
        first, last = ("{}.{}".format(*version) for version in (versions[0], versions[-1]))
        which = (
            f"{first} and newer" if versions[-1] == max(history) else f"{first} to {last}" if first != last else first
        )
        return f"it is in the standard library of CPython {which} only"
    # The standard module that is one slip away: most names that are like one are another project's.
    public = [
        name for name in (*standard_modules(python_version(use.runtime)), *use.installed) if not name.startswith("_")
    ]
    guess = closest(top, {*use.modules, *use.peers, *use.own_packages})
    if guess := guess or next(iter(difflib.get_close_matches(top, public, 1, 0.85)), None):
        return suggest(guess)
    return _lines_to_write(top, use)


def _lines_to_write(top: str, use: Use) -> str:
    project, requirement = PROJECTS.get(top, top), requirement_of(top, python_version(use.runtime)) or top
    quoted = requirement if requirement == project else f"'{requirement}'"
    return f"write {project}: {{requirements: [{quoted}]}} under `packages:`, and packages: [{project}] in the function; or modules: [{top}.py]"
