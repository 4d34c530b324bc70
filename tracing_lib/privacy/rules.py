"""The privacy rules of the contract, compiled: a search of attribute keys, and a search and masking of strings."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from tracing_lib.contract.outputs import PrivacyRule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MASKED: Final = "****"
"""Replacement for what a rule finds, in this library and in the collector."""
_CACHED: Final = 4096

_LITERALS: Final = {"assigned-secret": ("=", ":"), "email": ("@", "%40"), "jwt": ("eyJ",), "phone": ("+", "%2B", "00")}
"""Literals of which every match of an own rule has one, for the rules whose search is slow on strings that it does not match."""
_ANY: Final = ("",)
"""The literals of all other rules: every string has the empty one."""


@lru_cache(maxsize=1)
def own_rules() -> tuple[PrivacyRule, ...]:
    """Return the rules that the library carries: a copy of ``components/documents/attributes.py``, held equal by a test."""
    text = resources.files("tracing_lib.privacy").joinpath("rules.json").read_text(encoding="utf-8")
    return tuple(PrivacyRule.model_validate(rule) for rule in json.loads(text))


def literals(rule: PrivacyRule) -> tuple[str, ...]:
    """Return strings of which every match of the rule has one, for a cheap test before the search.

    They are known of the library's own rules. A stack's rule of the same name with another pattern is always searched.
    """
    return _LITERALS.get(rule.name, _ANY) if rule in own_rules() else _ANY


class ValueRules:
    """Compiled rules, in the order in which they are applied."""

    def __init__(self, rules: Sequence[PrivacyRule]) -> None:
        self.rules = tuple(rules)
        self._keys = [re.compile(rule.pattern) for rule in rules if rule.matches == "key"]
        self._values = [(literals(rule), re.compile(rule.pattern)) for rule in rules if rule.matches == "value"]
        self.key: Callable[[str], bool] = lru_cache(_CACHED)(lambda key: any(pattern.search(key) for pattern in self._keys))
        """Says whether a rule forbids attributes of a key, even declared ones."""
        self.found: Callable[[str], bool] = lru_cache(_CACHED)(self._search)
        """Says whether a rule matches in a string."""

    def _search(self, value: str) -> bool:
        for needed, pattern in self._values:
            for literal in needed:
                if literal in value and pattern.search(value):
                    return True
        return False

    def masked(self, value: str) -> str:
        """Return the string with every match of a rule replaced by ``****``."""
        for needed, pattern in self._values:
            if any(literal in value for literal in needed):
                value = pattern.sub(MASKED, value)
        return value


def combined_rules(rules: Sequence[PrivacyRule]) -> ValueRules:
    """Return the library's own rules, each replaced by a rule of the same name in ``rules``, followed by the other ``rules``.

    A stack can therefore change a rule and add one. Without a stack, or with the outputs of an older one, the own rules still apply.
    """
    by_name = {rule.name: rule for rule in (*own_rules(), *rules)}
    return ValueRules(tuple(by_name.values()))
