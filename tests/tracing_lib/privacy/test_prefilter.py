"""A search that is left out would have found nothing: what matches an expression has what the expression needs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracing_lib.privacy.prefilter import Needed, candidates, needed
from tracing_lib.privacy.rules import own_rules

OTHERS = ["(?i)k=s", "a{0,2}b", "(?:x|y)z?", "(?i:k)-", "(a|)b", "[^a]", "(?=a)b|c", "a+?@", "(?s).", "(x)\\1", "[a-c]q", "\\d[.]|\\s:", ""]


@pytest.mark.parametrize("expression", [*(rule.pattern for rule in own_rules()), *OTHERS])
def test_what_matches_has_what_is_needed(expression: str) -> None:
    pattern = re.compile(expression)
    needs = needed(pattern)

    @settings(max_examples=60)
    @given(st.from_regex(pattern))
    def matching(text: str) -> None:
        assert pattern.search(text)
        assert candidates([(needs, pattern)], text) == [pattern]

    matching()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("[a-z]{1,64}(@|%40)x", Needed(3, "x")),
        ("[a-z]+(@|%40)[a-z]", Needed(3, "%4@")),
        ("(?i)token[=:]", Needed(6, ":=")),
        ("(?i)token", Needed(5, "")),
        ("a?", Needed(0, "")),
    ],
)
def test_what_an_expression_needs(expression: str, expected: Needed) -> None:
    found = needed(re.compile(expression))
    assert found.length == expected.length
    assert set(found.one_of) <= set(expected.one_of)
    assert bool(found.one_of) == bool(expected.one_of)


def test_an_order_and_a_hash_are_searched_by_few_rules() -> None:
    patterns = [re.compile(rule.pattern) for rule in own_rules() if rule.matches == "value"]
    needs = [(needed(pattern), pattern) for pattern in patterns]
    assert len(candidates(needs, "order-0a1b2c3d4e5f")) <= 4
    assert len(candidates(needs, "F2CA1BB6C7E907D06DAFE4687E579FCE76B37E4E93B7605022DA52E6CCC26FD2")) <= 8
