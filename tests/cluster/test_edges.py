"""What ``check`` calls right is taken by an API server, with names and sizes at their edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of
from tests.cluster import kinds
from tests.cluster.test_objects import namespace
from tests.components.kubernetes import plans
from tests.servers.edges import environments
from tests.servers.test_edges import EDGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.server import ApiServer


@pytest.fixture
def cluster(api_server: ApiServer) -> Iterator[ApiServer]:
    """The API server with the kinds of the controllers, of which some edges ask for objects."""
    with api_server.defined(kinds.definitions()):
        yield api_server


def test_every_object_at_the_edges_of_the_settings_is_accepted(cluster: ApiServer) -> None:
    tried = 0
    for number, named in enumerate(environments(EDGES)):
        if named.environment.target.kind != "kubernetes":
            continue
        environment = named.environment.model_copy(update={"namespace": f"edges-{number}"})
        made = plan(environment, addresses_of(named), name=named.name)
        for consumers in made.outside["consumers"].namespaces:
            cluster.apply(namespace(consumers))
        for mapping in plans.objects(made):
            cluster.apply(mapping)
        tried += 1
    assert tried >= EDGES // 2
