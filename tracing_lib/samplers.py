"""Which traces are recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased

if TYPE_CHECKING:
    from tracing_lib.settings import TracingSettings


def build_sampler(settings: TracingSettings) -> Sampler:
    """Return the sampler: a caller's decision is followed, a new trace is taken by its id with probability ``head_ratio``.

    By the id, so that every service comes to the same decision (OpenTelemetry specification, "TraceIdRatioBased").
    """
    return ParentBased(TraceIdRatioBased(settings.head_ratio))
