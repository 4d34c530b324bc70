"""Alerts of the store and of the login: spans that are discarded, and people who do not get in.

Jaeger refuses what it cannot write, or ends; the alerts of the gateways and of its process tell of both. What an OpenSearch rejects of a
bulk it counts and forgets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.alerts.rule import PREFIX, Rule, Trial, grown, selected, store_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.alerts.rule import Times
    from components.workload import Plan

_MINUTES_5 = 300

DISCARDED = "tempo_discarded_spans_total"
"""Seen with Tempo 3.0.3."""
LOST_REASONS = "invalid_span_id|invalid_trace_id|live_traces_exceeded|trace_too_large|trace_too_large_to_compact|unknown_error"
"""Reasons of Tempo 3.0.3 for spans that are gone (modules/overrides/discarded_spans.go). What is ``rate_limited`` is counted at each
attempt, is sent again, and waits in the gateways' queues meanwhile."""
REJECTED = "jaeger_storage_bulk_index_errors_total"
"""Seen with Jaeger 2.13 before OpenSearch."""
REQUESTS = "oauth2_proxy_requests_total"

_RISING, _STILL = "0+60x150", "5x150"


def backends(plan: Plan, times: Times) -> Iterator[Rule]:
    """The alerts of the store and of the login proxy."""
    for store in plan.stores:
        if store.kind == "tempo" and store.workload is not None:
            yield _discarded(plan, store.workload, times)
        # The stores that are written to in bulk are those whose old indices a job deletes.
        if store.workload is not None and any(
            job.role == "backend" and store_of(job.name) == store_of(store.workload) for job in plan.jobs
        ):
            yield _rejected(plan, store.workload, times)
    if any(workload.name == "access" for workload in plan.workloads):
        yield _no_login(plan, times)


def _discarded(plan: Plan, workload: str, times: Times) -> Rule:
    own = {"namespace": plan.namespace, "job": workload}
    series, waiting = (selected(DISCARDED, **own, pod=f"{workload}-0", reason=reason) for reason in ("trace_too_large", "rate_limited"))
    return Rule(
        name=f"{PREFIX}StoreDiscards",
        store=store_of(workload),
        workload=workload,
        expression=grown(selected(DISCARDED, **own, reason=LOST_REASONS), "reason", times.range(_MINUTES_5)),
        pending=0,
        severity="critical",
        summary="Tempo discards spans: {{ $labels.reason }}",
        description="These spans are lost: Tempo refused them for good, or left them out of their traces because of a limit.",
        firing=Trial({series: _RISING}, {"reason": "trace_too_large"}),
        quiet={series: _STILL, waiting: _RISING},
    )


def _rejected(plan: Plan, workload: str, times: Times) -> Rule:
    own = {"namespace": plan.namespace, "job": workload}
    series = selected(REJECTED, **own, pod=f"{workload}-0")
    return Rule(
        name=f"{PREFIX}StoreRejects",
        store=store_of(workload),
        workload=workload,
        expression=grown(selected(REJECTED, **own), "pod", times.range(_MINUTES_5)),
        pending=0,
        severity="critical",
        summary="The store rejects documents of {{ $labels.pod }}",
        description="These spans are lost: Jaeger writes them in bulk, and does not repeat what the store rejects for good.",
        firing=Trial({series: _RISING}, {"pod": f"{workload}-0"}),
        quiet={series: _STILL},
    )


def _no_login(plan: Plan, times: Times) -> Rule:
    own = {"namespace": plan.namespace, "job": "access"}
    failed = selected(REQUESTS, **own, code="5.*")
    series, good = (selected(REQUESTS, **own, pod="access-0", code=code) for code in ("502", "200"))
    return Rule(
        name=f"{PREFIX}LoginFails",
        workload="access",
        expression=grown(failed, "code", times.range(_MINUTES_5)),
        pending=_MINUTES_5,
        severity="warning",
        summary="The login proxy answers people with status {{ $labels.code }}",
        description="No span is lost. With 502 the user interface is away, with 500 the issuer cannot be asked: nobody can look at traces.",
        firing=Trial({series: _RISING}, {"code": "502"}),
        quiet={good: _RISING},
    )
