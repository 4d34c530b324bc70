"""Orders that are made of recorded ones are orders of their own."""

from __future__ import annotations

from benchmarks.orders import ORDER, orders, shapes
from examples.virtengine.load import SHARES

BEGIN, COUNT, PER_SECOND = 1_800_000_000.0, 40, 10.0


def test_every_kind_of_order_was_recorded() -> None:
    found = shapes()
    assert set(found) == set(SHARES)
    assert all(one.names for those in found.values() for one in those)


def test_made_orders_have_ids_of_their_own_and_links_within_the_order() -> None:
    traces = list(orders(COUNT, begin=BEGIN, per_second=PER_SECOND))
    recorded = {trace_id for those in shapes().values() for one in those for trace_id in one.ids}
    ids = {trace.id for trace in traces}
    assert len(ids) == len(traces)
    assert not ids & recorded
    assert all(one.span.trace_id == trace.id for trace in traces for one in trace.spans)
    links = [link.trace_id for trace in traces for one in trace.spans for link in one.span.links]
    assert links
    assert not set(links) & recorded
    names = {pair.value.string_value for trace in traces for one in trace.spans for pair in one.span.attributes if pair.key == ORDER}
    assert len(names) == COUNT


def test_made_orders_begin_at_their_rate_and_are_the_same_each_time() -> None:
    traces = list(orders(COUNT, begin=BEGIN, per_second=PER_SECOND))
    starts = [min(one.span.start_time_unix_nano for one in trace.spans) / 1e9 for trace in traces]
    assert min(starts) >= BEGIN - 1e-6
    assert max(starts) >= BEGIN + (COUNT - 1) / PER_SECOND
    again = list(orders(COUNT, begin=BEGIN, per_second=PER_SECOND))
    assert [(trace.id, len(trace.spans)) for trace in again] == [(trace.id, len(trace.spans)) for trace in traces]
