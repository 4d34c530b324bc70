"""Which tests start servers: besides the folders that say so themselves, those that run services over HTTP, gRPC or in processes."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent

WITH_SERVICES = tuple(
    HERE / name
    for name in (
        "examples",
        "components/local",
        "tracing_lib/doctor",
        "tracing_lib/kit",
        "tracing_lib/pages",
        "tracing_lib/privacy/test_real_surfaces.py",
        "tracing_lib/surfaces",
        "tracing_lib/test_delivery.py",
        "tracing_lib/test_endings.py",
        "tracing_lib/test_provider.py",
        "tracing_lib/test_shutdown.py",
        "tracing_lib/test_strategies.py",
    )
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them, so that `make test-fast` leaves them out."""
    for item in items:
        if any(item.path == place or place in item.path.parents for place in WITH_SERVICES):
            item.add_marker(pytest.mark.server)
