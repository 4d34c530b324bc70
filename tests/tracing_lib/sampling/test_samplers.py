"""The sampler: rates are met, probabilities are consistent and told, pressure passes."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace._sampling_experimental._trace_state import OtelTraceState
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState, set_span_in_context

from tests.tracing_lib.samples import mapping
from tracing_lib import TracingSettings
from tracing_lib.provider import recorder
from tracing_lib.sampling.operation import NEVER, RANDOMNESS, effective_ratio, threshold_of, threshold_text
from tracing_lib.sampling.sampler import TargetSampler, build_sampler
from tracing_lib.sampling.strategies import Goal, Strategy, parse_strategy, ratio_strategy

if TYPE_CHECKING:
    from opentelemetry.context import Context

INTERVAL = 10.0


@dataclass
class Traffic:
    """Traces that begin at given rates, on a clock of the test's own."""

    now: float = 1000.0

    def __post_init__(self) -> None:
        self._random = random.Random(7)  # noqa: S311 - traffic, not secrets

    def clock(self) -> float:
        return self.now

    def run(self, sampler: TargetSampler, rates: dict[str, float], seconds: float) -> dict[str, float]:
        """Begin traces at these rates, as chance has it; return how many were sampled each second."""
        end, sampled = self.now + seconds, dict.fromkeys(rates, 0)
        due = [(self.now + self._random.expovariate(rate), name) for name, rate in rates.items()]
        while due:
            due.sort()
            self.now, name = due[0]
            if self.now >= end:
                break
            sampled[name] += sampler.should_sample(None, self._random.getrandbits(128), name).decision is Decision.RECORD_AND_SAMPLE
            due[0] = self.now + self._random.expovariate(rates[name]), name
        self.now = end
        return {name: count / seconds for name, count in sampled.items()}


TARGETS = {"orders": 20.0, "leases": 30.0, "bids": 40.0, "rare": 25.0}
SHARES = {"orders": 0.2, "leases": 0.3, "bids": 0.499, "rare": 0.001}


def test_each_operation_meets_its_target_two_intervals_after_a_step_of_its_traffic() -> None:
    traffic = Traffic()
    goals = {name: Goal(target, floor=0.0005) for name, target in TARGETS.items()}
    sampler = TargetSampler(ratio_strategy(1.0), goals, interval_seconds=INTERVAL, clock=traffic.clock)
    for total in (10, 1000, 50, 5000):
        rates = {name: total * share for name, share in SHARES.items()}
        traffic.run(sampler, rates, 2 * INTERVAL)
        found = traffic.run(sampler, rates, 4 * INTERVAL)
        for name, rate in rates.items():
            wanted = min(rate, TARGETS[name])
            if wanted == rate:
                assert sampler.operation(name).ratio == pytest.approx(1.0, abs=0.25), (total, name)
            if wanted > 5:  # below, forty seconds of chance alone are more than a fifth
                assert found[name] == pytest.approx(wanted, rel=0.2), (total, name)
            assert sampler.operation(name).ratio >= 0.0005


def test_a_burst_is_met_within_the_interval_in_which_it_begins() -> None:
    traffic = Traffic()
    sampler = TargetSampler(ratio_strategy(1.0), {"orders": Goal(10.0)}, interval_seconds=INTERVAL, clock=traffic.clock)
    traffic.run(sampler, {"orders": 5}, 3 * INTERVAL)
    first = traffic.run(sampler, {"orders": 5000}, 1.0)["orders"]
    assert first < 1000, "a ratio that waits for the interval's end would sample all 5,000"
    assert traffic.run(sampler, {"orders": 5000}, INTERVAL)["orders"] == pytest.approx(10, rel=0.3)


@pytest.mark.parametrize(("rate", "ratio"), [(1_000.0, 0.05), (0.5, 0.6)])
def test_a_ratio_stays_between_floor_and_ceiling(rate: float, ratio: float) -> None:
    traffic = Traffic()
    sampler = TargetSampler(ratio_strategy(1.0), {"a": Goal(2.0, floor=0.05, ceiling=0.6)}, interval_seconds=INTERVAL, clock=traffic.clock)
    traffic.run(sampler, {"a": rate}, 10 * INTERVAL)
    assert sampler.operation("a").ratio == pytest.approx(ratio, rel=1e-3)


def test_a_lower_bound_raises_the_ratio_of_rare_operations_only() -> None:
    traffic = Traffic()
    body = b'{"operationSampling": {"defaultSamplingProbability": 0.01, "defaultLowerBoundTracesPerSecond": 1}}'
    sampler = TargetSampler(parse_strategy(body), interval_seconds=INTERVAL, clock=traffic.clock)
    found = traffic.run(sampler, {"often": 1000, "now and then": 10, "rare": 0.2}, 20 * INTERVAL)
    assert found["often"] == pytest.approx(10, rel=0.1)
    assert found["now and then"] == pytest.approx(1, rel=0.3)
    assert found["rare"] == pytest.approx(0.2, rel=0.4)


def test_a_rate_for_the_whole_service_is_shared_by_all_that_have_no_target() -> None:
    traffic = Traffic()
    strategy = parse_strategy(b'{"rateLimitingSampling": {"maxTracesPerSecond": 20}}')
    sampler = TargetSampler(strategy, {"own": Goal(5.0)}, interval_seconds=INTERVAL, clock=traffic.clock)
    traffic.run(sampler, {"a": 300, "b": 100, "own": 100}, 3 * INTERVAL)
    found = traffic.run(sampler, {"a": 300, "b": 100, "own": 100}, 10 * INTERVAL)
    assert found["a"] + found["b"] == pytest.approx(20, rel=0.2)
    assert found["own"] == pytest.approx(5, rel=0.2)


@pytest.mark.parametrize("load_under_pressure", [0.9, 1.0])
def test_pressure_lowers_every_ratio_to_its_floor_and_passes(load_under_pressure: float) -> None:
    traffic, load = Traffic(), [0.0]
    goals = {"a": Goal(1000.0, floor=0.02)}
    sampler = TargetSampler(ratio_strategy(0.5), goals, interval_seconds=INTERVAL, load=lambda: load[0], clock=traffic.clock)
    traffic.run(sampler, {"a": 50, "b": 50}, 20)
    assert (sampler.operation("a").ratio, sampler.operation("b").ratio) == (1.0, 0.5)
    load[0] = load_under_pressure
    traffic.run(sampler, {"a": 50, "b": 50}, 3.5)
    assert sampler.operation("a").ratio == pytest.approx(1 / 16, rel=1e-3)
    assert sampler.operation("b").ratio == pytest.approx(1 / 32, rel=1e-3)
    traffic.run(sampler, {"a": 50, "b": 50}, 30)
    assert sampler.operation("a").ratio == pytest.approx(0.02, rel=1e-3)
    load[0] = 0.1
    traffic.run(sampler, {"a": 50, "b": 50}, 20)
    assert (sampler.operation("a").ratio, sampler.operation("b").ratio) == (1.0, 0.5)


def test_made_up_operation_names_cost_a_bounded_memory() -> None:
    body = b'{"operationSampling": {"defaultSamplingProbability": 0.5, "defaultLowerBoundTracesPerSecond": 1}}'
    sampler = TargetSampler(parse_strategy(body), {"known": Goal(1.0)})
    for index in range(2000):
        sampler.should_sample(None, index, f"GET /{index}")
    assert len(sampler._operations) == 257


def test_the_servers_operation_wins_then_the_target_then_the_servers_default() -> None:
    sampler = TargetSampler(ratio_strategy(1.0), {"a": Goal(1.0, ceiling=0.7), "b": Goal(1.0, ceiling=0.7)})
    assert [sampler.operation(name).ratio for name in "abc"] == pytest.approx([0.7, 0.7, 1.0], rel=1e-4)
    answer = (
        b'{"operationSampling": {"defaultSamplingProbability": 0.25, "perOperationStrategies":'
        b' [{"operation": "a", "probabilisticSampling": {"samplingRate": 0.125}}]}}'
    )
    sampler.apply(parse_strategy(answer))
    assert [sampler.operation(name).ratio for name in "abc"] == pytest.approx([0.125, 0.7, 0.25], rel=1e-4)


def test_settings_give_the_targets_of_this_service_and_the_head_ratio_for_the_rest() -> None:
    settings = TracingSettings.from_outputs(mapping(), service_name="portal")
    sampler = build_sampler(settings)
    assert sampler._targets == {"POST /orders": Goal(2.0, 0.001, 1.0)}
    assert sampler.operation("GET /").ratio == 0.25
    assert build_sampler(settings.model_copy(update={"service_name": "other"}))._targets == {}


@given(st.floats(0, 1), st.integers(0, RANDOMNESS))
def test_thresholds_are_those_of_the_specification_at_four_digits(ratio: float, randomness: int) -> None:
    threshold = threshold_of(ratio)
    assert 0 <= threshold <= NEVER
    if threshold < NEVER:
        assert OtelTraceState.parse(TraceState([("ot", f"th:{threshold_text(threshold)}")])).threshold == threshold
        assert len(threshold_text(threshold).lstrip("f")) <= 4 + 1
        assert effective_ratio(threshold) == pytest.approx(ratio, rel=2e-3, abs=2.0**-56)  # a threshold has 56 bits
    else:
        assert ratio < 1e-16
    # The same trace at a higher ratio stays sampled.
    assert randomness < threshold or randomness >= threshold_of(min(1.0, ratio * 2))


def parent(flags: int, state: TraceState | None = None) -> Context:
    return set_span_in_context(
        NonRecordingSpan(SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(flags), trace_state=state))
    )


def test_a_root_carries_its_probability_and_a_child_the_callers() -> None:
    provider = recorder()[0](sampler=TargetSampler(ratio_strategy(0.25)), shutdown_on_exit=False)
    tracer = provider.get_tracer("t")
    roots = [span for span in (tracer.start_span("r", attributes={"a": 1}) for _ in range(4000)) if span.is_recording()]
    assert len(roots) == pytest.approx(1000, abs=110)  # four standard deviations
    for root in roots:
        assert root.get_span_context().trace_state.get("ot") == "th:c"
        assert dict(root.attributes) == {"a": 1, "sampler.type": "probabilistic", "sampler.param": 0.25}  # type: ignore[attr-defined]
        assert root.get_span_context().trace_id & RANDOMNESS >= 0xC0000000000000
    state = TraceState([("ot", "th:8;rv:ffffffffffffff"), ("vendor", "x")])
    child = tracer.start_span("c", parent(1, state))
    assert child.get_span_context().trace_state == state
    assert dict(child.attributes) == {}  # type: ignore[attr-defined]


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_in_a_trace_that_is_not_sampled_no_span_is_recorded(ratio: float) -> None:
    provider = recorder()[0](sampler=TargetSampler(ratio_strategy(ratio)), shutdown_on_exit=False)
    tracer, state = provider.get_tracer("t"), TraceState([("vendor", "x")])
    context = parent(0, state)
    span = tracer.start_span("c", context)
    assert not span.is_recording()
    assert (span.get_span_context().trace_id, span.get_span_context().trace_state) == (0xABC, state)
    with tracer.start_as_current_span("outer", context) as outer:
        assert outer.get_span_context().trace_id == 0xABC
        with tracer.start_as_current_span("inner") as inner:
            inner.set_attribute("a", 1)
            assert (inner.get_span_context().trace_id, inner.is_recording()) == (0xABC, False)

        @tracer.start_as_current_span("decorated")
        def decorated(number: int) -> tuple[int, int]:
            from opentelemetry.trace import get_current_span

            return number, get_current_span().get_span_context().trace_id

        assert decorated(3) == (3, 0xABC)
    number, trace_id = decorated(4)
    assert number == 4
    assert trace_id not in {0, 0xABC}, "called outside, it begins a trace of its own"


def test_an_unsampled_root_makes_an_unsampled_trace() -> None:
    tracer = recorder()[0](sampler=TargetSampler(ratio_strategy(0.0)), shutdown_on_exit=False).get_tracer("t")
    with tracer.start_as_current_span("root") as root, tracer.start_as_current_span("child") as child:
        assert not child.is_recording()
        assert child.get_span_context().trace_id == root.get_span_context().trace_id


def test_strategies_are_compared_by_value() -> None:
    body = b'{"strategyType": "PROBABILISTIC", "probabilisticSampling": {"samplingRate": 0.5}}'
    assert parse_strategy(body) == parse_strategy(body) == ratio_strategy(0.5)
    assert parse_strategy(body) != Strategy(Goal(ceiling=0.4))
