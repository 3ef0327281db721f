"""
House figures: how readable the layout and the names of `reconciler/` are, counted from the source, room by room.

Nothing is imported from what is measured, so that any checkout can be counted; only `modules imported by plan` runs it, with
the checkout's own interpreter when it has a `.venv`.

    python -m tests.house [CHECKOUT ...]    # side by side; without one, this checkout
    python -m tests.house --names           # where this checkout's counted words and repeated names stand
"""

from __future__ import annotations

import ast
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tokenize
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[1]

ROOMS = (
    *("cli", "render", "workflow", "targets", "testing", "engine", "checks", "core", "packages", "manifest"),
    *("local", "base"),
)
"""From the top down; `local` stands beside the others, on `base` alone."""


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


WORDS = words(
    "one found place at told made wanted asked there given left known gone taken own so",
)
"""Words that name no thing. Their share of all bound names is to stay under 1.5 %."""

MORE_WORDS = WORDS | words(
    "what kept here shown said named written called listed chosen wrong others held needed ended when how have want why "
    "done rest more where"
)
"""The same with the next two dozen by frequency, so that one vague word is not traded for another."""

IRREGULAR = words(
    "begun bound bought broken brought built caught chosen dealt done drawn driven eaten fallen felt found given "
    "gone got grown had heard held hidden kept known laid led left lent lost made meant met paid "
    "said seen sent shown sold spelt spoken stood sunk sworn taken taught thought thrown told torn "
    "understood unknown withdrawn won worn written"
)
NO_PARTICIPLE = words("embed exceed feed indeed need proceed read seed set speed")
"""Words in -ed that are none, and verbs whose participle cannot be told from the infinitive."""

RIDDLE = re.compile(r" (told|tells|asked|(is|are) (not )?(taken|wanted))\b")
"""Passives that do not say who does what, in messages."""

MOST_COMPLEX = 15


class Bound(NamedTuple):
    """A name that a module gives to something, and where."""

    name: str
    line: int


class Definition(NamedTuple):
    """A function or a class, with the dotted name inside its module."""

    path: str
    line: int
    is_class: bool
    complexity: int

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def is_public(self) -> bool:
        """Say whether other modules may use it: it stands at the top of its module, without an underscore."""
        return "." not in self.path and not self.path.startswith("_")


@dataclass(frozen=True)
class Module:
    """One file of a checkout's `reconciler/`."""

    name: str
    path: Path

    @property
    def room(self) -> str:
        """Return the first part below the package: a folder, or a module that stands loose."""
        return [*self.name.split("."), ""][1]

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @cached_property
    def comments(self) -> int:
        """Count comments, a shebang's and a type checker's left out."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return sum(
            token.type == tokenize.COMMENT and not re.match(r"#!|#\s*(type:|noqa)", token.string) for token in tokens
        )

    @cached_property
    def values_explained(self) -> int:
        """Count the texts that stand behind an assignment or a field and say what it is."""
        bodies = [
            node.body for node in ast.walk(self.tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        ]
        return sum(
            isinstance(before, ast.Assign | ast.AnnAssign)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
            for body in bodies
            for before, text in pairwise(body)
        )

    @cached_property
    def bound(self) -> tuple[Bound, ...]:
        return tuple(bound_names(self.tree))

    @cached_property
    def definitions(self) -> tuple[Definition, ...]:
        return tuple(definitions(self.tree))

    @property
    def riddles(self) -> list[tuple[int, str]]:
        """Texts of a program, docstrings left out, that say "is told", "is asked", "is not taken" and the like."""
        nodes = list(ast.walk(self.tree))
        alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        return [
            (node.lineno, node.value)
            for node in nodes
            if isinstance(node, ast.Constant) and id(node) not in alone and isinstance(node.value, str)
            if RIDDLE.search(node.value)
        ]

    @property
    def first_line(self) -> str:
        return (ast.get_docstring(self.tree) or "").partition("\n")[0]


def bound_names(tree: ast.Module) -> Iterator[Bound]:
    """
    Give each name as often as it is bound.

    That is parameters (a lambda's, too), targets of assignments, `for`, `with`, comprehensions and `:=`, names of caught
    exceptions, functions and classes. Attributes and imports are no new names.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield Bound(node.arg, node.lineno)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield Bound(node.id, node.lineno)
        elif (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            or (isinstance(node, ast.ExceptHandler) and node.name)
            or (isinstance(node, ast.MatchAs | ast.MatchStar) and node.name)
        ):
            yield Bound(str(node.name), node.lineno)


def definitions(node: ast.AST, prefix: str = "") -> Iterator[Definition]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            is_class = isinstance(child, ast.ClassDef)
            yield Definition(prefix + child.name, child.lineno, is_class, 0 if is_class else complexity(child))
            yield from definitions(child, f"{prefix}{child.name}.")
        else:
            yield from definitions(child, prefix)


def complexity(function: ast.AST) -> int:
    """Return the cyclomatic complexity as radon counts it; functions inside stand for themselves."""
    count = 1
    for node in own_nodes(function):
        if isinstance(node, ast.If | ast.IfExp | ast.Assert):
            count += 1
        elif isinstance(node, ast.For | ast.AsyncFor | ast.While):
            count += 1 + bool(node.orelse)
        elif isinstance(node, ast.Try):
            count += len(node.handlers) + bool(node.orelse)
        elif isinstance(node, ast.BoolOp):
            count += len(node.values) - 1
        elif isinstance(node, ast.comprehension):
            count += 1 + len(node.ifs)
        elif isinstance(node, ast.Match):
            count += len(node.cases) - any(is_catch_all(case) for case in node.cases)
    return count


def is_catch_all(case: ast.match_case) -> bool:
    return isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(function):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from own_nodes(child)


def is_participle(name: str) -> bool:
    """Say whether a name is one past participle and nothing else."""
    word = name.strip("_").lower()
    if "_" in word or re.search(r"[a-z][A-Z]", name) or word in NO_PARTICIPLE:
        return False
    return word in IRREGULAR or bool(re.fullmatch(r"[a-z]{2,}ed", word))


class House:
    """The `reconciler/` of a checkout."""

    def __init__(self, root: Path) -> None:
        self.root = root
        package = root / "reconciler"
        self.modules = [
            Module(".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"), path)
            for path in sorted(package.rglob("*.py"))
            if "starter" not in path.parts
        ]
        self.names = {module.name for module in self.modules}

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """Each module of ours and those it imports, anywhere in it; for the type checker alone counts, too."""
        return {module.name: set(self._imports(module)) - {module.name} for module in self.modules}

    def _imports(self, module: Module) -> Iterator[str]:
        here = module.name.split(".")
        package = here if module.path.name == "__init__.py" else here[:-1]
        for node in ast.walk(module.tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                stem = ".".join([*base, *([node.module] if node.module else [])])
                names = [
                    f"{stem}.{alias.name}" if f"{stem}.{alias.name}" in self.names else stem for alias in node.names
                ]
            yield from (name for name in names if name in self.names)

    @cached_property
    def ties(self) -> dict[str, set[str]]:
        """Each room and the rooms that it imports."""
        rooms: dict[str, set[str]] = {module.room: set() for module in self.modules}
        room_of = {module.name: module.room for module in self.modules}
        for name, targets in self.imports.items():
            rooms[room_of[name]] |= {room_of[target] for target in targets} - {room_of[name], ""}
        return rooms

    @property
    def rooms(self) -> set[str]:
        return set(self.ties) - {"", "__main__", "pytest_plugin"}

    @property
    def upward(self) -> list[tuple[str, str]]:
        """Ties against the order of ROOMS; rooms of another order are not judged."""
        rank = {room: number for number, room in enumerate(ROOMS)}
        return [
            (room, target)
            for room, targets in sorted(self.ties.items())
            for target in sorted(targets)
            if room in rank and target in rank and rank[target] < rank[room]
        ]

    @property
    def definitions(self) -> list[tuple[Module, Definition]]:
        return [(module, definition) for module in self.modules for definition in module.definitions]

    @property
    def participles(self) -> list[tuple[Module, Definition]]:
        return [pair for pair in self.definitions if is_participle(pair[1].name)]

    def repeated(self, *, classes: bool) -> dict[str, list[str]]:
        """Return the public classes, or functions, of one name in several modules, with the modules."""
        places: dict[str, list[str]] = defaultdict(list)
        for module, definition in self.definitions:
            if definition.is_public and definition.is_class == classes:
                places[definition.name].append(module.name)
        return {name: modules for name, modules in sorted(places.items()) if len(set(modules)) > 1}

    @property
    def complex(self) -> list[tuple[Module, Definition]]:
        return [pair for pair in self.definitions if pair[1].complexity > MOST_COMPLEX]

    @property
    def clauses(self) -> list[Module]:
        """Modules whose first line is a clause ("What …") and no noun."""
        return [
            module for module in self.modules if re.match(r"(What|How|Which|Who|Where|When|Is|Are) ", module.first_line)
        ]

    @property
    def prose(self) -> int:
        """Lines of Python that are the explanations of errors."""
        return sum(
            (node.end_lineno or node.lineno) - node.lineno + 1
            for module in self.modules
            for node in module.tree.body
            if isinstance(node, ast.Expr) and ast.unparse(node).startswith("_explain(")
        )

    def imported_by_plan(self) -> tuple[int, int]:
        """Return how many modules, ours and all, a second `udfs plan` of the smallest example has imported."""
        names: set[str] = set()
        own = self.root / ".venv" / "bin" / "python"
        python = str(own) if own.exists() else sys.executable
        with tempfile.TemporaryDirectory() as folder:
            example = shutil.copytree(self.root / "examples" / "minimal", Path(folder) / "minimal")
            env = {**os.environ, "UDFS_CACHE_DIR": f"{folder}/cache", "PYTHONPATH": str(self.root)}
            for command in (("apply", "--yes"), ("plan",)):
                done = subprocess.run(
                    [python, "-X", "importtime", "-m", "reconciler", *command],
                    cwd=example,
                    env=env,
                    stderr=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    text=True,
                    check=True,
                )
                names = set(re.findall(r"^import time:.*\|\s+([\w.]+)$", done.stderr, re.MULTILINE))
        return sum(name.partition(".")[0] == "reconciler" for name in names), len(names)


def count_words(modules: list[Module], words: frozenset[str]) -> tuple[int, int]:
    """Return how many bound names are among the words, and how many there are."""
    names = Counter(bound.name for module in modules for bound in module.bound)
    return sum(names[word] for word in words), names.total()


def cycles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups in which everything reaches everything else, by Tarjan's algorithm."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in sorted(graph.get(node, ())):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for node in graph:
        if node not in index:
            visit(node)
    return groups


def figures(house: House) -> dict[str, str]:
    """Return each figure with its name, as it is printed."""
    lines = sum(module.lines for module in house.modules)
    worker = sum(module.lines for module in house.modules if "worker" in module.name.split("."))
    few, total = count_words(house.modules, WORDS)
    many, _ = count_words(house.modules, MORE_WORDS)
    ours, every = house.imported_by_plan()
    comments = sum(module.comments for module in house.modules)
    explained = sum(module.values_explained for module in house.modules)
    return {
        "rooms at the top": str(len(house.rooms)),
        "files": str(len(house.modules)),
        "ties between rooms": str(sum(len(house.ties[room] & house.rooms) for room in house.rooms)),
        "ties upward": str(len(house.upward)) if house.rooms == set(ROOMS) else "–",
        "room cycles": str(len(cycles({room: house.ties[room] for room in house.rooms}))),
        "file cycles": str(len(cycles(house.imports))),
        "bound names": f"{total:,}",
        f"of them the {len(WORDS)} vaguest words": f"{few:,} = {few / total:.2%}",
        f"of them {len(MORE_WORDS)} vague words": f"{many:,} = {many / total:.2%}",
        "functions, classes": f"{len(house.definitions):,}",
        "of them one bare participle": f"{len(house.participles)} = {len(house.participles) / len(house.definitions):.1%}",
        "public classes in several modules": str(len(house.repeated(classes=True))),
        "public functions in several modules": str(len(house.repeated(classes=False))),
        f"functions of complexity over {MOST_COMPLEX}": str(len(house.complex)),
        "highest complexity": str(max(definition.complexity for _, definition in house.definitions)),
        "modules of ours imported by plan": str(ours),
        "all modules imported by plan": f"{every:,}",
        "lines": f"{lines:,}",
        "of them explanations of errors": f"{house.prose:,}",
        "of them the worker": f"{worker:,}",
        "lines but for explanations": f"{lines - house.prose:,}",
        "comments per 100 lines": f"{100 * comments / lines:.2f}",
        "and texts behind values": f"{100 * (comments + explained) / lines:.2f}",
        "first lines that are clauses": str(len(house.clauses)),
        "messages with told, asked, taken": str(sum(len(module.riddles) for module in house.modules)),
    }


def print_rooms(house: House) -> None:
    columns = (
        "files",
        "lines",
        "comm/100",
        "words",
        "of",
        "share",
        "40 words",
        "participles",
        "over 15",
        "clauses",
        "messages",
    )
    print(f"{'room':14}" + "".join(f"{column:>12}" for column in columns))
    for room in sorted(house.rooms, key=lambda room: ROOMS.index(room) if room in ROOMS else len(ROOMS)):
        modules = [module for module in house.modules if module.room == room]
        few, total = count_words(modules, WORDS)
        many, _ = count_words(modules, MORE_WORDS)
        lines = sum(module.lines for module in modules)
        cells = (
            *(len(modules), lines, f"{100 * sum(module.comments for module in modules) / lines:.1f}"),
            *(few, total, f"{few / total:.1%}" if total else "–", f"{many / total:.1%}" if total else "–"),
            sum(module.room == room for module, _ in house.participles),
            sum(module.room == room for module, _ in house.complex),
            sum(module.room == room for module in house.clauses),
            sum(len(module.riddles) for module in modules),
        )
        print(f"{room:14}" + "".join(f"{cell:>12}" for cell in cells))


def print_names(house: House) -> None:
    """Print each place that a figure counts."""
    for module in house.modules:
        for bound in sorted(module.bound, key=lambda bound: bound.line):
            if bound.name in WORDS:
                print(f"{module.path.relative_to(house.root)}:{bound.line}: {bound.name}")
    for module, definition in house.participles:
        print(f"{module.path.relative_to(house.root)}:{definition.line}: participle {definition.path}")
    for module, definition in house.complex:
        where = f"{module.path.relative_to(house.root)}:{definition.line}"
        print(f"{where}: complexity {definition.complexity} {definition.path}")
    for module in house.modules:
        for line, text in module.riddles:
            print(f"{module.path.relative_to(house.root)}:{line}: message {text[:90]!r}")
    for module in house.clauses:
        print(f"{module.path.relative_to(house.root)}:1: clause {module.first_line}")
    for classes in (True, False):
        for name, modules in house.repeated(classes=classes).items():
            print(f"repeated {name}: {', '.join(modules)}")
    for group in [*cycles({room: house.ties[room] for room in house.rooms}), *cycles(house.imports)]:
        print(f"cycle: {' '.join(group)}")


def main() -> None:
    if sys.argv[1:] == ["--names"]:
        print_names(House(ROOT))
        return
    houses = [House(Path(root).resolve()) for root in sys.argv[1:] or ["."]]
    columns = [figures(house) for house in houses]
    for name in columns[0]:
        print(f"{name:38}" + "".join(f"{column[name]:>18}" for column in columns))
    for house in houses:
        if house.rooms == set(ROOMS):
            print(f"\n{house.root.name}, room by room, where `words` are the {len(WORDS)} vaguest:")
            print_rooms(house)


if __name__ == "__main__":
    main()
