"""The documents of Grafana as the user interface of Tempo: its settings, its data sources and where its dashboards are."""

from __future__ import annotations

from typing import Any

from components.documents.text import expanded_text, grafana_ini


def settings(*, host: str, port: int, root_url: str | None, folder: str, provisioning: str) -> str:
    """``grafana.ini``: no accounts of its own, since only the login proxy reaches it; nothing is reported to anybody.

    ``folder`` holds its own database, ``provisioning`` the folders ``datasources`` and ``dashboards``. ``root_url`` is where browsers reach
    it through the proxy, or None where they reach it directly.
    """
    # The proxy has answered who may look, so a second login would only be a second password; Explore asks for the role Editor.
    lines = [
        "[paths]",
        f"data = {grafana_ini(folder)}",
        f"provisioning = {grafana_ini(provisioning)}",
        "[server]",
        f"http_addr = {grafana_ini(host)}",
        f"http_port = {port}",
        *([f"root_url = {grafana_ini(root_url)}"] if root_url else []),
        "[auth]",
        "disable_login_form = true",
        "[auth.anonymous]",
        "enabled = true",
        "org_role = Editor",
        "[analytics]",
        "reporting_enabled = false",
        "check_for_updates = false",
        "check_for_plugin_updates = false",
        "[feature_toggles]",
        "enable = traceqlEditor",
        "[log]",
        "mode = console",
    ]
    return "\n".join(lines) + "\n"


_AROUND = {"spanStartTimeShift": "-5m", "spanEndTimeShift": "5m"}
"""Time around a span in which its metrics and logs are looked for."""
_SERVICE = [{"key": "service.name", "value": "service_name"}]
"""The attribute of a span that is a label of its metrics and logs."""


def sources(*, tempo: str, prometheus: str | None, loki: str | None) -> str:
    """The provisioned data sources by their URLs: Tempo, and the servers of metrics and logs to which spans then lead, and back.

    They are not editable in the interface, since changes would be overwritten.
    """
    found = [_tempo(tempo, metrics=prometheus is not None, logs=loki is not None)]
    if prometheus is not None:
        traces = [{"name": "trace_id", "datasourceUid": "tempo"}]
        found.append(_source("Prometheus", prometheus, {"exemplarTraceIdDestinations": traces}))
    if loki is not None:
        field = {"name": "trace", "matcherRegex": r"trace_?[iI]d\W+([0-9a-f]{32})", "url": "${__value.raw}", "datasourceUid": "tempo"}
        found.append(_source("Loki", loki, {"derivedFields": [field]}))
    return expanded_text({"apiVersion": 1, "prune": True, "datasources": found})


def _tempo(url: str, *, metrics: bool, logs: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"nodeGraph": {"enabled": True}, "search": {"hide": False}}
    if metrics:
        calls, buckets = "traces_span_metrics_calls_total", "traces_span_metrics_duration_seconds_bucket"
        queries = [
            {"name": "Calls", "query": f"sum by (span_name) (rate({calls}{{$__tags}}[5m]))"},
            {"name": "Failures", "query": f'sum by (span_name) (rate({calls}{{$__tags, status_code="STATUS_CODE_ERROR"}}[5m]))'},
            {"name": "Duration, 95 %", "query": f"histogram_quantile(0.95, sum by (le, span_name) (rate({buckets}{{$__tags}}[5m])))"},
        ]
        data |= {"tracesToMetrics": {"datasourceUid": "prometheus", **_AROUND, "tags": _SERVICE, "queries": queries}}
        data |= {"serviceMap": {"datasourceUid": "prometheus"}}
    if logs:
        data |= {"tracesToLogsV2": {"datasourceUid": "loki", **_AROUND, "tags": _SERVICE, "filterByTraceID": True}}
    return _source("Tempo", url, data) | {"isDefault": True}


def _source(name: str, url: str, data: dict[str, Any]) -> dict[str, Any]:
    kind = name.lower()
    return {"name": name, "uid": kind, "type": kind, "access": "proxy", "url": url, "editable": False, "jsonData": data}


def dashboards(*, folder: str) -> str:
    """The provider of the dashboards in ``folder``."""
    provider = {
        "name": "virtengine-tracing",
        "folder": "VirtEngine tracing",
        "type": "file",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "options": {"path": folder},
    }
    return expanded_text({"apiVersion": 1, "providers": [provider]})
