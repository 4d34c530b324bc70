"""The provider daemon as a process, between the chain and the Waldur-shaped server."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from examples.virtengine.daemon.jobs import PROVISION, RELEASE, Lease, Queue
from tests.examples.virtengine.processes import Service, get, outputs
from tests.examples.virtengine.real_chain import BLOCK_SECONDS
from tests.examples.virtengine.spans import ORDER_ID
from tests.examples.virtengine.town import DAEMON, linked, trace_of
from tests.examples.virtengine.town import town as run_town
from tests.tracing_lib.receivers import attributes, http_receiver
from tests.waiting import STALL_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.examples.virtengine.real_chain import RealChain
    from tests.examples.virtengine.town import Town
    from tests.tracing_lib.receivers import Received

SLOW = 64
BROKEN = 200
SLOW_SECONDS = 2.5


class Waldur(Service):
    """The Waldur-shaped server, and what it was asked for."""

    def orders(self, name: str) -> list[dict[str, Any]]:
        """The orders for a resource of that name."""
        headers = {"Authorization": "Token example"}
        found: list[dict[str, Any]] = get(f"{self.url}/api/marketplace-orders/", params={"resource_name": name}, headers=headers).json()
        return found

    def wait_for(self, name: str) -> None:
        """Wait for an order for a resource of that name."""
        until(lambda: self.orders(name), f"an order at Waldur for {name}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("town")


@pytest.fixture(scope="module")
def received() -> Iterator[Received]:
    with http_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def waldur(folder: Path, received: Received) -> Iterator[Waldur]:
    arguments = ["--state", folder / "waldur", "--slow-seconds", SLOW_SECONDS]
    with Waldur("examples.virtengine.waldur", folder, outputs(folder, received.url), *arguments) as service:
        yield service


@pytest.fixture(scope="module")
def town(folder: Path, received: Received, waldur: Waldur) -> Iterator[Town[RealChain]]:
    with run_town(folder, received, "--waldur", waldur.url) as running:
        yield running


def test_an_order_is_bid_for_and_provisioned_in_traces_that_lead_to_each_other(town: Town[RealChain], waldur: Waldur) -> None:
    tx_hash = town.chain.open_order("order-000000000001", 5)
    town.wait_for_jobs("order-000000000001", "done")
    bidding = town.spans.one(DAEMON, "process /events", order_id="order-000000000001", **{"virtengine.event.type": "order.created"})
    won = town.spans.one(DAEMON, "process /events", order_id="order-000000000001", **{"virtengine.event.type": "lease.created"})
    done = town.spans.one(DAEMON, "process provision", order_id="order-000000000001")
    town.spans.assert_tree(
        bidding,
        """
        provider-daemon: process /events ~> GET /events, execute transaction, send /events
          provider-daemon: bidengine.price
          provider-daemon: virtengine.market.v1.Msg/CreateBid
            chain: virtengine.market.v1.Msg/CreateBid
              chain: ante.Handle
        """,
    )
    assert trace_of(tx_hash) in linked(bidding)
    both = linked(bidding) & linked(won)
    bids = {span.trace_id.hex() for span in town.spans.find("chain", "market.keeper.CreateBid")}
    assert len(bids & both) == 1, "both lead to the transaction that made the lease"
    town.spans.assert_tree(
        won,
        """
        provider-daemon: process /events ~> GET /events, send /events
          provider-daemon: create provision
        """,
    )
    orders = "/api/marketplace-orders/"
    town.spans.assert_tree(
        done,
        f"""
        provider-daemon: process provision ~> create provision, execute transaction
          provider-daemon: POST {orders}
            waldur: POST {orders}
          provider-daemon: adapter.ready
            provider-daemon: GET {orders}{{uuid}}/
              waldur: GET {orders}{{uuid}}/
          provider-daemon: virtengine.escrow.v1.Msg/Settle
            chain: virtengine.escrow.v1.Msg/Settle
              chain: ante.Handle
        """,
    )
    assert done.trace_id not in {bidding.trace_id, won.trace_id}
    assert [(order["state"], order["limits"]) for order in waldur.orders("order-000000000001")] == [("done", {"cpu": 5})]
    price = town.spans.one_of_trace(bidding, DAEMON, "bidengine.price")
    assert attributes(price.attributes) == {"virtengine.order.cpu_units": 5, "virtengine.bid.price": 35}


def test_a_failed_provision_closes_the_order_and_its_log_leads_to_the_failed_span(town: Town[RealChain]) -> None:
    town.chain.open_order("order-000000000002", BROKEN)
    town.wait_for_jobs("order-000000000002", "failed", "done")
    done = town.spans.one(DAEMON, "process provision", order_id="order-000000000002")
    orders = "/api/marketplace-orders/"
    town.spans.assert_tree(
        done,
        f"""
        provider-daemon: process provision ! ~> create provision, execute transaction
          provider-daemon: POST {orders}
            waldur: POST {orders}
          provider-daemon: adapter.ready !
            provider-daemon: GET {orders}{{uuid}}/
              waldur: GET {orders}{{uuid}}/
          provider-daemon: virtengine.market.v1.Msg/CloseOrder
            chain: virtengine.market.v1.Msg/CloseOrder
              chain: ante.Handle
        """,
    )
    lines = [line for line in town.daemon.lines() if line["level"] == "ERROR"]
    assert [line["message"] for line in lines] == ["provision of order-000000000002 failed"]
    assert lines[0]["trace_id"] == lines[0]["error.trace_id"] == done.trace_id.hex()
    failed = next(span for _, span in town.received.spans if span.span_id.hex() == lines[0]["error.span_id"])
    assert failed.name == "adapter.ready"
    assert [attributes(event.attributes)["virtengine.error.fingerprint"] for event in failed.events] == [
        lines[0]["virtengine.error.fingerprint"]
    ]
    assert town.chain.settled("order-000000000002") == 0


def test_a_closed_order_gives_its_resource_back_in_a_job_of_its_own(town: Town[RealChain], waldur: Waldur) -> None:
    town.chain.open_order("order-000000000003")
    town.wait_for_jobs("order-000000000003", "done")
    town.chain.cancel_order("order-000000000003")
    town.wait_for_jobs("order-000000000003", "done", "done")
    assert [(job["kind"], job["attempt"]) for job in town.jobs("order-000000000003")] == [("provision", 1), ("release", 1)]
    released = town.spans.one(DAEMON, "process release", order_id="order-000000000003")
    orders, resources = "/api/marketplace-orders/", "/api/marketplace-resources/"
    town.spans.assert_tree(
        released,
        f"""
        provider-daemon: process release ~> create release
          provider-daemon: GET {orders}{{uuid}}/
            waldur: GET {orders}{{uuid}}/
          provider-daemon: GET {resources}{{uuid}}/
            waldur: GET {resources}{{uuid}}/
          provider-daemon: POST {resources}{{uuid}}/terminate/
            waldur: POST {resources}{{uuid}}/terminate/
        """,
    )
    resource = waldur.orders("order-000000000003")[0]["marketplace_resource_uuid"]
    answer = get(f"{waldur.url}/api/marketplace-resources/{resource}/", headers={"Authorization": "Token example"})
    assert answer.json()["state"] == "Terminated"


def test_every_trace_of_the_daemon_is_found_by_its_order(town: Town[RealChain]) -> None:
    town.chain.open_order("order-000000000007")
    town.wait_for_jobs("order-000000000007", "done")
    town.spans.one(DAEMON, "process provision", order_id="order-000000000007")
    roots = [span for of, span in town.received.spans if of["service.name"] == DAEMON and not span.parent_span_id]
    named = [span for span in roots if span.name != "GET /events"]
    assert {span.name for span in named} == {"process /events", "process provision", "process release", "GET /jobs/{order_id}"}
    assert [span.name for span in named if ORDER_ID not in attributes(span.attributes)] == []


def test_no_event_is_lost_or_taken_twice_when_the_chain_restarts(town: Town[RealChain], waldur: Waldur) -> None:
    town.chain.open_order("order-000000000004")
    assert town.chain.terminate() == 0
    town.chain.start()
    town.chain.open_order("order-000000000005")
    for order_id in ("order-000000000004", "order-000000000005"):
        town.wait_for_jobs(order_id, "done")
        assert len(waldur.orders(order_id)) == 1
        assert _settled(town, order_id) == 28
        town.spans.one(DAEMON, "process /events", order_id=order_id, **{"virtengine.event.type": "escrow.settled"})
        for kind in ("order.created", "lease.created"):
            town.spans.one(DAEMON, "process /events", order_id=order_id, **{"virtengine.event.type": kind})


def _settled(town: Town[RealChain], order_id: str) -> int:
    """What was paid for an order, some blocks after anything was."""
    until(lambda: town.chain.settled(order_id), f"a settlement for {order_id}")
    time.sleep(3 * BLOCK_SECONDS)
    return town.chain.settled(order_id)


def test_a_job_interrupted_by_sigterm_ends_its_span_and_a_restart_finishes_it(town: Town[RealChain], waldur: Waldur) -> None:
    order_id = "order-000000000009"
    town.chain.open_order(order_id, SLOW)
    waldur.wait_for(order_id)
    assert town.daemon.terminate() == 0
    first = town.spans.one(DAEMON, "process provision", order_id=order_id)
    assert attributes(first.attributes)["virtengine.cancelled"] is True
    assert first.status.code == 0
    assert "adapter.ready" in town.spans.tree(first)
    told = town.daemon.lines()[-1]["message"]
    assert isinstance(told, str)
    ended, delivered = (int(word) for word in told.replace(":", "").replace(",", "").split() if word.isdigit())
    assert ended == delivered > 0
    town.chain.open_order("order-00000000000a")
    town.daemon.start()
    town.wait_for_jobs("order-00000000000a", "done")
    town.wait_for_jobs(order_id, "done")
    assert town.jobs(order_id)[0]["attempt"] == 2
    assert len(waldur.orders(order_id)) == 1
    assert _settled(town, order_id) == SLOW * 7
    second = town.spans.one(DAEMON, "process provision", order_id=order_id, **{"virtengine.job.attempt": 2})
    made = town.spans.one(DAEMON, "create provision", order_id=order_id)
    assert made.span_id.hex() in linked(first) & linked(second)
    assert second.trace_id != first.trace_id


def test_the_providers_key_outlives_the_daemon_and_is_nowhere_else(town: Town[RealChain], folder: Path) -> None:
    town.chain.open_order("order-00000000000b")
    town.wait_for_jobs("order-00000000000b", "done")
    file = folder / "daemon" / "provider.key"
    key = file.read_bytes()
    assert town.daemon.terminate() == 0
    town.daemon.start()
    # With another key the daemon could no longer bid under its name.
    town.chain.open_order("order-00000000000c")
    town.wait_for_jobs("order-00000000000c", "done")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (key, 0o600)
    sent = b"".join(str(resource).encode() + span.SerializeToString() for resource, span in town.received.spans)
    found = sent + town.daemon.log.read_bytes() + town.chain.log.read_bytes()
    for written in (key, key.hex().encode(), str(int.from_bytes(key)).encode(), base64.b64encode(key)):
        assert written not in found


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    with closing(Queue(tmp_path / "jobs.sqlite")) as opened:
        yield opened


def _leased(queue: Queue, *orders: str) -> None:
    with queue.effects_of(1):
        for order_id in orders:
            queue.add_lease(Lease(order_id, f"{order_id}.1", 4, 28))
            queue.add(PROVISION, order_id, None)


def test_jobs_of_one_order_are_given_out_one_after_the_other_and_others_at_once(queue: Queue) -> None:
    async def given() -> list[tuple[str, str]]:
        _leased(queue, "order-1", "order-2")
        with queue.effects_of(2):
            queue.add(RELEASE, "order-1", None)
        first, second = await queue.next(), await queue.next()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.next(), 0.05)
        waiting = asyncio.create_task(queue.next())
        await asyncio.sleep(0)
        queue.finish(first, failed=True)
        third = await asyncio.wait_for(waiting, STALL_SECONDS)
        return [(job.lease.order_id, job.kind) for job in (first, second, third)]

    assert asyncio.run(given()) == [("order-1", PROVISION), ("order-2", PROVISION), ("order-1", RELEASE)]


def test_an_event_and_its_effects_are_stored_together_or_not_at_all(queue: Queue, tmp_path: Path) -> None:
    _leased(queue, "order-1")

    def interrupted() -> None:
        with queue.effects_of(2):
            queue.add(RELEASE, "order-1", None)
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    with closing(Queue(tmp_path / "jobs.sqlite")) as other:
        assert other.position == 1
        assert [job["kind"] for job in other.jobs("order-1")] == [PROVISION]


def test_an_event_that_is_told_twice_makes_one_job(queue: Queue) -> None:
    _leased(queue, "order-1")
    queue.made("order-1", "handle-1")
    _leased(queue, "order-1")
    assert json.dumps(queue.jobs("order-1")) == '[{"kind": "provision", "state": "queued", "attempt": 0}]'
    lease = queue.lease("order-1")
    assert lease is not None
    assert lease.handle == "handle-1"
