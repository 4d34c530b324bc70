"""Alerts of what only a cluster tells: room on claims, by its kubelets, and the age of certificates, by cert-manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.alerts.rule import PREFIX, Rule, Trial, selected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.alerts.rule import Times
    from components.workload import Plan

_MINUTES_5, _MINUTES_15, _HOUR, _HOURS_6 = 300, 900, 3600, 21_600
_DAY = 86_400

AVAILABLE, CAPACITY = "kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes"
"""Kubernetes 1.36, pkg/kubelet/metrics/collectors/volume_stats.go."""
EXPIRES = "certmanager_certificate_expiration_timestamp_seconds"
"""cert-manager, internal/collectors/certificate_collector.go."""

FREE_SHARE = 0.1
DAYS_LEFT = 14


def cluster(plan: Plan, times: Times) -> Iterator[Rule]:
    """The alerts of claims and certificates; none for a plan of another target."""
    if plan.target != "kubernetes":
        return
    claims = [
        f"{volume.name}-{workload.name}" for workload in plan.workloads for volume in workload.volumes if volume.survives == "workload"
    ]
    if claims:
        yield _full(plan, claims)
        yield _forecast(plan, claims, times)
    if plan.certificates:
        yield _expires(plan)


def _own(plan: Plan, claims: list[str]) -> dict[str, str]:
    return {"namespace": plan.namespace, "persistentvolumeclaim": f"({'|'.join(claims)})-[0-9]*"}


def _series(plan: Plan, claims: list[str], name: str) -> str:
    return selected(name, namespace=plan.namespace, persistentvolumeclaim=f"{claims[0]}-0")


def _full(plan: Plan, claims: list[str]) -> Rule:
    own, by = _own(plan, claims), "max by (persistentvolumeclaim)"
    available, capacity = (_series(plan, claims, name) for name in (AVAILABLE, CAPACITY))
    return Rule(
        name=f"{PREFIX}VolumeFull",
        workload="",
        expression=f"{by} ({selected(AVAILABLE, **own)}) / {by} ({selected(CAPACITY, **own)}) < {FREE_SHARE}",
        pending=_MINUTES_15,
        severity="critical",
        summary="{{ $labels.persistentvolumeclaim }} has less than a tenth of its room left",
        description="A store without room takes no spans, and its own clean-up needs room too, so it does not heal by itself. What is kept "
        "waits in the gateways' queues. A gateway without room loses what it keeps.",
        firing=Trial({available: "5x150", capacity: "100x150"}, {"persistentvolumeclaim": f"{claims[0]}-0"}),
        quiet={available: "50x150", capacity: "100x150"},
    )


def _forecast(plan: Plan, claims: list[str], times: Times) -> Rule:
    own = _own(plan, claims)
    available, capacity = (_series(plan, claims, name) for name in (AVAILABLE, CAPACITY))
    ahead = round(times.seconds(4 * _DAY))
    trend = f"min by (persistentvolumeclaim) (predict_linear({selected(AVAILABLE, **own)}[{times.range(_HOURS_6)}], {ahead})) < 0"
    half = f"max by (persistentvolumeclaim) ({selected(AVAILABLE, **own)} / {selected(CAPACITY, **own)}) < 0.5"
    return Rule(
        name=f"{PREFIX}VolumeFillsUp",
        workload="",
        expression=f"{trend} and {half}",
        pending=_HOUR,
        severity="warning",
        summary="{{ $labels.persistentvolumeclaim }} will be full within four days",
        description="Nothing is lost yet. It is more than half full and grows as it did in the last six hours.",
        firing=Trial({available: "40000-100x150", capacity: "100000x150"}, {"persistentvolumeclaim": f"{claims[0]}-0"}),
        quiet={available: "40000x150", capacity: "100000x150"},
    )


def _expires(plan: Plan) -> Rule:
    names = "|".join(dict.fromkeys(issued.secret for issued in plan.certificates))
    first = plan.certificates[0].secret
    # A scraper that does not honour labels calls the namespace of a certificate otherwise.
    either = " or ".join(selected(EXPIRES, **{label: plan.namespace, "name": names}) for label in ("namespace", "exported_namespace"))
    series = selected(EXPIRES, namespace=plan.namespace, name=first)
    return Rule(
        name=f"{PREFIX}CertificateExpires",
        workload="",
        expression=f"min by (name) ({either}) - time() < {DAYS_LEFT * _DAY}",
        pending=_HOUR,
        severity="critical",
        summary=f"The certificate {{{{ $labels.name }}}} ends within {DAYS_LEFT} days, and was not renewed",
        description="Nothing is lost before its end. Then services refuse to send, or browsers to show, until it is renewed.",
        firing=Trial({series: f"{10 * _DAY}x150"}, {"name": first}),
        quiet={series: f"{60 * _DAY}x150"},
    )
