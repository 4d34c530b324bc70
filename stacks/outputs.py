"""What every placement returns: the contract, made of the plan. The only file on this side that knows it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from tracing_lib.contract import SCHEMA_VERSION, OperationTarget, Outputs, PrivacyRule

if TYPE_CHECKING:
    from components.workload import Plan

__all__ = ["Outputs", "outputs", "outputs_schema"]


def outputs(plan: Plan) -> Outputs:
    """What services and operators need to know of a backbone that runs this plan."""
    ends, head = plan.endpoints, plan.head_sampling
    return Outputs(
        schema_version=SCHEMA_VERSION,
        environment=plan.environment,
        namespace=plan.namespace,
        backend=plan.backend,
        otlp_grpc_endpoint=ends.otlp_grpc,
        otlp_http_endpoint=ends.otlp_http,
        strategies_url=ends.strategies,
        query_url=ends.query,
        ui_url=ends.ui,
        span_metrics_url=ends.span_metrics,
        retention_seconds=plan.retention_seconds,
        head_ratio=head.ratio,
        strategies_poll_seconds=head.poll_seconds,
        targets=tuple(OperationTarget(**dataclasses.asdict(target)) for target in head.targets),
        privacy=tuple(PrivacyRule(**dataclasses.asdict(rule)) for rule in plan.privacy),
    )


def outputs_schema() -> dict[str, Any]:
    """JSON schema of the outputs."""
    return Outputs.json_schema()
