"""The dashboards of a backbone: its services, the flow of spans, tail sampling, and storage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from components.dashboards.panels import WINDOW, Board, Choice, Panel, Query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.workload import BackendName

_SERVED = 'span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER"'
"""Spans that stand for a request or a message; those inside of one would count it again."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A store as dashboards need it: its workload, and the exporter by which gateways send kept traces to it.

    ``embedded`` says that it is Badger, which counts its own size.
    """

    backend: BackendName
    workload: str
    exporter: str = "otlp_grpc"
    embedded: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """A backbone as its dashboards need it: its namespace, its entry for services, its stores, and whether it is on a cluster.

    ``topic`` says whether gateways take spans from Kafka.
    """

    namespace: str
    entry: Literal["agent", "gateway"]
    stores: tuple[Stored, ...]
    clustered: bool
    exemplars: bool
    topic: bool = False

    @property
    def exporters(self) -> str:
        """The exporters to the stores, as an expression of PromQL has them."""
        return "|".join(store.exporter for store in self.stores)


def boards(subject: Subject) -> tuple[Board, ...]:
    """The dashboards of a backbone."""
    return (_services(subject), _flow(subject), _sampling(subject), _storage(subject))


def _rate(metric: str, by: str, own: str) -> str:
    return f"sum by ({by}) (rate({metric}{{{own}}}[{WINDOW}]))"


def _services(subject: Subject) -> Board:
    """Rate, errors and duration of each service, by span metrics, and of the calls between them."""
    within = f'namespace="{subject.namespace}"'
    own = f'{within},{_SERVED},service_name=~"$service"'
    calls, edges = "traces_span_metrics_calls_total", "traces_service_graph_request_total"
    served_within = _rate("traces_service_graph_request_server_seconds_bucket", "client, server, le", within)
    failed = _rate(calls, "service_name", f'{own},status_code="STATUS_CODE_ERROR"')
    served = _rate(calls, "service_name", own)
    return Board(
        "services",
        "VirtEngine tracing: services",
        (
            Panel("Requests", "Requests and messages that services handled.", "reqps", (Query(served, "{{service_name}}"),)),
            Panel(
                "Failed requests",
                "Share of them that failed.",
                "percentunit",
                (Query(f"({failed} or 0 * {served}) / {served}", "{{service_name}}"),),
            ),
            _durations(subject, own),
            Panel(
                "Operations",
                "The ten busiest operations.",
                "reqps",
                (Query(f"topk(10, {_rate(calls, 'service_name, span_name', own)})", "{{service_name}} {{span_name}}"),),
            ),
            Panel(
                "Calls between services",
                "Calls by their two sides, as the service graph counts them.",
                "reqps",
                (Query(_rate(edges, "client, server", within), "{{client}} → {{server}}"),),
            ),
            Panel(
                "Duration of calls between services",
                "95 % of the calls were served within this time.",
                "s",
                (
                    Query(
                        f"histogram_quantile(0.95, {served_within})",
                        "{{client}} → {{server}}",
                    ),
                ),
            ),
        ),
        (Choice("service", f"traces_span_metrics_calls_total{{{within}}}", "service_name"),),
    )


def _durations(subject: Subject, own: str) -> Panel:
    """Quantiles of all spans, and those of kept traces with their exemplars."""
    buckets = "traces_span_metrics_duration_seconds_bucket"
    found = [
        Query(f"histogram_quantile({share}, {_rate(buckets, 'service_name, le', own)})", f"{{{{service_name}}}} {name}")
        for share, name in ((0.5, "half"), (0.95, "95 %"), (0.99, "99 %"))
    ]
    if subject.exemplars:
        kept = _rate("traces_kept_duration_seconds_bucket", "service_name, le", own)
        found.append(Query(f"histogram_quantile(0.95, {kept})", "{{service_name}} 95 % of kept traces", exemplars=True))
    return Panel("Duration", "Share of the requests that were handled within this time. Points are kept traces.", "s", tuple(found))


def _steps(subject: Subject) -> Iterator[Query]:
    """Spans a second at each step, to each store."""
    within, several = f'namespace="{subject.namespace}"', len(subject.stores) > 1
    gateway, accepted, sent = f'{within},job="gateway"', "otelcol_receiver_accepted_spans_total", "otelcol_exporter_sent_spans_total"
    yield Query(_rate(accepted, "job", f'{within},job="{subject.entry}",receiver="otlp"'), "taken from services")
    if subject.entry == "agent":
        yield Query(_rate(accepted, "job", f'{gateway},receiver="otlp"'), "taken by gateways")
    for store in subject.stores:
        name = f"kept and sent by {store.exporter}" if several else "kept and sent"
        yield Query(_rate(sent, "job", f'{gateway},exporter="{store.exporter}"'), name)
    # What a store that is there already has taken is told by it alone.
    counters = {"jaeger": accepted, "tempo": "tempo_distributor_spans_received_total"}
    for store in (store for store in subject.stores if store.backend in counters):
        name = f"taken by {store.workload}" if several else "taken by the store"
        yield Query(_rate(counters[store.backend], "job", f'{within},job="{store.workload}"'), name)


def _flow(subject: Subject) -> Board:
    """The way of spans from the intake to the store: taken, waiting, sent, refused."""
    within = f'namespace="{subject.namespace}"'
    gateway = f'{within},job="gateway"'
    size, capacity = "otelcol_exporter_queue_size", "otelcol_exporter_queue_capacity"
    queues = f'{within},job=~"agent|gateway",exporter=~"otlp_http/.*|{subject.exporters}"'
    shares = f"max by (pod, exporter) ({size}{{{queues}}}) / max by (pod, exporter) ({capacity}{{{queues}}})"
    topic = "otelcol_kafka_receiver_records_delay_seconds"
    waited, read = (_rate(f"{topic}_{what}", "pod", gateway) for what in ("sum", "count"))
    late = Panel(
        "Time on the topic",
        "Mean time between an agent's write to Kafka and a gateway's read.",
        "s",
        (Query(f"{waited} / {read}", "{{pod}}"),),
    )
    return Board(
        "flow",
        "VirtEngine tracing: flow of spans",
        (
            *([late] if subject.topic else []),
            Panel("Spans by step", "Spans a second at each step, from the intake to the store.", "cps", tuple(_steps(subject))),
            Panel(
                "Refused spans",
                "Spans that a collector did not take; their senders repeat.",
                "cps",
                (Query(_rate("otelcol_receiver_refused_spans_total", "pod", f'{within},job=~"agent|gateway"'), "{{pod}}"),),
            ),
            Panel("Queues", "Share of each queue on disk that is in use.", "percentunit", (Query(shares, "{{pod}} → {{exporter}}"),)),
            Panel(
                "Memory",
                "Memory that each server occupies.",
                "bytes",
                (Query(f"max by (pod) (otelcol_process_memory_rss_bytes{{{within}}})", "{{pod}}"),),
            ),
            Panel(
                "CPU",
                "Cores that each server uses.",
                "none",
                (Query(_rate("otelcol_process_cpu_seconds_total", "pod", within), "{{pod}}"),),
            ),
            Panel("Servers", "Servers that answer their scraper.", "none", (Query(f"count by (job) (up{{{within}}} == 1)", "{{job}}"),)),
        ),
    )


def _sampling(subject: Subject) -> Board:
    """Decisions of tail sampling: how many, by which policy, and how long traces wait."""
    own = f'namespace="{subject.namespace}",job="gateway"'
    decided, all_decided = (
        "otelcol_processor_tail_sampling_count_traces_sampled_total",
        "otelcol_processor_tail_sampling_global_count_traces_sampled_total",
    )
    kept = f'sum(rate({all_decided}{{{own},decision="sampled"}}[{WINDOW}]))'
    timer = "otelcol_processor_tail_sampling_sampling_decision_timer_latency_milliseconds_bucket"
    return Board(
        "sampling",
        "VirtEngine tracing: sampling",
        (
            Panel(
                "Kept traces by policy",
                "Traces a second that each policy keeps; a trace may be kept by several.",
                "cps",
                (Query(_rate(decided, "policy", f'{own},decision="sampled"'), "{{policy}}"),),
            ),
            Panel(
                "Share of kept traces",
                "Traces that are kept, of all that were decided on.",
                "percentunit",
                (Query(f"{kept} / sum(rate({all_decided}{{{own}}}[{WINDOW}]))", "kept"),),
            ),
            Panel(
                "New traces",
                "Traces a second that begin at each gateway.",
                "cps",
                (Query(_rate("otelcol_processor_tail_sampling_new_trace_id_received_total", "pod", own), "{{pod}}"),),
            ),
            Panel(
                "Traces that wait",
                "Traces in the memory of each gateway until their decision.",
                "none",
                (Query(f"max by (pod) (otelcol_processor_tail_sampling_sampling_traces_on_memory{{{own}}})", "{{pod}}"),),
            ),
            Panel(
                "Time for decisions",
                "99 % of the rounds of decisions, one each second, took less.",
                "ms",
                (Query(f"histogram_quantile(0.99, {_rate(timer, 'pod, le', own)})", "{{pod}}"),),
            ),
        ),
    )


def _storage(subject: Subject) -> Board:
    """Room that is left, and how long it lasts."""
    within = f'namespace="{subject.namespace}"'
    panels = [
        Panel(
            "Written spans",
            "Spans a second that gateways hand to the store.",
            "cps",
            tuple(
                Query(
                    _rate("otelcol_exporter_sent_spans_total", "pod", f'{within},job="gateway",exporter="{store.exporter}"'),
                    "{{pod}}" if len(subject.stores) == 1 else f"{{{{pod}}}} → {store.exporter}",
                )
                for store in subject.stores
            ),
        )
    ]
    if any(store.embedded for store in subject.stores):
        sizes = (("index", "lsm"), ("values", "vlog"))
        panels.append(
            Panel(
                "Size of the store",
                "Bytes of Badger's index and values, as Badger itself counts them.",
                "bytes",
                tuple(Query(f"sum(jaeger_storage_badger_size_bytes_{part}{{{within}}})", name) for name, part in sizes),
            )
        )
    if subject.clustered:
        available, capacity = (f"kubelet_volume_stats_{what}_bytes{{{within}}}" for what in ("available", "capacity"))
        panels += [
            Panel(
                "Room in use",
                "Share of each claim that is in use, by the kubelets.",
                "percentunit",
                (Query(f"max by (persistentvolumeclaim) (1 - {available} / {capacity})", "{{persistentvolumeclaim}}"),),
            ),
            Panel(
                "Room in 30 days",
                "Bytes of each claim that would be left in 30 days if it grew as in the last 6 hours; below zero it is full before.",
                "bytes",
                (Query(f"min by (persistentvolumeclaim) (predict_linear({available}[6h], 30 * 86400))", "{{persistentvolumeclaim}}"),),
            ),
        ]
    return Board("storage", "VirtEngine tracing: storage", tuple(panels))
