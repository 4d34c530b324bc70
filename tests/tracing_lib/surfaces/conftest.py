"""What the tests of the surfaces share: a provider of their own that keeps every span."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.tracing_lib.surfaces.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder() as kept:
        yield kept
