"""The chain and the portal as processes, and a customer's calls."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc

from components.local.ports import free_ports
from examples.virtengine.protos import market_pb2, market_pb2_grpc, veid_pb2, veid_pb2_grpc
from examples.virtengine.signing import Key
from tests.examples.virtengine.processes import Service, get, outputs, post
from tests.examples.virtengine.spans import Spans
from tests.waiting import STALL_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    from websockets.sync.client import ClientConnection

    from tests.tracing_lib.receivers import Received

KEY, PROVIDER, STRANGER = Key.make(), Key.make(), Key.make()
"""Of a customer without a portal, of the provider that bids, and of somebody whom the chain does not know."""
CUSTOMER = {
    "name": "Jane Canary",
    "email": "jane.canary@example.org",
    "phone": "+41791234567",
    "document": "XCANARY77",
}
NOTE = "deliver to Jane Canary"


class ChainService(Service):
    """The chain with its gRPC services."""

    def __init__(self, folder: Path, outputs_file: Path, block_seconds: float) -> None:
        self.grpc = f"127.0.0.1:{free_ports(1)[0]}"
        arguments = ["--grpc-port", self.grpc.rpartition(":")[2], "--state", folder / "chain", "--block-seconds", block_seconds]
        super().__init__("examples.virtengine.chain", folder, outputs_file, *arguments)
        self.events = self.url.replace("http", "ws") + "/events"

    @contextmanager
    def channel(self) -> Iterator[grpc.Channel]:
        """A channel of a client without tracing."""
        with grpc.insecure_channel(self.grpc) as channel:
            yield channel


@dataclass
class Running:
    """A chain, a portal on it, and the spans of both."""

    chain: ChainService
    portal: Service
    received: Received
    spans: Spans
    account: str = ""
    """Of the portal's customer, once registered."""

    def register(self) -> str:
        """Make the customer known, with a new account; return the transaction's hash."""
        answer = post(f"{self.portal.url}/customers", json=CUSTOMER)
        assert answer.status_code == 202, answer.text
        self.account = answer.json()["account"]
        return str(answer.json()["tx_hash"])

    def place(self, cpu_units: int = 4, deposit: int = 40) -> httpx.Response:
        """Place an order."""
        body = {"account": self.account, "cpu_units": cpu_units, "deposit": deposit, "note": NOTE}
        return post(f"{self.portal.url}/orders", json=body)

    def placed(self, cpu_units: int = 4, deposit: int = 40) -> tuple[str, str]:
        """Place an order that is admitted; return its id and the transaction's hash."""
        answer = self.place(cpu_units, deposit)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"], answer.json()["tx_hash"]

    def bid(self, order_id: str) -> None:
        """Bid as a provider."""
        with self.chain.channel() as channel:
            market_pb2_grpc.MsgStub(channel).CreateBid(bid(order_id), timeout=STALL_SECONDS)  # type: ignore[no-untyped-call]  # generated code

    def watch(self, order_id: str) -> str:
        """The address of an order's states."""
        return f"{self.portal.url.replace('http', 'ws')}/orders/{order_id}/events"

    def wait_for(self, order_id: str, state: str) -> None:
        """Wait until the portal shows a state."""

        def shown() -> object:
            return get(f"{self.portal.url}/orders/{order_id}").json()

        until(lambda: shown() == {"id": order_id, "state": state}, lambda: f"{shown()} to be {state}")


@contextmanager
def running(folder: Path, received: Received, *, block_seconds: float = 0.1) -> Iterator[Running]:
    """Run both until the block ends; the portal's customer is registered, and so is the one without a portal."""
    file = outputs(folder, received.url)
    chain = ChainService(folder, file, block_seconds)
    portal = Service("examples.virtengine.portal", folder, file, "--state", folder / "portal", "--chain", chain.grpc)
    with chain, portal:
        made = Running(chain, portal, received, Spans(received))
        made.register()
        with chain.channel() as channel:
            submit_scope(channel)
        yield made


def submit_scope(channel: grpc.Channel) -> None:
    """Make the account known to a chain without a portal."""
    scope = veid_pb2.Scope(id="scope-1", type=veid_pb2.SCOPE_TYPE_DOCUMENT)
    message = KEY.signed(veid_pb2.MsgSubmitScope(account=KEY.account, scope=scope))
    veid_pb2_grpc.MsgStub(channel).SubmitScope(message, timeout=STALL_SECONDS)  # type: ignore[no-untyped-call]  # generated code


def order(order_id: str, **changes: Any) -> market_pb2.MsgCreateOrder:  # noqa: ANN401  fields of any type
    """An order that can be opened, signed."""
    fields = {"account": KEY.account, "cpu_units": 4, "deposit": 40, **changes}
    return KEY.signed(market_pb2.MsgCreateOrder(order=market_pb2.Order(id=order_id, **fields)))


def bid(order_id: str) -> market_pb2.MsgCreateBid:
    """A bid on an order, signed."""
    return PROVIDER.signed(market_pb2.MsgCreateBid(bid=market_pb2.Bid(order_id=order_id, provider_id="provider-1", price=28)))


def told(socket: ClientConnection, order_id: str) -> dict[str, Any]:
    """The next event of an order."""
    while (event := json.loads(socket.recv(STALL_SECONDS)))["order_id"] != order_id:
        pass
    found: dict[str, Any] = event
    return found
