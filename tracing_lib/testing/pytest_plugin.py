"""The pytest plugin: the fixture ``traces``, isolated in every test.

The SDK is imported when a test first uses the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracing_lib.testing.kit import RecordedTraces


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option ``tracing_all_attributes_leave``."""
    meaning = "fail a test with the fixture traces in which an attribute that nobody decided on stays in the process"
    parser.addini("tracing_all_attributes_leave", meaning, type="bool", default=False)


@pytest.fixture
def traces(request: pytest.FixtureRequest) -> Iterator[RecordedTraces]:
    """Yield the recorded traces of a test: spans of their ``provider``, and of OpenTelemetry's global one."""
    from tracing_lib.testing.kit import RecordedTraces, as_global

    recorded = RecordedTraces()
    with as_global(recorded):
        yield recorded
    recorded.provider.shutdown()
    if request.config.getini("tracing_all_attributes_leave"):
        recorded.assert_nothing_withheld()
