"""
Check of one source file for all functions that use it, from bytes to findings. Pure.

``# udfs: ignore[E818]`` at the end of a line silences findings of that code on it. An ignore that silences nothing is a finding
itself, because it would hide the next real one on its line.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from reconciler.base.hints import Command
from reconciler.checks.python.facts import gather_facts
from reconciler.checks.python.imports import check_imports, makes_modules
from reconciler.checks.python.newer_syntax import check_newer_syntax
from reconciler.checks.python.text import decode, parse_source

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reconciler.base.hints import Hint
    from reconciler.checks import Finding, Use
    from reconciler.checks.python.facts import Def, ModuleFacts
    from reconciler.checks.python.rules import RuleSet
    from reconciler.checks.python.text import Page


def check_module(
    raw: bytes, uses: Sequence[Use], rules: RuleSet, read: Callable[[str], bytes] = lambda sha256: b""
) -> tuple[Finding, ...]:
    """
    Return what is wrong with a module as these functions use it, in the order of the lines.

    `read` returns the bytes of another module of theirs by its sha256, should the class have something from there.
    """
    by_runtime: dict[str, list[Use]] = {}
    for use in uses:
        by_runtime.setdefault(use.runtime, []).append(use)
    findings: dict[Finding, None] = {}
    for runtime, users in by_runtime.items():
        findings |= dict.fromkeys(_read(raw, runtime, users, rules, _Others(runtime, users, read, rules.of_interest)))
    if b"udfs:" in raw:
        findings = dict.fromkeys(apply_ignores(decode(raw, uses[0].runtime)[0], findings))
    return tuple(sorted(findings, key=lambda finding: (finding.line, finding.column, finding.code, finding.message)))


def check_syntax(raw: bytes, runtime: str) -> list[Finding]:
    """Return what the Python of a runtime cannot read of a module, as far as no comment silences it."""
    page, misread = decode(raw, runtime)
    if misread is not None:
        return [misread]
    tree, refused = parse_source(page, runtime)
    findings = [refused] if refused is not None else []
    if tree is not None:
        findings = list(check_newer_syntax(page, gather_facts(page, tree, runtime), runtime)) or findings
    return apply_ignores(page, findings) if b"udfs:" in raw else findings


def check_alone(raw: bytes, runtime: str, class_name: str, rules: RuleSet) -> tuple[Finding, ...]:
    """Return what is wrong with a module that has a function's class, whatever else the function ships."""
    page, misread = decode(raw, runtime)
    tree = None if misread else parse_source(page, runtime)[0]
    findings = check_syntax(raw, runtime)
    if tree is not None and not findings and rules.of_class is not None:
        facts = gather_facts(page, tree, runtime, rules.of_interest)
        findings = apply_ignores(page, rules.of_class(page, facts, class_name, lambda module: None))
    return tuple(finding for finding in findings if finding.severity == "error")


class _Others:
    """The other modules of functions, read when they are asked for."""

    def __init__(
        self, runtime: str, uses: list[Use], read: Callable[[str], bytes], of_interest: tuple[str, ...]
    ) -> None:
        self._runtime, self._read, self._of_interest = runtime, read, of_interest
        self._named = {name: sha256 for use in uses for name, sha256 in use.helpers}
        self._known: dict[str, ModuleFacts | None] = {}

    def __call__(self, module: str) -> ModuleFacts | None:
        """Return what a module holds; None if there is none of this name, or it cannot be read."""
        if module not in self._known:
            self._known[module] = self._gather(self._named[module]) if module in self._named else None
        return self._known[module]

    def is_early(self, use: Use) -> bool:
        """Say whether a module is loaded before the class is at work: by the entry module's own imports, or by theirs."""
        if use.entry is None:
            return True
        name, sha256 = use.entry
        waiting: list[ModuleFacts | None] = [self._gather(sha256)]
        seen: set[str] = set()
        while waiting:
            facts = waiting.pop()
            if facts is None:
                return True  # what cannot be read imports nobody knows what
            for imported in facts.imports:
                if imported.at_load and not imported.level and imported.module not in seen:
                    seen.add(imported.module)
                    if imported.module in self._named:
                        waiting.append(self(imported.module))
        return name in seen

    def make_modules(self, use: Use) -> bool:
        """Say whether another module of the function makes modules out of something else than files."""
        entry = [self._gather(use.entry[1])] if use.entry is not None else []
        return any(facts is not None and makes_modules(facts) for facts in (*entry, *map(self, self._named)))

    def _gather(self, sha256: str) -> ModuleFacts | None:
        page, _ = decode(self._read(sha256), self._runtime)
        tree, _ = parse_source(page, self._runtime)
        return None if tree is None else gather_facts(page, tree, self._runtime, self._of_interest)


def _read(raw: bytes, runtime: str, uses: list[Use], rules: RuleSet, others: _Others) -> Iterator[Finding]:
    page, misread = decode(raw, runtime)
    if misread is not None:
        yield misread
        if misread.message.startswith(("the file is not", "there is no")):
            return
    tree, refused = parse_source(page, runtime)
    if tree is not None:
        facts = gather_facts(page, tree, runtime, rules.of_interest)
        too_new = list(check_newer_syntax(page, facts, runtime))
        yield from too_new
        yield from _judge_module(page, facts, uses, rules, others)
        if any(finding.code == "E802" for finding in too_new):
            return
    if refused is not None:
        yield refused


def _judge_module(
    page: Page, facts: ModuleFacts, uses: list[Use], rules: RuleSet, others: _Others
) -> Iterator[Finding]:
    """
    Judge a module for each function that uses it, and tell only what concerns one.

    Functions that share a module list different things. What stands in the class of one does not concern the others; what
    stands in a function of the module concerns those that call it, so it is wrong only if it is wrong for all.
    """
    served = {use.class_name for use in uses} & set(facts.classes)
    seen: dict[tuple[int, int, str], list[Finding]] = {}
    for use in uses:
        family = _family(facts, use.class_name)
        of_service = (rule(page, facts, use) for rule in rules.of_module)
        for finding in chain(check_imports(page, facts, use, rules, others), *of_service):
            owner = _around(facts.classes.values(), finding.line)
            if not (owner in served and family and owner not in family):
                seen.setdefault((finding.line, finding.column, finding.code), []).append(finding)
        if use.class_name is not None and rules.of_class is not None:
            yield from rules.of_class(page, facts, use.class_name, others)
    for (line, _, _), alike in seen.items():
        if len(alike) == len(uses) or _around(facts.functions, line) is None or _around(facts.classes.values(), line):
            yield from alike


def _family(facts: ModuleFacts, name: str | None) -> set[str]:
    """Return a class and its bases, as far as they are in the module."""
    family: set[str] = set()
    waiting = [name] if name else []
    while waiting:
        current = waiting.pop()
        if current in facts.classes and current not in family:
            family.add(current)
            waiting += [facts.dotted_name(base) for base in facts.classes[current].bases]
    return family


def _around(definitions: Iterable[ast.ClassDef | Def], line: int) -> str | None:
    """Return the name of the definition that a line is in."""
    return next(
        (definition.name for definition in definitions if definition.lineno <= line <= (definition.end_lineno or line)),
        None,
    )


_IGNORE = re.compile(r"#\s*udfs:\s*ignore(?:\[([^\]]*)\])?")


def apply_ignores(page: Page, findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that no comment silences, and one for each comment that silences nothing."""
    ignores = dict(_find_ignores(page))
    if not ignores:
        return list(findings)
    kept: list[Finding] = []
    used: set[tuple[int, str]] = set()
    for finding in findings:
        if finding.code in ignores.get(finding.line, ({}, (0, 0)))[0]:
            used.add((finding.line, finding.code))
        else:
            kept.append(finding)
    for line, (codes, comment) in ignores.items():
        kept += _idle(page, line, codes, comment, used)
    return kept


def _find_ignores(page: Page) -> Iterator[tuple[int, tuple[dict[str, int], tuple[int, int]]]]:
    """Yield each line with an ignore: its codes with their columns, and the place of the comment."""
    for number, line in enumerate(page.lines, 1):
        comment = _IGNORE.search(line)
        if comment is None:
            continue
        codes = {}
        for word in re.finditer(r"[^\s,]+", comment[1] or ""):
            codes[word.group()] = comment.start(1) + word.start() + 1
        yield number, (codes, (comment.start() + 1, len(comment.group())))


def _idle(
    page: Page, line: int, codes: dict[str, int], comment: tuple[int, int], used: set[tuple[int, str]]
) -> Iterator[Finding]:
    if not codes:
        message = "an ignore without a code silences nothing"
        yield page.spot(line, *comment, "E820", message, "# udfs: ignore[E818]", "warning")
    for code, column in codes.items():
        if (line, code) in used:
            continue
        hint: Hint = "remove it"
        message = f"nothing is found here that ignore[{code}] would silence"
        from reconciler.base.explanations import load_explanations

        if code not in load_explanations() or not code.startswith(("E8", "E550")):
            message = f"'{code}' is not a code of the source checks"
            hint = ("they are E801 to E821 and E550: ", Command("explain"))
        yield page.spot(line, column, len(code), "E820", message, hint, "warning")
