"""
The class of a function: is it there, what kind is it, has it the methods, and does its signature fit them.

=====  =================  ==========================================================
kind   base               methods
=====  =================  ==========================================================
UDF    any                ``evaluate(self, …)``
UDTF   odps.udf.BaseUDTF  ``process(self, …)``, which calls ``self.forward(…)``
UDAF   odps.udf.BaseUDAF  ``new_buffer``, ``iterate``, ``merge``, ``terminate``
=====  =================  ==========================================================

[doc "Python 3 UDFs", "Python 3 UDTFs", "Python 3 UDAFs"]. Bases are followed into the other modules of the function, and a class
that comes from one is judged where it is imported. What a base from a package brings is not known, and then nothing is said
about what seems to be missing.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from reconciler.base.words import closest
from reconciler.targets.maxcompute.signature import PLAIN, REFUSED, UNLISTED, NotASignature, Signature, read
from reconciler.targets.maxcompute.source_rules.buffers import check_buffer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.base.hints import Hint
    from reconciler.checks import Finding
    from reconciler.checks.python.facts import Def, Facts
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

    def has(self, method: str) -> bool:
        return method in self.methods or method in self.assigned


def check_class(
    page: Page, facts: Facts, name: str, others: Callable[[str], Facts | None] = lambda module: None
) -> Iterator[Finding]:
    """Yield what is wrong with the class that MaxCompute is to load; `others` knows the function's other modules."""
    if name not in facts.classes:
        if name in facts.aliases and name in facts.bound and not facts.has_star:
            yield from _imported(page, facts, name, others)
        elif found := _absent(page, facts, name):
            yield found
        return
    kept = _collect(facts, facts.classes[name], others)
    problems = list(_methods(page, facts, kept, page.keyword(kept.node)))
    yield from problems
    if not problems:
        yield from _annotated(page, facts, kept)
        if kept.kind == "UDAF":
            yield from check_buffer(page, facts, kept.methods.get("new_buffer"))


def declared_class(
    facts: Facts, name: str, others: Callable[[str], Facts | None] = lambda module: None
) -> tuple[Kind, Signature | None] | None:
    """Return what a class of the module is and its signature, None where that cannot be seen without running it."""
    if name not in facts.classes:
        return None
    kept = _collect(facts, facts.classes[name], others)
    if not kept.is_whole:
        return None  # a base that is not seen may make it anything
    found = _annotation(facts, kept.node)
    literal = facts.text(found.args[0]) if found is not None and found.args else None
    try:
        return kept.kind, read(literal.value) if literal is not None else None
    except NotASignature:
        return kept.kind, None


def _absent(page: Page, facts: Facts, name: str) -> Finding | None:
    if facts.has_star:
        return None  # it may come from another module
    functions = {one.name: one for one in facts.functions}
    if name in facts.bound:
        if name not in functions:
            return None  # assigned: what it is cannot be seen
        place = page.keyword(functions[name])
        return page.spot(*place, "E804", f"'{name}' is a function, and MaxCompute loads a class", "class …: evaluate")
    guess = closest(name, facts.classes)
    message = f"the module has no class '{name}'"
    if guess is None:
        known = ", ".join(facts.classes) or "none"
        return page.spot(1, 1, 1, "E804", message, f"classes of the module: {known}")
    return page.spot(*page.keyword(facts.classes[guess]), "E804", message, f"did you mean '{guess}'?")


def _imported(page: Page, facts: Facts, name: str, others: Callable[[str], Facts | None]) -> Iterator[Finding]:
    """Yield what is wrong with a class that another module of the function has, at the line that imports it."""
    module, _, original = facts.aliases[name].rpartition(".")
    there, found = others(module), _elsewhere(facts.aliases[name], others)
    node = next(one.node for one in facts.imports if name in {one.alias.asname, one.alias.name.partition(".")[0]})
    place = (*page.place(node), page.width(node))
    if found is not None:
        kept = _collect(*found, others)
        yield from (missing := list(_methods(page, found[0], kept, place)))
        if not missing and kept.kind != "UDTF" and not kept.node.decorator_list:
            yield page.spot(*place, "E807", f"the class '{original}' of '{module}' has no signature", _SIGN)
    elif there is not None and original not in there.bound and not there.has_star:
        guess = closest(original, there.classes)
        hint = f"did you mean '{guess}'?" if guess else f"classes there: {', '.join(there.classes) or 'none'}"
        yield page.spot(*place, "E804", f"the module '{module}' has no class '{original}'", hint)


def _elsewhere(dotted: str, others: Callable[[str], Facts | None], depth: int = 0) -> tuple[Facts, ast.ClassDef] | None:
    """Return a class of another module, by its full name, and what that module holds; through imports there, too."""
    module, _, name = dotted.rpartition(".")
    facts = others(module)
    if facts is None or depth > _DEEPEST:
        return None
    if name in facts.classes:
        return facts, facts.classes[name]
    return _elsewhere(facts.aliases[name], others, depth + 1) if name in facts.aliases else None


def _collect(facts: Facts, node: ast.ClassDef, others: Callable[[str], Facts | None]) -> _Class:
    """Put a class together with its bases, nearest first."""
    kept = _Class(node, "UDF")
    seen: set[int] = set()
    waiting = [(facts, node)]
    while waiting:
        where, one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        if where is facts:
            for statement in one.body:
                _member(kept, statement)
        else:
            _take_names(kept, one)
        for base in one.bases:
            dotted = where.dotted(base)
            last = dotted.rpartition(".")[2]
            if last in _BASES:
                kept.kind, kept.has_base = _BASES[last], True
            elif dotted in where.classes:
                waiting.append((where, where.classes[dotted]))
            elif found := _elsewhere(dotted, others):
                waiting.append(found)
            elif dotted != "object":
                kept.is_whole = False
    if not kept.has_base and not kept.has("evaluate"):
        # Its methods tell what it is meant to be.
        kept.kind = "UDTF" if kept.has("process") else "UDAF" if kept.has("iterate") else "UDF"
    return kept


def _take_names(kept: _Class, base: ast.ClassDef) -> None:
    """Note what a base of another module has; its lines are not on this page."""
    kept.is_split = True
    inside = _Class(base, "UDF")
    for statement in base.body:
        _member(inside, statement)
    kept.assigned |= {*inside.methods, *inside.assigned} - kept.methods.keys()


def _member(kept: _Class, statement: ast.stmt) -> None:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            kept.methods.setdefault(statement.name, statement)
        case ast.Assign(targets=targets):
            kept.assigned.update(target.id for target in targets if isinstance(target, ast.Name))
        case ast.If(body=body, orelse=orelse):
            for inner in [*body, *orelse]:
                _member(kept, inner)
        case _:
            return


def _methods(page: Page, facts: Facts, kept: _Class, place: tuple[int, int, int]) -> Iterator[Finding]:
    name, kind = kept.node.name, kept.kind
    if not kept.is_whole:
        return
    if kind != "UDF" and not kept.has_base:
        method, base = _TAKES_ROWS[kind], f"Base{kind}"
        message = f"the class '{name}' has '{method}' as a {kind} has, and its base is not odps.udf.{base}"
        yield page.spot(*place, "E806", message, f"from odps.udf import {base}, and class {name}({base})")
        return
    missing = [method for method in _NEEDED[kind] if not kept.has(method)]
    if not missing:
        return
    methods = f"method {missing[0]}" if len(missing) == 1 else f"methods {', '.join(missing)}"
    code = "E805" if kind == "UDF" else "E806"
    message = f"the class '{name}' is no {kind}: it has no {methods}"
    guess = closest(missing[0], kept.methods)
    other = _another(facts, name) if kind == "UDF" else None
    yield page.spot(*place, code, message, f"call '{guess}' '{missing[0]}'" if guess else other)


def _another(facts: Facts, name: str) -> str | None:
    """Return a hint at the class of the module that has the methods."""
    fitting = [
        other
        for other, node in facts.classes.items()
        if other != name and any(isinstance(one, ast.FunctionDef) and one.name == "evaluate" for one in node.body)
    ]
    return f"'{fitting[0]}' has evaluate; or name the UDTF's or UDAF's base" if fitting else None


# --- @annotate --------------------------------------------------------------------------------------------------------


def _annotated(page: Page, facts: Facts, kept: _Class) -> Iterator[Finding]:
    found = _annotation(facts, kept.node)
    if found is None:
        # A UDTF may leave it out, and then gives STRINGs [doc "Python 3 UDTFs"].
        if kept.kind != "UDTF" and not kept.node.decorator_list:
            message = f"the class '{kept.node.name}' has no signature"
            yield page.spot(*page.keyword(kept.node), "E807", message, _SIGN)
        yield from _arity(page, kept, None, None)
        return
    root = found.func
    while isinstance(root, ast.Attribute):
        root = root.value
    if isinstance(root, ast.Name) and root.id not in facts.bound and not facts.has_star:
        yield page.at(found.func, "E807", f"'{root.id}' is not imported", "from odps.udf import annotate")
    literal = facts.text(found.args[0]) if found.args else None
    if literal is None:
        if not found.args or isinstance(found.args[0], ast.Constant):
            message, hint = "annotate takes a signature as text", '@annotate("bigint->bigint")'
            yield page.at(found, "E808", message, hint)
        yield from _arity(page, kept, None, None)
        return
    spots = _Spots(page, literal.node)
    try:
        signature = read(literal.value)
    except NotASignature as error:
        yield spots.finding(error.start, error.width, "E808", f"the signature: {error.message}", error.hint)
        return
    yield from _types(spots, signature)
    if kept.kind != "UDTF" and len(signature.outputs) > 1:
        second = signature.outputs[1]
        message = f"a {kept.kind} gives one value, and the signature has {len(signature.outputs)} results"
        yield spots.finding(
            second.start, second.width, "E810", message, "several columns are a UDTF's; or use STRUCT<…>"
        )
    yield from _arity(page, kept, signature, spots)


def _annotation(facts: Facts, node: ast.ClassDef) -> ast.Call | None:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and facts.dotted(decorator.func).rpartition(".")[2] == "annotate":
            return decorator
    return None


class _Spots:
    """Places inside a literal."""

    def __init__(self, page: Page, literal: ast.Constant) -> None:
        self._page, self._literal = page, literal
        line, column = page.place(literal)
        text = page.segment(literal)
        body = text.lstrip("rRuU")
        quotes = 3 if body[:3] in {"'''", '"""'} else 1
        is_plain = body[quotes : len(body) - quotes] == literal.value
        self._start = (line, column + len(text) - len(body) + quotes) if is_plain else None
        """Where the value begins, if it is written as it is: no escapes, no joining."""

    def finding(
        self,
        start: int,
        width: int,
        code: str,
        message: str,
        hint: Hint | None = None,
        severity: Literal["error", "warning"] = "error",
    ) -> Finding:
        if self._start is None:
            return self._page.at(self._literal, code, message, hint, severity)
        line, column = self._start
        return self._page.spot(line, column + start, width, code, message, hint, severity)


def _types(spots: _Spots, signature: Signature) -> Iterator[Finding]:
    for outer in (*(signature.arguments or ()), *signature.outputs):
        for one in outer.all:
            if one.name in REFUSED:
                message = f"Python functions do not take the type {one.name}"
                hint = "pass it as STRING" if one.name == "JSON" else f"known: {', '.join(sorted(PLAIN))}"
                yield spots.finding(one.start, one.width, "E811", message, hint)
            elif one.name in UNLISTED:
                message = f"the documented types of Python functions do not include {one.name}"
                hint = "BIGINT, or DATETIME for times, is sure to work"
                yield spots.finding(one.start, one.width, "E811", message, hint, "warning")
            if one.name == "DECIMAL" and one.parameters and one.parameters[1] > one.parameters[0]:
                message = f"{one} has more digits behind the point than digits"
                yield spots.finding(one.start, one.width, "E811", message, "DECIMAL(digits, digits behind the point)")
            if one.name == "STRUCT" and len({name.lower() for name in one.fields}) < len(one.fields):
                yield spots.finding(one.start, one.width, "E808", "the signature: two fields of a STRUCT have one name")


# --- Arity ------------------------------------------------------------------------------------------------------------


def _arity(page: Page, kept: _Class, signature: Signature | None, spots: _Spots | None) -> Iterator[Finding]:
    rows = _TAKES_ROWS[kept.kind]
    for name, before in _NEEDED[kept.kind].items():
        method = kept.methods.get(name)
        if method is None or not _is_plain(method):
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
            if why := _too_few(method, before):
                yield page.spot(*page.keyword(method), "E809", f"'{name}' {why}", _shape(name, before))
        elif why := _misfit(method, before + len(signature.arguments)):
            given = f"the signature has {_arguments(len(signature.arguments))}"
            buffer = " besides the buffer" if before else ""
            hint = f"make the signature and 'def {name}' agree"
            yield page.spot(*page.keyword(method), "E809", f"{given}{buffer}, and {why}", hint)
    if kept.kind == "UDTF":
        yield from _forwards(page, kept, signature)


def _is_plain(method: Def) -> bool:
    """Say whether a method takes what its ``def`` says; a decorator may change that."""
    return not method.decorator_list


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


def _too_few(method: Def, before: int) -> str | None:
    _, most = _range(method)
    if most is not None and most < 0:
        return "does not take self"
    if most is not None and most < before:
        return "does not take the buffer"
    return None


def _arguments(count: int) -> str:
    return "no argument" if count == 0 else "1 argument" if count == 1 else f"{count} arguments"


def _shape(name: str, before: int) -> str:
    shapes = {"iterate": "buffer, …", "merge": "buffer, pbuffer", "terminate": "buffer"}
    inside = shapes.get(name, "…" if name in {"evaluate", "process"} else "")
    return f"def {name}(self{', ' if inside else ''}{inside})"


def _forwards(page: Page, kept: _Class, signature: Signature | None) -> Iterator[Finding]:
    calls = [call for method in kept.methods.values() for call in _calls_of_forward(method)]
    process = kept.methods.get("process")
    if process is not None and kept.is_whole and not kept.is_split and not calls and not _hands_self_on(kept):
        message = f"the UDTF '{kept.node.name}' never calls self.forward, so it gives no row"
        yield page.spot(*page.keyword(process), "E810", message, "self.forward(…) once a row", "warning")
    for call in calls if signature else ():
        assert signature is not None
        wanted = len(signature.outputs)
        is_known = not call.keywords and not any(isinstance(one, ast.Starred) for one in call.args)
        if is_known and len(call.args) != wanted:
            message = f"the signature has {wanted} {'result' if wanted == 1 else 'results'}, and forward is given {len(call.args)}"
            yield page.at(call, "E810", message, "one value for each column")


def _calls_of_forward(method: Def) -> Iterator[ast.Call]:
    for node in ast.walk(method):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr="forward")):
                yield node
            case _:
                continue


def _hands_self_on(kept: _Class) -> bool:
    """Say whether ``self`` or ``self.forward`` goes somewhere as a value, where it may be called unseen."""
    for method in kept.methods.values():
        called = {id(node.func) for node in ast.walk(method) if isinstance(node, ast.Call)}
        owners = {id(node.value) for node in ast.walk(method) if isinstance(node, ast.Attribute)}
        for node in ast.walk(method):
            if isinstance(node, ast.Attribute) and node.attr == "forward" and id(node) not in called:
                return True
            if isinstance(node, ast.Name) and node.id == "self" and id(node) not in owners:
                return True
    return False
