"""Makes every process that has this folder on its path believe that OpenTelemetry is of a release that nobody has tested."""

from __future__ import annotations

from importlib import metadata

_known = metadata.version


def _unknown(distribution_name: str) -> str:
    return "1.99.0" if distribution_name in {"opentelemetry-sdk", "opentelemetry-api"} else _known(distribution_name)


metadata.version = _unknown
