"""Two stores in the shape of a cluster on one machine: each real store has an address of its own, and so has every instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.local.addresses import Block
from stacks.placement.small import instances, with_own_servers
from stacks.placement.small_store import own_store
from stacks.placement.surroundings import NAMED_STORE, STORE, lay_out
from stacks.plan.addresses import OnKubernetes
from stacks.plan.plan import plan
from stacks.plan.remote import remote
from tests.stacks import samples

if TYPE_CHECKING:
    from pathlib import Path

CASSANDRA = {"kind": "jaeger", "storage": {"kind": "cassandra", "servers": ["cassandra.databases.svc:9042"]}}
ALONE = {"access": None, "ingest.tls_secret": None, "ingest.token_secret": None, "backend.also.store": CASSANDRA}


def test_two_stores_in_small_are_two_servers_and_no_address_is_given_twice(tmp_path: Path) -> None:
    block = Block("127.90.0")
    here = with_own_servers(samples.named("prod-move", ALONE), block)
    asked = [storage.servers for each in here.environment.stores if (storage := remote(each)) is not None]
    assert asked == [(f"http://{block[NAMED_STORE]}:9200",), (f"{block[STORE]}:9042",)]
    layout = lay_out(plan(here.environment, OnKubernetes(here.environment.namespace), name=here.name), block, nodes=2)
    small = instances(here, layout, tmp_path, {})
    stores = [
        one
        for each, number in zip(here.environment.stores, (NAMED_STORE, STORE), strict=True)
        for one in own_store(each, block[number], tmp_path)
    ]
    assert [one.name for one in stores] == ["store-search-0", "store-0"]
    around = [layout.network, layout.ingress, layout.issuer, layout.prometheus, layout.cluster, layout.kafka]
    given = [*around, *layout.services.values(), *(one.address for one in (*small.instances, *stores))]
    assert len(set(given)) == len(given)
    assert {one.workload.name for one in small.instances} >= {"jaeger", "query", "jaeger-search", "query-search"}
