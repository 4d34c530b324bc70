"""The Prometheus of production in small, asked over HTTP."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from tests.servers.small.conftest import Cluster


class Prometheus:
    """Queries of the Prometheus of a running shape."""

    def __init__(self, cluster: Cluster) -> None:
        (instance,) = cluster.instances("prometheus")
        self._url = f"http://{instance.address}:{instance.ports['prometheus']}/api/v1"
        self._client = cluster.client()

    def get(self, path: str, **parameters: object) -> Any:  # noqa: ANN401 - JSON
        answer = self._client.get(f"{self._url}/{path}?{urlencode(parameters)}")
        assert answer.status == 200, answer.text
        return json.loads(answer.text)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query, those without a number left out."""
        return [found for found in self.get("query", query=expression)["result"] if found["value"][1] != "NaN"]

    def firing(self) -> set[str]:
        """The alerts that fire now."""
        return {alert["labels"]["alertname"] for alert in self.get("alerts")["alerts"] if alert["state"] == "firing"}

    def fired_since(self, begin: float) -> set[str]:
        """The alerts that fired at any time since ``begin``, in seconds since 1970."""
        found = self.get("query_range", query='ALERTS{alertstate="firing"}', start=begin, end=time.time(), step=1)
        return {series["metric"]["alertname"] for series in found["result"]}
