"""Reads source code for private names of other packages, which a minor release of theirs may change."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PACKAGE = "tracing_lib"
BY_NAME = {"getattr", "setattr", "hasattr", "delattr", "attrgetter", "methodcaller", "getattr_static"}
"""Functions that take the name of an attribute as a string."""
NAMESPACES = {"__dict__", "vars", "modules", "globals", "locals"}
"""Mappings whose keys are names."""
DOCUMENTED = {"_asdict", "_field_defaults", "_fields", "_make", "_name_", "_replace", "_value_"}
"""Public names of named tuples and enumerations, which begin with an underscore so that they clash with no field."""
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def is_private(name: str) -> bool:
    """Whether a name is private by convention; ``_`` alone, ``__dunder__`` names and ``DOCUMENTED`` ones are not."""
    return name.startswith("_") and name not in {"_", *DOCUMENTED} and not (name.startswith("__") and name.endswith("__"))


@dataclass
class OwnClass:
    """A class of the package: the names of its bases, and the private names that it defines."""

    bases: list[str]
    private: set[str] = field(default_factory=set)


@dataclass
class Own:
    """Definitions of the package, by their unqualified names."""

    classes: dict[str, list[OwnClass]] = field(default_factory=dict)
    """Several modules may have a class of one name."""
    names: set[str] = field(default_factory=set)
    """Private names of modules: functions, classes, constants."""

    def defines(self, owner: str, name: str) -> bool:
        """Whether a class of this name defines a private name, itself or by a base in the package."""
        return any(self.has(each, name) for each in self.classes.get(owner, ()))

    def has(self, owner: OwnClass, name: str) -> bool:
        """Whether a class defines a private name, itself or by a base in the package."""
        return name in owner.private or self.inherits(owner, name)

    def inherits(self, owner: OwnClass, name: str) -> bool:
        """Whether a base in the package defines a private name."""
        return any(self.defines(base, name) for base in owner.bases)


def last(node: ast.expr | None) -> str:
    """The last name of a dotted expression; of ``List[int]`` that of ``List``, of ``A | None`` that of ``A``."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return last(value)
        case ast.BinOp(left=left, op=ast.BitOr()):
            return last(left)
        case ast.Constant(value=str(text)):
            return text.rpartition(".")[2]
        case _:
            return ""


def _targets(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the names and attributes to which a statement assigns."""
    match node:
        case ast.Assign(targets=targets) | ast.Tuple(elts=targets) | ast.List(elts=targets):
            pass
        case ast.AnnAssign(target=single) | ast.AugAssign(target=single) | ast.NamedExpr(target=single) | ast.Starred(value=single):
            targets = [single]
        case _:
            return
    for target in targets:
        if isinstance(target, ast.Tuple | ast.List | ast.Starred):
            yield from _targets(target)
        else:
            yield target


def own_class(definition: ast.ClassDef) -> OwnClass:
    """Return the bases and the private names of a class."""
    found = OwnClass([last(base) for base in definition.bases])
    for node in definition.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.private.add(node.name)
        found.private.update(target.id for target in _targets(node) if isinstance(target, ast.Name))
        if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == "__slots__" for target in node.targets):
            found.private.update(str(each.value) for each in ast.walk(node.value) if isinstance(each, ast.Constant))
    for inner in ast.walk(definition):
        for target in _targets(inner):
            if isinstance(target, ast.Attribute) and last(target.value) in {"self", "cls"}:
                found.private.add(target.attr)
    found.private = {name for name in found.private if is_private(name)}
    return found


def collect(trees: Iterable[ast.Module]) -> Own:
    """Collect what the modules of the package define."""
    own = Own()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                own.classes.setdefault(node.name, []).append(own_class(node))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                own.names.add(node.name)
            own.names.update(target.id for target in _targets(node) if isinstance(target, ast.Name))
    return own


class Reader(ast.NodeVisitor):
    """Collects the lines of one module that touch a private name of another package."""

    def __init__(self, own: Own) -> None:
        self._own = own
        self._classes: list[OwnClass] = []
        self._types: list[dict[str, str]] = [{}]
        self._modules: set[str] = set()
        self._docstrings: set[int] = set()
        self.found: list[tuple[int, str]] = []

    def _report(self, node: ast.AST, text: str) -> None:
        self.found.append((getattr(node, "lineno", 0), text))

    # Imports

    def visit_Import(self, node: ast.Import) -> None:
        """``import a._b``."""
        for alias in node.names:
            if alias.name.split(".")[0] != PACKAGE and any(map(is_private, alias.name.split("."))):
                self._report(node, f"import {alias.name}")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """``from a._b import c`` and ``from a import _b``."""
        module = node.module or ""
        own = node.level > 0 or module.split(".")[0] == PACKAGE
        for alias in node.names:
            if own:
                self._modules.add(alias.asname or alias.name)
            elif any(map(is_private, [*module.split("."), alias.name])):
                self._report(node, f"from {module} import {alias.name}")

    # Scopes, for the classes of names

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Names after ``self`` and ``cls`` belong to this class."""
        self._classes.append(own_class(node))
        self._within(node, {})
        self._classes.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Arguments with the annotation of an own class are instances of it."""
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        self._within(node, {argument.arg: last(argument.annotation) for argument in arguments})

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """As in a function that is not asynchronous."""
        self.visit_FunctionDef(node)  # type: ignore[arg-type]  # the same fields

    def _within(self, node: ast.FunctionDef | ast.ClassDef, types: Mapping[str, str]) -> None:
        self._types.append({**self._types[-1], **types})
        self.generic_visit(node)
        self._types.pop()

    def visit_Assign(self, node: ast.Assign) -> None:
        """A name to which a new instance of an own class is assigned is one; assigned anything else it is not."""
        made = last(node.value.func) if isinstance(node.value, ast.Call) else ""
        self._types[-1].update({target.id: made for target in _targets(node) if isinstance(target, ast.Name)})
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """A name with the annotation of an own class is an instance of it."""
        if isinstance(node.target, ast.Name):
            self._types[-1][node.target.id] = last(node.annotation)
        self.generic_visit(node)

    # Attributes

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """``x._name``, where ``_name`` is not defined by the own class that ``x`` is known to be."""
        if is_private(node.attr) and not self._is_own(node.value, node.attr):
            self._report(node, ast.unparse(node))
        self.generic_visit(node)

    def _is_own(self, receiver: ast.expr, name: str) -> bool:
        match receiver:
            case ast.Name(id="self" | "cls") if self._classes:
                return self._own.has(self._classes[-1], name)
            case ast.Call(func=ast.Name(id="super")) if self._classes:
                return self._own.inherits(self._classes[-1], name)
            case ast.Name(id=variable) if variable in self._modules and variable not in self._own.classes:
                return name in self._own.names
            case ast.Name(id=variable):
                kind = self._types[-1].get(variable, variable)
                made_by_class = kind == "cls" and bool(self._classes)
                return self._own.has(self._classes[-1], name) if made_by_class else self._own.defines(kind, name)
            case ast.Call(func=made):
                return self._own.defines(last(made), name)
            case _:
                return False

    # Names in strings

    def visit_Call(self, node: ast.Call) -> None:
        """``getattr(x, "_name")``, and ``f(_name=…)``."""
        if last(node.func) in BY_NAME:
            for argument in node.args:
                if not (isinstance(argument, ast.Constant) and self._is_own(node.args[0], str(argument.value))):
                    self._check_string(argument, node)
        for keyword in node.keywords:
            if keyword.arg and is_private(keyword.arg):
                self._report(node, f"{ast.unparse(node.func)}({keyword.arg}=…)")
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """``vars(x)["_name"]`` and its like."""
        holder = node.value.func if isinstance(node.value, ast.Call) else node.value
        if last(holder) in NAMESPACES:
            self._check_string(node.slice, node)
        self.generic_visit(node)

    def _check_string(self, value: ast.expr, node: ast.AST) -> None:
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and any(map(is_private, value.value.split("."))):
            self._report(node, ast.unparse(node))

    def visit_Constant(self, node: ast.Constant) -> None:
        """A dotted path with a private part, such as ``"re._parser"``, wherever it stands."""
        if isinstance(node.value, str) and _DOTTED.fullmatch(node.value):
            parts = node.value.split(".")
            if parts[0] != PACKAGE and any(map(is_private, parts)):
                self._report(node, repr(node.value))


def private_names(tree: ast.Module, own: Own) -> list[tuple[int, str]]:
    """Return line and text of each place in a module that touches a private name of another package."""
    reader = Reader(own)
    reader.visit(tree)
    return sorted(set(reader.found))
