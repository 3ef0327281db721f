"""The import direction drawn in ``reconciler/__init__.py`` is kept, and each effect has one door."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from reconciler.base import errors
from reconciler.base.explanations import load_explanations
from reconciler.local import Server

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "reconciler"

ROOMS = (
    "cli",
    "render",
    "workflow",
    "targets",
    "testing",
    "engine",
    "checks",
    "core",
    "packages",
    "manifest",
    "base",
)
"""A room imports only rooms below it. At the top beside them stand ``__main__`` and ``pytest_plugin``, which is all above ``cli``."""

STANDS_BESIDE = "local"
"""
It imports `base` and nothing else of ours: a server that shares code with its client agrees with it about mistakes, and nothing in
`base` knows a service.
"""

USES_LOCAL = ("cli", "testing", "targets", "packages", "pytest_plugin")
"""Who starts what stands in ``local``: services of our own, and CPythons that run functions."""

ONE_DOOR = {
    "odps": ("reconciler.targets.maxcompute",),
    "rich": ("reconciler.render", "reconciler.cli"),
    "sqlite3": ("reconciler.local",),
    "deepdiff": ("reconciler.core.diff",),
    "click": ("reconciler.cli",),
    "yaml": ("reconciler.manifest",),
    "subprocess": (
        "reconciler.local.conversation",
        "reconciler.local.invoke.worker",
        "reconciler.local.flink",
        "reconciler.local.interpreters",
        "reconciler.local.runner",
        "reconciler.local.sandbox",
        "reconciler.base.barrier",
        "reconciler.base.processes",
        "reconciler.packages.build.frontend",
        "reconciler.cli.support.git",
    ),
    "pyarrow": (
        "reconciler.testing.row_files",
        "reconciler.local.sql",
        "reconciler.local.server.tables",
        "reconciler.local.tunnel",
    ),
    "google_crc32c": ("reconciler.local.tunnel",),
    "fastcrc": ("reconciler.targets.fc", "reconciler.local"),
    "duckdb": ("reconciler.local.sql",),
    "sqlglot": ("reconciler.local.sql",),
    "requests": (
        "reconciler.targets.maxcompute",
        "reconciler.targets.fc",
        "reconciler.targets.flink.rest",
        "reconciler.targets.oss",
        "reconciler.targets.roa",
        "reconciler.targets.transport",
        "reconciler.targets.credentials.exchange",
        "reconciler.packages.fetch.downloads",
        "reconciler.cli.forges",
    ),
    "alibabacloud_credentials": ("reconciler.targets.credentials.cloud_sdk",),
    "http": ("reconciler.local", "reconciler.packages.fetch.gateway", "reconciler.targets.fc.serving"),
    "secrets": (
        *("reconciler.cli", "reconciler.local", "reconciler.base.files", "reconciler.packages.fetch.gateway"),
        "reconciler.targets.flink.life",
    ),
    "cyclonedx": ("reconciler.render.sbom",),
    "jinja2": ("reconciler.render.page",),
    "random": ("reconciler.cli",),
}
"""Which modules may import what touches the world."""

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "starter" not in path.parts)


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported(path: Path) -> set[str]:
    """Return every module that a file imports, anywhere in it, relative imports resolved."""
    me = dotted(path).split(".")
    package = me if path.name == "__init__.py" else me[:-1]
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            names |= {f"{stem}.{alias.name}" for alias in node.names}
    return names


def part(name: str) -> str:
    pieces = name.split(".")
    return pieces[1] if len(pieces) > 1 else ""


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_point_down(path: Path) -> None:
    me = part(dotted(path))
    for target in imported(path):
        other = part(target)
        if not target.startswith("reconciler.") or other in {me, "__version__"}:
            continue
        assert me != STANDS_BESIDE or other == "base", f"{me} may import base alone, and imports {target}"
        if other == STANDS_BESIDE:
            assert me in USES_LOCAL, f"{me} must not depend on {target}"
        elif me in ROOMS:
            assert ROOMS.index(other) > ROOMS.index(me), f"{me} imports {target}, which stands above it"


IN_PACKAGES = ("content", "projects", "fetch", "inspect", "pack", "debian", "build", "lock")
"""The road of a wheel: each imports only what comes before, and what meets in ``collect`` stands after all of them."""


@pytest.mark.parametrize("path", [path for path in MODULES if part(dotted(path)) == "packages"], ids=dotted)
def test_the_room_of_packages_has_one_direction(path: Path) -> None:
    def floor(name: str) -> int:
        room = name.split(".")[2]
        return IN_PACKAGES.index(room) if room in IN_PACKAGES else len(IN_PACKAGES)

    me = dotted(path)
    for target in imported(path):
        if target.startswith("reconciler.packages.") and me != "reconciler.packages":
            assert floor(target) <= floor(me), f"{me} imports {target}, which comes after it"


@pytest.mark.parametrize("library", sorted(ONE_DOOR))
def test_each_effect_has_one_door(library: str) -> None:
    for path in MODULES:
        me = dotted(path)
        if any(name == library or name.startswith(library + ".") for name in imported(path)):
            assert any(me == door or me.startswith(door + ".") for door in ONE_DOOR[library]), me


STARTERS = {
    **dict.fromkeys(("run", "Popen", "call", "check_call", "check_output"), "subprocess"),
    "start": "the barrier",
}
"""What starts a program, by the name of the function."""

PAST_THE_DOOR = re.compile(
    r"os\.(system|popen|spawn\w+|posix_spawnp?|exec[lv]\w*|startfile)|create_subprocess_\w+|pty\.(spawn|fork)"
)


def started_by(path: Path) -> list[ast.Call]:
    """Return the calls by which a module starts programs, of those that may."""
    tree = parsed(path)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        call
        for call in calls
        if (
            isinstance(call.func, ast.Attribute)
            and ast.unparse(call.func.value) in {"subprocess", "barrier"}
            and call.func.attr in STARTERS
        )
        or (isinstance(call.func, ast.Attribute) and ast.unparse(call.func) == "STARTER.start")
        or (
            isinstance(call.func, ast.Name)
            and call.func.id in {"start", "starter", "start_behind_barrier"}
            and "reconciler.base.barrier.start" in imported(path)
        )
    ]


def test_whatever_is_started_gets_an_environment_that_was_chosen_for_it() -> None:
    """Without `env=` a program would inherit every secret of a pipeline, those included that nobody knows the name of."""
    starting = {dotted(path): started_by(path) for path in MODULES}
    assert sum(map(len, starting.values())) >= 8
    for module, calls in starting.items():
        for call in calls:
            names = [keyword.arg for keyword in call.keywords]
            assert "env" in names, f"{module}:{call.lineno}"
            [value] = [ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == "env"]
            assert not re.search(r"environ\b(?!ment)", re.sub(r"for_\w+\(os\.environ\)", "", value)), (
                f"{module}:{call.lineno}: {value}"
            )


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_no_program_is_started_past_the_doors(path: Path) -> None:
    calls = [node.func for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]
    # Who begins again in UTF-8 is udfs itself, and the compiler's stand-in is started by a build, in the environment of that.
    # Who has built the walls of a sandbox becomes the command behind them, in the environment of that.
    may_become = dotted(path) in {
        "reconciler.cli.entry",
        "reconciler.packages.build.compiler",
        "reconciler.local.sandbox.launcher",
    }
    past = {name for name in map(ast.unparse, calls) if PAST_THE_DOOR.fullmatch(name)}
    assert past <= ({"os.execve"} if may_become else set())


BLIND = ("core", "engine", "testing", "workflow", "render", "cli")
"""Rooms that know keys, marks, kinds, states, changes and plans, and no service."""

WORDS_OF_ONE_SERVICE = re.compile(
    r"maxcompute|maxframe|odps|class_path|fold_table|resource_key|function_key", re.IGNORECASE
)
"""Names that only MaxCompute has. MD5 is a word of many: `udfs build` prints it."""


def names_in(path: Path) -> str:
    """Return what a module imports, binds and asks for, without its prose: texts for people may name the service."""
    tree = parsed(path)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg | ast.keyword) and node.arg}
    names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    keys = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier()
    }
    return "\n".join(sorted({*names, *keys, *imported(path)}))


@pytest.mark.parametrize("path", [path for path in MODULES if part(dotted(path)) in BLIND], ids=dotted)
def test_no_word_of_one_service_stands_above_its_folder(path: Path) -> None:
    assert not set(WORDS_OF_ONE_SERVICE.findall(names_in(path)))


@pytest.mark.parametrize("path", [path for path in MODULES if part(dotted(path)) in ("core", "engine")], ids=dotted)
def test_core_and_engine_do_not_even_speak_of_a_service(path: Path) -> None:
    assert not re.search(r"maxcompute|pyodps|\bmd5\b", path.read_text(encoding="utf-8"), re.IGNORECASE)


@pytest.mark.parametrize("path", [path for path in MODULES if part(dotted(path)) in ("packages", "checks")], ids=dotted)
def test_packages_and_checks_hold_no_fact_of_a_service(path: Path) -> None:
    # PyODPS is quoted where it says what every service would meet, and which images build wheels.
    text = path.read_text(encoding="utf-8").replace("PyODPS", "").replace("pyodps", "")
    assert not re.search(r"maxcompute|odps|get_cache_|alibaba|['\"`]work/|isolation", text, re.IGNORECASE)


def test_every_module_stands_in_a_room() -> None:
    parts = {part(dotted(path)) for path in MODULES} - {"", "__main__", "pytest_plugin"}
    assert parts == {*ROOMS, STANDS_BESIDE}


ROOT_FOLDERS = {".ci", ".github", "docs", "examples", "reconciler", "schemas", "tests"}
ROOT_FILES = {
    ".gitignore", ".pre-commit-hooks.yaml", "CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml", "zensical.toml",
}  # fmt: skip


def test_the_repository_holds_no_link_out_of_it_and_nothing_else_at_its_root() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this copy is no Git checkout")
    paths = [Path(name) for name in listed.stdout.split("\0")[:-1]]
    assert {path.parts[0] for path in paths} == ROOT_FOLDERS | ROOT_FILES
    links = [path for path in paths if (ROOT / path).is_symlink()]
    assert [link for link in links if not (ROOT / link).resolve().is_relative_to(ROOT)] == []


def test_every_error_code_is_explained_and_every_explanation_is_used() -> None:
    used: set[str] = set()
    for path in MODULES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) == 4:
                used |= {node.value} if node.value[0] == "E" and node.value[1:].isdigit() else set()
    assert used == set(load_explanations())


HEAVY = {
    *("odps", "pydantic", "requests", "packaging", "yaml", "msgspec", "click", "rich", "deepdiff", "sqlite3"),
    *("numpy", "pandas", "pyarrow", "importlib.metadata", "email.parser", "http.client", "ssl", "asyncio"),
    *("alibabacloud_credentials", "aiohttp", "reconciler.targets.credentials.exchange"),
}
"""What takes longer to import than a bare interpreter takes to start, or a good part of it."""

NEEDED = {
    "--version": set[str](),
    "--help": set[str](),
    "validate": {"click", "yaml", "msgspec"},
    "plan": {"click", "yaml", "msgspec", "requests", "importlib.metadata", "email.parser", "http.client", "ssl"},
}


def imported_by(script: str, **env: str) -> set[str]:
    """Return the modules that a script has imported at its end, in a process of its own."""
    # Measuring coverage in the child would import what is looked for.
    own = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    script = f"import sys\n{script}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={**own, **env}
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("command", NEEDED)
def test_nothing_heavy_is_imported_that_a_small_command_does_not_need(command: str, tmp_path: Path) -> None:
    file = ROOT / "examples" / "minimal" / "udfs.yaml"
    options = [] if command.startswith("-") else ["-f", str(file), "--target", "prod"]
    with Server(tmp_path / "store") as server:
        env = {"ODPS_ENDPOINT": server.url, "ODPS_PROJECT": "demo", "UDFS_CACHE_DIR": str(tmp_path / "cache")}
        env |= {"ALIBABA_CLOUD_ACCESS_KEY_ID": "ann", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "key"}
        run = "from reconciler.cli.entry import run; assert run({}) == 0"
        if command == "plan":
            imported_by(run.format(["apply", "--yes", *options]), **env)
        modules = imported_by(run.format([command, *options]), **env)
    assert modules & HEAVY == NEEDED[command]


def test_the_plugin_of_pytest_imports_nothing_heavy() -> None:
    more = imported_by("import reconciler.pytest_plugin") - imported_by("import pytest")
    assert not more & HEAVY


def error_classes() -> dict[str, str]:
    """Return the exceptions that carry problems, each with the class of ``base.errors`` that gives its exit code."""
    declared = {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.UdfsError)
    }
    classes = {name: name for name in declared}
    for path in MODULES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef) and node.name not in declared:
                bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in declared]
                if bases:
                    classes[node.name] = bases[0]
    return classes


def test_each_error_code_has_one_exception_and_so_one_exit_code() -> None:
    classes, raised = error_classes(), defaultdict[str, set[str]](set)
    for path in MODULES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in classes and node.args:
                code = node.args[0]
                if isinstance(code, ast.Constant) and str(code.value) in load_explanations():
                    raised[str(code.value)].add(classes[node.func.id])
    assert len(raised) > 80
    assert {code: names for code, names in raised.items() if len(names) > 1} == {}
