"""The releases of OpenTelemetry that ``fast`` was tested with, and every private name of theirs that it touches."""

from __future__ import annotations

from importlib import import_module, metadata
from typing import Final

TESTED: Final = frozenset({"1.45.0", "1.45.1", "1.45.2"})
"""Releases of ``opentelemetry-sdk`` and ``opentelemetry-api`` under which the tests of ``fast`` pass. A release that is not listed may have
renamed what ``PRIVATE`` lists, so the SDK's own spans are used with it."""

PRIVATE: Final = {
    "opentelemetry.context": ("_RUNTIME_CONTEXT",),
    "opentelemetry.context.contextvars_context.ContextVarsRuntimeContext": ("_current_context",),
    "opentelemetry.trace.propagation": ("_SPAN_KEY",),
    "opentelemetry.baggage": ("_BAGGAGE_KEY",),
    "opentelemetry.attributes.BoundedAttributes": ("_dict", "_immutable"),
    "opentelemetry.sdk.trace": ("_Span",),
    "opentelemetry.sdk.trace.SpanProcessor": ("_on_ending",),
    "opentelemetry.sdk.trace.TracerProvider": ("_active_span_processor", "_handle_fork"),
    "opentelemetry.sdk.trace.Tracer": ("_instrumentation_scope", "_span_limits", "_tracer_config", "_tracer_metrics"),
    "opentelemetry.sdk.trace._Span": (
        "_attributes",
        "_context",
        "_end_time",
        "_events",
        "_instrumentation_info",
        "_instrumentation_scope",
        "_kind",
        "_limits",
        "_links",
        "_lock",
        "_name",
        "_new_events",
        "_new_links",
        "_parent",
        "_readable_span",
        "_record_end_metrics",
        "_record_exception",
        "_resource",
        "_sampler",
        "_set_status_on_exception",
        "_span_processor",
        "_start_time",
        "_status",
        "_trace_config",
    ),
}
"""Private names by the module or class that has them. A test reads the code of ``fast`` and asserts that there are no others."""


def unusable() -> str:
    """Return why ``fast`` cannot be used in this process, in words for a log; an empty string where it can."""
    for package in ("opentelemetry-sdk", "opentelemetry-api"):
        version = metadata.version(package)
        if version not in TESTED:
            return f"it was not tested with {package} {version}, only with {', '.join(sorted(TESTED))}"
    try:
        import_module("tracing_lib.fast._native")
    except ImportError as error:
        return f"its module in C cannot be imported ({error})"
    return ""
