"""Of a section that is written in part the rest has the default of that section."""

from __future__ import annotations

import pytest

from stacks.environment.sections import resources_of
from tests.stacks import samples


@pytest.mark.parametrize(
    ("written", "found"),
    [({"cpu": "1"}, ("1", "2Gi")), ({"memory": "3Gi"}, ("500m", "3Gi")), ({}, ("500m", "2Gi"))],
    ids=["CPU alone", "memory alone", "nothing"],
)
def test_what_is_not_written_of_resources_is_as_the_section_says(written: dict[str, str], found: tuple[str, str]) -> None:
    backend = samples.named("prod", {"backend.resources": written}).environment.backend
    assert backend.kind == "jaeger"
    assert backend.resources == resources_of(*found)


def test_each_server_has_its_own_rest() -> None:
    environment = samples.named("prod", {"collectors.gateway.resources": {"cpu": "2"}, "access.resources": {"cpu": "1"}}).environment
    assert environment.collectors.gateway.resources == resources_of("2", "1Gi")
    assert environment.access is not None
    assert environment.access.resources == resources_of("1", "128Mi")


def test_a_setting_that_is_written_as_null_stays_null() -> None:
    assert samples.named("prod", {"collectors.agent.queue": None}).environment.collectors.agent.queue is None
