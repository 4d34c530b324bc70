"""Outputs as a stack would write them."""

from __future__ import annotations

TOKEN = "s3cr3t-t0ken.value"

MAPPING: dict[str, object] = {
    "schema_version": 1,
    "environment": "dev",
    "namespace": "virtengine-observability",
    "backend": "jaeger",
    "otlp_grpc_endpoint": "http://127.0.0.1:4317",
    "otlp_http_endpoint": "http://127.0.0.1:4318",
    "strategies_url": "http://127.0.0.1:5778/api/sampling",
    "query_url": "http://127.0.0.1:16686",
    "ui_url": "https://traces.example.org",
    "span_metrics_url": "http://127.0.0.1:8889/metrics",
    "otlp_certificate": None,
    "otlp_token": TOKEN,
    "retention_seconds": 2_592_000,
    "head_ratio": 0.25,
    "strategies_poll_seconds": 60.0,
    "targets": [
        {"service": "portal", "operation": "POST /orders", "traces_per_second": 2.0, "floor": 0.001, "ceiling": 1.0},
    ],
    "privacy": [
        {"name": "e-mail", "matches": "value", "pattern": r"[\w.]+@[\w.]+", "meaning": "Addresses of people."},
    ],
}


def mapping(**changes: object) -> dict[str, object]:
    """Return right outputs with some fields changed; ``...`` takes a field away."""
    return {key: value for key, value in {**MAPPING, **changes}.items() if value is not ...}
