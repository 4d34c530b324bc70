"""The pytest plugin: the fixture ``traces``, isolated in every test.

The SDK is imported when a test first uses the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracing_lib.testing.kit import RecordedTraces


@pytest.fixture
def traces() -> Iterator[RecordedTraces]:
    """Yield the recorded traces of a test: spans of their ``provider``, and of OpenTelemetry's global one."""
    from tracing_lib.testing.kit import RecordedTraces, as_global

    recorded = RecordedTraces()
    with as_global(recorded):
        yield recorded
    recorded.provider.shutdown()
