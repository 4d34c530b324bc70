"""What the tests of the surfaces share: a provider of their own that keeps every span."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.tracing_lib.instrument.recorder import Recorder, own_propagator, own_provider

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["sdk", "own"])
def recorder(request: pytest.FixtureRequest) -> Iterator[Recorder]:
    """The SDK's provider, whatever propagators it is with; and the library's own with its own, where the surfaces take shorter ways."""
    if request.param == "sdk":
        with Recorder() as kept:
            yield kept
        return
    with own_propagator(), Recorder(provider=own_provider()) as kept:
        yield kept
