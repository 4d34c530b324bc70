"""The portal on its chain, as processes: an order's traces over both, its states, and a customer of whom nobody else hears."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from websockets.exceptions import ConnectionClosedOK

from examples.virtengine.customers import Customer, Customers
from examples.virtengine.signing import Key
from tests.examples.virtengine.chain_processes import CUSTOMER, NOTE
from tests.examples.virtengine.chain_processes import running as chain_and_portal
from tests.examples.virtengine.processes import delete, get, post, websocket
from tests.tracing_lib.receivers import attributes, http_receiver
from tests.waiting import STALL_SECONDS
from tracing_lib.instrument import JobContext

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from tests.examples.virtengine.chain_processes import Running

ORDER_ID = "virtengine.order.id"


def test_one_trace_leads_from_the_portal_to_the_mempool_and_to_the_transaction(running: Running) -> None:
    answer = running.place()
    order_id, tx_hash = answer.json()["id"], answer.json()["tx_hash"]
    asked = running.spans.one("portal", "POST /orders", order_id=order_id)
    executed = running.spans.one("chain", "execute transaction", order_id=order_id)
    running.spans.assert_tree(
        asked,
        """
        portal: POST /orders ~> execute transaction
          portal: virtengine.market.v1.Msg/CreateOrder
            chain: virtengine.market.v1.Msg/CreateOrder
              chain: ante.Handle
        """,
    )
    running.spans.assert_tree(
        executed,
        """
        chain: execute transaction ~> virtengine.market.v1.Msg/CreateOrder
          chain: market.keeper.CreateOrder
            chain: veid.keeper.CheckLevel
            chain: escrow.keeper.Deposit
        """,
    )
    # Of the same name are the portal's call and the chain's part of it.
    admitting = [span for span in running.spans.find("chain", "virtengine.market.v1.Msg/CreateOrder") if span.trace_id == asked.trace_id]
    assert [link.span_id for link in executed.links] == [span.span_id for span in admitting]
    assert answer.headers["traceresponse"].split("-")[1] == asked.trace_id.hex()
    assert executed.span_id.hex() == f"{JobContext.of_transaction(tx_hash).span_id:016x}"
    assert attributes(asked.attributes)["virtengine.order.cpu_units"] == 4


def test_a_customer_sees_every_state_of_an_order_until_its_last(running: Running) -> None:
    order_id, _ = running.placed()
    with websocket(running.watch(order_id)) as socket:
        states = [json.loads(socket.recv(STALL_SECONDS))["state"]]
        running.bid(order_id)
        states.append(json.loads(socket.recv(STALL_SECONDS))["state"])
        assert delete(f"{running.portal.url}/orders/{order_id}").status_code == 202
        states.append(json.loads(socket.recv(STALL_SECONDS))["state"])
        with pytest.raises(ConnectionClosedOK):
            socket.recv(STALL_SECONDS)
    assert states == ["OPEN", "ACTIVE", "CLOSED"]
    assert get(f"{running.portal.url}/orders/{order_id}").json() == {"id": order_id, "state": "CLOSED"}


def test_two_watchers_of_an_order_are_told_and_one_may_leave(running: Running) -> None:
    order_id, _ = running.placed()
    with websocket(running.watch(order_id)) as stays:
        with websocket(running.watch(order_id)) as leaves:
            assert [json.loads(each.recv(STALL_SECONDS))["state"] for each in (stays, leaves)] == ["OPEN", "OPEN"]
        running.bid(order_id)
        assert json.loads(stays.recv(STALL_SECONDS))["state"] == "ACTIVE"


def test_an_order_without_its_deposit_fails_and_its_log_leads_to_the_failed_span(running: Running) -> None:
    order_id, tx_hash = running.placed(deposit=39)
    with websocket(running.watch(order_id)) as socket:
        assert json.loads(socket.recv(STALL_SECONDS))["state"] == "FAILED"
    (line,) = [line for line in running.chain.lines() if line.get(ORDER_ID) == order_id]
    failed = running.spans.one("chain", "escrow.keeper.Deposit", order_id=order_id)
    assert (line["error.trace_id"], line["error.span_id"]) == (failed.trace_id.hex(), failed.span_id.hex())
    assert line["trace_id"] == f"{JobContext.of_transaction(tx_hash).trace_id:032x}" == failed.trace_id.hex()
    assert failed.status.code == Status.STATUS_CODE_ERROR


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"cpu_units": 0}, "an order asks for"),
        ({"account": "virtengine1nobody"}, "no customer has this account"),
        ({"cpu_units": -1}, "the request lacks a field"),
        ({"deposit": None, "account": 7}, "the request lacks a field"),
        ({"note": "\ud800"}, "the request lacks a field"),
    ],
)
def test_an_order_that_cannot_be_is_refused_with_the_reason(running: Running, change: dict[str, object], error: str) -> None:
    body = {"account": running.account, "cpu_units": 4, "deposit": 40, **change}
    answer = post(f"{running.portal.url}/orders", content=json.dumps(body))
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(error)


def test_an_order_that_no_block_knows_is_not_found(running: Running) -> None:
    assert get(f"{running.portal.url}/orders/order-000000000000").status_code == 404
    assert delete(f"{running.portal.url}/orders/order-000000000000").status_code == 404


def test_every_trace_of_an_order_begins_with_the_orders_id(running: Running) -> None:
    order_id, _ = running.placed()
    with websocket(running.watch(order_id)) as socket:
        socket.recv(STALL_SECONDS)
        delete(f"{running.portal.url}/orders/{order_id}")
        socket.recv(STALL_SECONDS)
    running.wait_for(order_id, "CLOSED")
    expected = {
        "POST /orders": 1,
        "GET /orders/{order_id}": 1,
        "DELETE /orders/{order_id}": 1,
        "GET /orders/{order_id}/events": 1,
        "portal.show_state": 2,
        "execute transaction": 2,
    }

    def roots() -> list[Span]:
        return [
            span for _, span in running.received.spans if not span.parent_span_id and attributes(span.attributes).get(ORDER_ID) == order_id
        ]

    running.spans.wait(lambda: Counter(span.name for span in roots()) == expected, f"{expected}")
    # Without an order are only those that are about none: identities, connections, and the stream of all orders' states.
    without = {span.name for _, span in running.received.spans if not span.parent_span_id and ORDER_ID not in attributes(span.attributes)}
    assert not without & expected.keys() - {"execute transaction", "POST /orders"}


def test_a_portal_outlives_its_chain_and_both_end_in_order_with_every_span_delivered(running: Running) -> None:
    order_id, _ = running.placed()
    with websocket(running.watch(order_id)) as socket:
        assert json.loads(socket.recv(STALL_SECONDS))["state"] == "OPEN"
        assert running.chain.terminate() == 0
        answer = running.place()
        assert (answer.status_code, answer.json()) == (502, {"error": "the chain cannot be reached"})
        running.chain.start()
        running.bid(order_id)
        assert json.loads(socket.recv(STALL_SECONDS))["state"] == "ACTIVE"
        assert running.portal.terminate() == 0
    running.portal.start()
    for service, name in ((running.chain, "chain"), (running.portal, "portal")):
        (ended,) = [str(line["message"]) for line in service.lines() if str(line["message"]).startswith("tracing ended")]
        made, delivered = (int(word) for word in ended.replace(",", "").split() if word.isdigit())
        assert made == delivered > 0, f"{name}: {ended}"
    streams = running.spans.find("portal", "virtengine.market.v1.Query/FollowOrders")
    assert [span.status.code for span in streams] == [Status.STATUS_CODE_UNSET] * len(streams)
    assert len(streams) == 2


def test_nothing_of_a_customer_is_in_any_span_or_log(running: Running) -> None:
    running.register()
    order_id, _ = running.placed(deposit=1)
    typed = delete(f"{running.portal.url}/orders/{CUSTOMER['document']}?contact={CUSTOMER['email']}", headers={"X-Note": NOTE})
    assert typed.status_code == 404
    post(f"{running.portal.url}/orders", json={**CUSTOMER, "account": running.account, "cpu_units": 0, "deposit": 0, "note": NOTE})
    running.wait_for(order_id, "FAILED")
    last, _ = running.placed()
    for service, name in (("portal", "POST /orders"), ("chain", "execute transaction")):
        running.spans.one(service, name, order_id=last)  # a service sends its spans in the order of their ends
    names = {span.name for _, span in running.received.spans}
    assert {"POST /customers", "veid.keeper.SubmitScope", "DELETE"} <= names
    found = b"".join(str(resource).encode() + span.SerializeToString() for resource, span in running.received.spans)
    written = running.chain.log.read_bytes() + running.portal.log.read_bytes()
    for canary in (*CUSTOMER.values(), "Canary", NOTE, running.account):
        assert canary.encode() not in found, canary
        assert canary.encode() not in written, canary


def _keys(folder: Path) -> list[bytes]:
    """The private keys that a portal keeps."""
    with closing(sqlite3.connect(folder / "portal" / "portal.sqlite")) as db:
        return [key for (key,) in db.execute("SELECT key FROM customers")]


def test_a_killed_portal_signs_again_and_its_keys_are_nowhere_else(tmp_path: Path) -> None:
    with http_receiver() as received, chain_and_portal(tmp_path, received) as running:
        before, _ = running.placed()
        running.portal.kill()
        running.portal.start()
        running.wait_for(before, "OPEN")
        assert delete(f"{running.portal.url}/orders/{before}").status_code == 202
        running.wait_for(before, "CLOSED")
        after, _ = running.placed()
        running.wait_for(after, "OPEN")
        assert running.portal.terminate() == running.chain.terminate() == 0
        (key,) = _keys(tmp_path)
        sent = b"".join(str(resource).encode() + span.SerializeToString() for resource, span in received.spans)
    files = [file for folder in (tmp_path, tmp_path / "chain") for file in folder.iterdir() if file.is_file()]
    assert {"chain.log", "portal.log", "chain-state.sqlite"} <= {file.name for file in files}
    found = sent + b"".join(file.read_bytes() for file in files)
    for written in (key, key.hex().encode(), str(int.from_bytes(key)).encode(), base64.b64encode(key)):
        assert written not in found


def test_what_a_portal_keeps_is_for_its_owner_alone_and_on_the_disk(tmp_path: Path) -> None:
    with closing(Customers(tmp_path / "portal.sqlite")) as customers:
        customers.add(Customer("Jane", "jane@example.org", "", ""), Key.make())
        assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {
            "portal.sqlite": 0o600,
            "portal.sqlite-wal": 0o600,
            "portal.sqlite-shm": 0o600,
        }
        assert customers._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert customers._db.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
        assert not customers._db.in_transaction
