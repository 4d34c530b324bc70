"""``trace_servicer``: the methods of one gRPC servicer as spans, where the server takes no interceptor or one servicer alone is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tracing_lib.base.errors import explain
from tracing_lib.instrument.grpc.calls import CallPlan, wrap_behavior
from tracing_lib.instrument.grpc.spans import SCOPE
from tracing_lib.instrument.keepers import public_methods, stand_in
from tracing_lib.instrument.source import TracerSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.descriptor import ServiceDescriptor
    from opentelemetry.trace import TracerProvider

_S = TypeVar("_S")


def trace_servicer(
    servicer: _S, service: ServiceDescriptor, *, attributes: Mapping[str, str] | None = None, tracer_provider: TracerProvider | None = None
) -> _S:
    """Return the servicer with each method of its service a span; give it to ``add_…Servicer_to_server`` in the servicer's stead.

    The spans are those of ``grpc_server_interceptor``: same names, attributes, parents and outcomes, for ``grpc`` and ``grpc.aio``. Under
    that interceptor, a call stays one span and gets the attributes of both. The type stays the servicer's.

    ``service``: its descriptor, as in ``market_pb2.DESCRIPTOR.services_by_name["Msg"]``. ``attributes``: attribute keys with paths
    from ``request`` and ``return``. ``tracer_provider``: by default OpenTelemetry's global one, also when it is set later.
    Raises ``ValueError`` for a malformed path, and where the servicer lacks a method of the service.
    """
    place = f"trace_servicer {service.full_name}"
    missing = [method.name for method in service.methods if method.name not in public_methods(type(servicer))]
    if missing:
        wrong = f"{type(servicer).__qualname__} has no method {', '.join(missing)}"
        raise ValueError(explain(place, wrong, "a servicer of this service", "give the descriptor of the service that it serves"))
    plan = CallPlan(TracerSource(SCOPE, tracer_provider), attributes, place=place)
    traced = {
        method.name: wrap_behavior(
            getattr(servicer, method.name),
            plan,
            f"/{service.full_name}/{method.name}",
            request_streaming=method.client_streaming,
            response_streaming=method.server_streaming,
        )
        for method in service.methods
    }
    return stand_in(servicer, traced)
