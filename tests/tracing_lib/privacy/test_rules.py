"""The privacy rules: one source, read alike by both sides."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.documents.attributes import PRIVACY_RULES, as_json
from tests.tracing_lib.privacy.canaries import KEYS, MAKERS
from tracing_lib.contract.outputs import PrivacyRule
from tracing_lib.privacy.rules import ValueRules, combined_rules, literals, own_rules

ROOT = Path(__file__).parents[3]

HARMLESS = [
    "0af7651916cd43dd8448eb211c80319c",  # a trace id
    "b7ad6b7169203331",
    "550e8400-e29b-41d4-a716-446655440000",  # a UUID
    "12345678-1234-4234-8234-123456789012",  # one of digits only
    "2026-11-23T06:32:16.123Z",
    "10.244.0.17:8080",
    "GET /api/marketplace-orders/{uuid}/",
    "virtengine.market.v1.Msg/CreateOrder",
    "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08",  # a transaction hash, as CometBFT writes it
    "order-7 of 12 in block 4711 took 0.25 s",
    "registry.k8s.io/kube-apiserver:v1.36.3",
    "sha 3c1bd4f8a2",
    "the token bucket is empty",
]
"""What an operator needs to see, and no rule may mask."""


def test_the_library_carries_the_rules_of_the_collector() -> None:
    file = ROOT / "tracing_lib" / "privacy" / "rules.json"
    assert file.read_text(encoding="utf-8") == as_json(), "write it anew: make reference"


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_not_private_is_not_masked(text: str) -> None:
    assert combined_rules(()).masked(text) == text


def test_a_stack_sharpens_a_rule_by_its_name_and_adds_others_and_takes_none_away() -> None:
    sharper = PrivacyRule(name="email", matches="value", pattern="@", meaning="Any at sign.")
    other = PrivacyRule(name="plate", matches="value", pattern=r"\b[A-Z]{1,3}-[A-Z]{2} [0-9]{1,4}\b", meaning="Number plates.")
    rules = combined_rules((sharper, other))
    assert rules.masked("a@b B-XY 123") == "a****b ****"
    assert {rule.name for rule in rules.rules} == {rule.name for rule in own_rules()} | {"plate"}
    assert combined_rules(()).rules == own_rules()


def test_each_rule_has_a_name_and_a_meaning_of_its_own() -> None:
    assert len({rule.name for rule in PRIVACY_RULES}) == len(PRIVACY_RULES) == len({rule.meaning for rule in PRIVACY_RULES})
    assert set(MAKERS) | set(KEYS) == {rule.name for rule in PRIVACY_RULES}


@pytest.mark.parametrize("rule", PRIVACY_RULES, ids=lambda rule: rule.name)
def test_no_pattern_uses_what_re2_does_not_have(rule: PrivacyRule) -> None:
    # That the collector takes them is shown by tests/servers; this says at once which construct is wrong.
    assert not re.search(r"\(\?[=!<]|\\[1-9]|\(\?P=|[*+?}]\+", rule.pattern)


VALUE_RULES = [rule for rule in own_rules() if rule.matches == "value"]


@pytest.mark.parametrize("rule", VALUE_RULES, ids=lambda rule: rule.name)
def test_every_match_of_a_rule_has_a_literal_that_is_looked_for_first(rule: PrivacyRule) -> None:
    pattern = re.compile(rule.pattern)

    @settings(max_examples=200)
    @given(st.from_regex(pattern))
    def check(text: str) -> None:
        found = pattern.search(text)
        assert found is not None
        assert any(literal in found[0] for literal in literals(rule))
        assert ValueRules([rule]).found(text)
        assert ValueRules([rule]).masked(text) == pattern.sub("****", text)

    check()


def test_literals_are_named_for_own_rules_and_for_no_changed_one() -> None:
    looked_for = {rule.name for rule in VALUE_RULES if literals(rule) != ("",)}
    assert looked_for == {"assigned-secret", "email", "jwt", "phone"}
    for rule in VALUE_RULES:
        assert literals(rule.model_copy(update={"pattern": rule.pattern + "|x"})) == ("",)


BEGINNINGS = ("", "(020) 123", "0123 123", "0123/123", "+44", "bearer ", "eyJaaaaaaaa.", "token=", "://a:", "a@", "-----BEGIN ")
REPEATED = ("1", "a", "A", "1a", "1-", "1 ", "11 ", "111-", "abc ", " ", ".", "a.", "a@", "%40", "'", "pass", "eyJ", "://", "A-")
ENDS = ("", "x", "!", "1", "@")
SEARCH = "import re, sys\npattern, *texts = sys.stdin.read().split('\\0')\nfor text in texts: re.search(pattern, text)"


@pytest.mark.parametrize("rule", [rule for rule in PRIVACY_RULES if rule.matches == "value"], ids=lambda rule: rule.name)
def test_no_text_makes_the_search_of_a_rule_take_exponential_time(rule: PrivacyRule) -> None:
    texts = [begin + part * (400 // len(part)) + end for begin, part, end in itertools.product(BEGINNINGS, REPEATED, ENDS)]
    # In a process of its own, because a search cannot be interrupted. All of them take less than half a second.
    subprocess.run([sys.executable, "-c", SEARCH], input="\0".join([rule.pattern, *texts]), text=True, check=True, timeout=60)
