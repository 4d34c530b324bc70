"""The chain as a process, with a customer who speaks to it directly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

from components.local.ports import free_ports
from examples.virtengine.protos import escrow_pb2, escrow_pb2_grpc, market_pb2, market_pb2_grpc, veid_pb2, veid_pb2_grpc
from examples.virtengine.signing import Key
from tests.examples.virtengine.processes import Service
from tests.waiting import STALL_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from examples.virtengine.signing import TxMessage

BLOCK_SECONDS = 0.1
DEPOSIT_PER_CPU_UNIT = 100
"""Enough for a lease to be settled more than once, so that it shows."""


class RealChain(Service):
    """A chain that makes a block every tenth of a second."""

    def __init__(self, folder: Path, outputs_file: Path) -> None:
        (self.grpc_port,) = free_ports(1)
        self._customer = Key.make()
        stated = ["--grpc-port", self.grpc_port, "--state", folder / "chain", "--block-seconds", BLOCK_SECONDS]
        super().__init__("examples.virtengine.chain", folder, outputs_file, *stated)

    def open_order(self, order_id: str, cpu_units: int = 4) -> str:
        """Send an order of a known account; return the hash of its transaction."""
        scope = veid_pb2.Scope(id="scope-1", type=veid_pb2.SCOPE_TYPE_DOCUMENT)
        account = self._customer.account
        self._send(veid_pb2_grpc.MsgStub, "SubmitScope", veid_pb2.MsgSubmitScope(account=account, scope=scope))
        order = market_pb2.Order(id=order_id, account=account, cpu_units=cpu_units, deposit=DEPOSIT_PER_CPU_UNIT * cpu_units)
        return str(self._send(market_pb2_grpc.MsgStub, "CreateOrder", market_pb2.MsgCreateOrder(order=order)).tx_hash)

    def cancel_order(self, order_id: str) -> None:
        """Close an order for its customer."""
        self._send(market_pb2_grpc.MsgStub, "CloseOrder", market_pb2.MsgCloseOrder(order_id=order_id))

    def settled(self, order_id: str) -> int:
        """What an order's escrow has paid."""
        answer = self._ask(escrow_pb2_grpc.QueryStub, "Account", escrow_pb2.QueryAccountRequest(order_id=order_id))
        return int(answer.account.settled)

    def _send(self, stub: Any, method: str, message: TxMessage) -> Any:  # noqa: ANN401  generated code without types
        return self._ask(stub, method, self._customer.signed(message))

    def _ask(self, stub: Any, method: str, message: object) -> Any:  # noqa: ANN401  generated code without types
        with grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}") as channel:
            return getattr(stub(channel), method)(message, timeout=STALL_SECONDS)
