"""What ``check`` calls right is taken by an API server, with names and sizes at their edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of
from tests.cluster import kinds
from tests.cluster.test_objects import namespace
from tests.components.kubernetes import plans
from tests.servers.edges import environments
from tests.servers.test_edges import EDGES

if TYPE_CHECKING:
    from tests.cluster.server import ApiServer


def test_every_object_at_the_edges_of_the_settings_is_accepted(api_server: ApiServer) -> None:
    tried = 0
    # Some edges ask for objects of controllers.
    api_server.define(kinds.definitions())
    for number, named in enumerate(environments(EDGES)):
        if named.environment.target.kind != "kubernetes":
            continue
        environment = named.environment.model_copy(update={"namespace": f"edges-{number}"})
        made = plan(environment, addresses_of(named), name=named.name)
        for consumers in made.outside["consumers"].namespaces:
            api_server.apply(namespace(consumers))
        for mapping in plans.objects(made):
            api_server.apply(mapping)
        tried += 1
    assert tried >= EDGES // 2
