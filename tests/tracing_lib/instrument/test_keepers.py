"""``trace_keeper`` and ``trace_ante``: names, calls across modules, every kind of method, and the type that stays."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.trace import StatusCode

from examples.virtengine.protos import market_pb2
from tests.tracing_lib.instrument.chain import DepositTooSmallError, EscrowKeeper, Keepers, MarketKeeper, VeidKeeper
from tests.tracing_lib.instrument.recorder import attributes, id_of, is_child
from tracing_lib.instrument import trace_ante, trace_keeper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.tracing_lib.instrument.recorder import Recorder

PATHS = {"virtengine.order.id": "order.id", "virtengine.order.cpu_units": "order.cpu_units", "virtengine.order.state": "return.state"}


def order(deposit: int = 40) -> market_pb2.Order:
    return market_pb2.Order(id="o-1", account="virt1qqq", cpu_units=4, deposit=deposit)


def test_calls_across_modules_are_one_trace(recorder: Recorder) -> None:
    market = Keepers(lambda keeper: trace_keeper(keeper, tracer_provider=recorder.provider)).market
    market.create_order(order())
    create, veid, escrow = (
        recorder.one(f"{name}") for name in ("market.keeper.CreateOrder", "veid.keeper.IdentityRecord", "escrow.keeper.Deposit")
    )
    assert is_child(veid, create)
    assert is_child(escrow, create)
    assert [attributes(span)["virtengine.module"] for span in (create, veid, escrow)] == ["market", "veid", "escrow"]


def test_an_error_marks_every_keeper_on_its_way_and_is_recorded_where_it_began(recorder: Recorder) -> None:
    market = Keepers(lambda keeper: trace_keeper(keeper, tracer_provider=recorder.provider)).market
    with pytest.raises(DepositTooSmallError):
        market.create_order(order(deposit=1))
    assert [(span.name, len(span.events)) for span in recorder.spans if span.status.status_code is StatusCode.ERROR] == [
        ("escrow.keeper.Deposit", 1),
        ("market.keeper.CreateOrder", 0),
    ]
    assert "jane" not in "".join(span.to_json() for span in recorder.spans)


def test_attributes_come_from_protobuf_messages_by_path(recorder: Recorder) -> None:
    market = trace_keeper(MarketKeeper(VeidKeeper(), EscrowKeeper()), attributes=PATHS, tracer_provider=recorder.provider)
    market.create_order(order=order())
    market.order("o-2")
    create, query = recorder.spans
    assert attributes(create) == {
        "virtengine.module": "market",
        "virtengine.order.id": "o-1",
        "virtengine.order.cpu_units": 4,
        "virtengine.order.state": "ORDER_STATE_OPEN",
    }
    assert attributes(query) == {"virtengine.module": "market", "virtengine.order.state": "ORDER_STATE_UNSPECIFIED"}


class BidKeeper:
    """A keeper with every kind of method."""

    limit = 3

    def __init__(self) -> None:
        self.state = {"bids": 0}

    @property
    def bids(self) -> int:
        """How many."""
        return self.state["bids"]

    @bids.setter
    def bids(self, value: int) -> None:
        self.state["bids"] = value

    def __len__(self) -> int:
        return self.bids

    def place(self) -> int:
        """Place one, asking the keeper itself and a private helper."""
        self._add()
        return self.count()

    def count(self) -> int:
        """Count them."""
        return self.bids

    def _add(self) -> None:
        self.bids += 1

    async def confirm(self) -> int:
        """Confirm, later."""
        await asyncio.sleep(0)
        return self.bids

    def each(self) -> Iterator[int]:
        """Yield each."""
        yield from range(self.bids)

    async def follow(self) -> AsyncIterator[int]:
        """Yield each, later."""
        for number in range(self.bids):
            yield number

    @staticmethod
    def price(cpu_units: int) -> int:
        """Price without a keeper."""
        return cpu_units * 7

    @classmethod
    def most(cls) -> int:
        """The limit."""
        return cls.limit


def test_every_public_method_of_every_kind_is_a_span_and_nothing_else_is(recorder: Recorder) -> None:
    keeper = trace_keeper(BidKeeper(), tracer_provider=recorder.provider)

    async def use() -> tuple[int, list[int]]:
        return await keeper.confirm(), [number async for number in keeper.follow()]

    assert keeper.place() == 1
    assert asyncio.run(use()) == (1, [0])
    assert (list(keeper.each()), keeper.price(2), keeper.most(), keeper.bids, len(keeper)) == ([0], 14, 3, 1, 1)
    assert recorder.names == [f"bid.keeper.{name}" for name in ("Place", "Confirm", "Follow", "Each", "Price", "Most")]


def test_the_type_and_the_state_stay_the_keepers(recorder: Recorder) -> None:
    inner = BidKeeper()
    keeper = trace_keeper(inner, tracer_provider=recorder.provider)
    keeper.bids = 2
    assert isinstance(keeper, BidKeeper)
    assert (inner.bids, keeper.limit) == (2, 3)
    del keeper.state
    assert not hasattr(inner, "state")


class Keeper:
    """Named as Go names it."""

    def get(self) -> None:
        """Get nothing."""


def test_the_module_is_told_from_the_class_or_given(recorder: Recorder) -> None:
    Keeper.__module__ = "x.market.keeper"
    trace_keeper(Keeper(), tracer_provider=recorder.provider).get()
    trace_keeper(Keeper(), module="bids", tracer_provider=recorder.provider).get()
    assert recorder.names == ["market.keeper.Get", "bids.keeper.Get"]
    Keeper.__module__ = "__main__"
    with pytest.raises(ValueError, match=r"its module cannot be told\. Wanted: .* Next: pass module="):
        trace_keeper(Keeper())


def test_a_path_without_a_parameter_and_an_object_without_methods_are_refused() -> None:
    with pytest.raises(ValueError, match="no public method has that parameter"):
        trace_keeper(BidKeeper(), attributes={"virtengine.order.id": "ordr.id"})
    with pytest.raises(ValueError, match="has no public method"):
        trace_keeper(object(), module="market")


def test_ante_handling_is_a_span_of_its_own_and_a_rejection_its_error(recorder: Recorder) -> None:
    def handle(tx: market_pb2.MsgCreateOrder) -> int:
        if not tx.order.deposit:
            raise DepositTooSmallError("jane@example.com")
        return 0

    ante = trace_ante(handle, attributes={"virtengine.order.id": "tx.order.id"}, tracer_provider=recorder.provider)
    with recorder.tracer.start_as_current_span("deliver") as deliver:
        assert ante(market_pb2.MsgCreateOrder(order=order())) == 0
        with pytest.raises(DepositTooSmallError):
            ante(market_pb2.MsgCreateOrder(order=order(deposit=0)))
    passed, rejected, _ = recorder.spans
    assert (passed.name, passed.status.status_code, attributes(passed)["virtengine.tx.accepted"]) == ("ante.Handle", StatusCode.UNSET, True)
    assert (rejected.status.status_code, attributes(rejected)["virtengine.tx.accepted"]) == (StatusCode.ERROR, False)
    assert attributes(rejected)["error.type"] == f"{DepositTooSmallError.__module__}.DepositTooSmallError"
    assert attributes(rejected)["virtengine.order.id"] == "o-1"
    assert {span.parent.span_id for span in (passed, rejected) if span.parent} == {deliver.get_span_context().span_id}


def test_ante_handling_that_rejects_by_its_answer_is_an_error_too(recorder: Recorder) -> None:
    async def handle(code: int) -> int:
        await asyncio.sleep(0)
        return code

    ante = trace_ante(handle, rejected=lambda code: code != 0, tracer_provider=recorder.provider)
    assert [asyncio.run(ante(code)) for code in (0, 5)] == [0, 5]
    assert [(span.status.status_code, attributes(span)["virtengine.tx.accepted"]) for span in recorder.spans] == [
        (StatusCode.UNSET, True),
        (StatusCode.ERROR, False),
    ]


def test_two_keepers_of_a_class_do_not_share_state(recorder: Recorder) -> None:
    first, second = (trace_keeper(BidKeeper(), tracer_provider=recorder.provider) for _ in range(2))
    first.place()
    assert (first.bids, second.bids) == (1, 0)
    assert len({id_of(span) for span in recorder.spans}) == 1


def _pickled(keeper: object) -> object:
    return pickle.loads(pickle.dumps(keeper))  # noqa: S301  our own


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, _pickled])
def test_a_copy_of_a_traced_keeper_is_a_copy_of_the_keeper(copied: Callable[[Any], Any]) -> None:
    keeper: Any = BidKeeper()
    keeper.orders = ["o-1"]
    found = copied(trace_keeper(keeper))
    assert (type(found), found.orders) == (BidKeeper, ["o-1"])
    assert found is not keeper
