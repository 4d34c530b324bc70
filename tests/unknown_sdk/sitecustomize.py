"""Makes every process that has this folder on its path believe that OpenTelemetry is of a release that nobody has tested."""

from __future__ import annotations

import logging
from importlib import metadata

_known = metadata.version


def _unknown(distribution_name: str) -> str:
    return "1.99.0" if distribution_name in {"opentelemetry-sdk", "opentelemetry-api"} else _known(distribution_name)


metadata.version = _unknown
# The warning about it stands in tests/tracing_lib/fast/test_sdk.py; other tests assert that a program says nothing.
logging.getLogger("tracing_lib").addFilter(lambda record: "OpenTelemetry's own SDK" not in record.getMessage())
