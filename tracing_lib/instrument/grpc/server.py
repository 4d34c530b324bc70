"""Interceptors that make every call a gRPC server takes a span: all four shapes, for ``grpc.server`` and for ``grpc.aio.server``."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import grpc
import grpc.aio

from tracing_lib.instrument.grpc.calls import CallPlan, wrap_behavior
from tracing_lib.instrument.grpc.spans import SCOPE
from tracing_lib.instrument.source import TracerSource

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from opentelemetry.trace import TracerProvider

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
_KEPT: Final = 4096
_CONTRIB: Final = "opentelemetry.instrumentation.grpc"


def grpc_server_interceptor(
    *, attributes: Mapping[str, str] | None = None, tracer_provider: TracerProvider | None = None
) -> grpc.ServerInterceptor[Any, Any]:
    """Return an interceptor for ``grpc.server(..., interceptors=[...])``. Put it first: what stands before it is not in the span.

    Interceptors of OpenTelemetry's contrib behind it make no second span.
    Each call becomes a span named ``package.Service/Method``, under the caller's where the metadata carries one; it is current in the
    servicer. ``rpc.response.status_code`` is right for success, ``abort``, ``abort_with_status``, ``set_code``, an exception, a
    cancellation and a deadline. The words of a status never enter the span.

    ``attributes``: attribute keys with paths from ``request`` and ``return``, as in ``{"virtengine.order.id": "request.order.id"}``;
    a message without such a field gives no attribute. ``tracer_provider``: by default OpenTelemetry's global one, also when it is set
    later. Raises ``ValueError`` for a malformed path.
    """
    return _ServerInterceptor(CallPlan(TracerSource(SCOPE, tracer_provider), attributes, place="grpc_server_interceptor"))


def grpc_aio_server_interceptor(
    *, attributes: Mapping[str, str] | None = None, tracer_provider: TracerProvider | None = None
) -> grpc.aio.ServerInterceptor[Any, Any]:
    """Return an interceptor for ``grpc.aio.server(interceptors=[...])``; everything is as for ``grpc_server_interceptor``."""
    return _AioServerInterceptor(CallPlan(TracerSource(SCOPE, tracer_provider), attributes, place="grpc_aio_server_interceptor"))


class _Handlers:
    """Wrapped handlers, kept: a server looks its handler up for every call."""

    def __init__(self, plan: CallPlan) -> None:
        self._plan = plan
        self._wrapped: dict[str, tuple[object, _Handler]] = {}

    def alone(self) -> AbstractContextManager[None]:
        """Keep contrib's interceptors further in from a second server span; they ask while a handler is looked up."""
        beside = _CONTRIB in sys.modules and self._plan.source.tracer() is not None
        return import_module("opentelemetry.instrumentation.utils").suppress_instrumentation() if beside else nullcontext()

    def wrap(self, method: str, handler: _Handler | None) -> _Handler | None:
        if handler is None:
            return None
        known = self._wrapped.get(method)
        if known is not None and known[0] is handler:
            return known[1]
        wrapped = _wrap_handler(handler, method, self._plan)
        if len(self._wrapped) < _KEPT:
            self._wrapped[method] = (handler, wrapped)
        return wrapped


class _ServerInterceptor(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    def __init__(self, plan: CallPlan) -> None:
        self._handlers = _Handlers(plan)

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], _Handler | None], handler_call_details: grpc.HandlerCallDetails
    ) -> _Handler | None:
        """Return the handler with its behaviour traced."""
        with self._handlers.alone():
            handler = continuation(handler_call_details)
        return self._handlers.wrap(handler_call_details.method, handler)


class _AioServerInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    def __init__(self, plan: CallPlan) -> None:
        self._handlers = _Handlers(plan)

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]], handler_call_details: grpc.HandlerCallDetails
    ) -> _Handler:
        """Return the handler with its behaviour traced."""
        with self._handlers.alone():
            handler = await continuation(handler_call_details)
        wrapped = self._handlers.wrap(handler_call_details.method, handler)
        return cast("_Handler", wrapped)  # None travels on to grpcio, which answers UNIMPLEMENTED


def _wrap_handler(handler: _Handler, method: str, plan: CallPlan) -> _Handler:
    shape = f"{'stream' if handler.request_streaming else 'unary'}_{'stream' if handler.response_streaming else 'unary'}"
    behavior = wrap_behavior(
        getattr(handler, shape),
        plan,
        method,
        request_streaming=bool(handler.request_streaming),
        response_streaming=bool(handler.response_streaming),
    )
    build = getattr(grpc, f"{shape}_rpc_method_handler")
    wrapped: _Handler = build(behavior, handler.request_deserializer, handler.response_serializer)
    return wrapped
