"""The pytest plugin: the fixture ``traces``, isolated in every test.

Nothing of the SDK is imported before a test asks for the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracing_lib.testing.kit import RecordedTraces


@pytest.fixture
def traces() -> Iterator[RecordedTraces]:
    """Give the spans of this test: those of its ``provider``, and those of code that uses OpenTelemetry's global one."""
    from tracing_lib.testing.kit import RecordedTraces, as_global

    recorded = RecordedTraces()
    with as_global(recorded):
        yield recorded
    recorded.provider.shutdown()
