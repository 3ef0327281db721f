"""
Classes of functions: their kind, their methods, and the signature that has to fit them.

=====  =================  ==========================================================
kind   base               methods
=====  =================  ==========================================================
UDF    any                ``evaluate(self, …)``
UDTF   odps.udf.BaseUDTF  ``process(self, …)``, which calls ``self.forward(…)``
UDAF   odps.udf.BaseUDAF  ``new_buffer``, ``iterate``, ``merge``, ``terminate``
=====  =================  ==========================================================

[doc "Python 3 UDFs", "Python 3 UDTFs", "Python 3 UDAFs"]. Bases are followed into the other modules of the function, and a class
that comes from one is judged where it is imported. What a base from a package brings is not known, and then nothing is said
about what seems to be missing. Where code may add to a class as it runs, that is a warning.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from reconciler.base.words import closest, suggest
from reconciler.targets.maxcompute.signature import NotASignature, Signature, parse_signature
from reconciler.targets.maxcompute.source_rules.buffers import check_buffer
from reconciler.targets.maxcompute.source_rules.late_binding import BINDERS, is_changed, names_any
from reconciler.targets.maxcompute.source_rules.types import Spots, check_types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.checks import Finding
    from reconciler.checks.python.facts import Def, ModuleFacts
    from reconciler.checks.python.text import Page

Kind = Literal["UDF", "UDTF", "UDAF"]
_NEEDED: dict[Kind, dict[str, int]] = {
    "UDF": {"evaluate": 0},
    "UDTF": {"process": 0},
    "UDAF": {"new_buffer": 0, "iterate": 1, "merge": 2, "terminate": 1},
}
"""Kind → method → how many arguments come before those of the signature."""

_TAKES_ROWS: dict[Kind, str] = {"UDF": "evaluate", "UDTF": "process", "UDAF": "iterate"}
_SIGN = '@annotate("bigint,string->double") above the class, from odps.udf import annotate'
_DEEPEST = 20
"""Imports of one class from module to module that are followed."""

_BASES: dict[str, Kind] = {"BaseUDTF": "UDTF", "BaseUDAF": "UDAF"}


@dataclass
class _Class:
    """A class with what it inherits inside its module."""

    node: ast.ClassDef
    kind: Kind
    methods: dict[str, Def] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    """Names that its body binds in other ways: ``evaluate = something``."""

    is_whole: bool = True
    """Whether every base is known."""

    is_split: bool = False
    """Whether something of it is in another module, and not in `methods`."""

    has_base: bool = False

    is_open: bool = False
    """Whether code may give it what its text does not show: a decorator, a metaclass, a line further down."""

    @property
    def severity(self) -> Literal["error", "warning"]:
        """Of what seems to be missing."""
        return "warning" if self.is_open else "error"

    def has(self, method: str) -> bool:
        return method in self.methods or method in self.assigned


def check_class(
    page: Page, facts: ModuleFacts, name: str, others: Callable[[str], ModuleFacts | None] = lambda module: None
) -> Iterator[Finding]:
    """Yield what is wrong with the class that MaxCompute is to load; `others` knows the function's other modules."""
    if name not in facts.classes:
        if name in facts.aliases and name in facts.bound and not facts.has_star:
            yield from _check_imported_class(page, facts, name, others)
        elif finding := _absent(page, facts, name):
            yield finding
        return
    class_ = _collect(facts, facts.classes[name], others)
    problems = list(_methods(page, facts, class_, page.keyword(class_.node)))
    yield from problems
    if not problems:
        yield from _check_annotation(page, facts, class_)
        if class_.kind == "UDAF":
            yield from check_buffer(page, facts, class_.methods.get("new_buffer"))


def declared_class(
    facts: ModuleFacts, name: str, others: Callable[[str], ModuleFacts | None] = lambda module: None
) -> tuple[Kind, Signature | None] | None:
    """Return what a class of the module is and its signature, None where that cannot be seen without running it."""
    origin = (facts, facts.classes[name]) if name in facts.classes else _elsewhere(facts.aliases.get(name, ""), others)
    if origin is None:
        return None
    facts, node = origin
    class_ = _collect(facts, node, others)
    # A base that is not seen may make it anything; which rows it takes then tells what it is.
    if not class_.is_whole and [*map(class_.has, _TAKES_ROWS.values())].count(True) != 1:
        return None
    annotation = _annotation(facts, class_.node)
    literal = facts.text(annotation.args[0]) if annotation is not None and annotation.args else None
    try:
        return class_.kind, parse_signature(literal.value) if literal is not None else None
    except NotASignature:
        return class_.kind, None


def _absent(page: Page, facts: ModuleFacts, name: str) -> Finding | None:
    if facts.has_star:
        return None  # it may come from another module
    functions = {function.name: function for function in facts.functions}
    severity: Literal["error", "warning"] = "warning" if names_any(facts.tree, BINDERS) else "error"
    if name in facts.bound:
        if name not in functions:
            return None  # assigned: what it is cannot be seen
        spot = page.keyword(functions[name])
        return page.spot(*spot, "E804", f"'{name}' is a function, and MaxCompute loads a class", "class …: evaluate")
    guess = closest(name, facts.classes)
    message = f"the module has no class '{name}'"
    if guess is None:
        classes = ", ".join(facts.classes) or "none"
        return page.spot(1, 1, 1, "E804", message, f"classes of the module: {classes}", severity)
    return page.spot(*page.keyword(facts.classes[guess]), "E804", message, suggest(guess), severity)


def _check_imported_class(
    page: Page, facts: ModuleFacts, name: str, others: Callable[[str], ModuleFacts | None]
) -> Iterator[Finding]:
    """Yield what is wrong with a class that another module of the function has, at the line that imports it."""
    module, _, original = facts.aliases[name].rpartition(".")
    other, origin = others(module), _elsewhere(facts.aliases[name], others)
    node = next(
        statement.node
        for statement in facts.imports
        if name in {statement.alias.asname, statement.alias.name.partition(".")[0]}
    )
    spot = (*page.position(node), page.width(node))
    if origin is not None:
        class_ = _collect(*origin, others)
        yield from (missing := list(_methods(page, origin[0], class_, spot)))
        if not missing and class_.kind != "UDTF" and not class_.node.decorator_list:
            yield page.spot(*spot, "E807", f"the class '{original}' of '{module}' has no signature", _SIGN)
    elif other is not None and original not in other.bound and not other.has_star:
        guess = closest(original, other.classes)
        hint = suggest(guess) if guess else f"classes there: {', '.join(other.classes) or 'none'}"
        yield page.spot(*spot, "E804", f"the module '{module}' has no class '{original}'", hint)


def _elsewhere(
    dotted: str, others: Callable[[str], ModuleFacts | None], depth: int = 0
) -> tuple[ModuleFacts, ast.ClassDef] | None:
    """Return a class of another module, by its full name, and what that module holds; through imports there, too."""
    module, _, name = dotted.rpartition(".")
    facts = others(module)
    if facts is None or depth > _DEEPEST:
        return None
    if name in facts.classes:
        return facts, facts.classes[name]
    return _elsewhere(facts.aliases[name], others, depth + 1) if name in facts.aliases else None


def _collect(facts: ModuleFacts, node: ast.ClassDef, others: Callable[[str], ModuleFacts | None]) -> _Class:
    """Put a class together with its bases, nearest first."""
    class_ = _Class(node, "UDF")
    seen: set[int] = set()
    waiting = [(facts, node)]
    while waiting:
        where, current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        if where is facts:
            for statement in current.body:
                _member(class_, statement)
        else:
            _take_names(class_, current)
        for base in current.bases:
            dotted = where.dotted_name(base)
            last = dotted.rpartition(".")[2]
            if last in _BASES:
                class_.kind, class_.has_base = _BASES[last], True
            elif dotted in where.classes:
                waiting.append((where, where.classes[dotted]))
            elif base_class := _elsewhere(dotted, others):
                waiting.append(base_class)
            elif dotted != "object":
                class_.is_whole = False
    class_.is_open = class_.has("__metaclass__") or is_changed(facts, node, _annotation(facts, node))
    if not class_.has_base and not class_.has("evaluate"):
        # Its methods tell what it is meant to be.
        class_.kind = "UDTF" if class_.has("process") else "UDAF" if class_.has("iterate") else "UDF"
    return class_


def _take_names(class_: _Class, base: ast.ClassDef) -> None:
    """Note what a base of another module has; its lines are not on this page."""
    class_.is_split = True
    inside = _Class(base, "UDF")
    for statement in base.body:
        _member(inside, statement)
    class_.assigned |= {*inside.methods, *inside.assigned} - class_.methods.keys()


def _member(class_: _Class, statement: ast.stmt) -> None:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            class_.methods.setdefault(statement.name, statement)
        case ast.Assign(targets=targets):
            class_.assigned.update(target.id for target in targets if isinstance(target, ast.Name))
        case ast.If(body=body, orelse=orelse):
            for inner in [*body, *orelse]:
                _member(class_, inner)
        case _:
            return


def _methods(page: Page, facts: ModuleFacts, class_: _Class, spot: tuple[int, int, int]) -> Iterator[Finding]:
    name, kind = class_.node.name, class_.kind
    if not class_.is_whole:
        return
    if kind != "UDF" and not class_.has_base:
        method, base = _TAKES_ROWS[kind], f"Base{kind}"
        message = f"the class '{name}' has '{method}' as a {kind} has, and its base is not odps.udf.{base}"
        hint = f"from odps.udf import {base}, and class {name}({base})"
        yield page.spot(*spot, "E806", message, hint, class_.severity)
        return
    missing = [method for method in _NEEDED[kind] if not class_.has(method)]
    if not missing:
        return
    methods = f"method {missing[0]}" if len(missing) == 1 else f"methods {', '.join(missing)}"
    code = "E805" if kind == "UDF" else "E806"
    message = f"the class '{name}' is no {kind}: it has no {methods}"
    guess = closest(missing[0], class_.methods)
    other = _another(facts, name) if kind == "UDF" else None
    message += " that can be seen" if class_.is_open else ""
    if kind == "UDF" and not guess:
        other = other or "write def evaluate(self, …): in it"
    yield page.spot(*spot, code, message, f"call '{guess}' '{missing[0]}'" if guess else other, class_.severity)


def _another(facts: ModuleFacts, name: str) -> str | None:
    """Return a hint at the class of the module that has the methods."""
    fitting = [
        other
        for other, node in facts.classes.items()
        if other != name
        and any(isinstance(statement, ast.FunctionDef) and statement.name == "evaluate" for statement in node.body)
    ]
    return f"'{fitting[0]}' has evaluate; or name the UDTF's or UDAF's base" if fitting else None


# --- @annotate --------------------------------------------------------------------------------------------------------


def _check_annotation(page: Page, facts: ModuleFacts, class_: _Class) -> Iterator[Finding]:
    annotation = _annotation(facts, class_.node)
    if annotation is None:
        # A UDTF may leave it out, and then gives STRINGs [doc "Python 3 UDTFs"].
        if class_.kind != "UDTF" and not class_.node.decorator_list:
            message = f"the class '{class_.node.name}' has no signature"
            yield page.spot(*page.keyword(class_.node), "E807", message, _SIGN, class_.severity)
        yield from _arity(page, class_, None, None)
        return
    root = annotation.func
    while isinstance(root, ast.Attribute):
        root = root.value
    if isinstance(root, ast.Name) and root.id not in facts.bound and not facts.has_star:
        yield page.finding(annotation.func, "E807", f"'{root.id}' is not imported", "from odps.udf import annotate")
    literal = facts.text(annotation.args[0]) if annotation.args else None
    if literal is None:
        if not annotation.args or isinstance(annotation.args[0], ast.Constant):
            message, hint = "annotate takes a signature as text", '@annotate("bigint->bigint")'
            yield page.finding(annotation, "E808", message, hint)
        yield from _arity(page, class_, None, None)
        return
    spots = Spots(page, literal.node)
    try:
        signature = parse_signature(literal.value)
    except NotASignature as error:
        yield spots.finding(error.start, error.width, "E808", f"the signature: {error.message}", error.hint)
        return
    yield from check_types(spots, signature)
    if class_.kind != "UDTF" and len(signature.outputs) > 1:
        second = signature.outputs[1]
        message = f"a {class_.kind} gives one value, and the signature has {len(signature.outputs)} results"
        yield spots.finding(
            second.start, second.width, "E810", message, "several columns are a UDTF's; or use STRUCT<…>"
        )
    yield from _arity(page, class_, signature, spots)


def _annotation(facts: ModuleFacts, node: ast.ClassDef) -> ast.Call | None:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and facts.dotted_name(decorator.func).rpartition(".")[2] == "annotate":
            return decorator
    return None


# --- Arity ------------------------------------------------------------------------------------------------------------


def _arity(page: Page, class_: _Class, signature: Signature | None, spots: Spots | None) -> Iterator[Finding]:
    rows = _TAKES_ROWS[class_.kind]
    for name, before in _NEEDED[class_.kind].items():
        method = class_.methods.get(name)
        # A decorator may change what a method takes.
        if method is None or method.decorator_list:
            continue
        if isinstance(method, ast.AsyncFunctionDef):
            message = f"'{name}' is a coroutine, which MaxCompute does not await"
            yield page.spot(*page.keyword(method), "E809", message, f"def {name}")
            continue
        if name != rows:
            if why := _misfit(method, before):
                message = f"'{name}' is called with {_arguments(before)}, and {why}"
                yield page.spot(*page.keyword(method), "E809", message, _shape(name, before))
        elif signature is None or signature.arguments is None:
            most = _range(method)[1]
            if most is not None and most < before:
                lacks = "self" if most < 0 else "the buffer"
                yield page.spot(*page.keyword(method), "E809", f"'{name}' does not take {lacks}", _shape(name, before))
        elif why := _misfit(method, before + len(signature.arguments)):
            arguments = f"the signature has {_arguments(len(signature.arguments))}"
            buffer = " besides the buffer" if before else ""
            hint = f"make the signature and 'def {name}' agree"
            yield page.spot(*page.keyword(method), "E809", f"{arguments}{buffer}, and {why}", hint)
    if class_.kind == "UDTF":
        yield from _forwards(page, class_, signature)


def _range(method: Def) -> tuple[int, int | None]:
    """Return how few and how many arguments a method takes, ``self`` not counted; fewer than none is no ``self``."""
    args = method.args
    positional = len(args.posonlyargs) + len(args.args)
    has_self = positional > 0
    least = positional - len(args.defaults) - has_self
    if args.vararg:
        return max(0, least), None
    return least if has_self else -1, positional - 1


def _misfit(method: Def, count: int) -> str | None:
    name = method.name
    required = [
        arg for arg, value in zip(method.args.kwonlyargs, method.args.kw_defaults, strict=True) if value is None
    ]
    if required:
        return f"'{name}' also needs '{required[0].arg}' by keyword"
    least, most = _range(method)
    if most is not None and most < 0:
        return f"'{name}' does not even take self"
    if least <= count and (most is None or count <= most):
        return None
    if most is None:
        return f"'{name}' takes {least} or more"
    return f"'{name}' takes {most if least == most else f'{least} to {most}'}"


def _arguments(count: int) -> str:
    return "no argument" if count == 0 else "1 argument" if count == 1 else f"{count} arguments"


def _shape(name: str, before: int) -> str:
    shapes = {"iterate": "buffer, …", "merge": "buffer, pbuffer", "terminate": "buffer"}
    inside = shapes.get(name, "…" if name in {"evaluate", "process"} else "")
    return f"def {name}(self{', ' if inside else ''}{inside})"


def _forwards(page: Page, class_: _Class, signature: Signature | None) -> Iterator[Finding]:
    calls = [call for method in class_.methods.values() for call in _calls_of_forward(method)]
    process = class_.methods.get("process")
    if process is not None and not calls and _is_all_seen(class_):
        message = f"the UDTF '{class_.node.name}' never calls self.forward, so it gives no row"
        yield page.spot(*page.keyword(process), "E810", message, "self.forward(…) once a row", "warning")
    columns = len(signature.outputs) if signature else None
    for call in calls:
        is_known = not call.keywords and not any(isinstance(argument, ast.Starred) for argument in call.args)
        if columns is not None and is_known and len(call.args) != columns:
            results = "1 result" if columns == 1 else f"{columns} results"
            message = f"the signature has {results}, and forward is given {len(call.args)}"
            yield page.finding(call, "E810", message, "one value for each column")


def _is_all_seen(class_: _Class) -> bool:
    """Say whether the class can call ``self.forward`` nowhere but in the methods that are seen."""
    return class_.is_whole and not class_.is_split and not _hands_self_on(class_)


def _calls_of_forward(method: Def) -> Iterator[ast.Call]:
    for node in ast.walk(method):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr="forward")):
                yield node
            case _:
                continue


def _hands_self_on(class_: _Class) -> bool:
    """Say whether ``self`` or ``self.forward`` goes somewhere as a value, where it may be called unseen."""
    for method in class_.methods.values():
        called = {id(node.func) for node in ast.walk(method) if isinstance(node, ast.Call)}
        owners = {id(node.value) for node in ast.walk(method) if isinstance(node, ast.Attribute)}
        for node in ast.walk(method):
            if isinstance(node, ast.Attribute) and node.attr == "forward" and id(node) not in called:
                return True
            if isinstance(node, ast.Name) and node.id == "self" and id(node) not in owners:
                return True
    return False
