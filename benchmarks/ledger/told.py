"""Environments that are told the load which they then get, because a figure is one of a load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.rehearse.recording import spans_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stacks.environment.model import Environment
    from stacks.rehearse.recording import Trace


def told(environment: Environment, traces: Sequence[Trace], *, nodes: int) -> Environment:
    """The environment with the load that these traces are, on so many nodes."""
    spans, slow = spans_of(traces), environment.sampling.tail.slow
    seconds = (max(trace.arrived for trace in traces) - min(trace.arrived for trace in traces)) or 1.0
    failed = spans_of([trace for trace in traces if trace.failed])
    late = spans_of([trace for trace in traces if not trace.failed and slow is not None and trace.seconds >= slow.total_seconds()])
    load = environment.load.model_copy(
        update={
            "spans_per_second": spans / seconds,
            "bytes_per_span": round(sum(trace.bytes for trace in traces) / spans),
            "bytes_per_resource": round(sum(one.resource.ByteSize() for trace in traces for one in trace.spans) / spans),
            "spans_per_trace": spans / len(traces),
            "failed": failed / spans,
            "slow": late / spans,
            "nodes": nodes,
        }
    )
    return environment.model_copy(update={"load": load})
