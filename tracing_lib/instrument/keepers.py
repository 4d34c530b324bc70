"""``trace_keeper``: every public method of a chain module's keeper a span, in one line where the keeper is made."""

from __future__ import annotations

import copy
import functools
import inspect
import re
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from opentelemetry.trace import StatusCode
from wrapt import AutoObjectProxy

from tracing_lib.base import conventions
from tracing_lib.base.errors import explain
from tracing_lib.instrument.functions import SpanPlan, wrap
from tracing_lib.instrument.paths import RESULT, AttributePaths, compile_paths
from tracing_lib.instrument.source import TracerSource

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from opentelemetry.trace import Span, TracerProvider

_K = TypeVar("_K")
_H = TypeVar("_H", bound="Callable[..., object]")
_SCOPE: Final = "tracing_lib.instrument.keepers"
REJECTED: Final = "rejected"
"""``error.type`` of a transaction that was rejected by an answer and not by an exception."""


def trace_keeper(
    keeper: _K, *, module: str | None = None, attributes: Mapping[str, str] | None = None, tracer_provider: TracerProvider | None = None
) -> _K:
    """Return the keeper with every public method a span, named ``<module>.keeper.<Method>`` as in ``market.keeper.CreateOrder``.

    Give the returned keeper to whoever calls it, other keepers too: a call across modules is then a span inside the caller's, in
    one trace. The type stays the keeper's, for type checkers and for ``isinstance``; attributes and properties are read and set
    on the keeper itself. Methods may be plain, ``async``, generators or asynchronous generators. What a keeper calls on itself
    is part of the call, and no span; nor are methods with a leading underscore.

    ``module``: by default from the class (``MarketKeeper``: ``market``), for a class named ``Keeper`` from its Python module
    (``x.market.keeper``: ``market``). ``attributes``: attribute keys with paths among the arguments and the result, as for
    ``traced``; each is set by the methods that have a parameter of that name. ``tracer_provider``: by default OpenTelemetry's
    global one, also when it is set later.

    Raises ``ValueError`` when no module can be told, when there is no public method, and for a path that no method has a parameter for.
    """
    kind = type(keeper)
    place = f"trace_keeper {kind.__qualname__}"
    module = module or _module_of(kind)
    if not module:
        raise ValueError(explain(place, "the name of its module cannot be told", "a class such as MarketKeeper", "pass module="))
    methods = public_methods(kind)
    if not methods:
        raise ValueError(explain(place, "has no public method", "a keeper, not its class or its module", "pass the instance"))
    _check_paths(place, methods, attributes)
    source = TracerSource(_SCOPE, tracer_provider)
    traced: dict[str, Callable[..., object]] = {}
    for name, function in methods.items():
        bound = getattr(keeper, name)
        paths = compile_paths(attributes, bound, place=f"{place}.{name}", lenient=True)
        plan = SpanPlan(f"{module}.keeper.{camel(name)}", source, attributes={conventions.MODULE: module}, paths=paths)
        # The kind of function shows on the class: a bound method of a wrapped one may hide it.
        traced[name] = wrap(_bound_like(function, bound), plan)
    return stand_in(keeper, traced)


def trace_ante(
    handler: _H,
    *,
    name: str = "ante.Handle",
    attributes: Mapping[str, str] | None = None,
    rejected: Callable[[Any], bool] | None = None,
    tracer_provider: TracerProvider | None = None,
) -> _H:
    """Return a transaction's ante handler with each transaction a span of its own; a rejection is the span's error.

    A handler rejects by raising. Where it answers instead (with a code, as ABCI does), ``rejected`` tells from the answer whether it
    was a rejection; the error's type is then ``rejected``. Either way ``virtengine.tx.accepted`` says what became of the transaction.
    The handler may be plain or ``async``. ``attributes``: as for ``traced``. Usable as a decorator, with ``functools.partial``.
    """
    paths = compile_paths(attributes, handler, place=f"trace_ante {name}")

    def returned(span: Span, result: object) -> None:
        paths.on_return(span, result)
        if rejected is not None and rejected(result):
            span.set_attribute(conventions.ERROR_TYPE, REJECTED)
            span.set_status(StatusCode.ERROR, REJECTED)
        else:
            span.set_attribute(conventions.TX_ACCEPTED, value=True)

    # Rejected until it returned.
    undecided = {conventions.TX_ACCEPTED: False}
    plan = SpanPlan(name, TracerSource(_SCOPE, tracer_provider), attributes=undecided, paths=AttributePaths(paths.on_call, returned))
    return cast("_H", wrap(handler, plan))


def stand_in(target: _K, methods: Mapping[str, Callable[..., object]]) -> _K:
    """Return an object that stands in for another in all but these methods."""
    traced = _StandIn(target)
    for name, method in methods.items():
        setattr(type(traced), name, staticmethod(method))
    return cast("_K", traced)


def public_methods(kind: type) -> dict[str, Callable[..., object]]:
    """Return what a class's instances can be called for: methods of every kind without a leading underscore, and no properties."""
    found: dict[str, Callable[..., object]] = {}
    for name in dir(kind):
        if name.startswith("_"):
            continue
        member = inspect.getattr_static(kind, name)
        if isinstance(member, staticmethod | classmethod):
            found[name] = member.__func__
        elif callable(member) and not isinstance(member, type):
            found[name] = member
        elif isinstance(member, functools.partialmethod):
            found[name] = member.func
    return found


def camel(name: str) -> str:
    """Return a method's name as protobuf services write it: ``create_order`` is ``CreateOrder``."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _bound_like(function: Callable[..., object], bound: Callable[..., object]) -> Callable[..., object]:
    """Return the bound method in the kind of function that its definition is."""
    kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)
    if any(is_kind(function) != is_kind(bound) for is_kind in kinds) and inspect.iscoroutinefunction(function):

        @functools.wraps(bound)
        async def call(*args: object, **kwargs: object) -> object:
            return await cast("Callable[..., Awaitable[object]]", bound)(*args, **kwargs)

        return call
    return bound


def _module_of(kind: type) -> str | None:
    stem = re.sub(r"_?keeper$", "", kind.__name__.lstrip("_"), flags=re.IGNORECASE)
    if stem and stem.lower() != kind.__name__.lstrip("_").lower():
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", stem).lower()
    parts = [part for part in kind.__module__.split(".") if part.lower() not in ("keeper", "keepers")]
    return parts[-1] if stem == "" and parts and parts[-1] != "__main__" else None


def _check_paths(place: str, methods: Mapping[str, Callable[..., object]], attributes: Mapping[str, str] | None) -> None:
    parameters = {parameter for function in methods.values() for parameter in inspect.signature(function).parameters} | {RESULT}
    for key, path in (attributes or {}).items():
        if path.split(".")[0] not in parameters:
            wrong = f"{key} has the path {path!r}, and no public method has that parameter"
            raise ValueError(explain(place, wrong, "a parameter of one of its methods, or return, first", "correct the path"))


class _StandIn(AutoObjectProxy[Any]):
    """Stands in for an object: everything but the traced methods is the object's own. Each has a class of its own, which holds these."""

    def __copy__(self) -> object:
        """Return a copy of the object, which is not traced."""
        return copy.copy(self.__wrapped__)

    def __deepcopy__(self, memo: dict[int, Any]) -> object:
        """Return a deep copy of the object, which is not traced."""
        return copy.deepcopy(self.__wrapped__, memo)

    def __reduce_ex__(self, protocol: Any) -> str | tuple[Any, ...]:  # noqa: ANN401  the interface's
        reduced: str | tuple[Any, ...] = self.__wrapped__.__reduce_ex__(protocol)
        return reduced

    def __repr__(self) -> str:
        return f"traced {self.__wrapped__!r}"
