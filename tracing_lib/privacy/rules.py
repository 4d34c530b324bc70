"""The privacy rules of the contract, compiled: what they find in a key, and what they find and mask in a string."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from tracing_lib.contract.outputs import PrivacyRule
from tracing_lib.privacy.prefilter import candidates, needed

if TYPE_CHECKING:
    from collections.abc import Sequence

MASKED: Final = "****"
"""What stands where something was found, here as in the collector."""

_CACHED: Final = 4096


@lru_cache(maxsize=1)
def own_rules() -> tuple[PrivacyRule, ...]:
    """Return the rules that the library carries: a copy of ``components/documents/attributes.py``, held equal by a test."""
    text = resources.files("tracing_lib.privacy").joinpath("rules.json").read_text(encoding="utf-8")
    return tuple(PrivacyRule.model_validate(rule) for rule in json.loads(text))


class ValueRules:
    """Rules in the order in which they are applied."""

    def __init__(self, rules: Sequence[PrivacyRule]) -> None:
        self.rules = tuple(rules)
        self._keys = [re.compile(rule.pattern) for rule in rules if rule.matches == "key"]
        self._values = [re.compile(rule.pattern) for rule in rules if rule.matches == "value"]
        self._needed = [(needed(pattern), pattern) for pattern in self._values]
        self._found: dict[str, bool] = {}
        self._named: dict[str, bool] = {}

    def key(self, key: str) -> bool:
        """Whether a rule forbids attributes of this key, whoever declared it."""
        known = self._named.get(key)
        if known is None:
            known = self._remember(self._named, key, found=any(pattern.search(key) for pattern in self._keys))
        return known

    def found(self, value: str) -> bool:
        """Whether a rule finds something in the string."""
        known = self._found.get(value)
        if known is None:
            found = False
            for pattern in candidates(self._needed, value):
                if pattern.search(value):
                    found = True
                    break
            known = self._remember(self._found, value, found=found)
        return known

    def masked(self, value: str) -> str:
        """Return the string with all that the rules find replaced by ``****``."""
        for pattern in self._values:
            value = pattern.sub(MASKED, value)
        return value

    @staticmethod
    def _remember(memory: dict[str, bool], text: str, *, found: bool) -> bool:
        if len(memory) >= _CACHED:
            memory.clear()
        memory[text] = found
        return found


def combined_rules(rules: Sequence[PrivacyRule]) -> ValueRules:
    """Return the library's own rules, with a stack's in place of those of the same name and after them.

    A stack can therefore sharpen a rule and add one, and an older stack, or none, does not take the wall away.
    """
    by_name = {rule.name: rule for rule in (*own_rules(), *rules)}
    return ValueRules(tuple(by_name.values()))
