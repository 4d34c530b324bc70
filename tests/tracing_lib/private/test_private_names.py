"""Outside of the accelerator the library touches public names of other packages alone."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from pathlib import Path

import pytest

import tracing_lib
from tests.tracing_lib.private.reader import collect, is_private, own_class, private_names

ROOT = Path(tracing_lib.__file__).parent
FAST = ROOT / "fast"
SOURCES = sorted(path for path in ROOT.rglob("*.py") if not path.is_relative_to(FAST))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
OWN = collect(TREES.values())


EXCEPTED = {"instrument/http/client.py": {"client._transport", "client._mounts"}}
"""httpx has no public way to the transports that a client has made from its arguments and the environment."""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_touches_no_private_name_of_another_package(path: Path) -> None:
    found = private_names(TREES[path], OWN)
    excepted = EXCEPTED.get(str(path.relative_to(ROOT)), set())
    assert [f"{path.relative_to(ROOT.parent)}:{line}: {text}" for line, text in found if text not in excepted] == []
    assert {text for _, text in found} >= excepted, "an exception that nothing needs any more"


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def private_of(kind: type) -> set[str]:
    """The private names of a class: in its namespace, and those that its methods give to ``self``."""
    names = {name for name in vars(kind) if is_private(name)}
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError):  # written in C
        return names
    return names | {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self" and is_private(node.attr)
    }


COMMON = {"_abc_impl", "_is_protocol", "_is_runtime_protocol"}
"""Names that the interpreter gives to every class of a kind."""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_subclass_redefines_no_private_name_of_its_foreign_base(path: Path) -> None:
    definitions = [node for node in TREES[path].body if isinstance(node, ast.ClassDef) and node.bases]
    if not definitions or path.name == "__main__.py":
        return
    module = importlib.import_module(module_of(path))
    for definition in definitions:
        kind = getattr(module, definition.name)
        foreign = {base for base in kind.__mro__ if base is not object and not base.__module__.startswith("tracing_lib")}
        inherited = set().union(*map(private_of, foreign)) - COMMON
        assert own_class(definition).private & inherited == set(), definition.name


TOUCHED = [
    ("import grpc._channel", "import grpc._channel"),
    ("from re import _parser", "from re import _parser"),
    ("from opentelemetry.sdk._logs import Logger", "from opentelemetry.sdk._logs import Logger"),
    ("importlib.import_module('re._parser')", "'re._parser'"),
    ("x: 'grpc._channel.Channel' = y", "'grpc._channel.Channel'"),
    ("getattr(span, '_attributes')", "getattr(span, '_attributes')"),
    ("operator.attrgetter('context._x')", "operator.attrgetter('context._x')"),
    ("vars(span)['_attributes']", "vars(span)['_attributes']"),
    ("span.__dict__['_attributes']", "span.__dict__['_attributes']"),
    ("sys.modules['_ssl']", "sys.modules['_ssl']"),
    ("span._attributes", "span._attributes"),
    ("trace._TRACER_PROVIDER", "trace._TRACER_PROVIDER"),
    ("grpc._channel.Channel()", "grpc._channel"),
    ("span._name = 'other'", "span._name"),
    ("def f(span: ReadableSpan): return span._held", "span._held"),
    ("class A(Base):\n    def f(self): return self._inherited", "self._inherited"),
    ("class B(Base):\n    def f(self): return super()._inherited()", "super()._inherited"),
    ("Holder()._other", "Holder()._other"),
    ("def f(holder: Holder):\n    holder = get()\n    return holder._held", "holder._held"),
    ("provider._held", "provider._held"),
    ("provider.f(_private=1)", "provider.f(_private=…)"),
]

OWN_OR_PUBLIC = [
    "from tracing_lib.base.errors import _own",
    "from typing import TypeVar as _TypeVar",
    "class C:\n    def __init__(self): self._held = 1\n    def f(self): return self._held",
    "class D(Holder):\n    def f(self): return self._held",
    "class E(Holder):\n    def f(self): return super()._held",
    "def f(holder: Holder | None): return holder._held",
    "def f():\n    holder = Holder()\n    return holder._held",
    "Holder._held",
    "Holder()._held",
    "class H(Holder):\n    @classmethod\n    def f(cls):\n        made = cls()\n        return made._held",
    "from tracing_lib import own_module\nown_module._CONSTANT",
    "x.__class__.__name__",
    "class G(Holder):\n    def f(self): return getattr(self, '_held', None)",
    "pair._replace(first=1)",
    "class Other: pass\nclass F:\n    def __init__(self): self._held = 1",
    "method = '_OTHER'",
    "for _ in range(3): pass",
    "'''The parser of re._parser is private.'''",
]

HOLDER = """
_CONSTANT = 1
class Base(Foreign): pass
class Holder:
    def __init__(self): self._held = 1
"""


def names_in(source: str) -> list[str]:
    trees = [ast.parse(HOLDER), ast.parse(source)]
    return [text for _, text in private_names(trees[1], collect(trees))]


@pytest.mark.parametrize(("source", "text"), TOUCHED, ids=[source.split("\n", maxsplit=1)[0] for source, _ in TOUCHED])
def test_a_private_name_of_another_package_is_seen(source: str, text: str) -> None:
    assert text in names_in(source)


@pytest.mark.parametrize("source", OWN_OR_PUBLIC, ids=lambda source: source.split("\n")[0])
def test_an_own_or_public_name_is_let_pass(source: str) -> None:
    assert names_in(source) == []
