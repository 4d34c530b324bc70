"""The reference of the settings tells each default as it is, for each kind that has the setting."""

from __future__ import annotations

import re

import pytest

from stacks.environment.reference import reference
from stacks.environment.schema import OF_SECTION, Setting, alternatives

EVERY = [each for those in alternatives().values() for each in those]
SECONDS = {"ms": 0.001, "s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400, "day": 86_400, "days": 86_400}
WRITTEN = re.compile(r"Default: (`[^`]+`|true|false|[0-9][0-9,]*(?:\.[0-9]+)?(?: ?(?:%|m|[KMGT]i|ms|s|min|h|d|days?))?)(?=[,.;:]|$)")


def _plain(value: object) -> str:
    """A value as the file and a person write it: ``10000`` for 10,000 and ``80%`` for 80 %."""
    return re.sub(r"[`\", ]", "", str(value)).lower()


def _seconds(value: str) -> float | None:
    found = re.fullmatch(r"([0-9.]+)([a-z]+)", value)
    return float(found[1]) * SECONDS[found[2]] if found and found[2] in SECONDS else None


def _told(setting: Setting) -> str | None:
    """The default that a text tells, where both are values: null stands for a value that is made elsewhere."""
    found = WRITTEN.search(setting.description)
    return found[1] if found and isinstance(setting.default, str | int | float) else None


@pytest.mark.parametrize("setting", [one for one in EVERY if _told(one)], ids=lambda one: f"{one.key} {one.kind or ''}")
def test_the_default_that_a_text_tells_is_the_default(setting: Setting) -> None:
    told, default = _plain(_told(setting)), _plain(setting.default)
    assert told == default or _seconds(told) == _seconds(default) is not None


def test_many_defaults_are_told_as_a_value() -> None:
    assert len([one for one in EVERY if _told(one)]) > 100


def test_the_resources_of_each_server_are_told_with_why() -> None:
    assert OF_SECTION not in reference()
    page = _entries()
    gateway = page["collectors.gateway.resources.memory"]
    assert 'default: `"1Gi"`' in gateway
    assert "Default: 1Gi. That of `collectors.gateway.resources` is half a core and 1Gi. Tail sampling keeps whole traces" in gateway
    assert "Default: 4Gi. That of `backend.resources` is a core and 4Gi; Tempo builds" in page["backend.resources.memory"]


def test_kinds_of_a_section_tell_their_own_of_a_setting_that_they_share() -> None:
    replication = _entries()["backend.storage.replication"]
    assert "With `kind: cassandra`: whole number; default: `3`" in replication
    assert "With `kind: opensearch` or `kind: elasticsearch`: whole number; default: `2`\n\nCopies of each index in all." in replication
    assert _entries()["backend.storage.index_prefix"].count("default:") == 1


def test_what_is_required_where_another_setting_says_so_is_told_beside_the_default() -> None:
    assert "default: `1`; required on Kubernetes\n" in _entries()["load.nodes"]


def _entries() -> dict[str, str]:
    found = re.split(r"^### `(.+)`$", reference(), flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))
