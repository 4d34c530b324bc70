"""The documents of Grafana as the user interface of Tempo: its settings and its one data source."""

from __future__ import annotations

from components.documents.text import expanded_text, grafana_ini


def settings(*, host: str, port: int, root_url: str | None, folder: str, provisioning: str) -> str:
    """``grafana.ini``: no accounts of its own, since only the login proxy reaches it; nothing is reported to anybody.

    ``folder`` holds its own database, ``provisioning`` the folder ``datasources``. ``root_url`` is where browsers reach it through the
    proxy, or None where they reach it directly.
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


def tempo_source(*, tempo_url: str) -> str:
    """The provisioned data source: Tempo, not editable in the interface, since it would be overwritten."""
    return expanded_text(
        {
            "apiVersion": 1,
            "prune": True,
            "datasources": [
                {
                    "name": "Tempo",
                    "uid": "tempo",
                    "type": "tempo",
                    "access": "proxy",
                    "url": tempo_url,
                    "isDefault": True,
                    "editable": False,
                    "jsonData": {"nodeGraph": {"enabled": True}, "search": {"hide": False}},
                }
            ],
        }
    )
