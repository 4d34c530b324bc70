"""An order over all services, as the real backbone tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.show.fetch import fetch_trace
from stacks.show.story import joined
from tests.waiting import STALL_SECONDS

if TYPE_CHECKING:
    from stacks.show.stored import Span, Trace
    from stacks.show.story import Story
    from tests.examples.system.conftest import Town, VirtEngine


def trace_with(story: Story, service: str, name: str) -> Trace:
    (found,) = (trace for trace in story.traces if any((span.service, span.name) == (service, name) for span in trace.spans))
    return found


def span_of(trace: Trace, service: str, name: str) -> Span:
    (found,) = (span for span in trace.spans if (span.service, span.name) == (service, name))
    return found


def linked(trace: Trace) -> set[str]:
    return {link.trace_id for span in trace.spans for link in span.links}


def assert_headers_carry_one_trace_id(story: Story) -> None:
    placed = trace_with(story, "portal", "POST /orders")
    assert span_of(placed, "chain", "virtengine.market.v1.Msg/CreateOrder").kind == "server"
    assert "ante.Handle" in {span.name for span in placed.spans if span.service == "chain"}
    provisioned = trace_with(story, "provider-daemon", "process provision")
    assert span_of(provisioned, "waldur", "POST /api/marketplace-orders/").kind == "server"


def assert_links_lead_both_ways(story: Story) -> None:
    placed = trace_with(story, "portal", "POST /orders")
    executed = trace_with(story, "chain", "market.keeper.CreateOrder")
    assert executed.trace_id != placed.trace_id, "a transaction outlives the request that sent it"
    assert executed.trace_id in linked(placed)
    admitting = span_of(placed, "chain", "virtengine.market.v1.Msg/CreateOrder")
    assert admitting.span_id in {link.span_id for span in executed.spans for link in span.links}
    bid = next(trace for trace in story.traces if any(span.name == "bidengine.price" for span in trace.spans))
    assert executed.trace_id in linked(bid)
    won = trace_with(story, "chain", "market.keeper.CreateBid")
    assert won.trace_id in linked(bid)
    assert bid.trace_id in linked(won)


def assert_keepers_call_across_modules(story: Story) -> None:
    executed = trace_with(story, "chain", "market.keeper.CreateOrder")
    created = span_of(executed, "chain", "market.keeper.CreateOrder")
    assert {span.name for span in executed.children(created)} == {"veid.keeper.CheckLevel", "escrow.keeper.Deposit"}


def assert_the_log_leads_to_the_failed_span(town: VirtEngine, service: str, order_id: str, failed: str) -> None:
    (line,) = (line for line in town.lines(service) if line["level"] == "ERROR" and order_id in str(line))
    trace = fetch_trace(town.outputs, line["error.trace_id"], wait_seconds=STALL_SECONDS)
    (span,) = (span for span in trace.spans if span.span_id == line["error.span_id"])
    assert (span.service, span.name, span.status) == (service, failed, "error")
    assert any(root.attributes.get("virtengine.order.id") == order_id for root in trace.roots)


def test_orders_are_stories_and_a_failing_one_is_found_from_its_log_line(virtengine: Town) -> None:
    with virtengine() as town:
        kinds = ("ordinary", "unfunded", "broken", "cancelled")
        ids = {order.kind: order.id for order in town.load(4, kinds=kinds).placed}
        town.end()
        ordinary = town.story(ids["ordinary"], "portal", "chain", "provider-daemon", "waldur")
        assert ordinary.absent == ()
        assert_headers_carry_one_trace_id(ordinary)
        assert_links_lead_both_ways(ordinary)
        assert_keepers_call_across_modules(ordinary)
        tree = joined(ordinary)
        assert len(tree.roots) == 1, "one tree over all of its traces"
        assert [span.status for span in tree.spans].count("error") == 0
        cancelled = town.story(ids["cancelled"], "portal", "chain", "provider-daemon", "waldur")
        assert trace_with(cancelled, "portal", "DELETE /orders/{order_id}")
        released = trace_with(cancelled, "provider-daemon", "process release")
        assert any(span.name.endswith("/terminate/") for span in released.spans if span.service == "waldur")
        town.story(ids["unfunded"], "portal", "chain")
        assert_the_log_leads_to_the_failed_span(town, "chain", ids["unfunded"], "escrow.keeper.Deposit")
        town.story(ids["broken"], "portal", "chain", "provider-daemon", "waldur")
        assert_the_log_leads_to_the_failed_span(town, "provider-daemon", ids["broken"], "adapter.ready")
