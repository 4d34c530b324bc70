"""The series that a gateway's metrics of traces are scraped as: names, labels and buckets, from the same facts as its document.

Names are those of the collector's ``span_metrics`` and ``service_graph`` connectors behind its Prometheus exporter (collector-contrib
0.159, read and scraped).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from components.documents.text import prometheus_label

if TYPE_CHECKING:
    from components.documents.collector import TraceMetrics

_RESOURCE = ("job", "instance")
"""Labels that Prometheus' exporter makes of ``service.namespace``, ``service.name`` and ``service.instance.id``."""
SPAN_LABELS = ("service_name", "span_name", "span_kind", "status_code", *_RESOURCE, "le")
"""Labels that a series of span metrics has already, so that no dimension can be one of them; ``le`` is that of a histogram's buckets."""
NO_LABELS = ("collector_instance_id",)
"""Labels that the ``span_metrics`` connector would add itself and is told to leave out; it takes no dimension of such a name either."""
_SPAN = ("service_name", "span_name", "span_kind", "status_code")
_EDGE = ("client", "server", "connection_type", "failed")


@dataclass(frozen=True, slots=True)
class Series:
    """A metric as it is scraped; a histogram also as ``_sum``, ``_count`` and ``_bucket``.

    ``labels`` are all that it can have: one made of a span's attribute is absent where the span has none. ``bounds`` are a histogram's
    upper bounds in seconds, without the last, ``+Inf``.
    """

    name: str
    kind: Literal["counter", "histogram"]
    labels: tuple[str, ...]
    bounds: tuple[float, ...] = ()


def series(metrics: TraceMetrics) -> tuple[Series, ...]:
    """Series that are made of traces, except ``target_info``: those of an agent and of a gateway together."""
    span = (*_SPAN, *_RESOURCE, *map(prometheus_label, metrics.span_dimensions))
    edge = (*_EDGE, *(prometheus_label(f"{side}_{name}") for side in ("client", "server") for name in metrics.graph_dimensions))
    spans, edges = _seconds(metrics.span_buckets_milliseconds), _seconds(metrics.graph_buckets_milliseconds)
    kept = (*_SPAN, *_RESOURCE)
    of_kept = (
        Series("traces_kept_calls_total", "counter", kept),
        Series("traces_kept_duration_seconds", "histogram", kept, spans),
    )
    return (
        Series("traces_span_metrics_calls_total", "counter", span),
        Series("traces_span_metrics_duration_seconds", "histogram", span, spans),
        Series("traces_service_graph_request_total", "counter", edge),
        Series("traces_service_graph_request_failed_total", "counter", edge),
        Series("traces_service_graph_request_client_seconds", "histogram", edge, edges),
        Series("traces_service_graph_request_server_seconds", "histogram", edge, edges),
        *(of_kept if metrics.exemplars else ()),
    )


def _seconds(milliseconds: tuple[int, ...]) -> tuple[float, ...]:
    return tuple(bound / 1000 for bound in milliseconds)
