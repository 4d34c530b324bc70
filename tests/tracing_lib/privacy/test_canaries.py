"""No canary leaves the process, and every single rule is needed for that."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, cast

import pytest

from tests.tracing_lib.privacy.canaries import every_rule_has_a_canary
from tests.tracing_lib.privacy.fuzz import DROPPED, Rig, leaks, policies
from tracing_lib.logs import LogPrivacy
from tracing_lib.privacy.attribute import Attribute, Privacy, Shape
from tracing_lib.privacy.policy import PrivacyPolicy
from tracing_lib.privacy.registry import Registry
from tracing_lib.privacy.rules import ValueRules, own_rules
from tracing_lib.propagation.baggage import OwnBaggagePropagator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, Status
    from opentelemetry.util.types import AnyValue

CASES = 12_000
SEEDS = 4
MUTANT_CASES = 3_000


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    # OpenTelemetry complains of trace states and baggage that it cannot parse, which is what is planted.
    names = ("opentelemetry.trace.span", "opentelemetry.baggage", "opentelemetry.baggage.propagation")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_every_rule_has_a_canary_of_its_own() -> None:
    assert every_rule_has_a_canary()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_canary_leaves_in_spans_logs_or_baggage(seed: int) -> None:
    assert leaks(seed, CASES // SEEDS, policies()) == []


@pytest.mark.parametrize("rule", [rule.name for rule in own_rules()])
def test_without_any_single_rule_a_canary_leaves(rule: str) -> None:
    def without(policy: PrivacyPolicy) -> None:
        policy.rules = ValueRules([known for known in policy.rules.rules if known.name != rule])

    assert leaks(7, MUTANT_CASES, policies(without), most=1), f"the fuzz does not notice that {rule} is gone"


class _UndeclaredKeys(PrivacyPolicy):
    def attribute(self, key: str, value: object) -> AnyValue:
        return cast("AnyValue", value) if self.registry.get(key) is None else super().attribute(key, value)


class _Shapes(PrivacyPolicy):
    def fitted(self, _declared: Attribute, value: str) -> str | None:
        return value


class _Hashes(PrivacyPolicy):
    def hashed(self, value: str) -> str:
        return value


class _Names(PrivacyPolicy):
    def name(self, value: object) -> str:
        return self.rules.masked(str(value))


class _Events(PrivacyPolicy):
    def event(self, event: Event) -> Event:
        return event


class _Exceptions(PrivacyPolicy):
    def exception(self, recorded: Mapping[str, AnyValue]) -> dict[str, AnyValue]:
        return dict(recorded)


class _Links(PrivacyPolicy):
    def link(self, link: Link) -> Link:
        return link


class _Statuses(PrivacyPolicy):
    def status(self, status: Status) -> Status:
        return status


class _TraceStates(PrivacyPolicy):
    def trace_state(self, _key: str, _value: str) -> bool:
        return True


class _Resources(PrivacyPolicy):
    def resource(self, resource: Resource) -> Resource:
        return resource


class _Scopes(PrivacyPolicy):
    def scope(self, scope: InstrumentationScope | None) -> InstrumentationScope | None:
        return scope


WALLS = [_UndeclaredKeys, _Shapes, _Hashes, _Names, _Events, _Exceptions, _Links, _Statuses, _TraceStates, _Resources, _Scopes]
"""Policies with one wall of the structure taken away."""


@pytest.mark.parametrize("mutant", WALLS)
def test_without_any_single_wall_a_canary_leaves(mutant: type[PrivacyPolicy]) -> None:
    assert leaks(7, MUTANT_CASES, policies(kind=mutant), most=1), f"the fuzz does not notice {mutant.__name__}"


def test_every_wall_of_the_policy_is_taken_away_once() -> None:
    taken = {name for mutant in WALLS for name in vars(mutant) if not name.startswith("_")}
    helpers = {
        "text",
        "attributes",
        "context",
        "span",
        "leaving",
        "number",
        "version",
        "hashes",
        "learn_routes",
    }  # made of the others; text is the value rules, number has a test of its own
    assert {name for name in vars(PrivacyPolicy) if not name.startswith("_")} - helpers == taken


def test_without_the_class_drop_a_canary_leaves() -> None:
    def keep(policy: PrivacyPolicy) -> None:
        kept = Registry()
        kept.declare_convention(*(known for known in policy.registry if known.key != DROPPED), Attribute(DROPPED, "Kept.", Shape.TEXT))
        assert policy.registry.get(DROPPED) is not None
        policy.registry = kept

    assert leaks(7, MUTANT_CASES, policies(keep), most=1)


class _Arguments(LogPrivacy):
    def argument(self, value: object) -> object:
        return value


class _Strings(LogPrivacy):
    def string(self, value: str) -> str:
        return value


class _Messages(LogPrivacy):
    def message(self, record: logging.LogRecord) -> str:
        return record.getMessage()


class _Fields(LogPrivacy):
    def field(self, _key: str, value: object) -> object:
        return str(value)


class _Errors(LogPrivacy):
    def error(self, error: BaseException) -> dict[str, str]:
        return {"error": "".join(traceback.format_exception(error))}


@pytest.mark.parametrize("mutant", [_Arguments, _Strings, _Messages, _Fields, _Errors])
def test_without_any_single_wall_of_the_log_a_canary_leaves(mutant: type[LogPrivacy]) -> None:
    class Weak(Rig):
        def __init__(self, policy: PrivacyPolicy) -> None:
            super().__init__(policy)
            self.formatter._privacy = mutant(policy)

    assert leaks(7, MUTANT_CASES, policies(), rig=Weak, most=1)


class _AllHosts(OwnBaggagePropagator):
    def own(self, _target: str) -> bool:
        return True


class _AllEntries(OwnBaggagePropagator):
    def allowed(self, _key: str, _value: object) -> bool:
        return True


@pytest.mark.parametrize("mutant", [_AllHosts, _AllEntries])
def test_without_any_single_wall_of_baggage_a_canary_leaves(mutant: type[OwnBaggagePropagator]) -> None:
    class Weak(Rig):
        def __init__(self, policy: PrivacyPolicy) -> None:
            super().__init__(policy)
            self.propagator = mutant(policy=policy)

    assert leaks(7, MUTANT_CASES, policies(), rig=Weak, most=1)


def test_a_number_under_an_attribute_of_words_does_not_leave() -> None:
    # Tested apart: OTLP writes integers in binary, where the fuzz does not look.
    policy = PrivacyPolicy()
    assert policy.attribute("server.address", 491711234567) is None
    assert policy.attribute("http.route", 491711234567) is None
    assert policy.attribute("virtengine.block.height", 12) == 12
    assert policy.attribute("virtengine.success", value=True) is True
    assert Privacy.KEEP is Privacy("keep")
