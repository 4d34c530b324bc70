"""Queues are judged by the counters of real collectors, as these print them."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from stacks.trial.counters import samples as read_samples
from stacks.verify import counters
from stacks.verify.findings import Account, CannotTellError
from stacks.verify.site import Instance, Use
from tests.stacks import samples

if TYPE_CHECKING:
    from collections.abc import Iterator

METRICS = """\
otelcol_exporter_queue_capacity{{exporter="otlp_grpc"}} 1000
otelcol_exporter_queue_capacity{{exporter="otlp_grpc/copy"}} 1e+09
otelcol_exporter_queue_size{{exporter="otlp_grpc"}} {held}
otelcol_exporter_queue_size{{exporter="otlp_grpc/copy"}} 9e+08
otelcol_exporter_enqueue_failed_spans_total{{exporter="otlp_grpc"}} {outside}
otelcol_exporter_enqueue_failed_spans_total{{exporter="otlp_grpc/copy"}} 77
"""


class Site:
    """One gateway of production, whose volume is used to a share, or out of sight."""

    def __init__(self, share: float | None) -> None:
        self.plan = samples.planned("prod")
        self.share = share

    def logs(self, workload: str) -> str:
        return workload

    def use(self, *_: object) -> Use:
        if self.share is None:
            raise CannotTellError("out of sight")
        return Use(round(self.share * 100), 100)

    @contextmanager
    def reach(self, *_: object) -> Iterator[None]:
        yield


@pytest.mark.parametrize(
    ("counted", "share", "verdict", "told"),
    [
        ((0, 0), 0.0, "kept", "the fullest is at 0 %"),
        ((600, 0), 0.0, "kept", "its queue otlp_grpc holds 600B of 1000B (60 %)"),
        ((850, 0), 0.0, "broken", "(85 %)"),
        ((0, 0), 0.9, "broken", "of its volume queue are used"),
        ((0, 12), 0.0, "kept", "12 spans found a full queue since it started"),
        ((0, 0), None, "cannot be told", "out of sight"),
        ((850, 0), None, "broken", "(85 %)"),
    ],
)
def test_a_queue_is_judged_by_its_fill_and_by_its_volume(
    monkeypatch: pytest.MonkeyPatch, counted: tuple[int, int], share: float | None, verdict: str, told: str
) -> None:
    site = Site(share)
    gateways = [Instance("gateway-0", site.plan.workload("gateway"))]
    agents = [Instance("agent-0", site.plan.workload("agent"))]
    look: Any = SimpleNamespace(site=site, running={"gateway": gateways, "agent": agents}.__getitem__)
    text = METRICS.format(held=counted[0], outside=counted[1])
    monkeypatch.setattr(counters, "metrics", lambda *_: list(read_samples(text)))
    account = Account("queue")
    counters.queues(look, account)
    assert (account.finding().verdict, told in account.finding().evidence) == (verdict, True), account.finding()
